use super::super::{Action, document::difference};
use super::*;
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::observation::Identity;

const VENDOR: &str = "999988887777";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/token.example.com/ci";
const JOB: &str = "repo:shop/app:ref:refs/heads/main";

fn vendor() -> DenyOutsider {
    DenyOutsider { role_name: "app".into(), outsider: Outsider::Account { account: VENDOR.parse().unwrap() } }
}

fn job(subject: Option<&str>) -> DenyOutsider {
    let outsider = Outsider::WebIdentity { provider: PROVIDER.into(), subject: subject.map(str::to_owned) };
    DenyOutsider { outsider, ..vendor() }
}

/// What lets the vendor in, and the account's own.
fn trusting() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Own", "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": format!("arn:aws:iam::{VENDOR}:role/scanner")},
            "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}]})
}

fn seen_in(partition: &str, document: &str) -> Observation {
    Observation::Trust(Trust {
        identity: Identity {
            id: "AROA1".into(),
            arn: format!("arn:{partition}:iam::111122223333:role/app"),
            path: "/".into(),
        },
        document: document.into(),
        put: None,
        previous: None,
    })
}

fn seen(document: &str) -> Observation {
    seen_in("aws", document)
}

fn put(deny: &DenyOutsider, before: &Observation) -> Value {
    serde_json::from_str(deny.work_out(before).unwrap().calls[0].document().unwrap()).unwrap()
}

