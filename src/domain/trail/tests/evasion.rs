//! What an attacker who knows the analysis would do about it.

use super::super::deed::Deed;
use super::super::skim::Skim;
use super::super::token::Token;
use super::*;

#[test]
fn nobody_becomes_aws_by_what_they_say_of_themselves() {
    let with = |more: Value| {
        let mut record = json!({"userAgent": "AWS Internal", "requestParameters": {"userName": "evil"}});
        merge(&mut record, more);
        by_user(600, "a1", STOLEN, "deploy", ("iam", "CreateUser"), record)
    };
    let analysis = analyze(&[with(json!({}))]);
    assert_eq!(listed(&analysis), ["a1"], "the agent is the caller's own word");
    assert_eq!(states(&analysis), [("AWS::IAM::User".to_owned(), "evil".to_owned(), State::Present)]);
    assert!(listed(&analyze(&[with(json!({"sourceIPAddress": "AWS Internal"}))])).is_empty(), "the address is AWS's");
    let quarantine = |call: &str| {
        let policy = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
        let more =
            json!({"userAgent": "aws-internal", "requestParameters": {"userName": "deploy", "policyArn": policy}});
        listed(&analyze(&[by_user(600, "q1", STOLEN, "deploy", ("iam", call), more)]))
    };
    assert!(quarantine("AttachUserPolicy").is_empty());
    assert_eq!(quarantine("DetachUserPolicy"), ["q1"], "who takes it off does not tighten anything");
}

#[test]
fn a_role_is_awss_by_where_it_stands_and_not_by_what_it_is_called() {
    let (name, key) = ("AWSServiceRoleForBackup", "ASIATHEIRS0000000001");
    let seen = |path: Option<&str>| {
        let takes = by_user(600, "takes", STOLEN, "deploy", ("sts", "AssumeRole"), assume(name, "s", key));
        let more = json!({"requestParameters": {"userName": "evil"}});
        let mut acts = by_role(601, "acts", key, (name, "s"), ("iam", "CreateUser"), more);
        if let Some(path) = path {
            let arn = format!("arn:aws:iam::{ACCOUNT}:role/{path}{name}");
            acts["userIdentity"]["sessionContext"] = json!({"sessionIssuer": {"type": "Role", "arn": arn}});
        }
        listed(&analyze(&[takes, acts]))
    };
    assert_eq!(seen(Some("")), ["takes", "acts"]);
    assert_eq!(seen(Some("x:role/aws-service-role/")), ["takes", "acts"], "a path can say what it likes");
    assert_eq!(seen(Some("aws-service-role/backup.amazonaws.com/")), ["takes"]);
    assert_eq!(seen(None), ["takes"], "where the record has no more, the name counts");
}

fn function(minute: u32, id: &str, region: &str, key: &str, call: &str) -> Value {
    let more = json!({"awsRegion": region, "requestParameters": {"functionName": "sync"}});
    by_user(minute, id, key, "deploy", ("lambda", call), more)
}

#[test]
fn one_name_in_several_regions_is_several_things() {
    let analysis = analyze(&[
        function(600, "f1", "us-east-1", STOLEN, "CreateFunction20150331"),
        function(601, "f2", "eu-west-1", STOLEN, "CreateFunction20150331"),
        function(602, "f3", "eu-west-1", STOLEN, "DeleteFunction20150331"),
    ]);
    let found: Vec<_> = analysis.footprint.iter().map(|r| (&*r.region, r.state, r.made_by_attacker)).collect();
    assert_eq!(found, [("eu-west-1", State::Deleted, true), ("us-east-1", State::Present, true)]);
    let bucket = |minute, id: &str, region: &str, call: &str| {
        let more = json!({"awsRegion": region, "requestParameters": {"bucketName": "loot"}});
        by_user(minute, id, STOLEN, "deploy", ("s3", call), more)
    };
    let analysis =
        analyze(&[bucket(600, "b1", "us-east-1", "CreateBucket"), bucket(601, "b2", "eu-west-1", "DeleteBucket")]);
    assert_eq!(analysis.footprint.len(), 1, "a bucket's name is everywhere's");
}

#[test]
fn what_somebody_else_has_made_anew_is_not_the_attackers() {
    let role = |minute, id: &str, key: &str, user: &str, call: &str| {
        by_user(minute, id, key, user, ("iam", call), json!({"requestParameters": {"roleName": "deploy"}}))
    };
    let (pipeline, theirs) = (("AKIAPIPELINE00000001", "pipeline"), (STOLEN, "deploy"));
    let of = |again: (&str, &str)| {
        let analysis = analyze(&[
            role(600, "r1", STOLEN, "deploy", "CreateRole"),
            role(601, "r2", pipeline.0, pipeline.1, "DeleteRole"),
            role(602, "r3", again.0, again.1, "CreateRole"),
        ]);
        let found = &analysis.footprint[0];
        (found.state, found.made_by_attacker)
    };
    assert_eq!(of(pipeline), (State::Present, false));
    assert_eq!(of(theirs), (State::Present, true));
}

#[test]
fn whoever_does_much_does_not_make_what_they_did_before_be_forgotten() {
    let put = |at: usize, name: &str| {
        let parameters = json!({"requestParameters": {"userName": "victim", "policyName": name}});
        by_user(
            600 + u32::try_from(at / 60).unwrap(),
            &format!("d{at:04}"),
            STOLEN,
            "deploy",
            ("iam", "PutUserPolicy"),
            parameters,
        )
    };
    let many: Vec<Value> = (0..600).map(|at| put(at, if at == 350 { "door" } else { "noise" })).collect();
    let analysis = analyze(&many);
    let deeds = &analysis.footprint[0].deeds;
    assert!((200..=300).contains(&deeds.len()), "{}", deeds.len());
    assert_eq!(deeds.iter().filter(|deed| deed.is_left_out()).count(), 1, "and it is said that there were more");
    assert!(deeds.iter().all(|deed| deed.by_attacker));
    assert_eq!((&*deeds[0].event_id, &*deeds[deeds.len() - 1].event_id), ("d0000", "d0599"));
    assert!(!analyze(&many[..300]).footprint[0].deeds.iter().any(Deed::is_left_out));
}

