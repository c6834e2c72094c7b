//! Since when a credential is stolen, as people type it: so long ago, or a time.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The longest that is taken, in minutes: ten years.
const MINUTES_MAX: i64 = 10 * 366 * 24 * 60;
/// There are no credentials of AWS from before.
const FIRST_YEAR: i32 = 2006;

/// Said where it is neither.
pub const HOW: &str = "Say how long ago, as 90m, 3h, 2d or 1w, or the time in UTC, as 2026-01-31T10:00Z.";

/// Since when.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// So many minutes before it was said.
    MinutesAgo(i64),
    /// From this time on.
    At(DateTime<Utc>),
}

impl Since {
    /// Reads what was typed.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        minutes_ago(text).map(Self::MinutesAgo).or_else(|| moment(text).map(Self::At))
    }

    /// Reads the first word, or the first two where they are one time, and says how many these are.
    pub fn read_first(words: &[&str]) -> Option<(Self, usize)> {
        let read = |count: usize| Some((Self::read(&words.get(..count)?.join(" "))?, count));
        read(2).or_else(|| read(1))
    }

    /// The time, where it was said now.
    pub fn time(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::MinutesAgo(minutes) => {
                TimeDelta::try_minutes(minutes).and_then(|ago| now.checked_sub_signed(ago)).unwrap_or(now)
            }
        }
    }
}

fn minutes_ago(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let each = match unit.trim().to_ascii_lowercase().as_str() {
        "m" | "min" => 1,
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        _ => return None,
    };
    let minutes = number.parse::<i64>().ok()?.checked_mul(each)?;
    (minutes <= MINUTES_MAX).then_some(minutes)
}

/// A time as in RFC 3339, or without its seconds or its hour; in UTC where it says nothing else.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let plain = text.trim_end_matches(['Z', 'z']).replace(['T', 't'], " ");
    let read = |form: &str| NaiveDateTime::parse_from_str(&plain, form).ok();
    let day = || NaiveDate::parse_from_str(&plain, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let whole = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let short = || read("%Y-%m-%d %H:%M").or_else(|| read("%Y-%m-%d %H:%M:%S")).or_else(day).map(|at| at.and_utc());
    whole.or_else(short).filter(|at| (FIRST_YEAR..=9999).contains(&at.year()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_people_type_it() {
        let now: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
        for (typed, at) in [
            ("90m", "2026-01-31T10:30:00Z"),
            ("5 min", "2026-01-31T11:55:00Z"),
            ("3h", "2026-01-31T09:00:00Z"),
            (" 2D ", "2026-01-29T12:00:00Z"),
            ("1w", "2026-01-24T12:00:00Z"),
            ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
            ("2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00Z"),
            ("2026-01-31T10:00Z", "2026-01-31T10:00:00Z"),
            ("2026-01-31t10:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31 10:00:30", "2026-01-31T10:00:30Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
        ] {
            let read = Since::read(typed).unwrap_or_else(|| panic!("{typed}"));
            assert_eq!(read.time(now), at.parse::<DateTime<Utc>>().unwrap(), "{typed}");
        }
        for wrong in [
            "",
            "h",
            "3",
            "3y",
            "-3h",
            "yesterday",
            "10:00",
            "2026-13-01",
            "1999-01-01",
            "é",
            "999999999999h",
            "3h ago",
        ] {
            assert_eq!(Since::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_of_two_words_is_one() {
        assert_eq!(Since::read_first(&["2026-01-31", "10:00", "why"]).map(|(_, words)| words), Some(2));
        assert_eq!(Since::read_first(&["2026-01-31", "why"]).map(|(_, words)| words), Some(1));
        assert_eq!(Since::read_first(&["3h", "h"]).map(|(_, words)| words), Some(1));
        assert_eq!(Since::read_first(&["why", "3h"]), None);
        assert_eq!(Since::read_first(&[]), None);
        let kept = Since::MinutesAgo(i64::MAX);
        assert_eq!(
            kept.time(DateTime::UNIX_EPOCH),
            DateTime::UNIX_EPOCH,
            "no time is made that cannot be reckoned with"
        );
    }
}
