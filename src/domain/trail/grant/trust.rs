//! Whom a role's trust lets in.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::super::event::Event;
use super::super::resource::cut;
use super::super::token::{account_of, bare_name, role_session};
use super::CALLERS_MAX;

/// Longest caller that is kept, in bytes: a provider's ARN and the subject of its condition.
const CALLER_BYTES_MAX: usize = 600;

/// Whom a trust policy lets in, and on what terms.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trusted {
    /// Accounts, ARNs, services and providers, as the policy has them, each with what stands for the conditions on which it
    /// comes in: 0 where there are none. Where an `OpenID` Connect provider vouches only for some, each of those stands
    /// behind it, after a space.
    pub callers: Vec<(String, u64)>,
    /// What stands for each statement that keeps somebody out.
    pub denies: BTreeSet<u64>,
}

impl Trusted {
    /// By the statements of a trust policy.
    pub(super) fn by(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let mut trusted = Self::default();
        for statement in document.get("Statement").map(many).unwrap_or_default() {
            match statement.get("Effect").and_then(Value::as_str) {
                Some("Allow") => trusted.let_in(&statement),
                Some("Deny") => _ = trusted.denies.insert(hash(&plain(&statement))),
                _ => {}
            }
        }
        trusted.callers.truncate(CALLERS_MAX);
        for (caller, _) in &mut trusted.callers {
            cut(caller, CALLER_BYTES_MAX);
        }
        trusted
    }

    fn let_in(&mut self, statement: &Value) {
        let principal = statement.get("Principal").cloned().unwrap_or_default();
        let mut named: Vec<Value> = match &principal {
            Value::Object(kinds) => kinds.values().flat_map(many).collect(),
            other => many(other),
        };
        // Whoever is not among those is anybody.
        named.extend(statement.get("NotPrincipal").map(|_| Value::from("*")));
        let subjects = subjects(statement);
        for named in named.iter().filter_map(Value::as_str) {
            if subjects.is_empty() || !named.contains(":oidc-provider/") {
                self.callers.push((named.to_owned(), terms(statement, false)));
            } else {
                let terms = terms(statement, true);
                self.callers.extend(subjects.iter().map(|subject| (format!("{named} {subject}"), terms)));
            }
        }
    }

    /// Whether it names whoever has called.
    pub(in crate::domain::trail) fn names(&self, event: &Event) -> bool {
        self.callers.iter().any(|(named, _)| names(named, event))
    }

    /// Whether whoever has called may have needed what is new since another one: a statement that kept somebody out is gone, or
    /// they come in on other terms.
    pub(in crate::domain::trail) fn is_wider_for(&self, event: &Event, before: &Self) -> bool {
        let of = |trusted: &Self| -> Vec<u64> {
            trusted.callers.iter().filter(|(named, _)| names(named, event)).map(|(_, terms)| *terms).collect()
        };
        let was = of(before);
        !before.denies.is_subset(&self.denies) || (!was.contains(&0) && of(self).iter().any(|now| !was.contains(now)))
    }

    /// Whether it keeps out fewer than another one did, or lets one that this named in on other terms.
    pub(in crate::domain::trail) fn is_looser_than(&self, before: &Self) -> bool {
        let is_on_others = |(named, terms): &(String, u64)| {
            let mut was = before.callers.iter().filter(|(then, _)| by_number(then) == by_number(named)).peekable();
            was.peek().is_some() && !was.any(|(_, then)| *then == 0 || then == terms)
        };
        !before.denies.is_subset(&self.denies) || self.callers.iter().any(is_on_others)
    }
}

fn many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Whether a condition asks for the value itself, or one like it.
fn asks_for(operator: &str) -> bool {
    operator.contains("StringEquals") || operator.contains("StringLike")
}

/// The subjects that a statement's condition lets in; none where it does not ask.
fn subjects(statement: &Value) -> Vec<String> {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    let asks = operators.filter(|(operator, _)| asks_for(operator));
    let keys = asks.filter_map(|(_, keys)| keys.as_object()).flatten();
    let values = keys.filter(|(key, _)| key.ends_with(":sub")).flat_map(|(_, values)| many(values));
    values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// What stands for all else that a statement asks of whomever it lets in. The subjects for whom a provider vouches stand beside
/// it.
fn terms(statement: &Value, is_vouched: bool) -> u64 {
    let mut asked: Vec<String> = Vec::new();
    for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            if !(is_vouched && asks_for(operator) && key.ends_with(":sub")) {
                asked.push(format!("{operator} {} {}", key.to_ascii_lowercase(), plain(values)));
            }
        }
    }
    asked.extend(statement.get("NotPrincipal").map(|others| format!("NotPrincipal {}", plain(others))));
    if asked.is_empty() {
        return 0;
    }
    asked.sort();
    hash(&asked.join("\n"))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A part of a policy, the same however it is written: in whatever order, one thing by itself or as a list of one. What a
/// statement is called says nothing.
fn plain(value: &Value) -> String {
    let sorted = |mut parts: Vec<String>| {
        parts.sort();
        parts.dedup();
        parts.join(",")
    };
    match value {
        Value::Array(values) => sorted(values.iter().map(plain).collect()),
        Value::Object(members) => {
            let said = members.iter().filter(|(name, _)| *name != "Sid");
            let parts = said.map(|(name, value)| format!("{:?}:{}", name.to_ascii_lowercase(), plain(value)));
            format!("{{{}}}", sorted(parts.collect()))
        }
        Value::String(text) => format!("{:?}", by_number(text)),
        other => format!("{:?}", other.to_string()),
    }
}

