//! The inline policy that denies sessions older than a moment, and the calls that put and remove it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::ApiCall;
use crate::domain::observation::same_document;

/// Name of the inline policy that denies older sessions: the one that the AWS console uses.
pub const REVOKE_POLICY: &str = "AWSRevokeOlderSessions";
/// How far ahead of the call the cut-off lies. Sessions minted while the policy spreads are denied too;
/// the AWS console looks about as far ahead.
pub const CUT_OFF_LEAD_S: i64 = 30;
/// Stands in a planned document for the cut-off, which is known only when the call is made.
pub const CUT_OFF: &str = "{cut-off}";
/// A cut-off in force that lies further ahead than this is nobody's revocation: kept, it would lock
/// everybody out for as long as whoever wrote it likes.
const CUT_OFF_AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

/// The document that AWS documents for revoking role sessions. `aws:TokenIssueTime` is absent from
/// requests signed with a long-term key, so on a user it reaches sessions only.
pub(super) fn document() -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny",
            "Action": ["*"],
            "Resource": ["*"],
            "Condition": { "DateLessThan": { "aws:TokenIssueTime": CUT_OFF } },
        }],
    })
    .to_string()
}

/// The latest cut-off that a policy already sets with a statement that denies everything, and asks for nothing else: with
/// another condition beside it, it may deny nobody.
pub(super) fn cut_off_in(document: &str) -> Option<DateTime<Utc>> {
    latest(document, |condition| only(only(condition, "DateLessThan")?, "aws:TokenIssueTime"))
}

/// The same where each statement says besides whom it is about.
pub(super) fn cut_off_for_some(document: &str) -> Option<DateTime<Utc>> {
    latest(document, |condition| condition.get("DateLessThan")?.get("aws:TokenIssueTime"))
}

fn latest(document: &str, moment_in: impl Fn(&Value) -> Option<&Value>) -> Option<DateTime<Utc>> {
    let document: Value = serde_json::from_str(document).ok()?;
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    one_or_many(document.get("Statement")?)
        .into_iter()
        .filter(|s| s["Effect"] == "Deny" && is_all(&s["Action"]) && is_all(&s["Resource"]))
        .filter_map(|s| moment_in(&s["Condition"]))
        // Several values of one condition are alternatives: the latest denies the most.
        .flat_map(|value| one_or_many(value).into_iter().filter_map(moment))
        .max()
}

/// The cut-off for a call made at `now`, never before one already in force.
pub(super) fn cut_off_at(now: DateTime<Utc>, in_force: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let fresh = now + TimeDelta::seconds(CUT_OFF_LEAD_S);
    in_force.filter(|at| *at < now + CUT_OFF_AHEAD_MAX).map_or(fresh, |at| at.max(fresh))
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

/// A member that has no others beside it.
fn only<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object().filter(|members| members.len() == 1)?.get(name)
}

fn is_all(value: &Value) -> bool {
    one_or_many(value).iter().any(|v| **v == "*")
}

pub(super) fn same_documents(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_document(a, b),
        (None, None) => true,
        _ => false,
    }
}

pub(super) fn user_policy_call(user_name: &str, document: Option<String>) -> ApiCall {
    let (user_name, policy_name) = (user_name.to_owned(), REVOKE_POLICY.to_owned());
    match document {
        Some(policy_document) => ApiCall::PutUserPolicy { user_name, policy_name, policy_document },
        None => ApiCall::DeleteUserPolicy { user_name, policy_name },
    }
}

pub(super) fn role_policy_call(role_name: &str, document: Option<String>) -> ApiCall {
    let (role_name, policy_name) = (role_name.to_owned(), REVOKE_POLICY.to_owned());
    match document {
        Some(policy_document) => ApiCall::PutRolePolicy { role_name, policy_name, policy_document },
        None => ApiCall::DeleteRolePolicy { role_name, policy_name },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_statement_that_denies_everything_sets_a_cut_off() {
        let with = |effect: &str, action: &str, value: &Value| {
            json!({"Statement": {"Effect": effect, "Action": action, "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": value}}}})
            .to_string()
        };
        let day = json!("2026-01-01T00:00:00Z");
        assert_eq!(cut_off_in(&with("Deny", "*", &day)), Some(at("2026-01-01T00:00:00Z")));
        assert_eq!(cut_off_in(&with("Allow", "*", &day)), None);
        assert_eq!(cut_off_in(&with("Deny", "s3:*", &day)), None);
        let two = json!(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]);
        assert_eq!(cut_off_in(&with("Deny", "*", &two)), Some(at("2026-01-02T00:00:00Z")));
    }

    #[test]
    fn a_deny_that_asks_for_more_denies_nobody_for_certain() {
        let with = |condition: Value| {
            let statement = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition});
            json!({ "Statement": [statement] }).to_string()
        };
        let day = "2026-01-01T00:00:00Z";
        assert!(cut_off_in(&with(json!({"DateLessThan": {"aws:TokenIssueTime": day}}))).is_some());
        for never in [
            json!({"DateLessThan": {"aws:TokenIssueTime": day}, "StringEquals": {"aws:username": "nobody"}}),
            json!({"DateLessThan": {"aws:TokenIssueTime": day, "aws:CurrentTime": "1970-01-01T00:00:00Z"}}),
            json!({"DateGreaterThan": {"aws:TokenIssueTime": day}}),
            json!("DateLessThan"),
        ] {
            assert_eq!(cut_off_in(&with(never.clone())), None, "{never}");
        }
    }

    #[test]
    fn a_cut_off_never_moves_back_and_nobody_else_chooses_it_far_ahead() {
        let now = at("2026-01-01T12:00:00Z");
        let fresh = at("2026-01-01T12:00:30Z");
        assert_eq!(cut_off_at(now, None), fresh);
        assert_eq!(cut_off_at(now, Some(at("2026-01-01T11:00:00Z"))), fresh);
        assert_eq!(cut_off_at(now, Some(at("2026-01-01T12:30:00Z"))), at("2026-01-01T12:30:00Z"));
        assert_eq!(cut_off_at(now, Some(at("2099-01-01T00:00:00Z"))), fresh);
    }
}
