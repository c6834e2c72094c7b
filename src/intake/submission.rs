//! What people fill into forms. A wrong field is answered at its place, before anything is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::bounded;
use super::since::{HOW, Since};
use crate::domain::alert::Severity;
use crate::domain::credential::{PrincipalKind, Subject};
use crate::domain::id::{IncidentId, RequestId, StepId, UserId};
use crate::domain::incident::event::Outcome;
use crate::domain::secret::scrub;
use crate::domain::trail::attribution::{Who, Word};

/// Form names: Slack's `callback_id`.
pub mod form {
    /// Opens an incident.
    pub const OPEN: &str = "irp.open";
    /// Asks for the reason of a denial.
    pub const DENY: &str = "irp.deny";
    /// Lets a request run alone.
    pub const BREAK_GLASS: &str = "irp.break_glass";
    /// Asks why it was not right to let it run alone.
    pub const CONTEST: &str = "irp.contest";
    /// Asks why the response can go on without proof.
    pub const ACCEPT_RISK: &str = "irp.accept_risk";
    /// Asks what was done by hand.
    pub const SAY_DONE: &str = "irp.say_done";
    /// Asks for the likely time of compromise.
    pub const COMPROMISE_TIME: &str = "irp.compromise_time";
    /// Names somebody whom the incident is about.
    pub const NAME_SUBJECT: &str = "irp.name_subject";
    /// Says who it was that made a call.
    pub const OVERRULE: &str = "irp.overrule";
    /// Closes an incident.
    pub const CLOSE: &str = "irp.close";
}

/// Field names: Slack's `block_id`, and its `action_id` too.
pub mod field {
    /// Access key id, user or role name, or ARN.
    pub const CREDENTIAL: &str = "credential";
    /// Twelve digits.
    pub const ACCOUNT: &str = "account";
    /// Where it was seen.
    pub const SOURCE: &str = "source";
    /// A severity.
    pub const SEVERITY: &str = "severity";
    /// So long ago, or a time.
    pub const SINCE: &str = "since";
    /// Free text.
    pub const NOTE: &str = "note";
    /// The target, typed.
    pub const TARGET: &str = "target";
    /// Why.
    pub const REASON: &str = "reason";
    /// Seconds since 1970.
    pub const TIME: &str = "time";
    /// A Slack user.
    pub const PERSON: &str = "person";
    /// An address, an access key, an event's id, an ARN or a unique id.
    pub const ABOUT: &str = "about";
    /// Whose it is.
    pub const WHO: &str = "who";
    /// An outcome.
    pub const OUTCOME: &str = "outcome";
}

/// A filled-in form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum Submission {
    /// Open an incident.
    Open {
        /// Whose credential.
        subject: Subject,
        /// Where it was seen.
        source: String,
        /// How bad.
        severity: Severity,
        /// Since when it is stolen, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Since>,
        /// What is known.
        note: Option<String>,
    },
    /// Deny a request.
    Deny {
        /// Which.
        request: RequestId,
        /// The digest that the person saw.
        digest: String,
        /// Why.
        reason: String,
    },
    /// Let a request run alone.
    BreakGlass {
        /// Which.
        request: RequestId,
        /// The digest that the person saw.
        digest: String,
        /// The target, as they typed it.
        target: String,
        /// Why it cannot wait.
        reason: String,
    },
    /// Say that it was not right to let it run alone.
    Contest {
        /// Which.
        request: RequestId,
        /// Why.
        reason: String,
    },
    /// Accept the risk of a containment that is not proven.
    AcceptRisk {
        /// Of which incident.
        incident: IncidentId,
        /// Which containment they have seen.
        shown: i64,
        /// Why.
        reason: String,
    },
    /// Say that one has done by hand what the bot may not.
    SayDone {
        /// In which incident.
        incident: IncidentId,
        /// Which step.
        step: StepId,
        /// What was done.
        done: String,
    },
    /// Set the likely time of compromise.
    CompromiseTime {
        /// Of which incident.
        incident: IncidentId,
        /// The time.
        at: DateTime<Utc>,
        /// From what it is known.
        basis: String,
    },
    /// Name somebody whom the incident is about.
    NameSubject {
        /// Of which incident.
        incident: IncidentId,
        /// Whom.
        user: UserId,
    },
    /// Say who it was that made a call.
    Overrule {
        /// In which incident.
        incident: IncidentId,
        /// What it is about, and who it was.
        word: Word,
        /// From what it is known.
        reason: String,
    },
    /// Close an incident.
    Close {
        /// Which.
        incident: IncidentId,
        /// How it ended.
        outcome: Outcome,
        /// In their words.
        note: String,
    },
}

/// Sentences by field.
pub type FieldErrors = BTreeMap<String, String>;

/// Said where a secret was typed into a field.
pub const SECRET_TYPED: &str = "This holds a secret key. It was not kept, but treat it as leaked: it went through Slack. \
     Give the access key id instead (AKIA… or ASIA…).";

