//! Slack's deliveries, over HTTP or Socket Mode, to one form. Lenient: unknown kinds, missing and null
//! members (org-wide installs have a null team) are no error, because an error would make Slack retry
//! or show the person a failure. Follows Slack's “Handling user interaction” and “Slash commands”.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::bounded;
use super::pressed::Pressed;
use super::slash::{self, Slash};
use super::submission::{self, FieldErrors, Submission};
use crate::domain::id::{IncidentId, RequestId, StepId, UserId};
use crate::domain::incident::command::Attempt;
use crate::domain::incident::together::named;
use crate::domain::policy::ActionClass;
use crate::ports::ReplyTo;

/// Button names: Slack's `action_id`.
pub mod button {
    /// Stake one's name on a step.
    pub const REQUEST: &str = "irp.request";
    /// Ask for a step to be undone.
    pub const UNDO: &str = "irp.undo";
    /// Stake one's name on all containment that is left, or on all removal.
    pub const REQUEST_ALL: &str = "irp.request_all";
    /// Let it run alone.
    pub const BREAK_GLASS: &str = "irp.break_glass";
    /// Say that it was right to let it run alone.
    pub const RATIFY: &str = "irp.ratify";
    /// Say that it was not.
    pub const CONTEST: &str = "irp.contest";
    /// Say yes.
    pub const APPROVE: &str = "irp.approve";
    /// Say no.
    pub const DENY: &str = "irp.deny";
    /// Take one's request back.
    pub const WITHDRAW: &str = "irp.withdraw";
    /// End somebody else's request.
    pub const CANCEL: &str = "irp.cancel";
    /// Take one's yes back.
    pub const RETRACT: &str = "irp.retract";
    /// Say that something in one's name was not one's own.
    pub const NOT_ME: &str = "irp.not_me";
    /// Agree to lift a freeze.
    pub const UNFREEZE: &str = "irp.unfreeze";
    /// Accept the risk of a containment that is not proven.
    pub const ACCEPT_RISK: &str = "irp.accept_risk";
    /// Say that one has done by hand what the bot may not.
    pub const SAY_DONE: &str = "irp.say_done";
    /// Confirm that somebody else has.
    pub const CONFIRM_DONE: &str = "irp.confirm_done";
    /// Take that back.
    pub const TAKE_BACK_DONE: &str = "irp.take_back_done";
    /// Say that one has looked at what no event explains.
    pub const LOOK_AT: &str = "irp.look_at";
    /// Name somebody whom the incident is about.
    pub const NAME_SUBJECT: &str = "irp.name_subject";
    /// Say who it was that made a call.
    pub const OVERRULE: &str = "irp.overrule";
    /// Find out again whose credential it is.
    pub const LOOK_AGAIN: &str = "irp.look_again";
    /// Set the likely time of compromise.
    pub const COMPROMISE_TIME: &str = "irp.compromise_time";
    /// Have it worked out what a search of the logs would read.
    pub const LOGS_ASK: &str = "irp.logs_ask";
    /// Have the logs searched.
    pub const LOGS_RUN: &str = "irp.logs_run";
    /// End a search of the logs.
    pub const LOGS_CANCEL: &str = "irp.logs_cancel";
    /// Lead.
    pub const LEAD: &str = "irp.lead";
    /// Close.
    pub const CLOSE: &str = "irp.close";
}

/// A click on one of the bot's buttons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "click", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the variants are the buttons above")]
pub enum Click {
    Request { incident: IncidentId, step: StepId },
    Undo { incident: IncidentId, step: StepId },
    RequestAll { incident: IncidentId, class: Option<ActionClass> },
    BreakGlass { request: RequestId, digest: String },
    Ratify { request: RequestId },
    Contest { request: RequestId },
    Approve { request: RequestId, digest: String },
    Deny { request: RequestId, digest: String },
    Withdraw { request: RequestId },
    Cancel { request: RequestId },
    Retract { request: RequestId },
    NotMe { request: RequestId },
    Unfreeze { incident: IncidentId, shown: Option<u64> },
    AcceptRisk { incident: IncidentId, shown: i64 },
    SayDone { incident: IncidentId, step: StepId },
    ConfirmDone { incident: IncidentId, step: StepId, shown: String },
    TakeBackDone { incident: IncidentId, step: StepId, shown: String },
    LookAt { incident: IncidentId, shown: String },
    NameSubject { incident: IncidentId },
    Overrule { incident: IncidentId },
    LookAgain { incident: IncidentId },
    CompromiseTime { incident: IncidentId },
    LogsAsk { incident: IncidentId },
    LogsRun { incident: IncidentId, number: u32 },
    LogsCancel { incident: IncidentId, number: u32 },
    Lead { incident: IncidentId },
    Close { incident: IncidentId },
}

