//! Ways from one credential to another that are easily missed: what was there before and is opened again, what services do
//! in a role's name, and the users of IAM Identity Center.

use serde_json::{Value, json};

use super::*;

const OTHER: &str = "AKIAOTHER00000000001";
const SESSION: &str = "ASIATAKEN00000000001";

/// What the thief does with the stolen key at noon, and what follows.
fn after(call: (&str, &str), more: Value, then: Vec<Value>) -> Analysis {
    let mut records = vec![by_user(720, "e-noon", STOLEN, "ci", call, more)];
    records.extend(then);
    analyze(&records)
}

fn ids(analysis: &Analysis) -> Vec<&str> {
    analysis.actions.iter().map(|action| action.event_id.as_ref()).collect()
}

fn keys(analysis: &Analysis) -> Vec<&str> {
    analysis.credentials.iter().filter_map(|held| held.access_key_id.as_deref()).collect()
}

/// A service takes a role, and its session does something from where the thief is, and something else.
fn taken(minute: u32, service: &str, role: &str) -> Vec<Value> {
    let mut takes =
        by_user(minute, &format!("take-{minute}"), "", "", ("sts", "AssumeRole"), assume(role, "9f2c", SESSION));
    takes["userIdentity"] = json!({"type": "AWSService", "invokedBy": format!("{service}.amazonaws.com")});
    takes["sourceIPAddress"] = json!(format!("{service}.amazonaws.com"));
    let acts = |id: &str, address: &str| {
        let more = json!({"sourceIPAddress": address, "requestParameters": {"userName": "x"}});
        by_role(minute + 1, &format!("{id}-{minute}"), SESSION, (role, "9f2c"), ("iam", "CreateUser"), more)
    };
    vec![takes, acts("act", THIEF), acts("job", "192.0.2.200")]
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

#[test]
fn a_key_that_is_switched_on_again_is_reached_and_its_owners_calls_stay_theirs() {
    let call = |minute, id, address: &str| {
        by_user(minute, id, OTHER, "batch", ("s3", "DeleteBucket"), json!({"sourceIPAddress": address}))
    };
    let on = json!({"requestParameters": {"userName": "batch", "accessKeyId": OTHER, "status": "Active"}});
    let then = vec![call(700, "before", THIEF), call(730, "owner", OFFICE), call(731, "thief", THIEF)];
    let analysis = after(("iam", "UpdateAccessKey"), on, then.clone());
    assert_eq!(keys(&analysis), [STOLEN, OTHER]);
    assert_eq!(ids(&analysis), ["e-noon", "thief"], "from then on, and from where the thief is");
    let how = &analysis.credentials[1].reached_by.as_ref().unwrap().how;
    assert_eq!(&**how, "UpdateAccessKey: key of user batch");
    let off = json!({"requestParameters": {"userName": "batch", "accessKeyId": OTHER, "status": "Inactive"}});
    assert_eq!(keys(&after(("iam", "UpdateAccessKey"), off, then)), [STOLEN], "switched off it is of no use");
}

#[test]
fn a_service_password_that_is_set_anew_is_the_attackers_alone_from_then_on() {
    const ID: &str = "ACCAOTHER00000000001";
    let more = json!({"requestParameters": {"serviceSpecificCredentialId": ID},
        "responseElements": {"serviceSpecificCredential": {"userName": "batch", "serviceSpecificCredentialId": ID}}});
    let call = |minute, id| {
        by_user(minute, id, ID, "batch", ("codecommit", "DeleteRepository"), json!({"sourceIPAddress": OFFICE}))
    };
    let analysis =
        after(("iam", "ResetServiceSpecificCredential"), more, vec![call(700, "before"), call(730, "after")]);
    assert_eq!((keys(&analysis), ids(&analysis)), (vec![STOLEN, ID], vec!["e-noon", "after"]));
}

#[test]
fn a_credential_for_one_service_that_is_switched_on_again_is_reached_whatever_the_call_names() {
    const ID: &str = "ACCAOTHER00000000001";
    let call = |minute, id, address: &str| {
        let more = json!({"sourceIPAddress": address});
        by_user(minute, id, ID, "batch", ("codecommit", "DeleteRepository"), more)
    };
    let then = vec![call(700, "before", THIEF), call(730, "owner", OFFICE), call(731, "thief", THIEF)];
    let set = |status: &str, user: Value| {
        let request = json!({"serviceSpecificCredentialId": ID, "status": status, "userName": user});
        let more = json!({ "requestParameters": request });
        after(("iam", "UpdateServiceSpecificCredential"), more, then.clone())
    };
    let analysis = set("Active", json!("batch"));
    assert_eq!((keys(&analysis), ids(&analysis)), (vec![STOLEN, ID], vec!["e-noon", "thief"]));
    assert_eq!(keys(&set("Inactive", json!("batch"))), [STOLEN], "switched off it is of no use");
    // The call need not name the caller's own user.
    let own = after(
        ("iam", "UpdateServiceSpecificCredential"),
        json!({"requestParameters": {"serviceSpecificCredentialId": ID, "status": "Active"}}),
        Vec::new(),
    );
    let holder = own.credentials[1].principal.as_ref().map(ToString::to_string);
    assert_eq!((keys(&own), holder), (vec![STOLEN, ID], Some(format!("arn:aws:iam::{ACCOUNT}:user/ci"))));
    let of = own.footprint.iter().find(|of| of.resource_type == "AWS::IAM::ServiceSpecificCredential").unwrap();
    assert_eq!((of.id.as_str(), of.deeds[0].what.as_str(), of.state), (ID, "ci", State::Modified));
}

#[test]
fn keys_and_certificates_that_are_uploaded_are_known_by_their_ids_whoever_the_call_names() {
    let mut records = Vec::new();
    for (minute, call, request, response) in [
        (720, "UploadSSHPublicKey", json!({"userName": "batch"}), json!({"sSHPublicKey": {"sSHPublicKeyId": "APKA1"}})),
        (721, "UploadSigningCertificate", Value::Null, json!({"certificate": {"certificateId": "ASCA1"}})),
        (
            722,
            "UpdateSSHPublicKey",
            json!({"userName": "batch", "sSHPublicKeyId": "APKA1", "status": "Inactive"}),
            Value::Null,
        ),
        (723, "DeleteSigningCertificate", json!({"certificateId": "ASCA1"}), Value::Null),
    ] {
        let more = json!({"requestParameters": request, "responseElements": response});
        records.push(by_user(minute, call, STOLEN, "ci", ("iam", call), more));
    }
    let analysis = analyze(&records);
    let deeds = |user: &str| -> Vec<(String, String)> {
        let found = analysis.footprint.iter().find(|of| of.resource_type == "AWS::IAM::User" && of.id == user).unwrap();
        found.deeds.iter().map(|deed| (deed.operation.clone(), deed.what.clone())).collect()
    };
    let expected = |deeds: [(&str, &str); 2]| deeds.map(|(call, what)| (call.to_owned(), what.to_owned()));
    let of_batch = [("UploadSSHPublicKey", "APKA1"), ("UpdateSSHPublicKey", "APKA1 Inactive")];
    assert_eq!(deeds("batch"), expected(of_batch));
    let own = [("UploadSigningCertificate", "ASCA1"), ("DeleteSigningCertificate", "ASCA1")];
    assert_eq!(deeds("ci"), expected(own), "the caller's own");
}

#[test]
fn whoever_a_provider_vouches_for_after_its_thumbprint_was_changed_is_the_attacker() {
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/ci.example.com");
    let more = json!({"requestParameters": {"openIDConnectProviderArn": arn, "thumbprintList": ["ab"]}});
    let mut takes =
        by_user(730, "takes", "", "", ("sts", "AssumeRoleWithWebIdentity"), assume("deploy", "job", SESSION));
    takes["userIdentity"] = json!({"type": "WebIdentityUser", "principalId": "p", "identityProvider": arn});
    let analysis = after(("iam", "UpdateOpenIDConnectProviderThumbprint"), more, vec![takes]);
    assert_eq!(keys(&analysis), [STOLEN, SESSION]);
}

/// The owner's provider.
fn provider() -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/ci.example.com")
}

