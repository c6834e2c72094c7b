//! Whom a role's trust lets in.

use serde_json::Value;

use super::super::event::Event;
use super::super::resource::cut;
use super::super::token::{account_of, bare_name, role_session};
use super::CALLERS_MAX;

/// Longest caller that is kept, in bytes: a provider's ARN and the subject of its condition.
const CALLER_BYTES_MAX: usize = 600;

/// Whom the statements of a trust policy name. Where an `OpenID` Connect provider vouches only for some, each of those stands
/// behind it, after a space.
pub(super) fn callers(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let mut callers = Vec::new();
    for statement in document.get("Statement").map(many).unwrap_or_default() {
        if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
            continue;
        }
        let principal = statement.get("Principal").cloned().unwrap_or_default();
        let named = match &principal {
            Value::Object(kinds) => kinds.values().flat_map(many).collect(),
            other => many(other),
        };
        let subjects = subjects(&statement);
        for named in named.iter().filter_map(Value::as_str) {
            if subjects.is_empty() || !named.contains(":oidc-provider/") {
                callers.push(named.to_owned());
            } else {
                callers.extend(subjects.iter().map(|subject| format!("{named} {subject}")));
            }
        }
    }
    callers.truncate(CALLERS_MAX);
    for caller in &mut callers {
        cut(caller, CALLER_BYTES_MAX);
    }
    callers
}

fn many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// The subjects that a statement's condition lets in; none where it does not ask.
fn subjects(statement: &Value) -> Vec<String> {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    let asks = operators.filter(|(operator, _)| operator.contains("StringEquals") || operator.contains("StringLike"));
    let keys = asks.filter_map(|(_, keys)| keys.as_object()).flatten();
    let values = keys.filter(|(key, _)| key.ends_with(":sub")).flat_map(|(_, values)| many(values));
    values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// Whether the one that a trust policy names is who has called.
pub(in crate::domain::trail) fn names(named: &str, event: &Event) -> bool {
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

    #[test]
    fn a_trust_policy_says_who_may_come_in() {
        let document = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::9:root"],"Service":"x"}},
            {"Effect":"Deny","Principal":"*"},{"Effect":"Allow","Principal":"*"},{"Effect":"Allow"}]}"#;
        let mut found = callers(document);
        found.sort();
        assert_eq!(found, ["*", "arn:aws:iam::9:root", "x"]);
        assert!(callers("{").is_empty() && callers("[1]").is_empty());
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
