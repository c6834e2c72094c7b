//! How far a question has been read, so that a crash costs one page at most, and a later search asks only for
//! what has come since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::room::Left;

/// So far back every search asks again: most calls show within a quarter of an hour.
pub const OVERLAP: TimeDelta = TimeDelta::minutes(20);
/// So far back it asks now and then: some have shown an hour and a half late.
pub const LATE: TimeDelta = TimeDelta::minutes(90);
/// How often that is.
pub const LATE_EVERY: TimeDelta = TimeDelta::minutes(30);
/// Pages of one question that a search reads: two thousand calls. The next ones go on with the rest.
pub const PAGES_MAX: u32 = 40;

/// Records of one question that could not be kept and are told apart. A page can be read twice.
pub const UNKEPT_MAX: usize = 100;

/// What has been read of one question's answer.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Cover {
    /// From when until when, the end not included: calls of that second can still come. But for `cut`.
    pub read: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What is being read.
    pub open: Option<Reading>,
    /// What was too much for one search, and is still to be read.
    pub cut: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When calls that come very late were last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_at: Option<DateTime<Utc>>,
    /// What the records are called that could not be kept: some of them, where there are many.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unkept: BTreeSet<String>,
}

/// A part that is being read, the newest first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Down to when.
    pub from: DateTime<Utc>,
    /// From when.
    pub until: DateTime<Utc>,
    /// How far it has come. Calls of that second may be among those that are left.
    pub down_to: DateTime<Utc>,
    /// Pages so far.
    pub pages: u32,
    /// Whether it asks for calls that come very late too.
    #[serde(default)]
    pub late: bool,
}

impl Reading {
    fn of(from: DateTime<Utc>, until: DateTime<Utc>, late: bool) -> Self {
        Self { from: from.min(until), until, down_to: until, pages: 0, late }
    }
}

impl Cover {
    /// What is to be read next, for all to be known from `since` until `now`; `None` when it is. Calls that come very late
    /// are asked for too, unless they were since `late_since`. What is new comes before what was left over.
    pub fn next(&self, since: DateTime<Utc>, now: DateTime<Utc>, late_since: DateTime<Utc>) -> Option<Reading> {
        let (since, now) = (since.trunc_subsecs(0), now.trunc_subsecs(0));
        if let Some(open) = &self.open {
            return Some(open.clone());
        }
        let Some((from, to)) = self.read else { return Some(Reading::of(since, now, true)) };
        if to < now {
            let late = self.late_at.is_none_or(|at| at < late_since.trunc_subsecs(0));
            let overlap = if late { LATE } else { OVERLAP };
            return Some(Reading::of((to - overlap).max(from), now, late));
        }
        if let Some((from, until)) = self.cut {
            return Some(Reading::of(from, until, false));
        }
        (since < from).then(|| Reading::of(since, from, false))
    }

    /// A record could not be kept.
    pub fn lost(&mut self, what: String) {
        if self.unkept.len() < UNKEPT_MAX {
            self.unkept.insert(what);
        }
    }

    /// A page of a reading has come: with its oldest call, and whether it is the last.
    pub fn page(&mut self, reading: &Reading, oldest: Option<DateTime<Utc>>, last: bool) {
        let mut open = self.open.take().unwrap_or_else(|| reading.clone());
        open.pages += 1;
        open.down_to = oldest.map_or(open.down_to, |oldest| oldest.clamp(open.from, open.down_to));
        if !last && open.pages < PAGES_MAX {
            self.open = Some(open);
            return;
        }
        if open.late {
            self.late_at = self.late_at.max(Some(open.until));
        }
        // What was left over before is in this reading, or stays.
        let before = self.cut.take().filter(|(from, until)| *from < open.from || *until > open.until);
        let left = (!last).then_some((open.from, open.down_to));
        self.cut = [before, left].into_iter().flatten().reduce(|(a, b), (from, until)| (a.min(from), b.max(until)));
        let from = if last { open.from } else { open.down_to };
        self.read = Some(self.read.map_or((from, open.until), |(a, b)| (a.min(from), b.max(open.until))));
    }
}

/// Calls of the bot's own in one Region, by which it is known how far the trail has come there.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Canaries {
    /// Those that the trail has not shown yet: the request's id, and when.
    pub out: Vec<(String, DateTime<Utc>)>,
    /// When the last one was made.
    pub last_at: Option<DateTime<Utc>>,
    /// The time of the newest one that the trail has shown.
    pub seen_until: Option<DateTime<Utc>>,
}