impl Click {
    /// The incident that it is about.
    pub const fn incident(&self) -> IncidentId {
        match self {
            Self::Request { incident, .. }
            | Self::Undo { incident, .. }
            | Self::RequestAll { incident, .. }
            | Self::Unfreeze { incident, .. }
            | Self::AcceptRisk { incident, .. }
            | Self::SayDone { incident, .. }
            | Self::ConfirmDone { incident, .. }
            | Self::TakeBackDone { incident, .. }
            | Self::LookAt { incident, .. }
            | Self::NameSubject { incident }
            | Self::Overrule { incident }
            | Self::LookAgain { incident }
            | Self::CompromiseTime { incident }
            | Self::LogsAsk { incident }
            | Self::LogsRun { incident, .. }
            | Self::LogsCancel { incident, .. }
            | Self::Lead { incident }
            | Self::Close { incident } => *incident,
            Self::Approve { request, .. }
            | Self::BreakGlass { request, .. }
            | Self::Ratify { request }
            | Self::Contest { request }
            | Self::Deny { request, .. }
            | Self::Withdraw { request }
            | Self::Cancel { request }
            | Self::Retract { request }
            | Self::NotMe { request } => request.incident(),
        }
    }

    /// What somebody tries with it.
    pub fn attempt(&self) -> Attempt<'_> {
        let (name, request, digest) = match self {
            Self::Request { .. } | Self::RequestAll { .. } => ("request", None, None),
            Self::Undo { .. } => ("ask to undo", None, None),
            Self::Approve { request, digest } => ("approve", Some(*request), Some(digest.as_str())),
            Self::BreakGlass { request, digest } => ("break the glass", Some(*request), Some(digest.as_str())),
            Self::Deny { request, digest } => ("deny", Some(*request), Some(digest.as_str())),
            Self::Ratify { request } => ("ratify", Some(*request), None),
            Self::Contest { request } => ("contest", Some(*request), None),
            Self::Withdraw { request } => ("withdraw", Some(*request), None),
            Self::Cancel { request } => ("cancel", Some(*request), None),
            Self::Retract { request } => ("retract", Some(*request), None),
            Self::NotMe { request } => ("say that it was not them", Some(*request), None),
            Self::Unfreeze { .. } => ("lift the freeze", None, None),
            Self::AcceptRisk { .. } => ("accept the risk", None, None),
            Self::SayDone { .. } => ("say that it is done by hand", None, None),
            Self::ConfirmDone { .. } => ("confirm what was done by hand", None, None),
            Self::TakeBackDone { .. } => ("take back that it was done by hand", None, None),
            Self::LookAt { .. } => ("look at what no event explains", None, None),
            Self::NameSubject { .. } => ("name somebody", None, None),
            Self::Overrule { .. } => ("say who it was", None, None),
            Self::LookAgain { .. } => ("look again", None, None),
            Self::CompromiseTime { .. } => ("set the compromise time", None, None),
            Self::LogsAsk { .. } => ("ask for a search of the logs", None, None),
            Self::LogsRun { .. } => ("search the logs", None, None),
            Self::LogsCancel { .. } => ("end a search of the logs", None, None),
            Self::Lead { .. } => ("take the lead", None, None),
            Self::Close { .. } => ("close", None, None),
        };
        Attempt { name, request, digest }
    }

    fn parse(action_id: &str, value: &str) -> Option<Self> {
        let (first, second) = value.split_once(' ').unwrap_or((value, ""));
        Some(match action_id {
            button::REQUEST => Self::Request { incident: first.parse().ok()?, step: second.parse().ok()? },
            button::UNDO => Self::Undo { incident: first.parse().ok()?, step: second.parse().ok()? },
            button::REQUEST_ALL => Self::RequestAll { incident: first.parse().ok()?, class: named(second) },
            button::BREAK_GLASS => Self::BreakGlass { request: first.parse().ok()?, digest: second.to_owned() },
            button::RATIFY => Self::Ratify { request: first.parse().ok()? },
            button::CONTEST => Self::Contest { request: first.parse().ok()? },
            button::APPROVE => Self::Approve { request: first.parse().ok()?, digest: second.to_owned() },
            button::DENY => Self::Deny { request: first.parse().ok()?, digest: second.to_owned() },
            button::WITHDRAW => Self::Withdraw { request: first.parse().ok()? },
            button::CANCEL => Self::Cancel { request: first.parse().ok()? },
            button::RETRACT => Self::Retract { request: first.parse().ok()? },
            button::NOT_ME => Self::NotMe { request: first.parse().ok()? },
            button::UNFREEZE => Self::Unfreeze { incident: first.parse().ok()?, shown: second.parse().ok() },
            button::ACCEPT_RISK => Self::AcceptRisk { incident: first.parse().ok()?, shown: second.parse().ok()? },
            button::SAY_DONE => Self::SayDone { incident: first.parse().ok()?, step: second.parse().ok()? },
            button::CONFIRM_DONE | button::TAKE_BACK_DONE => {
                let (step, shown) = second.split_once(' ')?;
                let (incident, step, shown) = (first.parse().ok()?, step.parse().ok()?, shown.to_owned());
                if action_id == button::CONFIRM_DONE {
                    Self::ConfirmDone { incident, step, shown }
                } else {
                    Self::TakeBackDone { incident, step, shown }
                }
            }
            button::LOOK_AT => Self::LookAt { incident: first.parse().ok()?, shown: second.to_owned() },
            button::NAME_SUBJECT => Self::NameSubject { incident: first.parse().ok()? },
            button::OVERRULE => Self::Overrule { incident: first.parse().ok()? },
            button::LOOK_AGAIN => Self::LookAgain { incident: first.parse().ok()? },
            button::COMPROMISE_TIME => Self::CompromiseTime { incident: first.parse().ok()? },
            button::LOGS_ASK => Self::LogsAsk { incident: first.parse().ok()? },
            button::LOGS_RUN => Self::LogsRun { incident: first.parse().ok()?, number: second.parse().ok()? },
            button::LOGS_CANCEL => Self::LogsCancel { incident: first.parse().ok()?, number: second.parse().ok()? },
            button::LEAD => Self::Lead { incident: first.parse().ok()? },
            button::CLOSE => Self::Close { incident: first.parse().ok()? },
            _ => return None,
        })
    }
}

