//! What an attacker could make the incident forget.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// A call by the stolen key, at this second.
fn record(n: usize, call: (&str, &str), more: Value) -> (String, String) {
    let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(n).unwrap());
    let id = format!("e{n:05}");
    let mut record = json!({
        "eventID": id, "eventTime": at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "eventSource": format!("{}.amazonaws.com", call.0), "eventName": call.1, "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333", "sourceIPAddress": "203.0.113.7", "userAgent": "x", "readOnly": false,
        "userIdentity": {"type": "IAMUser", "principalId": "AIDACI", "userName": "ci", "accessKeyId": KEY,
            "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/ci"},
    });
    let Value::Object(more) = more else { panic!("{more}") };
    record.as_object_mut().unwrap().extend(more);
    (id, record.to_string())
}

fn analysed(records: &BTreeMap<String, String>) -> Analysis {
    analyse(&Question { credentials: vec![KEY.into()], ..Question::default() }, records)
}

fn minted(n: usize) -> (String, String) {
    let response = json!({"credentials": {"accessKeyId": format!("ASIA{n:016}")}});
    record(n, ("sts", "GetSessionToken"), json!({"readOnly": true, "responseElements": response}))
}

fn made_key(n: usize, user: &str) -> (String, String) {
    let key = json!({"accessKey": {"userName": user, "accessKeyId": format!("AKIA{n:016}")}});
    let request = json!({"userName": user});
    record(n, ("iam", "CreateAccessKey"), json!({"requestParameters": request, "responseElements": key}))
}

