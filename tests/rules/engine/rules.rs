//! Two processes over one store, of which one has not read the newest rules.

use chrono::{DateTime, TimeDelta, Utc};
use irp::domain::alert::Alert;
use irp::domain::credential::Subject;
use irp::domain::id::IncidentId;
use irp::domain::incident::command::PersonCommand;
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::Policy;
use irp::domain::refusal::Refusal;
use irp::engine::{Engine, Ports, Taken};
use irp::ports::IncidentLog as _;

use super::{ASKS, Bot, no, user};
use crate::search::alert;

/// A process beside the bot's that has read these rules at this moment.
fn beside(bot: &Bot, version: &str) -> Engine {
    let ports = Ports {
        store: bot.store.clone(),
        cloud: bot.world.clone(),
        directory: bot.world.clone(),
        clock: bot.world.clone(),
    };
    Engine::new(ports, with_version(bot, version), Playbook::parse(BUILT_IN).unwrap(), version, &[])
}

fn with_version(bot: &Bot, version: &str) -> Policy {
    Policy { version: version.into(), ..(*bot.engine.rules()).clone() }
}

/// A finding about another key.
fn another() -> Alert {
    let subject = Subject { access_key: "AKIAI44QH8DHBEXAMPLE".parse().ok(), ..Subject::default() };
    Alert { delivery_id: "another".into(), subject, ..alert() }
}

async fn leads(engine: &Engine, id: IncidentId) -> Result<(), Refusal> {
    let answer = engine.act(id, &user(ASKS), PersonCommand::TakeLead { clicked_at: engine.now() }).await;
    if answer.is_ok() { Ok(()) } else { Err(no(answer)) }
}

async fn rules_of(bot: &Bot, id: IncidentId) -> (Option<String>, Option<DateTime<Utc>>) {
    let incident = bot.engine.load(id).await.unwrap().unwrap();
    (incident.policy_version, incident.rules_read_at)
}

#[tokio::test]
async fn what_a_process_with_old_rules_opens_after_the_others_have_said_theirs_can_be_decided_by_theirs() {
    let bot = Bot::new().await;
    bot.world.pass(TimeDelta::minutes(1));
    let newest = beside(&bot, "newest");
    assert!(newest.follow_rules(bot.id).await.unwrap());
    // It takes alerts until it is drained.
    bot.world.pass(TimeDelta::minutes(1));
    let Taken::Opened(late) = bot.engine.take_alert(&another()).await.unwrap() else { panic!("not opened") };
    assert_eq!(rules_of(&bot, late).await.1, rules_of(&bot, bot.id).await.1.map(|at| at - TimeDelta::minutes(1)));
    assert_eq!(leads(&newest, late).await, Err(Refusal::OtherRules));
    assert!(newest.follow_rules(late).await.unwrap());
    leads(&newest, late).await.unwrap();

    // It says nothing over them, however often it looks, and decides nothing.
    for id in [bot.id, late] {
        let before = rules_of(&bot, id).await;
        assert!(!bot.engine.follow_rules(id).await.unwrap());
        assert_eq!(leads(&bot.engine, id).await, Err(Refusal::OtherRules));
        assert_eq!(rules_of(&bot, id).await, before);
    }
    // Once it reads them anew, what it reads goes, whatever its clock says.
    bot.engine.put_rules(with_version(&bot, "newest"), bot.engine.now());
    assert!(bot.engine.follow_rules(late).await.unwrap());
    for _ in 0..2 {
        // The second time it is the same file, and no later than it was.
        bot.engine.put_rules(with_version(&bot, "later"), bot.engine.now() - TimeDelta::days(1));
        assert!(bot.engine.follow_rules(late).await.unwrap());
        let later_at = bot.engine.now() + TimeDelta::milliseconds(1);
        assert_eq!(rules_of(&bot, late).await, (Some("later".into()), Some(later_at)));
    }
}

#[tokio::test]
async fn an_incident_whose_first_record_is_still_to_come_names_the_newest_rules_after_it() {
    let bot = Bot::new().await;
    bot.world.pass(TimeDelta::minutes(1));
    let newest = beside(&bot, "newest");
    let claimed = bot.store.claim(&another().correlation_keys()).await.unwrap().incident;
    assert!(newest.follow_rules(claimed).await.unwrap());
    assert_eq!(bot.engine.take_alert(&another()).await.unwrap(), Taken::Opened(claimed));
    assert!(newest.follow_rules(claimed).await.unwrap());
    assert_eq!(rules_of(&bot, claimed).await.0.as_deref(), Some("newest"));
}

