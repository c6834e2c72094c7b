//! The analysis over whole stories, made up from what CloudTrail writes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::analysis::Analysis;
use super::attribution::{Question, Who};
use super::footprint::State;
use super::limits::Limits;
use super::reach::{Hunt, Scout, has_any};
use super::record::Record;

mod anew;
mod beginning;
mod console;
mod directory;
mod edges;
mod evasion;
mod habits;
mod kinds;
mod limits;
mod log_bucket;
mod making;
mod named;
mod passed;
mod places;
mod put;
mod renamed;
mod root;
mod speed;
mod started;
mod through_aws;
mod trusts;
mod ways;

const ACCOUNT: &str = "111122223333";
const STOLEN: &str = "AKIASTOLEN0000000001";
const THIEF: &str = "203.0.113.77";
const OFFICE: &str = "198.51.100.4";

/// A call by a user's key at this minute of the day.
fn by_user(minute: u32, id: &str, key: &str, user: &str, call: (&str, &str), more: Value) -> Value {
    let mut record = json!({
        "eventID": id, "eventTime": format!("2026-01-31T{:02}:{:02}:00Z", minute / 60, minute % 60),
        "eventSource": format!("{}.amazonaws.com", call.0), "eventName": call.1, "awsRegion": "us-east-1",
        "recipientAccountId": ACCOUNT, "sourceIPAddress": THIEF, "userAgent": "aws-cli/2.15", "readOnly": false,
        "managementEvent": true,
        "userIdentity": {"type": "IAMUser", "principalId": format!("AIDA{user}"), "userName": user, "accessKeyId": key,
            "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/{user}")},
    });
    merge(&mut record, more);
    record
}

/// A call by a role's session.
fn by_role(minute: u32, id: &str, key: &str, role: (&str, &str), call: (&str, &str), more: Value) -> Value {
    let mut record = by_user(minute, id, key, "", call, json!({}));
    record["userIdentity"] = json!({
        "type": "AssumedRole", "principalId": format!("AROA{}:{}", role.0, role.1), "accessKeyId": key,
        "accountId": ACCOUNT, "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{}/{}", role.0, role.1),
    });
    merge(&mut record, more);
    record
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

fn assume(role: &str, session: &str, key: &str) -> Value {
    json!({
        "readOnly": true,
        "requestParameters": {"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"), "roleSessionName": session},
        "responseElements": {"credentials": {"accessKeyId": key, "sessionToken": "secret"}, "assumedRoleUser":
            {"assumedRoleId": format!("AROA{role}:{session}"),
             "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}")}},
    })
}

fn create_key(user: &str, key: &str) -> Value {
    json!({"requestParameters": {"userName": user},
        "responseElements": {"accessKey": {"userName": user, "accessKeyId": key, "status": "Active"}}})
}

