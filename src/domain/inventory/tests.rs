use serde_json::json;

use super::*;
use crate::domain::hunt::pivot::Pivot;
use crate::domain::trail::deed::Deed;

mod undated;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(365) + TimeDelta::minutes(minutes)
}

fn trace(resource_type: &str, id: &str, region: &str, made_by_attacker: bool) -> Trace {
    Trace {
        resource_type: resource_type.into(),
        id: id.into(),
        account: None,
        region: region.into(),
        state: if made_by_attacker { State::Present } else { State::Modified },
        made_by_attacker,
        evidence: vec!["e-1".into()],
        deeds: Vec::new(),
        made: None,
        newest: None,
        deleted_by_attacker: false,
        in_doubt: None,
    }
}

fn user(name: &str, minutes: i64) -> Thing {
    Thing::of_iam("AWS::IAM::User", name, Some(at(minutes)))
}

fn stock(things: Vec<Thing>) -> Stock {
    let mut stock = Stock::default();
    for thing in things {
        stock.add(thing, at(0));
    }
    stock
}

fn inventory(things: Vec<Thing>, footprint: &[Trace], events: &[(&Thing, Result<Evidence, String>)]) -> Inventory {
    let events = events.iter().map(|(thing, event)| (thing.key(), event.clone())).collect();
    Inventory::of(stock(things), (at(0), at(100)), footprint, &events)
}

fn record(call: &str, request: &serde_json::Value, response: &serde_json::Value) -> String {
    json!({
        "eventID": format!("event of {call}"), "eventTime": "2026-01-01T00:00:00Z", "eventName": call,
        "eventSource": "iam.amazonaws.com", "requestParameters": request, "responseElements": response,
        "userIdentity": {"type": "AssumedRole", "accessKeyId": "ASIAPIPELINE", "principalId": "AROA1:ci",
            "arn": "arn:aws:sts::111122223333:assumed-role/pipeline/ci"},
    })
    .to_string()
}

fn evidence() -> Evidence {
    let (event_id, call, by) = ("e-9".into(), "CreateUser".into(), "pipeline".into());
    Evidence { event_id, call, by, attackers: false, at: None }
}

#[test]
fn what_was_made_since_is_theirs_or_somebodys_or_state_only() {
    let things = [user("old", -1), user("theirs", 5), user("pipelines", 6), user("nobodys", 7), user("newborn", 90)];
    let [_, _, pipelines, nobodys, _] = &things;
    let footprint = [trace("AWS::IAM::User", "theirs", "us-east-1", true)];
    let found = inventory(things.to_vec(), &footprint, &[(pipelines, Ok(evidence()))]);
    assert_eq!(found.counts["AWS::IAM::User"], 5);
    assert_eq!((found.theirs, found.young), (1, 1), "the trail may not show the newborn yet");
    assert_eq!(found.unexplained, std::slice::from_ref(nobodys));
    assert_eq!(found.explained.iter().map(|one| &one.thing).collect::<Vec<_>>(), [pipelines]);
}

#[test]
fn the_same_name_elsewhere_or_made_anew_is_another_thing() {
    let pair = |region: &str| Thing::regional("AWS::EC2::KeyPair", "k", region, Some(at(5)));
    let footprint = [trace("AWS::EC2::KeyPair", "k", "us-west-2", true)];
    assert!(pair("us-west-2").is_in(&footprint));
    assert!(!pair("eu-west-1").is_in(&footprint));
    let deleted = Trace { state: State::Deleted, ..trace("AWS::IAM::User", "svc", "us-east-1", true) };
    assert!(!user("svc", 5).is_in(&[deleted]), "it is there again, and no event says by whom");
    let anew = Trace { state: State::Present, ..trace("AWS::IAM::User", "svc", "us-east-1", false) };
    assert!(!user("svc", 5).is_in(&[anew]), "somebody else has made it again");
    assert_ne!(user("svc", 5).key(), user("svc", 6).key());
}

#[test]
fn what_hangs_on_something_of_theirs_is_theirs_and_a_part_only_if_they_added_it() {
    let key = Thing::of_iam("AWS::IAM::AccessKey", "AKIAX", Some(at(5))).owned_by("AWS::IAM::User", "svc");
    assert!(key.is_in(&[trace("AWS::IAM::User", "svc", "us-east-1", true)]));
    assert!(!key.is_in(&[trace("AWS::IAM::User", "svc", "us-east-1", false)]), "they only changed the user");

    let arn = "arn:aws:iam::111122223333:policy/deploy";
    let version = Thing::of_iam("AWS::IAM::ManagedPolicy", arn, Some(at(5))).part("v3");
    let deed = |what: &str| Deed {
        operation: "CreatePolicyVersion".into(),
        what: what.into(),
        event_id: "e-2".into(),
        by_attacker: true,
        made_default: false,
    };
    let changed =
        |what: &str| Trace { deeds: vec![deed(what)], ..trace("AWS::IAM::ManagedPolicy", arn, "us-east-1", false) };
    assert!(version.is_in(&[changed("v3")]));
    assert!(!version.is_in(&[changed("v2")]));
}

