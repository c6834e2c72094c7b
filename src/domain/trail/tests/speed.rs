//! However often an attacker takes a session, an answer does not take much longer for it: a thousand sessions of one name cost
//! nothing, and whoever waits for the answer waits while they go on.

use std::time::{Duration, Instant};

use chrono::DateTime;

use super::super::attribution::Judge;
use super::super::event::Event;
use super::super::lineage::follow;
use super::*;

/// Calls of the owner's between one session of the attacker's and the next.
const BESIDE: usize = 4;
const OWNERS: &str = "ASIAOWNER00000000001";

/// The attacker takes a session with the stolen key, and one of the same name with each that they have; in between its owner
/// is at work, in a session of that name too.
fn loops(count: usize) -> Vec<Event> {
    let at = |number: usize| {
        let second = number * 86_400 / (count * (BESIDE + 1));
        format!("2026-01-31T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
    };
    let key = |number: usize| format!("ASIALOOP{number:012}");
    let mut records = Vec::new();
    for number in 0..count {
        let place = number * (BESIDE + 1);
        let mut more = assume("Admin", "s", &key(number));
        more["eventTime"] = json!(at(place));
        let (id, call) = (format!("loop{number}"), ("sts", "AssumeRole"));
        records.push(match number.checked_sub(1) {
            Some(before) => by_role(0, &id, &key(before), ("Admin", "s"), call, more),
            None => by_user(0, &id, STOLEN, "deploy", call, more),
        });
        for beside in 1..=BESIDE {
            let more = json!({"eventTime": at(place + beside), "sourceIPAddress": OFFICE});
            let id = format!("own{number}-{beside}");
            records.push(by_role(0, &id, OWNERS, ("Admin", "s"), ("s3", "CreateBucket"), more));
        }
    }
    let mut events = hunt_within(Limits::default(), &question(), &[records]).events;
    events.sort_by(|a, b| a.order().cmp(&b.order()));
    events
}

/// What comes of it, and how long it takes at best: whatever else runs can only make it longer.
fn timed<T>(run: impl Fn() -> T) -> (T, Duration) {
    let one = || {
        let begun = Instant::now();
        let done = run();
        (done, begun.elapsed())
    };
    (0..3).map(|_| one()).min_by_key(|(_, took)| *took).unwrap()
}

#[test]
fn four_times_as_many_sessions_of_one_name_take_about_four_times_as_long() {
    let (few, many) = (loops(250), loops(1_000));
    assert_eq!((few.len(), many.len()), (1_250, 5_000));
    let asked = question();
    let (_, of_few) = timed(|| follow(&asked, &few));
    let (lineage, of_many) = timed(|| follow(&asked, &many));
    // Where each event is held against each session it is sixteen times as long.
    assert!(of_many < of_few * 9, "{of_few:?}, and {of_many:?} for four times as many");
    // And what is found is what there is.
    assert!(!lineage.cut);
    assert_eq!(lineage.credentials.len(), 1_001);
    assert_eq!(lineage.credentials.iter().map(|credential| credential.depth).max(), Some(1_000));
    for (event, verdict) in many.iter().zip(&lineage.verdicts) {
        assert_eq!(verdict.who.is_attacker(), event.id.starts_with("loop"), "{}", event.id);
    }
}

/// Of calls of one second nothing says which was first.
#[test]
fn what_came_of_a_key_is_followed_as_fast_where_each_call_stands_before_the_one_that_it_came_of() {
    let backwards = |count: usize| {
        let mut events = loops(count);
        events.reverse();
        events
    };
    let (few, many) = (backwards(250), backwards(1_000));
    let asked = Question { since: DateTime::from_timestamp(1_769_817_600, 0), ..question() };
    let (_, of_few) = timed(|| Judge::new(&asked, &few));
    let (_, of_many) = timed(|| Judge::new(&asked, &many));
    assert!(of_many < of_few * 9, "{of_few:?}, and {of_many:?} for four times as many");
}
