//! Whom a new message notifies: in a channel, those of its members whom it mentions, by name or by a user group. Follows
//! Slack's “Formatting message text” reference. An edit notifies nobody.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Workspace;
use super::people::BOT_USER;
use super::state::{Channel, State};

/// Whose notifications a message of the app's is in. What is drawn counts where there is anything drawn.
pub(super) fn notified(state: &State, channel: &Channel, text: &str, blocks: &[Value]) -> BTreeSet<String> {
    if let Some(with) = &channel.with {
        return [with.clone()].into();
    }
    let mut drawn = Vec::new();
    for block in blocks {
        collect(block, &mut drawn);
    }
    if blocks.is_empty() {
        drawn.push(text);
    }
    let mut people = BTreeSet::new();
    for (inside, _) in drawn.iter().flat_map(|text| text.split('<').skip(1)).filter_map(|rest| rest.split_once('>')) {
        let target = inside.split('|').next().unwrap_or_default();
        if let Some(user) = target.strip_prefix('@') {
            people.insert(user.to_owned());
        } else if let Some(group) = target.strip_prefix("!subteam^") {
            people.extend(state.groups.get(group).into_iter().flatten().cloned());
        }
    }
    people.retain(|user| user != BOT_USER && channel.members.contains(user));
    people
}

/// Every text in which a mention is one.
fn collect<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) if object.get("type").is_some_and(|kind| kind == "mrkdwn") => {
            into.extend(object.get("text").and_then(Value::as_str));
        }
        Value::Object(object) => {
            for inner in object.values() {
                collect(inner, into);
            }
        }
        Value::Array(list) => {
            for inner in list {
                collect(inner, into);
            }
        }
        _ => {}
    }
}

impl Workspace {
    /// What a person has been notified of so far, as the notification says it, oldest first.
    #[must_use]
    pub fn notifications(&self, person: &str) -> Vec<String> {
        self.lock().notifications.get(person).cloned().unwrap_or_default()
    }
}
