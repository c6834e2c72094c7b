//! Where calls come from, and what that says: machines' credentials elsewhere, addresses in a VPC of one's own, and AWS's
//! own network.

use super::*;

const MACHINE: &str = "i-0123456789abcdef1";
const OWN: &str = "192.0.2.40";
const ELSEWHERE: &str = "192.0.2.99";

fn by_machine(minute: u32, id: &str, key: &str, address: &str) -> Value {
    by_role(minute, id, key, ("web", MACHINE), ("s3", "CreateBucket"), json!({"sourceIPAddress": address}))
}

fn theirs(analysis: &Analysis) -> Vec<&str> {
    analysis.actions.iter().map(|action| action.event_id.as_ref()).collect()
}

#[test]
fn a_machines_new_credentials_are_the_attackers_where_it_never_called_from_before_they_came_in() {
    let enter = json!({"requestParameters": {"instanceIds": [MACHINE]}, "responseElements": {"command": {}}});
    let enters = by_user(600, "enters", STOLEN, "deploy", ("ssm", "SendCommand"), enter);
    let before = by_machine(500, "before", "ASIAOLD", OWN);
    let after = [by_machine(700, "own", "ASIANEW", OWN), by_machine(701, "loot", "ASIANEW", ELSEWHERE)];
    let analysis = analyze(&[&[before, enters.clone()][..], &after[..]].concat());
    assert_eq!(theirs(&analysis), ["enters", "loot"]);
    let reached: Vec<_> = analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref()).collect();
    assert!(reached.contains(&"ASIANEW"), "{reached:?}");
    // From there other machines may call too.
    let other = "i-0123456789abcdef2";
    let enter = json!({"requestParameters": {"instanceIds": [MACHINE, other]}, "responseElements": {"command": {}}});
    let both = by_user(600, "both", STOLEN, "deploy", ("ssm", "SendCommand"), enter);
    let at_work = json!({"sourceIPAddress": ELSEWHERE});
    let at_work = by_role(702, "other", "ASIAX", ("web", other), ("iam", "CreateUser"), at_work);
    let before = by_machine(500, "before", "ASIAOLD", OWN);
    assert_eq!(theirs(&analyze(&[&[before, both, at_work][..], &after[..]].concat())), ["both", "loot"]);
    // What runs on a machine can be changed, and then runs there.
    let aimed = json!({"requestParameters": {"associationId": "a-1", "targets": [{"key": "InstanceIds", "values": [MACHINE]}]},
        "responseElements": {"associationDescription": {"associationId": "a-1"}}});
    let changes = by_user(600, "changes", STOLEN, "deploy", ("ssm", "UpdateAssociation"), aimed);
    let before = by_machine(500, "before", "ASIAOLD", OWN);
    let analysis = analyze(&[&[before, changes][..], &after[..]].concat());
    assert_eq!(theirs(&analysis), ["changes", "loot"]);
    let association = analysis.footprint.iter().find(|of| of.resource_type == "AWS::SSM::Association").unwrap();
    assert_eq!(association.id, "a-1");
    // Where nothing is known of the machine, nothing can be said.
    let analysis = analyze(&[&[enters][..], &after[..]].concat());
    assert_eq!(theirs(&analysis), ["enters"]);
}

#[test]
fn a_machine_calls_through_many_endpoints_and_gateways() {
    let enter = json!({"requestParameters": {"instanceIds": [MACHINE]}, "responseElements": {"command": {}}});
    let through = |minute: u32, id: &str, address: &str, endpoint: &str| {
        let mut record = by_machine(minute, id, "ASIAWEB", address);
        record["vpcEndpointId"] = json!(endpoint);
        record
    };
    let analysis = analyze(&[
        through(500, "before", "10.0.0.7", "vpce-0aaaaaaaaaaaaaaaa"),
        by_user(600, "enters", STOLEN, "deploy", ("ssm", "SendCommand"), enter),
        through(700, "other service", "10.0.0.7", "vpce-0cccccccccccccccc"),
        by_machine(701, "gateway", "ASIAWEB", OWN),
        through(701, "pod", "10.0.0.99", "vpce-0aaaaaaaaaaaaaaaa"),
        through(702, "loot", "10.9.9.9", "vpce-0bbbbbbbbbbbbbbbb"),
    ]);
    assert_eq!(theirs(&analysis), ["enters", "loot"]);
}

#[test]
fn what_a_robbed_machine_gets_next_is_the_attackers_too_wherever_they_take_it() {
    let records = [
        by_machine(500, "own", "ASIAROBBED", OWN),
        by_machine(600, "robbed", "ASIAROBBED", THIEF),
        by_machine(610, "own still", "ASIAROBBED", OWN),
        by_machine(900, "work", "ASIANEXT", OWN),
        by_machine(901, "next", "ASIANEXT", ELSEWHERE),
    ];
    let question = Question {
        credentials: vec!["ASIAROBBED".into()],
        since: "2026-01-31T09:30:00Z".parse().ok(),
        ..Question::default()
    };
    let analysis = analyze_files(&question, &[records.to_vec()]);
    assert_eq!(theirs(&analysis), ["robbed", "next"], "{:#?}", analysis.actions);
}