/// Reads a form. `context` is what the form carried with it; `values` are by field.
pub fn parse(
    callback_id: &str,
    context: &str,
    values: &BTreeMap<String, String>,
) -> Option<Result<Submission, FieldErrors>> {
    let secrets: FieldErrors = values
        .iter()
        .filter(|(_, value)| scrub(value).found)
        .map(|(name, _)| (name.clone(), SECRET_TYPED.to_owned()))
        .collect();
    if !secrets.is_empty() {
        return Some(Err(secrets));
    }
    let value = |name: &str| values.get(name).map(|v| bounded(v)).filter(|v| !v.is_empty());
    let wrong = |name: &str, why: &str| Err(FieldErrors::from([(name.to_owned(), why.to_owned())]));
    Some(match callback_id {
        form::OPEN => open(&value),
        form::DENY => {
            let (request, digest) = context.split_once(' ')?;
            match value(field::REASON) {
                Some(reason) => {
                    Ok(Submission::Deny { request: request.parse().ok()?, digest: digest.to_owned(), reason })
                }
                None => wrong(field::REASON, "Say why, so that the next person knows."),
            }
        }
        form::BREAK_GLASS => {
            let (request, digest) = context.split_once(' ')?;
            match (value(field::TARGET), value(field::REASON)) {
                (None, _) => wrong(field::TARGET, "Type the target, as it stands on the card."),
                (_, None) => wrong(field::REASON, "Say why it cannot wait for a second person."),
                (Some(target), Some(reason)) => Ok(Submission::BreakGlass {
                    request: request.parse().ok()?,
                    digest: digest.to_owned(),
                    target,
                    reason,
                }),
            }
        }
        form::CONTEST => match value(field::REASON) {
            Some(reason) => Ok(Submission::Contest { request: context.parse().ok()?, reason }),
            None => wrong(field::REASON, "Say why it was not right."),
        },
        form::ACCEPT_RISK => {
            let (incident, shown) = context.split_once(' ')?;
            match value(field::REASON) {
                Some(reason) => {
                    Ok(Submission::AcceptRisk { incident: incident.parse().ok()?, shown: shown.parse().ok()?, reason })
                }
                None => wrong(field::REASON, "Say why the risk is worth it."),
            }
        }
        form::SAY_DONE => {
            let (incident, step) = context.split_once(' ')?;
            match value(field::REASON) {
                Some(done) => {
                    Ok(Submission::SayDone { incident: incident.parse().ok()?, step: step.parse().ok()?, done })
                }
                None => wrong(field::REASON, "Say what was done, so that the next person can look."),
            }
        }
        form::COMPROMISE_TIME => {
            let at = value(field::TIME)
                .and_then(|t| t.parse::<i64>().ok())
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            match (at, value(field::NOTE)) {
                (None, _) => wrong(field::TIME, "Choose a date and a time."),
                (_, None) => wrong(field::NOTE, "Say from what you know it."),
                (Some(at), Some(basis)) => {
                    Ok(Submission::CompromiseTime { incident: context.parse().ok()?, at, basis })
                }
            }
        }
        form::NAME_SUBJECT => match value(field::PERSON).and_then(|user| user.parse().ok()) {
            Some(user) => Ok(Submission::NameSubject { incident: context.parse().ok()?, user }),
            None => wrong(field::PERSON, "Choose a person."),
        },
        form::OVERRULE => {
            let who = value(field::WHO).and_then(|who| Who::said(&who));
            match (value(field::ABOUT), who, value(field::REASON)) {
                (Some(about), Some(who), Some(reason)) if Word::can_be_about(&about) => {
                    Ok(Submission::Overrule { incident: context.parse().ok()?, word: Word { about, who }, reason })
                }
                (_, None, _) => wrong(field::WHO, "Choose who it was."),
                (_, _, None) => wrong(field::REASON, "Say from what you know it."),
                _ => wrong(
                    field::ABOUT,
                    "Give an address, an access key id, an event's id, an ARN, or a unique id (AIDA… or AROA…), as it \
                     stands on the card or in the record.",
                ),
            }
        }
        form::CLOSE => match value(field::OUTCOME).and_then(|o| Outcome::parse(&o)) {
            Some(outcome) => Ok(Submission::Close {
                incident: context.parse().ok()?,
                outcome,
                note: value(field::NOTE).unwrap_or_default(),
            }),
            None => wrong(field::OUTCOME, "Choose how it ended."),
        },
        _ => return None,
    })
}

