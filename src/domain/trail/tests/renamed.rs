//! Users and groups that are given other names.

use super::super::deed::Deed;
use super::super::footprint::Resource;
use super::super::named::Named;
use super::*;
use crate::domain::hunt::findings;

const OTHER: &str = "AKIASOMEBODYELSE0001";

/// A call by a user whose name and unique id are two things.
fn by(minute: u32, id: &str, key: &str, (name, unique_id): (&str, &str), call: (&str, &str), more: Value) -> Value {
    let mut record = by_user(minute, id, key, name, call, more);
    record["userIdentity"]["principalId"] = json!(unique_id);
    record
}

fn by_victim(minute: u32, id: &str, name: &str, call: (&str, &str), more: Value) -> Value {
    by(minute, id, STOLEN, (name, "AIDAVICTIM"), call, more)
}

fn rename(from: &str, to: &str) -> Value {
    json!({"requestParameters": {"userName": from, "newUserName": to}})
}

fn of_user(name: &str) -> Value {
    json!({"requestParameters": {"userName": name}})
}

fn users(analysis: &Analysis) -> Vec<&Resource> {
    analysis.footprint.iter().filter(|of| of.resource_type == "AWS::IAM::User").collect()
}

fn principal(analysis: &Analysis, name: &str) -> Option<String> {
    let held = analysis.credentials.iter().find(|held| &*held.name == name);
    held.and_then(|held| held.principal.as_ref()).map(ToString::to_string)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what need not be there")]
fn arn(name: &str) -> Option<String> {
    Some(format!("arn:aws:iam::{ACCOUNT}:user/{name}"))
}

/// In the order in which it was, the other way round, and each record in a file of its own.
fn in_any_order(records: &[Value], check: impl Fn(&Analysis)) {
    let reversed: Vec<Value> = records.iter().rev().cloned().collect();
    check(&analyze(records));
    check(&analyze(&reversed));
    let apart: Vec<Vec<Value>> = reversed.into_iter().map(|record| vec![record]).collect();
    check(&analyze_files(&question(), &apart));
}

#[test]
fn a_stolen_keys_user_is_followed_through_every_name_and_back() {
    let mut records = vec![
        by_victim(600, "r1", "ci", ("iam", "ListUsers"), json!({"readOnly": true})),
        by_victim(601, "r2", "ci", ("iam", "UpdateUser"), rename("ci", "x")),
        by_victim(602, "r3", "x", ("iam", "UpdateUser"), rename("x", "y")),
        by_victim(
            603,
            "r4",
            "y",
            ("iam", "PutUserPolicy"),
            json!({"requestParameters": {"userName": "y", "policyName": "p"}}),
        ),
    ];
    in_any_order(&records, |analysis| {
        assert_eq!(listed(analysis), ["r1", "r2", "r3", "r4"]);
        assert_eq!(principal(analysis, STOLEN), arn("y"));
        let [user] = users(analysis)[..] else { panic!("{:?}", analysis.footprint) };
        assert_eq!((&*user.id, user.state, user.formerly.as_deref()), ("y", State::Modified, Some("ci")));
        let deeds: Vec<(&str, &str)> = user.deeds.iter().map(|of| (&*of.operation, &*of.what)).collect();
        assert_eq!(deeds, [("UpdateUser", "ci → x"), ("UpdateUser", "x → y"), ("PutUserPolicy", "p")]);
        let (hunted, _) = findings::hunted(analysis, &std::collections::BTreeMap::new());
        let away =
            |name: &str| hunted.called_now(ACCOUNT, name).map(|of| (of.to.clone(), of.event_id.clone().unwrap()));
        assert_eq!(away("ci"), Some(("y".to_owned(), "r2".to_owned())));
        assert_eq!(away("x"), Some(("y".to_owned(), "r3".to_owned())));
        assert_eq!(away("y"), None);
    });
    records.push(by_victim(604, "r5", "y", ("iam", "UpdateUser"), rename("y", "ci")));
    in_any_order(&records, |analysis| {
        assert_eq!(principal(analysis, STOLEN), arn("ci"));
        let [user] = users(analysis)[..] else { panic!("{:?}", analysis.footprint) };
        assert_eq!(&*user.id, "ci");
        let (hunted, _) = findings::hunted(analysis, &std::collections::BTreeMap::new());
        assert!(hunted.called_now(ACCOUNT, "ci").is_none(), "its user is called so again");
        assert_eq!(hunted.called_now(ACCOUNT, "x").unwrap().to, "ci");
    });
}

#[test]
fn whoever_else_renames_the_user_is_heard_of_and_is_not_the_attacker() {
    let records = [
        by_victim(600, "o1", "ci", ("iam", "ListUsers"), json!({"readOnly": true})),
        by(601, "o2", OTHER, ("kim", "AIDAKIM"), ("iam", "UpdateUser"), rename("ci", "x")),
    ];
    in_any_order(&records, |analysis| {
        assert_eq!(listed(analysis), ["o1"]);
        assert_eq!(principal(analysis, STOLEN), arn("x"), "though the key was not used since");
        let (hunted, _) = findings::hunted(analysis, &std::collections::BTreeMap::new());
        assert_eq!(hunted.called_now(ACCOUNT, "ci").unwrap().by, arn("kim"));
        assert_eq!(hunted.credentials[0].principal, arn("x"));
    });
}

#[test]
fn who_bears_the_old_name_next_is_somebody_else() {
    let create = json!({"requestParameters": {"userName": "ci"}, "responseElements": {"user": {"userName": "ci", "userId": "AIDANEXT"}}});
    let bucket = json!({"requestParameters": {"bucketName": "honest"}});
    let tag = json!({"requestParameters": {"userName": "ci", "policyName": "q"}});
    let records = [
        by_victim(600, "n1", "ci", ("iam", "ListUsers"), json!({"readOnly": true})),
        by_victim(601, "n2", "ci", ("iam", "UpdateUser"), rename("ci", "x")),
        by(602, "n3", OTHER, ("kim", "AIDAKIM"), ("iam", "CreateUser"), create),
        // From the attacker's address: of the user that was stolen, that would be the attacker.
        by(603, "n4", "AKIANEXT000000000001", ("ci", "AIDANEXT"), ("s3", "CreateBucket"), bucket),
        by(604, "n5", OTHER, ("kim", "AIDAKIM"), ("iam", "PutUserPolicy"), tag),
    ];
    in_any_order(&records, |analysis| {
        assert_eq!(listed(analysis), ["n1", "n2"]);
        assert_eq!(principal(analysis, STOLEN), arn("x"));
        let [user] = users(analysis)[..] else { panic!("{:?}", analysis.footprint) };
        assert_eq!((&*user.id, user.deeds.len()), ("x", 1), "what is done to the next one is not done to it");
        assert_eq!(analysis.names.ids[&(ACCOUNT.to_owned(), "ci".to_owned())], "AIDANEXT");
        assert_eq!(analysis.names.ids[&(ACCOUNT.to_owned(), "x".to_owned())], "AIDAVICTIM");
        assert!(analysis.names.away.is_empty(), "the old name is borne by somebody: {:?}", analysis.names.away);
    });
}

/// Of the console, with the key of its session or none at the sign-in.
fn in_console(minute: u32, id: &str, name: &str, call: (&str, &str), began: Option<u32>) -> Value {
    let mut record = by(minute, id, "ASIACONSOLE000000001", (name, "AIDABOB"), call, json!({"readOnly": true}));
    record["sourceIPAddress"] = json!("198.51.100.200");
    match began {
        Some(began) => {
            let at = format!("2026-01-31T{:02}:{:02}:00Z", began / 60, began % 60);
            record["userIdentity"]["sessionContext"] = json!({"attributes": {"creationDate": at}});
        }
        None => _ = record["userIdentity"].as_object_mut().unwrap().remove("accessKeyId"),
    }
    record
}

#[test]
fn a_password_that_the_attacker_has_set_goes_along_with_its_user() {
    let set = || by_victim(600, "p1", "ci", ("iam", "CreateLoginProfile"), of_user("bob"));
    let renames = || by_victim(602, "p3", "ci", ("iam", "UpdateUser"), rename("bob", "carl"));
    let signs_in = || in_console(603, "p4", "carl", ("signin", "ConsoleLogin"), None);
    // What began under the old name goes on.
    let before = || in_console(601, "p2", "bob", ("iam", "ListRoles"), Some(601));
    let after = || in_console(604, "p5", "carl", ("iam", "ListGroups"), Some(601));
    in_any_order(&[set(), before(), renames(), signs_in(), after()], |analysis| {
        assert_eq!(listed(analysis), ["p1", "p2", "p3", "p4", "p5"]);
        let password = format!("password of arn:aws:iam::{ACCOUNT}:user/bob");
        assert_eq!(principal(analysis, &password), arn("carl"));
    });
    // Its owner has set another under the new name: what signs in from then on is the owner.
    let anew = by(603, "p6", OTHER, ("kim", "AIDAKIM"), ("iam", "UpdateLoginProfile"), of_user("carl"));
    let later = in_console(605, "p7", "carl", ("signin", "ConsoleLogin"), None);
    in_any_order(&[set(), renames(), anew, later], |analysis| assert_eq!(listed(analysis), ["p1", "p3"]));
}

#[test]
fn what_says_a_users_name_says_the_one_of_now() {
    let member = json!({"requestParameters": {"userName": "bob", "groupName": "admins"}});
    let group = json!({"requestParameters": {"groupName": "admins", "newGroupName": "staff"}});
    let records = [
        by_victim(600, "g1", "ci", ("iam", "AddUserToGroup"), member),
        by_victim(601, "g2", "ci", ("iam", "CreateAccessKey"), create_key("bob", OTHER)),
        by_victim(602, "g3", "ci", ("iam", "UpdateUser"), rename("bob", "carl")),
        by_victim(603, "g4", "ci", ("iam", "UpdateGroup"), group),
    ];
    in_any_order(&records, |analysis| {
        let of = |kind: &str| analysis.footprint.iter().find(|of| of.resource_type.ends_with(kind)).unwrap();
        let what = |resource: &Resource, call: &str| {
            let deed = |of: &&Deed| of.operation == call;
            resource.deeds.iter().find(deed).unwrap().what.clone()
        };
        assert_eq!((&*of("::Group").id, &*what(of("::Group"), "AddUserToGroup")), ("staff", "carl"));
        assert_eq!(what(of("::Group"), "UpdateGroup"), "admins → staff");
        assert_eq!(what(of("::AccessKey"), "CreateAccessKey"), "carl");
        assert_eq!(principal(analysis, OTHER), arn("carl"));
    });
}

#[test]
fn a_user_of_the_attackers_stays_theirs_under_any_name() {
    let made = json!({"requestParameters": {"userName": "m"}, "responseElements": {"user": {"userName": "m", "userId": "AIDAM"}}});
    let records = [
        by_victim(600, "m1", "ci", ("iam", "CreateUser"), made),
        by(601, "m2", OTHER, ("kim", "AIDAKIM"), ("iam", "UpdateUser"), rename("m", "n")),
        by(602, "m3", "AKIAUNSEEN0000000001", ("n", "AIDAM"), ("iam", "ListUsers"), json!({"readOnly": true})),
    ];
    in_any_order(&records, |analysis| {
        assert_eq!(listed(analysis), ["m1", "m3"]);
        let [user] = users(analysis)[..] else { panic!("{:?}", analysis.footprint) };
        assert_eq!((&*user.id, user.state, user.made_by_attacker), ("n", State::Present, true));
        assert_eq!(user.made.as_ref().unwrap().unique_id.as_deref(), Some("AIDAM"));
    });
}

#[test]
fn who_bore_a_named_users_name_before_is_somebody_else() {
    let create = json!({"requestParameters": {"userName": "ci"}, "responseElements": {"user": {"userName": "ci", "userId": "AIDAVICTIM"}}});
    let bucket = |name: &str| json!({"requestParameters": {"bucketName": name}});
    let (old, new) = ("AKIAFORMER0000000001", "AKIANEXT000000000001");
    let mut records = vec![
        by(600, "f1", old, ("ci", "AIDAFORMER"), ("s3", "CreateBucket"), bucket("before")),
        by(601, "f2", OTHER, ("kim", "AIDAKIM"), ("iam", "UpdateUser"), rename("ci", "alice")),
        by(602, "f3", OTHER, ("kim", "AIDAKIM"), ("iam", "CreateUser"), create),
        by(603, "f4", old, ("alice", "AIDAFORMER"), ("s3", "CreateBucket"), bucket("honest")),
        by(604, "f5", new, ("ci", "AIDAVICTIM"), ("s3", "CreateBucket"), bucket("loot")),
    ];
    let named = format!("arn:aws:iam::{ACCOUNT}:user/ci");
    let asked = |id: Option<&str>| Question {
        principals: vec![named.parse::<Named>().unwrap().with_unique_id(id.map(str::to_owned))],
        since: "2026-01-31T09:00:00Z".parse().ok(),
        ..Question::default()
    };
    let whose = |id: Option<&str>, records: &[Value]| {
        let analysis = analyze_files(&asked(id), &[records.to_vec()]);
        (listed(&analysis), principal(&analysis, &named))
    };
    let victim = Some("AIDAVICTIM");
    assert_eq!(whose(victim, &records), (vec!["f5".to_owned()], arn("ci")));
    records.reverse();
    assert_eq!(whose(victim, &records), (vec!["f5".to_owned()], arn("ci")));
    assert_eq!(whose(None, &records).1, arn("ci"), "somebody bears it, and nothing says it is not them");
    // Of the former one it says the same.
    assert_eq!(whose(Some("AIDAFORMER"), &records), (vec!["f1".to_owned(), "f4".to_owned()], arn("alice")));
    records.reverse();
    assert_eq!(whose(None, &records[..2]).1, arn("alice"), "nobody else can be meant");
}