/// Somebody comes in by it.
fn comes_in(minute: u32, key: &str, subject: &str) -> Value {
    let mut takes =
        by_user(minute, &format!("in-{key}"), "", "", ("sts", "AssumeRoleWithWebIdentity"), assume("deploy", key, key));
    takes["userIdentity"] = json!({"type": "WebIdentityUser", "principalId": format!("{}:aud:{subject}", provider()),
        "identityProvider": provider(), "userName": subject});
    takes["responseElements"]["subjectFromWebIdentityToken"] = json!(subject);
    takes["sourceIPAddress"] = json!("192.0.2.60");
    takes
}

fn of_provider(more: Value) -> Value {
    let mut request = json!({"openIDConnectProviderArn": provider()});
    merge(&mut request, more);
    json!({ "requestParameters": request })
}

/// Somebody else, from the office.
fn defender(minute: u32, id: &str, call: &str, more: Value) -> Value {
    let mut record = by_user(minute, id, "AKIADEFENDER00000001", "kim", ("iam", call), more);
    record["sourceIPAddress"] = json!(OFFICE);
    record
}

const ADDS: &str = "AddClientIDToOpenIDConnectProvider";
const REMOVES: &str = "RemoveClientIDFromOpenIDConnectProvider";
const SETS: &str = "UpdateOpenIDConnectProviderThumbprint";

