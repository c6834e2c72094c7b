//! A card that Slack finds too long, in short: what it is, what fits of it, and its buttons.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use super::blocks::{cut, section};
use super::plan_file::leads_to_file;
use super::step::undo_in;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Longest short form, as JSON: below all that Slack was measured to refuse.
const JSON_CHARS_MAX: usize = 9_000;
/// Room that is left for the words that say so.
const NOTE_CHARS_MAX: usize = 1_200;
/// Longest paragraph of it.
const PARAGRAPH_CHARS_MAX: usize = 1_000;
/// Longest repetition of what the card says in a line.
const STATE_CHARS_MAX: usize = 400;

/// Blocks by their places, as long as there is room.
struct Form {
    kept: BTreeMap<usize, Value>,
    room: usize,
}

impl Form {
    fn keep(&mut self, at: usize, block: Value) -> bool {
        let size = block.to_string().chars().count();
        let fits = size <= self.room;
        if fits {
            self.room -= size;
            self.kept.insert(at, block);
        }
        fits
    }
}

/// The headline, the buttons and the way to the plan's file come first, then calls and commands, then how it is undone, then
/// paragraphs. What can be read whole neither here nor in a file that it leads to cannot be approved here either.
pub fn short(message: &Message) -> Message {
    let mut form = Form { kept: BTreeMap::new(), room: JSON_CHARS_MAX - NOTE_CHARS_MAX };
    let of = |wanted: fn(&Value) -> bool| message.blocks.iter().enumerate().filter(move |(_, block)| wanted(block));
    for (at, block) in of(|block| block["type"] == "header" || block["type"] == "actions" || leads_to_file(block)) {
        form.keep(at, block.clone());
    }
    // Commands to run by hand stand last, and are needed most.
    let mut whole = true;
    for (at, block) in of(|block| block["type"] == "rich_text").rev() {
        whole &= form.keep(at, block.clone());
    }
    // How it is undone is read whole too.
    for (at, block) in of(says_undo) {
        whole &= form.keep(at, paragraph(block));
    }
    for (at, block) in of(|block| block["type"] == "section" && !leads_to_file(block) && !says_undo(block)) {
        form.keep(at, paragraph(block));
    }
    let mut unread = false;
    if !whole && !form.kept.values().any(leads_to_file) {
        for block in form.kept.values_mut().filter(|block| block["type"] == "actions") {
            unread |= take_yes_away(block);
        }
        form.kept.retain(|_, block| block["elements"].as_array().is_none_or(|elements| !elements.is_empty()));
    }
    let mut blocks: Vec<Value> = form.kept.into_values().collect();
    let before_buttons = blocks.iter().position(|block| block["type"] == "actions").unwrap_or(blocks.len());
    blocks.insert(before_buttons, note(message, whole, unread));
    Message { text: message.text.clone(), blocks }
}

fn note(message: &Message, whole: bool, unread: bool) -> Value {
    let rest = match (whole, unread) {
        (_, true) => {
            " *The plan itself does not fit, so it cannot be approved here.* Withdraw it, and ask for its parts one by one or do \
             them by hand."
        }
        (false, false) => " Not all of its calls are here.",
        (true, false) => "",
    };
    section(&format!(
        ":warning: *Too long for Slack: this is a part of the card.*{rest} `/irp status` says how it stands, and `irp export` \
         writes out all of it.\n{}",
        cut(&message.text, STATE_CHARS_MAX)
    ))
}

fn paragraph(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(text) = block.pointer_mut("/text/text")
        && let Some(words) = text.as_str()
    {
        let short = |words: &str| cut(words, PARAGRAPH_CHARS_MAX);
        let shortened = match undo_in(words) {
            Some(Range { start, end }) => {
                let before = short(words[..start].trim_end_matches('\n'));
                let gap = if before.is_empty() { "" } else { "\n" };
                format!("{before}{gap}{}{}", &words[start..end], short(&words[end..]))
            }
            None => short(words),
        };
        *text = json!(shortened);
    }
    block
}

fn says_undo(block: &Value) -> bool {
    let words = block.pointer("/text/text").and_then(Value::as_str).unwrap_or_default();
    block["type"] == "section" && !leads_to_file(block) && undo_in(words).is_some()
}

