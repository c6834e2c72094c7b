//! What ends with somebody else's deed, and what never was the attacker's: a function that is put back, a role that others
//! use too, a password that is set anew; and what a responder alone says.

use super::super::analysis::Analysis;
use super::*;

const SESSION: &str = "ASIASYNC000000000001";

fn ids(analysis: &Analysis) -> Vec<&str> {
    analysis.actions.iter().map(|action| action.event_id.as_ref()).collect()
}

/// Somebody else, from the office.
fn owner(minute: u32, id: &str, call: (&str, &str), more: Value) -> Value {
    let mut record = by_user(minute, id, "AKIAOWNER00000000001", "ana", call, json!({"sourceIPAddress": OFFICE}));
    merge(&mut record, more);
    record
}

fn function(code: &str) -> Value {
    json!({"requestParameters": {"functionName": "sync"}, "responseElements": {"functionName": "sync",
        "role": format!("arn:aws:iam::{ACCOUNT}:role/app"), "codeSha256": code}})
}

fn configured(more: Value) -> Value {
    let mut record = function("as before");
    merge(&mut record["requestParameters"], more);
    record
}

/// The function does something, in a session that began then.
fn runs(minute: u32, id: &str, began: u32) -> Value {
    let began = format!("2026-01-31T{:02}:{:02}:00Z", began / 60, began % 60);
    let more = json!({"sourceIPAddress": "192.0.2.200", "userIdentity": {"sessionContext": {"attributes": {"creationDate": began}}}});
    by_role(minute, id, SESSION, ("app", "sync"), ("s3", "DeleteBucket"), more)
}

const CODE: (&str, &str) = ("lambda", "UpdateFunctionCode20150331v2");
const SETTINGS: (&str, &str) = ("lambda", "UpdateFunctionConfiguration20150331v2");

#[test]
fn a_function_is_the_attackers_until_its_code_is_put_back_and_a_session_from_before_stays_theirs() {
    let changes = by_user(600, "changes", STOLEN, "deploy", CODE, function("evil"));
    let story =
        |back: Value| vec![changes.clone(), runs(610, "evil", 605), back, runs(650, "own", 640), runs(651, "old", 610)];
    let put_back = analyze(&story(owner(630, "back", CODE, function("good"))));
    assert_eq!(ids(&put_back), ["changes", "evil", "old"]);
    let same = analyze(&story(owner(630, "back", CODE, function("evil"))));
    assert_eq!(ids(&same), ["changes", "evil", "own", "old"], "that is the same code again");
    let other = analyze(&story(owner(630, "back", SETTINGS, configured(json!({"timeout": 9})))));
    assert_eq!(ids(&other), ["changes", "evil", "own", "old"], "its code is still the attacker's");
    let dry = analyze(&story(owner(630, "back", CODE, configured(json!({"dryRun": true})))));
    assert_eq!(ids(&dry), ["changes", "evil", "own", "old"], "nothing was put back");
    let mut published = story(owner(630, "back", CODE, function("good")));
    merge(&mut published[0], json!({"requestParameters": {"publish": true}, "responseElements": {"version": "7"}}));
    assert_eq!(ids(&analyze(&published)), ["changes", "evil", "own", "old"], "an alias may lead to the version");
    let again = by_user(640, "again", STOLEN, "deploy", CODE, function("worse"));
    let mut twice = story(owner(630, "back", CODE, function("good")));
    twice.insert(3, again);
    assert_eq!(ids(&analyze(&twice)), ["changes", "evil", "again", "own", "old"]);
}

#[test]
fn every_setting_of_the_attackers_has_to_be_set_to_something_else() {
    let theirs = json!({"layers": ["evil"], "handler": "evil.run"});
    let changes = by_user(600, "changes", STOLEN, "deploy", SETTINGS, configured(theirs));
    let after = |back: Value| {
        let back = owner(630, "back", SETTINGS, configured(back));
        let analysis = analyze(&[changes.clone(), back, runs(650, "runs", 640)]);
        ids(&analysis).len() == 1
    };
    assert!(after(json!({"layers": [], "handler": "m.f", "timeout": 3})));
    assert!(!after(json!({"layers": []})), "the handler is theirs");
    assert!(!after(json!({"layers": ["evil"], "handler": "m.f"})), "so is the layer");
    assert!(!after(json!({"timeout": 3})));
}