#[test]
fn what_the_attacker_has_made_of_a_provider_ends_when_it_is_taken_back() {
    let (evil, print) = (|| json!({"clientID": "evil"}), || json!({"thumbprintList": ["ab"]}));
    for (does, theirs, undoes, back, ends) in [
        (ADDS, evil(), REMOVES, evil(), true),
        (ADDS, evil(), REMOVES, json!({"clientID": "other"}), false),
        (ADDS, evil(), SETS, print(), false),
        (ADDS, evil(), "DeleteOpenIDConnectProvider", json!({}), true),
        (SETS, print(), SETS, print(), true),
        (SETS, print(), REMOVES, evil(), false),
    ] {
        let changes = of_provider(theirs);
        let mut then = vec![
            comes_in(730, "ASIAFIRST", "repo:evil/1"),
            defender(740, "back", undoes, of_provider(back)),
            comes_in(750, "ASIASECOND", "repo:evil/2"),
        ];
        let analysis = after(("iam", does), changes.clone(), then.clone());
        let both = [STOLEN, "ASIAFIRST", "ASIASECOND"];
        assert_eq!(keys(&analysis), both[..if ends { 2 } else { 3 }], "{does}, {undoes}");
        then.push(by_user(745, "again", STOLEN, "ci", ("iam", does), changes.clone()));
        assert_eq!(keys(&after(("iam", does), changes, then)), both, "{does}, {undoes}: what comes later is theirs");
    }
}

#[test]
fn a_saml_provider_is_its_owners_again_with_metadata_that_somebody_else_has_set() {
    let arn = format!("arn:aws:iam::{ACCOUNT}:saml-provider/desk");
    let comes_in = |minute, key: &str| {
        let mut takes =
            by_user(minute, &format!("in-{key}"), "", "", ("sts", "AssumeRoleWithSAML"), assume("deploy", key, key));
        takes["userIdentity"] = json!({"type": "SAMLUser", "principalId": "x:ana", "identityProvider": "x"});
        merge(&mut takes, json!({"requestParameters": {"principalArn": arn}, "responseElements": {"subject": key}}));
        takes
    };
    let other = json!({"requestParameters": {"sAMLProviderArn": arn, "assertionEncryptionMode": "Allowed"},
        "responseElements": {"sAMLProviderArn": arn}});
    let mut sets = other.clone();
    sets["requestParameters"]["sAMLMetadataDocument"] = json!("<EntityDescriptor/>");
    let then = |back: &Value| {
        let back = defender(740, "back", "UpdateSAMLProvider", back.clone());
        vec![comes_in(730, "ASIAFIRST"), back, comes_in(750, "ASIASECOND")]
    };
    let of = |theirs: &Value, back: &Value| {
        let analysis = after(("iam", "UpdateSAMLProvider"), theirs.clone(), then(back));
        keys(&analysis).len()
    };
    assert_eq!(keys(&after(("iam", "UpdateSAMLProvider"), sets.clone(), then(&sets))), [STOLEN, "ASIAFIRST"]);
    assert_eq!(of(&sets, &other), 3, "the metadata is the attacker's still");
    assert_eq!(of(&other, &sets), 1, "without metadata nobody is let in");
}

