//! The search itself: after a crash, at AWS's pace, and where AWS does not answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use irp::adapters::memory::MemoryStore;
use irp::config::Organisation;
use irp::domain::alert::{Alert, AlertSource, Severity};
use irp::domain::approval::Warrant;
use irp::domain::blast_radius::BlastRadius;
use irp::domain::credential::{PrincipalKind, Subject};
use irp::domain::hunt::Hunted;
use irp::domain::hunt::pivot::Pivot;
use irp::domain::id::{AccountId, GroupId, IncidentId, UserId};
use irp::domain::identification::Identification;
use irp::domain::incident::event::Event;
use irp::domain::incident::hunting;
use irp::domain::incident::quiet::lacking;
use irp::domain::incident::steps::steps;
use irp::domain::inventory::Stock;
use irp::domain::observation::{Observation, Probe};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::Standing;
use irp::engine::{Engine, Ports};
use irp::ports::{
    ChatError, Clock, Cloud, CloudError, Directory, EventHistory, IncidentLog, LogArchive, Look, Of, Page, PageRead,
    Searched, Session, Stocktaking, TrailStore,
};
use irp_sandbox::clock::Clock as SandboxClock;
use serde_json::json;

use crate::world::ORGANISATION;

const STOLEN: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const ACCOUNT: &str = "111122223333";
const PAGE: usize = 50;

/// The sandbox's clock as the engine's. It does not wait.
struct Shared(SandboxClock);

#[async_trait]
impl Clock for Shared {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
    async fn wait(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

struct Nobody;

#[async_trait]
impl Directory for Nobody {
    async fn standing(&self, _: &UserId) -> Result<Standing, ChatError> {
        Ok(Standing::Unknown)
    }
    async fn members(&self, _: &GroupId) -> Result<BTreeSet<UserId>, ChatError> {
        Ok(BTreeSet::new())
    }
}

pub(super) fn engine(store: Arc<MemoryStore>, cloud: Arc<dyn Cloud>, clock: &SandboxClock) -> Engine {
    let ports = Ports { store, cloud, directory: Arc::new(Nobody), clock: Arc::new(Shared(clock.clone())) };
    let policy = Organisation::parse(ORGANISATION, "irp.toml").unwrap().policy(None);
    Engine::new(ports, policy, Playbook::parse(BUILT_IN).unwrap(), "r", &[Duration::ZERO])
}

/// An incident about this key, which is known to be a user's.
pub(super) async fn identified(engine: &Engine, key: &str, clock: &SandboxClock) -> IncidentId {
    let subject = Subject { access_key: key.parse().ok(), account: ACCOUNT.parse().ok(), ..Subject::default() };
    let alert = Alert::new((AlertSource::GuardDuty, "d"), ("t", "t"), Severity::High, subject);
    let alert = Alert { first_seen_at: Some(clock.now()), ..alert };
    let id = engine.take_alert(&alert).await.unwrap().incident();
    engine.inform(id).await.unwrap();
    clock.advance(TimeDelta::seconds(31));
    id
}

/// A history of one key's calls, the newest first, that can stop answering.
struct Scripted {
    records: Vec<(DateTime<Utc>, String)>,
    /// Each page that was asked for: its Region, from where on, and until when.
    asked: Mutex<Vec<(String, usize, DateTime<Utc>)>>,
    /// After so many pages nothing is answered any more.
    hangs_after: AtomicUsize,
    /// Regions that say no, and Regions that say that it was too fast, so often.
    refuses: Option<&'static str>,
    throttles: AtomicUsize,
    /// Nobody knows which Regions there are.
    unknown: bool,
    /// Regions that are left out.
    unwatched: Vec<&'static str>,
    /// A key that some call has made. Questions about it are never answered.
    made: Option<&'static str>,
    /// So long every page takes, by this clock.
    slow: Option<(SandboxClock, TimeDelta)>,
}

impl Scripted {
    fn new(count: i64, now: DateTime<Utc>) -> Self {
        let record = |number: i64| {
            // Several in each second, so that a page ends within one; and none so new that it is asked for twice.
            let at = now - TimeDelta::minutes(30 + number / 7);
            let record = json!({
                "eventID": format!("e-{number}"), "eventTime": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                "eventName": "ListUsers", "eventSource": "iam.amazonaws.com", "awsRegion": "us-east-1", "readOnly": true,
                "recipientAccountId": ACCOUNT, "sourceIPAddress": "198.51.100.77", "userAgent": "keyhunter",
                "userIdentity": {"type": "IAMUser", "principalId": "AIDA1", "userName": "ci", "accessKeyId": STOLEN,
                    "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/ci")},
            });
            (at, record.to_string())
        };
        Self {
            records: (0..count).map(record).collect(),
            asked: Mutex::default(),
            hangs_after: AtomicUsize::new(usize::MAX),
            refuses: None,
            throttles: AtomicUsize::new(0),
            unknown: false,
            unwatched: Vec::new(),
            made: None,
            slow: None,
        }
    }
}

#[async_trait]
impl EventHistory for Scripted {
    async fn regions(&self, _: &AccountId) -> Result<Searched, CloudError> {
        Ok(Searched {
            regions: vec!["us-east-1".into(), "eu-west-1".into()],
            unwatched: self.unwatched.iter().map(ToString::to_string).collect(),
            gap: self.unknown.then(|| "DescribeRegions: no".to_owned()),
        })
    }