#[test]
fn a_function_that_the_attacker_has_made_is_theirs_until_it_is_made_anew() {
    let made = by_user(600, "made", STOLEN, "deploy", ("lambda", "CreateFunction20150331"), function("evil"));
    let kept = [made.clone(), owner(630, "code", CODE, function("good")), runs(650, "runs", 640)];
    assert_eq!(ids(&analyze(&kept)), ["made", "runs"]);
    let anew =
        [made, owner(630, "anew", ("lambda", "CreateFunction20150331"), function("good")), runs(650, "runs", 640)];
    assert_eq!(ids(&analyze(&anew)), ["made"]);
}

#[test]
fn work_with_a_role_that_others_use_too_is_the_attackers_where_they_asked_last() {
    let build = |minute, id: &str, key: &str, address: &str| {
        let role = json!({"serviceRole": format!("arn:aws:iam::{ACCOUNT}:role/build")});
        let more = json!({"sourceIPAddress": address, "requestParameters": {"projectName": "app"}, "responseElements": {"build": role}});
        by_user(minute, id, key, if key == STOLEN { "deploy" } else { "ana" }, ("codebuild", "StartBuild"), more)
    };
    let session = |minute: u32, n: u32| {
        let (name, key) = (format!("AWSCodeBuild-{n}"), format!("ASIABUILD00000000{n:03}"));
        let mut takes =
            by_user(minute, &format!("takes-{n}"), "", "", ("sts", "AssumeRole"), assume("build", &name, &key));
        takes["userIdentity"] = json!({"type": "AWSService", "invokedBy": "codebuild.amazonaws.com"});
        takes["sourceIPAddress"] = json!("codebuild.amazonaws.com");
        let more = json!({"sourceIPAddress": "192.0.2.200"});
        vec![takes, by_role(minute + 1, &format!("builds-{n}"), &key, ("build", &name), ("s3", "DeleteBucket"), more)]
    };
    let records = [
        session(590, 1),
        vec![build(600, "theirs", STOLEN, THIEF)],
        session(601, 2),
        vec![build(605, "owners", "AKIAOWNER00000000001", OFFICE)],
        session(606, 3),
        session(700, 4),
    ]
    .concat();
    let analysis = analyze(&records);
    assert_eq!(ids(&analysis), ["theirs", "builds-2"], "{:#?}", analysis.credentials);
    assert!(analysis.taken_roles.iter().any(|role| role.ends_with("role/build")), "it can be asked about");
    let said: Vec<&str> = analysis.not_recorded.iter().map(|gap| gap.why.as_ref()).collect();
    assert!(said.iter().any(|why| why.contains("taken after it and before")), "{said:?}");
}

#[test]
fn what_goes_on_with_a_role_is_the_attackers_until_somebody_else_asks() {
    let asks = |minute, id: &str, key: &str| {
        let more = json!({"requestParameters": {"notebookInstanceName": "n", "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/lab")}});
        by_user(
            minute,
            id,
            key,
            if key == STOLEN { "deploy" } else { "ana" },
            ("sagemaker", "CreateNotebookInstance"),
            more,
        )
    };
    let takes = |minute: u32, n: u32| {
        let key = format!("ASIALAB0000000000{n:03}");
        let mut takes =
            by_user(minute, &format!("takes-{n}"), "", "", ("sts", "AssumeRole"), assume("lab", "SageMaker", &key));
        takes["userIdentity"] = json!({"type": "AWSService", "invokedBy": "sagemaker.amazonaws.com"});
        takes["sourceIPAddress"] = json!("sagemaker.amazonaws.com");
        let more = json!({"sourceIPAddress": "192.0.2.200"});
        vec![takes, by_role(minute + 1, &format!("uses-{n}"), &key, ("lab", "SageMaker"), ("s3", "DeleteBucket"), more)]
    };
    let records = [
        vec![asks(600, "theirs", STOLEN)],
        takes(700, 1),
        vec![asks(800, "owners", "AKIAOWNER00000000001")],
        takes(810, 2),
    ];
    assert_eq!(ids(&analyze(&records.concat())), ["theirs", "uses-1"]);
    // However often they ask.
    let mut often: Vec<Value> = (0..100).map(|n| asks(600 + n, &format!("theirs-{n}"), STOLEN)).collect();
    often.extend(takes(720, 1));
    assert!(ids(&analyze(&often)).contains(&"uses-1"));
}