#[test]
fn whoever_had_come_in_by_a_provider_before_the_attacker_changed_it_is_not_the_attacker_by_that() {
    let then = vec![
        comes_in(700, "ASIABEFORE", "repo:acme/app"),
        comes_in(730, "ASIAOWNERS", "repo:acme/app"),
        comes_in(731, "ASIATHEIRS", "repo:evil/x"),
        comes_in(741, "ASIAAGAIN", "repo:evil/x"),
    ];
    let says = |analysis: &Analysis| analysis.not_recorded.iter().any(|gap| gap.what.contains("had vouched before"));
    let add = || of_provider(json!({"clientID": "evil"}));
    let again = by_user(740, "again", STOLEN, "ci", ("iam", SETS), of_provider(json!({})));
    let removed = defender(735, "back", REMOVES, add());
    let analysis = after(("iam", ADDS), add(), [then.clone(), vec![removed.clone(), again]].concat());
    assert_eq!(keys(&analysis), [STOLEN, "ASIATHEIRS", "ASIAAGAIN"], "who came in for the attacker is no owner");
    assert!(says(&analysis), "{:?}", analysis.not_recorded);
    // What the attacker has made is theirs, whatever was there before and whoever changes it.
    let made = json!({"responseElements": {"openIDConnectProviderArn": provider()}});
    let analysis = after(("iam", "CreateOpenIDConnectProvider"), made, [then, vec![removed]].concat());
    assert_eq!(keys(&analysis), [STOLEN, "ASIAOWNERS", "ASIATHEIRS", "ASIAAGAIN"]);
    assert!(!says(&analysis));
}

#[test]
fn who_had_come_in_first_and_turns_out_to_be_the_attacker_only_later_is_no_owner() {
    let from = |address: &str, mut more: Value| {
        more["sourceIPAddress"] = json!(address);
        more
    };
    let mut first = comes_in(700, "ASIAFIRST", "repo:evil/x");
    first["requestParameters"]["roleArn"] = json!(role("ops"));
    let (deep, ops) = (assume("Deep", "b", "ASIADEEP"), json!({"requestParameters": {"roleName": "ops"}}));
    let makes = by_role(690, "c", "ASIADEEP", ("Deep", "b"), ("iam", "CreateRole"), from("192.0.2.72", ops));
    let mut then = vec![
        by_user(680, "a", STOLEN, "ci", ("sts", "AssumeRole"), assume("Admin", "a", "ASIAADMIN")),
        by_role(681, "b", "ASIAADMIN", ("Admin", "a"), ("sts", "AssumeRole"), from("192.0.2.71", deep)),
        first,
        comes_in(730, "ASIASECOND", "repo:evil/x"),
        makes,
    ];
    let of = |then: &[Value]| {
        let analysis = after(("iam", SETS), of_provider(json!({"thumbprintList": ["ab"]})), then.to_vec());
        (keys(&analysis).contains(&"ASIAFIRST"), keys(&analysis).contains(&"ASIASECOND"))
    };
    assert_eq!(of(&then), (true, true));
    then.pop();
    assert_eq!(of(&then), (false, false), "an owner who had come in before");
}