#[test]
fn a_key_or_certificate_of_a_user_who_was_there_before_is_theirs_where_they_have_uploaded_it() {
    for (kind, call, id) in
        [("SSHPublicKey", "UploadSSHPublicKey", "APKA1"), ("SigningCertificate", "UploadSigningCertificate", "ASCA1")]
    {
        let thing = |id: &str, user: &str| {
            Thing::of_iam(&format!("AWS::IAM::{kind}"), id, Some(at(5))).owned_by("AWS::IAM::User", user)
        };
        let footprint = |by_attacker: bool| {
            let (operation, what, event_id) = (call.to_owned(), id.to_owned(), "e-2".to_owned());
            let deed = Deed { operation, what, event_id, by_attacker, made_default: false };
            [Trace { deeds: vec![deed], ..trace("AWS::IAM::User", "ci", "us-east-1", false) }]
        };
        assert!(thing(id, "ci").is_in(&footprint(true)), "{kind}");
        assert!(!thing("other", "ci").is_in(&footprint(true)) && !thing(id, "ana").is_in(&footprint(true)), "{kind}");
        assert!(!thing(id, "ci").is_in(&footprint(false)), "{kind}: somebody else has");
        let made = record(call, &json!({"userName": "ci"}), &json!({"made": {"theId": id}}));
        assert!(evidence::explaining(&thing(id, "ci"), std::slice::from_ref(&made), &BTreeSet::new()).is_some());
        assert!(evidence::explaining(&thing("other", "ci"), &[made], &BTreeSet::new()).is_none());
    }
}

#[test]
fn an_event_explains_what_it_names_if_it_worked_and_makes_such_a_thing() {
    let held: BTreeSet<&str> = ["ASIASTOLEN"].into();
    let made = record("CreateUser", &json!({"userName": "svc"}), &json!({"user": {"userName": "svc"}}));
    let found = evidence::explaining(&user("svc", 5), std::slice::from_ref(&made), &held).unwrap();
    assert_eq!((found.event_id.as_str(), found.attackers), ("event of CreateUser", false));
    assert_eq!(found.by, "arn:aws:sts::111122223333:assumed-role/pipeline/ci");
    let theirs = made.replace("ASIAPIPELINE", "ASIASTOLEN");
    assert!(evidence::explaining(&user("svc", 5), &[theirs], &held).unwrap().attackers);

    let none = |thing: &Thing, text: String| assert_eq!(evidence::explaining(thing, &[text], &held), None);
    none(&user("other", 5), made.clone());
    none(&user("svc", 5), made.replace("\"eventID\"", "\"errorCode\":\"AccessDenied\",\"eventID\""));
    none(&user("svc", 5), made.replace("CreateUser", "GetUser"));
    none(&user("svc", 5).part(evidence::PASSWORD), made);
    none(&user("svc", 5), "{".into());
    none(&user("svc", 5), "[]".into());

    let arn = "arn:aws:iam::111122223333:policy/deploy";
    let version = |id: &str| Thing::of_iam("AWS::IAM::ManagedPolicy", arn, Some(at(5))).part(id);
    let text = record(
        "CreatePolicyVersion",
        &json!({"policyArn": arn}),
        &json!({"policyVersion": {"versionId": "v3", "isDefaultVersion": true}}),
    );
    assert!(evidence::explaining(&version("v3"), std::slice::from_ref(&text), &held).is_some());
    none(&version("v4"), text);
}

#[test]
fn a_templates_version_is_explained_by_its_number_and_by_no_other_number() {
    let version = |part: &str| Thing::regional("AWS::EC2::LaunchTemplate", "lt-1", "us-west-2", Some(at(5))).part(part);
    let added = record(
        "CreateLaunchTemplateVersion",
        &json!({"CreateLaunchTemplateVersionRequest": {"LaunchTemplateId": "lt-1", "SourceVersion": 7}}),
        &json!({"CreateLaunchTemplateVersionResponse": {"launchTemplateVersion": {"versionNumber": 2}}}),
    );
    let explained = |part: &str| evidence::explaining(&version(part), std::slice::from_ref(&added), &BTreeSet::new());
    assert!(explained("2").is_some() && explained("7").is_none());
    let deed = Deed {
        operation: "CreateLaunchTemplateVersion".into(),
        what: "2".into(),
        event_id: "e-2".into(),
        by_attacker: true,
        made_default: false,
    };
    let changed = Trace { deeds: vec![deed], ..trace("AWS::EC2::LaunchTemplate", "lt-1", "us-west-2", false) };
    assert!(version("2").is_in(std::slice::from_ref(&changed)) && !version("3").is_in(&[changed]));
    let started = Thing::regional("AWS::EC2::Instance", "i-1", "us-west-2", Some(at(5)));
    let fleet = trace("AWS::EC2::EC2Fleet", "fleet-1", "us-west-2", true);
    assert!(started.owned_by("AWS::EC2::EC2Fleet", "fleet-1").is_in(&[fleet]), "what theirs has started is theirs");
}