#[test]
fn a_password_opens_what_is_signed_in_with_it_and_nothing_else() {
    let reset = |minute, id: &str, key: &str| {
        let more = json!({"requestParameters": {"userName": "alice"}, "responseElements": {"userName": "alice"}});
        by_user(minute, id, key, if key == STOLEN { "deploy" } else { "ana" }, ("iam", "UpdateLoginProfile"), more)
    };
    let alice = |minute, id: &str, key: &str, began: &str| {
        let began = format!("2026-01-31T{began}:00Z");
        let more = json!({"sourceIPAddress": "192.0.2.50",
            "userIdentity": {"sessionContext": {"attributes": {"creationDate": began}}}});
        by_user(minute, id, key, "alice", ("s3", "DeleteBucket"), more)
    };
    let minted = json!({"sourceIPAddress": "192.0.2.50", "responseElements": {"credentials": {"accessKeyId": "ASIAVAULT00000000001"}}});
    let records = [
        reset(600, "reset", STOLEN),
        alice(610, "since nine", "ASIACONSOLE000000001", "09:00"),
        alice(620, "by the password", "ASIACONSOLE000000002", "10:15"),
        by_user(630, "mints", "AKIAALICE00000000001", "alice", ("sts", "GetSessionToken"), minted),
        alice(640, "with her key", "ASIAVAULT00000000001", "10:30"),
        reset(660, "set anew", "AKIAOWNER00000000001"),
        alice(670, "by hers", "ASIACONSOLE000000003", "11:05"),
        alice(680, "still in", "ASIACONSOLE000000002", "10:15"),
    ];
    assert_eq!(ids(&analyze(&records)), ["reset", "by the password", "still in"]);
}