#[test]
fn whoever_a_changed_provider_vouches_for_without_a_name_does_not_make_their_address_the_attackers() {
    let key = "AKIAOPENED0000000001";
    let opens = json!({"requestParameters": {"userName": "ana", "accessKeyId": key, "status": "Active"}, "responseElements": {}});
    let of = |comes: Value| {
        let opens = by_user(721, "opens", STOLEN, "ci", ("iam", "UpdateAccessKey"), opens.clone());
        let more = json!({"sourceIPAddress": "192.0.2.60"});
        let works = by_user(740, "works", key, "ana", ("s3", "CreateBucket"), more);
        let analysis = after(("iam", SETS), of_provider(json!({"thumbprintList": ["ab"]})), vec![opens, comes, works]);
        let ids = ids(&analysis);
        (ids.contains(&"in-ASIATHEIRS"), ids.contains(&"works"))
    };
    let named = comes_in(730, "ASIATHEIRS", "repo:evil/x");
    assert_eq!(of(named.clone()), (true, true));
    let mut denied = named.clone();
    merge(&mut denied, json!({"errorCode": "AccessDenied", "responseElements": null}));
    assert_eq!(of(denied), (true, false), "it can be the owner's");
    let mut nameless = named;
    merge(&mut nameless, json!({"userIdentity": {"principalId": "p", "userName": null}}));
    nameless["responseElements"]["subjectFromWebIdentityToken"] = json!(null);
    assert_eq!(of(nameless), (true, false));
}

#[test]
fn a_role_that_a_service_takes_for_the_attacker_is_reached_and_what_it_does_for_others_is_theirs() {
    for (call, service, more) in [
        (
            ("scheduler", "CreateSchedule"),
            "scheduler",
            json!({"name": "tick", "target": {"arn": "x", "roleArn": role("nightly")}}),
        ),
        (("states", "UpdateStateMachine"), "states", json!({"stateMachineArn": "x", "roleArn": role("nightly")})),
        (
            ("events", "PutTargets"),
            "events",
            json!({"rule": "r", "targets": [{"id": "1", "arn": "x"}, {"id": "2", "arn": "x", "roleArn": role("nightly")}]}),
        ),
        (
            ("ssm", "StartAutomationExecution"),
            "ssm",
            json!({"parameters": {"AutomationAssumeRole": [role("nightly")]}}),
        ),
        (("ecs", "RegisterTaskDefinition"), "ecs-tasks", json!({"family": "f", "taskRoleArn": role("nightly")})),
        (("ecs", "RunTask"), "ecs-tasks", json!({"overrides": {"taskRoleArn": role("nightly")}})),
    ] {
        let more = json!({"requestParameters": more, "responseElements": {}});
        let then =
            [taken(740, service, "nightly"), taken(760, "batch", "nightly"), taken(780, service, "another")].concat();
        let mut before = taken(600, service, "nightly");
        let key = "ASIABEFORE0000000001";
        before[0]["responseElements"]["credentials"]["accessKeyId"] = json!(key);
        before[1..].iter_mut().for_each(|call| call["userIdentity"]["accessKeyId"] = json!(key));
        let one = then[..3].to_vec();
        let analysis = after(call, more.clone(), [before, one].concat());
        assert_eq!(keys(&analysis), [STOLEN, SESSION], "{call:?}: since then");
        assert_eq!(ids(&analysis), ["e-noon", "act-740"], "{call:?}");
        assert_eq!(
            analysis.taken_roles.iter().collect::<Vec<_>>(),
            [&role("nightly")],
            "{call:?}: it can be asked about"
        );
        let others = after(call, more, then[3..].to_vec());
        assert_eq!(keys(&others), [STOLEN], "{call:?}: neither another service nor another role");
    }
}