/// An account that is named by the ARN of its root is the same as by its number.
fn by_number(named: &str) -> &str {
    let root = named.strip_suffix(":root").filter(|arn| arn.starts_with("arn:") && arn.contains(":iam::"));
    root.map_or(named, account_of)
}

/// Whether the one that a trust policy names is who has called.
fn names(named: &str, event: &Event) -> bool {
    let caller = &event.caller;
    let (named, subject) = named.split_once(' ').map_or((named, None), |(named, subject)| (named, Some(subject)));
    let vouched = || match event.outsider.as_deref() {
        Some(outsider) if outsider.provider() == Some(named) => {
            // Of whom the record says nothing, it can be.
            outsider.subject().zip(subject).is_none_or(|(is, asked)| is_like(is, asked))
        }
        _ => false,
    };
    let account = if named.starts_with("arn:") { account_of(named) } else { named };
    // A principal of another account has no name in the record.
    let whole = named.ends_with(":root") || named == account || caller.arn.is_empty();
    named == "*"
        || (whole && !account.is_empty() && account == caller.account.as_ref())
        || (!caller.arn.is_empty() && named == caller.arn.as_ref())
        || role_session(&caller.arn).is_some_and(|(account, role, _)| is_role(named, account, role))
        || named == caller.invoked_by.as_ref()
        || caller.principal_id.split(':').next() == Some(named)
        || vouched()
}

/// Whether an ARN is a role's, of this name.
fn is_role(arn: &str, account: &str, name: &str) -> bool {
    arn.contains(":role/") && account_of(arn) == account && bare_name(arn) == name
}

/// As a policy's `StringLike` has it: `*` for any text, `?` for one character.
fn is_like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // Where to go on when what follows the last star does not fit after all.
    let mut star = None;
    loop {
        let (before, asked) = (text.clone(), pattern.next());
        match (asked, text.next()) {
            (Some('*'), _) => {
                star = Some((before.clone(), pattern.clone()));
                text = before;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => {}
            (Some(asked), Some(is)) if asked == is => {}
            _ => {
                let Some((from, after)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (text, pattern) = (from.clone(), after.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_character() {
        for (pattern, fits) in [
            ("repo:acme/app:*", true),
            ("repo:acme/*:ref:*/main", true),
            ("*", true),
            ("repo:acme/ap?:ref:refs/heads/main", true),
            ("repo:acme/app:ref:refs/heads/main*", true),
            ("repo:acme/app", false),
            ("repo:acme/?:*", false),
            ("*dev", false),
            ("", false),
        ] {
            assert_eq!(is_like("repo:acme/app:ref:refs/heads/main", pattern), fits, "{pattern}");
        }
    }

    fn callers(document: &str) -> Vec<String> {
        Trusted::by(document).callers.into_iter().map(|(named, _)| named).collect()
    }

    #[test]
    fn a_trust_policy_says_who_may_come_in() {
        let document = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::9:root"],"Service":"x"}},
            {"Effect":"Deny","Principal":"*"},{"Effect":"Allow","Principal":"*"},{"Effect":"Allow"}]}"#;
        let mut found = callers(document);
        found.sort();
        assert_eq!(found, ["*", "arn:aws:iam::9:root", "x"]);
        assert!(callers("{").is_empty() && callers("[1]").is_empty());
        let all_but = r#"{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::9:root"}}}"#;
        assert_eq!(callers(all_but), ["*"]);
    }

    #[test]
    fn a_policy_is_the_same_however_it_is_written() {
        let by = |statements: serde_json::Value| Trusted::by(&serde_json::json!({"Statement": statements}).to_string());
        let one = by(serde_json::json!([
            {"Sid": "a", "Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-1", "o-2"]}}},
        ]));
        let other = by(serde_json::json!([
            {"Effect": "Allow", "Principal": "*", "Condition": {"StringEquals": {"aws:principalorgid": ["o-2", "o-1"]}}},
            {"Sid": "b", "Effect": "Deny", "Principal": {"AWS": ["999988887777"]}, "Action": ["sts:AssumeRole"]},
        ]));
        assert_eq!(one, other);
        let stricter = by(serde_json::json!([
            {"Effect": "Allow", "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
            {"Effect": "Deny", "Principal": {"AWS": "999988887777"}, "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "Principal": {"AWS": "666655554444"}, "Action": "sts:AssumeRole"},
        ]));
        assert!(one.is_looser_than(&stricter) && stricter.is_looser_than(&one), "nobody can say which terms are wider");
        let open = by(serde_json::json!({"Effect": "Allow", "Principal": "*"}));
        assert!(open.is_looser_than(&one) && !one.is_looser_than(&open));
    }

    #[test]
    fn a_provider_is_named_with_each_of_the_subjects_that_it_may_vouch_for() {
        let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        let document = serde_json::json!({"Statement": [
            {"Effect": "Allow", "Principal": {"Federated": provider}, "Condition": {
                "StringLike": {"token.actions.githubusercontent.com:sub": ["repo:acme/*", "repo:evil/*"]},
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}}},
            {"Effect": "Allow", "Principal": {"Federated": provider, "AWS": "*"}},
            {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::999988887777:root"}},
        ]});
        let mut found = callers(&document.to_string());
        found.sort();
        let of = |subject: &str| format!("{provider}{subject}");
        assert_eq!(found, ["*".to_owned(), of(""), of(" repo:acme/*"), of(" repo:evil/*")]);
    }
}
