//! Which records are kept when there is no room for all. Refused calls and calls that only look around cost an attacker
//! nothing, and thousands of them must not push out what they have done, nor what got through in the end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::trail::classify::{Category, Outcome, by_name};
use super::super::trail::grant::may_grant;
use super::super::trail::record::Record;

/// Records of one incident that are kept, and their bytes.
pub const RECORDS_MAX: usize = 10_000;
/// See [`RECORDS_MAX`].
pub const BYTES_MAX: usize = 16 << 20;

/// How much a record says, the least first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Worth {
    /// It did not work.
    Refused,
    /// It only looked around; or it failed after the cut-off, without a denial.
    Looked,
    /// It changed something, or took data.
    Did,
    /// It may have handed out a credential.
    Granted,
    /// It worked after the cut-off.
    GotThrough,
}

impl Worth {
    fn of(record: &Record<'_>, cut_off: Option<DateTime<Utc>>) -> Self {
        let after = cut_off.zip(record.at()).is_some_and(|(cut_off, at)| at > cut_off);
        let looks = by_name(record.source(), record.name(), record.read_only).category == Category::Discovery;
        match Outcome::of(record) {
            Outcome::Failed if after => Self::Looked,
            Outcome::Denied | Outcome::Failed => Self::Refused,
            Outcome::Succeeded if after => Self::GotThrough,
            Outcome::Succeeded if may_grant(record.source(), record.name()) => Self::Granted,
            Outcome::Succeeded if looks => Self::Looked,
            Outcome::Succeeded => Self::Did,
        }
    }
}

/// What there was no room for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// Calls that were refused, or only looked around.
    pub lesser: bool,
    /// Calls that did something.
    pub lost: bool,
}

/// A record's worth and time, and its event's id: of the same worth the older makes room.
type Place = (Worth, Option<DateTime<Utc>>, String);

/// The records that are kept, by what they are worth.
#[derive(Debug, Default)]
pub struct Room {
    cut_off: Option<DateTime<Utc>>,
    places: BTreeSet<Place>,
    bytes: usize,
    /// What there was no room for so far.
    pub left: Left,
}

impl Room {
    /// The room that these records leave, by event id. `cut_off` is when the attacker was locked out, if they were.
    pub fn of(records: &BTreeMap<String, String>, cut_off: Option<DateTime<Utc>>, left: Left) -> Self {
        let places = records.iter().map(|(id, text)| place(id, text, cut_off)).collect();
        Self { cut_off, places, bytes: records.values().map(String::len).sum(), left }
    }

    /// Puts a record to the others, if it is worth more than what would have to go for it. Says what has gone.
    pub fn take(&mut self, records: &mut BTreeMap<String, String>, id: &str, text: &str) -> Vec<String> {
        let new = place(id, text, self.cut_off);
        let (mut gone, mut freed) = (Vec::new(), 0);
        for lesser in &self.places {
            let fits = records.len() - gone.len() < RECORDS_MAX && self.bytes - freed + text.len() <= BYTES_MAX;
            if fits || *lesser >= new {
                break;
            }
            freed += records.get(&lesser.2).map_or(0, String::len);
            gone.push(lesser.clone());
        }
        if records.len() - gone.len() >= RECORDS_MAX || self.bytes - freed + text.len() > BYTES_MAX {
            self.leave(new.0);
            return Vec::new();
        }
        for place in &gone {
            self.leave(place.0);
            self.places.remove(place);
            records.remove(&place.2);
        }
        self.bytes = self.bytes - freed + text.len();
        self.places.insert(new);
        records.insert(id.to_owned(), text.to_owned());
        gone.into_iter().map(|(_, _, id)| id).collect()
    }

    const fn leave(&mut self, worth: Worth) {
        match worth {
            Worth::Refused | Worth::Looked => self.left.lesser = true,
            Worth::Did | Worth::Granted | Worth::GotThrough => self.left.lost = true,
        }
    }
}

