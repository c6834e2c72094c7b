//! The lineage as a picture: a column for each step away from the stolen credentials.

use std::collections::HashMap;
use std::fmt::Write;

use super::html::escaped;
use crate::domain::trail::analysis::{Analysis, Held};

/// Credentials that are drawn; the list below the picture has more.
const NODES_MAX: usize = 120;
const WIDTH: usize = 300;
const HEIGHT: usize = 46;
const GAP_ACROSS: usize = 60;
const GAP_DOWN: usize = 14;
/// Characters that fit in a box.
const LABEL: usize = 40;

/// As SVG.
pub fn graph(analysis: &Analysis) -> String {
    let drawn: Vec<&Held> = analysis.credentials.iter().take(NODES_MAX).collect();
    let mut rows: HashMap<usize, usize> = HashMap::new();
    let mut places: HashMap<&str, (usize, usize)> = HashMap::new();
    for held in &drawn {
        let row = rows.entry(held.depth).or_default();
        places.insert(&held.name, (held.depth * (WIDTH + GAP_ACROSS) + 1, *row * (HEIGHT + GAP_DOWN) + 1));
        *row += 1;
    }
    let across = rows.keys().max().map_or(0, |deepest| (deepest + 1) * (WIDTH + GAP_ACROSS));
    let down = rows.values().max().map_or(0, |most| most * (HEIGHT + GAP_DOWN));
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"How the attacker got from credential to credential\" width=\"{across}\" \
         height=\"{down}\" viewBox=\"0 0 {across} {down}\">"
    );
    for held in &drawn {
        let (Some(reached), Some((x, y))) = (&held.reached_by, places.get(&*held.name)) else { continue };
        let Some((from_x, from_y)) = places.get(&*reached.from) else { continue };
        let (x1, y1, y2) = (from_x + WIDTH, from_y + HEIGHT / 2, y + HEIGHT / 2);
        let middle = (x1 + x) / 2;
        let _ = write!(
            svg,
            "<path class=\"edge\" d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x} {y2}\"><title>{} ({})</title></path>",
            escaped(&reached.how),
            escaped(&reached.event_id)
        );
    }
    for held in &drawn {
        let Some((x, y)) = places.get(&*held.name) else { continue };
        let how = held.reached_by.as_ref().map_or("stolen", |reached| &reached.how);
        let class = if held.reached_by.is_none() { "node stolen" } else { "node" };
        let _ = write!(
            svg,
            "<g><title>{} {}: {}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             rx=\"6\"/><text x=\"{}\" y=\"{}\">{}</text><text class=\"small\" x=\"{}\" y=\"{}\">{} calls · {}</text></g>",
            escaped(&held.name),
            escaped(held.principal.as_deref().unwrap_or("")),
            escaped(how),
            x + 10,
            y + 19,
            escaped(&short(&held.name)),
            x + 10,
            y + 36,
            held.events,
            escaped(&short(how)),
        );
    }
    svg.push_str("</svg>");
    if analysis.credentials.len() > NODES_MAX {
        let _ = write!(svg, "<p>{} more are not drawn.</p>", analysis.credentials.len() - NODES_MAX);
    }
    svg
}

fn short(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(LABEL).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}
