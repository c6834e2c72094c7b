//! The attacker's calls over time as a picture: a row for each category, a bar for each stretch of time.

use std::fmt::Write;

use super::html::escaped;
use crate::domain::trail::analysis::Analysis;
use crate::domain::trail::classify::{Category, Outcome};

/// Bars in a row.
const SLOTS: usize = 96;
const SLOT: usize = 9;
const ROW: usize = 30;
const LABELS: usize = 190;

/// As SVG.
pub fn timeline(analysis: &Analysis) -> String {
    let times: Vec<i64> = analysis.actions.iter().filter_map(|a| a.at.map(|at| at.timestamp())).collect();
    let (Some(first), Some(last)) = (times.iter().min().copied(), times.iter().max().copied()) else {
        return "<p>No call of the attacker's has a time.</p>".to_owned();
    };
    let span = u64::try_from(last.saturating_sub(first)).unwrap_or(0).max(1);
    let slot = |at: i64| {
        let since = u64::try_from(at.saturating_sub(first)).unwrap_or(0);
        usize::try_from(u128::from(since) * (SLOTS as u128 - 1) / u128::from(span)).unwrap_or(0)
    };
    let rows: Vec<Category> =
        Category::ALL.into_iter().filter(|c| analysis.actions.iter().any(|a| a.category == *c)).collect();
    let (across, down) = (LABELS + SLOTS * SLOT + 10, rows.len() * ROW + 30);
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"The attacker's calls over time\" width=\"{across}\" height=\"{down}\" \
         viewBox=\"0 0 {across} {down}\">"
    );
    for (row, category) in rows.iter().enumerate() {
        let mut counts = [(0_usize, 0_usize); SLOTS];
        let mut names = vec![std::collections::BTreeSet::new(); SLOTS];
        for action in analysis.actions.iter().filter(|a| a.category == *category) {
            let Some(at) = action.at else { continue };
            let at = slot(at.timestamp()).min(SLOTS - 1);
            counts[at].0 += 1;
            counts[at].1 += usize::from(action.outcome == Outcome::Succeeded);
            if names[at].len() < 6 {
                names[at].insert(&*action.event_name);
            }
        }
        let most = counts.iter().map(|(all, _)| *all).max().unwrap_or(1).max(1);
        let base = row * ROW + ROW - 4;
        let _ = write!(svg, "<text x=\"0\" y=\"{base}\">{}</text>", escaped(category.title()));
        let _ = write!(svg, "<path class=\"axis\" d=\"M{LABELS} {base} H{across}\"/>");
        for (at, (all, worked)) in counts.iter().enumerate().filter(|(_, (all, _))| *all > 0) {
            let height = (all * (ROW - 8)).div_ceil(most);
            let class = if *worked > 0 { "bar" } else { "bar refused" };
            let names: Vec<&str> = names[at].iter().copied().collect();
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\"><title>{all} calls, {worked} \
                 succeeded: {}</title></rect>",
                LABELS + at * SLOT,
                base - height,
                SLOT - 2,
                escaped(&names.join(", "))
            );
        }
    }
    let time = |at: i64| chrono::DateTime::from_timestamp(at, 0).map_or_else(String::new, |at| at.to_string());
    let _ = write!(
        svg,
        "<text class=\"small\" x=\"{LABELS}\" y=\"{}\">{}</text><text class=\"small\" text-anchor=\"end\" x=\"{}\" \
         y=\"{}\">{}</text></svg>",
        down - 8,
        escaped(&time(first)),
        across - 10,
        down - 8,
        escaped(&time(last))
    );
    svg
}
