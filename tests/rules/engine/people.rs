//! Who may, as Slack sees people: asked before anything is decided.

use std::sync::Arc;

use chrono::TimeDelta;
use irp::domain::approval::RequestState;
use irp::domain::id::GroupId;
use irp::domain::incident::command::{Attempt, PersonCommand};
use irp::domain::incident::decide::REFUSALS_WITHIN;
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::REFUSALS_KEPT;
use irp::domain::incident::state::Incident;
use irp::domain::incident::together::digest;
use irp::domain::policy::{ActionClass, List, PersonId, Policy, Standing};
use irp::domain::refusal::Refusal;
use irp::engine::EngineError;
use irp::ports::{ChatError, IncidentLog as _};

use super::{APPROVES, APPROVES_TOO, ASKS, Bot, KEY_STEP, STRANGER, no, number, user};
use crate::search::STOLEN;

#[tokio::test]
async fn somebody_on_no_list_works_nothing_and_each_attempt_is_on_record() {
    let bot = Bot::new().await;
    let stranger = user(STRANGER);
    assert_eq!(no(bot.engine.may_accept_risk(bot.id, &stranger, 0).await), Refusal::NotAResponder);
    let attempt = Attempt { name: "open the form", request: None, digest: None };
    assert_eq!(no(bot.engine.may_work(bot.id, &stranger, attempt).await), Refusal::NotAResponder);
    let names = ["accept the risk", "open the form"].map(|name| (stranger.clone(), name.to_owned()));
    assert_eq!(bot.refused().await, names);
    bot.engine.may_work(bot.id, &user(ASKS), attempt).await.unwrap();
    assert_eq!(bot.engine.may_respond(&stranger).await, Err(Refusal::NotAResponder));
    assert_eq!(bot.engine.may_respond(&user(ASKS)).await, Ok(()));
    assert_eq!(bot.engine.may_read(&stranger).await, Ok(()), "members read");
    bot.world.standing.lock().unwrap().insert(stranger.clone(), Standing::Guest);
    assert_eq!(bot.engine.may_read(&stranger).await, Err(Refusal::NotAMember(Standing::Guest)));
}

#[tokio::test]
async fn who_stands_behind_a_crowd_is_looked_at_again_when_it_is_their_turn() {
    let bot = Bot::new().await;
    bot.ask(KEY_STEP).await.unwrap();
    let shown = digest(&bot.incident().await, &bot.incident().await.requests[&number(1)]).short().to_owned();
    *bot.world.ticks.lock().unwrap() = TimeDelta::seconds(2);
    // The first has the turn when Slack is asked about them again; the other, who waits for it, leaves meanwhile.
    *bot.world.leaves_at_question.lock().unwrap() = [None, Some(user(APPROVES))].into();
    let deny = PersonCommand::Deny { request: number(1), digest_shown: shown, reason: "no".into() };
    let (leads, approves) = (user(APPROVES_TOO), user(APPROVES));
    let lead = bot.engine.act(bot.id, &leads, PersonCommand::TakeLead { clicked_at: bot.engine.now() });
    let (lead, denied) = tokio::join!(lead, bot.engine.act(bot.id, &approves, deny));
    lead.unwrap();
    assert_eq!(no(denied), Refusal::NotAMember(Standing::Deactivated));
    assert_eq!(bot.state(1).await, RequestState::Pending);
}

#[tokio::test]
async fn whoever_has_waited_a_second_is_not_looked_at_again_and_after_a_minute_nothing_is_decided_any_more() {
    let tick = TimeDelta::milliseconds(1);
    let (second, half) = (TimeDelta::seconds(1), TimeDelta::seconds(30));
    let (gone, late) = (Refusal::NotAMember(Standing::Deactivated), Refusal::HandledTooLate);
    for (each_look_takes, leaves, expected) in [
        (second, true, None),
        (second + tick, true, Some(gone)),
        // Twice half a minute is no more than one.
        (half, false, None),
        (half + tick, false, Some(late)),
    ] {
        let bot = Bot::new().await;
        let asks = user(ASKS);
        *bot.world.ticks.lock().unwrap() = each_look_takes;
        *bot.world.leaves_at_question.lock().unwrap() = [None, leaves.then(|| asks.clone())].into();
        let answer = bot.engine.act(bot.id, &asks, PersonCommand::TakeLead { clicked_at: bot.engine.now() }).await;
        *bot.world.ticks.lock().unwrap() = TimeDelta::zero();
        match expected {
            Some(expected) => assert_eq!(no(answer), expected, "{each_look_takes}"),
            None => assert!(answer.is_ok(), "{each_look_takes}"),
        }
    }
}

