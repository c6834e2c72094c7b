//! Every change of the catalogue while the way to Redis fails at the records around its call: one of the two is lost, or
//! its answer is, by a connection that is cut or half-closed, and the other comes late. `store` has all that a way can do
//! at every moment, with one change.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_iam::Client;
use futures_util::stream::{self, StreamExt};
use irp::adapters::redis::RedisStore;
use irp::domain::action::ApiCall;
use irp::domain::approval::RequestState;
use irp::domain::hunt::Trace;
use irp::domain::incident::evolve::fold;
use tokio::sync::Semaphore;

use super::actions::{self, NOT_KNOWN};
use super::estate;
use super::removals::{self, Removal};
use super::sessions::catalogue;
use super::table::server;
use crate::estate::is_rehearsal;
use crate::identity_center::CENTER;
use crate::organization::ORGANIZATION;
use crate::redis_proxy::{Loss, RedisProxy};
use crate::redis_server::{RedisServer, seal};
use crate::world::{ANA, CHRIS, ORGANISATION, World};

/// Before the call, and after it.
const STARTED: &str = "\"type\":\"ExecutionStarted\"";
const ANSWERED: &str = "\"type\":\"CallAnswered\"";
/// Each change meets one of these, and the other record is late.
const LOSSES: [(&str, Loss); 8] = [
    (STARTED, Loss::CutBefore),
    (ANSWERED, Loss::CutBefore),
    (STARTED, Loss::HalfClosedToServer),
    (ANSWERED, Loss::CutAfter),
    (STARTED, Loss::CutAfter),
    (ANSWERED, Loss::HalfClosedToServer),
    (STARTED, Loss::HalfClosedToBot),
    (ANSWERED, Loss::HalfClosedToBot),
];
const LATE: Loss = Loss::Late(Duration::from_millis(1_200));
const DONE: &str = "carried out and verified";
/// A call whose answer is not on record is read back after 20 s and for 16 more; one that carries a function's code after
/// two minutes more.
const LIMIT: Duration = Duration::from_mins(4);
/// Worlds that are made ready at once: each is a bot, a workspace and an account.
const AT_ONCE: usize = 6;
/// The same with those that only wait.
const UNDER_WAY: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Row {
    Contain(actions::Change),
    Remove(Removal),
    Restore(estate::Change),
}

/// A change that can be asked for, with what shows in AWS whether it is made.
enum Ready {
    Contain(actions::Change),
    Remove(Removal, Client),
    Restore(estate::Change, Box<Trace>),
}

impl Row {
    fn all() -> impl Iterator<Item = Self> {
        let contain = actions::CHANGES.into_iter().chain(actions::CHANGES_OF_PEOPLE).map(Self::Contain);
        let remove = removals::REMOVALS.into_iter().map(Self::Remove);
        contain.chain(remove).chain(estate::CHANGES.into_iter().map(Self::Restore))
    }

    /// The test itself has another way to the store.
    async fn world(self, store: &str) -> (World, RedisProxy) {
        let rules = match self {
            Self::Contain(_) => format!("{ORGANISATION}{ORGANIZATION}{CENTER}"),
            Self::Remove(_) | Self::Restore(_) => ORGANISATION.to_owned(),
        };
        let proxy = RedisProxy::start(store).await;
        let of_the_bot = RedisStore::connect(proxy.url(), "the bot", seal()).await.unwrap();
        let mut w = World::without_bot(false).await.with_bot(false, Some(Arc::new(of_the_bot)), &rules).await;
        w.store = Arc::new(RedisStore::connect(store, "the test", seal()).await.unwrap());
        (w, proxy)
    }

    async fn ready(self, w: &World) -> Ready {
        match self {
            Self::Contain(change) => {
                change.ready(w).await;
                Ready::Contain(change)
            }
            Self::Remove(removal) => Ready::Remove(removal, removal.is_ready(w).await),
            Self::Restore(change) => Ready::Restore(change, Box::new(change.is_ready(w).await)),
        }
    }