#[test]
fn an_address_of_an_alias_is_explained_by_the_call_that_made_it() {
    let url = Thing::regional("AWS::Lambda::Url", "sync:live", "us-east-1", Some(at(5)));
    let made = record(
        "CreateFunctionUrlConfig20211031",
        &json!({"functionName": "sync", "qualifier": "live"}),
        &json!({"functionArn": "arn:aws:lambda:us-east-1:111122223333:function:sync:live"}),
    );
    assert!(evidence::explaining(&url, &[made], &BTreeSet::new()).is_some());
    let trace = trace("AWS::Lambda::Url", "sync:live", "us-east-1", true);
    assert!(url.is_in(&[trace]));
    assert!(!url.is_in(&[self::trace("AWS::Lambda::Url", "sync", "us-east-1", true)]), "the function has its own");
}

#[test]
fn the_trail_is_asked_by_every_name_in_the_minutes_of_its_making() {
    let key = Thing::of_iam("AWS::IAM::AccessKey", "AKIAX", Some(at(5))).owned_by("AWS::IAM::User", "svc");
    let names = |names: &[&str]| names.iter().map(|name| Pivot::Resource((*name).to_owned())).collect::<Vec<_>>();
    assert_eq!(evidence::pivots(&key), names(&["AKIAX", "svc"]));
    let arn = "arn:aws:iam::111122223333:policy/deploy";
    assert_eq!(evidence::pivots(&Thing::of_iam("AWS::IAM::ManagedPolicy", arn, None)), names(&["deploy", arn]));
    // Of these the history knows no names.
    let fleet = Thing::regional("AWS::EC2::EC2Fleet", "fleet-1", "us-west-2", Some(at(5)));
    assert_eq!(evidence::pivots(&fleet), [Pivot::Call("CreateFleet".into())]);
    assert_eq!(evidence::window(&key, at(0), at(100)), (at(3), at(7)));
    assert_eq!(evidence::window(&key, at(0), at(6)), (at(3), at(6)));
    assert_eq!(evidence::window(&Thing { created_at: None, ..key }, at(0), at(100)), (at(0), at(100)));
}

#[test]
fn other_undated_kinds_are_counted_and_only_where_the_attacker_was() {
    let pair = |n: i64| Thing::regional("AWS::EC2::KeyPair", &format!("k{n}"), "us-east-1", None);
    let pairs: Vec<Thing> = (0..200).map(pair).collect();
    let quiet = inventory(pairs.clone(), &[], &[]);
    assert!(quiet.unexplained.is_empty() && quiet.undated.is_empty(), "nobody is shown 200 innocent key pairs");
    let touched = inventory(pairs, &[trace("AWS::EC2::KeyPair", "k7", "us-east-1", true)], &[]);
    assert!(touched.unexplained.is_empty() && touched.dateless.is_empty());
    assert_eq!(touched.undated["AWS::EC2::KeyPair"], 199, "theirs is in the footprint");
}

#[test]
fn nothing_has_gone_because_nobody_looked() {
    let pair = |region: &str| Thing::regional("AWS::EC2::KeyPair", "k", region, Some(at(5)));
    let before = inventory(vec![pair("eu-west-1"), pair("eu-west-2")], &[], &[]);
    let mut stock = Stock::default();
    stock.gap("eu-west-1", &["AWS::EC2::KeyPair"], "ec2:DescribeKeyPairs: UnauthorizedOperation".into());
    let after = |stock: Stock, regions: &[&str]| {
        let found = Inventory::of(stock, (at(0), at(101)), &[], &BTreeMap::new());
        let regions = regions.iter().map(ToString::to_string).collect();
        Inventory { regions, ..found }.over(Some(&before), |_| false).unexplained
    };
    let both = ["eu-west-1", "eu-west-2"];
    assert_eq!(after(stock, &both), [pair("eu-west-1")], "that of the Region that was read is gone");
    let mut other = Stock::default();
    other.gap("eu-west-1", &["AWS::Lambda::Function"], "no".into());
    assert!(after(other, &both).is_empty());
    assert_eq!(after(Stock::default(), &["us-east-1", "eu-west-1"]), [pair("eu-west-2")], "there nobody looked");
    assert_eq!(after(Stock::default(), &[]).len(), 2);
    let mut again = Stock::default();
    again.add(pair("eu-west-1").fact("now with a fact"), at(0));
    assert_eq!(after(again, &["eu-west-2"]).len(), 1, "the same thing is listed once");
}

