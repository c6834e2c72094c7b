//! What Slack accepts as blocks and views: fields, lengths, counts, surfaces, unique ids.
//!
//! Follows the Block Kit reference. Errors are worded and addressed as Slack's are, for example
//! `[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]`. Block and element
//! types that this workspace does not carry are refused as unknown ones are.

mod blocks;
mod elements;
mod rich_text;
mod view;

use std::collections::BTreeSet;
use std::fmt::Display;

use serde_json::{Map, Value};

pub(crate) use view::check_view;

/// Where blocks are shown; not every block may stand everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    Message,
    Modal,
}

/// Characters that one message's blocks may have together, as Slack keeps them: each text with the JSON around it, and
/// [`BLOCK_CHARS`] for each block. Slack documents no number; this is the most that its users measured.
const MESSAGE_CHARS_MAX: usize = 13_200;
/// What a block takes beside its texts.
const BLOCK_CHARS: usize = 100;
/// Characters of `block_id`, `action_id`, `callback_id` and `external_id`.
const ID_MAX: usize = 255;

/// All that Slack would object to in these blocks; empty when it would take them. `at` is the JSON
/// pointer of the array.
pub(crate) fn check_blocks(blocks: &[Value], surface: Surface, at: &str) -> Vec<String> {
    let mut checker = Checker::new(surface);
    checker.blocks(blocks, at);
    checker.errors
}

/// Whether a message's blocks are more than Slack stores (`msg_blocks_too_long`).
pub(crate) fn too_long(blocks: &[Value]) -> bool {
    blocks.iter().map(|block| BLOCK_CHARS + text_chars(block)).sum::<usize>() > MESSAGE_CHARS_MAX
}

/// Of all text objects in it, as JSON.
fn text_chars(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(text_chars).sum(),
        Value::Object(map) if map.get("text").is_some_and(Value::is_string) => value.to_string().chars().count(),
        Value::Object(map) => map.values().map(text_chars).sum(),
        _ => 0,
    }
}

/// Gives each block and each interactive element the id that Slack makes up where the app left it
/// out.
pub(crate) fn fill_ids(blocks: &mut [Value]) {
    for block in blocks {
        let Some(map) = block.as_object_mut() else { continue };
        map.entry("block_id").or_insert_with(made_up_id);
        let elements: Vec<&mut Value> = match map.get("type").and_then(Value::as_str) {
            Some("actions") => match map.get_mut("elements") {
                Some(Value::Array(elements)) => elements.iter_mut().collect(),
                _ => Vec::new(),
            },
            Some("section") => map.get_mut("accessory").into_iter().collect(),
            Some("input") => map.get_mut("element").into_iter().collect(),
            _ => Vec::new(),
        };
        for element in elements {
            if element["type"] != "image"
                && let Some(element) = element.as_object_mut()
            {
                element.entry("action_id").or_insert_with(made_up_id);
            }
        }
    }
}

fn made_up_id() -> Value {
    Value::String(hex::encode(rand::random::<[u8; 3]>()))
}

/// Collects the objections to one message or view.
struct Checker {
    surface: Surface,
    errors: Vec<String>,
    block_ids: BTreeSet<String>,
    tables: usize,
    focused: usize,
    markdown_chars: usize,
}

impl Checker {
    fn new(surface: Surface) -> Self {
        Self { surface, errors: Vec::new(), block_ids: BTreeSet::new(), tables: 0, focused: 0, markdown_chars: 0 }
    }

    fn fail(&mut self, at: &str, message: impl Display) {
        self.errors.push(format!("[ERROR] {message} [json-pointer:{at}]"));
    }

