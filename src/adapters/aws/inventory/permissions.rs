//! Whom the policies of functions let in from outside the account.

use serde_json::Value;

/// Operators that hold only where what they ask for is as they say. One that is about a key that is not there does not hold
/// either.
const BINDING: [&str; 5] = ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"];

/// A statement that lets in somebody who is neither of the account nor a service that calls for it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Stranger {
    /// Its id in the policy.
    pub(super) statement: String,
    /// Whom.
    pub(super) whom: String,
    /// Whether it is anybody of one organization and nobody else: mostly that is the account's own, and no more is known here.
    pub(super) of_organization: bool,
}

/// Such statements of a policy.
pub(super) fn strangers(policy: &str, account: &str) -> Vec<Stranger> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Vec::new() };
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one => vec![one.clone()],
    };
    statements.iter().filter_map(|statement| stranger(statement, account)).collect()
}

fn stranger(statement: &Value, account: &str) -> Option<Stranger> {
    let is_own = |whom: &str| whom == account || whom.contains(&format!(":{account}:"));
    let principal = &statement["Principal"];
    let named = if principal.is_string() { principal } else { &principal["AWS"] };
    let whom: Vec<&str> = texts(named).into_iter().filter(|whom| !is_own(whom)).collect();
    if statement["Effect"] != "Allow" || whom.is_empty() {
        return None;
    }
    let statement_id = statement["Sid"].as_str().unwrap_or("-").to_owned();
    let found = |whom: String, of_organization| Some(Stranger { statement: statement_id, whom, of_organization });
    // Whoever is named is let in from where they are; what binds everybody can leave nobody from outside.
    if whom.iter().any(|whom| *whom != "*") {
        return found(whom.join(", "), false);
    }
    let owners = [asked(statement, "aws:SourceAccount"), asked(statement, "aws:PrincipalAccount")].concat();
    let sources = [asked(statement, "aws:SourceArn"), asked(statement, "aws:PrincipalArn")].concat();
    if are_all(&owners, |of| of == account) || are_all(&sources, |arn| arn.split(':').nth(4) == Some(account)) {
        return None;
    }
    let organizations = asked(statement, "aws:PrincipalOrgID");
    if organizations.is_empty() || organizations.iter().any(|of| of.contains('*')) {
        return found("*".to_owned(), false);
    }
    found(format!("* of organization {}", organizations.join(", ")), true)
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
        strangers(&policy, OWN).into_iter().map(|stranger| stranger.whom).collect()
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
        assert!(strangers("{", OWN).is_empty() && strangers("{}", OWN).is_empty());
        let denies = r#"{"Statement":{"Sid":"s","Effect":"Deny","Principal":"*"}}"#;
        assert!(strangers(denies, OWN).is_empty());
        let one = r#"{"Statement":{"Sid":"s","Effect":"Allow","Principal":"*"}}"#;
        let found = Stranger { statement: "s".into(), whom: "*".into(), of_organization: false };
        assert_eq!(strangers(one, OWN), [found]);
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
        let found = strangers(policy, OWN);
        assert_eq!((found[0].whom.as_str(), found[0].of_organization), ("* of organization o-abc", true));
    }
}
