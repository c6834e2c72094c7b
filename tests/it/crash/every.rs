//! The program killed just before and just after the first record of every kind: which test does that for which kind, and the
//! scenes for those that are not written on the straight way. In a scene people look, and press again what is there to press,
//! until it is over; each is played once for each of its kinds and each side of the record.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::stored::read;

use super::long_scenes::LONG;
use super::points::KEY;
use super::scenes::SHORT;
use super::whole_way::{Seen, press};
use super::{points, presses, replicas, whole_way};
use crate::cases::{Case, Cases};
use crate::redis_proxy::Loss;
use crate::world::{ANA, CHRIS, World};

pub(super) const SESSIONS: &str = "· Revoke all sessions minted";
/// How the names of their steps begin.
pub(super) const KEY_STEP: &str = "deactivate-access-key.";
pub(super) const SESSIONS_STEP: &str = "revoke-user-";
/// The inventory is taken after two minutes, a search comes every minute, and a dead process's work is taken over after 15 s.
const SCENE_TIME_MAX: Duration = Duration::from_mins(8);
/// How long people wait for something to come of a click.
const PATIENCE: Duration = Duration::from_secs(3);
/// The calls that change something in these scenes.
const CHANGES: [&str; 3] = ["UpdateAccessKey", "PutUserPolicy", "PutRolePolicy"];

/// Where the program is killed at a record of some kind.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// `points.rs`: on the straight way to a dead key.
    StraightWay,
    /// `presses.rs`: by what people and others do on it.
    Presses,
    /// `replicas.rs`: beside another process.
    Replicas,
    /// `whole_way.rs`: in a part of a whole incident.
    WholeWay,
    /// `scenes.rs`.
    Short,
    /// `long_scenes.rs`.
    Long,
}

macro_rules! table {
    ($($kind:ident: $place:ident,)*) => {
        const TABLE: &[(&str, Place)] = &[$((stringify!($kind), Place::$place),)*];

        /// The name that is written with it. What is new does not compile before it has a place in the table.
        const fn kind(event: &Event) -> &'static str {
            match event {
                $(Event::$kind { .. } => stringify!($kind),)*
            }
        }
    };
}

table! {
    Opened: StraightWay,
    RulesChanged: Presses,
    AlertReceived: Presses,
    Identified: StraightWay,
    BlastRadiusRead: StraightWay,
    TrailHunted: StraightWay,
    TrailPartlyRead: Long,
    TrailSwept: StraightWay,
    InventoryTaken: Long,
    ThingsLookedAt: Long,
    VerdictReached: Long,
    RiskAgreed: Long,
    RiskAccepted: Long,
    HandDone: Long,
    HandConfirmed: Long,
    HandTakenBack: Long,
    LogsSearchAsked: Long,
    LogsSearchEstimated: Long,
    LogsSearchConfirmed: Long,
    LogsSearchStarted: Long,
    LogsSearched: Long,
    LogsSearchFailed: Long,
    LogsSearchCancelled: Long,
    LogsSearchStopped: Long,
    IdentificationFailed: Short,
    IdentificationAsked: Presses,
    CompromiseTimeSet: WholeWay,
    AttributionOverruled: WholeWay,
    LeadTaken: Presses,
    ApprovalRequested: StraightWay,
    PlanUploaded: WholeWay,
    PlanNotUploaded: Short,
    GlassBroken: WholeWay,
    GlassRatified: WholeWay,
    GlassContested: Short,
    ContainmentChecked: WholeWay,
    ContainmentUnread: Short,
    RequestSuperseded: Presses,
    ApprovalRetracted: WholeWay,
    ApprovalVoided: Short,
    Frozen: WholeWay,
    UnfreezeAgreed: WholeWay,
    Unfrozen: WholeWay,
    SubjectNamed: WholeWay,
    ApprovalGiven: StraightWay,
    RequestDenied: WholeWay,
    RequestWithdrawn: Presses,
    RequestExpired: Long,
    RequestLapsed: Short,
    RequestStale: Short,
    RequestCancelled: Presses,
    ExecutionStarted: StraightWay,
    ExecutionContinues: Replicas,
    CallAnswered: StraightWay,
    Verified: StraightWay,
    ExecutionFailed: Long,
    ExecutionUnknown: Long,
    LookedAgain: Long,
    AttemptRefused: Presses,
    Closed: WholeWay,
}

/// What happens until it is over, whenever the program dies in it.
pub(super) struct Scene {
    /// What it is killed at.
    pub(super) kinds: &'static [&'static str],
    pub(super) rules: fn() -> String,
    /// How AWS and Slack stand before there is a program.
    pub(super) before: for<'a> fn(&'a World) -> BoxFuture<'a, ()>,
    pub(super) press: for<'a> fn(&'a World, &'a Seen) -> BoxFuture<'a, ()>,
    pub(super) is_over: fn(&Seen) -> bool,
    /// Of these there is one record in the end, and no more.
    pub(super) once: &'static [&'static str],
    /// How often each of [`CHANGES`] has reached AWS then, whatever AWS said to it.
    pub(super) calls: fn(&Seen) -> [usize; 3],
}

