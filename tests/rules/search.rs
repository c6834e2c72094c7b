//! The live search over a history that is told what to say.

use std::collections::BTreeSet;
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
use irp::domain::hunt::pivot::Pivot;
use irp::domain::hunt::{Hunted, Swept};
use irp::domain::id::{AccountId, GroupId, UserId};
use irp::domain::identification::Identification;
use irp::domain::inventory::Stock;
use irp::domain::observation::{Observation, Probe};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::Standing;
use irp::engine::{Engine, Ports};
use irp::ports::{
    ChatError, Clock, Cloud, CloudError, Directory, EventHistory, LogArchive, Look, NO_USER, Of, Page, PageRead,
    Searched, Session, Stocktaking,
};
use serde_json::{Value, json};

/// Why no Region counts as covered when something was left out.
const FOLLOWED_SHORT: &str = "not all that was found could be followed";
pub(super) const STOLEN: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const ORGANISATION: &str = r#"
[approval]
contain.quorum = 1
loosen.quorum = 1
eradicate.quorum = 1
[people]
responders = ["U0RESPOND1", "U0RESPOND2"]
approvers = ["U0RESPOND2", "U0APPROVE1"]
[[account]]
id = "111122223333"
name = "sandbox"
reader_role_arn = "arn:aws:iam::111122223333:role/irp-reader"
contain_role_arn = "arn:aws:iam::111122223333:role/irp-contain"
eradicate_role_arn = "arn:aws:iam::111122223333:role/irp-eradicate"
regions = []
"#;

/// A time that goes on as it is told.
struct Told(Mutex<DateTime<Utc>>);

#[async_trait]
impl Clock for Told {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
    async fn wait(&self, _: Duration) {}
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

/// What AWS says to the question whose a key is.
#[derive(Clone, Copy, Default)]
enum Whose {
    /// That the bot may not ask.
    #[default]
    Denied,
    /// That there is no such key.
    Missing,
    /// It answers, and names no user.
    Nobody,
}

/// A history of one Region that shows the stolen key's calls, and remembers what it was asked.
#[derive(Default)]
struct History {
    records: Vec<String>,
    /// The ARN of each role.
    role: Option<&'static str>,
    /// No role can be read.
    refuses: bool,
    /// The unique id of whoever is called bob and has no key.
    bob: Option<&'static str>,
    /// What AWS says to whose a key is.
    whose: Whose,
    asked: Mutex<BTreeSet<Pivot>>,
    roles_read: Mutex<Vec<Probe>>,
}

#[async_trait]
impl EventHistory for History {
    async fn regions(&self, _: &AccountId) -> Result<Searched, CloudError> {
        Ok(Searched { regions: vec!["us-east-1".into()], unwatched: Vec::new(), gap: None })
    }
    async fn page(&self, _: &AccountId, page: Page<'_>) -> Result<PageRead, CloudError> {
        let Of::Pivot(pivot) = page.of else { return Ok(PageRead::default()) };
        self.asked.lock().unwrap().insert(pivot.clone());
        let stolen = *pivot == Pivot::AccessKey(STOLEN.into());
        Ok(PageRead { records: if stolen { self.records.clone() } else { Vec::new() }, next: None })
    }
    async fn canary(&self, _: &AccountId, _: &str) -> Result<String, CloudError> {
        Ok("r".into())
    }
}

impl LogArchive for History {}

#[async_trait]
impl Stocktaking for History {
    async fn stock(&self, _: &AccountId, _: Look<'_>) -> Result<Stock, CloudError> {
        Ok(Stock::default())
    }
}

#[async_trait]
impl Cloud for History {
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
    async fn observe(&self, _: &AccountId, probe: &Probe) -> Result<Observation, CloudError> {
        if matches!(probe, Probe::RolePolicy { .. }) {
            self.roles_read.lock().unwrap().push(probe.clone());
            if self.refuses {
                let (operation, code) = ("iam:GetRole".into(), "AccessDenied".into());
                return Err(CloudError::Refused { operation, code, message: "no".into() });
            }
            return Ok(self.role.map_or(Observation::OwnerMissing, |arn| Observation::InlinePolicy {
                owner_id: "AROADOOR".into(),
                owner_arn: arn.into(),
                owner_path: "/service-role/".into(),
                document: None,
            }));
        }
        self.bob.map_or(Ok(Observation::OwnerMissing), |id| of_bob(id, probe, self.whose))
    }
    async fn session(&self, _: &Warrant) -> Result<Box<dyn Session + '_>, CloudError> {
        unreachable!("nothing is approved here")
    }
}

