//! Whom the policies of functions and event buses let in from outside the account, as they are there and as a call has put them.

use serde_json::{Value, json};

use super::super::approval::Digest;
use super::super::trail::resource::{at, items};

/// Operators that hold only where what they ask for is as they say. One that is about a key that is not there does not hold
/// either.
const BINDING: [&str; 5] = ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"];

/// A statement that lets in somebody who is neither of the account nor a service that calls for it.
#[derive(Debug, Eq, PartialEq)]
pub struct Stranger {
    /// Which it is in the policy.
    pub statement: String,
    /// Whom.
    pub whom: Vec<String>,
    /// Whether it is anybody of one organization and nobody else: mostly that is the account's own, and no more is known here.
    pub of_organization: bool,
}

impl Stranger {
    /// In a sentence.
    pub fn says(&self) -> String {
        format!("lets in {}", self.whom.join(", "))
    }

    /// Whom, the same however the policy writes it and in whatever order.
    pub fn lets_in(&self) -> String {
        let mut whom: Vec<&str> = self.whom.iter().map(|whom| plain_name(whom)).collect();
        whom.sort_unstable();
        whom.dedup();
        whom.join(", ")
    }
}

/// Such statements of a policy; `None` where it cannot be read. What is empty has none.
pub fn strangers(policy: &str, account: &str) -> Option<Vec<Stranger>> {
    if policy.trim().is_empty() {
        return Some(Vec::new());
    }
    let policy = serde_json::from_str::<Value>(policy).ok().filter(Value::is_object)?;
    Some(items(&policy["Statement"]).iter().filter_map(|statement| stranger(statement, account)).collect())
}

/// Which statement of a policy it is: its id, or what tells it from the others that have none either.
pub fn statement_id(statement: &Value) -> String {
    let sid = statement["Sid"].as_str().filter(|sid| !sid.is_empty());
    sid.map_or_else(|| format!("-{}", digest(statement)), str::to_owned)
}

/// Of what a statement says, and not of how: AWS gives back an account as the ARN of its root.
fn digest(statement: &Value) -> String {
    Digest::of_text(&plain(statement).to_string()).map(|digest| digest.short().to_owned()).unwrap_or_default()
}

fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(plain_name(text)),
        Value::Array(all) if all.len() == 1 => plain(&all[0]),
        Value::Array(all) => all.iter().map(plain).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

/// An account by its number, also where it is written as the ARN of its root.
fn plain_name(whom: &str) -> &str {
    whom.strip_suffix(":root").and_then(|arn| arn.rsplit_once(":iam::")).map_or(whom, |(_, account)| account)
}

/// Whom this statement of an event bus's policy lets in as a call puts it, by itself or in a whole policy.
pub(super) fn put(request: &Value, statement: &str, account: &str) -> Vec<String> {
    let put = match (first(request, "statementId"), first(request, "policy")) {
        (None, Some(policy)) => strangers(&policy, account).unwrap_or_default(),
        _ => stranger(&put_statement(request), account).into_iter().collect(),
    };
    put.iter().filter(|stranger| stranger.statement == statement).map(Stranger::lets_in).collect()
}

/// The statement that a call puts by itself, as it is in the policy then.
fn put_statement(request: &Value) -> Value {
    let text = |path: &str| first(request, path).unwrap_or_default();
    let (operator, key) = (text("condition.type"), text("condition.key"));
    json!({
        "Sid": text("statementId"),
        "Effect": "Allow",
        "Principal": { "AWS": text("principal") },
        "Condition": { operator: { key: at(request, "condition.value") } },
    })
}

fn first(request: &Value, path: &str) -> Option<String> {
    at(request, path).into_iter().next()
}

fn stranger(statement: &Value, account: &str) -> Option<Stranger> {
    // Of no account is nobody: `::` is in every ARN of IAM.
    let is_own = |whom: &str| !account.is_empty() && (whom == account || whom.contains(&format!(":{account}:")));
    let principal = &statement["Principal"];
    let named = if principal.is_string() { principal } else { &principal["AWS"] };
    // Who is everybody but these is anybody.
    let named = if statement["NotPrincipal"].is_null() { texts(named) } else { vec!["*"] };
    let whom: Vec<&str> = named.into_iter().filter(|whom| !whom.is_empty() && !is_own(whom)).collect();
    if statement["Effect"] != "Allow" || whom.is_empty() {
        return None;
    }
    let found = |whom: Vec<String>, of_organization| {
        Some(Stranger { statement: statement_id(statement), whom, of_organization })
    };
    // Whoever is named is let in from where they are; what binds everybody can leave nobody from outside.
    if whom.iter().any(|whom| *whom != "*") {
        return found(whom.into_iter().map(str::to_owned).collect(), false);
    }
    let owners = [asked(statement, "aws:SourceAccount"), asked(statement, "aws:PrincipalAccount")].concat();
    let sources = [asked(statement, "aws:SourceArn"), asked(statement, "aws:PrincipalArn")].concat();
    if are_all(&owners, |of| of == account) || are_all(&sources, |arn| arn.split(':').nth(4) == Some(account)) {
        return None;
    }
    let organizations = asked(statement, "aws:PrincipalOrgID");
    if organizations.is_empty() || organizations.iter().any(|of| of.contains('*')) {
        return found(vec!["*".to_owned()], false);
    }
    found(vec![format!("* of organization {}", organizations.join(", "))], true)
}

fn are_all(values: &[&str], own: impl Fn(&str) -> bool) -> bool {
    !values.is_empty() && values.iter().all(|value| own(value))
}

