//! Where in Slack something was pressed: on which message, and in which workspace.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bounded;

/// See the module. An earlier version has kept nothing of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Pressed {
    /// Slack's name for the message, empty where it gave none. Absent where it is on no message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The organisation that the workspace is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise: Option<String>,
}

impl Pressed {
    /// A button on a message. A message that only one person sees comes without its text, but not without its name.
    pub(super) fn on_message(payload: &Value) -> Self {
        let named = text(payload, "/container/message_ts").or_else(|| text(payload, "/message/ts"));
        Self { message: Some(named.unwrap_or_default()), ..Self::in_form(payload) }
    }

    /// A form, which is on no message.
    pub(super) fn in_form(payload: &Value) -> Self {
        Self { message: None, team: text(payload, "/team/id"), enterprise: text(payload, "/enterprise/id") }
    }

    /// Whether nothing is known of it.
    pub fn says_nothing(&self) -> bool {
        *self == Self::default()
    }
}

fn text(payload: &Value, pointer: &str) -> Option<String> {
    payload.pointer(pointer).and_then(Value::as_str).map(bounded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_message_is_the_one_that_the_button_is_on() {
        let of = |payload: Value| Pressed::on_message(&payload).message.unwrap();
        assert_eq!(of(json!({"container": {"message_ts": "1.1", "is_ephemeral": true}})), "1.1");
        assert_eq!(of(json!({"message": {"ts": "1.2", "thread_ts": "1.0"}})), "1.2");
        assert_eq!(of(json!({"container": {"type": "view", "view_id": "V1"}})), "", "named by nothing");
    }

    #[test]
    fn what_an_earlier_version_has_kept_says_nothing_and_stays_as_it_was() {
        assert_eq!(serde_json::from_str::<Pressed>("{}").unwrap(), Pressed::default());
        assert!(Pressed::default().says_nothing() && !Pressed::on_message(&json!({})).says_nothing());
        let form = Pressed::in_form(&json!({"team": {"id": "T1"}, "enterprise": null}));
        assert_eq!(form, Pressed { team: Some("T1".into()), ..Pressed::default() });
    }
}