    async fn page(&self, _: &AccountId, page: Page<'_>) -> Result<PageRead, CloudError> {
        let operation = || "cloudtrail:LookupEvents".to_owned();
        if self.refuses == Some(page.region) {
            let (code, message) = ("AccessDeniedException".into(), "no".into());
            return Err(CloudError::Refused { operation: operation(), code, message });
        }
        if self.throttles.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(CloudError::Unavailable { operation: operation(), message: "ThrottlingException".into() });
        }
        if let Some((clock, time)) = &self.slow {
            clock.advance(*time);
        }
        if matches!(page.of, Of::Pivot(Pivot::AccessKey(key)) if Some(key.as_str()) == self.made) {
            std::future::pending::<()>().await;
        }
        let stolen = matches!(page.of, Of::Pivot(Pivot::AccessKey(key)) if key == STOLEN);
        if !stolen || page.region != "us-east-1" {
            return Ok(PageRead::default());
        }
        let start: usize = page.after.map_or(0, |token| token.parse().unwrap());
        let until = page.until;
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((page.region.to_owned(), start, until));
            asked.len()
        };
        if count > self.hangs_after.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let span = page.from.timestamp()..=until.timestamp();
        let matching = self.records.iter().filter(|(at, _)| span.contains(&at.timestamp()));
        let matching: Vec<String> = matching.map(|(_, text)| text.clone()).collect();
        let end = (start + PAGE).min(matching.len());
        let next = (end < matching.len()).then(|| end.to_string());
        Ok(PageRead { records: matching[start..end].to_vec(), next })
    }

    async fn canary(&self, _: &AccountId, _: &str) -> Result<String, CloudError> {
        Ok("r".into())
    }
}

impl LogArchive for Scripted {}

#[async_trait]
impl Stocktaking for Scripted {
    async fn stock(&self, _: &AccountId, _: Look<'_>) -> Result<Stock, CloudError> {
        Ok(Stock::default())
    }
}

#[async_trait]
impl Cloud for Scripted {
    async fn caller(&self) -> Result<String, CloudError> {
        Ok("arn:aws:iam::111122223333:role/irp".into())
    }
    async fn identify(&self, _: &Subject, _: DateTime<Utc>) -> Result<Identification, CloudError> {
        Ok(Identification {
            kind: PrincipalKind::IamUser,
            name: Some("ci".into()),
            arn: Some(format!("arn:aws:iam::{ACCOUNT}:user/ci")),
            unique_id: Some("AIDA1".into()),
            session_name: None,
            taken_by: vec![],
            account: ACCOUNT.parse().ok(),
            account_in_key: None,
            account_from_sts: None,
            keys: vec![],
            keys_read: true,
            owners: vec![],
            not_known: vec![],
        })
    }
    async fn blast_radius(&self, _: &Subject, _: &Identification, _: DateTime<Utc>) -> Result<BlastRadius, CloudError> {
        Ok(BlastRadius::default())
    }
    async fn observe(&self, _: &AccountId, _: &Probe) -> Result<Observation, CloudError> {
        Ok(Observation::OwnerMissing)
    }
    async fn session(&self, _: &Warrant) -> Result<Box<dyn Session + '_>, CloudError> {
        unreachable!("nothing is approved here")
    }
}