#[test]
fn one_statement_comes_to_the_policy_and_the_others_stay_as_they_are() {
    let before = seen(&trusting().to_string());
    let mut wanted = trusting();
    wanted["Statement"].as_array_mut().unwrap().push(json!({"Sid": "IrpDeny999988887777", "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "sts:AssumeRole"}));
    assert_eq!(put(&vendor(), &before), wanted);
    let shown = difference(&trusting().to_string(), &wanted.to_string()).unwrap();
    assert!(!shown.lines().any(|line| line.starts_with('-') && line.contains("Sid")), "{shown}");
    assert!(shown.contains(r#"+       "Effect": "Deny""#), "{shown}");
    let china = put(&vendor(), &seen_in("aws-cn", &trusting().to_string()));
    assert_eq!(china["Statement"][2]["Principal"]["AWS"], "arn:aws-cn:iam::999988887777:root");
    // A list of one can stand there as the one.
    let mut single = trusting();
    single["Statement"] = trusting()["Statement"][1].clone();
    assert_eq!(put(&vendor(), &seen(&single.to_string()))["Statement"].as_array().unwrap().len(), 2);
    assert_eq!(vendor().class(), ActionClass::Contain);
}

#[test]
fn whoever_a_provider_vouches_for_is_denied_alone_where_the_record_says_who_it_is() {
    let before = seen(&trusting().to_string());
    let own = |deny: &DenyOutsider| put(deny, &before)["Statement"][2].clone();
    let one = own(&job(Some(JOB)));
    assert_eq!(one["Principal"], json!({ "Federated": PROVIDER }));
    assert_eq!(one["Action"], "sts:AssumeRoleWithWebIdentity");
    assert_eq!(one["Condition"], json!({"StringEquals": {"token.example.com/ci:sub": JOB}}));
    let sid = one["Sid"].as_str().unwrap();
    assert!(sid.len() == 19 && sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{sid}");
    let all = own(&job(None));
    assert!(all["Condition"].is_null() && all["Sid"] != one["Sid"]);
    assert!(job(Some(JOB)).effect().contains("Others for whom that provider vouches still can"));
    assert!(job(None).effect().contains("nobody can take this role by it"));
    let saml =
        Outsider::Saml { provider: "arn:aws:iam::111122223333:saml-provider/okta".into(), subject: Some("kim".into()) };
    let saml = own(&DenyOutsider { outsider: saml, ..vendor() });
    assert_eq!(saml["Action"], "sts:AssumeRoleWithSAML");
    assert_eq!(saml["Condition"], json!({"StringEquals": {"saml:sub": "kim"}}));
}

#[test]
fn what_cannot_be_added_to_or_is_denied_already_is_said_with_what_to_do() {
    let no = |deny: &DenyOutsider, document: &str| deny.work_out(&seen(document)).unwrap_err();
    let mut denied = put(&vendor(), &seen(&trusting().to_string()));
    assert!(no(&vendor(), &denied.to_string()).contains("denies account 999988887777 already"));
    denied["Statement"][2]["Sid"] = json!("ByHand");
    assert!(no(&vendor(), &denied.to_string()).contains("already"), "whoever has put it there");
    let mut long = trusting();
    long["Statement"][0]["Condition"] = json!({"StringEquals": {"aws:PrincipalTag/t": "x".repeat(1_700)}});
    let mut orphaned = trusting();
    orphaned["Statement"][0]["Principal"]["AWS"] = json!("AROAGONEGONEGONEGONE");
    for (document, why) in [
        ("{".to_owned(), "no JSON"),
        (r#"{"Version":"2012-10-17"}"#.to_owned(), "no list of statements"),
        (r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}"#.to_owned(), "no list of statements"),
        (long.to_string(), "IAM takes 2048"),
        (orphaned.to_string(), "AROAGONEGONEGONEGONE"),
    ] {
        let no = no(&vendor(), &document);
        assert!(no.contains(why) && no.contains("aws iam update-assume-role-policy --role-name app"), "{no}");
    }
}

#[test]
fn the_undo_puts_the_former_document_and_only_where_nobody_has_changed_it_since() {
    let before = seen(&trusting().to_string());
    let action = Action::DenyOutsider(vendor());
    let sent = action.work_out(&before).unwrap().calls;
    let now = seen(sent[0].document().unwrap());
    assert!(action.holds(&before, &sent, &now) && !action.holds(&before, &sent, &before));
    assert_eq!(action.freshness(&before, &before), Freshness::AsApproved);
    assert_eq!(action.freshness(&before, &now), Freshness::AlreadyDone);
    assert!(matches!(action.freshness(&before, &seen(r#"{"Statement":[]}"#)), Freshness::Changed(_)));
    let Observation::Trust(mut anew) = before.clone() else { panic!() };
    anew.identity.id = "AROA2".into();
    assert!(
        matches!(action.freshness(&before, &Observation::Trust(anew)), Freshness::Changed(why) if why.contains("unique id"))
    );

    let undo = action.undo(&before, &sent, RequestId::new(IncidentId::new(1), 1)).unwrap();
    assert_eq!(undo.class(), ActionClass::Loosen);
    let back = undo.work_out(&now).unwrap().calls;
    assert!(say_the_same(back[0].document().unwrap(), &trusting().to_string()));
    let mut since: Value = serde_json::from_str(sent[0].document().unwrap()).unwrap();
    since["Statement"][0]["Principal"]["AWS"] = json!("arn:aws:iam::111122223333:role/ci");
    assert!(undo.work_out(&seen(&since.to_string())).unwrap_err().contains("somebody has changed it since"));
    assert!(undo.work_out(&before).unwrap_err().contains("nothing is left to undo"));
    assert!(undo.holds(&now, &back, &before));
}

#[test]
fn a_statement_that_is_taken_out_or_changed_is_noticed_and_one_beside_it_is_nothing() {
    let before = seen(&trusting().to_string());
    let sent = vendor().work_out(&before).unwrap().calls;
    let now: Value = serde_json::from_str(sent[0].document().unwrap()).unwrap();
    let still = |document: &Value| vendor().still_holds(&sent, &seen(&document.to_string()));
    assert_eq!(still(&now), Ok(()));
    assert!(still(&trusting()).unwrap_err().contains("no longer denies account 999988887777"));
    let mut changed = now.clone();
    changed["Statement"][2]["Principal"]["AWS"] = json!("arn:aws:iam::444455556666:root");
    assert!(still(&changed).unwrap_err().contains("was changed"));
    let mut beside = now;
    beside["Statement"][0]["Sid"] = json!("Another");
    assert_eq!(still(&beside), Ok(()));
}

#[test]
fn all_of_the_account_lose_access_and_whoever_of_it_is_named() {
    let before = seen(&trusting().to_string());
    assert_eq!(
        vendor().takes_access_from(&before),
        ["arn:aws:iam::999988887777:root", "arn:aws:iam::999988887777:role/scanner"]
    );
    assert_eq!(job(Some(JOB)).takes_access_from(&before), [PROVIDER]);
}

#[test]
fn it_is_stored_by_its_name_and_read_again() {
    for deny in [vendor(), job(None), job(Some(JOB))] {
        let action = Action::DenyOutsider(deny);
        let stored = serde_json::to_value(&action).unwrap();
        assert_eq!(stored["action"], "deny-outsider");
        assert_eq!(serde_json::from_value::<Action>(stored).unwrap(), action);
    }
}