fn of_bob(id: &str, probe: &Probe, whose: Whose) -> Result<Observation, CloudError> {
    let (owner_id, owner_arn) = (id.to_owned(), format!("arn:aws:iam::{ACCOUNT}:user/bob"));
    let keys = Vec::new();
    match probe {
        Probe::UserKeys { user_name } if user_name == "bob" => Ok(Observation::UserKeys { owner_id, owner_arn, keys }),
        Probe::AccessKey { user_name, .. } if user_name == "bob" => {
            Ok(Observation::AccessKey { owner_id, owner_arn, status: None })
        }
        Probe::Whereabouts { unique_id: Some(known), .. } if known == id => {
            Ok(Observation::UserKeys { owner_id, owner_arn, keys })
        }
        Probe::Whereabouts { unique_id: None, .. } => {
            let code = match whose {
                Whose::Denied => "AccessDenied",
                Whose::Missing => return Ok(Observation::OwnerMissing),
                Whose::Nobody => NO_USER,
            };
            let (operation, code) = ("iam:GetAccessKeyLastUsed".into(), code.into());
            Err(CloudError::Refused { operation, code, message: "no".into() })
        }
        _ => Ok(Observation::OwnerMissing),
    }
}

pub(super) fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// A call by the stolen key, an hour before the search.
fn call(id: &str, source: &str, name: &str, request: &Value) -> String {
    let at = start() - TimeDelta::hours(1);
    let record = json!({
        "eventID": id, "eventTime": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "eventSource": format!("{source}.amazonaws.com"), "eventName": name, "awsRegion": "us-east-1", "readOnly": false,
        "recipientAccountId": ACCOUNT, "sourceIPAddress": "198.51.100.77", "userAgent": "keyhunter",
        "requestParameters": request,
        "userIdentity": {"type": "IAMUser", "principalId": "AIDA1", "userName": "ci", "accessKeyId": STOLEN,
            "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/ci")},
    });
    record.to_string()
}

/// The finding about the stolen key.
pub(super) fn alert() -> Alert {
    let subject = Subject { access_key: STOLEN.parse().ok(), account: ACCOUNT.parse().ok(), ..Subject::default() };
    let alert = Alert::new((AlertSource::GuardDuty, "d"), ("t", "t"), Severity::High, subject);
    Alert { first_seen_at: Some(start()), ..alert }
}

/// What the first search in an incident about the key shows.
async fn searched(history: History) -> (Hunted, Swept, Arc<History>) {
    let (cloud, clock) = (Arc::new(history), Arc::new(Told(Mutex::new(start()))));
    let ports = Ports {
        store: Arc::new(MemoryStore::default()),
        cloud: cloud.clone(),
        directory: Arc::new(Nobody),
        clock: clock.clone(),
    };
    let policy = Organisation::parse(ORGANISATION, "irp.toml").unwrap().policy(None);
    let engine = Engine::new(ports, policy, Playbook::parse(BUILT_IN).unwrap(), "r", &[Duration::ZERO]);
    let id = engine.take_alert(&alert()).await.unwrap().incident();
    engine.inform(id).await.unwrap();
    *clock.0.lock().unwrap() += TimeDelta::seconds(31);
    engine.hunt(id).await.unwrap();
    let incident = engine.load(id).await.unwrap().unwrap();
    (incident.hunted.unwrap().0, *incident.swept.unwrap().0, cloud)
}

fn changed_trust() -> Vec<String> {
    let request = json!({"roleName": "door", "policyDocument": "{}"});
    vec![call("e1", "iam", "UpdateAssumeRolePolicy", &request), call("e2", "iam", "PutRolePolicy", &request)]
}

#[tokio::test]
async fn a_role_that_calls_name_without_its_path_is_asked_about_as_aws_shows_it() {
    const ARN: &str = "arn:aws:iam::111122223333:role/service-role/door";
    let history = History { records: changed_trust(), role: Some(ARN), ..History::default() };
    let (found, _, cloud) = searched(history).await;
    assert!(found.not_known.is_empty(), "{:?}", found.not_known);
    let asked = cloud.asked.lock().unwrap().clone();
    assert!(asked.contains(&Pivot::Resource(ARN.into())), "{asked:?}");
    assert!(!asked.contains(&Pivot::Resource("arn:aws:iam::111122223333:role/door".into())), "{asked:?}");
    assert_eq!(cloud.roles_read.lock().unwrap().len(), 1, "once in a search");
}

#[tokio::test]
async fn where_a_role_cannot_be_read_that_is_said_and_it_is_asked_about_by_its_name_too() {
    let history = History { records: changed_trust(), refuses: true, ..History::default() };
    let (found, swept, cloud) = searched(history).await;
    let [why] = &found.not_known[..] else { panic!("{:?}", found.not_known) };
    assert!(why.contains("The path of role door could not be read") && why.contains("AccessDenied"), "{why}");
    assert_eq!(swept.regions[0].unread.as_deref(), Some(FOLLOWED_SHORT), "so nothing counts as covered");
    let asked = cloud.asked.lock().unwrap().clone();
    for form in ["arn:aws:iam::111122223333:role/door", "door"] {
        assert!(asked.contains(&Pivot::Resource(form.into())), "{asked:?}");
    }
    assert_eq!(cloud.roles_read.lock().unwrap().len(), 1, "once in a search");
}

