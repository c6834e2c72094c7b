//! Policy documents: parsing as strict as IAM's, and the decision of one set of policies.

mod condition;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use condition::Condition;

/// Condition keys of a request, lower case, with their value. A key that is missing is absent.
pub(super) type Context = BTreeMap<&'static str, String>;

/// Where a document stands, which decides what it must and must not contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Identity,
    Trust,
}

/// What a set of policies says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    ExplicitDeny,
    ImplicitDeny,
}

#[derive(Debug)]
pub(super) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    denies: bool,
    action: Patterns,
    resource: Option<Patterns>,
    principals: Vec<Principal>,
    conditions: Vec<Condition>,
}

/// One entry of a `Principal` element, for example `AWS` and an ARN.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) kind: String,
    pub(super) value: String,
}

#[derive(Debug)]
struct Patterns {
    negated: bool,
    patterns: Vec<String>,
}

impl Policy {
    /// The document, or IAM's sentence on what is wrong with it.
    pub(super) fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let syntax = || "Syntax errors in policy.".to_owned();
        let document: Map<String, Value> = serde_json::from_str(text).map_err(|_| syntax())?;
        if document.keys().any(|key| !matches!(key.as_str(), "Version" | "Id" | "Statement")) {
            return Err(syntax());
        }
        match document.get("Version").map(Value::as_str) {
            None if kind == Kind::Trust => {}
            Some(Some("2012-10-17" | "2008-10-17")) => {}
            _ => return Err("Policy document must be version 2012-10-17 or greater.".to_owned()),
        }
        let statements = match document.get("Statement").ok_or_else(syntax)? {
            Value::Array(statements) if !statements.is_empty() => statements.iter().collect(),
            statement @ Value::Object(_) => vec![statement],
            _ => return Err(syntax()),
        };
        let statements =
            statements.into_iter().map(|statement| Statement::parse(statement, kind)).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }

    /// What it says where no principal is involved: an identity or a session policy.
    pub(super) fn decide(&self, action: &str, resource: &str, context: &Context) -> Decision {
        decide(self.statements.iter(), action, resource, context)
    }

    /// What a trust policy says to whoever `is` recognises among the principals.
    pub(super) fn decide_for(&self, is: impl Fn(&Principal) -> bool, action: &str, context: &Context) -> Decision {
        let theirs = self.statements.iter().filter(|statement| statement.principals.iter().any(&is));
        decide(theirs, action, "*", context)
    }

    /// Whether what it says hangs on how somebody calls.
    pub(super) fn has_conditions(&self) -> bool {
        self.statements.iter().any(|statement| !statement.conditions.is_empty())
    }

    /// Every principal that the document names.
    pub(super) fn principals(&self) -> impl Iterator<Item = &Principal> {
        self.statements.iter().flat_map(|statement| &statement.principals)
    }
}

fn decide<'a>(
    statements: impl Iterator<Item = &'a Statement>,
    action: &str,
    resource: &str,
    context: &Context,
) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for statement in statements {
        if statement.applies(action, resource, context) {
            if statement.denies {
                return Decision::ExplicitDeny;
            }
            decision = Decision::Allow;
        }
    }
    decision
}

impl Statement {
    fn parse(value: &Value, kind: Kind) -> Result<Self, String> {
        const KNOWN: [&str; 8] =
            ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"];
        let syntax = || "Syntax errors in policy.".to_owned();
        let fields = value.as_object().ok_or_else(syntax)?;
        if fields.keys().any(|key| !KNOWN.contains(&key.as_str())) {
            return Err(syntax());
        }
        let denies = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => false,
            Some("Deny") => true,
            _ => return Err(syntax()),
        };
        let action = Patterns::parse(fields, "Action", "NotAction")?
            .ok_or_else(|| "Policy statement must contain actions.".to_owned())?;
        if action.patterns.iter().any(|pattern| pattern != "*" && !pattern.contains(':')) {
            return Err("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned());
        }
        let resource = Patterns::parse(fields, "Resource", "NotResource")?;
        let principals = fields.get("Principal").map_or_else(|| Ok(Vec::new()), principals)?;
        match kind {
            Kind::Identity if fields.contains_key("Principal") => {
                return Err("Policy document should not specify a principal.".to_owned());
            }
            Kind::Identity if resource.is_none() => {
                return Err("Policy statement must contain resources.".to_owned());
            }
            Kind::Trust if resource.is_some() => return Err("Has prohibited field Resource".to_owned()),
            Kind::Trust if principals.is_empty() => return Err("Missing required field Principal".to_owned()),
            Kind::Identity | Kind::Trust => {}
        }
        let conditions = fields.get("Condition").map_or_else(|| Ok(Vec::new()), condition::parse)?;
        Ok(Self { denies, action, resource, principals, conditions })
    }