#[test]
fn a_user_of_identity_center_that_the_attacker_has_made_is_theirs_whatever_its_permission_set() {
    let acts = |minute, id, who: &str| {
        let role = "AWSReservedSSO_Admin_0123456789abcdef";
        by_role(
            minute,
            id,
            &format!("ASIA{id}0000000001"),
            (role, who),
            ("iam", "CreateUser"),
            json!({"sourceIPAddress": "192.0.2.201"}),
        )
    };
    let made = |name: &str| json!({"requestParameters": {"identityStoreId": "d-1", "userName": name}, "responseElements": {"userId": "u-7"}});
    let then = vec![acts(700, "BEFORE", "mallory"), acts(730, "THEIRS", "mallory"), acts(731, "OTHERS", "alice")];
    let analysis = after(("identitystore", "CreateUser"), made("mallory"), then.clone());
    assert_eq!(ids(&analysis), ["e-noon", "THEIRS"]);
    assert!(analysis.sessions.contains("mallory"), "the history can be asked about her");
    let how = &analysis.credentials[1].reached_by.as_ref().unwrap().how;
    assert!(how.contains("mallory, made by the attacker"), "{how}");
    // Where CloudTrail hides the name, the number leads on.
    let mut gets =
        by_user(729, "gets", "", "", ("sso", "GetRoleCredentials"), json!({"sourceIPAddress": "192.0.2.201"}));
    gets["userIdentity"] = json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-7"}});
    gets["responseElements"] = json!({"roleCredentials": {"accessKeyId": "ASIATHEIRS0000000001"}});
    let analysis =
        after(("identitystore", "CreateUser"), made("HIDDEN_DUE_TO_SECURITY_REASONS"), [then, vec![gets]].concat());
    assert_eq!(ids(&analysis), ["e-noon", "gets", "THEIRS"]);
}

#[test]
fn access_that_the_attacker_gives_somebody_counts_where_the_attacker_uses_it() {
    let more = json!({"requestParameters": {"principalType": "USER", "principalId": "u-9", "targetId": ACCOUNT}});
    let gets = |minute, id, address: &str, key: &str| {
        let more = json!({"sourceIPAddress": address, "responseElements": {"roleCredentials": {"accessKeyId": key}}});
        let mut gets = by_user(minute, id, "", "", ("sso", "GetRoleCredentials"), more);
        gets["userIdentity"] = json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-9"}});
        gets
    };
    let then = vec![gets(730, "desk", OFFICE, "ASIADESK000000000001"), gets(731, "thief", THIEF, SESSION)];
    let analysis = after(("sso", "CreateAccountAssignment"), more, then);
    assert_eq!((keys(&analysis), ids(&analysis)), (vec![STOLEN, SESSION], vec!["e-noon", "thief"]));
}

