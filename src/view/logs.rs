//! The card of a search of CloudTrail's logs: what would be asked, what that costs, how it stands, what it brought.

use super::blocks::{Look, actions, button, code, context, cut, escape, header, section, summary, time};
use crate::domain::hunt::athena::{LogQuestion, ROWS_MAX, cost_micros};
use crate::domain::incident::logs::{Bill, Estimate, LogEnd, LogSearch, is_possible, newest};
use crate::domain::incident::state::Incident;
use crate::domain::policy::Policy;
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// How many of a list are shown, and how long one of them is at most.
const SHOWN_MAX: usize = 8;
const VALUE_CHARS_MAX: usize = 120;
/// What the event history does not have, and the logs do.
const LACKS: &str = "The event history has no reads and writes of data (as of objects in S3), nothing that is older than \
                     90 days, and cannot be asked by address. CloudTrail's logs have that, as far as the trail records it.";

/// The card; absent where the logs cannot be searched, and before the event history has been.
pub fn message(incident: &Incident, policy: &Policy) -> Option<Message> {
    let search = newest(incident);
    if search.is_none() && (!is_possible(incident, policy) || incident.hunted.is_none() || incident.sample) {
        return None;
    }
    let mut blocks = vec![header(":card_file_box: Logs: what the event history does not have")];
    let (headline, says) = match search {
        None => ("not searched", LACKS.to_owned()),
        Some(search) => stands(search),
    };
    blocks.push(section(&says));
    if let Some(search) = search {
        blocks.push(section(&asked(&search.question)));
        blocks.extend(search.estimate.as_ref().map(|estimate| section(&costs(estimate, search))));
    }
    if incident.is_open() {
        let buttons = buttons(incident, search);
        if !buttons.is_empty() {
            blocks.push(actions("logs", &buttons));
        }
    }
    blocks.push(context(&small_print(incident)));
    let text = format!("{} logs: {headline}", incident.id);
    Some(Message { text: summary(&text), blocks })
}

fn buttons(incident: &Incident, search: Option<&LogSearch>) -> Vec<serde_json::Value> {
    let id = incident.id.to_string();
    let of = |search: &LogSearch| format!("{id} {}", search.number);
    let ask = |label: &str| button(name::LOGS_ASK, label, &id, Look::Plain);
    let Some(search) = search else { return vec![ask("Search the logs with Athena")] };
    let cancel = || button(name::LOGS_CANCEL, "Cancel", &of(search), Look::Danger);
    match (&search.end, &search.run, &search.estimate) {
        (None, None, Some(_)) => {
            vec![button(name::LOGS_RUN, "Run the search", &of(search), Look::Primary), cancel()]
        }
        (None, _, _) => vec![cancel()],
        (Some(_), _, _) if search.task().is_some() => Vec::new(),
        (Some(_), _, _) => vec![ask("Search the logs again")],
    }
}

/// In two words, and in a sentence.
fn stands(search: &LogSearch) -> (&'static str, String) {
    let by = mention(&search.asked_by);
    match (&search.end, &search.run) {
        (None, None) if search.estimate.is_none() => (
            "being sized",
            format!("{by} asks for a search. What it would read is being worked out; nothing runs yet."),
        ),
        (None, None) => (
            "waiting for a word",
            format!("{by} asks for a search. *Nothing runs yet:* look at what it would read, and run it."),
        ),
        (None, Some((by, at))) => {
            let query = match &search.execution {
                Some(id) => format!("as query {}", code(id)),
                None => "and is being started".to_owned(),
            };
            ("running", format!("Athena searches for {} since {}, {query}.", mention(by), time(*at)))
        }
        (Some(LogEnd::Done { at, brought, bill }), _) => {
            let cut = if brought.cut {
                format!(
                    " *There are more*: the newest {ROWS_MAX} are read at most, as far as there is room. Use {} on the logs.",
                    code("irp trail analyze")
                )
            } else {
                String::new()
            };
            let says = format!(
                "Searched {}: {} call(s) found, {} of them not known before. {}.{cut}\nWhat follows from them is on the \
                 *Hunt* card.",
                time(*at),
                brought.rows,
                brought.new,
                billed(bill)
            );
            ("searched", says)
        }
        (Some(LogEnd::Failed { why, bill }), _) => {
            let bill = bill.as_ref().map(|bill| format!(" {}.", billed(bill))).unwrap_or_default();
            ("not searched", format!(":warning: The logs could not be searched. {}{bill}", cut(&escape(why), 1_500)))
        }
        (Some(LogEnd::Cancelled { by, bill, .. }), run) => {
            let then = match (bill, run) {
                (Some(bill), _) => format!(" {}.", billed(bill)),
                (None, Some(_)) => " The query is being stopped.".to_owned(),
                (None, None) => " Nothing was read.".to_owned(),
            };
            ("cancelled", format!("{} ended the search.{then}", mention(by)))
        }
    }
}

