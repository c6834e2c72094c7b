//! Block Kit, as far as the bot uses it, with Slack's limits kept by construction. Follows Slack's
//! “Block Kit” and “Formatting message text” references.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Longest text of a section.
const SECTION_CHARS_MAX: usize = 3_000;
/// Longest field of a section.
const FIELD_CHARS_MAX: usize = 2_000;
/// Longest header.
const HEADER_CHARS_MAX: usize = 150;
/// Longest text, in bytes, below what a message may be updated to: Slack's 4,000 are none of characters.
const TEXT_BYTES_MAX: usize = 3_800;
/// What stands where something was cut.
const CUT: &str = "… (cut)";

/// Escapes what Slack gives a meaning: this alone stops mentions and links from outside.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // No escape exists for these inside a word; look-alikes cannot start a style.
            '`' => out.push('ˋ'),
            '*' => out.push('∗'),
            '~' => out.push('∼'),
            c if c.is_control() && c != '\n' => {}
            c => out.push(c),
        }
    }
    out
}

/// Text from outside in code style: underscores and colons in it stay as they are.
pub fn code(text: &str) -> String {
    format!("`{}`", escape(text).replace('\n', " "))
}

/// A moment that Slack shows in the reader's own time zone.
pub fn time(at: DateTime<Utc>) -> String {
    let fallback = at.format("%Y-%m-%d %H:%M:%S UTC");
    format!("<!date^{}^{{date_short_pretty}} {{time_secs}}|{fallback}>", at.timestamp())
}

/// Cut to so many characters, never inside an entity, and visibly.
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    cut_off(text.chars().take(chars_max - CUT.chars().count()).collect())
}

/// The summary that notifications and screen readers use.
pub fn summary(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    cut_off(text[..text.floor_char_boundary(TEXT_BYTES_MAX - CUT.len())].to_owned())
}

/// The beginning of a longer text, without the entity that ends in what is left out.
fn cut_off(mut kept: String) -> String {
    if let Some(start) = kept.rfind(['&', '<'])
        && !kept[start..].contains([';', '>'])
    {
        kept.truncate(start);
    }
    kept + CUT
}

/// A headline. Plain text: nothing in it has a meaning.
pub fn header(text: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": cut(text, HEADER_CHARS_MAX), "emoji": true}})
}

/// A paragraph. Slack would fold a long one behind *Show more*: who decides must not have to open it.
pub fn section(mrkdwn: &str) -> Value {
    json!({"type": "section", "text": mrkdwn_object(mrkdwn, SECTION_CHARS_MAX), "expand": true})
}

/// Up to ten label-and-value pairs in two columns.
pub fn fields(pairs: &[(&str, String)]) -> Value {
    let fields: Vec<Value> = pairs
        .iter()
        .take(10)
        .map(|(label, value)| mrkdwn_object(&format!("*{label}*\n{value}"), FIELD_CHARS_MAX))
        .collect();
    json!({"type": "section", "fields": fields})
}

/// Small print.
pub fn context(mrkdwn: &str) -> Value {
    json!({"type": "context", "elements": [mrkdwn_object(mrkdwn, SECTION_CHARS_MAX)]})
}

fn mrkdwn_object(mrkdwn: &str, chars_max: usize) -> Value {
    json!({"type": "mrkdwn", "text": cut(mrkdwn, chars_max), "verbatim": true})
}

/// Text exactly as it is, never cut: what an approver must see whole.
pub fn preformatted(text: &str) -> Value {
    json!({"type": "rich_text", "elements": [
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    ]})
}

/// A row of buttons. `id` is unique in the message.
pub fn actions(id: &str, elements: &[Value]) -> Value {
    json!({"type": "actions", "block_id": id, "elements": elements})
}

/// How a button looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Look {
    /// Neutral.
    Plain,
    /// The thing to do.
    Primary,
    /// Ends or refuses something.
    Danger,
}

/// A button.
pub fn button(action_id: &str, label: &str, value: &str, look: Look) -> Value {
    let mut button = json!({
        "type": "button", "action_id": action_id, "value": value,
        "text": {"type": "plain_text", "text": label, "emoji": true},
    });
    match look {
        Look::Plain => {}
        Look::Primary => button["style"] = json!("primary"),
        Look::Danger => button["style"] = json!("danger"),
    }
    button
}

/// A button that asks once more.
pub fn confirmed(mut button: Value, title: &str, text: &str, yes: &str) -> Value {
    button["confirm"] = json!({
        "title": {"type": "plain_text", "text": cut(title, 100)},
        "text": {"type": "plain_text", "text": cut(text, 300)},
        "confirm": {"type": "plain_text", "text": cut(yes, 30)},
        "deny": {"type": "plain_text", "text": "Go back"},
    });
    button
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_from_outside_can_mention_or_link() {
        let text = escape("<!channel> <@U1> <https://evil|click> *b* `c`");
        assert!(!text.contains(['<', '>', '*', '`']), "{text}");
    }

    #[test]
    fn a_summary_is_cut_by_bytes() {
        for text in ["é".repeat(1_900), "日本".repeat(2_000), "&amp;".repeat(1_000), "x".repeat(3_801)] {
            let summary = summary(&text);
            assert!(summary.len() <= TEXT_BYTES_MAX && summary.chars().count() > 1_000, "{}", summary.len());
            assert_eq!(summary.ends_with(CUT), text.len() > TEXT_BYTES_MAX);
            assert!(!summary.trim_end_matches(CUT).ends_with(['&', 'p']), "no entity is split");
        }
    }

    proptest! {
        #[test]
        fn cutting_keeps_the_limit_and_never_splits_an_entity(text in any::<String>(), max in 20usize..80) {
            let cut = cut(&escape(&text), max);
            prop_assert!(cut.chars().count() <= max);
            for (at, _) in cut.match_indices('&') {
                prop_assert!(["&amp;", "&lt;", "&gt;"].iter().any(|e| cut[at..].starts_with(e)), "{}", cut);
            }
        }
    }
}