#[tokio::test]
async fn records_that_cannot_be_kept_are_counted_and_named() {
    let without_id = call("", "iam", "CreateUser", &json!({}));
    let records = vec![call("e1", "iam", "ListUsers", &json!({})), without_id, "no record".into()];
    let (found, swept, _) = searched(History { records, ..History::default() }).await;
    assert_eq!(found.events_read, 1);
    let [why] = &found.not_known[..] else { panic!("{:?}", found.not_known) };
    assert!(why.starts_with("2 record(s) of us-east-1 could not be kept") && why.contains("CreateUser"), "{why}");
    assert_eq!(swept.regions[0].unread.as_deref(), Some(FOLLOWED_SHORT), "so nothing counts as covered");
}

#[tokio::test]
async fn whether_what_was_started_for_the_attacker_has_ended_is_known_before_anything_is_stopped() {
    const INSTANCE: &str = "i-0123456789abcdef0";
    let tags = json!([{"key": "aws:autoscaling:groupName", "value": "miners"}]);
    let request = json!({"tagSpecificationSet": {"items": [{"resourceType": "instance", "tags": tags}]}});
    let mut run: Value = serde_json::from_str(&call("e2", "ec2", "RunInstances", &request)).unwrap();
    let at = start() - TimeDelta::minutes(50);
    run["eventTime"] = json!(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    run["sourceIPAddress"] = json!("autoscaling.amazonaws.com");
    run["responseElements"] = json!({"instancesSet": {"items": [{"instanceId": INSTANCE}]}});
    run["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": "AROASCALING:AutoScaling", "accessKeyId": "ASIASERVICE000000001",
        "accountId": ACCOUNT, "invokedBy": "autoscaling.amazonaws.com",
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling"),
    });
    let makes = call("e1", "autoscaling", "CreateAutoScalingGroup", &json!({"autoScalingGroupName": "miners"}));
    // AWS shows no such instance any more.
    let history = History { records: vec![makes, run.to_string()], ..History::default() };
    let (found, ..) = searched(history).await;
    assert_eq!(found.started_by.get(INSTANCE).map(String::as_str), Some("e1"), "{:?}", found.started);
    assert_eq!(found.ended.into_iter().collect::<Vec<_>>(), [INSTANCE]);
}

const MADE: &str = "AKIAI44QH8DHBEXAMPLE";

/// The attacker makes a key for bob.
fn key_made() -> String {
    let mut made: Value =
        serde_json::from_str(&call("e2", "iam", "CreateAccessKey", &json!({"userName": "bob"}))).unwrap();
    made["responseElements"] = json!({"accessKey": {"userName": "bob", "accessKeyId": MADE, "status": "Active"}});
    made.to_string()
}

#[tokio::test]
async fn a_key_that_its_user_does_not_have_any_more_is_off_where_aws_names_nobody_else_for_it() {
    for whose in [Whose::Missing, Whose::Nobody] {
        let history = History { records: vec![key_made()], bob: Some("AIDABOB"), whose, ..History::default() };
        let (found, ..) = searched(history).await;
        assert!(found.off.contains(MADE), "{:?} {:?}", found.off, found.not_known);
        assert!(found.not_known.is_empty() && found.users_off.is_empty(), "{:?}", found.not_known);
    }
}

#[tokio::test]
async fn a_key_is_not_off_because_whoever_bears_the_name_does_not_have_it_while_aws_may_not_be_asked_whose_it_is() {
    let (found, ..) = searched(History { records: vec![key_made()], bob: Some("AIDABOB"), ..History::default() }).await;
    assert!(!found.off.contains(MADE) && found.users_off.is_empty(), "{:?}", found.off);
    let [why] = &found.not_known[..] else { panic!("{:?}", found.not_known) };
    assert!(why.contains(MADE) && why.contains("iam:GetAccessKeyLastUsed: AccessDenied"), "{why}");
}

#[tokio::test]
async fn where_the_trail_shows_the_unique_id_a_key_that_its_user_does_not_have_is_off_without_that_question() {
    let mut bob: Value = serde_json::from_str(&call("e1", "iam", "CreateUser", &json!({"userName": "bob"}))).unwrap();
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    let before = start() - TimeDelta::minutes(70);
    bob["eventTime"] = json!(before.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    bob["responseElements"] = json!({"user": {"userName": "bob", "userId": "AIDABOB", "arn": arn, "path": "/"}});
    let records = vec![bob.to_string(), key_made()];
    let (found, ..) = searched(History { records, bob: Some("AIDABOB"), ..History::default() }).await;
    assert!(found.off.contains(MADE), "{:?} {:?}", found.off, found.not_known);
    assert!(found.not_known.iter().all(|why| !why.contains(MADE)), "{:?}", found.not_known);
}