#[test]
fn what_a_responder_calls_the_attackers_is_followed_though_nothing_leads_there() {
    let (other, new) = ("AKIASECOND0000000001", "AKIAMADE000000000001");
    let records = vec![
        by_user(600, "stolen", STOLEN, "deploy", ("iam", "ListUsers"), json!({"readOnly": true})),
        by_user(610, "second", other, "batch", ("iam", "CreateAccessKey"), create_key("mallory", new)),
        by_user(
            620,
            "made",
            new,
            "mallory",
            ("iam", "ListRoles"),
            json!({"readOnly": true, "sourceIPAddress": "192.0.2.9"}),
        ),
        by_role(
            630,
            "session",
            "ASIAROLE000000000001",
            ("app", "s"),
            ("s3", "DeleteBucket"),
            json!({"sourceIPAddress": "192.0.2.8"}),
        ),
    ];
    let said = |word: &str| {
        let question = Question { words: vec![word.parse().unwrap()], ..question() }.with_words();
        let analysis = analyze_files(&question, std::slice::from_ref(&records));
        ids(&analysis).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(said("192.0.2.77=attacker"), ["stolen"]);
    assert_eq!(said(&format!("{other}=attacker")), ["stolen", "second", "made"]);
    assert_eq!(said(&format!("arn:aws:iam::{ACCOUNT}:user/batch=attacker")), ["stolen", "second", "made"]);
    assert_eq!(said(&format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/s=attacker")), ["stolen", "session"]);
    assert_eq!(said(&format!("{other}=owner")), ["stolen"]);
}

#[test]
fn whoever_defends_from_the_office_or_signs_in_there_does_not_make_it_the_attackers() {
    let at_work = |minute, id: &str| {
        let more = json!({"readOnly": true, "sourceIPAddress": OFFICE, "requestParameters": {"bucketName": "app"}});
        by_user(minute, id, STOLEN, "deploy", ("s3", "GetBucketPolicy"), more)
    };
    let mut habit = at_work(0, "habit");
    habit["eventTime"] = json!("2026-01-20T00:00:00Z");
    let off = json!({"sourceIPAddress": OFFICE,
        "requestParameters": {"userName": "deploy", "accessKeyId": STOLEN, "status": "Inactive"}});
    let question = || Question { since: "2026-01-31T09:55:00Z".parse().ok(), ..question() };
    let of = |deed: Value| {
        let thief = by_user(600, "thief", STOLEN, "deploy", ("iam", "ListUsers"), json!({"readOnly": true}));
        let analysis = analyze_files(&question(), &[vec![habit.clone(), thief, deed, at_work(640, "works")]]);
        ids(&analysis).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let admin = ("AWSReservedSSO_Admin_0123456789abcdef", "ana");
    assert_eq!(
        of(by_role(620, "off", "ASIAADMIN00000000001", admin, ("iam", "UpdateAccessKey"), off.clone())),
        ["thief"]
    );
    assert_eq!(of(by_user(620, "off", STOLEN, "deploy", ("iam", "UpdateAccessKey"), off)), ["thief"]);
    let user = json!({"sourceIPAddress": OFFICE, "requestParameters": {"userName": "deploy"}});
    let signs_in = by_user(620, "in", "", "deploy", ("signin", "ConsoleLogin"), user.clone());
    assert_eq!(of(signs_in), ["thief"]);
    let stops = json!({"sourceIPAddress": OFFICE, "requestParameters": {"name": "main"}});
    let stops = of(by_user(620, "stops", STOLEN, "deploy", ("cloudtrail", "StopLogging"), stops));
    assert_eq!(stops, ["thief", "stops", "works"], "but that no owner does");
}

#[test]
fn a_policy_that_is_only_called_like_aws_own_is_no_quarantine() {
    let attach = |id: &str, of: &str| {
        let more = json!({"userAgent": "aws-internal",
            "requestParameters": {"userName": "deploy", "policyArn": format!("arn:aws:iam::{of}:policy/AWSDenyAll")}});
        by_user(600, id, STOLEN, "deploy", ("iam", "AttachUserPolicy"), more)
    };
    let analysis = analyze(&[attach("AWS's", "aws"), attach("theirs", ACCOUNT)]);
    assert_eq!(ids(&analysis), ["theirs"]);
}

fn named(kind: &str, name: &str, id: &str) -> Value {
    json!({"requestParameters": {format!("{kind}Name"): name},
        "responseElements": {kind: {format!("{kind}Name"): name, format!("{kind}Id"): id}}})
}

fn gone(kind: &str, name: &str) -> Value {
    json!({"requestParameters": {format!("{kind}Name"): name}})
}

#[test]
fn a_user_who_is_only_called_like_the_attackers_is_another() {
    let made = by_user(600, "made", STOLEN, "deploy", ("iam", "CreateUser"), named("user", "svc", "AIDAOLD"));
    let acts = |minute, id: &str, unique: &str| {
        let more = json!({"sourceIPAddress": "192.0.2.50", "userIdentity": {"principalId": unique}});
        by_user(minute, id, &format!("AKIA{unique}"), "svc", ("s3", "CreateBucket"), more)
    };
    let (old, new) = (acts(610, "old", "AIDAOLD"), acts(720, "new", "AIDANEW"));
    assert_eq!(ids(&analyze(&[made.clone(), old.clone(), new.clone()])), ["made", "old"], "the unique id tells");
    let anew = [
        owner(630, "deleted", ("iam", "DeleteUser"), gone("user", "svc")),
        owner(660, "anew", ("iam", "CreateUser"), named("user", "svc", "AIDANEW")),
    ];
    let then = |acts: Value| [&[made.clone(), old.clone()][..], &anew[..], &[acts][..]].concat();
    assert_eq!(ids(&analyze(&then(new.clone()))), ["made", "old"]);
    // Where a record has no unique id, it is whoever was made last.
    let nameless = by_user(
        720,
        "nameless",
        "",
        "svc",
        ("signin", "ConsoleLogin"),
        json!({"sourceIPAddress": "192.0.2.50",
        "userIdentity": {"principalId": null, "accessKeyId": null}}),
    );
    assert_eq!(ids(&analyze(&then(nameless.clone()))), ["made", "old"]);
    assert_eq!(ids(&analyze(&[made.clone(), nameless.clone()])), ["made", "nameless"]);
    let mut again = then(nameless);
    again.insert(4, by_user(670, "again", STOLEN, "deploy", ("iam", "CreateUser"), named("user", "svc", "AIDATHIRD")));
    assert_eq!(ids(&analyze(&again)), ["made", "old", "again", "nameless"], "what the attacker makes later is theirs");
}

#[test]
fn a_role_that_is_only_called_like_the_attackers_is_another() {
    let made = by_user(600, "made", STOLEN, "deploy", ("iam", "CreateRole"), named("role", "ops", "AROAEVIL"));
    let anew = [
        owner(630, "deleted", ("iam", "DeleteRole"), gone("role", "ops")),
        owner(640, "anew", ("iam", "CreateRole"), named("role", "ops", "AROAGOOD")),
    ];
    let session = |role: &str| {
        let mut takes = by_user(650, "takes", "", "", ("sts", "AssumeRole"), assume("ops", "job", "ASIAOPS"));
        takes["userIdentity"] = json!({"type": "AWSAccount", "accountId": "999988887777", "principalId": "AIDAFAR"});
        takes["responseElements"]["assumedRoleUser"]["assumedRoleId"] = json!(format!("{role}:job"));
        takes["sourceIPAddress"] = json!("192.0.2.50");
        let more = json!({"sourceIPAddress": "192.0.2.50", "userIdentity": {"principalId": format!("{role}:job")}});
        vec![takes, by_role(651, "acts", "ASIAOPS", ("ops", "job"), ("s3", "CreateBucket"), more)]
    };
    let after = |more: &[Value], role| {
        let analysis = analyze(&[&[made.clone()][..], more, &session(role)[..]].concat());
        ids(&analysis).len()
    };
    assert_eq!(after(&[], "AROAEVIL"), 3);
    assert_eq!(after(&[], "AROAGOOD"), 1, "the unique id tells");
    assert_eq!(after(&anew, "AROAGOOD"), 1);
    // A call that was turned away shows no unique id: then it is the role that was made last.
    let mut denied = session("AROAGOOD").remove(0);
    merge(&mut denied, json!({"errorCode": "AccessDenied", "responseElements": null}));
    let turned_away =
        |more: &[Value]| ids(&analyze(&[&[made.clone()][..], more, &[denied.clone()][..]].concat())).len();
    assert_eq!((turned_away(&[]), turned_away(&anew)), (2, 1));
}

#[test]
fn whoever_looks_at_a_role_of_the_attackers_does_not_become_the_attacker() {
    const ADMIN: &str = "AKIAOWNER00000000001";
    let made = by_user(600, "made", STOLEN, "deploy", ("iam", "CreateRole"), named("role", "ops", "AROAops"));
    let takes = owner(610, "takes", ("sts", "AssumeRole"), assume("ops", "look", "ASIALOOK"));
    let home = json!({"sourceIPAddress": OFFICE});
    let looks = by_role(611, "looks", "ASIALOOK", ("ops", "look"), ("s3", "CreateBucket"), home);
    let works = owner(612, "works", ("s3", "CreateBucket"), json!({}));
    let records = [made, takes, looks, works];
    let analysis = analyze(&records);
    assert_eq!(ids(&analysis), ["made", "looks"], "the session is the role's");
    let keys = |analysis: &Analysis| -> Vec<String> {
        analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref().map(str::to_owned)).collect()
    };
    assert_eq!(keys(&analysis), [STOLEN, "ASIALOOK"]);
    let took = analysis.others.iter().find(|other| &*other.event_id == "takes").expect("it is shown");
    assert_eq!((took.who, &*took.why), (Who::Other, "CreateRole: role ops, made by the attacker"));
    assert!(analysis.not_recorded.iter().any(|gap| gap.what.contains(ADMIN)), "{:?}", analysis.not_recorded);
    // From where the attacker is, it is the attacker.
    let mut theirs = records;
    theirs[1]["sourceIPAddress"] = json!(THIEF);
    let analysis = analyze(&theirs);
    assert_eq!(ids(&analysis), ["made", "takes", "looks"]);
    assert!(keys(&analysis).contains(&ADMIN.to_owned()));
}

#[test]
fn whoever_has_taken_a_role_and_turns_out_to_be_the_attacker_calls_from_where_the_attacker_is() {
    let (second, opened) = ("AKIASECOND0000000001", "AKIAOPENED0000000001");
    let on = json!({"requestParameters": {"userName": "ana", "accessKeyId": opened, "status": "Active"}});
    let from = |address: &str| json!({"sourceIPAddress": address});
    let mut takes = by_user(604, "takes", second, "mallory", ("sts", "AssumeRole"), assume("ops", "s", "ASIAOPS"));
    merge(&mut takes, from("192.0.2.70"));
    let records = vec![
        by_user(600, "made", STOLEN, "deploy", ("iam", "CreateRole"), named("role", "ops", "AROAops")),
        by_user(601, "admin", STOLEN, "deploy", ("sts", "AssumeRole"), assume("Admin", "a", "ASIAADMIN")),
        by_user(602, "opens", STOLEN, "deploy", ("iam", "UpdateAccessKey"), on),
        by_role(603, "key", "ASIAADMIN", ("Admin", "a"), ("iam", "CreateAccessKey"), create_key("mallory", second)),
        takes,
        by_role(605, "acts", "ASIAOPS", ("ops", "s"), ("s3", "CreateBucket"), from("192.0.2.80")),
        by_user(610, "theirs", opened, "ana", ("s3", "CreateBucket"), from("192.0.2.80")),
        by_user(611, "another's", opened, "ana", ("s3", "CreateBucket"), from("192.0.2.90")),
    ];
    let all = ["made", "admin", "opens", "key", "takes", "acts", "theirs"];
    assert_eq!(ids(&analyze(&records)), all);
    let backwards: Vec<Value> = records.iter().rev().cloned().collect();
    assert_eq!(ids(&analyze(&backwards)), all);
    let known = Question { credentials: vec![STOLEN.into(), second.into()], ..Question::default() };
    assert_eq!(ids(&analyze_files(&known, std::slice::from_ref(&records))), all);
    let mut unknown = records;
    unknown.remove(3);
    assert_eq!(ids(&analyze(&unknown)), ["made", "admin", "opens", "acts"], "whoever looks is not the attacker");
}
