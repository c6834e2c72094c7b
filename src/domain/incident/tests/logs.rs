//! A search of CloudTrail's logs: who may have one run, what is asked, and what follows from whatever comes back late.

use chrono::TimeDelta;

use super::case::Case;
use crate::domain::hunt::{Hunted, Reached, Swept, Watched};
use crate::domain::incident::command::{PersonCommand, Report};
use crate::domain::incident::decide::take_report;
use crate::domain::incident::event::{Event, Outcome};
use crate::domain::incident::hunting;
use crate::domain::incident::logs::{Bill, Brought, Estimate, LogEnd, LogNews, LogTask, due_at, newest, read_at};
use crate::domain::refusal::Refusal;

const BILL: Bill = Bill { bytes: 7, cost_micros: 50 };
const BROUGHT: Brought = Brought { rows: 3, new: 2, cut: false };

fn estimate() -> LogNews {
    LogNews::Estimated(Estimate { bytes: Some(7), why: None, cents_per_tb: 500 })
}

impl Case {
    /// The event history has been searched: it shows these principals, and calls from these addresses.
    fn hunted(&mut self, principals: &[&str], addresses: &[&str]) {
        let reached = |arn: &&str| Reached {
            access_key_id: Some("ASIAIOSFODNN7EXAMPLE".into()),
            principal: Some((*arn).to_owned()),
            how: Some("AssumeRole".into()),
            event_id: Some("e".into()),
            last_worked_at: None,
        };
        let found = Hunted {
            credentials: principals.iter().map(reached).collect(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            ..Hunted::default()
        };
        let regions = vec![Watched { region: "us-east-1".into(), covered_until: None, unread: None }];
        self.apply(vec![
            Event::TrailHunted { found: Box::new(found) },
            Event::TrailSwept { swept: Box::new(Swept { regions, ..Swept::default() }) },
        ]);
    }

    fn news(&mut self, number: u32, news: LogNews) -> usize {
        let events = take_report(&self.incident, Report::Logs { number, news }, self.cx());
        let count = events.len();
        self.apply(events);
        count
    }

    fn task(&self) -> Option<LogTask> {
        newest(&self.incident).and_then(|search| Some(search.task()?.0))
    }

    fn running(&mut self) {
        self.hunted(&[], &[]);
        self.act("U1", PersonCommand::AskLogs).unwrap();
        assert_eq!(self.news(1, estimate()), 1);
        self.act("U2", PersonCommand::RunLogs { number: 1 }).unwrap();
    }
}

#[test]
fn nothing_is_asked_before_the_history_was_by_whom_may_not_or_of_what_has_no_table() {
    let mut case = Case::new();
    assert!(
        matches!(case.act("U1", PersonCommand::AskLogs), Err(Refusal::NotApplicable(why)) if why.contains("first"))
    );
    case.hunted(&[], &[]);
    assert_eq!(case.act("U9", PersonCommand::AskLogs), Err(Refusal::NotAResponder));
    case.policy.logs.clear();
    let refused = case.act("U1", PersonCommand::AskLogs);
    assert!(matches!(refused, Err(Refusal::NotApplicable(why)) if why.contains("account.athena")));
}

#[test]
fn what_is_asked_is_all_that_is_known_but_for_what_could_not_be_a_name_of_aws() {
    let mut case = Case::new();
    let session = "arn:aws:sts::111122223333:assumed-role/app/backup-job";
    case.hunted(&[session, "arn:aws:iam::111122223333:user/x' OR '1'='1"], &["198.51.100.77", "AWS Internal"]);
    case.act("U1", PersonCommand::AskLogs).unwrap();
    let asked = &newest(&case.incident).unwrap().question;
    assert_eq!(asked.keys, ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"]);
    assert_eq!(asked.principals, ["arn:aws:iam::111122223333:user/ci", session]);
    assert_eq!((asked.addresses.as_slice(), asked.left_out.len()), (&["198.51.100.77".to_owned()][..], 2));
    assert_eq!(
        (asked.until - asked.from, asked.regions.as_slice()),
        (TimeDelta::days(14), &["us-east-1".to_owned()][..])
    );

    // As far back as the theft, beyond what the history has, but not without an end.
    let mut case = Case::new();
    case.hunted(&[], &[]);
    let at = case.now - TimeDelta::days(200);
    case.act("U1", PersonCommand::SetCompromiseTime { at, basis: "b".into(), clicked_at: case.now }).unwrap();
    case.act("U1", PersonCommand::AskLogs).unwrap();
    let asked = &newest(&case.incident).unwrap().question;
    assert_eq!(asked.until - asked.from, TimeDelta::days(214));
    let mut case = Case::new();
    case.hunted(&[], &[]);
    let at = case.now - TimeDelta::days(900);
    case.act("U1", PersonCommand::SetCompromiseTime { at, basis: "b".into(), clicked_at: case.now }).unwrap();
    case.act("U1", PersonCommand::AskLogs).unwrap();
    let asked = &newest(&case.incident).unwrap().question;
    assert_eq!((asked.until - asked.from, asked.left_out.len()), (TimeDelta::days(400), 1));
}

#[test]
fn it_runs_only_when_somebody_who_saw_its_cost_says_so_and_once() {
    let mut case = Case::new();
    case.hunted(&[], &[]);
    case.act("U1", PersonCommand::AskLogs).unwrap();
    assert_eq!(case.task(), Some(LogTask::Estimate));
    assert!(
        matches!(case.act("U1", PersonCommand::AskLogs), Err(Refusal::NotApplicable(why)) if why.contains("under way"))
    );
    let run = PersonCommand::RunLogs { number: 1 };
    assert!(matches!(case.act("U1", run.clone()), Err(Refusal::NotApplicable(why)) if why.contains("worked out")));
    assert_eq!(case.news(1, estimate()), 1);
    assert_eq!((case.task(), due_at(&case.incident)), (None, None), "nothing is done by itself");
    assert_eq!(case.act("U9", run.clone()), Err(Refusal::NotAResponder));
    case.act("U1", run.clone()).unwrap();
    assert!(matches!(case.act("U2", run), Err(Refusal::NotApplicable(why)) if why.contains("faster")));
    assert_eq!(case.task(), Some(LogTask::Start));
    let token = newest(&case.incident).unwrap().token(&case.incident);
    assert_eq!((token.len(), case.news(1, LogNews::Started("q".into()))), (64, 1));
    assert_eq!(token, newest(&case.incident).unwrap().token(&case.incident), "whoever asks, and whenever");
    assert_eq!(case.news(1, LogNews::Started("q".into())), 0, "another process was faster");
    let close = PersonCommand::Close { outcome: Outcome::FalsePositive, note: "n".into() };
    assert!(matches!(case.act("U1", close.clone()), Err(Refusal::NotApplicable(why)) if why.contains("is running")));
    case.minutes(1);
    assert_eq!((case.news(2, LogNews::Done(BROUGHT, BILL)), case.news(1, LogNews::Done(BROUGHT, BILL))), (0, 1));
    assert_eq!(hunting::due_at(&case.incident), Some(case.now), "what it brought is looked at at once");
    assert_eq!(case.news(1, LogNews::Failed("w".into(), None)), 0);
    case.act("U1", PersonCommand::AskLogs).unwrap();
    assert_ne!(token, newest(&case.incident).unwrap().token(&case.incident), "another search is another query");
    assert_eq!(newest(&case.incident).unwrap().number, 2);
    case.act("U1", close).unwrap();
}

#[test]
fn what_is_cancelled_is_stopped_whenever_it_was_started() {
    let cancel = PersonCommand::CancelLogs { number: 1 };
    // Before anything runs there is nothing to stop.
    let mut case = Case::new();
    case.hunted(&[], &[]);
    case.act("U1", PersonCommand::AskLogs).unwrap();
    case.act("U1", cancel.clone()).unwrap();
    assert_eq!((case.task(), case.news(1, estimate())), (None, 0));
    assert!(matches!(case.act("U1", cancel.clone()), Err(Refusal::NotApplicable(_))));

    // Between the word and the start: the query that is found then is stopped.
    let mut case = Case::new();
    case.running();
    case.act("U1", cancel.clone()).unwrap();
    assert_eq!(case.task(), Some(LogTask::Stop(None)));
    assert!(matches!(case.act("U1", PersonCommand::AskLogs), Err(Refusal::NotApplicable(_))), "it may still run");
    assert_eq!(case.news(1, LogNews::Started("q".into())), 1);
    assert_eq!(case.task(), Some(LogTask::Stop(Some("q".into()))));
    assert_eq!(case.news(1, LogNews::Done(BROUGHT, BILL)), 0, "what came too late is left");
    assert_eq!((case.news(1, LogNews::Stopped(BILL)), case.task()), (1, None));
    let end = &newest(&case.incident).unwrap().end;
    assert!(matches!(end, Some(LogEnd::Cancelled { bill: Some(BILL), .. })), "{end:?}");
    case.act("U1", PersonCommand::AskLogs).unwrap();

    // What fails is over, and can be asked again.
    let mut case = Case::new();
    case.running();
    assert_eq!(case.news(1, LogNews::Failed("w".into(), Some(BILL))), 1);
    assert_eq!((case.task(), case.news(1, LogNews::Started("q".into()))), (None, 0));
    case.act("U2", PersonCommand::AskLogs).unwrap();
}

#[test]
fn two_hundred_of_a_kind_are_asked_for_and_of_more_it_is_said() {
    for (count, left_out) in [(200, vec![]), (201, vec!["1 of 201 addresses".to_owned()])] {
        let addresses: Vec<String> = (0..count).map(|n| format!("203.0.{}.{}", n / 100, n % 100)).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let mut case = Case::new();
        case.hunted(&[], &addresses);
        case.act("U1", PersonCommand::AskLogs).unwrap();
        let asked = &newest(&case.incident).unwrap().question;
        assert_eq!((asked.addresses.len(), &asked.left_out), (200, &left_out), "{count}");
    }
}

#[test]
fn what_is_to_be_done_is_due_from_when_it_was_asked_for_and_what_it_brought_from_when_it_was_read() {
    let mut case = Case::new();
    case.hunted(&[], &[]);
    case.act("U1", PersonCommand::AskLogs).unwrap();
    assert_eq!((due_at(&case.incident), read_at(&case.incident)), (Some(case.now), None));
    let price = |case: &Case| newest(&case.incident).unwrap().cents_per_tb();
    assert_eq!(price(&case), 0);
    assert_eq!(case.news(1, estimate()), 1);
    assert_eq!(price(&case), 500);
    case.act("U2", PersonCommand::RunLogs { number: 1 }).unwrap();
    assert_eq!(case.news(1, LogNews::Started("q".into())), 1);
    case.minutes(3);
    assert_eq!(case.news(1, LogNews::Done(BROUGHT, BILL)), 1);
    let read = case.now;
    assert_eq!(read_at(&case.incident), Some(read));
    // A search that has ended since has looked at it.
    for (swept_after_s, due_after_s) in [(-5, 0), (0, 60), (5, 65)] {
        case.incident.swept.as_mut().unwrap().1 = read + TimeDelta::seconds(swept_after_s);
        let due = Some(read + TimeDelta::seconds(due_after_s));
        assert_eq!(hunting::due_at(&case.incident), due, "{swept_after_s}");
    }
    // How it has ended stays, whatever comes after it.
    let end = newest(&case.incident).unwrap().end.clone();
    case.apply(vec![Event::LogsSearchFailed { number: 1, why: "w".into(), bill: None }]);
    assert!(matches!(end, Some(LogEnd::Done { .. })) && newest(&case.incident).unwrap().end == end);
}

#[test]
fn what_fails_once_it_is_cancelled_has_not_failed() {
    let mut case = Case::new();
    case.running();
    case.act("U1", PersonCommand::CancelLogs { number: 1 }).unwrap();
    assert_eq!(case.news(1, LogNews::Failed("w".into(), None)), 0);
    assert_eq!(case.task(), Some(LogTask::Stop(None)), "it may still run");
}
