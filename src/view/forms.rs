//! The modals.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::blocks::{cut, escape, section};
use crate::domain::approval::{Request, RequestState};
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::incident::event::Outcome;
use crate::domain::incident::quiet::{lacking, secrets_left};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Step, contained, missing};
use crate::domain::incident::together::members;
use crate::domain::playbook::Playbook;
use crate::domain::trail::attribution::Who;
use crate::intake::submission::{field, form};

/// Slack takes times of ten digits: from September 2001 on.
const TEN_DIGITS: i64 = 1_000_000_000;

/// Opens an incident.
pub fn open() -> Value {
    modal(
        form::OPEN,
        "Open an incident",
        "Open",
        "",
        &[
            input(
                field::CREDENTIAL,
                "Credential or principal",
                false,
                &text_input("AKIA…, ASIA…, user/NAME, role/NAME or an ARN", false, 300),
            )
            .hinted("The access key id, never the secret key."),
            input(field::ACCOUNT, "AWS account", true, &text_input("12 digits; a key brings its own", false, 20)),
            input(
                field::SOURCE,
                "Where it was seen",
                true,
                &text_input("GuardDuty, a researcher, a bill, …", false, 150),
            ),
            input(
                field::SEVERITY,
                "Severity",
                false,
                &json!({
                    "type": "static_select", "action_id": field::SEVERITY,
                    "placeholder": plain("Severity"),
                    "options": [option("Critical", "critical"), option("High", "high"), option("Medium", "medium"), option("Low", "low")],
                    "initial_option": option("High", "high"),
                }),
            ),
            input(
                field::SINCE,
                "Since when it is stolen",
                true,
                &text_input("3h, 2d, or 2026-01-31T10:00Z", false, 40),
            )
            .hinted(
                "Where nobody says so, what the owner did with it counts as the attacker's. It can be set later too.",
            ),
            input(
                field::NOTE,
                "What is known",
                true,
                &text_input("From where, what was done with it, how you know since when", true, 480),
            ),
        ],
    )
}

/// Asks for the reason of a denial, and says what is denied, where the incident is known.
pub fn deny(incident: Option<&Incident>, request: RequestId, digest: &str) -> Value {
    let why = input(field::REASON, "Why", false, &text_input("The next approver sees this", true, 480));
    let (title, context) = (format!("Deny {request}"), format!("{request} {digest}"));
    let mut form = modal(form::DENY, &title, "Deny", &context, &[why.hinted(&of_plan(digest))]);
    let denied = incident.and_then(|incident| decided_on(incident, request));
    if let (Some(denied), Some(blocks)) = (denied, form["blocks"].as_array_mut()) {
        blocks.insert(0, section(&denied));
    }
    form
}

/// What one press decides on, in a line.
fn decided_on(incident: &Incident, request: RequestId) -> Option<String> {
    let found = incident.requests.get(&request)?;
    let with_it = |member: &&Request| member.id != request && member.state == RequestState::Pending;
    let more = match members(incident, found).into_iter().filter(with_it).count() {
        0 => String::new(),
        more => format!(" and {more} more that go with it"),
    };
    Some(format!("*{}*{more}, in account {}", escape(&found.plan.action.title()), found.plan.account))
}

/// Which plan a form is about.
fn of_plan(digest: &str) -> String {
    format!("This is about the plan with digest {digest}, as its card shows it.")
}

/// Lets a request run alone: the target is typed, so that nobody does it in passing.
pub fn break_glass(request_and_digest: &str, request: &Request) -> Value {
    let mut form = modal(
        form::BREAK_GLASS,
        "Break glass",
        "Run it alone",
        request_and_digest,
        &[
            input(
                field::TARGET,
                &format!("Type the target: {}", request.target()),
                false,
                &text_input("As it stands on the card", false, 150),
            ),
            input(field::REASON, "Why can it not wait?", false, &text_input("Whom did you try to reach?", true, 480))
                .hinted(&of_plan(request_and_digest.split(' ').nth(1).unwrap_or_default())),
        ],
    );
    let warning = ":rotating_light: *You alone are about to run this, without a second person.* Everybody who could have \
                   approved it is told, in your name, and one of them has to say afterwards whether it was right.";
    if let Some(blocks) = form["blocks"].as_array_mut() {
        blocks.insert(0, section(warning));
    }
    form
}

/// Asks why it was not right to let it run alone.
pub fn contest(request: RequestId) -> Value {
    modal(
        form::CONTEST,
        &format!("Contest {request}"),
        "Contest",
        &request.to_string(),
        &[input(field::REASON, "Why was it not right?", false, &text_input("It stays in the report", true, 480))],
    )
}

/// Asks why the response can go on without proof that the containment holds.
pub fn accept_risk(incident: IncidentId, shown: i64) -> Value {
    modal(
        form::ACCEPT_RISK,
        "Go on without proof",
        "Accept the risk",
        &format!("{incident} {shown}"),
        &[input(field::REASON, "Why is the risk worth it?", false, &text_input("It stays in the report", true, 480))
            .hinted("It takes two people, one of them an approver. It ends when the containment changes or fails.")],
    )
}

/// Asks what was done by hand.
pub fn say_done(incident: IncidentId, step: &Step) -> Value {
    let mut form = modal(
        form::SAY_DONE,
        "Done by hand",
        "Say so",
        &format!("{incident} {}", step.id),
        &[input(
            field::REASON,
            "What was done, where and by whom?",
            false,
            &text_input("What the next person has to look at", true, 480),
        )
        .hinted(
            "In your name. It counts once somebody else has looked and confirmed it; one of you has to be an approver.",
        )],
    );
    if let Some(blocks) = form["blocks"].as_array_mut() {
        blocks.insert(0, section(&format!("*{}*", escape(&step.title))));
    }
    form
}

