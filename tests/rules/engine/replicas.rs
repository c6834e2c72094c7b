//! Two processes at one incident.

use std::time::Duration;

use chrono::TimeDelta;
use irp::domain::incident::event::Event;
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::ActionClass;
use irp::engine::{Engine, Ports};
use irp::ports::IncidentLog as _;

use super::{APPROVES, ASKS, Bot, number, user};

impl Bot {
    /// Another process over the same store.
    fn another(&self) -> Engine {
        let (store, world) = (self.store.clone(), self.world.clone());
        let ports = Ports { store, cloud: world.clone(), directory: world.clone(), clock: world };
        let playbook = Playbook::parse(BUILT_IN).unwrap();
        Engine::new(ports, (*self.engine.rules()).clone(), playbook, "another", &[Duration::ZERO])
    }
}

#[tokio::test]
async fn what_was_asked_for_together_is_called_one_after_the_other_by_however_many_processes() {
    let bot = Bot::new().await;
    bot.engine.request_all(bot.id, &user(ASKS), Some(ActionClass::Contain), "press;").await.unwrap();
    bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await.unwrap();
    let another = bot.another();
    *bot.world.ticks.lock().unwrap() = TimeDelta::milliseconds(1);
    *bot.world.call_takes.lock().unwrap() = Duration::from_secs(2);
    let (one, other) = tokio::join!(bot.engine.advance(bot.id), another.advance(bot.id));
    one.unwrap();
    other.unwrap();
    let log = bot.store.load(bot.id).await.unwrap();
    let calls = log.iter().filter_map(|record| match &record.event {
        Event::ExecutionStarted { request, .. } => Some(("begun", *request)),
        Event::CallAnswered { request, .. } => Some(("answered", *request)),
        _ => None,
    });
    let calls: Vec<_> = calls.collect();
    let (first, second) = (number(1), number(2));
    assert_eq!(calls, [("begun", first), ("answered", first), ("begun", second), ("answered", second)]);
}