pub(super) async fn found(engine: &Engine, id: IncidentId) -> Hunted {
    let incident = engine.load(id).await.unwrap().unwrap();
    incident.hunted.expect("a search has come to its end").0
}

#[tokio::test]
async fn a_crash_in_the_middle_loses_nothing_and_costs_one_page() {
    let clock = SandboxClock::new(1);
    let (store, cloud) = (Arc::new(MemoryStore::default()), Arc::new(Scripted::new(420, clock.now())));
    let first = engine(store.clone(), cloud.clone(), &clock);
    let id = identified(&first, STOLEN, &clock).await;
    cloud.hangs_after.store(4, Ordering::SeqCst);
    tokio::select! {
        done = first.hunt(id) => panic!("it came to its end: {done:?}"),
        () = async { while cloud.asked.lock().unwrap().len() < 5 { tokio::task::yield_now().await } } => {}
    }
    drop(first);
    let kept = store.trail(id).await.unwrap().records.len();
    assert_eq!(kept, 4 * PAGE, "four pages were answered");

    cloud.hangs_after.store(usize::MAX, Ordering::SeqCst);
    let second = engine(store.clone(), cloud.clone(), &clock);
    second.hunt(id).await.unwrap();
    assert_eq!(store.trail(id).await.unwrap().records.len(), 420, "none is lost");
    assert_eq!(found(&second, id).await.events_read, 420);
    let asked = cloud.asked.lock().unwrap().clone();
    // 420 records on nine pages, of which the fifth was asked for twice.
    let (_, _, resumed_until) = &asked[5];
    assert_eq!(resumed_until.timestamp(), cloud.records[4 * PAGE - 1].0.timestamp(), "it goes on from where it was");
    let through = asked.iter().rposition(|(_, start, _)| *start > 0).unwrap() + 1;
    assert_eq!(through, 10, "{asked:?}");

    // The next one asks for what has come since, and twenty minutes more.
    clock.advance(TimeDelta::minutes(2));
    let before = cloud.asked.lock().unwrap().len();
    second.hunt(id).await.unwrap();
    let again = cloud.asked.lock().unwrap().len() - before;
    assert_eq!(again, 1);
    assert_eq!(store.trail(id).await.unwrap().records.len(), 420, "none is kept twice");
}

