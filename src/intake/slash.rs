//! What people type after `/irp`. Total: every text is a command or gets a sentence that helps.

use serde::{Deserialize, Serialize};

use super::bounded;
use super::since::{HOW, Since};
use super::submission::read_credential;
use crate::domain::credential::{AccessKeyId, Subject};
use crate::domain::id::IncidentId;
use crate::domain::incident::event::Outcome;
use crate::domain::secret::scrub;

/// Characters of a wrong word that are shown again.
const SHOWN_CHARS: usize = 20;

/// A command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Slash {
    /// Show the form.
    OpenForm,
    /// Open for this credential at once.
    Open {
        /// Whose.
        subject: Subject,
        /// Since when it is stolen, where that was typed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Since>,
        /// What else was typed.
        note: Option<String>,
    },
    /// Say since when the credential is stolen, or show the form for it.
    Since {
        /// In which incident; the only open one when absent.
        incident: Option<IncidentId>,
        /// Since when, and from what it is known; the form asks when absent.
        said: Option<(Since, String)>,
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
    SecretTyped {
        /// The key id that stood beside it.
        key: Option<AccessKeyId>,
    },
}

/// Reads what was typed.
pub fn parse(typed: &str) -> Slash {
    let scrubbed = scrub(typed);
    if scrubbed.found {
        let key = scrubbed.text.split_whitespace().find_map(|word| word.get(..20)?.parse().ok());
        return Slash::SecretTyped { key };
    }
    let mut words = scrubbed.text.split_whitespace();
    let verb = words.next().unwrap_or("help").to_ascii_lowercase();
    let rest: Vec<&str> = words.collect();
    let help = |because: String| Slash::Help { because: Some(because) };
    match (verb.as_str(), rest.as_slice()) {
        ("help" | "?", _) => Slash::Help { because: None },
        ("open", []) => Slash::OpenForm,
        ("open", [credential, note @ ..]) => {
            let mut subject = Subject::default();
            match read_credential(credential, &mut subject) {
                Ok(()) if subject.access_key.is_some() || subject.account.is_some() => {
                    let (since, note) = opened_since(note);
                    Slash::Open { subject, since, note: (!note.is_empty()).then(|| bounded(&note.join(" "))) }
                }
                _ => help(format!(
                    "{} is neither an access key id (AKIA or ASIA and 16 more capital letters and digits) nor the ARN of \
                     a user or role. For anything else type /irp open and fill in the form.",
                    quoted(credential)
                )),
            }
        }
        ("status", []) => Slash::Status { incident: None },
        ("status", [id]) => match id.parse() {
            Ok(id) => Slash::Status { incident: Some(id) },
            Err(_) => help(format!("{} is not an incident such as INC-12.", quoted(id))),
        },
        ("list", []) => Slash::List,
        ("close", rest) => close(rest),
        ("since", rest) => since(rest),
        ("list" | "status", _) => help(format!("/irp {verb} takes less than that.")),
        _ => help(format!("There is no command {}.", quoted(&verb))),
    }
}

/// What was typed, for a sentence: never so much of it that a secret could be among it.
fn quoted(word: &str) -> String {
    let shown: String = bounded(word).chars().take(SHOWN_CHARS).collect();
    let cut = if word.chars().count() > SHOWN_CHARS { "…" } else { "" };
    format!("“{shown}{cut}”")
}