    fn applies(&self, action: &str, resource: &str, context: &Context) -> bool {
        self.action.matches(&action.to_ascii_lowercase(), str::to_ascii_lowercase)
            && self.resource.as_ref().is_none_or(|resources| {
                resources.matches(resource, |pattern| condition::with_variables(pattern, context))
            })
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

impl Patterns {
    fn parse(fields: &Map<String, Value>, plain: &str, negated: &str) -> Result<Option<Self>, String> {
        match (fields.get(plain), fields.get(negated)) {
            (None, None) => Ok(None),
            (Some(value), None) => Ok(Some(Self { negated: false, patterns: strings(value)? })),
            (None, Some(value)) => Ok(Some(Self { negated: true, patterns: strings(value)? })),
            (Some(_), Some(_)) => Err("Syntax errors in policy.".to_owned()),
        }
    }

    fn matches(&self, subject: &str, prepared: impl Fn(&str) -> String) -> bool {
        self.patterns.iter().any(|pattern| wildcard(&prepared(pattern), subject)) != self.negated
    }
}

fn principals(value: &Value) -> Result<Vec<Principal>, String> {
    let invalid = || "Invalid principal in policy.".to_owned();
    let fields = match value {
        Value::String(any) if any == "*" => {
            return Ok(vec![Principal { kind: "AWS".to_owned(), value: "*".to_owned() }]);
        }
        Value::Object(fields) if !fields.is_empty() => fields,
        _ => return Err(invalid()),
    };
    let mut found = Vec::new();
    for (kind, values) in fields {
        if !matches!(kind.as_str(), "AWS" | "Service" | "Federated") {
            return Err(invalid());
        }
        found.extend(strings(values)?.into_iter().map(|value| Principal { kind: kind.clone(), value }));
    }
    Ok(found)
}

/// A string or a list of strings, none of them missing.
fn strings(value: &Value) -> Result<Vec<String>, String> {
    let syntax = || "Syntax errors in policy.".to_owned();
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(values) if !values.is_empty() => {
            values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(syntax)).collect()
        }
        _ => Err(syntax()),
    }
}

/// One place of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `*`: any run of characters.
    Run,
    /// `?`: exactly one.
    One,
    Byte(u8),
}

/// The places of a pattern. `${*}`, `${?}` and `${$}` stand for the characters themselves.
fn places(pattern: &str) -> Vec<Place> {
    let mut places = Vec::with_capacity(pattern.len());
    let mut rest = pattern.as_bytes();
    while let [first, tail @ ..] = rest {
        if let [b'$', b'{', literal @ (b'*' | b'?' | b'$'), b'}', tail @ ..] = rest {
            places.push(Place::Byte(*literal));
            rest = tail;
            continue;
        }
        places.push(match first {
            b'*' => Place::Run,
            b'?' => Place::One,
            byte => Place::Byte(*byte),
        });
        rest = tail;
    }
    places
}

