//! What one version of a policy says that another does not, for people who have to choose between them. It compares words: what
//! a pattern covers, or a condition comes to, it does not work out.

use std::collections::BTreeSet;

use serde_json::Value;

/// Statements of each kind that a sentence names, and letters of each.
const SHOWN_MAX: usize = 3;
const CHARS_MAX: usize = 70;

/// What `other` has beside `one`, and what it lacks of it, as the end of a sentence about it.
pub(super) fn compared(one: &str, other: &str) -> String {
    let (Some(one), Some(other)) = (statements(one), statements(other)) else {
        return "cannot be compared with it: read both".to_owned();
    };
    let more: Vec<&String> = other.difference(&one).collect();
    let less: Vec<&String> = one.difference(&other).collect();
    match (&more[..], &less[..]) {
        ([], []) => "says the same".to_owned(),
        (more, []) => format!("has also {}", listed(more)),
        ([], less) => format!("lacks {}", listed(less)),
        (more, less) => format!("has also {}, and lacks {}", listed(more), listed(less)),
    }
}

fn listed(statements: &[&String]) -> String {
    let named = statements.iter().take(SHOWN_MAX).map(|statement| format!("“{}”", cut(statement)));
    let named = named.collect::<Vec<_>>().join(", ");
    match statements.len().saturating_sub(SHOWN_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn cut(text: &str) -> String {
    let start: String = text.chars().take(CHARS_MAX).collect();
    if start == text { start } else { format!("{start}…") }
}

/// Each action of each statement by itself: `Allow s3:GetObject on *`. None where this is no policy.
fn statements(document: &str) -> Option<BTreeSet<String>> {
    let document: Value = serde_json::from_str(document).ok()?;
    let list = items(document.get("Statement")?);
    let mut all = BTreeSet::new();
    for statement in list {
        let effect = statement.get("Effect")?.as_str()?;
        let on = words(statement, "Resource", "NotResource")?.join(", ");
        let condition = statement.get("Condition").map(|condition| format!(" if {condition}")).unwrap_or_default();
        let actions = words(statement, "Action", "NotAction")?;
        all.extend(actions.iter().map(|action| format!("{effect} {action} on {on}{condition}")));
    }
    Some(all)
}

/// What a member lists, sorted; what only its opposite lists is one thing: all but those.
fn words(statement: &Value, member: &str, opposite: &str) -> Option<Vec<String>> {
    let sorted = |of: &Value| {
        let mut texts: Vec<String> = items(of).iter().filter_map(Value::as_str).map(str::to_owned).collect();
        texts.sort();
        texts
    };
    match (statement.get(member), statement.get(opposite)) {
        (Some(listed), _) => Some(sorted(listed)),
        (None, Some(listed)) => Some(vec![format!("all but {}", sorted(listed).join(", "))]),
        (None, None) => None,
    }
}

/// IAM writes a list of one as the one.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statements: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#)
    }

    #[test]
    fn only_what_is_said_differently_is_named() {
        let narrow = policy(r#"{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["b","a"]}"#);
        let alike = policy(
            r#"[{"Effect":"Allow","Action":"s3:PutObject","Resource":["a","b"]},
                {"Effect":"Allow","Action":["s3:GetObject"],"Resource":["a","b"]}]"#,
        );
        assert_eq!(compared(&narrow, &alike), "says the same");
        let bounded = policy(
            r#"[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["a","b"]},
                {"Effect":"Deny","NotAction":["sts:*","iam:*"],"NotResource":"c","Condition":{"Bool":{"x":"y"}}}]"#,
        );
        let deny = r#"“Deny all but iam:*, sts:* on all but c if {"Bool":{"x":"y"}}”"#;
        assert_eq!(compared(&narrow, &bounded), format!("has also {deny}"));
        assert_eq!(compared(&bounded, &narrow), format!("lacks {deny}"));
        let wide = policy(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#);
        let both = "has also “Allow * on *”, and lacks “Allow s3:GetObject on a, b”, “Allow s3:PutObject on a, b”";
        assert_eq!(compared(&narrow, &wide), both);
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_no_policy_is_for_people_to_read() {
        let many: Vec<String> = (0..5).map(|n| format!("\"s3:{n}{}\"", "x".repeat(100))).collect();
        let many = policy(&format!(r#"{{"Effect":"Allow","Action":[{}],"Resource":"*"}}"#, many.join(",")));
        let shown = compared(&policy("[]"), &many);
        assert!(shown.ends_with("…” and 2 more") && shown.chars().count() < 300, "{shown}");
        for broken in ["", "{}", r#"{"Statement":[{"Effect":"Allow"}]}"#] {
            assert!(compared(&many, broken).contains("read both") && compared(broken, &many).contains("read both"));
        }
    }
}