/// What somebody did in Slack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Act {
    /// Typed a command.
    Command(Slash),
    /// Clicked a button.
    Click(Click),
    /// Clicked something that this version does not know: a card of an older one, or not ours.
    UnknownClick {
        /// What its value names, if that much can be read.
        #[serde(default)]
        incident: Option<IncidentId>,
    },
    /// Sent a form.
    Submit(Submission),
    /// Mentioned the bot.
    Mention,
    /// A click or a form came again. It has been taken already, and counts once.
    Repeated {
        /// Which.
        of: Box<Act>,
    },
}

/// One accepted delivery, as it is kept until it has been worked off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// Who and where to answer.
    pub reply: ReplyTo,
    /// Opens a modal; good for three seconds.
    pub trigger_id: Option<String>,
    /// What they did.
    pub act: Act,
    /// Where they pressed it.
    #[serde(default, skip_serializing_if = "Pressed::says_nothing")]
    pub pressed: Pressed,
    /// When it was received, in milliseconds since 1970 by the receiver's clock: an act that could not
    /// be handled for long is told so instead of being carried out late.
    #[serde(default)]
    pub received_at_ms: i64,
}

impl Inbound {
    /// What is made of the same delivery when it comes again: Slack does not send what people press a second time by
    /// itself, so this is a lost acknowledgement in between, or somebody who has recorded it.
    pub fn repeated(self) -> Option<Self> {
        match &self.act {
            Act::Click(_) | Act::Submit(_) => Some(Self { act: Act::Repeated { of: Box::new(self.act) }, ..self }),
            _ => None,
        }
    }
}

