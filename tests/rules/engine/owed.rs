//! What is due is done, and nothing before; and what becomes of it when AWS does not answer, or says no.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use irp::domain::approval::{CallAnswer, RequestState};
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::event::Event;
use irp::domain::incident::together::digest;
use irp::domain::policy::Policy;
use irp::domain::stored::Record;
use irp::engine::EngineError;
use irp::ports::IncidentLog as _;

use super::{APPROVES, APPROVES_TOO, Bot, KEY_STEP, Trouble, away, denies, number, user};

#[tokio::test]
async fn nothing_is_done_before_it_is_due_and_nothing_twice() {
    let bot = Bot::new().await;
    bot.engine.inform(bot.id).await.unwrap();
    assert!(bot.world.asked().is_empty(), "it is known already whose it is");
    bot.engine.reach(bot.id).await.unwrap();
    assert_eq!(bot.world.asked(), ["blast radius"]);
    bot.engine.reach(bot.id).await.unwrap();
    assert!(bot.world.asked().is_empty());
    bot.ask(KEY_STEP).await.unwrap();
    let (before, _) = (bot.incident().await, bot.world.asked());
    bot.engine.advance(bot.id).await.unwrap();
    bot.engine.watch(bot.id).await.unwrap();
    assert!(bot.world.asked().is_empty(), "it waits for people");
    assert_eq!(bot.incident().await, before);
}

#[tokio::test]
async fn what_the_key_was_used_for_is_asked_again_while_aws_is_away_and_not_after_a_no() {
    let bot = Bot::new().await;
    bot.world.tell(away);
    assert!(matches!(bot.engine.reach(bot.id).await, Err(EngineError::Cloud(_))));
    assert!(bot.incident().await.blast_radius.is_none());
    bot.world.tell(denies);
    bot.engine.reach(bot.id).await.unwrap();
    let (found, _) = bot.incident().await.blast_radius.unwrap();
    let [why] = &found.not_known[..] else { panic!("{:?}", found.not_known) };
    assert!(why.contains("AccessDenied"), "{why}");
}

#[tokio::test]
async fn the_watch_waits_five_minutes_for_an_aws_that_is_away_and_then_says_so() {
    let bot = Bot::verified().await;
    bot.world.pass(TimeDelta::seconds(5));
    bot.world.tell(away);
    let before = bot.incident().await;
    for waits in [TimeDelta::zero(), TimeDelta::minutes(5) - TimeDelta::milliseconds(1)] {
        bot.world.pass(waits);
        assert!(matches!(bot.engine.watch(bot.id).await, Err(EngineError::Cloud(_))), "{waits}");
        assert_eq!(bot.incident().await, before, "there is nothing to write down");
    }
    bot.world.pass(TimeDelta::milliseconds(1));
    bot.engine.watch(bot.id).await.unwrap();
    let incident = bot.incident().await;
    assert!(incident.requests[&number(1)].unread.is_some() && incident.keys_unread.is_some());
}

#[tokio::test]
async fn that_the_whole_text_is_in_the_thread_is_on_record() {
    let bot = Bot::new().await;
    bot.ask(KEY_STEP).await.unwrap();
    let incident = bot.incident().await;
    let shown = digest(&incident, &incident.requests[&number(1)]);
    bot.engine.plan_file(number(1), &shown, &Ok("https://files.example/1".into())).await.unwrap();
    assert!(bot.incident().await.uploads.contains_key(&shown));
}

#[tokio::test]
async fn an_approved_call_waits_for_an_aws_that_is_away_until_its_time_has_passed() {
    let bot = Bot::approved().await;
    bot.world.tell(away);
    assert!(matches!(bot.engine.advance(bot.id).await, Err(EngineError::Cloud(_))));
    assert!(matches!(bot.state(1).await, RequestState::Approved { .. }));
    bot.world.recover();
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Verified { .. }));

    let bot = Bot::approved().await;
    let RequestState::Approved { execute_by } = bot.state(1).await else { panic!("not approved") };
    bot.world.tell(away);
    bot.world.pass(execute_by - bot.engine.now() + TimeDelta::milliseconds(1));
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Lapsed { .. }));
    assert!(bot.world.asked().is_empty());
}