/// `since 3h` before what is known. What cannot be read as a time is a part of that: an incident opens all the same.
fn opened_since<'a>(note: &'a [&'a str]) -> (Option<Since>, &'a [&'a str]) {
    let typed = note.split_first().filter(|(word, _)| word.eq_ignore_ascii_case("since"));
    match typed.and_then(|(_, rest)| Some((Since::read_first(rest)?, rest))) {
        Some(((since, words), rest)) => (Some(since), &rest[words..]),
        None => (None, note),
    }
}

fn since(rest: &[&str]) -> Slash {
    let incident = rest.first().and_then(|word| word.parse().ok());
    let rest = if incident.is_some() { &rest[1..] } else { rest };
    let help = |because: String| Slash::Help { because: Some(because) };
    match Since::read_first(rest) {
        None if rest.is_empty() => Slash::Since { incident, said: None },
        None => help(HOW.to_owned()),
        Some((_, words)) if rest.len() == words => {
            help("Say from what you know it, as in `/irp since INC-12 3h the commit with the key`.".to_owned())
        }
        Some((since, words)) => Slash::Since { incident, said: Some((since, bounded(&rest[words..].join(" ")))) },
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
                    "{} is no outcome. There are {}.",
                    quoted(outcome),
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
        let key = "AKIAIOSFODNN7EXAMPLE".parse().ok();
        let of_key = Subject { access_key: key, ..Subject::default() };
        assert_eq!(parse("open"), Slash::OpenForm);
        assert_eq!(
            parse("  OPEN  akiaiosfodnn7example "),
            Slash::Open { subject: of_key.clone(), since: None, note: None }
        );
        assert_eq!(
            parse("open AKIAIOSFODNN7EXAMPLE seen in a public repo"),
            Slash::Open { subject: of_key.clone(), since: None, note: Some("seen in a public repo".into()) }
        );
        assert_eq!(
            parse("open AKIAIOSFODNN7EXAMPLE Since 3h a public repo"),
            Slash::Open {
                subject: of_key.clone(),
                since: Some(Since::MinutesAgo(180)),
                note: Some("a public repo".into())
            }
        );
        assert_eq!(
            parse("open AKIAIOSFODNN7EXAMPLE since yesterday"),
            Slash::Open { subject: of_key, since: None, note: Some("since yesterday".into()) },
            "an incident opens whatever else is said"
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
        let Slash::Open { subject, .. } = parse("open arn:aws:iam::111122223333:role/app") else { panic!("opens") };
        assert_eq!(subject.name.as_deref(), Some("app"));
        for wrong in ["open role/app", "opne", "open sesame", "status 3.1", "list all", "close INC-1 done"] {
            assert!(matches!(parse(wrong), Slash::Help { because: Some(_) }), "{wrong}");
        }
    }

    #[test]
    fn since_when_it_is_stolen_takes_a_time_and_a_reason() {
        let incident = Some(IncidentId::new(3));
        let said = |since| Some((since, "the commit with it".to_owned()));
        let of_two = Slash::Since { incident, said: said(Since::MinutesAgo(2 * 24 * 60)) };
        assert_eq!(parse("since INC-3 2d the commit with it"), of_two);
        let at = "2026-01-31T10:00:00Z".parse().unwrap();
        let of_one = Slash::Since { incident: None, said: said(Since::At(at)) };
        assert_eq!(parse("since 2026-01-31 10:00 the commit with it"), of_one);
        assert_eq!(parse("since inc-3"), Slash::Since { incident, said: None });
        assert_eq!(parse("since"), Slash::Since { incident: None, said: None });
        for (wrong, why) in [("since INC-3 3h", "from what you know it"), ("since INC-3 yesterday x", "90m")] {
            let Slash::Help { because: Some(because) } = parse(wrong) else { panic!("{wrong}") };
            assert!(because.contains(why), "{because}");
        }
        let kept = serde_json::from_str(r#"{"command":"open","subject":{},"note":null}"#);
        assert!(
            matches!(kept, Ok(Slash::Open { since: None, .. })),
            "what an earlier version has kept is read: {kept:?}"
        );
    }

    #[test]
    fn a_secret_never_leaves_the_parser() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let key: AccessKeyId = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        assert_eq!(parse(&format!("open {secret}")), Slash::SecretTyped { key: None });
        assert_eq!(parse(secret), Slash::SecretTyped { key: None });
        for text in [format!("open {key} {secret}"), format!("open {key}:{secret}"), format!("open {key}/{secret}")] {
            assert_eq!(parse(&text), Slash::SecretTyped { key: Some(key.clone()) }, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer_and_is_bounded(typed in any::<String>()) {
            let written = serde_json::to_string(&parse(&typed)).unwrap();
            prop_assert!(written.len() < 8_000);
        }
    }
}