/// A session, a user with a key, a function with a role, an instance; a stranger at work; the responders.
fn story() -> Vec<Value> {
    let key = "AKIABACKDOOR00000001";
    let run = "i-0123456789abcdef0";
    vec![
        by_user(600, "e01", STOLEN, "deploy", ("sts", "GetCallerIdentity"), json!({"readOnly": true})),
        by_user(601, "e02", STOLEN, "deploy", ("sts", "AssumeRole"), assume("Admin", "s", "ASIAADMIN")),
        by_role(
            602,
            "e03",
            "ASIAADMIN",
            ("Admin", "s"),
            ("iam", "CreateUser"),
            json!({"requestParameters":
            {"userName": "backdoor"}, "responseElements": {"user": {"userName": "backdoor", "userId": "AIDAbackdoor"}}}),
        ),
        by_role(602, "e04", "ASIAADMIN", ("Admin", "s"), ("iam", "CreateAccessKey"), create_key("backdoor", key)),
        by_user(
            603,
            "e05",
            key,
            "backdoor",
            ("secretsmanager", "GetSecretValue"),
            json!({"readOnly": true,
            "requestParameters": {"secretId": "prod/db"}}),
        ),
        by_user(
            604,
            "e06",
            key,
            "backdoor",
            ("cloudtrail", "StopLogging"),
            json!({"requestParameters": {"name": "main"}}),
        ),
        by_user(605, "e07", key, "backdoor", ("iam", "CreateUser"), json!({"errorCode": "AccessDenied"})),
        by_user(
            606,
            "e08",
            key,
            "backdoor",
            ("ec2", "RunInstances"),
            json!({"responseElements":
            {"instancesSet": {"items": [{"instanceId": run}]}}}),
        ),
        by_role(607, "e09", "", ("", ""), ("sts", "AssumeRole"), {
            let mut minted = assume("Web", run, "ASIAINSTANCE");
            minted["userIdentity"] = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com", "principalId": null,
                "arn": null, "accountId": null, "accessKeyId": null});
            minted["sourceIPAddress"] = json!("ec2.amazonaws.com");
            minted
        }),
        by_role(
            608,
            "e10",
            "ASIAINSTANCE",
            ("Web", run),
            ("s3", "CreateBucket"),
            json!({"sourceIPAddress": "192.0.2.9",
            "requestParameters": {"bucketName": "loot"}}),
        ),
        by_role(
            609,
            "e11",
            "ASIAOTHER",
            ("Web", "i-0aaaaaaaaaaaaaaaa"),
            ("s3", "CreateBucket"),
            json!({
            "sourceIPAddress": "192.0.2.8", "requestParameters": {"bucketName": "honest"}}),
        ),
        by_user(
            610,
            "e12",
            "AKIARESPONDER0000001",
            "ana",
            ("iam", "DeleteUser"),
            json!({"sourceIPAddress": OFFICE,
            "requestParameters": {"userName": "backdoor"}}),
        ),
        by_user(
            611,
            "e13",
            STOLEN,
            "deploy",
            ("iam", "AttachUserPolicy"),
            json!({"sourceIPAddress": "AWS Internal",
            "userAgent": "AWS Internal", "requestParameters": {"userName": "deploy",
            "policyArn": "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"}}),
        ),
    ]
}

/// As the program does it: one file for each list, again and again until nothing new can be reached.
fn analyze_files(question: &Question, files: &[Vec<Value>]) -> Analysis {
    analyze_within(Limits::default(), question, files)
}

fn analyze_within(limits: Limits, question: &Question, files: &[Vec<Value>]) -> Analysis {
    Analysis::of(question, hunt_within(limits, question, files), Vec::new())
}

fn hunt_within(limits: Limits, question: &Question, files: &[Vec<Value>]) -> Hunt {
    let mut hunt = Hunt::new(question, limits);
    let mut missed: Vec<Option<Box<[u32]>>> = vec![None; files.len()];
    let mut queue: Vec<usize> = (0..files.len()).collect();
    let mut known = 0;
    for round in 0.. {
        assert!(round < 20, "it does not end");
        let mut scout = Scout::new(&limits);
        (round > 0).then(|| scout.again());
        for file in queue {
            for (ordinal, record) in files[file].iter().enumerate() {
                let text = record.to_string();
                let record: Record<'_> = serde_json::from_str(&text).unwrap();
                scout.learn(hunt.news(scout.learned()));
                let skim = super::skim::skim(text.as_bytes());
                if skim.is_some_and(|skim| scout.glance(&skim)) {
                    continue;
                }
                if let Some((traits, by)) = scout.look(&record) {
                    hunt.keep(&record, traits, by, (u32::try_from(file).unwrap(), ordinal as u64));
                }
                scout.hand_over().iter_mut().for_each(|so_far| hunt.absorb(so_far));
            }
            let mut findings = scout.bring_back();
            hunt.absorb(&mut findings);
            missed[file] = findings.missed;
        }
        let news = hunt.follow(known);
        known = hunt.learned();
        queue = (0..files.len()).filter(|file| has_any(missed[*file].as_deref(), &news)).collect();
        if queue.is_empty() {
            break;
        }
    }
    hunt
}

fn question() -> Question {
    Question { credentials: vec![STOLEN.into()], ..Question::default() }
}

fn analyze(records: &[Value]) -> Analysis {
    analyze_files(&question(), &[records.to_vec()])
}