#[test]
fn a_call_that_worked_does_not_drown_in_those_that_were_denied() {
    let one = |n: usize, denied: bool| {
        record(n, ("iam", "CreateUser"), json!({"errorCode": denied.then_some("AccessDenied")}))
    };
    let records: BTreeMap<String, String> = (0..CALLS_MAX + 10).map(|n| one(n, n != 3)).collect();
    let calls = calls(&analysed(&records));
    assert_eq!(calls.len(), CALLS_MAX + 1);
    assert!(calls[0].worked && calls[0].event_id == "e00003");
    assert!(calls.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn what_failed_for_another_reason_than_a_denial_is_told_apart() {
    let failed = ["NoSuchEntityException", "ThrottlingException", "AccessDenied", "ExpiredTokenException"];
    let one = |(n, error): (usize, &str)| record(n, ("iam", "DeleteUser"), json!({"errorCode": error}));
    let calls = calls(&analysed(&failed.into_iter().enumerate().map(one).collect()));
    assert!(calls.iter().all(|call| !call.worked));
    let errors: Vec<Option<&str>> = calls.iter().map(|call| call.error.as_deref()).collect();
    assert_eq!(errors, [Some("NoSuchEntityException"), Some("ThrottlingException"), None, None]);
}

/// So many roles are taken one after the other. Only its name leads from a session to the next, since each calls with
/// another key than was handed out; and they are read in the wrong order.
fn chain(steps: usize) -> BTreeMap<String, String> {
    let session = |n: usize| format!("arn:aws:sts::111122223333:assumed-role/r{n}/s");
    let step = |n: usize| {
        let mut more = json!({
            "requestParameters": {"roleArn": format!("arn:aws:iam::111122223333:role/r{n}"), "roleSessionName": "s"},
            "responseElements": {"credentials": {"accessKeyId": format!("ASIAGIVEN{n:011}")},
                "assumedRoleUser": {"assumedRoleId": format!("AROAR{n}:s"), "arn": session(n)}},
        });
        if let Some(by) = n.checked_sub(1) {
            more["userIdentity"] = json!({"type": "AssumedRole", "principalId": format!("AROAR{by}:s"),
                "accessKeyId": format!("ASIAOTHER{n:011}"), "accountId": "111122223333", "arn": session(by)});
        }
        record(steps - n, ("sts", "AssumeRole"), more)
    };
    (0..steps).map(step).collect()
}

#[test]
fn records_that_show_something_new_each_time_are_said_to_be_unfinished() {
    let few = analysed(&chain(ROUNDS_MAX - 6));
    assert!(few.cut.is_empty(), "{:?}", few.cut);
    let records = chain(ROUNDS_MAX + 4);
    let (found, short) = hunted(&analysed(&records), &records);
    assert!(short && found.not_known.iter().any(|why| why.starts_with("each time that the records")), "{found:?}");
}

#[test]
fn no_number_of_sessions_hides_a_key() {
    let mut records: BTreeMap<String, String> = (0..CREDENTIALS_MAX + 50).map(minted).collect();
    records.extend([made_key(900, "backdoor")]);
    let (found, short) = hunted(&analysed(&records), &records);
    assert_eq!(found.credentials.len(), CREDENTIALS_MAX);
    assert!(found.credentials.iter().any(|reached| reached.access_key_id.as_deref() == Some("AKIA0000000000000900")));
    assert_eq!(found.credentials[0].access_key_id.as_deref(), Some(KEY), "the stolen one stays the first");
    assert!(!short, "one step contains all the user's sessions");
    assert!(found.not_known.iter().any(|why| why.contains("52 more sessions")), "{:?}", found.not_known);

    let records: BTreeMap<String, String> =
        (0..CREDENTIALS_MAX + 10).map(|n| made_key(n, &format!("user-{n}"))).collect();
    let (found, short) = hunted(&analysed(&records), &records);
    assert!(short && found.not_known.iter().any(|why| why.contains("more credentials")), "{:?}", found.not_known);
}

#[test]
fn no_number_of_instances_hides_a_user() {
    let run = |n: usize| {
        let instances = json!({"instancesSet": {"items": [{"instanceId": format!("i-{n:017}")}]}});
        record(n, ("ec2", "RunInstances"), json!({"responseElements": instances}))
    };
    let stop = record(901, ("cloudtrail", "StopLogging"), json!({"requestParameters": {"name": "main"}}));
    let made = record(900, ("iam", "CreateUser"), json!({"requestParameters": {"userName": "backdoor"}}));
    let mut records: BTreeMap<String, String> = (0..TRACES_MAX + 20).map(run).collect();
    records.extend([made, stop]);
    let (found, short) = hunted(&analysed(&records), &records);
    let is_there = |id: &str| found.footprint.iter().any(|trace| trace.id == id);
    assert!(is_there("backdoor") && is_there("main") && found.footprint.len() == TRACES_MAX);
    assert!(short, "{:?}", found.not_known);
    let ids: Vec<(&str, &str)> = found.footprint.iter().map(|t| (t.resource_type.as_str(), t.id.as_str())).collect();
    assert!(ids.is_sorted());
}

#[test]
fn what_has_been_removed_makes_room_for_what_has_not() {
    let of = |n: usize, name: &str| {
        let instances = json!({"instancesSet": {"items": [{"instanceId": format!("i-{:017}", n % 1_000)}]}});
        let request =
            if name == "RunInstances" { json!({}) } else { json!({"instancesSet": instances["instancesSet"]}) };
        record(n, ("ec2", name), json!({"requestParameters": request, "responseElements": instances}))
    };
    let mut records: BTreeMap<String, String> = (0..TRACES_MAX + 20).map(|n| of(n, "RunInstances")).collect();
    records.extend((1_000..1_000 + TRACES_MAX).map(|n| of(n, "TerminateInstances")));
    let (found, short) = hunted(&analysed(&records), &records);
    let left = found.footprint.iter().filter(|trace| trace.state == State::Present).count();
    assert_eq!((left, found.footprint.len()), (20, TRACES_MAX));
    assert!(!short, "{:?}", found.not_known);
}

#[test]
fn every_secret_that_was_read_is_to_be_changed() {
    let read = |n: usize| {
        let request = json!({"secretId": format!("prod/{n}")});
        record(n, ("secretsmanager", "GetSecretValue"), json!({"readOnly": true, "requestParameters": request}))
    };
    let records: BTreeMap<String, String> = (0..200).map(read).collect();
    let (found, short) = hunted(&analysed(&records), &records);
    assert_eq!((found.rotate.len(), found.not_known.len(), short), (200, 0, false));
    let records: BTreeMap<String, String> = (0..LISTED_MAX + 7).map(read).collect();
    let (found, _) = hunted(&analysed(&records), &records);
    assert_eq!(found.rotate.len(), LISTED_MAX);
    assert!(found.not_known.iter().any(|why| why.starts_with("7 more secrets")), "{:?}", found.not_known);
}

#[test]
fn of_a_secret_that_was_read_often_the_last_call_is_named() {
    let read = |n: usize| {
        let request = json!({"secretId": "prod/db"});
        record(n, ("secretsmanager", "GetSecretValue"), json!({"readOnly": true, "requestParameters": request}))
    };
    let records: BTreeMap<String, String> = (0..250).map(read).collect();
    let (found, _) = hunted(&analysed(&records), &records);
    let events: Vec<&str> = found.rotate.iter().map(|read| read.event_id.as_str()).collect();
    assert_eq!(events, ["e00249"], "whoever has changed it before that has to change it again");
}

#[test]
fn a_call_whose_parameters_were_too_long_leaves_a_gap() {
    let omitted = json!({"omitted": true});
    let stack = |outcome: Value| {
        let more = json!({"requestParameters": omitted, "responseElements": omitted, "errorCode": outcome});
        BTreeMap::from([record(1, ("cloudformation", "CreateStack"), more)])
    };
    let worked = stack(Value::Null);
    let (found, short) = hunted(&analysed(&worked), &worked);
    assert!(short && found.not_known[0].contains("cloudformation:CreateStack (event e00001)"), "{:?}", found.not_known);
    let denied = stack(json!("AccessDenied"));
    let (found, short) = hunted(&analysed(&denied), &denied);
    assert!(!short && found.not_known.is_empty());
}

#[test]
fn the_newest_session_of_each_role_is_known_by_the_call_that_handed_it_out() {
    let takes = |n: usize, role: &str| {
        let response = json!({
            "credentials": {"accessKeyId": format!("ASIA{n:016}")},
            "assumedRoleUser": {"assumedRoleId": format!("AROA{role}:s"), "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/s")},
        });
        let request = json!({"roleArn": format!("arn:aws:iam::111122223333:role/{role}"), "roleSessionName": "s"});
        record(n, ("sts", "AssumeRole"), json!({"requestParameters": request, "responseElements": response}))
    };
    let (id, mut used) = record(90, ("s3", "DeleteBucket"), json!({"errorCode": "AccessDenied"}));
    used = used.replace(KEY, "ASIAELSEWHERE0000001").replace("IAMUser", "AssumedRole").replace("AIDACI", "AROAweb:s");
    used = used.replace("iam::111122223333:user/ci", "sts::111122223333:assumed-role/web/s");
    let records: BTreeMap<String, String> = [takes(10, "app"), takes(70, "app"), takes(20, "ops"), (id, used)].into();
    let words = vec!["arn:aws:sts::111122223333:assumed-role/web/s=attacker".parse().unwrap()];
    let question = Question { credentials: vec![KEY.into()], words, ..Question::default() }.with_words();
    let (found, _) = hunted(&analyse(&question, &records), &records);
    let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    let expected = [("111122223333/app".to_owned(), at(70)), ("111122223333/ops".to_owned(), at(20))];
    assert_eq!(found.taken_at, expected.into(), "a call of the session's own says nothing about when it was taken");
}

#[test]
fn a_session_that_another_service_than_sts_has_handed_out_has_its_time_too() {
    let user = json!({"assumedRoleId": "AROAapp:s", "arn": "arn:aws:sts::111122223333:assumed-role/app/s"});
    let key = |id: &str| json!({"accessKeyId": id, "sessionToken": "-"});
    let set = json!([{"credentials": key("ASIAANYWHERE00000001"), "assumedRoleUser": user}]);
    let anywhere = json!({"responseElements": {"credentialSet": set}});
    // Whoever asks Identity Center has no ARN, and its answer does not say whose session it is: the session's own calls do.
    let asks = json!({"type": "IdentityCenterUser", "accountId": "111122223333", "accessKeyId": KEY});
    let center = json!({"readOnly": true, "userIdentity": asks,
        "responseElements": {"roleCredentials": key("ASIACENTER0000000001")}});
    let (id, called) = record(90, ("s3", "DeleteBucket"), json!({"errorCode": "AccessDenied"}));
    let called =
        called.replace(KEY, "ASIACENTER0000000001").replace("IAMUser", "AssumedRole").replace("AIDACI", "AROAweb:s");
    let called = called.replace("iam::111122223333:user/ci", "sts::111122223333:assumed-role/web/s");
    let records: BTreeMap<String, String> = [
        record(40, ("rolesanywhere", "CreateSession"), anywhere),
        record(50, ("sso", "GetRoleCredentials"), center),
        (id, called),
    ]
    .into();
    let (found, _) = hunted(&analysed(&records), &records);
    let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    let expected = [("111122223333/app".to_owned(), at(40)), ("111122223333/web".to_owned(), at(50))];
    assert_eq!(found.taken_at, expected.into());
}

#[test]
fn a_session_that_somebody_has_called_like_an_instance_is_told_from_one_that_ec2_has_taken() {
    let takes = |n: usize, instance: &str, more: Value| {
        let (id, text) = record(n, ("sts", "AssumeRole"), more);
        let mut taken: Value = serde_json::from_str(&text).unwrap();
        taken["requestParameters"] =
            json!({"roleArn": "arn:aws:iam::111122223333:role/web", "roleSessionName": instance});
        taken["responseElements"] = json!({
            "credentials": {"accessKeyId": format!("ASIA{n:016}")},
            "assumedRoleUser": {"assumedRoleId": format!("AROAweb:{instance}"),
                "arn": format!("arn:aws:sts::111122223333:assumed-role/web/{instance}")},
        });
        (id, taken.to_string())
    };
    let (own, victims) = ("i-0123456789abcdef0", "i-0123456789abcdef1");
    let run = json!({"responseElements": {"instancesSet": {"items": [{"instanceId": own}]}}});
    let service = json!({"sourceIPAddress": "ec2.amazonaws.com",
        "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}});
    let records: BTreeMap<String, String> = [
        record(10, ("ec2", "RunInstances"), run),
        takes(20, own, service),
        takes(30, victims, json!({})),
        takes(40, "deploy", json!({})),
    ]
    .into();
    let (found, _) = hunted(&analysed(&records), &records);
    let key = |n: usize| format!("ASIA{n:016}");
    for n in [20, 30, 40] {
        assert!(found.credentials.iter().any(|of| of.access_key_id == Some(key(n))), "{n}: {:?}", found.credentials);
    }
    assert_eq!(found.called_like_instances, [key(30)].into());
}