/// Asks for the likely time of compromise.
pub fn compromise_time(incident: IncidentId, now: DateTime<Utc>, known: Option<DateTime<Utc>>) -> Value {
    modal(form::COMPROMISE_TIME, "Compromise time", "Set", &incident.to_string(), &[
        input(field::TIME, "When was it likely stolen?", false, &json!({
            "type": "datetimepicker", "action_id": field::TIME, "initial_date_time": known.filter(|at| at.timestamp() >= TEN_DIGITS).unwrap_or(now).timestamp(),
        }))
        .hinted("Everything that the credential did from then on counts as the attacker's until shown otherwise."),
        input(field::NOTE, "From what do you know it?", false, &text_input("First commit with the key, first strange call, …", false, 300)),
    ])
}

/// Names somebody whom the incident is about.
pub fn name_subject(incident: IncidentId) -> Value {
    modal(
        form::NAME_SUBJECT,
        "Name a person",
        "Name them",
        &incident.to_string(),
        &[input(
            field::PERSON,
            "Whom is this incident about?",
            false,
            &json!({"type": "users_select", "placeholder": plain("A person")}),
        )
        .hinted("They cannot decide in this incident from then on. Everybody in the thread sees it.")],
    )
}

/// Says who it was that made a call.
pub fn overrule(incident: IncidentId) -> Value {
    let options: Vec<Value> = Who::SAID.iter().map(|(name, who)| option(&capitalised(who.label()), name)).collect();
    modal(
        form::OVERRULE,
        "Say who it was",
        "Say so",
        &incident.to_string(),
        &[
            input(
                field::ABOUT,
                "Which calls?",
                false,
                &text_input("203.0.113.10, AKIA…, ASIA…, arn:…, or one event's id", false, 300),
            )
            .hinted(
                "All calls from that address, with that key or by that principal; with an event's id that one call.",
            ),
            input(
                field::WHO,
                "Who made them?",
                false,
                &json!({"type": "static_select", "placeholder": plain("Whose calls"), "options": options}),
            ),
            input(
                field::REASON,
                "From what do you know it?",
                false,
                &text_input("The build server's log, …", true, 480),
            )
            .hinted("Everybody in the thread sees it. The search, the steps and the verdict follow at once."),
        ],
    )
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Closes an incident.
pub fn close(incident: &Incident, playbook: &Playbook) -> Value {
    let left: Vec<String> =
        missing(incident, playbook).iter().map(|(s, _)| format!("• {}", escape(&s.title))).collect();
    let warning = if incident.sample {
        None
    } else if contained(incident, playbook) {
        let lacking: Vec<String> =
            lacking(incident, playbook).iter().map(|lack| format!("• {}", escape(lack))).collect();
        (!lacking.is_empty()).then(|| format!(":warning: *Eradication is not done:*\n{}", lacking.join("\n")))
    } else if left.is_empty() {
        Some(":warning: *Containment is not done:* which steps it takes is not known yet.".to_owned())
    } else {
        Some(format!(":warning: *Not in force:*\n{}", left.join("\n")))
    };
    // What is lacking names them too, where all is contained.
    let secrets = secrets_left(incident).filter(|_| !incident.sample && !contained(incident, playbook));
    let secrets = secrets.map(|secrets| format!(":key: {}", escape(&secrets)));
    let incident = incident.id;
    let options: Vec<Value> = Outcome::ALL.iter().map(|o| option(o.label(), o.as_str())).collect();
    let mut form = modal(
        form::CLOSE,
        &format!("Close {incident}"),
        "Close it",
        &incident.to_string(),
        &[
            input(
                field::OUTCOME,
                "How did it end?",
                false,
                &json!({
                    "type": "static_select", "action_id": field::OUTCOME, "placeholder": plain("Outcome"), "options": options,
                }),
            ),
            input(field::NOTE, "In a sentence", true, &text_input("What happened, what is left", true, 480))
                .hinted("A closed incident takes no more changes. Requests that still wait are cancelled. Resolved without containment or eradication needs a reason here."),
        ],
    );
    if let Some(blocks) = form["blocks"].as_array_mut() {
        for text in secrets.iter().chain(&warning) {
            blocks.insert(0, section(text));
        }
    }
    form
}

fn modal(callback_id: &str, title: &str, submit: &str, context: &str, inputs: &[Input]) -> Value {
    json!({
        "type": "modal", "callback_id": callback_id, "private_metadata": context,
        "title": plain(&cut(title, 24)), "submit": plain(submit), "close": plain("Cancel"),
        "blocks": inputs.iter().map(|i| i.0.clone()).collect::<Vec<_>>(),
    })
}

struct Input(Value);

impl Input {
    fn hinted(mut self, hint: &str) -> Self {
        self.0["hint"] = plain(hint);
        self
    }
}

fn input(name: &str, label: &str, optional: bool, element: &Value) -> Input {
    let mut element = element.clone();
    element["action_id"] = json!(name);
    Input(json!({"type": "input", "block_id": name, "label": plain(label), "optional": optional, "element": element}))
}

fn text_input(placeholder: &str, multiline: bool, length_max: u32) -> Value {
    json!({"type": "plain_text_input", "multiline": multiline, "max_length": length_max, "placeholder": plain(placeholder)})
}

fn option(label: &str, value: &str) -> Value {
    json!({"text": plain(label), "value": value})
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text})
}