/// What a statement asks of a key, whatever the case of its letters.
fn asked<'s>(statement: &'s Value, key: &str) -> Vec<&'s str> {
    let operators = statement["Condition"].as_object().into_iter().flatten();
    let binding = operators.filter(|(operator, _)| BINDING.iter().any(|known| known.eq_ignore_ascii_case(operator)));
    let keys = binding.filter_map(|(_, keys)| keys.as_object()).flatten();
    keys.filter(|(of, _)| of.eq_ignore_ascii_case(key)).flat_map(|(_, values)| texts(values)).collect()
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "111122223333";

    fn of(principal: &str, condition: &str) -> Vec<String> {
        let policy = format!(
            r#"{{"Statement":[{{"Sid":"s","Effect":"Allow","Principal":{principal},"Condition":{{{condition}}}}}]}}"#
        );
        strangers(&policy, OWN).unwrap().into_iter().flat_map(|stranger| stranger.whom).collect()
    }

    #[test]
    fn strangers_are_who_is_not_of_the_account() {
        assert_eq!(of(r#""*""#, ""), ["*"]);
        assert_eq!(of(r#"{"AWS":"*"}"#, ""), ["*"]);
        assert_eq!(
            of(r#"{"AWS":["arn:aws:iam::444455556666:root","arn:aws:iam::111122223333:role/a"]}"#, ""),
            ["arn:aws:iam::444455556666:root"]
        );
        assert!(of(r#"{"AWS":"111122223333"}"#, "").is_empty());
        assert!(of(r#"{"Service":"events.amazonaws.com"}"#, "").is_empty());
        for none in ["", "{}"] {
            assert_eq!(strangers(none, OWN), Some(vec![]));
        }
        let denies = r#"{"Statement":{"Sid":"s","Effect":"Deny","Principal":"*"}}"#;
        assert_eq!(strangers(denies, OWN), Some(vec![]));
        let one = r#"{"Statement":{"Sid":"s","Effect":"Allow","Principal":"*"}}"#;
        let found = Stranger { statement: "s".into(), whom: vec!["*".into()], of_organization: false };
        assert_eq!(strangers(one, OWN), Some(vec![found]));
    }

    #[test]
    fn everybody_but_some_is_anybody_and_what_cannot_be_read_is_not_nobody() {
        let but = r#"{"Statement":{"Sid":"s","Effect":"Allow","NotPrincipal":{"AWS":"111122223333"}}}"#;
        assert_eq!(strangers(but, OWN).unwrap()[0].whom, ["*"]);
        let denies = r#"{"Statement":{"Sid":"s","Effect":"Deny","NotPrincipal":{"AWS":"111122223333"}}}"#;
        assert_eq!(strangers(denies, OWN), Some(vec![]));
        for unreadable in ["{", "[]", "policy"] {
            assert_eq!(strangers(unreadable, OWN), None, "{unreadable}");
        }
    }

    #[test]
    fn statements_without_an_id_are_told_apart_by_what_they_say_however_that_is_written() {
        let of = |principal: Value| json!({"Effect": "Allow", "Principal": {"AWS": principal}});
        let id = |principal: Value| statement_id(&of(principal));
        assert_ne!(id(json!("444455556666")), id(json!("555566667777")));
        assert_eq!(id(json!("444455556666")), id(json!(["arn:aws:iam::444455556666:root"])));
        assert!(id(json!("444455556666")).len() > 1 && id(json!("444455556666")).starts_with('-'));
        assert_eq!(statement_id(&json!({"Sid": "x", "Effect": "Allow"})), "x");
    }

    #[test]
    fn what_binds_everybody_to_the_account_lets_in_nobody_from_outside_and_nothing_else_does() {
        for bound in [
            r#""StringEquals":{"AWS:SourceAccount":"111122223333"}"#,
            r#""StringEquals":{"aws:SourceAccount":["111122223333"]}"#,
            r#""ArnLike":{"AWS:SourceArn":"arn:aws:sns:us-east-1:111122223333:*"}"#,
            r#""StringLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}"#,
        ] {
            assert!(of(r#""*""#, bound).is_empty(), "{bound}");
        }
        for open in [
            r#""StringEquals":{"aws:SourceAccount":"444455556666"}"#,
            r#""StringEquals":{"aws:SourceAccount":["111122223333","444455556666"]}"#,
            r#""StringNotEquals":{"aws:SourceAccount":"111122223333"}"#,
            r#""StringEqualsIfExists":{"aws:SourceAccount":"111122223333"}"#,
            r#""StringEquals":{"aws:SourceAccount":[]}"#,
            // A bucket's name is not of an account.
            r#""ArnLike":{"AWS:SourceArn":"arn:aws:s3:::uploads"}"#,
            r#""StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}"#,
            r#""StringLike":{"aws:PrincipalOrgID":"o-*"}"#,
        ] {
            assert_eq!(of(r#""*""#, open), ["*"], "{open}");
        }
        let bound = r#""StringEquals":{"aws:SourceAccount":"111122223333"}"#;
        assert_eq!(of(r#"{"AWS":"444455556666"}"#, bound), ["444455556666"], "who is named is from outside");
    }

    #[test]
    fn whom_an_organization_binds_is_said_and_is_no_alarm() {
        let policy = r#"{"Statement":[{"Sid":"s","Effect":"Allow","Principal":"*",
            "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abc"}}}]}"#;
        let found = strangers(policy, OWN).unwrap();
        assert_eq!((found[0].lets_in().as_str(), found[0].of_organization), ("* of organization o-abc", true));
    }
}