fn reached(analysis: &Analysis) -> Vec<(String, String, String)> {
    let held = analysis.credentials.iter().filter_map(|held| Some((held, held.reached_by.as_ref()?)));
    held.map(|(held, by)| (held.name.to_string(), by.from.to_string(), by.event_id.to_string())).collect()
}

fn states(analysis: &Analysis) -> Vec<(String, String, State)> {
    analysis.footprint.iter().map(|r| (r.resource_type.clone(), r.id.clone(), r.state)).collect()
}

fn listed(analysis: &Analysis) -> Vec<String> {
    analysis.actions.iter().map(|action| action.event_id.to_string()).collect()
}

#[test]
fn the_story_is_told_as_it_was() {
    let analysis = analyze(&story());
    let edge = |to: &str, from: &str, id: &str| (to.to_owned(), from.to_owned(), id.to_owned());
    assert_eq!(
        reached(&analysis),
        [
            edge("ASIAADMIN", STOLEN, "e02"),
            edge("AKIABACKDOOR00000001", "ASIAADMIN", "e04"),
            edge("ASIAINSTANCE", "AKIABACKDOOR00000001", "e09"),
        ]
    );
    assert_eq!(listed(&analysis), ["e01", "e02", "e03", "e04", "e05", "e06", "e07", "e08", "e10"]);
    let events = analysis.events;
    assert_eq!((events.read, events.attributed, events.succeeded_mutations, events.denied), (13, 9, 5, 1));
    assert_eq!((events.aws, events.other), (2, 1));
    let one = |kind: &str, id: &str, state| (kind.to_owned(), id.to_owned(), state);
    assert_eq!(
        states(&analysis),
        [
            one("AWS::CloudTrail::Trail", "main", State::Modified),
            one("AWS::EC2::Instance", "i-0123456789abcdef0", State::Present),
            one("AWS::IAM::AccessKey", "AKIABACKDOOR00000001", State::Present),
            one("AWS::IAM::User", "backdoor", State::Deleted),
            one("AWS::S3::Bucket", "loot", State::Present),
            one("AWS::SecretsManager::Secret", "prod/db", State::Present),
        ]
    );
    let user = analysis.footprint.iter().find(|r| r.id == "backdoor").unwrap();
    assert_eq!((user.state_by, &user.evidence[..]), (Who::Other, &["e03".to_owned(), "e12".to_owned()][..]));
    assert_eq!(analysis.rotate.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["prod/db"]);
    assert_eq!(analysis.tampering.iter().map(ToString::to_string).collect::<Vec<_>>(), ["e06"]);
    let quarantine = analysis.others.iter().find(|a| &*a.event_id == "e13").unwrap();
    assert_eq!((quarantine.who, &*quarantine.why), (Who::Aws, "AWS's quarantine of a leaked key"));
    assert!(analysis.not_recorded.iter().any(|n| n.what.contains("main would have recorded")));
    assert!(analysis.not_recorded.iter().any(|n| n.why.contains("no data events of s3")));
    let json = serde_json::to_string(&analysis).unwrap();
    assert!(!json.contains("\"secret\""), "no session token comes out");
}

fn leaves<'v>(value: &'v mut Value, into: &mut Vec<&'v mut Value>) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|value| leaves(value, into)),
        leaf => into.push(leaf),
    }
}