/// The thief looks around, and two hours later settles; a finding has noticed the latter.
fn settles_after_a_look() -> Vec<Value> {
    let user = json!({"requestParameters": {"userName": "evil"}});
    vec![
        by_user(480, "s1", STOLEN, "deploy", ("sts", "GetCallerIdentity"), json!({"readOnly": true})),
        by_user(490, "s2", STOLEN, "deploy", ("sts", "GetSessionToken"), minted("ASIAEARLY")),
        by_user(600, "s3", STOLEN, "deploy", ("iam", "CreateUser"), user),
        by_user(601, "s4", "ASIAEARLY", "deploy", ("s3", "CreateBucket"), json!({"sourceIPAddress": "192.0.2.9"})),
    ]
}

fn minted(key: &str) -> Value {
    json!({"readOnly": true, "responseElements": {"credentials": {"accessKeyId": key}}})
}

fn at_nine(question: Question) -> Question {
    Question { since: "2026-01-31T09:00:00Z".parse().ok(), ..question }
}

#[test]
fn a_look_before_the_deed_does_not_make_the_thiefs_address_the_owners() {
    let seen = |question: Question, records: &[Value]| listed(&analyze_files(&question, &[records.to_vec()]));
    let presumed = Question { presumed: true, ..at_nine(question()) };
    assert_eq!(seen(presumed.clone(), &settles_after_a_look()), ["s1", "s2", "s3", "s4"], "what came before is theirs");
    assert_eq!(seen(at_nine(question()), &settles_after_a_look()), ["s3"], "somebody knows that it was stolen later");

    // They only take what is there: that is not hostile by itself, but no habit either.
    let mut quiet = settles_after_a_look();
    quiet[2] = by_user(600, "s3", STOLEN, "deploy", ("secretsmanager", "GetSecretValue"), json!({"readOnly": true}));
    assert_eq!(seen(at_nine(question()), &quiet), ["s3"]);
    // Even if they had been there for days, an alert has named them.
    quiet[0]["eventTime"] = json!("2026-01-20T08:00:00Z");
    assert!(seen(at_nine(question()), &quiet).is_empty(), "as far as anybody knows");
    let named = Question { suspects: vec![THIEF.into()], ..at_nine(question()) };
    assert_eq!(seen(named.clone(), &quiet), ["s3"]);
    let words = vec![format!("{THIEF}=owner").parse().unwrap()];
    assert!(seen(Question { words, ..named }, &quiet).is_empty(), "a responder knows better");
}

#[test]
fn what_the_owner_does_every_day_does_not_turn_their_place() {
    let deploy = |id: &str, at: &str, call: &str| {
        let more = json!({"eventTime": at, "sourceIPAddress": OFFICE, "requestParameters": {"roleName": "shop"}});
        by_user(600, id, STOLEN, "deploy", ("iam", call), more)
    };
    let records = vec![
        deploy("d1", "2026-01-28T10:00:00Z", "PutRolePolicy"),
        deploy("d2", "2026-01-31T08:59:00Z", "CreateRole"),
        deploy("d3", "2026-01-31T10:00:00Z", "PutRolePolicy"),
    ];
    let seen = |records: &[Value]| listed(&analyze_files(&at_nine(question()), &[records.to_vec()]));
    assert!(seen(&records).is_empty());
    let mut turned = records;
    turned.push(deploy("d4", "2026-01-31T10:01:00Z", "CreateRole"));
    assert_eq!(seen(&turned), ["d3", "d4"], "what came up just before the theft is no habit");
}

#[test]
fn one_data_event_does_not_speak_for_all_buckets() {
    let more =
        json!({"readOnly": true, "managementEvent": false, "requestParameters": {"bucketName": "decoy", "key": "a"}});
    let analysis = analyze(&[by_user(600, "o1", STOLEN, "deploy", ("s3", "GetObject"), more)]);
    let said: Vec<&str> = analysis.not_recorded.iter().map(|gap| gap.what.as_str()).collect();
    assert!(
        said.contains(&"whether objects in S3 were read, written or deleted, beyond the calls in these logs"),
        "{said:?}"
    );
    assert!(said.contains(&"whether items in DynamoDB tables were read or written"), "{said:?}");
}

#[test]
fn a_caller_is_nobody_else_for_being_written_with_the_same_letters() {
    let mut scout = Scout::new(&Limits::default());
    scout.learn(&[Token::principal("AIDA1")]);
    let mut glance = |key: &[u8], principal: &[u8], arn: &[u8]| {
        let caller = [key, principal, arn, b""];
        scout.glance(&Skim {
            name: "ListRoles",
            source: "iam.amazonaws.com",
            read_only: Some(true),
            caller,
            ..Skim::default()
        })
    };
    assert!(glance(b"KA", b"IDA1", b"arn"), "nobody knows them");
    assert!(!glance(b"K", b"AIDA1", b"arn"), "this one is known");
    for _ in 0..2 {
        assert!(!glance(b"K", b"AIDA2", b"arn:\xff"), "what is no text is left to the parser");
    }
}
