//! What is put into a permission set, and what is left of it.

use super::*;

const THEIRS: &str =
    r#"{ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Action": "s3:*", "Resource": "*" } }"#;

fn deny(incident: u32, user_name: &str) -> Action {
    Action::DenyInPermissionSet(DenyInPermissionSet {
        incident: IncidentId::new(incident),
        region: "eu-west-1".into(),
        account: "111122223333".parse().unwrap(),
        permission_set: "Admin".into(),
        user_name: user_name.into(),
    })
}

fn seen(document: Option<&str>, in_account: InAccount) -> Observation {
    Observation::PermissionSet(PermissionSet {
        arn: "arn:aws:sso:::permissionSet/ssoins-1/ps-1".into(),
        instance_arn: "arn:aws:sso:::instance/ssoins-1".into(),
        account_arn: "arn:aws:sso:::account/111122223333".into(),
        in_account,
        user_id: Some("906-1".into()),
        document: document.map(str::to_owned),
    })
}

fn put(calls: &[ApiCall]) -> Value {
    serde_json::from_str(calls.iter().find_map(ApiCall::document).unwrap()).unwrap()
}

fn operations(calls: &[ApiCall]) -> Vec<&'static str> {
    calls.iter().map(ApiCall::operation).collect()
}

#[test]
fn a_statement_comes_to_what_is_there_and_only_it_is_taken_out_again() {
    let action = deny(7, "sam.lee");
    let before = seen(Some(THEIRS), InAccount::Latest);
    let work = action.work_out(&before).unwrap();
    assert_eq!(operations(&work.calls), ["PutInlinePolicyToPermissionSet", "ProvisionPermissionSet"]);
    let theirs: Value = serde_json::from_str(THEIRS).unwrap();
    let ours = json!({"Sid": "IrpINC7samZ2eZlee", "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"identitystore:UserId": "906-1"}}});
    assert_eq!(put(&work.calls)["Statement"], json!([theirs["Statement"], ours]));
    let after = seen(work.calls[0].document(), InAccount::Latest);
    assert!(action.holds(&before, &work.calls, &after));
    let undo = action.undo(&before, &work.calls, "INC-7.1".parse().unwrap()).unwrap();
    assert_eq!((undo.class(), undo.powers()), (ActionClass::Loosen, Powers::ContainFromOrganization));
    assert_eq!(undo.work_out(&after).unwrap().calls[0].document(), Some(THEIRS), "as it was written");

    // Somebody has added to it meanwhile: that stays.
    let mut more = put(&work.calls);
    more["Statement"].as_array_mut().unwrap().push(json!({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}));
    let more = seen(Some(&more.to_string()), InAccount::Latest);
    let left = put(&undo.work_out(&more).unwrap().calls);
    assert_eq!(left["Statement"].as_array().unwrap().len(), 2);
    assert!(!left.to_string().contains("Irp"), "{left}");
    assert!(undo.holds(&more, &[], &seen(Some(&left.to_string()), InAccount::Latest)));
    assert!(undo.work_out(&before).unwrap_err().contains("nothing is left"));
}

#[test]
fn where_there_was_no_policy_none_is_left() {
    let action = deny(1, "ana");
    let before = seen(None, InAccount::Latest);
    let work = action.work_out(&before).unwrap();
    let after = seen(work.calls[0].document(), InAccount::Latest);
    let undo = action.undo(&before, &work.calls, "INC-1.1".parse().unwrap()).unwrap();
    let back = undo.work_out(&after).unwrap().calls;
    assert_eq!(operations(&back), ["DeleteInlinePolicyFromPermissionSet", "ProvisionPermissionSet"]);
    let Inverse::Calls(inverse) = work.inverse else { panic!("no inverse") };
    assert_eq!(inverse, back);
    let on: Vec<usize> = back.iter().map(|call| call.resources_in(&before.arns()).len()).collect();
    assert_eq!(on, [2, 3], "the set's own policy is changed in no account");
}

#[test]
fn two_incidents_and_two_users_do_not_get_in_each_others_way() {
    let first = deny(1, "ana").work_out(&seen(None, InAccount::Latest)).unwrap();
    let both = deny(2, "ana").work_out(&seen(first.calls[0].document(), InAccount::Latest)).unwrap();
    assert_eq!(put(&both.calls)["Statement"].as_array().unwrap().len(), 2);
    let sid = |name: &str| {
        let work = deny(1, name).work_out(&seen(None, InAccount::Latest)).unwrap();
        put(&work.calls)["Statement"][0]["Sid"].clone()
    };
    assert_ne!(sid("a.b"), sid("ab"));
    assert_ne!(sid("a.b"), sid("aZ2eZb"));
}

#[test]
fn a_role_that_has_not_got_it_yet_does_not_hold() {
    let action = deny(1, "ana");
    let before = seen(None, InAccount::Latest);
    let work = action.work_out(&before).unwrap();
    let document = work.calls[0].document();
    let older = seen(document, InAccount::Older);
    assert!(!action.holds(&before, &work.calls, &older));
    assert_eq!(action.left(&before, &older), ["the policy in the role of account 111122223333"]);
    // Only that is left to do.
    assert_eq!(operations(&action.work_out(&older).unwrap().calls), ["ProvisionPermissionSet"]);
    // The role that has had it keeps it, whatever else of the set waits to be provisioned.
    assert_eq!(action.still_holds(&before, &work.calls, &older), Ok(()));
    // Where nobody is assigned the set there is no role, and no session.
    let absent = action.work_out(&seen(None, InAccount::Absent)).unwrap();
    assert_eq!(operations(&absent.calls), ["PutInlinePolicyToPermissionSet"]);
    assert!(action.holds(&seen(None, InAccount::Absent), &absent.calls, &seen(document, InAccount::Absent)));
}

#[test]
fn what_cannot_be_put_is_said() {
    let action = deny(1, "ana");
    let long = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{}"}}]}}"#, "a".repeat(POLICY_CHARS_MAX));
    let refused = |document: &str| action.work_out(&seen(Some(document), InAccount::Latest)).unwrap_err();
    assert!(refused(&long).contains("takes 32768: make it shorter"), "{}", refused(&long));
    assert!(refused("{").contains("no list of statements"));
    assert!(refused(r#"{"Statement":"x"}"#).contains("no list of statements"));
    let Observation::PermissionSet(set) = seen(None, InAccount::Latest) else { panic!("not a set") };
    let gone = Observation::PermissionSet(PermissionSet { user_id: None, ..set });
    assert!(action.work_out(&gone).unwrap_err().contains("no user ana any more"));
    let put = action.work_out(&seen(None, InAccount::Latest)).unwrap();
    assert!(refused(put.calls[0].document().unwrap()).contains("already"));
}

#[test]
fn what_has_changed_is_stale_and_what_is_there_is_done() {
    let action = deny(1, "ana");
    let before = seen(Some(THEIRS), InAccount::Latest);
    let put = action.work_out(&before).unwrap().calls[0].document().map(str::to_owned);
    let fresh = |document: Option<&str>, in_account| action.freshness(&before, &seen(document, in_account));
    assert_eq!(fresh(Some(&THEIRS.replace(' ', "")), InAccount::Older), Freshness::AsApproved);
    assert_eq!(fresh(put.as_deref(), InAccount::Latest), Freshness::AlreadyDone);
    assert!(matches!(fresh(None, InAccount::Latest), Freshness::Changed(_)));
    assert!(matches!(fresh(Some(THEIRS), InAccount::Absent), Freshness::Changed(_)));
}

#[test]
fn a_statement_that_is_gone_or_weakened_is_heard_of() {
    let action = deny(1, "ana");
    let before = seen(None, InAccount::Latest);
    let work = action.work_out(&before).unwrap();
    let holds = |document: Option<&str>| action.still_holds(&before, &work.calls, &seen(document, InAccount::Latest));
    assert_eq!(holds(work.calls[0].document()), Ok(()));
    assert!(holds(None).unwrap_err().contains("no longer denies user ana"));
    assert!(holds(Some(THEIRS)).is_err());
    let other = work.calls[0].document().unwrap().replace("906-1", "906-2");
    assert!(holds(Some(&other)).unwrap_err().contains("was changed"));
    // It is put right by asking again.
    let again = action.work_out(&seen(Some(&other), InAccount::Latest)).unwrap();
    assert_eq!(put(&again.calls)["Statement"].as_array().unwrap().len(), 1);
}
