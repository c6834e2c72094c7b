//! The `Condition` element.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Context, wildcard};

#[derive(Debug)]
pub(super) struct Condition {
    operator: Operator,
    /// Holds when none of the values matches, rather than when one does; a missing key matches none.
    negated: bool,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    StringEquals,
    StringEqualsIgnoreCase,
    /// Strings and ARNs with wildcards.
    Like,
    DateEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    Null,
}

impl Operator {
    /// The operator and whether it is a negated one.
    fn named(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "StringEquals" => (Self::StringEquals, false),
            "StringNotEquals" => (Self::StringEquals, true),
            "StringEqualsIgnoreCase" => (Self::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Self::StringEqualsIgnoreCase, true),
            "StringLike" | "ArnLike" | "ArnEquals" => (Self::Like, false),
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (Self::Like, true),
            "DateEquals" => (Self::DateEquals, false),
            "DateNotEquals" => (Self::DateEquals, true),
            "DateLessThan" => (Self::DateLessThan, false),
            "DateLessThanEquals" => (Self::DateLessThanEquals, false),
            "DateGreaterThan" => (Self::DateGreaterThan, false),
            "DateGreaterThanEquals" => (Self::DateGreaterThanEquals, false),
            "Bool" => (Self::Bool, false),
            "Null" => (Self::Null, false),
            _ => return None,
        })
    }

    fn matches(self, actual: &str, wanted: &str) -> bool {
        let dates = |holds: fn(&DateTime<Utc>, &DateTime<Utc>) -> bool| {
            date(actual).zip(date(wanted)).is_some_and(|(actual, wanted)| holds(&actual, &wanted))
        };
        match self {
            Self::StringEquals => actual == wanted,
            Self::StringEqualsIgnoreCase | Self::Bool => actual.eq_ignore_ascii_case(wanted),
            Self::Like => wildcard(wanted, actual),
            Self::DateEquals => dates(DateTime::eq),
            Self::DateLessThan => dates(DateTime::lt),
            Self::DateLessThanEquals => dates(DateTime::le),
            Self::DateGreaterThan => dates(DateTime::gt),
            Self::DateGreaterThanEquals => dates(DateTime::ge),
            // Asked of a key that is there.
            Self::Null => wanted.eq_ignore_ascii_case("false"),
        }
    }
}

/// All conditions of a statement; each must hold.
pub(super) fn parse(value: &Value) -> Result<Vec<Condition>, String> {
    let syntax = || "Syntax errors in policy.".to_owned();
    let mut conditions = Vec::new();
    for (name, keys) in value.as_object().ok_or_else(syntax)? {
        let (base, if_exists) = name.strip_suffix("IfExists").map_or((name.as_str(), false), |base| (base, true));
        // Of a key with one value that is the same, and of none it holds.
        let (base, if_exists) = base.strip_prefix("ForAllValues:").map_or((base, if_exists), |base| (base, true));
        let (operator, negated) = Operator::named(base).ok_or_else(|| format!("Invalid Condition type : {name}"))?;
        for (key, values) in keys.as_object().ok_or_else(syntax)? {
            conditions.push(Condition {
                operator,
                negated,
                if_exists,
                key: key.to_ascii_lowercase(),
                values: scalars(values).ok_or_else(syntax)?,
            });
        }
    }
    Ok(conditions)
}

impl Condition {
    pub(super) fn holds(&self, context: &Context) -> bool {
        let Some(actual) = context.get(self.key.as_str()) else {
            let wants_absent = self.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
            return self.if_exists || self.negated || (matches!(self.operator, Operator::Null) && wants_absent);
        };
        let matched = self.values.iter().any(|value| self.operator.matches(actual, &with_variables(value, context)));
        matched != self.negated
    }
}

/// Conditions may write booleans and numbers bare.
fn scalars(value: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Some(vec![one(value)?]),
    }
}

/// A date in ISO 8601 or in seconds since 1970, as IAM takes both.
fn date(text: &str) -> Option<DateTime<Utc>> {
    match text.parse::<i64>() {
        Ok(seconds) => DateTime::from_timestamp(seconds, 0),
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
    }
}

/// Replaces policy variables such as `${aws:username}`; one that is unknown stays, and matches nothing.
pub(super) fn with_variables(text: &str, context: &Context) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        match context.get(name.to_ascii_lowercase().as_str()) {
            Some(value) => out.push_str(value),
            None => out.extend(["${", name, "}"]),
        }
        rest = tail;
    }
    out + rest
}