fn open(value: &dyn Fn(&str) -> Option<String>) -> Result<Submission, FieldErrors> {
    let mut errors = FieldErrors::new();
    let mut subject = Subject::default();
    match value(field::CREDENTIAL) {
        None => {
            errors.insert(field::CREDENTIAL.into(), "Give an access key id, a user or role name, or an ARN.".into());
        }
        Some(text) => {
            if let Err(why) = read_credential(&text, &mut subject) {
                errors.insert(field::CREDENTIAL.into(), why);
            }
        }
    }
    if let Some(text) = value(field::ACCOUNT) {
        match text.parse() {
            Ok(account) if subject.account.as_ref().is_none_or(|a| *a == account) => subject.account = Some(account),
            Ok(_) => {
                errors.insert(field::ACCOUNT.into(), "The ARN above names another account.".into());
            }
            Err(_) => {
                errors.insert(field::ACCOUNT.into(), "An AWS account id has 12 digits.".into());
            }
        }
    }
    if subject.access_key.is_none() && subject.account.is_none() && errors.is_empty() {
        errors.insert(field::ACCOUNT.into(), "A name alone does not say which account: give its 12 digits.".into());
    }
    let since = value(field::SINCE).map(|typed| Since::read(&typed));
    if since == Some(None) {
        errors.insert(field::SINCE.into(), HOW.into());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let severity = match value(field::SEVERITY).as_deref() {
        Some("low") => Severity::Low,
        Some("medium") => Severity::Medium,
        Some("critical") => Severity::Critical,
        _ => Severity::High,
    };
    let source = value(field::SOURCE).unwrap_or_else(|| "Reported by a person".into());
    Ok(Submission::Open { subject, source, severity, since: since.flatten(), note: value(field::NOTE) })
}

/// An access key id; `arn:aws:iam::…:user/…` or `…:role/…`; or `user/NAME` or `role/NAME`; or a user's name.
pub(super) fn read_credential(text: &str, subject: &mut Subject) -> Result<(), String> {
    if let Ok(key) = text.to_ascii_uppercase().parse() {
        subject.access_key = Some(key);
        return Ok(());
    }
    let resource = match text.strip_prefix("arn:") {
        Some(arn) => {
            let parts: Vec<&str> = arn.splitn(5, ':').collect();
            let [_partition, "iam" | "sts", _region, account, resource] = parts[..] else {
                return Err("That ARN is not one of an IAM user, role or session.".into());
            };
            subject.account = account.parse().ok();
            resource
        }
        None => text,
    };
    let (kind, path) = resource.split_once('/').unwrap_or(("user", resource));
    subject.kind = Some(match kind {
        "user" => PrincipalKind::IamUser,
        "role" | "assumed-role" => PrincipalKind::AssumedRole,
        _ => return Err("Give an access key id, user/NAME, role/NAME, or an ARN of one of these.".into()),
    });
    let name = if kind == "assumed-role" { path.split('/').next() } else { path.rsplit('/').next() };
    let well_formed = |n: &&str| {
        (1..=64).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
    };
    let plain_path = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    match name.filter(well_formed).filter(|_| plain_path) {
        Some(name) => {
            subject.name = Some(name.to_owned());
            Ok(())
        }
        None => Err("That is not a name that IAM would allow.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_opening_form_takes_keys_names_and_arns() {
        for (credential, account, name, kind) in [
            ("akiaiosfodnn7example", "", None, None),
            ("arn:aws:iam::111122223333:user/path/deploy-bot", "", Some("deploy-bot"), Some(PrincipalKind::IamUser)),
            ("arn:aws:sts::111122223333:assumed-role/app/i-1", "", Some("app"), Some(PrincipalKind::AssumedRole)),
            ("role/app", "111122223333", Some("app"), Some(PrincipalKind::AssumedRole)),
            ("deploy-bot", "111122223333", Some("deploy-bot"), Some(PrincipalKind::IamUser)),
        ] {
            let values = fill(&[(field::CREDENTIAL, credential), (field::ACCOUNT, account)]);
            match parse(form::OPEN, "", &values) {
                Some(Ok(Submission::Open { subject, .. })) => {
                    assert_eq!((subject.name.as_deref(), subject.kind), (name, kind), "{credential}");
                }
                other => panic!("{credential}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_opening_form_takes_since_when_it_is_stolen() {
        let of = |since: &str| {
            let values = fill(&[(field::CREDENTIAL, "AKIAIOSFODNN7EXAMPLE"), (field::SINCE, since)]);
            parse(form::OPEN, "", &values).unwrap()
        };
        assert!(matches!(of("2d"), Ok(Submission::Open { since: Some(Since::MinutesAgo(2_880)), .. })));
        assert!(matches!(of(" "), Ok(Submission::Open { since: None, .. })));
        let errors = of("last week").unwrap_err();
        assert!(errors[field::SINCE].contains("2026-01-31T10:00Z"), "{errors:?}");
    }

    #[test]
    fn wrong_fields_are_answered_at_their_place() {
        for (credential, account, at) in [
            ("", "", field::CREDENTIAL),
            ("group/admins", "", field::CREDENTIAL),
            ("user/../../etc", "111122223333", field::CREDENTIAL),
            ("arn:aws:s3:::bucket/key", "", field::CREDENTIAL),
            ("deploy-bot", "", field::ACCOUNT),
            ("deploy-bot", "12", field::ACCOUNT),
            ("arn:aws:iam::111122223333:user/x", "999999999999", field::ACCOUNT),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", field::CREDENTIAL),
        ] {
            let values = fill(&[(field::CREDENTIAL, credential), (field::ACCOUNT, account)]);
            match parse(form::OPEN, "", &values) {
                Some(Err(errors)) => assert_eq!(errors.keys().next().map(String::as_str), Some(at), "{credential}"),
                other => panic!("{credential}: {other:?}"),
            }
        }
    }
}
