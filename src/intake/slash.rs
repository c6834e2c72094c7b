//! What people type after `/irp`. Total: every text is a command or gets a sentence that helps.

use serde::{Deserialize, Serialize};

use super::bounded;
use crate::domain::credential::AccessKeyId;
use crate::domain::id::IncidentId;
use crate::domain::incident::event::Outcome;
use crate::domain::secret::scrub;

/// A command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Slash {
    /// Show the form.
    OpenForm,
    /// Open for this key at once.
    Open {
        /// The key.
        key: AccessKeyId,
        /// What else was typed.
        note: Option<String>,
    },
    /// How one incident stands, or the only open one.
    Status {
        /// Which.
        incident: Option<IncidentId>,
    },
    /// The open incidents.
    List,
    /// Close, or show the form for it.
    Close {
        /// Which; the only open one when absent.
        incident: Option<IncidentId>,
        /// How it ended; the form asks when absent.
        outcome: Option<Outcome>,
        /// In their words.
        note: String,
    },
    /// What there is.
    Help {
        /// What was wrong with what was typed.
        because: Option<String>,
    },
    /// A secret was typed. It has been cut out and is kept nowhere.
    SecretTyped,
}

/// Reads what was typed.
pub fn parse(typed: &str) -> Slash {
    let scrubbed = scrub(typed);
    if scrubbed.found {
        return Slash::SecretTyped;
    }
    let mut words = scrubbed.text.split_whitespace();
    let verb = words.next().unwrap_or("help").to_ascii_lowercase();
    let rest: Vec<&str> = words.collect();
    let help = |because: String| Slash::Help { because: Some(because) };
    match (verb.as_str(), rest.as_slice()) {
        ("help" | "?", _) => Slash::Help { because: None },
        ("open", []) => Slash::OpenForm,
        ("open", [key, note @ ..]) => match key.to_ascii_uppercase().parse() {
            Ok(key) => Slash::Open { key, note: (!note.is_empty()).then(|| bounded(&note.join(" "))) },
            Err(_) => help(format!(
                "“{}” is not an access key id (AKIA or ASIA and 16 more capital letters and digits). For anything else \
                 type `/irp open` and fill in the form.",
                bounded(key)
            )),
        },
        ("status", []) => Slash::Status { incident: None },
        ("status", [id]) => match id.parse() {
            Ok(id) => Slash::Status { incident: Some(id) },
            Err(_) => help(format!("“{}” is not an incident such as INC-12.", bounded(id))),
        },
        ("list", []) => Slash::List,
        ("close", rest) => close(rest),
        ("list" | "status", _) => help(format!("`/irp {verb}` takes less than that.")),
        _ => help(format!("There is no command “{}”.", bounded(&verb))),
    }
}

fn close(rest: &[&str]) -> Slash {
    let incident = rest.first().and_then(|word| word.parse().ok());
    let rest = if incident.is_some() { &rest[1..] } else { rest };
    match rest {
        [] => Slash::Close { incident, outcome: None, note: String::new() },
        [outcome, note @ ..] => match Outcome::parse(outcome.trim_end_matches(':')) {
            Some(outcome) => Slash::Close { incident, outcome: Some(outcome), note: bounded(&note.join(" ")) },
            None => Slash::Help {
                because: Some(format!(
                    "“{}” is no outcome. There are {}.",
                    bounded(outcome),
                    Outcome::ALL.map(Outcome::as_str).join(", ")
                )),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read_as_people_type_them() {
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        assert_eq!(parse("open"), Slash::OpenForm);
        assert_eq!(parse("  OPEN  akiaiosfodnn7example "), Slash::Open { key: key.clone(), note: None });
        assert_eq!(
            parse("open AKIAIOSFODNN7EXAMPLE seen in a public repo"),
            Slash::Open { key, note: Some("seen in a public repo".into()) }
        );
        assert_eq!(parse("status inc-3"), Slash::Status { incident: Some(IncidentId::new(3)) });
        assert_eq!(parse("list"), Slash::List);
        assert_eq!(
            parse("close INC-3 false-positive our own scanner"),
            Slash::Close {
                incident: Some(IncidentId::new(3)),
                outcome: Some(Outcome::FalsePositive),
                note: "our own scanner".into()
            }
        );
        assert_eq!(parse("close"), Slash::Close { incident: None, outcome: None, note: String::new() });
        assert_eq!(parse(""), Slash::Help { because: None });
        for wrong in ["opne", "open sesame", "status 3.1", "list all", "close INC-1 done"] {
            assert!(matches!(parse(wrong), Slash::Help { because: Some(_) }), "{wrong}");
        }
    }

    #[test]
    fn a_secret_never_leaves_the_parser() {
        assert_eq!(parse("open wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Slash::SecretTyped);
        assert_eq!(parse("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Slash::SecretTyped);
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer_and_is_bounded(typed in any::<String>()) {
            let written = serde_json::to_string(&parse(&typed)).unwrap();
            prop_assert!(written.len() < 8_000);
        }
    }
}