proptest! {
    #[test]
    fn order_files_and_duplicates_do_not_matter(
        order in Just((0..story().len()).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::vec(0_usize..13, 0..4),
        again in prop::collection::vec(0_usize..13, 0..4),
    ) {
        let expected = analyze(&story());
        let story = story();
        let mut files = vec![Vec::new()];
        for (place, at) in order.iter().enumerate() {
            if cuts.contains(&place) {
                files.push(Vec::new());
            }
            files.last_mut().unwrap().push(story[*at].clone());
        }
        files.push(again.iter().map(|at| story[*at].clone()).collect());
        let analysis = analyze_files(&question(), &files);
        prop_assert_eq!(reached(&analysis), reached(&expected));
        prop_assert_eq!(states(&analysis), states(&expected));
        prop_assert_eq!(listed(&analysis), listed(&expected));
        prop_assert_eq!(analysis.events.attributed, expected.events.attributed);
    }

    #[test]
    fn no_record_makes_it_panic(parts in prop::collection::vec((0_usize..13, 0_usize..40, any::<u8>()), 1..20)) {
        // Each time, some part of some record is something else.
        let mut records = story();
        for (record, part, what) in parts {
            let odd = [Value::Null, json!("é\u{0}"), json!([1, {"a": null}]), json!({}), json!(-1), json!(STOLEN)];
            let mut places: Vec<&mut Value> = Vec::new();
            leaves(&mut records[record], &mut places);
            if let Some(place) = places.get_mut(part) {
                **place = odd[usize::from(what) % odd.len()].clone();
            }
        }
        let _ = analyze(&records);
    }
}

#[test]
fn a_chain_in_reverse_order_and_in_a_circle_is_followed_once() {
    let key = |n: usize| if n == 0 { STOLEN.to_owned() } else { format!("ASIA{n:016}") };
    let count = 300;
    let mut chain: Vec<Value> = (0..count)
        .map(|n| {
            let to = key((n + 1) % count);
            by_user(
                600,
                &format!("c{n:04}"),
                &key(n),
                "deploy",
                ("sts", "GetSessionToken"),
                json!({
                "readOnly": true, "responseElements": {"credentials": {"accessKeyId": to}}}),
            )
        })
        .collect();
    chain.reverse();
    let analysis = analyze(&chain);
    assert_eq!((analysis.credentials.len(), analysis.events.attributed), (count, count as u64));
    assert_eq!(analysis.credentials[0].reached_by.as_ref().map(|r| &r.from), None);
    assert_eq!(analysis.credentials.last().unwrap().depth, count - 1);
}

#[test]
fn the_owner_at_their_desk_is_told_from_the_thief() {
    let desk = |minute, id: &str| {
        by_user(
            minute,
            id,
            STOLEN,
            "deploy",
            ("lambda", "UpdateFunctionCode20150331v2"),
            json!({
            "sourceIPAddress": OFFICE, "requestParameters": {"functionName": "shop"}}),
        )
    };
    let mut records = story();
    records.extend([desk(100, "d1"), desk(590, "d2"), desk(620, "d3")]);
    records[story().len()]["eventTime"] = json!("2026-01-29T10:00:00Z");
    let since = "2026-01-31T09:55:00Z".parse().ok();
    let analysis = analyze_files(&Question { since, ..question() }, &[records.clone()]);
    assert_eq!(analysis.events.owner, 3);
    assert!(!listed(&analysis).iter().any(|id| id.starts_with('d')));
    let why = &analysis.others.iter().find(|a| &*a.event_id == "d3").unwrap().why;
    assert!(why.contains("long before the theft"), "{why}");
    // A responder knows better, and the footprint follows.
    let words = vec![format!("{OFFICE}=attacker").parse().unwrap(), "e03=owner".parse().unwrap()];
    let analysis = analyze_files(&Question { since, words, ..question() }, &[records]);
    assert!(listed(&analysis).contains(&"d3".to_owned()) && !listed(&analysis).contains(&"e03".to_owned()));
    let there = states(&analysis);
    assert!(there.iter().any(|(_, id, _)| id == "shop"));
    assert!(!there.contains(&("AWS::IAM::User".to_owned(), "backdoor".to_owned(), State::Present)));
}

#[test]
fn passwords_roles_and_trust_lead_on() {
    let console = |minute, id: &str, key: &str, more: Value| {
        let mut record = by_user(
            minute,
            id,
            key,
            "eve",
            ("ec2", "DescribeInstances"),
            json!({"readOnly": true,
            "sourceIPAddress": "192.0.2.200"}),
        );
        merge(&mut record, more);
        record
    };
    let trust = json!({"requestParameters": {"roleName": "Ops", "policyDocument":
        json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"}}]}).to_string()}});
    let foreign = |minute, id: &str, key: &str| {
        let mut record = by_user(minute, id, "", "", ("sts", "AssumeRole"), assume("Ops", "x", key));
        record["userIdentity"] = json!({"type": "AWSAccount", "accountId": "999988887777", "principalId": "AIDAFAR"});
        record
    };
    let records = vec![
        console(590, "p0", "ASIABEFORE", json!({})),
        by_user(
            600,
            "p1",
            STOLEN,
            "deploy",
            ("iam", "UpdateLoginProfile"),
            json!({"requestParameters": {"userName": "eve"}}),
        ),
        console(
            601,
            "p2",
            "",
            json!({"eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com",
            "userIdentity": {"accessKeyId": null}}),
        ),
        console(602, "p3", "ASIACONSOLE", json!({})),
        console(603, "p4", "AKIAEVESOWN", json!({})),
        foreign(604, "t0", "ASIATOOEARLY"),
        by_user(605, "t1", STOLEN, "deploy", ("iam", "UpdateAssumeRolePolicy"), trust),
        foreign(606, "t2", "ASIAFROMAFAR"),
        by_role(
            607,
            "t3",
            "ASIAFROMAFAR",
            ("Ops", "x"),
            ("iam", "DeleteRole"),
            json!({"sourceIPAddress": "192.0.2.1",
            "requestParameters": {"roleName": "Audit"}}),
        ),
    ];
    let analysis = analyze(&records);
    assert_eq!(listed(&analysis), ["p1", "p2", "p3", "t1", "t2", "t3"]);
    let by: Vec<(String, String)> = reached(&analysis).into_iter().map(|(to, _, id)| (to, id)).collect();
    assert!(by.contains(&("ASIAFROMAFAR".into(), "t2".into())), "{by:?}");
    assert!(by.contains(&("ASIACONSOLE".into(), "p1".into())), "{by:?}");
}

#[test]
fn both_records_of_a_call_across_accounts_are_one_call() {
    let mut here = by_user(600, "a1", STOLEN, "deploy", ("sts", "AssumeRole"), assume("Admin", "s", "ASIAADMIN"));
    here["sharedEventID"] = json!("both");
    let mut there = here.clone();
    merge(
        &mut there,
        json!({"eventID": "a2", "recipientAccountId": "999988887777", "userIdentity":
        {"type": "AWSAccount", "accessKeyId": null, "arn": null, "userName": null}}),
    );
    let analysis = analyze(&[there, here]);
    assert_eq!(analysis.events.attributed, 1);
    assert_eq!(analysis.actions[0].twin_event_id.as_deref(), Some("a2"));
    assert_eq!(&*analysis.actions[0].event_id, "a1");
}

#[test]
fn what_was_put_on_others_is_known_with_who_has_taken_it_off_again() {
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let with = |parameters: Value| json!({ "requestParameters": parameters });
    let attach = with(json!({"userName": "victim", "policyArn": admin}));
    let defender = |minute, id, call, parameters| {
        let mut record = by_user(minute, id, "AKIADEFENDER00000001", "kim", ("iam", call), with(parameters));
        record["sourceIPAddress"] = json!(OFFICE);
        record
    };
    let analysis = analyze(&[
        by_user(600, "e1", STOLEN, "deploy", ("iam", "AttachUserPolicy"), attach.clone()),
        by_user(601, "e2", STOLEN, "deploy", ("iam", "CreateUser"), with(json!({"userName": "mallory"}))),
        by_user(602, "e3", STOLEN, "deploy", ("iam", "CreateAccessKey"), create_key("victim", "AKIAVICTIM0000000001")),
        defender(603, "e4", "DetachUserPolicy", json!({"userName": "victim", "policyArn": admin})),
    ]);
    let of = |id: &str| analysis.footprint.iter().find(|r| r.id == id).unwrap();
    let deeds: Vec<_> =
        of("victim").deeds.iter().map(|d| (&*d.operation, &*d.what, &*d.event_id, d.by_attacker)).collect();
    assert_eq!(deeds, [("AttachUserPolicy", admin, "e1", true), ("DetachUserPolicy", admin, "e4", false)]);
    assert_eq!(of("AKIAVICTIM0000000001").deeds[0].what, "victim");
    assert!(of("mallory").deeds.is_empty());
    assert!(!serde_json::to_string(&analysis).unwrap().contains("deeds"), "the files of an analysis stay as they are");
}