/// `*` for any run of characters, `?` for exactly one. Linear in time but for the last `*`.
pub(super) fn wildcard(pattern: &str, subject: &str) -> bool {
    let (pattern, subject) = (places(pattern), subject.as_bytes());
    let (mut p, mut s) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while s < subject.len() {
        if pattern.get(p) == Some(&Place::Run) {
            retry = Some((p, s));
            p += 1;
        } else if pattern.get(p).is_some_and(|place| matches!(place, Place::One) || *place == Place::Byte(subject[s])) {
            p += 1;
            s += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            p = star + 1;
            s = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|place| *place == Place::Run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(document: &str, action: &str, resource: &str, context: &[(&'static str, &str)]) -> Decision {
        let context = context.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Policy::parse(document, Kind::Identity).unwrap().decide(action, resource, &context)
    }

    #[test]
    fn a_deny_wins_and_silence_is_no() {
        let document = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"iam:*","Resource":"*"},
            {"Effect":"Deny","NotAction":"iam:get*","NotResource":"arn:aws:iam::1:user/ci-?"}]}"#;
        assert_eq!(decide(document, "iam:GetUser", "arn:aws:iam::1:user/a", &[]), Decision::Allow);
        assert_eq!(decide(document, "iam:DeleteUser", "arn:aws:iam::1:user/a", &[]), Decision::ExplicitDeny);
        assert_eq!(decide(document, "iam:DeleteUser", "arn:aws:iam::1:user/ci-1", &[]), Decision::Allow);
        let silent = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        assert_eq!(decide(silent, "iam:GetUser", "*", &[]), Decision::ImplicitDeny);
    }

    #[test]
    fn a_token_older_than_the_cut_off_is_denied_and_none_at_all_is_not() {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",
            "Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}]}"#;
        let at = |time| decide(document, "s3:GetObject", "*", &[("aws:tokenissuetime", time)]);
        assert_eq!(at("2025-12-31T23:59:59Z"), Decision::ExplicitDeny);
        assert_eq!(at("2026-01-01T00:00:00Z"), Decision::ImplicitDeny);
        assert_eq!(decide(document, "s3:GetObject", "*", &[]), Decision::ImplicitDeny);
        let if_exists = document.replace("DateLessThan", "DateLessThanIfExists");
        assert_eq!(decide(&if_exists, "s3:GetObject", "*", &[]), Decision::ExplicitDeny);
    }

    #[test]
    fn conditions_on_strings_lists_null_and_bool() {
        let with = |condition: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}]}}"#
            )
        };
        let role = [("sts:rolesessionname", "INC-7-a1")];
        let verdict = |condition: &str| decide(&with(condition), "a:b", "*", &role) == Decision::Allow;
        assert!(verdict(r#"{"StringLike":{"sts:RoleSessionName":["X-*","INC-*"]}}"#));
        assert!(!verdict(r#"{"StringNotLike":{"sts:RoleSessionName":["X-*","INC-*"]}}"#));
        assert!(verdict(r#"{"StringNotEquals":{"aws:username":"kim"}}"#));
        assert!(!verdict(r#"{"StringEquals":{"aws:username":"kim"}}"#));
        assert!(verdict(r#"{"Null":{"aws:TokenIssueTime":"true"}}"#));
        assert!(!verdict(r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#));
        assert!(verdict(r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":true}}"#));
    }

    #[test]
    fn what_iam_refuses() {
        let refused = |text: &str, kind| Policy::parse(text, kind).unwrap_err();
        assert_eq!(refused("{", Kind::Identity), "Syntax errors in policy.");
        assert!(refused(r#"{"Statement":[]}"#, Kind::Identity).contains("version"));
        let no_resource = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*"}}"#;
        assert!(refused(no_resource, Kind::Identity).contains("resources"));
        assert!(refused(no_resource, Kind::Trust).contains("Principal"));
        let operator = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateBefore":{"aws:TokenIssueTime":"x"}}}}"#;
        assert!(Policy::parse(operator, Kind::Identity).is_err());
    }

    #[test]
    fn wildcards() {
        assert!(wildcard("iam:*", "iam:getuser"));
        assert!(wildcard("a*b*c", "aXbXbc"));
        assert!(!wildcard("a*b*c", "aXbXbd"));
        assert!(wildcard("*", ""));
        assert!(!wildcard("?", ""));
        assert!(wildcard("key-pair/${*}", "key-pair/*") && !wildcard("key-pair/${*}", "key-pair/k"));
        assert!(wildcard("${$}${?}*", "$?x") && !wildcard("${$}${?}*", "$yx"));
    }
}
