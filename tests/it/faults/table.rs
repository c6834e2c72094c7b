//! The rest of the table for removals and for what is put back: asked for and approved many times over and undone twice,
//! which `removals` and `estate` do to what they have to ask for again, and called by a program that dies before it has
//! written the answer down. `actions` has the whole table for what contains. An action of the catalogue without a row is
//! found by `sessions`, which goes through the same rows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use irp::adapters::redis::RedisStore;
use irp::domain::action::Inverse;
use irp::domain::incident::evolve::fold;

use super::estate::{self, Change};
use super::removals::{self, Removal};
use crate::cases::{Case, Cases};
use crate::redis_proxy::Loss;
use crate::redis_server::{RedisServer, seal};
use crate::world::{ANA, BEN, CHRIS, World};

/// A dead process's call is read back after 20 s; one that carries a function's code after two minutes more.
const LIMIT: Duration = Duration::from_mins(4);

#[derive(Clone, Copy, Debug)]
enum Row {
    Removal(Removal),
    Change(Change),
}

impl Row {
    fn all() -> impl Iterator<Item = Self> {
        removals::REMOVALS.into_iter().map(Self::Removal).chain(estate::CHANGES.into_iter().map(Self::Change))
    }

    /// An incident in which it can be asked for.
    async fn is_ready(self, w: &World) {
        match self {
            Self::Removal(removal) => drop(removal.is_ready(w).await),
            Self::Change(change) => drop(change.is_ready(w).await),
        }
    }

    /// The words of its card, and its last call.
    const fn card_and_call(self) -> (&'static str, &'static str) {
        match self {
            Self::Removal(removal) => removal.card_and_call(),
            Self::Change(change) => change.card_and_call(),
        }
    }
}

/// A server with a database for each case.
pub(super) fn server(cases: usize) -> RedisServer {
    RedisServer::start_with(&["--appendonly", "yes", "--databases", &cases.to_string()])
}

/// A workspace, an account and a bot over one of them.
pub(super) async fn over(server: &RedisServer, database: usize) -> World {
    let store = RedisStore::connect(&format!("{}/{database}", server.url()), "the bot", seal()).await.unwrap();
    World::start_with(false, Some(Arc::new(store))).await
}

/// How often something was changed in AWS: each change has a session of its own.
fn changes(w: &World) -> usize {
    w.account.confined_sessions().len()
}

/// Asked for and approved by everybody who is there, and delivered twice: it is made once.
pub(super) async fn asked_for_many_times(w: &World, (card, call): (&str, &str)) {
    let (calls, changed) = (w.account.count(call), changes(w));
    let told = |w: &World| [ANA, BEN, CHRIS].map(|person| w.told(person).len()).iter().sum::<usize>();
    let before = told(w);
    let step = w.value(card, "irp.request");
    join_all([ANA, BEN, ANA, BEN].map(|person| w.forged(person, "irp.request", &step))).await;
    w.until("each who asked is answered", |w| told(w) == before + 4).await;
    w.until("it can be approved", |w| w.offers(card, "irp.approve")).await;
    let (deliveries, approve) = (w.slack.deliveries().len(), w.value(card, "irp.approve"));
    join_all([CHRIS, BEN, CHRIS, BEN, ANA].map(|person| w.press(person, card, "irp.approve"))).await;
    // And Slack delivers the first once more.
    assert_eq!(w.slack.replay(deliveries).await, Ok(200));
    w.until("each who decided is answered, and whose press came twice is told so", |w| told(w) == before + 10).await;
    w.until_within(LIMIT, &format!("“{card}” is done"), |w| w.says(card, "carried out and verified")).await;
    let again = w.forged_click(CHRIS, "irp.approve", &approve).await;
    assert!(again.starts_with(":no_entry:"), "{card}: {again}");
    assert_eq!((w.account.count(call), changes(w)), (calls + 1, changed + 1), "calls of {call}, and changes");
}

/// Undone where it can be, and once only.
pub(super) async fn undone_many_times(w: &World, card: &str) {
    let incident = fold(&w.store.load("INC-1".parse().unwrap()).await.unwrap()).unwrap();
    let (id, request) = incident.requests.last_key_value().unwrap();
    if matches!(request.plan.work.inverse, Inverse::Calls(_)) {
        w.until(&format!("“{card}” can be undone"), |w| w.offers(card, "irp.undo")).await;
        w.click(ANA, card, "irp.undo").await;
        let undo = format!("Undo {id}");
        w.until_card(&undo, "waiting for approval").await;
        w.click(CHRIS, &undo, "irp.approve").await;
        w.until_card(&undo, "carried out and verified").await;
    }
    let (changed, step) = (changes(w), format!("INC-1 {}", request.plan.step));
    for _ in 0..2 {
        let answer = w.forged_click(ANA, "irp.undo", &step).await;
        assert!(answer.starts_with(":no_entry:"), "{card}: {answer}");
    }
    assert_eq!(changes(w), changed, "{card}: nothing more is changed");
}

async fn dies_before_the_record(mut case: Case, row: Row) {
    let program = case.program().await;
    row.is_ready(&case.w).await;
    let (card, call) = row.card_and_call();
    let (w, calls) = (&case.w, case.w.account.count(call));
    case.proxy.lose("\"CallAnswered\"", Loss::Command);
    w.click(ANA, card, "irp.request").await;
    w.until_within(LIMIT, &format!("{row:?} is asked for"), |w| w.offers(card, "irp.approve")).await;
    w.press(CHRIS, card, "irp.approve").await;
    case.until_met(1).await;
    drop(program);
    assert_eq!(w.account.count(call), calls + 1, "the call was made");
    let changed = changes(w);
    let _second = case.program().await;
    case.only_waits();
    let w = &case.w;
    w.until_within(LIMIT, &format!("{row:?} is read back"), |w| w.says(card, "carried out and verified")).await;
    assert_eq!((w.account.count(call), changes(w)), (calls + 1, changed), "{row:?}: nothing is called again");
    w.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes five minutes; `make crash` runs it"]
async fn a_removal_whose_program_dies_before_the_record_is_read_back_and_not_repeated() {
    let mut cases = Cases::start().await;
    for row in Row::all() {
        cases.add(format!("{row:?}"), move |case| dies_before_the_record(case, row));
    }
    cases.end().await;
}