    /// Where it is asked for, and with which button; where it is decided on.
    const fn cards(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Contain(change) => (change.step_card(), change.button(), change.card()),
            Self::Remove(removal) => (removal.card_and_call().0, "irp.request", removal.card_and_call().0),
            Self::Restore(change) => (change.card_and_call().0, "irp.request", change.card_and_call().0),
        }
    }

    /// One asks for it, and another approves it while the records around its call are about to meet these.
    async fn is_approved(self, w: &World, proxy: &RedisProxy, losses: &[(&str, Loss)]) {
        let (step, button, card) = self.cards();
        w.click(ANA, step, button).await;
        w.until_within(LIMIT, &format!("{self:?} is asked for"), |w| w.offers(card, "irp.approve")).await;
        for (moment, loss) in losses {
            proxy.lose(moment, *loss);
        }
        w.press(CHRIS, card, "irp.approve").await;
    }
}

impl Ready {
    async fn is_made(&self, w: &World) -> bool {
        match self {
            Self::Contain(change) => change.holds(w),
            Self::Remove(removal, iam) => removal.is_gone(w, iam).await,
            Self::Restore(change, trace) => change.is_done(w, trace),
        }
    }
}

/// The keys of all sessions that could change something.
fn sessions(w: &World) -> BTreeSet<String> {
    w.account.confined_sessions().into_iter().map(|session| session.access_key_id).collect()
}

/// What was called in sessions that are not among these.
fn called(w: &World, before: &BTreeSet<String>) -> Vec<String> {
    let since: BTreeSet<String> = sessions(w).difference(before).cloned().collect();
    let calls = w.account.calls().into_iter().filter(|call| since.contains(&call.access_key_id));
    calls.map(|call| call.operation).filter(|operation| !is_rehearsal(operation)).collect()
}

/// Gives what kind of change it was.
async fn meets(server: &RedisServer, (number, row): (usize, Row), turns: &Semaphore) -> String {
    let (moment, loss) = LOSSES[number % LOSSES.len()];
    let what = format!("{row:?}, {moment}: {loss:?}");
    let turn = turns.acquire().await.unwrap();
    let (w, proxy) = row.world(&format!("{}/{number}", server.url())).await;
    let ready = row.ready(&w).await;
    let before = sessions(&w);
    let (step, button, card) = row.cards();
    let other = if moment == STARTED { ANSWERED } else { STARTED };
    row.is_approved(&w, &proxy, &[(moment, loss), (other, LATE)]).await;
    // From here on it mostly waits.
    drop(turn);
    w.until_within(LIMIT, &what, |w| w.says(card, DONE) || w.says(card, NOT_KNOWN)).await;
    if w.says(card, NOT_KNOWN) {
        // It is on record as sent, and whoever was to send it has not heard so.
        assert!(moment == STARTED && matches!(loss, Loss::CutAfter | Loss::HalfClosedToBot), "{what}");
        assert_eq!(called(&w, &before), [""; 0], "{what}");
        assert!(!ready.is_made(&w).await, "{what}: in AWS");
        w.until_within(LIMIT, &format!("{what}: it can be asked for again"), |w| w.offers(step, button)).await;
        row.is_approved(&w, &proxy, &[]).await;
        w.until_within(LIMIT, &what, |w| w.says(card, DONE)).await;
    }
    assert_eq!(proxy.met(), 2, "{what}: records that came by");
    assert!(ready.is_made(&w).await, "{what}: in AWS");
    let incident = fold(&w.store.load("INC-1".parse().unwrap()).await.unwrap()).unwrap();
    let (_, request) = incident.requests.last_key_value().unwrap();
    let RequestState::Verified { sent, .. } = &request.state else { panic!("{what}: {request:?}") };
    let approved: Vec<&str> = sent.iter().map(ApiCall::operation).collect();
    assert_eq!(called(&w, &before), approved, "{what}: each call once");
    let kind = request.plan.action.kind().to_owned();
    w.end().await;
    kind
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_way_to_the_store_does_around_a_call_it_is_made_once_and_its_end_is_known() {
    let (server, turns) = (server(Row::all().count()), Semaphore::new(AT_ONCE));
    let cases = stream::iter(Row::all().enumerate()).map(|row| meets(&server, row, &turns));
    let kinds: BTreeSet<String> = cases.buffer_unordered(UNDER_WAY).collect().await;
    assert_eq!(catalogue().difference(&kinds).collect::<Vec<_>>(), [""; 0], "changes that nothing here carries out");
}