fn place(id: &str, text: &str, cut_off: Option<DateTime<Utc>>) -> Place {
    let element = serde_json::from_str::<Record<'_>>(text).unwrap_or_default();
    let (worth, at) =
        Record::read(&element, |record| (Worth::of(record, cut_off), record.at())).unwrap_or((Worth::Did, None));
    (worth, at, id.to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    const CUT_OFF: i64 = 100_000;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn record(second: i64, call: (&str, &str), error: Option<&str>) -> String {
        json!({"eventTime": at(second), "eventSource": format!("{}.amazonaws.com", call.0), "eventName": call.1,
            "readOnly": call.1.starts_with("Get") || call.1.starts_with("List"), "errorCode": error})
        .to_string()
    }

    fn full_of(second: i64, call: (&str, &str), error: Option<&str>) -> (BTreeMap<String, String>, Room) {
        let records: BTreeMap<String, String> = (second..)
            .take(RECORDS_MAX)
            .enumerate()
            .map(|(n, at)| (format!("n{n:05}"), record(at, call, error)))
            .collect();
        let room = Room::of(&records, Some(at(CUT_OFF)), Left::default());
        (records, room)
    }

    const LESSER: Left = Left { lesser: true, lost: false };

    #[test]
    fn what_only_makes_noise_makes_room_for_what_does_something() {
        let denied = Some("AccessDenied");
        for (second, call, error) in [
            (0, ("iam", "ListUsers"), None),
            (0, ("iam", "CreateUser"), denied),
            (CUT_OFF + 1, ("iam", "CreateUser"), denied),
            (CUT_OFF + 1, ("iam", "CreateUser"), Some("EntityAlreadyExists")),
        ] {
            let (mut records, mut room) = full_of(second, call, error);
            let got_through = record(CUT_OFF + 90_000, ("s3", "ListBuckets"), None);
            let key = record(1, ("iam", "CreateAccessKey"), None);
            assert_eq!(room.take(&mut records, "through", &got_through), ["n00000"], "the oldest goes");
            assert_eq!(room.take(&mut records, "key", &key), ["n00001"]);
            assert!(records.contains_key("through") && records.contains_key("key") && records.len() == RECORDS_MAX);
            assert_eq!(room.left, LESSER);
            let old = record(0, ("iam", "CreateUser"), denied);
            assert!(room.take(&mut records, "noise", &old).is_empty() && !records.contains_key("noise"));
        }
    }

    #[test]
    fn what_got_through_is_kept_even_where_something_is_lost_for_it() {
        let (mut records, mut room) = full_of(0, ("ec2", "CreateTags"), None);
        let key = record(1, ("iam", "CreateAccessKey"), None);
        assert_eq!(room.take(&mut records, "key", &key), ["n00000"]);
        assert!(room.left.lost, "and that is known");
        let (mut records, mut room) = full_of(CUT_OFF + 1, ("s3", "ListBuckets"), None);
        assert!(room.take(&mut records, "key", &key).is_empty() && !records.contains_key("key"));
        assert!(room.left.lost, "so is this");
    }

    #[test]
    fn bytes_are_room_too() {
        let long = |second: i64, call: (&str, &str)| {
            let mut record: serde_json::Value = serde_json::from_str(&record(second, call, None)).unwrap();
            record["requestParameters"] = json!({"filler": "x".repeat(60_000)});
            record.to_string()
        };
        let size = long(0, ("iam", "ListUsers")).len();
        let mut records: BTreeMap<String, String> =
            (0..).take(BYTES_MAX / size).map(|n| (format!("n{n:05}"), long(n, ("iam", "ListUsers")))).collect();
        let count = records.len();
        let mut room = Room::of(&records, None, Left::default());
        let user = long(1, ("iam", "CreateUser"));
        assert_eq!(room.take(&mut records, "user", &user).len(), 1);
        assert!(records.contains_key("user") && records.len() == count && room.left == LESSER);
        assert!(records.values().map(String::len).sum::<usize>() <= BYTES_MAX);
    }
}