/// Between two of them.
pub const CANARY_EVERY: TimeDelta = TimeDelta::minutes(5);
/// Those that are waited for; what is older has got lost.
const OUT_MAX: usize = 24;

impl Canaries {
    /// Whether it is time for the next one.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.last_at.is_none_or(|at| now - at >= CANARY_EVERY)
    }

    /// One was made.
    pub fn made(&mut self, request_id: String, at: DateTime<Utc>) {
        self.out.push((request_id, at));
        self.last_at = Some(at);
        if self.out.len() > OUT_MAX {
            self.out.remove(0);
        }
    }

    /// From when on the trail is to be asked for them; `None` when none is out.
    pub fn look_from(&self) -> Option<DateTime<Utc>> {
        self.out.iter().map(|(_, at)| *at - TimeDelta::minutes(1)).min()
    }

    /// The trail shows a call with this request id.
    pub fn seen(&mut self, request_id: &str, at: DateTime<Utc>) {
        if !self.out.iter().any(|(id, _)| id == request_id) {
            return;
        }
        self.seen_until = self.seen_until.max(Some(at));
        // Those before it are of no more use, seen or not.
        self.out.retain(|(id, made_at)| id != request_id && *made_at >= at);
    }
}

/// How far the rows of a query have been read.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The query, as Athena calls it.
    pub execution: String,
    /// How to go on; absent before the first page, and after the last.
    pub next: Option<String>,
    /// Rows so far.
    pub read: u64,
    /// Calls of them that were not known.
    pub new: u64,
    /// Rows that could not be kept as records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unkept: u64,
    /// There was no room for all.
    pub short: bool,
    /// That was the last page.
    pub done: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The records that could not be kept, a sentence for each Region and each search of the logs. `marks` are by question: its
/// name begins with its Region.
pub fn unkept(marks: &BTreeMap<String, Mark>) -> Vec<String> {
    let mut by_region: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut said = Vec::new();
    for (name, mark) in marks {
        match mark {
            Mark::Cover(cover) => {
                let region = name.split(' ').next().unwrap_or(name);
                by_region.entry(region).or_default().extend(cover.unkept.iter().map(String::as_str));
            }
            Mark::Rows(rows) if rows.unkept > 0 => said.push(format!(
                "{} row(s) of search {} of the logs could not be kept as records, so what they say is not known.",
                rows.unkept,
                name.rsplit(' ').next().unwrap_or(name)
            )),
            _ => {}
        }
    }
    let of_region = |(region, records): (&str, BTreeSet<&str>)| {
        let first = *records.first()?;
        let count = if records.len() < UNKEPT_MAX { "" } else { "At least " };
        Some(format!(
            "{count}{} record(s) of {region} could not be kept, so what they say is not known: {first} is the first.",
            records.len()
        ))
    };
    said.extend(by_region.into_iter().filter_map(of_region));
    said
}