/// Whether there was one.
fn take_yes_away(row: &mut Value) -> bool {
    let Some(elements) = row["elements"].as_array_mut() else { return false };
    let before = elements.len();
    elements.retain(|element| element["action_id"] != name::APPROVE && element["action_id"] != name::BREAK_GLASS);
    elements.len() < before
}

#[cfg(test)]
mod tests {
    use super::super::blocks::{Look, actions, button, header, preformatted};
    use super::*;

    fn card(plan_chars: usize) -> Message {
        let plan = "x".repeat(plan_chars);
        let mut blocks = vec![header("Deactivate access key"), section(&"To whom. ".repeat(300)), preformatted(&plan)];
        blocks.extend(std::iter::repeat_n(section(&"What breaks. ".repeat(200)), 12));
        let buttons = [name::APPROVE, name::DENY].map(|id| button(id, id, "INC-1.1 0123456789ab", Look::Plain));
        blocks.push(actions("step", &buttons));
        Message { text: "INC-1 · Deactivate access key: waiting for approval".into(), blocks }
    }

    fn json(message: &Message) -> String {
        json!(message.blocks).to_string()
    }

    #[test]
    fn what_is_approved_is_read_whole_and_the_rest_as_far_as_it_fits() {
        let short = short(&card(5_500));
        let shown = json(&short);
        assert!(shown.chars().count() <= JSON_CHARS_MAX, "{}", shown.len());
        for part in ["Deactivate access key", "To whom.", &"x".repeat(5_500), "Too long for Slack", "`/irp status`"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.contains(name::APPROVE) && shown.contains(name::DENY));
        assert_eq!(short.blocks.last().unwrap()["type"], "actions", "the buttons are below what they decide on");
    }

    #[test]
    fn what_cannot_be_read_cannot_be_approved() {
        let shown = json(&short(&card(9_000)));
        assert!(!shown.contains("xxx") && shown.contains("cannot be approved here"), "{shown}");
        assert!(!shown.contains(name::APPROVE) && shown.contains(name::DENY));
    }

    /// Whom it is done to, at length, and how it is undone.
    fn undone_by(call: &str) -> Value {
        section(&format!("*To* {}\n*Undo:* {call}, approved like this one.\nBreaks much.", "`arn`, ".repeat(300)))
    }

    #[test]
    fn how_it_is_undone_is_never_cut() {
        let call = format!("ec2:AuthorizeSecurityGroupIngress {}", "y".repeat(560));
        let mut card = card(5_000);
        card.blocks.insert(1, undone_by(&call));
        let shown = json(&short(&card));
        assert!(shown.chars().count() <= JSON_CHARS_MAX, "{}", shown.len());
        assert!(shown.contains(&format!("*Undo:* {call}, approved like this one.")), "{shown}");
        assert!(shown.contains("(cut)\\n*Undo:*") && shown.contains("one.\\nBreaks much."), "{shown}");
        assert!(shown.contains(name::APPROVE));
    }

    #[test]
    fn where_not_all_that_undoes_it_can_be_read_it_cannot_be_approved() {
        for (undone, approved) in [(undone_by("iam:DeleteUserPolicy"), true), (undone_by(&"y".repeat(560)), false)] {
            let mut card = card(4_500);
            card.blocks.splice(1..1, std::iter::repeat_n(undone, 2));
            let shown = json(&short(&card));
            assert_eq!(shown.contains(name::APPROVE), approved, "{shown}");
            assert!(shown.contains(name::DENY));
        }
    }

    #[test]
    fn what_can_be_read_in_a_file_can_be_approved() {
        let mut card = card(9_000);
        card.blocks.insert(1, section("All of it is in a file: <https://example.com/f|the whole plan>"));
        let shown = json(&short(&card));
        assert!(shown.contains("|the whole plan>") && shown.contains("Not all of its calls are here"), "{shown}");
        assert!(!shown.contains("xxx") && !shown.contains("cannot be approved here"), "{shown}");
        assert!(shown.contains(name::APPROVE) && shown.contains(name::DENY));
    }
}