#[tokio::test]
async fn an_approved_call_lapses_on_a_definite_no() {
    let bot = Bot::approved().await;
    bot.world.tell(denies);
    bot.engine.advance(bot.id).await.unwrap();
    let RequestState::Lapsed { why, .. } = bot.state(1).await else { panic!("{:?}", bot.state(1).await) };
    assert!(why.contains("could not be read just before the call") && why.contains("AccessDenied"), "{why}");
    assert_eq!(bot.world.asked(), ["key"], "nothing was called");
}

#[tokio::test]
async fn no_approval_is_used_up_by_an_sts_that_is_away_and_a_definite_no_ends_it() {
    let bot = Bot::approved().await;
    bot.world.tell(|what, times| away(what, times).filter(|_| what == "session"));
    assert!(matches!(bot.engine.advance(bot.id).await, Err(EngineError::Cloud(_))));
    assert!(matches!(bot.state(1).await, RequestState::Approved { .. }));
    assert_eq!(bot.world.asked(), ["key", "session"]);
    bot.world.recover();
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Verified { .. }));

    let bot = Bot::approved().await;
    bot.world.tell(|what, times| denies(what, times).filter(|_| what == "session"));
    bot.engine.advance(bot.id).await.unwrap();
    let RequestState::Lapsed { why, .. } = bot.state(1).await else { panic!("{:?}", bot.state(1).await) };
    assert!(why.contains("gave no session") && why.contains("AccessDenied"), "{why}");
    assert_eq!(bot.world.asked(), ["key", "session"], "nothing was called");
}

#[tokio::test]
async fn for_what_is_done_already_no_session_is_asked_for() {
    let bot = Bot::approved().await;
    *bot.world.called.lock().unwrap() = true;
    bot.engine.advance(bot.id).await.unwrap();
    let RequestState::Verified { sent, .. } = bot.state(1).await else { panic!("{:?}", bot.state(1).await) };
    assert!(sent.is_empty());
    assert_eq!(bot.world.asked(), ["key"]);
}

#[tokio::test]
async fn whoever_leaves_while_something_is_put_into_safety_does_not_count() {
    let bot = Bot::approved().await;
    *bot.world.leaves.lock().unwrap() = Some(user(APPROVES));
    bot.engine.advance(bot.id).await.unwrap();
    assert_eq!(bot.state(1).await, RequestState::Pending);
    assert!(!bot.world.asked().contains(&"call".to_owned()));
}

#[tokio::test]
async fn rules_that_change_while_aws_is_read_let_nothing_run_that_was_asked_for_under_others() {
    let bot = Bot::approved().await;
    *bot.world.new_rules.lock().unwrap() = Some(Policy { version: "other".into(), ..(*bot.engine.rules()).clone() });
    assert!(matches!(bot.engine.advance(bot.id).await, Err(EngineError::OtherRules)));
    assert_eq!(bot.world.asked(), ["key"]);
    assert!(matches!(bot.state(1).await, RequestState::Approved { .. }), "who reads the rules ends it");
}

#[tokio::test]
async fn a_process_with_other_rules_than_the_log_names_puts_nothing_into_the_vault() {
    let bot = Bot::approved().await;
    let (incident, read_at) = (bot.incident().await, Some(bot.engine.now()));
    let newest = Event::RulesChanged { policy_version: "newest".into(), read_at };
    let record = Record::seal(Some(&incident.head), bot.engine.now(), newest);
    bot.store.append(bot.id, incident.version, &[record], None).await.unwrap();
    // Whoever leaves while something is kept: nothing is.
    *bot.world.leaves.lock().unwrap() = Some(user(APPROVES));
    assert!(matches!(bot.engine.advance(bot.id).await, Err(EngineError::OtherRules)));
    assert!(bot.world.leaves.lock().unwrap().is_some());
    assert!(bot.world.asked().is_empty());
}

#[tokio::test]
async fn a_crowd_that_presses_buttons_does_not_hold_a_call_up() {
    let bot = Bot::approved().await;
    let lead = || PersonCommand::TakeLead { clicked_at: bot.engine.now() };
    *bot.world.meanwhile.lock().unwrap() = vec![(APPROVES, lead()), (APPROVES_TOO, lead())];
    bot.engine.advance(bot.id).await.unwrap();
    assert_eq!(bot.world.asked(), ["key", "session", "call", "key"], "what AWS has just said goes on");
    assert_eq!(bot.incident().await.lead, Some(user(APPROVES_TOO)));
}