#[tokio::test]
async fn a_region_that_says_no_is_named_and_holds_up_no_other() {
    let clock = SandboxClock::new(1);
    let cloud = Arc::new(Scripted { refuses: Some("eu-west-1"), ..Scripted::new(60, clock.now()) });
    let engine = engine(Arc::default(), cloud, &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    engine.hunt(id).await.unwrap();
    let found = found(&engine, id).await;
    assert_eq!(found.events_read, 60);
    let [why] = &found.not_known[..] else { panic!("{:?}", found.not_known) };
    assert!(why.contains("eu-west-1 could not be searched") && why.contains("AccessDenied"), "{why}");
    let (swept, _) = engine.load(id).await.unwrap().unwrap().swept.unwrap();
    assert_eq!(swept.regions.iter().map(|r| r.unread.is_some()).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn being_too_fast_fails_no_search() {
    let clock = SandboxClock::new(1);
    let cloud = Arc::new(Scripted { throttles: AtomicUsize::new(5), ..Scripted::new(60, clock.now()) });
    let engine = engine(Arc::default(), cloud, &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    engine.hunt(id).await.unwrap();
    let found = found(&engine, id).await;
    assert_eq!((found.events_read, found.not_known), (60, vec![]));
}

#[tokio::test]
async fn searches_come_in_their_cadence_and_repeat_nothing_in_the_log() {
    let clock = SandboxClock::new(1);
    let engine = engine(Arc::default(), Arc::new(Scripted::new(60, clock.now())), &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    for minutes in [1, 1, 1] {
        engine.hunt(id).await.unwrap();
        engine.hunt(id).await.unwrap();
        clock.advance(TimeDelta::minutes(minutes));
    }
    let incident = engine.load(id).await.unwrap().unwrap();
    // Opened, identified, found once, three searches and an inventory: the second call each time came too early.
    assert_eq!(incident.version, 7);
}

#[tokio::test]
async fn regions_that_nobody_knows_of_are_never_covered() {
    let clock = SandboxClock::new(1);
    let cloud = Scripted { unknown: true, ..Scripted::new(1, clock.now()) };
    let engine = engine(Arc::default(), Arc::new(cloud), &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    engine.hunt(id).await.unwrap();
    let said = found(&engine, id).await.not_known;
    assert!(said.iter().any(|why| why.contains("Other Regions were not searched: DescribeRegions")), "{said:?}");
    let incident = engine.load(id).await.unwrap().unwrap();
    let (swept, _) = incident.swept.unwrap();
    let last = swept.regions.last().unwrap();
    assert_eq!((last.region.as_str(), last.covered_until, last.unread.is_some()), ("other Regions", None, true));
}

#[tokio::test]
async fn what_is_too_much_for_one_search_is_read_by_the_next_ones_and_nothing_is_proven_before() {
    let clock = SandboxClock::new(1);
    let (store, cloud) = (Arc::new(MemoryStore::default()), Arc::new(Scripted::new(4_500, clock.now())));
    let engine = engine(store.clone(), cloud.clone(), &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    let mut read = Vec::new();
    for _ in 0..3 {
        engine.hunt(id).await.unwrap();
        let incident = engine.load(id).await.unwrap().unwrap();
        let (found, (swept, _)) = (incident.hunted.unwrap().0, incident.swept.unwrap());
        let short = swept.regions.iter().any(|region| region.unread.is_some());
        let said = found.not_known.iter().any(|why| why.contains("read by the next ones"));
        assert_eq!(short, said, "{:?}", found.not_known);
        read.push((store.trail(id).await.unwrap().records.len(), short));
        clock.advance(TimeDelta::seconds(61));
    }
    assert!((1_900..=2_000).contains(&read[0].0) && read[0].1, "{read:?}");
    assert!(read[1].0 > read[0].0 + 1_800 && read[1].1, "{read:?}");
    assert_eq!(read[2], (4_500, false), "{read:?}");
}

const MADE: &str = "AKIAI44QH8DHBBACKDOR";

/// The stolen key makes another, a while ago.
fn key_made(at: DateTime<Utc>) -> (DateTime<Utc>, String) {
    let record = json!({
        "eventID": "e-made", "eventTime": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com", "awsRegion": "us-east-1", "readOnly": false,
        "recipientAccountId": ACCOUNT, "sourceIPAddress": "198.51.100.77", "userAgent": "keyhunter",
        "requestParameters": {"userName": "backdoor"},
        "responseElements": {"accessKey": {"accessKeyId": MADE, "userName": "backdoor", "status": "Active"}},
        "userIdentity": {"type": "IAMUser", "principalId": "AIDA1", "userName": "ci", "accessKeyId": STOLEN,
            "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/ci")},
    });
    (at, record.to_string())
}

#[tokio::test]
async fn what_a_round_has_shown_is_contained_before_the_search_is_at_its_end() {
    let clock = SandboxClock::new(1);
    let mut cloud = Scripted { made: Some(MADE), ..Scripted::new(60, clock.now()) };
    cloud.records.insert(0, key_made(clock.now() - TimeDelta::minutes(25)));
    let engine = engine(Arc::default(), Arc::new(cloud), &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    let known = async {
        while engine.load(id).await.unwrap().unwrap().hunted.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = engine.hunt(id) => panic!("it came to its end: {done:?}"),
        () = known => {}
    }
    let incident = engine.load(id).await.unwrap().unwrap();
    let steps = steps(&incident, engine.playbook());
    let offered = |name: &str| steps.iter().any(|step| step.id.as_str() == name);
    assert!(offered(&format!("deactivate-access-key.{MADE}")), "{steps:?}");
    assert!(incident.swept.is_none(), "no Region counts as read");
    assert!(incident.hunted.as_ref().unwrap().0.not_known.iter().any(|why| why.contains("under way")));
    assert!(lacking(&incident, engine.playbook()).iter().any(|lack| lack.contains("could not read")));
    let so_far = incident.hunting.clone().unwrap();
    assert_eq!((so_far.regions, so_far.events_read), (2, 61));
    assert!(so_far.regions_done < 2 && so_far.questions_left > 0, "{so_far:?}");
    let card = irp::view::hunt::message(&incident, &engine.rules()).unwrap();
    let blocks = serde_json::to_string(&card.blocks).unwrap();
    assert!(
        blocks.contains("Under way") && blocks.contains(MADE) && blocks.contains("no search at its end"),
        "{blocks}"
    );
    assert!(hunting::due_at(&incident).unwrap() <= clock.now(), "whoever comes next goes on");
}

#[tokio::test]
async fn how_far_a_long_search_is_is_said_now_and_then_and_nothing_is_found_before_the_owners_calls_are_known() {
    let clock = SandboxClock::new(1);
    let mut cloud = Scripted::new(420, clock.now());
    cloud.records.insert(0, key_made(clock.now() - TimeDelta::minutes(25)));
    cloud.slow = Some((clock.clone(), TimeDelta::seconds(10)));
    let store = Arc::new(MemoryStore::default());
    let engine = engine(store.clone(), Arc::new(cloud), &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    engine.hunt(id).await.unwrap();
    let records = store.load(id).await.unwrap();
    let first_found = records.iter().position(|r| matches!(r.event, Event::TrailHunted { .. })).unwrap();
    let before = &records[..first_found];
    let said: Vec<_> = before.iter().filter(|r| matches!(r.event, Event::TrailPartlyRead { .. })).collect();
    assert!((3..=7).contains(&said.len()), "{}: not with each of twelve pages", said.len());
    assert!(said.windows(2).all(|pair| pair[1].at - pair[0].at >= TimeDelta::seconds(15)), "{said:?}");
    let read = before.iter().rev().find_map(|r| match &r.event {
        Event::TrailPartlyRead { so_far } => Some(so_far.events_read),
        _ => None,
    });
    assert!(read.is_some_and(|read| read > 300), "all of the key's own calls come first: {read:?}");
    let incident = engine.load(id).await.unwrap().unwrap();
    assert!(incident.hunting.is_none() && incident.swept.is_some(), "it is at its end");
    assert!(!incident.hunted.unwrap().0.not_known.iter().any(|why| why.contains("under way")));
}

#[tokio::test]
async fn a_region_that_irp_toml_leaves_out_is_never_covered_and_keeps_both_gates_shut() {
    let clock = SandboxClock::new(1);
    let cloud = Scripted { unwatched: vec!["ap-south-1"], ..Scripted::new(1, clock.now()) };
    let engine = engine(Arc::default(), Arc::new(cloud), &clock);
    let id = identified(&engine, STOLEN, &clock).await;
    engine.hunt(id).await.unwrap();
    let incident = engine.load(id).await.unwrap().unwrap();
    let (swept, _) = incident.swept.as_ref().unwrap();
    let last = swept.regions.last().unwrap();
    assert_eq!((last.region.as_str(), last.covered_until, last.unread.is_some()), ("ap-south-1", None, true));
    let lacks = lacking(&incident, engine.playbook());
    assert!(lacks.iter().any(|lack| lack.contains("nobody looks at ap-south-1")), "{lacks:?}");
    let said = &incident.hunted.as_ref().unwrap().0.not_known;
    assert!(said.iter().any(|why| why.contains("ap-south-1 was not searched: it is enabled")), "{said:?}");
    clock.advance(TimeDelta::minutes(3));
    engine.hunt(id).await.unwrap();
    let inventory = engine.load(id).await.unwrap().unwrap().inventory.found.expect("it is taken by now");
    assert_eq!(inventory.gaps.iter().map(|gap| gap.region.as_str()).collect::<Vec<_>>(), ["ap-south-1"]);
}