/// What is remembered of one question, or of one Region.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// How far a question has been read.
    Cover(Cover),
    /// The bot's own calls in a Region.
    Canaries(Canaries),
    /// How far the answer of a search of the logs has been read.
    Rows(Rows),
    /// What there was no room for.
    Left(Left),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    #[test]
    fn a_reading_goes_on_where_it_was_and_the_next_one_begins_where_it_ended() {
        let mut cover = Cover::default();
        let first = cover.next(at(0), at(100), at(100)).unwrap();
        assert_eq!((first.from, first.until), (at(0), at(100)));
        cover.page(&first, Some(at(80)), false);
        let again = cover.next(at(0), at(101), at(101)).unwrap();
        assert_eq!((again.from, again.down_to, again.until), (at(0), at(80), at(100)), "after a crash");
        cover.page(&again, Some(at(3)), true);
        assert_eq!((cover.read, &cover.open), (Some((at(0), at(100))), &None));
        assert_eq!(cover.next(at(0), at(100), at(100)), None);
        let later = cover.next(at(0), at(105), at(100)).unwrap();
        assert_eq!((later.from, later.until), (at(80), at(105)), "what came late is read too");
        cover.page(&later, None, true);
        assert_eq!(cover.read, Some((at(0), at(105))));
    }

    #[test]
    fn what_could_not_be_kept_is_counted_once_for_a_region_and_survives_the_store() {
        let lost = |what: &[&str]| {
            let mut cover = Cover::default();
            for what in what {
                cover.lost((*what).to_owned());
            }
            Mark::Cover(cover)
        };
        let marks = [
            ("eu-west-1 user name ci".to_owned(), lost(&["a", "b"])),
            ("eu-west-1 access key AKIA".to_owned(), lost(&["b", "c", "c"])),
            ("us-east-1 user name ci".to_owned(), lost(&[])),
            ("logs 2".to_owned(), Mark::Rows(Rows { unkept: 7, ..Rows::default() })),
        ];
        let stored = serde_json::to_string(&BTreeMap::from(marks)).unwrap();
        let said = unkept(&serde_json::from_str(&stored).unwrap());
        assert_eq!(
            said,
            [
                "7 row(s) of search 2 of the logs could not be kept as records, so what they say is not known.",
                "3 record(s) of eu-west-1 could not be kept, so what they say is not known: a is the first.",
            ]
        );
        assert!(!stored.contains(r#""unkept":[]"#), "as it was stored before: {stored}");
        let many: Vec<String> = (0..UNKEPT_MAX + 9).map(|n| format!("{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let said = unkept(&BTreeMap::from([("eu-west-1 call X".to_owned(), lost(&many))]));
        assert!(said[0].starts_with("At least 100 record(s)"), "{said:?}");
    }

    #[test]
    fn calls_that_come_very_late_are_asked_for_now_and_then() {
        let mut cover = Cover { read: Some((at(0), at(200))), late_at: Some(at(180)), ..Cover::default() };
        let mut read = |now: i64, late_since: i64| {
            let reading = cover.next(at(0), at(now), at(late_since)).unwrap();
            cover.page(&reading, None, true);
            (reading.from, reading.late)
        };
        assert_eq!(read(205, 175), (at(180), false));
        assert_eq!(read(211, 181), (at(115), true));
        assert_eq!(read(216, 186), (at(191), false), "that was done five minutes ago");
        assert_eq!(read(217, 217), (at(126), true), "it has to be done at once");
    }

    #[test]
    fn an_earlier_beginning_is_read_too_and_what_is_too_much_is_left_to_the_next_search() {
        let mut cover = Cover { read: Some((at(50), at(100))), late_at: Some(at(100)), ..Cover::default() };
        let next = |cover: &Cover, since| cover.next(at(since), at(100), at(100));
        let earlier = next(&cover, 10).unwrap();
        assert_eq!((earlier.from, earlier.until), (at(10), at(50)));
        for page in 0..PAGES_MAX {
            assert!(cover.cut.is_none());
            cover.page(&earlier, Some(at(49 - i64::from(page) / 2)), false);
        }
        assert_eq!((cover.cut, cover.read), (Some((at(10), at(30))), Some((at(30), at(100)))));
        let newer = cover.next(at(10), at(101), at(0)).unwrap();
        assert_eq!((newer.from, newer.until), (at(80), at(101)), "what is new comes first");
        let rest = next(&cover, 10).unwrap();
        assert_eq!((rest.from, rest.until, rest.pages), (at(10), at(30), 0));
        for _ in 0..PAGES_MAX {
            cover.page(&rest, Some(at(20)), false);
        }
        assert_eq!((cover.cut, cover.read), (Some((at(10), at(20))), Some((at(20), at(100)))));
        let rest = next(&cover, 10).unwrap();
        cover.page(&rest, Some(at(12)), true);
        assert_eq!((cover.cut, cover.read), (None, Some((at(10), at(100)))));
        assert_eq!(next(&cover, 10), None);
        assert_eq!(next(&cover, 0).map(|reading| (reading.from, reading.until)), Some((at(0), at(10))));
    }

    #[test]
    fn what_was_left_over_twice_is_read_as_one() {
        let mut cover = Cover::default();
        for (from, until) in [(0, 100), (200, 300)] {
            let reading = Reading::of(at(from), at(until), false);
            for _ in 0..PAGES_MAX {
                cover.page(&reading, Some(at(until - 10)), false);
            }
        }
        assert_eq!(cover.cut, Some((at(0), at(290))));
    }

    #[test]
    fn the_newest_call_that_is_seen_counts_and_those_before_it_are_not_waited_for() {
        let mut canaries = Canaries::default();
        assert!(canaries.is_due(at(0)) && canaries.look_from().is_none());
        for minute in [0, 5, 10] {
            assert!(canaries.is_due(at(minute)));
            canaries.made(format!("r{minute}"), at(minute));
            assert!(!canaries.is_due(at(minute + 4)));
        }
        canaries.seen("another", at(11));
        assert_eq!(canaries.seen_until, None);
        canaries.seen("r5", at(5));
        assert_eq!(canaries.seen_until, Some(at(5)));
        assert_eq!(canaries.out, [("r10".to_owned(), at(10))]);
    }
}