#[test]
fn an_address_in_a_vpc_is_its_owners_only_behind_its_own_endpoint() {
    let at = |minute: u32, id: &str, endpoint: Option<&str>| {
        let mut more = json!({"sourceIPAddress": OFFICE});
        if let Some(endpoint) = endpoint {
            more["vpcEndpointId"] = json!(endpoint);
        }
        if minute < 60 {
            more["eventTime"] = json!(format!("2026-01-25T00:{minute}:00Z"));
        }
        by_user(minute, id, STOLEN, "deploy", ("s3", "CreateBucket"), more)
    };
    let records = [
        at(10, "habit", None),
        at(11, "inside", Some("vpce-0aaaaaaaaaaaaaaaa")),
        at(1300, "spoofed", Some("vpce-0bbbbbbbbbbbbbbbb")),
        at(1301, "office", None),
        at(1302, "own", Some("vpce-0aaaaaaaaaaaaaaaa")),
    ];
    let question = Question {
        credentials: vec![STOLEN.into()],
        since: "2026-01-31T21:00:00Z".parse().ok(),
        ..Question::default()
    };
    let analysis = analyze_files(&question, &[records.to_vec()]);
    assert_eq!(theirs(&analysis), ["spoofed"], "{:#?}", analysis.actions);
    let place = format!("{OFFICE} through vpce-0bbbbbbbbbbbbbbbb");
    assert_eq!(analysis.addresses.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), [&place]);
    let overruled = |records: &[Value], word: &str| {
        let words = vec![word.parse().unwrap()];
        theirs(&analyze_files(&Question { words, ..question.clone() }, &[records.to_vec()])).len()
    };
    assert_eq!(overruled(&records, &format!("{place}=owner")), 0);
    assert_eq!(overruled(&records, &format!("{OFFICE}=owner")), 1, "anybody can call their own network so");
    assert_eq!(overruled(&records, &format!("{OFFICE}=attacker")), 5);
    let mut inside = at(1300, "inside", Some("vpce-0bbbbbbbbbbbbbbbb"));
    inside["sourceIPAddress"] = json!("10.0.0.7");
    assert_eq!(overruled(&[inside.clone()], "10.0.0.8=owner"), 1);
    assert_eq!(overruled(&[inside], "10.0.0.7=owner"), 0);
}

#[test]
fn the_console_calls_through_endpoints_of_awss_own() {
    let console = |minute: u32, id: &str, more: Value| {
        let mut record = by_user(minute, id, STOLEN, "deploy", ("s3", "CreateBucket"), more);
        record["sourceIPAddress"] = json!(OFFICE);
        record["vpcEndpointId"] = json!("vpce-f40dc59d");
        record
    };
    let mut habit = by_user(0, "habit", STOLEN, "deploy", ("s3", "CreateBucket"), json!({"sourceIPAddress": OFFICE}));
    habit["eventTime"] = json!("2026-01-25T00:00:00Z");
    let records = [
        habit,
        console(1300, "desk", json!({"sessionCredentialFromConsole": "true"})),
        console(1301, "not the console", json!({})),
    ];
    let since = "2026-01-31T21:00:00Z".parse().ok();
    let question = Question { credentials: vec![STOLEN.into()], since, ..Question::default() };
    assert_eq!(theirs(&analyze_files(&question, &[records.to_vec()])), ["not the console"]);
    let mut kms = by_user(600, "kms", STOLEN, "deploy", ("kms", "Decrypt"), json!({"readOnly": true}));
    kms["sourceIPAddress"] = json!("ec2-frontend-api.amazonaws.com");
    kms["vpcEndpointId"] = json!("AWS Internal");
    assert!(analyze(&[kms]).addresses.is_empty());
}

#[test]
fn what_aws_does_in_the_name_of_what_is_the_attackers_alone_is_theirs() {
    let key = "AKIAEVIL000000000002";
    let internal = |id: &str, key: &str, user: &str| {
        by_user(700, id, key, user, ("iam", "CreateUser"), json!({"sourceIPAddress": "AWS Internal"}))
    };
    let analysis = analyze(&[
        by_user(600, "makes", STOLEN, "deploy", ("iam", "CreateAccessKey"), create_key("evil", key)),
        internal("theirs", key, "evil"),
        internal("shared", STOLEN, "deploy"),
    ]);
    let who = |id: &str| analysis.actions.iter().find(|action| &*action.event_id == id).map(|action| action.who);
    assert_eq!((who("theirs"), who("shared")), (Some(Who::AttackerThroughAws), None));
}