fn asked(question: &LogQuestion) -> String {
    let list = |values: &[String]| {
        let mut shown: Vec<String> =
            values.iter().take(SHOWN_MAX).map(|value| cut(&code(value), VALUE_CHARS_MAX)).collect();
        if values.len() > SHOWN_MAX {
            shown.push(format!("and {} more", values.len() - SHOWN_MAX));
        }
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    };
    let left_out = if question.left_out.is_empty() {
        String::new()
    } else {
        format!("\n:warning: Not asked: {}", cut(&escape(&question.left_out.join("; ")), 400))
    };
    format!(
        "*All calls of* the keys {}; of the users and sessions {}; from the addresses {}\n*From* {} *until* {}, in {}{left_out}",
        list(&question.keys),
        list(&question.principals),
        list(&question.addresses),
        time(question.from),
        time(question.until),
        list(&question.regions),
    )
}

fn costs(estimate: &Estimate, search: &LogSearch) -> String {
    let price = format!("at ${} for a terabyte", dollars(u64::from(estimate.cents_per_tb) * 10_000));
    let why = estimate.why.as_ref().map(|why| format!(" ({})", cut(&escape(why), 600))).unwrap_or_default();
    let verb = if search.run.is_some() { "Expected" } else { "It would read" };
    match estimate.bytes {
        Some(bytes) => {
            let cost = dollars(cost_micros(bytes, estimate.cents_per_tb));
            format!("*{verb}:* {} of logs, ${cost} {price}{why}", size(bytes))
        }
        None => format!("*{verb}:* not known before it runs{why}. Athena bills what it reads, {price}."),
    }
}

fn billed(bill: &Bill) -> String {
    format!("Athena read {}, which costs ${}", size(bill.bytes), dollars(bill.cost_micros))
}

fn small_print(incident: &Incident) -> String {
    let spent: u64 = incident
        .logs
        .iter()
        .filter_map(|search| match &search.end {
            Some(LogEnd::Done { bill, .. }) => Some(bill.cost_micros),
            Some(LogEnd::Failed { bill, .. } | LogEnd::Cancelled { bill, .. }) => Some(bill.as_ref()?.cost_micros),
            None => None,
        })
        .sum();
    let before = match incident.logs.len() {
        0 => String::new(),
        count => format!("{count} search(es) so far, ${} in all · ", dollars(spent)),
    };
    format!(
        "{before}Athena bills each megabyte of logs that it reads, ten at least for a query; the price differs between \
         Regions (`cents_per_tb` in irp.toml). Requests to S3 come on top. The search only reads."
    )
}

/// In dollars, rounded up to the hundredth of a cent.
fn dollars(micros: u64) -> String {
    let parts = micros.div_ceil(100);
    let (whole, rest) = (parts / 10_000, parts % 10_000);
    if rest % 100 == 0 { format!("{whole}.{:02}", rest / 100) } else { format!("{whole}.{rest:04}") }
}

/// As Athena counts it: in powers of ten.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_and_sizes_are_never_rounded_down_to_nothing() {
        for (micros, shown) in
            [(0, "0.00"), (1, "0.0001"), (50, "0.0001"), (5_000_000, "5.00"), (1_234_567, "1.2346"), (10_000, "0.01")]
        {
            assert_eq!(dollars(micros), shown);
        }
        for (bytes, shown) in [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (10_000_000, "10.0 MB")] {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(size(u64::MAX), "18446744.0 TB");
    }
}