#[tokio::test]
async fn a_yes_taken_back_just_before_the_call_is_not_what_it_goes_out_by() {
    let bot = Bot::approved().await;
    let taken_back = PersonCommand::Retract { request: number(1), clicked_at: bot.engine.now() };
    let yes = bot.yes().await;
    *bot.world.meanwhile.lock().unwrap() = vec![(APPROVES, taken_back), (APPROVES_TOO, yes)];
    bot.engine.advance(bot.id).await.unwrap();
    assert_eq!(*bot.world.approvers.lock().unwrap(), [user(APPROVES_TOO)]);
    assert_eq!(
        bot.world.asked(),
        ["key", "session", "key", "session", "call", "key"],
        "people and AWS are looked at anew"
    );
}

#[tokio::test]
async fn a_change_that_shows_late_is_verified_by_the_reading_that_shows_it() {
    let bot = Bot::approved().await;
    *bot.world.shows_after.lock().unwrap() = 1;
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Verified { .. }), "{:?}", bot.state(1).await);
    assert_eq!(bot.world.asked(), ["key", "session", "call", "key", "key"]);

    let bot = Bot::approved().await;
    *bot.world.shows_after.lock().unwrap() = 2;
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Unknown { .. }), "{:?}", bot.state(1).await);
}

#[tokio::test]
async fn an_aws_that_is_away_after_the_call_is_read_again_and_is_not_known_after_the_last_time() {
    let bot = Bot::approved().await;
    bot.world.tell(|what, times| away(what, times).filter(|_| times == 3));
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Verified { .. }), "{:?}", bot.state(1).await);
    assert_eq!(bot.world.asked(), ["key", "session", "call", "key", "key"]);

    for (trouble, readings) in [
        ((|what, times| away(what, times).filter(|_| times > 2)) as Trouble, 2),
        // Asking again would not help.
        (|what, times| denies(what, times).filter(|_| times > 2), 1),
    ] {
        let bot = Bot::approved().await;
        bot.world.tell(trouble);
        bot.engine.advance(bot.id).await.unwrap();
        assert!(matches!(bot.state(1).await, RequestState::Unknown { .. }), "{:?}", bot.state(1).await);
        assert_eq!(bot.world.asked()[3..], vec!["key"; readings]);
    }
}

/// A call that takes so long: when it was started, when it was said in the log that it goes on and until when, and when it
/// was answered.
async fn called_for(
    time: Duration,
) -> (DateTime<Utc>, Vec<(DateTime<Utc>, DateTime<Utc>)>, (DateTime<Utc>, CallAnswer)) {
    let bot = Bot::approved().await;
    *bot.world.ticks.lock().unwrap() = TimeDelta::milliseconds(1);
    *bot.world.call_takes.lock().unwrap() = time;
    bot.engine.advance(bot.id).await.unwrap();
    let log = bot.store.load(bot.id).await.unwrap();
    let started = log.iter().find(|record| matches!(record.event, Event::ExecutionStarted { .. })).unwrap().at;
    let continues = log.iter().filter_map(|record| match record.event {
        Event::ExecutionContinues { lease_until, .. } => Some((record.at, lease_until)),
        _ => None,
    });
    let answered = log.iter().find_map(|record| match &record.event {
        Event::CallAnswered { answer, .. } => Some((record.at, answer.clone())),
        _ => None,
    });
    (started, continues.collect(), answered.unwrap())
}

#[tokio::test]
async fn whoever_waits_for_aws_says_so_in_time_and_not_more_often_than_needed() {
    let (_, continues, (_, answer)) = called_for(Duration::from_secs(4)).await;
    assert_eq!((continues, answer), (Vec::new(), CallAnswer::Accepted));
    let (started, continues, (_, answer)) = called_for(Duration::from_secs(9)).await;
    assert_eq!(answer, CallAnswer::Accepted);
    let [(at, lease_until)] = continues[..] else { panic!("{continues:?}") };
    assert!(at - started < TimeDelta::seconds(6), "while the lease still lasts long: {}", at - started);
    assert!(lease_until - at > TimeDelta::seconds(19), "and anew: {}", lease_until - at);
}

#[tokio::test]
async fn nobody_waits_for_a_call_longer_than_it_may_take() {
    let (started, continues, (at, answer)) = called_for(Duration::from_mins(1)).await;
    assert!(matches!(answer, CallAnswer::Unclear { .. }), "{answer:?}");
    assert_eq!((at - started).num_seconds(), 10, "{continues:?}");
}
