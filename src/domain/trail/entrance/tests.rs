use std::collections::BTreeMap;

use serde_json::json;

use super::super::attribution::Question;
use super::*;
use crate::domain::hunt::Hunted;
use crate::domain::hunt::findings::{analyse, hunted};
use crate::domain::trail::analysis::Analysis;

const ACCOUNT: &str = "111122223333";
const VENDOR: &str = "999988887777";
const STOLEN: &str = "ASIASTOLEN0000000001";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/token.example.com";
const SUBJECT: &str = "repo:shop/app:ref:refs/heads/main";

/// A call that hands out a session of the role `app`, at this minute.
fn mint(minute: u32, id: &str, call: &str, key: &str, who: &Value) -> Value {
    json!({
        "eventID": id, "eventTime": format!("2026-01-31T10:{minute:02}:00Z"), "eventSource": "sts.amazonaws.com",
        "eventName": call, "awsRegion": "eu-west-1", "recipientAccountId": ACCOUNT, "sourceIPAddress": "192.0.2.7",
        "userAgent": "x", "readOnly": true, "userIdentity": who,
        "requestParameters": {"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/team/app"), "roleSessionName": "scan"},
        "responseElements": {"credentials": {"accessKeyId": key}, "assumedRoleUser": {"assumedRoleId": "AROAAPP:scan",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/scan")}},
    })
}

fn vendor() -> Value {
    json!({"type": "AWSAccount", "accountId": VENDOR, "principalId": "AIDAVENDOR"})
}

fn by_vendor(minute: u32, id: &str, key: &str) -> Value {
    mint(minute, id, "AssumeRole", key, &vendor())
}

/// What a session of the role does.
fn acts(minute: u32, id: &str, key: &str, address: &str) -> Value {
    json!({
        "eventID": id, "eventTime": format!("2026-01-31T10:{minute:02}:00Z"), "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser", "awsRegion": "us-east-1", "recipientAccountId": ACCOUNT,
        "sourceIPAddress": address, "userAgent": "x", "readOnly": false,
        "requestParameters": {"userName": id},
        "userIdentity": {"type": "AssumedRole", "principalId": "AROAAPP:scan", "accessKeyId": key, "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/app/scan"),
            "sessionContext": {"attributes": {"creationDate": format!("2026-01-31T10:{:02}:00Z", minute - 1)}}},
    })
}

fn asked(records: &[Value], words: &[&str]) -> (Analysis, Hunted) {
    let words = words.iter().map(|word| word.parse().unwrap()).collect();
    let question = Question { credentials: vec![STOLEN.into()], words, ..Question::default() };
    let id = |record: &Value| record["eventID"].as_str().unwrap().to_owned();
    let records: BTreeMap<String, String> = records.iter().map(|record| (id(record), record.to_string())).collect();
    let analysis = analyse(&question, &records);
    let found = hunted(&analysis, &records).0;
    (analysis, found)
}

fn doors(records: &[Value]) -> Vec<(String, Outsider, String)> {
    let entrances = asked(records, &[]).1.entrances;
    entrances.into_iter().map(|way| (way.role_arn, way.outsider, way.event_id)).collect()
}

fn from(account: &str) -> Outsider {
    Outsider::Account { account: account.parse().unwrap() }
}

#[test]
fn whoever_has_taken_the_stolen_session_from_another_account_is_known_and_their_other_sessions_stay_theirs() {
    let records = [
        by_vendor(1, "a-other", "ASIAOTHER00000000001"),
        by_vendor(2, "b-mint", STOLEN),
        acts(3, "c-acts", STOLEN, "203.0.113.7"),
        acts(2, "d-other", "ASIAOTHER00000000001", "192.0.2.7"),
    ];
    let app = format!("arn:aws:iam::{ACCOUNT}:role/app");
    assert_eq!(doors(&records), [(app, from(VENDOR), "b-mint".to_owned())]);
    let (analysis, _) = asked(&records, &[]);
    let keys: Vec<&str> = analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref()).collect();
    assert_eq!(keys, [STOLEN]);
    assert!(analysis.actions.iter().all(|action| &*action.event_id == "c-acts"));
}

#[test]
fn a_reached_session_has_a_door_too_and_each_outsider_one_with_the_newest_event() {
    // The second session is the attacker's by where it calls from; its key is known only after the call that minted it.
    let second = "ASIASECOND0000000001";
    let records = [
        by_vendor(1, "a1", STOLEN),
        acts(2, "b1", STOLEN, "203.0.113.7"),
        by_vendor(5, "a2", second),
        acts(6, "b2", second, "203.0.113.7"),
    ];
    let found = doors(&records);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].2, "a2");
}