#[tokio::test]
async fn the_digest_on_the_button_is_in_the_record_of_a_refused_press() {
    let bot = Bot::new().await;
    bot.ask(KEY_STEP).await.unwrap();
    for command in [
        PersonCommand::Approve { request: number(1), digest_shown: "0bad".into(), clicked_at: bot.engine.now() },
        PersonCommand::Deny { request: number(1), digest_shown: "0bad".into(), reason: "no".into() },
        PersonCommand::BreakGlass {
            request: number(1),
            digest_shown: "0bad".into(),
            target: STOLEN.into(),
            reason: "nobody answers".into(),
        },
    ] {
        no(bot.engine.act(bot.id, &user(APPROVES), command).await);
        let log = bot.store.load(bot.id).await.unwrap();
        let Event::AttemptRefused { digest, .. } = &log.last().unwrap().event else { panic!("{:?}", log.last()) };
        assert_eq!(digest.as_deref(), Some("0bad"));
    }
}

#[tokio::test]
async fn whoever_has_approved_none_of_several_takes_nothing_back_and_the_attempt_is_on_record() {
    let bot = Bot::new().await;
    bot.engine.request_all(bot.id, &user(ASKS), Some(ActionClass::Contain), "press;").await.unwrap();
    bot.engine.act(bot.id, &user(APPROVES), bot.yes().await).await.unwrap();
    let approved = bot.incident().await.requests;
    let take_back = PersonCommand::Retract { request: number(2), clicked_at: bot.engine.now() };
    let refused = no(bot.engine.act(bot.id, &user(APPROVES_TOO), take_back).await);
    assert_eq!(refused, Refusal::NothingToRetract(number(2)));
    assert_eq!(bot.refused().await, [(user(APPROVES_TOO), "retract".to_owned())]);
    assert_eq!(bot.incident().await.requests, approved, "what others have approved stands");
}

#[tokio::test]
async fn who_runs_it_alone_is_shown_the_one_that_they_pressed() {
    let alone = |policy| Policy { break_glass: [user(ASKS)].into(), ..policy };
    let bot = Bot::with(Arc::default(), alone).await;
    bot.engine.request_all(bot.id, &user(ASKS), Some(ActionClass::Contain), "press;").await.unwrap();
    let incident = bot.incident().await;
    assert_eq!(incident.requests.len(), 2);
    for pressed in [number(1), number(2)] {
        let shown = digest(&incident, &incident.requests[&pressed]);
        let found = bot.engine.may_break_glass(pressed, &user(ASKS), shown.short()).await.unwrap();
        assert_eq!(found.id, pressed);
    }
}

#[tokio::test]
async fn rules_that_do_not_name_the_members_of_a_group_are_said_to_and_read_again() {
    let group: GroupId = "S0SECURITY".parse().unwrap();
    let bot = Bot::with(Arc::default(), |mut policy| {
        policy.approvers.groups.insert(group.clone());
        policy
    })
    .await;
    let rules = bot.engine.rules();
    let unread = bot.engine.unread_groups(&rules).await;
    assert!(matches!(&unread, Some(ChatError::Unavailable(why)) if why.contains(group.as_str())), "{unread:?}");
    let members = [(group, [user(APPROVES)].into())].into();
    assert!(bot.engine.unread_groups(&Policy { members, ..(*rules).clone() }).await.is_none());
}

async fn with_standing(bot: &Bot, gone: &[&str]) -> Result<Incident, EngineError> {
    for id in gone {
        bot.world.standing.lock().unwrap().insert(user(id), Standing::Deactivated);
    }
    bot.ask(KEY_STEP).await
}

#[tokio::test]
async fn nothing_waits_for_approvers_who_have_left() {
    let bot = Bot::new().await;
    let nobody = no(with_standing(&bot, &[APPROVES, APPROVES_TOO]).await);
    assert!(matches!(nobody, Refusal::NobodyToApprove { eligible: 0, .. }), "{nobody:?}");
    let bot = Bot::new().await;
    with_standing(&bot, &[APPROVES]).await.unwrap();
}

