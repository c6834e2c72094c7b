//! A process whose clock is behind what its incidents' logs have.

use chrono::TimeDelta;
use irp::domain::approval::RequestState;
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::event::Event;
use irp::domain::stored::Record;
use irp::ports::IncidentLog as _;

use super::{APPROVES, APPROVES_TOO, ASKS, Bot, KEY_STEP, no, user};

impl Bot {
    async fn takes_lead(&self, id: &str) {
        let take = PersonCommand::TakeLead { clicked_at: self.engine.now() };
        self.engine.act(self.id, &user(id), take).await.unwrap();
    }

    /// Another process writes something down so much later; then this one wakes up in the past, and writes too.
    async fn wakes_up_after(&self, time: TimeDelta) {
        self.world.pass(time);
        self.takes_lead(APPROVES_TOO).await;
        self.world.pass(-time);
        self.takes_lead(ASKS).await;
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
            assert_eq!(bot.state(1).await, RequestState::Pending);
        } else {
            // It is carried out at once, though the clock is behind.
            answer.unwrap();
            bot.engine.advance(bot.id).await.unwrap();
            assert!(matches!(bot.state(1).await, RequestState::Verified { .. }), "{:?}", bot.state(1).await);
        }
    }
}

#[tokio::test]
async fn nothing_is_executed_by_a_clock_that_is_behind_once_its_time_is_over_by_the_log() {
    let bot = Bot::approved().await;
    bot.wakes_up_after(TimeDelta::minutes(6)).await;
    bot.engine.advance(bot.id).await.unwrap();
    assert!(matches!(bot.state(1).await, RequestState::Lapsed { .. }), "{:?}", bot.state(1).await);
    assert!(!*bot.world.called.lock().unwrap());
}

#[tokio::test]
async fn a_log_that_is_more_than_an_hour_ahead_ends_nothing() {
    let (hour, tick) = (TimeDelta::hours(1), TimeDelta::milliseconds(1));
    for (ahead, is_believed) in [(hour, true), (hour + tick, false)] {
        let bot = Bot::new().await;
        bot.ask(KEY_STEP).await.unwrap();
        let incident = bot.incident().await;
        let at = bot.engine.now() + ahead;
        let record = Record::seal(Some(&incident.head), at, Event::LeadTaken { by: user(APPROVES_TOO) });
        bot.store.append(bot.id, incident.version, &[record], None).await.unwrap();
        let answer = bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await;
        assert_eq!(answer.is_err(), is_believed, "{ahead}");
    }
}