/// What a delivery asks for.
#[derive(Debug, PartialEq)]
pub enum Received {
    /// Keep this and answer with nothing. The key is the same for a repeated delivery.
    Keep {
        /// Names the delivery.
        dedup_key: String,
        /// What to keep.
        inbound: Box<Inbound>,
    },
    /// Answer with these field errors; the form stays open.
    FormErrors(FieldErrors),
    /// Answer with this text: Slack checks that the address is ours.
    Challenge(String),
    /// Answer with nothing. The text says what it was.
    Ignore(&'static str),
}

/// A delivery that is not of Slack's form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Error)]
#[error("not a Slack delivery")]
pub struct Malformed;

/// A slash command's form fields.
pub fn command(body: &[u8]) -> Result<Received, Malformed> {
    let fields: BTreeMap<String, String> = serde_urlencoded::from_bytes(body).map_err(|_| Malformed)?;
    let value = fields.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
    command_payload(&Value::Object(value))
}

/// The same from Socket Mode, where the fields are a JSON object.
pub fn command_payload(fields: &Value) -> Result<Received, Malformed> {
    if text(fields, "/ssl_check") == Some("1") {
        return Ok(Received::Ignore("ssl_check"));
    }
    let user = user(fields, "/user_id").ok_or(Malformed)?;
    let trigger_id = text(fields, "/trigger_id").map(str::to_owned);
    let dedup_key = format!("command:{}", trigger_id.as_deref().ok_or(Malformed)?);
    let reply = ReplyTo {
        user,
        response_url: text(fields, "/response_url").map(str::to_owned),
        channel: text(fields, "/channel_id").and_then(|c| c.parse().ok()),
        thread_ts: None,
    };
    let act = Act::Command(slash::parse(text(fields, "/text").unwrap_or_default()));
    let inbound = Inbound { reply, trigger_id, act, pressed: Pressed::default(), received_at_ms: 0 };
    Ok(Received::Keep { dedup_key, inbound: Box::new(inbound) })
}

/// An interaction's form: one field, `payload`, that is JSON.
pub fn interaction(body: &[u8]) -> Result<Received, Malformed> {
    let fields: BTreeMap<String, String> = serde_urlencoded::from_bytes(body).map_err(|_| Malformed)?;
    if fields.get("ssl_check").is_some_and(|v| v == "1") {
        return Ok(Received::Ignore("ssl_check"));
    }
    let payload = fields.get("payload").ok_or(Malformed)?;
    interaction_payload(&serde_json::from_str(payload).map_err(|_| Malformed)?)
}

/// The payload itself, as Socket Mode delivers it.
pub fn interaction_payload(payload: &Value) -> Result<Received, Malformed> {
    match text(payload, "/type").ok_or(Malformed)? {
        "block_actions" => block_actions(payload),
        "view_submission" => view_submission(payload),
        _ => Ok(Received::Ignore("an interaction of a kind that is not used")),
    }
}

fn block_actions(payload: &Value) -> Result<Received, Malformed> {
    let user = user(payload, "/user/id").ok_or(Malformed)?;
    let action = payload.pointer("/actions/0").ok_or(Malformed)?;
    let action_id = text(action, "/action_id").unwrap_or_default();
    if !action_id.starts_with("irp.") {
        return Ok(Received::Ignore("a click that needs no answer"));
    }
    let value = text(action, "/value").unwrap_or_default();
    let act = match Click::parse(action_id, value) {
        Some(click) => Act::Click(click),
        None => Act::UnknownClick { incident: incident_named(value) },
    };
    let trigger_id = text(payload, "/trigger_id").map(str::to_owned);
    let dedup_key = format!(
        "click:{}:{}",
        trigger_id.as_deref().unwrap_or(user.as_str()),
        text(action, "/action_ts").unwrap_or_default()
    );
    let reply = ReplyTo {
        user,
        response_url: text(payload, "/response_url").map(str::to_owned),
        channel: text(payload, "/channel/id")
            .or_else(|| text(payload, "/container/channel_id"))
            .and_then(|c| c.parse().ok()),
        // The first message of a thread carries its own name: whoever pressed there looks at the channel.
        thread_ts: text(payload, "/message/thread_ts")
            .filter(|thread| text(payload, "/message/ts") != Some(*thread))
            .map(bounded),
    };
    let inbound = Inbound { reply, trigger_id, act, pressed: Pressed::on_message(payload), received_at_ms: 0 };
    Ok(Received::Keep { dedup_key, inbound: Box::new(inbound) })
}

/// The incident that a button's value names: all of them begin with it or with a request of it.
fn incident_named(value: &str) -> Option<IncidentId> {
    let first = value.split(' ').next()?;
    first.parse().ok().or_else(|| first.parse().ok().map(RequestId::incident))
}

fn view_submission(payload: &Value) -> Result<Received, Malformed> {
    let user = user(payload, "/user/id").ok_or(Malformed)?;
    let view = payload.pointer("/view").ok_or(Malformed)?;
    let mut values = BTreeMap::new();
    for (block, actions) in view.pointer("/state/values").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = actions.as_object().and_then(|a| a.values().next()).and_then(field_value) {
            values.insert(block.clone(), value);
        }
    }
    let form = text(view, "/callback_id").unwrap_or_default();
    match submission::parse(form, text(view, "/private_metadata").unwrap_or_default(), &values) {
        None => Ok(Received::Ignore("a form that is not ours")),
        Some(Err(errors)) => Ok(Received::FormErrors(errors)),
        Some(Ok(submission)) => {
            let id = text(view, "/id").ok_or(Malformed)?;
            let dedup_key = format!("form:{id}:{}", text(view, "/hash").unwrap_or_default());
            let reply = ReplyTo { user, response_url: None, channel: None, thread_ts: None };
            let (act, pressed) = (Act::Submit(submission), Pressed::in_form(payload));
            let inbound = Inbound { reply, trigger_id: None, act, pressed, received_at_ms: 0 };
            Ok(Received::Keep { dedup_key, inbound: Box::new(inbound) })
        }
    }
}