    /// The object at `at`, after a look at which keys it has.
    fn object<'v>(
        &mut self,
        value: &'v Value,
        at: &str,
        required: &[&str],
        optional: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(map) = value.as_object() else {
            self.fail(at, "must provide an object");
            return None;
        };
        for key in required {
            if !map.contains_key(*key) {
                self.fail(at, format_args!("missing required field: {key}"));
            }
        }
        for key in map.keys() {
            if !required.contains(&key.as_str()) && !optional.contains(&key.as_str()) {
                self.fail(at, format_args!("invalid additional property: {key}"));
            }
        }
        Some(map)
    }

    fn chars(&mut self, text: &str, at: &str, min: usize, max: usize) {
        let chars = text.chars().count();
        if chars < min {
            self.fail(at, format_args!("must be more than {} characters", min - 1));
        } else if chars > max {
            self.fail(at, format_args!("must be less than {} characters", max + 1));
        }
    }

    /// The string under `key`, if there is one; 1 to `max` characters.
    fn string<'v>(&mut self, map: &'v Map<String, Value>, key: &str, at: &str, max: usize) -> Option<&'v str> {
        let at = format!("{at}/{key}");
        if let Value::String(text) = map.get(key)? {
            self.chars(text, &at, 1, max);
            return Some(text);
        }
        self.fail(&at, "must be a string");
        None
    }

    fn one_of(&mut self, map: &Map<String, Value>, key: &str, at: &str, allowed: &[&str]) {
        if let Some(text) = self.string(map, key, at, usize::MAX)
            && !allowed.contains(&text)
        {
            self.fail(&format!("{at}/{key}"), format_args!("must be one of: {}", allowed.join(", ")));
        }
    }

    fn boolean(&mut self, map: &Map<String, Value>, key: &str, at: &str) -> bool {
        match map.get(key) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.fail(&format!("{at}/{key}"), "must be a boolean");
                false
            }
        }
    }

    fn whole_number(&mut self, map: &Map<String, Value>, key: &str, at: &str, min: u64, max: u64) -> Option<u64> {
        let value = map.get(key)?;
        let number = value.as_u64().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let at = format!("{at}/{key}");
            self.fail(&at, format_args!("must be a whole number from {min} to {max}"));
        }
        number
    }

    /// The array under `key`, empty if there is none; `min` to `max` items if there is one.
    fn array<'v>(&mut self, map: &'v Map<String, Value>, key: &str, at: &str, min: usize, max: usize) -> &'v [Value] {
        match map.get(key) {
            None => &[],
            Some(Value::Array(items)) => {
                self.count(items.len(), &format!("{at}/{key}"), min, max);
                items
            }
            Some(_) => {
                self.fail(&format!("{at}/{key}"), "must be an array");
                &[]
            }
        }
    }

    fn count(&mut self, count: usize, at: &str, min: usize, max: usize) {
        if count < min {
            self.fail(at, format_args!("no less than {min} items required"));
        } else if count > max {
            self.fail(at, format_args!("no more than {max} items allowed"));
        }
    }

    /// The text object under `key`, if there is one.
    fn text(&mut self, map: &Map<String, Value>, key: &str, at: &str, rule: Text) {
        if let Some(value) = map.get(key) {
            self.text_object(value, &format!("{at}/{key}"), rule);
        }
    }

    fn text_object(&mut self, value: &Value, at: &str, rule: Text) {
        let optional: &[&str] = match value.get("type").and_then(Value::as_str) {
            Some("plain_text") => &["emoji"],
            Some("mrkdwn") if rule.mrkdwn => &["verbatim"],
            Some("mrkdwn") => {
                self.fail(&format!("{at}/type"), "must be plain_text");
                return;
            }
            _ => {
                self.fail(&format!("{at}/type"), "must be plain_text or mrkdwn");
                return;
            }
        };
        let Some(map) = self.object(value, at, &["type", "text"], optional) else { return };
        self.string(map, "text", at, rule.max);
        for flag in optional {
            self.boolean(map, flag, at);
        }
    }
}

/// What a text object may be in one place.
#[derive(Clone, Copy)]
struct Text {
    mrkdwn: bool,
    max: usize,
}

/// `plain_text` only, up to `max` characters.
const fn plain(max: usize) -> Text {
    Text { mrkdwn: false, max }
}

/// `plain_text` or `mrkdwn`, up to `max` characters.
const fn any(max: usize) -> Text {
    Text { mrkdwn: true, max }
}

#[cfg(test)]
mod tests;
