//! No time is taken from a log that cannot be reckoned with: at the end of what a date can hold, a moment more is none at all.

use serde_json::Value;

use super::Read;

/// Whether a time in a record that can be read otherwise is of a year with more than four digits. What people have written may
/// look like one.
pub(super) fn are_beyond(text: &str) -> bool {
    // Such a year has a sign before it, and none of the bot's own texts has a sign escaped.
    let looks_so = |begins: &str| is_beyond(begins) || begins.starts_with("\\u00");
    if !text.split('"').skip(1).any(looks_so) {
        return false;
    }
    let Ok(mut record) = serde_json::from_str::<Value>(text) else { return true };
    // What has to be a time is missed then, and a text is not.
    put_aside(&mut record) && serde_json::from_value::<Read>(record).is_err()
}

fn is_beyond(text: &str) -> bool {
    let Some(year) = text.trim_start().strip_prefix(['+', '-']) else { return false };
    let digits = year.bytes().take_while(u8::is_ascii_digit).count();
    digits > 4 && year[digits..].trim_start().starts_with('-')
}

/// Empties all that looks like such a time, and says whether there was any.
fn put_aside(value: &mut Value) -> bool {
    match value {
        Value::String(text) if is_beyond(text) => {
            text.clear();
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| put_aside(item) | any),
        Value::Object(members) => members.values_mut().fold(false, |any, member| put_aside(member) | any),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::{Record, Unreadable, read};
    use crate::domain::incident::event::Event;

    fn lease_until(at: &str) -> Event {
        Event::ExecutionContinues { request: "INC-1.1".parse().unwrap(), lease_until: at.parse().unwrap() }
    }

    fn sealed(event: Event) -> String {
        Record::seal(None, DateTime::UNIX_EPOCH, event).text().to_owned()
    }

    #[test]
    fn a_time_that_cannot_be_reckoned_with_makes_a_record_unreadable() {
        let fine = sealed(lease_until("9999-12-31T23:59:59Z"));
        assert!(read([fine.clone()]).is_ok());
        let last = DateTime::<Utc>::MAX_UTC.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
        for beyond in ["+262000-01-01T00:00:00Z", &*last, "\\u002b262000-01-01T00:00:00Z", " +10000-01-01T00:00:00Z"] {
            for held in ["9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"] {
                let text = fine.replace(held, beyond);
                assert_ne!(text, fine);
                let read = read([text]);
                assert!(matches!(read, Err(Unreadable::Form { number: 1, .. })), "{beyond} for {held}: {read:?}");
            }
        }
    }

    #[test]
    fn what_somebody_writes_may_look_like_such_a_time() {
        for reason in ["+262000-01-01T00:00:00Z", "-49123-456 is the bridge", "\u{1}", "+49"] {
            let (request, by) = ("INC-1.1".parse().unwrap(), "U1".parse().unwrap());
            let text = sealed(Event::RequestDenied { request, by, shown: None, reason: reason.into() });
            assert!(read([text]).is_ok(), "{reason:?}");
        }
    }
}