#[test]
fn one_gap_stands_for_all_of_its_kind_in_a_region() {
    let mut stock = Stock::default();
    for n in 0..500 {
        let mut one = Stock::default();
        one.gap(
            if n % 2 == 0 { "eu-west-1" } else { "eu-west-2" },
            &["AWS::Lambda::Url"],
            format!("function f{n}: no"),
        );
        one.gap("eu-west-1", &["AWS::Lambda::Permission"], format!("function f{n}: no"));
        stock.take(one);
    }
    assert_eq!(stock.gaps.len(), 3, "{:?}", stock.gaps);
}

#[test]
fn more_than_is_kept_is_a_gap_and_no_remark() {
    let key = |n: usize| Thing::regional("AWS::EC2::KeyPair", &format!("k{n}"), "eu-west-1", Some(at(5)));
    let (mut stock, mut other) = (Stock::default(), Stock::default());
    (0..THINGS_MAX).for_each(|n| stock.add(key(n), at(0)));
    assert!(stock.gaps.is_empty());
    let full = stock.clone();
    stock.add(key(THINGS_MAX), at(0));
    other.add(key(THINGS_MAX), at(0));
    let mut both = full;
    both.take(other);
    let undated = |n: usize| Thing { created_at: None, ..key(n) };
    let (mut one, mut another) = (Stock::default(), Stock::default());
    (0..THINGS_MAX).for_each(|n| one.add(undated(n), at(0)));
    another.add(undated(THINGS_MAX), at(0));
    assert!(one.limits.is_empty());
    one.take(another);
    assert_eq!((one.undated.len(), one.limits.len()), (THINGS_MAX, 1), "what is cut is said");
    for stock in [stock, both] {
        assert_eq!((stock.things.len(), stock.gaps.len()), (THINGS_MAX, 1));
        assert!(stock.gaps[0].hides(&key(THINGS_MAX)), "{:?}", stock.gaps);
    }
}

#[test]
fn a_trail_that_cannot_be_asked_explains_nothing() {
    let thing = user("svc", 90);
    let found = inventory(vec![thing.clone()], &[], &[(&thing, Err("the trail could not be asked".into()))]);
    assert_eq!(found.unexplained, [thing]);
    assert!(found.limits.contains("the trail could not be asked"));
}

#[test]
fn counts_are_no_news_and_lists_are_bounded() {
    let one = inventory(vec![user("a", 5)], &[], &[]);
    let more = Inventory { counts: [("AWS::IAM::User".to_owned(), 9)].into(), young: 3, theirs: 2, ..one.clone() };
    assert!(one.says_the_same(&more));
    let later = Inventory { left: 1, ..one.clone() };
    assert!(!one.says_the_same(&later) && later.says_the_same(&Inventory { left: 2, ..later.clone() }));
    assert!(one.is_whole() && !later.is_whole());
    assert!(!one.says_the_same(&inventory(vec![user("b", 5)], &[], &[])));
    let many = inventory((0..300).map(|n| user(&format!("u{n:03}"), 5)).collect(), &[], &[]);
    assert_eq!(many.unexplained.len(), 300);
    let many = many.over(None, |thing| thing.id.as_str() < "u200");
    assert_eq!((many.unexplained.len(), many.unexplained[0].id.as_str()), (200, "u200"), "what nobody has looked at");
    assert!(many.limits.iter().any(|limit| limit.contains("300 things")), "{:?}", many.limits);
}

#[test]
fn of_too_many_that_events_explain_the_attackers_that_nobody_has_looked_at_stay() {
    let one = |n: u32| Explained {
        thing: user(&format!("u{n:03}"), 5),
        evidence: Evidence { attackers: n >= 298, ..evidence() },
    };
    let many = Inventory { explained: (0..300).map(one).collect(), ..Inventory::default() };
    let many = many.over(None, |thing| thing.id == "u299");
    assert_eq!((many.explained.len(), &*many.explained[0].thing.id), (200, "u298"));
    assert!(!many.explained.iter().any(|one| one.thing.id == "u299"));
}

#[test]
fn an_inventory_of_an_older_version_is_read() {
    let text = serde_json::to_string(&inventory(vec![user("a", 5)], &[], &[])).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), inventory(vec![user("a", 5)], &[], &[]));
    let bare = r#"{"resource_type":"AWS::IAM::User","id":"a","region":"us-east-1"}"#;
    assert_eq!(serde_json::from_str::<Thing>(bare).unwrap(), Thing::of_iam("AWS::IAM::User", "a", None));
}