#[test]
fn of_which_buckets_nothing_is_recorded_is_said_where_the_logs_say_what_a_trail_was_told() {
    let told = by_user(
        10,
        "told",
        "AKIAOPS0000000000001",
        "ops",
        ("cloudtrail", "PutEventSelectors"),
        json!({
        "requestParameters": {"trailName": "main", "eventSelectors": [
            {"dataResources": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::payments/"]}]}]}}),
    );
    let analysis = after(("s3", "ListBuckets"), json!({"readOnly": true}), vec![told]);
    let said = analysis.not_recorded.iter().find(|gap| gap.what.contains("outside of payments")).expect("it is said");
    assert!(said.what.contains("by trail main") && said.why.contains("event told"), "{said:?}");
    let silent = after(("s3", "ListBuckets"), json!({"readOnly": true}), vec![]);
    assert!(!silent.not_recorded.iter().any(|gap| gap.what.contains("by trail")));
}

/// The attacker changes whom role *ops* lets in, which has let in `before`, and somebody takes it. Whether the logs show its
/// making or a change makes no difference.
fn entered(before: &Value, now: &Value, takes: Value) -> Analysis {
    let trust = |document: &str, statement: &Value| json!({"requestParameters": {"roleName": "ops", document: json!({"Statement": [statement]}).to_string()}});
    let was = |call: &str, document: &str| {
        by_user(600, "e-was", "AKIADEFENDER00000001", "kim", ("iam", call), trust(document, before))
    };
    let mut enters = by_user(730, "enters", "", "", ("sts", "AssumeRole"), assume("ops", "x", SESSION));
    merge(&mut enters, takes);
    let is = by_user(720, "e-noon", STOLEN, "ci", ("iam", "UpdateAssumeRolePolicy"), trust("policyDocument", now));
    let unknown =
        |analysis: &Analysis| analysis.not_recorded.iter().any(|gap| gap.what.contains("whom role ops trusted"));
    let changed = was("UpdateAssumeRolePolicy", "policyDocument");
    let analysis = analyze(&[changed, is.clone(), enters.clone()]);
    let made = analyze(&[was("CreateRole", "assumeRolePolicyDocument"), is.clone(), enters.clone()]);
    assert_eq!((keys(&made), ids(&made)), (keys(&analysis), ids(&analysis)));
    assert!(!unknown(&made) && !unknown(&analysis) && unknown(&analyze(&[is, enters])));
    analysis
}

#[test]
fn whoever_of_another_account_a_changed_trust_names_is_the_attacker() {
    let trusts = |arn: &str| json!({"Effect": "Allow", "Principal": {"AWS": arn}});
    let own = trusts(&role("deploy"));
    let far = json!({"userIdentity": {"type": "AWSAccount", "accountId": "999988887777", "principalId": "AIDAFAR",
        "arn": null, "accessKeyId": null, "userName": null}});
    for named in ["arn:aws:iam::999988887777:user/evil", "arn:aws:iam::999988887777:role/r", "999988887777"] {
        let analysis = entered(&own, &trusts(named), far.clone());
        assert_eq!((keys(&analysis), ids(&analysis)), (vec![STOLEN, SESSION], vec!["e-noon", "enters"]), "{named}");
    }
    let vendor = trusts("arn:aws:iam::999988887777:root");
    assert_eq!(keys(&entered(&vendor, &vendor, far.clone())), [STOLEN], "it was let in before");
    assert_eq!(keys(&entered(&own, &trusts("arn:aws:iam::666655554444:user/evil"), far)), [STOLEN], "another account");
}

#[test]
fn a_role_that_was_let_in_before_is_let_in_still() {
    let trusts = |arns: &[&str]| json!({"Effect": "Allow", "Principal": {"AWS": arns}});
    let ci = json!({"userIdentity": {"type": "AssumedRole", "principalId": "AROACI:build", "accountId": ACCOUNT,
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci/build"), "accessKeyId": null, "userName": null}});
    let (named, other) = (role("ci"), role("another"));
    assert_eq!(keys(&entered(&trusts(&[&named]), &trusts(&[&named, "*"]), ci.clone())), [STOLEN]);
    assert_eq!(keys(&entered(&trusts(&[&other]), &trusts(&[&named]), ci)), [STOLEN, SESSION]);
}

#[test]
fn whoever_a_provider_vouches_for_since_a_trust_was_widened_is_the_attacker_and_others_are_not() {
    let provider = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com");
    let trusts = |subjects: &[&str]| {
        json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Condition":
        {"StringLike": {"token.actions.githubusercontent.com:sub": subjects}}})
    };
    let pipeline = |subject: &str| {
        json!({"eventName": "AssumeRoleWithWebIdentity",
            "responseElements": {"subjectFromWebIdentityToken": subject},
            "userIdentity": {"type": "WebIdentityUser", "principalId": format!("{provider}:sts.amazonaws.com:{subject}"),
                "identityProvider": provider, "userName": subject, "arn": null, "accessKeyId": null, "accountId": null}})
    };
    let (before, now) = (trusts(&["repo:acme/*"]), trusts(&["repo:acme/*", "repo:evil/*"]));
    assert_eq!(keys(&entered(&before, &now, pipeline("repo:evil/x:ref:refs/heads/main"))), [STOLEN, SESSION]);
    assert_eq!(keys(&entered(&before, &now, pipeline("repo:acme/app:ref:refs/heads/main"))), [STOLEN]);
}