#[tokio::test]
async fn the_rules_of_the_start_are_as_old_as_their_reading() {
    let bot = Bot::new().await;
    bot.world.pass(TimeDelta::minutes(1));
    let slow = beside(&bot, "slow").with_rules_read_at(bot.engine.now() - TimeDelta::minutes(2));
    assert!(!slow.follow_rules(bot.id).await.unwrap(), "it has taken its time to start");
    let read_at = bot.engine.now();
    bot.world.pass(TimeDelta::minutes(1));
    assert!(beside(&bot, "other").with_rules_read_at(read_at).follow_rules(bot.id).await.unwrap());
    assert_eq!(rules_of(&bot, bot.id).await, (Some("other".into()), Some(read_at)));
}

#[tokio::test]
async fn what_was_read_by_a_clock_that_was_ahead_gives_way_to_what_is_read_anew() {
    let bot = Bot::new().await;
    let ahead_at = bot.engine.now() + TimeDelta::hours(2);
    let ahead = beside(&bot, "ahead").with_rules_read_at(ahead_at);
    assert!(ahead.follow_rules(bot.id).await.unwrap());
    bot.world.pass(TimeDelta::minutes(1));
    assert!(!bot.engine.follow_rules(bot.id).await.unwrap());
    assert_eq!(leads(&bot.engine, bot.id).await, Err(Refusal::OtherRules));

    // The same file once more: SIGHUP.
    let own = (*bot.engine.rules()).clone();
    bot.engine.put_rules(own.clone(), bot.engine.read_anew(bot.engine.now()));
    assert!(bot.engine.follow_rules(bot.id).await.unwrap());
    leads(&bot.engine, bot.id).await.unwrap();
    assert_eq!(rules_of(&bot, bot.id).await, (Some(own.version), Some(ahead_at + TimeDelta::milliseconds(1))));
    assert!(!ahead.follow_rules(bot.id).await.unwrap(), "it does not say its own again");
}

#[tokio::test]
async fn a_file_that_was_read_before_the_newest_is_not_made_newer_than_that() {
    let bot = Bot::new().await;
    let read_at = bot.engine.now();
    bot.world.pass(TimeDelta::seconds(1));
    let newest = beside(&bot, "newest");
    assert!(newest.follow_rules(bot.id).await.unwrap());
    bot.world.pass(TimeDelta::seconds(1));
    assert!(!bot.engine.follow_rules(bot.id).await.unwrap());
    assert_eq!(bot.engine.read_anew(read_at), read_at);
    bot.engine.put_rules(with_version(&bot, "older"), bot.engine.read_anew(read_at));
    assert!(!bot.engine.follow_rules(bot.id).await.unwrap());
}

#[tokio::test]
async fn no_log_is_fetched_again_for_rules_that_it_is_known_to_name() {
    let bot = Bot::new().await;
    let to_say = async |engine: &Engine| engine.rules_to_say().await.unwrap();
    assert_eq!(to_say(&bot.engine).await, [bot.id]);
    assert!(bot.engine.follow_rules(bot.id).await.unwrap());
    assert!(to_say(&bot.engine).await.is_empty());

    // A new one is looked at, as soon as there is something.
    let claimed = bot.store.claim(&another().correlation_keys()).await.unwrap().incident;
    assert!(bot.engine.follow_rules(claimed).await.unwrap());
    assert_eq!(to_say(&bot.engine).await, [claimed]);
    assert_eq!(bot.engine.take_alert(&another()).await.unwrap(), Taken::Opened(claimed));
    assert!(bot.engine.follow_rules(claimed).await.unwrap());
    assert!(to_say(&bot.engine).await.is_empty());

    // Where others are met, it is looked again, once, and it stays known that they go.
    bot.world.pass(TimeDelta::minutes(1));
    let newest = beside(&bot, "newest");
    assert!(newest.follow_rules(bot.id).await.unwrap());
    assert_eq!(leads(&bot.engine, bot.id).await, Err(Refusal::OtherRules));
    assert_eq!((to_say(&bot.engine).await, bot.engine.under_later_rules()), (vec![bot.id], 0));
    assert!(!bot.engine.follow_rules(bot.id).await.unwrap());
    assert_eq!(leads(&bot.engine, bot.id).await, Err(Refusal::OtherRules));
    assert_eq!((to_say(&bot.engine).await, bot.engine.under_later_rules()), (vec![], 1));

    // What is read anew is said everywhere, and what is closed is forgotten.
    bot.engine.put_rules(with_version(&bot, "newest"), bot.engine.now());
    assert_eq!(to_say(&bot.engine).await.len(), 2);
    for id in [bot.id, claimed] {
        assert!(bot.engine.follow_rules(id).await.unwrap());
    }
    bot.close().await;
    assert!(to_say(&bot.engine).await.is_empty());
    assert_eq!(bot.engine.under_later_rules(), 0);
}