impl Seen {
    pub(super) fn times(&self, of: &str) -> usize {
        self.events.iter().filter(|event| kind(event) == of).count()
    }

    pub(super) fn has(&self, of: &str) -> bool {
        self.times(of) > 0
    }
}

/// One asks and another approves, whichever the card offers.
pub(super) async fn carry_out(w: &World, card: &str) {
    if w.offers(card, "irp.approve") {
        press(w, CHRIS, card, "irp.approve").await;
    } else {
        press(w, ANA, card, "irp.request").await;
    }
}

/// People look, and press again what is there to press.
async fn play(w: &World, scene: &Scene) {
    w.alert_until_kept(&w.finding("e-1", "f-1")).await;
    w.until_within(SCENE_TIME_MAX, "the step is there", |w| w.card(ANA, KEY).is_some()).await;
    let started = Instant::now();
    loop {
        let seen = Seen::of(w).await;
        if (scene.is_over)(&seen) {
            return;
        }
        assert!(started.elapsed() < SCENE_TIME_MAX, "{:?}: it gets nowhere: {:#?}", scene.kinds, w.texts());
        (scene.press)(w, &seen).await;
        let pressed = Instant::now();
        while pressed.elapsed() < PATIENCE && w.store.load(IncidentId::new(1)).await.unwrap().len() == seen.events.len()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn killed_at(mut case: Case, scene: &'static Scene, of: &'static str, loss: Loss) {
    case.rules(&(scene.rules)());
    (scene.before)(&case.w).await;
    case.proxy.lose(&format!("\"type\":\"{of}\""), loss);
    let first = case.program().await;
    case.w.slack.set_rate_limits(false);
    let replaced = async {
        case.w.until_within(SCENE_TIME_MAX, "the command comes by", |_| case.proxy.met() == 1).await;
        // It stands nowhere yet, so whoever comes next has to see to it.
        assert!(loss == Loss::Answer || !Seen::of(&case.w).await.has(of), "{of} is written already");
        let second = case.replace(first).await;
        case.only_waits();
        second
    };
    let (_second, ()) = tokio::join!(replaced, play(&case.w, scene));
    ends_well(&case.w, scene, loss == Loss::Answer).await;
}

async fn ends_well(w: &World, scene: &Scene, is_written: bool) {
    let log = w.store.load(IncidentId::new(1)).await.unwrap();
    let texts = log.iter().map(|record| record.text().to_owned());
    assert_eq!(read(texts).map(|log| log.len()), Ok(log.len()), "the chain holds");
    let seen = Seen::of(w).await;
    for of in ["Opened"].iter().chain(scene.once) {
        assert_eq!(seen.times(of), 1, "{of}, written before the kill: {is_written}");
    }
    let calls = CHANGES.map(|call| w.account.count(call));
    assert_eq!(calls, (scene.calls)(&seen), "calls that reached AWS");
    assert_eq!(calls.iter().sum::<usize>(), seen.times("ExecutionStarted"), "each was written down before");
    assert_eq!(w.account.queries(), seen.times("LogsSearchConfirmed"), "each that was let run, once");
    assert_eq!(w.store.open_incidents(9).await.unwrap().len(), 1);
    w.nothing_is_owed().await;
    w.nothing_stands_twice();
}

async fn killed_at_each(scenes: &'static [Scene]) {
    let mut cases = Cases::start().await;
    for scene in scenes {
        for &of in scene.kinds {
            for loss in [Loss::Command, Loss::Answer] {
                cases.add(format!("{of}: {loss:?}"), move |case| killed_at(case, scene, of, loss));
            }
        }
    }
    cases.end().await;
}

#[test]
fn there_is_a_kill_for_every_kind_of_record() {
    let of_scenes = |scenes: &[Scene]| scenes.iter().flat_map(|scene| scene.kinds).copied().collect::<Vec<_>>();
    for (kind, place) in TABLE {
        let killed_at = match place {
            Place::StraightWay => points::kinds(),
            Place::Presses => presses::kinds(),
            Place::Replicas => vec![replicas::CONTINUES],
            Place::WholeWay => whole_way::kinds(),
            Place::Short => of_scenes(&SHORT),
            Place::Long => of_scenes(&LONG),
        };
        assert!(killed_at.contains(kind), "{kind}: not in {place:?}, but {killed_at:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_short_scene_it_comes_to_the_same_end() {
    killed_at_each(&SHORT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes some ten minutes; `make crash` runs it"]
async fn killed_in_a_long_scene_it_comes_to_the_same_end() {
    killed_at_each(&LONG).await;
}