#[tokio::test]
async fn who_has_left_with_one_account_can_decide_with_another() {
    let aliased = |policy| Policy { aliases: [(user("U0SECOND01"), user(APPROVES))].into(), ..policy };
    let bot = Bot::with(Arc::default(), aliased).await;
    with_standing(&bot, &[APPROVES, APPROVES_TOO]).await.unwrap();
    // The other account is theirs alone: nobody else can decide with it.
    for (listed, decides) in [(APPROVES, true), (APPROVES_TOO, false)] {
        let only = List { users: [user(listed)].into(), ..List::default() };
        let bot = Bot::with(Arc::default(), |policy| Policy { approvers: only, ..aliased(policy) }).await;
        assert_eq!(with_standing(&bot, &[listed]).await.is_ok(), decides, "{listed}");
    }
}

#[tokio::test]
async fn one_approver_more_than_needed_is_looked_up_because_one_can_turn_out_to_be_recused() {
    // The first on the list is there, and owns the key.
    let owned = |policy| Policy { belongings: [("kim".to_owned(), PersonId(user(APPROVES_TOO)))].into(), ..policy };
    let bot = Bot::with(Arc::default(), owned).await;
    let nobody = no(with_standing(&bot, &[APPROVES]).await);
    assert!(matches!(nobody, Refusal::NobodyToApprove { recused: 1, .. }), "{nobody:?}");
}

/// How many records of refused attempts there are, and how many more the last one says that there were.
async fn on_record(bot: &Bot) -> (usize, Option<u32>) {
    let log = bot.store.load(bot.id).await.unwrap();
    let last = log.iter().rev().find_map(|record| match record.event {
        Event::AttemptRefused { left_out, .. } => Some(left_out),
        _ => None,
    });
    (bot.refused().await.len(), last.flatten())
}

#[tokio::test]
async fn attempts_beyond_the_limit_are_counted_in_the_next_record_or_when_their_minute_is_over() {
    let bot = Bot::new().await;
    let stranger = user(STRANGER);
    let attempt = Attempt { name: "open the form", request: None, digest: None };
    let press = async |times: usize| {
        for _ in 0..times {
            assert_eq!(no(bot.engine.may_work(bot.id, &stranger, attempt).await), Refusal::NotAResponder);
        }
    };
    let tick = TimeDelta::milliseconds(1);
    press(REFUSALS_KEPT + 5).await;
    bot.world.pass(REFUSALS_WITHIN - tick);
    bot.engine.record_left_out().await;
    assert_eq!(on_record(&bot).await, (REFUSALS_KEPT, None), "the minute is not over");
    bot.world.pass(tick);
    for _ in 0..2 {
        bot.engine.record_left_out().await;
        assert_eq!(on_record(&bot).await, (REFUSALS_KEPT + 1, Some(4)), "once");
    }
    // It counts as one of the next minute, like every record.
    press(REFUSALS_KEPT - 1 + 7).await;
    assert_eq!(on_record(&bot).await, (2 * REFUSALS_KEPT, None));
    bot.world.pass(REFUSALS_WITHIN);
    press(1).await;
    assert_eq!(on_record(&bot).await, (2 * REFUSALS_KEPT + 1, Some(7)));
    bot.engine.record_left_out().await;
    press(1).await;
    assert_eq!(on_record(&bot).await, (2 * REFUSALS_KEPT + 2, None));
}

#[tokio::test]
async fn whoever_has_left_since_they_agreed_lifts_no_freeze() {
    for leaves in [false, true] {
        let bot = Bot::new().await;
        let act = async |who: &str, command| bot.engine.act(bot.id, &user(who), command).await.unwrap();
        act(APPROVES_TOO, PersonCommand::TakeLead { clicked_at: bot.engine.now() }).await;
        bot.ask(KEY_STEP).await.unwrap();
        act(ASKS, PersonCommand::NotMe { request: number(1) }).await;
        let shown = bot.incident().await.freeze.unwrap().number;
        act(APPROVES, PersonCommand::Unfreeze { shown }).await;
        if leaves {
            bot.world.standing.lock().unwrap().insert(user(APPROVES), Standing::Deactivated);
        }
        act(APPROVES_TOO, PersonCommand::Unfreeze { shown }).await;
        assert_eq!(bot.incident().await.freeze.is_some(), leaves);
    }
}