#[test]
fn a_federated_identity_is_known_by_its_provider_and_whom_that_vouches_for() {
    let web = |who: Value, answer: Value| {
        let mut record = mint(1, "e1", "AssumeRoleWithWebIdentity", STOLEN, &who);
        record["responseElements"].as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        doors(&[record]).into_iter().next().map(|(_, outsider, _)| outsider)
    };
    let who = |id: &str, name: &str, provider: &str| json!({"type": "WebIdentityUser", "principalId": id, "userName": name, "identityProvider": provider});
    let outsider = |provider: &str, subject: Option<&str>| {
        Some(Outsider::WebIdentity { provider: provider.into(), subject: subject.map(str::to_owned) })
    };
    let id = format!("{PROVIDER}:sts.amazonaws.com:{SUBJECT}");
    assert_eq!(web(who(&id, SUBJECT, PROVIDER), json!({})), outsider(PROVIDER, Some(SUBJECT)));
    let said = json!({"subjectFromWebIdentityToken": SUBJECT});
    assert_eq!(web(who("p", "", PROVIDER), said.clone()), outsider(PROVIDER, Some(SUBJECT)));
    assert_eq!(web(who("p", SUBJECT, PROVIDER), json!({})), outsider(PROVIDER, None), "not certain");
    let (google, cognito) = ("accounts.google.com", "cognito-identity.amazonaws.com");
    assert_eq!(web(who("p", "", google), said.clone()), outsider(google, Some(SUBJECT)));
    assert_eq!(web(who("p", "", cognito), said.clone()), outsider(cognito, None), "a guest is another each time");
    let pattern = json!({"subjectFromWebIdentityToken": "${aws:username}"});
    assert_eq!(web(who("p", "", PROVIDER), pattern), outsider(PROVIDER, None), "a policy would take it for another");
    assert_eq!(
        web(who("p", "", "www.amazon.com"), said),
        outsider("www.amazon.com", None),
        "it has another name for it"
    );
    assert_eq!(web(who("p", "", ""), json!({})), None);

    let saml = |answer: Value| {
        let who = json!({"type": "SAMLUser", "principalId": "q=:kim", "userName": "kim", "identityProvider": "q="});
        let mut record = mint(1, "e1", "AssumeRoleWithSAML", STOLEN, &who);
        let arn = "arn:aws:iam::111122223333:saml-provider/okta";
        record["requestParameters"]["principalArn"] = json!(arn);
        record["responseElements"].as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        match doors(&[record]).into_iter().next() {
            Some((_, Outsider::Saml { provider, subject }, _)) if provider == arn => subject,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(saml(json!({"subject": "kim", "subjectType": "persistent"})), Some("kim".to_owned()));
    assert_eq!(saml(json!({"subject": "_7f", "subjectType": "transient"})), None);
    assert_eq!(saml(json!({})), None);
}

#[test]
fn whoever_is_of_the_account_itself_or_has_recorded_the_call_too_is_no_outsider() {
    let own = json!({"type": "AWSAccount", "accountId": ACCOUNT, "principalId": "AIDA1"});
    let user = json!({"type": "IAMUser", "accountId": ACCOUNT, "principalId": "AIDA1", "accessKeyId": "AKIA1",
        "arn": format!("arn:aws:iam::{ACCOUNT}:user/ana"), "userName": "ana"});
    let service = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
    let nobody = json!({"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL"});
    for who in [own, user, service, nobody] {
        assert_eq!(doors(&[mint(1, "e1", "AssumeRole", STOLEN, &who)]), [], "{who}");
    }
    let mut refused = by_vendor(1, "e1", STOLEN);
    refused["errorCode"] = json!("AccessDenied");
    assert_eq!(doors(&[refused]), []);

    let mut here = by_vendor(1, "e1", STOLEN);
    here["sharedEventID"] = json!("both");
    let mut there = here.clone();
    there["eventID"] = json!("e2");
    there["recipientAccountId"] = json!(VENDOR);
    there["userIdentity"] = json!({"type": "IAMUser", "accountId": VENDOR, "principalId": "AIDAVENDOR",
        "accessKeyId": "AKIAVENDOR0000000001", "arn": format!("arn:aws:iam::{VENDOR}:user/scan"), "userName": "scan"});
    assert_eq!(doors(&[here.clone()]).len(), 1);
    assert_eq!(doors(&[here.clone(), there.clone()]), []);
    there["sharedEventID"] = json!("another");
    assert_eq!(doors(&[here, there]).len(), 1, "of another call");
}

#[test]
fn a_responder_can_say_that_whoever_came_in_did_so_by_right() {
    let records = [by_vendor(1, "b-mint", STOLEN), acts(3, "c-acts", STOLEN, "203.0.113.7")];
    assert_eq!(asked(&records, &["b-mint=owner"]).1.entrances, []);
    assert_eq!(asked(&records, &["c-acts=owner"]).1.entrances.len(), 1, "that says nothing of the door");
}

#[test]
fn a_door_is_news_once_and_is_in_what_is_written_where_there_is_one() {
    let acting = acts(3, "c-acts", STOLEN, "203.0.113.7");
    let (analysis, found) = asked(&[by_vendor(1, "b-mint", STOLEN), acting.clone()], &[]);
    assert_eq!(serde_json::to_value(&analysis).unwrap()["entrances"][0]["event_id"], "b-mint");
    let without = asked(&[acting], &[]).1;
    assert!(found.shows_more_than(Some(&without)) && !found.shows_more_than(Some(&found)));
    let stored = serde_json::to_value(&found).unwrap();
    assert_eq!(serde_json::from_value::<Hunted>(stored).unwrap().entrances, found.entrances);
    assert!(serde_json::to_value(&without).unwrap().get("entrances").is_none(), "nothing new in what is stored");
}

#[test]
fn what_tells_outsiders_apart_is_short_and_one_of_a_kind() {
    let web = |subject: Option<&str>| Outsider::WebIdentity {
        provider: PROVIDER.into(),
        subject: subject.map(str::to_owned),
    };
    let saml = Outsider::Saml { provider: PROVIDER.into(), subject: None };
    assert_eq!(from(VENDOR).tag(), VENDOR);
    let tags = [web(None).tag(), web(Some(SUBJECT)).tag(), saml.tag()];
    assert!(tags.iter().all(|tag| tag.len() == 12 && tag.bytes().all(|b| b.is_ascii_hexdigit())), "{tags:?}");
    assert!(tags[0] != tags[1] && tags[0] != tags[2]);
}