fn field_value(field: &Value) -> Option<String> {
    text(field, "/value")
        .or_else(|| text(field, "/selected_option/value"))
        .or_else(|| text(field, "/selected_user"))
        .map(str::to_owned)
        .or_else(|| field.pointer("/selected_date_time")?.as_i64().map(|n| n.to_string()))
}

/// An event's JSON.
pub fn event(body: &[u8]) -> Result<Received, Malformed> {
    event_payload(&serde_json::from_slice(body).map_err(|_| Malformed)?)
}

/// The same, as Socket Mode delivers it.
pub fn event_payload(payload: &Value) -> Result<Received, Malformed> {
    if text(payload, "/type") == Some("url_verification") {
        return Ok(Received::Challenge(bounded(text(payload, "/challenge").unwrap_or_default())));
    }
    if text(payload, "/type") != Some("event_callback") || text(payload, "/event/type") != Some("app_mention") {
        return Ok(Received::Ignore("an event of a kind that is not used"));
    }
    let Some(user) = user(payload, "/event/user") else { return Ok(Received::Ignore("a mention by nobody")) };
    let dedup_key = format!("event:{}", text(payload, "/event_id").ok_or(Malformed)?);
    let reply = ReplyTo {
        user,
        response_url: None,
        channel: text(payload, "/event/channel").and_then(|c| c.parse().ok()),
        thread_ts: text(payload, "/event/thread_ts").map(bounded),
    };
    let pressed = Pressed::default();
    let inbound = Inbound { reply, trigger_id: None, act: Act::Mention, pressed, received_at_ms: 0 };
    Ok(Received::Keep { dedup_key, inbound: Box::new(inbound) })
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn user(value: &Value, pointer: &str) -> Option<UserId> {
    text(value, pointer).and_then(|id| id.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_click_of_an_org_wide_install_is_taken() {
        let payload = json!({
            "type": "block_actions", "team": null, "enterprise": {"id": "E1"}, "is_enterprise_install": true,
            "user": {"id": "W0123ABCD"}, "trigger_id": "1.2.3", "response_url": "https://hooks.example/1",
            "channel": {"id": "C0WAR"}, "message": {"ts": "1.1", "thread_ts": "1.0"},
            "actions": [{"action_id": button::APPROVE, "value": "INC-4.2 0123456789ab", "action_ts": "9.9"}],
        });
        let Ok(Received::Keep { dedup_key, inbound }) = interaction_payload(&payload) else { panic!() };
        assert_eq!(dedup_key, "click:1.2.3:9.9");
        assert_eq!(
            inbound.act,
            Act::Click(Click::Approve { request: "INC-4.2".parse().unwrap(), digest: "0123456789ab".into() })
        );
        assert_eq!(inbound.reply.thread_ts.as_deref(), Some("1.0"));
    }

    #[test]
    fn a_click_on_the_first_message_of_a_thread_is_answered_in_the_channel() {
        let payload = json!({
            "type": "block_actions", "user": {"id": "U1"}, "channel": {"id": "C0WAR"},
            "message": {"ts": "1.0", "thread_ts": "1.0"}, "actions": [{"action_id": button::LEAD, "value": "INC-4"}],
        });
        let Ok(Received::Keep { inbound, .. }) = interaction_payload(&payload) else { panic!() };
        assert_eq!(inbound.reply.thread_ts, None);
    }

    #[test]
    fn a_button_of_another_version_still_gets_an_answer() {
        let payload =
            json!({"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "irp.fly", "value": "x"}]});
        let Ok(Received::Keep { inbound, .. }) = interaction_payload(&payload) else { panic!() };
        assert_eq!(inbound.act, Act::UnknownClick { incident: None });
        for value in ["INC-4 step", "INC-4.2 0123456789ab", "INC-4.2"] {
            assert_eq!(incident_named(value), Some(IncidentId::new(4)), "{value}");
        }
        let all = |value| Click::parse(button::REQUEST_ALL, value);
        let of = |class| Some(Click::RequestAll { incident: IncidentId::new(4), class });
        assert_eq!([all("INC-4"), all("INC-4 fly")], [of(None), of(None)]);
        assert_eq!(all("INC-4 remove"), of(Some(ActionClass::Eradicate)));
    }

    #[test]
    fn a_secret_in_a_command_is_not_kept() {
        let body = "user_id=U1&trigger_id=1.1&text=open+wJalrXUtnFEMI%2FK7MDENG%2FbPxRfiCYEXAMPLEKEY";
        let Ok(Received::Keep { inbound, .. }) = command(body.as_bytes()) else { panic!() };
        assert!(!serde_json::to_string(&inbound).unwrap().contains("wJalr"));
        assert_eq!(inbound.act, Act::Command(Slash::SecretTyped { key: None }));
    }

    #[test]
    fn strange_deliveries_are_ignored_or_refused_but_never_fatal() {
        assert_eq!(command(b"ssl_check=1&token=x"), Ok(Received::Ignore("ssl_check")));
        assert!(matches!(interaction_payload(&json!({"type": "workflow_step_edit"})), Ok(Received::Ignore(_))));
        assert!(matches!(event(br#"{"type":"event_callback","event":{"type":"new_thing"}}"#), Ok(Received::Ignore(_))));
        assert_eq!(event(br#"{"type":"url_verification","challenge":"abc"}"#), Ok(Received::Challenge("abc".into())));
        for body in [&b""[..], b"payload=", b"payload=%7B", b"\xff\xfe", b"text=hello"] {
            assert_eq!(interaction(body), Err(Malformed));
            assert_eq!(command(body), Err(Malformed));
        }
    }
}
