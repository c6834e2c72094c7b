//! A process whose clock is behind what its incidents' logs have.

use chrono::TimeDelta;
use irp::domain::approval::RequestState;
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::event::Event;
use irp::domain::stored::Record;
use irp::ports::IncidentLog as _;

use super::{APPROVES, APPROVES_TOO, ASKS, Bot, KEY_STEP, no, number, user};

impl Bot {
    async fn takes_lead(&self, id: &str) {
        let take = PersonCommand::TakeLead { clicked_at: self.engine.now() };
        self.engine.act(self.id, &user(id), take).await.unwrap();
    }

    /// Another process writes something down so much later; then this one wakes up in the past.
    async fn wakes_up_after(&self, time: TimeDelta) {
        self.world.pass(time);
        self.takes_lead(APPROVES_TOO).await;
        self.world.pass(-time);
    }

    async fn never_goes_back(&self) -> bool {
        self.store.load(self.id).await.unwrap().is_sorted_by_key(|record| record.at)
    }
}

#[tokio::test]
async fn nobody_approves_by_a_clock_that_is_behind_what_is_over_by_the_log() {
    for (later, is_over) in [(TimeDelta::minutes(14), false), (TimeDelta::minutes(16), true)] {
        let bot = Bot::new().await;
        bot.ask(KEY_STEP).await.unwrap();
        bot.wakes_up_after(later).await;
        let answer = bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await;
        if is_over {
            no(answer);
            assert!(matches!(bot.state(1).await, RequestState::Pending | RequestState::Expired));
        } else {
            answer.unwrap();
        }
        assert!(bot.never_goes_back().await);
    }
}

#[tokio::test]
async fn nothing_is_executed_by_a_clock_that_is_behind_once_its_time_is_over_by_the_log() {
    let bot = Bot::approved().await;
    bot.wakes_up_after(TimeDelta::minutes(6)).await;
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Lapsed { .. }), "{:?}", bot.state(1).await);
    assert!(bot.world.asked().is_empty());
    assert!(bot.never_goes_back().await);
}

#[tokio::test]
async fn what_is_approved_is_carried_out_at_once_though_the_clock_is_behind() {
    let bot = Bot::new().await;
    bot.ask(KEY_STEP).await.unwrap();
    bot.wakes_up_after(TimeDelta::minutes(2)).await;
    bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await.unwrap();
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Verified { .. }), "{:?}", bot.state(1).await);
    assert!(bot.never_goes_back().await);
}

#[tokio::test]
async fn what_was_said_by_a_clock_that_is_ahead_keeps_nobody_from_saying_otherwise() {
    let bot = Bot::new().await;
    bot.wakes_up_after(TimeDelta::minutes(2)).await;
    bot.takes_lead(ASKS).await;
    assert_eq!(bot.incident().await.lead, Some(user(ASKS)));
}

#[tokio::test]
async fn a_log_that_is_more_than_an_hour_ahead_does_not_stop_the_time() {
    let (hour, tick) = (TimeDelta::hours(1), TimeDelta::milliseconds(1));
    for (ahead, is_followed) in [(hour, true), (hour + tick, false)] {
        let bot = Bot::new().await;
        let incident = bot.incident().await;
        let at = bot.engine.now() + ahead;
        let record = Record::seal(Some(&incident.head), at, Event::LeadTaken { by: user(APPROVES_TOO) });
        bot.store.append(bot.id, incident.version, &[record], None).await.unwrap();
        bot.ask(KEY_STEP).await.unwrap();
        let asked_at = bot.incident().await.requests[&number(1)].requested_at;
        assert_eq!(asked_at == at, is_followed, "{ahead}: {asked_at}");
        bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await.unwrap();
        bot.engine.advance(bot.id).await.unwrap();
        assert!(matches!(bot.state(1).await, RequestState::Verified { .. }));
    }
}
