//! What two policy documents say differently. IAM writes a list of one as the one, orders lists as it likes, and keeps an
//! account that is named by its number as the ARN of its root, while the trail shows it as it was sent: none of it is a
//! difference.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// The members of a statement that say whom it is about.
const WHOM: [&str; 2] = ["Principal", "NotPrincipal"];

/// Lines shown around each difference.
const LINES_AROUND: usize = 3;

pub(super) fn say_the_same(a: &str, b: &str) -> bool {
    match (parsed(a), parsed(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// The lines that go, marked `-`, and those that come, marked `+`, with some around them. Nothing when both say the same, or
/// have nothing in common: whoever reads both whole sees more.
pub fn difference(old: &str, new: &str) -> Option<String> {
    let (old, new) = match (parsed(old), parsed(new)) {
        (Some(mut old), Some(mut new)) => {
            lists_alike(&mut old, &mut new);
            (format!("{old:#}"), format!("{new:#}"))
        }
        _ => (old.to_owned(), new.to_owned()),
    };
    let diff = TextDiff::from_lines(&old, &new);
    let (mut text, mut differ, mut agree) = (String::new(), false, false);
    for (part, operations) in diff.grouped_ops(LINES_AROUND).iter().enumerate() {
        if part > 0 {
            text.push_str("  …\n");
        }
        for change in operations.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let mark = match change.tag() {
                ChangeTag::Equal => "  ",
                ChangeTag::Delete => "- ",
                ChangeTag::Insert => "+ ",
            };
            let says_something = change.value().contains(char::is_alphanumeric);
            agree |= change.tag() == ChangeTag::Equal && says_something;
            differ |= change.tag() != ChangeTag::Equal;
            text.extend([mark, change.value().trim_end(), "\n"]);
        }
    }
    (differ && agree).then_some(text)
}

/// Writes what is a list in one of them as a list in the other too: that it is one now would hide what has come into it.
fn lists_alike(old: &mut Value, new: &mut Value) {
    match (old, new) {
        (Value::Array(_), Value::Array(_)) => {}
        (Value::Array(_), one) | (one, Value::Array(_)) => *one = Value::Array(vec![one.take()]),
        (Value::Object(old), Value::Object(new)) => {
            for (name, member) in old {
                if let Some(other) = new.get_mut(name) {
                    lists_alike(member, other);
                }
            }
        }
        _ => {}
    }
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(normal)
}

fn normal(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(normal).collect();
            items.sort_by_cached_key(Value::to_string);
            if items.len() == 1 { items.swap_remove(0) } else { Value::Array(items) }
        }
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| {
                let member = if WHOM.contains(&name.as_str()) { with_arns(member) } else { member };
                (name, normal(member))
            })
            .collect(),
        other => other,
    }
}

fn with_arns(mut whom: Value) -> Value {
    let whole = |name: &mut Value| {
        if let Some(text) = name.as_str() {
            *name = Value::String(whole_principal(text));
        }
    };
    match whom.get_mut("AWS") {
        Some(Value::Array(names)) => names.iter_mut().for_each(whole),
        Some(name) => whole(name),
        None => {}
    }
    whom
}

/// A principal as IAM keeps it: of an account, the ARN of its root.
pub(super) fn whole_principal(name: &str) -> String {
    let is_account = name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit());
    if is_account { format!("arn:aws:iam::{name}:root") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],
        "Principal":{"AWS":["arn:aws:iam::111122223333:role/ci","arn:aws:iam::111122223333:user/dev"]}}]}"#;

    #[test]
    fn only_what_is_said_differently_is_a_difference() {
        let reordered = r#"{"Statement":{"Principal":{"AWS":["arn:aws:iam::111122223333:user/dev",
            "arn:aws:iam::111122223333:role/ci"]},"Action":"sts:AssumeRole","Effect":"Allow"},"Version":"2012-10-17"}"#;
        assert!(say_the_same(OLD, reordered));
        assert_eq!(difference(OLD, reordered), None);
        let opened = OLD.replace(r#":user/dev""#, r#":user/dev","arn:aws:iam::999988887777:root""#);
        assert!(!say_the_same(OLD, &opened));
        let expected = [
            r#"        "AWS": ["#,
            r#"          "arn:aws:iam::111122223333:role/ci","#,
            r#"-         "arn:aws:iam::111122223333:user/dev""#,
            r#"+         "arn:aws:iam::111122223333:user/dev","#,
            r#"+         "arn:aws:iam::999988887777:root""#,
            r"        ]",
            r"      }",
            r"    },",
        ];
        let shown = difference(OLD, &opened).unwrap();
        assert!(shown.ends_with(&(expected.join("\n") + "\n")), "{shown}");
    }

    #[test]
    fn an_account_is_the_same_by_its_number_and_by_the_arn_of_its_root() {
        let statement =
            |who: &str| format!(r#"{{"Statement":[{{"Effect":"Allow",{who},"Action":"sts:AssumeRole"}}]}}"#);
        for (sent, kept) in [
            (r#""Principal":{"AWS":"999988887777"}"#, r#""Principal":{"AWS":"arn:aws:iam::999988887777:root"}"#),
            (
                r#""NotPrincipal":{"AWS":["999988887777","arn:aws:iam::111122223333:user/ci"]}"#,
                r#""NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/ci","arn:aws:iam::999988887777:root"]}"#,
            ),
        ] {
            assert!(say_the_same(&statement(sent), &statement(kept)), "{sent}");
            assert!(!say_the_same(&statement(sent), &statement(&kept.replace("999988887777", "444455556666"))));
        }
        let condition = |account: &str| {
            statement(&format!(r#""Condition":{{"StringEquals":{{"aws:SourceAccount":"{account}"}}}}"#))
        };
        assert!(!say_the_same(&condition("999988887777"), &condition("arn:aws:iam::999988887777:root")));
    }

    #[test]
    fn what_comes_into_a_list_leaves_the_rest_of_it_alone() {
        let statement = |who: &str| format!(r#"{{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{who}}}"#);
        let (before, theirs) =
            (statement(r#"{"Service":"ecs-tasks.amazonaws.com"}"#), statement(r#"{"AWS":"444455556666"}"#));
        let old = format!(r#"{{"Statement":[{before},{theirs}]}}"#);
        let shown = difference(&old, &format!(r#"{{"Statement":[{before}]}}"#)).unwrap();
        assert!(!shown.lines().any(|line| line.starts_with('+')), "{shown}");
        assert!(
            shown.contains(r#"-         "AWS": "arn:aws:iam::444455556666:root""#)
                && !shown.contains(r#"-         "Service""#),
            "{shown}"
        );
        let one = |who: &str| format!(r#"{{"Statement":[{}]}}"#, statement(who));
        let shown =
            difference(&one(r#"{"AWS":"111122223333"}"#), &one(r#"{"AWS":["111122223333","444455556666"]}"#)).unwrap();
        let changed: Vec<&str> = shown.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(
            changed,
            [
                r#"-         "arn:aws:iam::111122223333:root""#,
                r#"+         "arn:aws:iam::111122223333:root","#,
                r#"+         "arn:aws:iam::444455556666:root""#
            ],
            "{shown}"
        );
    }

    #[test]
    fn what_is_no_json_is_compared_as_it_stands() {
        assert!(say_the_same("x", "x") && !say_the_same("x", "y"));
        assert_eq!(difference("x\ny", "x\nz").unwrap(), "  x\n- y\n+ z\n");
    }

    #[test]
    fn where_nothing_is_the_same_both_are_read_whole() {
        assert_eq!(difference(OLD, r#"{"Statement":[]}"#), None);
    }
}