/// Somebody gives the instance a profile, or takes its own away.
fn gives(minute: u32, id: &str, key: &str, call: &str, profile: &str) -> Value {
    let arn = format!("arn:aws:iam::{ACCOUNT}:instance-profile/{profile}");
    let association = json!({"instanceId": MACHINE, "associationId": "iip-1", "iamInstanceProfile": {"arn": arn}});
    let asked = match call {
        "AssociateIamInstanceProfile" => json!({"IamInstanceProfile": {"Name": profile}, "InstanceId": MACHINE}),
        _ => json!({"IamInstanceProfile": {"Name": profile}, "AssociationId": "iip-1"}),
    };
    let more = json!({"requestParameters": {format!("{call}Request"): asked},
        "responseElements": {format!("{call}Response"): {"iamInstanceProfileAssociation": association}}});
    let mut record = by_user(minute, id, key, if key == STOLEN { "deploy" } else { "ops" }, ("ec2", call), more);
    record["sourceIPAddress"] = json!(if key == STOLEN { THIEF } else { OFFICE });
    record
}

/// The instance calls with a role.
fn with_role(minute: u32, id: &str, role: &str, more: Value) -> Value {
    let mut record = by_role(minute, id, &format!("ASIA{id}"), (role, MACHINE), ("s3", "CreateBucket"), more);
    record["sourceIPAddress"] = json!(OWN);
    record
}

const ASSOCIATES: &str = "AssociateIamInstanceProfile";
const REPLACES: &str = "ReplaceIamInstanceProfileAssociation";
const TAKES_AWAY: &str = "DisassociateIamInstanceProfile";
const OPS: &str = "AKIAOPS0000000000001";

#[test]
fn what_an_instance_does_with_a_role_that_only_the_attacker_gave_it_is_the_attackers() {
    for (call, back) in [(ASSOCIATES, TAKES_AWAY), (ASSOCIATES, REPLACES), (REPLACES, REPLACES), (REPLACES, ASSOCIATES)]
    {
        let other = json!({"sourceIPAddress": OWN});
        let other = by_role(613, "other", "ASIAX", ("admin", "i-0123456789abcdef2"), ("s3", "CreateBucket"), other);
        let mut records = vec![
            with_role(500, "before", "web", json!({})),
            gives(600, "gives", STOLEN, call, "admin"),
            with_role(610, "theirs", "admin", json!({})),
            with_role(611, "own", "web", json!({})),
            other,
            gives(620, "back", OPS, back, "web"),
            with_role(630, "later", "admin", json!({})),
            with_role(631, "as before", "web", json!({})),
        ];
        let analysis = analyze(&records);
        assert_eq!(theirs(&analysis), ["gives", "theirs"], "{call}, {back}");
        assert_eq!(analysis.acting, [MACHINE], "{call}: it can be asked about");
        records.extend([gives(640, "anew", STOLEN, REPLACES, "admin"), with_role(650, "again", "admin", json!({}))]);
        assert_eq!(theirs(&analyze(&records)), ["gives", "theirs", "anew", "again"], "{call}, {back}");
    }
}

#[test]
fn what_an_instance_does_with_a_role_that_it_had_or_has_by_itself_is_its_own() {
    let since = |began: &str| {
        let began = format!("2026-01-31T{began}:00Z");
        json!({"userIdentity": {"sessionContext": {"attributes": {"creationDate": began}}}})
    };
    let after = |profile: &str, acts: Value| {
        let records =
            [with_role(500, "before", "web", json!({})), gives(600, "gives", STOLEN, REPLACES, profile), acts];
        theirs(&analyze(&records)).len() == 2
    };
    assert!(after("admin", with_role(610, "acts", "admin", since("10:01"))));
    assert!(!after("admin", with_role(610, "acts", "admin", since("09:59"))), "the session was there before");
    assert!(!after("web", with_role(610, "acts", "web", json!({}))), "so was the role");
    assert!(after("p", with_role(610, "acts", "admin", json!({}))), "a profile need not be called like its role");
    for role in ["aws:ec2-infrastructure", "AWSSystemsManagerDefaultEC2InstanceManagementRole"] {
        assert!(!after("admin", with_role(610, "acts", role, json!({}))), "{role}");
    }
}

#[test]
fn the_session_that_aws_makes_for_a_profile_of_the_attackers_is_followed() {
    let mut takes = by_role(609, "takes", "", ("", ""), ("sts", "AssumeRole"), assume("admin", MACHINE, "ASIAGIVEN"));
    takes["userIdentity"] = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
    takes["sourceIPAddress"] = json!("ec2.amazonaws.com");
    let mut acts = with_role(610, "acts", "admin", json!({}));
    acts["userIdentity"]["accessKeyId"] = json!("ASIAGIVEN");
    let analysis = analyze(&[gives(600, "gives", STOLEN, ASSOCIATES, "admin"), takes, acts]);
    assert_eq!(theirs(&analysis), ["gives", "acts"]);
    let by = reached(&analysis);
    assert!(by.iter().any(|(key, _, event)| key == "ASIAGIVEN" && event == "takes"), "{by:?}");
}
