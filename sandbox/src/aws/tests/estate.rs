//! IAM beyond keys and sessions: what an attacker makes, and the order in which it goes.

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_iam::types::PolicyUsageType;
use chrono::TimeDelta;

use super::{Cloud, code, refusal};

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}"#;

#[tokio::test]
async fn a_user_goes_only_when_nothing_hangs_on_it() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    iam.create_user().user_name("m").send().await.unwrap();
    let first = cloud.account.user_id("m").unwrap();
    iam.create_login_profile().user_name("m").password("hunter2-hunter2").send().await.unwrap();
    let twice = iam.create_login_profile().user_name("m").password("x").send().await;
    assert_eq!(code(twice), "EntityAlreadyExists");
    let key = iam.create_access_key().user_name("m").send().await.unwrap().access_key.unwrap().access_key_id;
    let device = iam.create_virtual_mfa_device().virtual_mfa_device_name("m").send().await.unwrap();
    let serial = device.virtual_mfa_device.unwrap().serial_number;
    let enable = |one: &str, two: &str| {
        let request = iam.enable_mfa_device().user_name("m").serial_number(&serial);
        request.authentication_code1(one).authentication_code2(two).send()
    };
    assert_eq!(code(enable("123456", "123456").await), "InvalidAuthenticationCode");
    enable("123456", "654321").await.unwrap();
    let ssh = iam.upload_ssh_public_key().user_name("m").ssh_public_key_body("ssh-rsa AAAA").send().await.unwrap();
    let ssh = ssh.ssh_public_key.unwrap().ssh_public_key_id;
    let certificate = iam.upload_signing_certificate().user_name("m").certificate_body("pem").send().await.unwrap();
    let certificate = certificate.certificate.unwrap().certificate_id;
    let service = iam.create_service_specific_credential().user_name("m").service_name("bedrock.amazonaws.com");
    let service = service.send().await.unwrap().service_specific_credential.unwrap();
    assert!(!service.service_password().is_empty());
    iam.create_group().group_name("g").send().await.unwrap();
    iam.add_user_to_group().group_name("g").user_name("m").send().await.unwrap();
    iam.put_user_policy().user_name("m").policy_name("p").policy_document(ALLOW).send().await.unwrap();
    iam.attach_user_policy().user_name("m").policy_arn(ADMIN).send().await.unwrap();
    iam.put_user_permissions_boundary().user_name("m").permissions_boundary(ADMIN).send().await.unwrap();

    let delete = || iam.delete_user().user_name("m").send();
    let obstacle = async |says: &str| {
        let (code, message) = refusal(delete().await);
        assert_eq!(code, "DeleteConflict", "{says}");
        assert!(message.contains(says), "{says}: {message}");
    };
    obstacle("login profile").await;
    iam.delete_login_profile().user_name("m").send().await.unwrap();
    assert_eq!(code(iam.delete_login_profile().user_name("m").send().await), "NoSuchEntity");
    obstacle("access keys").await;
    iam.delete_access_key().user_name("m").access_key_id(key).send().await.unwrap();
    obstacle("MFA device").await;
    let in_use = iam.delete_virtual_mfa_device().serial_number(&serial).send().await;
    assert_eq!(code(in_use), "DeleteConflict");
    iam.deactivate_mfa_device().user_name("m").serial_number(&serial).send().await.unwrap();
    iam.delete_virtual_mfa_device().serial_number(&serial).send().await.unwrap();
    obstacle("signing certificates").await;
    iam.delete_signing_certificate().user_name("m").certificate_id(certificate).send().await.unwrap();
    obstacle("SSH public keys").await;
    iam.delete_ssh_public_key().user_name("m").ssh_public_key_id(ssh).send().await.unwrap();
    obstacle("service specific credentials").await;
    let id = service.service_specific_credential_id;
    iam.delete_service_specific_credential().user_name("m").service_specific_credential_id(id).send().await.unwrap();
    obstacle("remove users from group").await;
    assert_eq!(code(iam.delete_group().group_name("g").send().await), "DeleteConflict");
    iam.remove_user_from_group().group_name("g").user_name("m").send().await.unwrap();
    obstacle("delete policies").await;
    iam.delete_user_policy().user_name("m").policy_name("p").send().await.unwrap();
    obstacle("detach all policies").await;
    iam.detach_user_policy().user_name("m").policy_arn(ADMIN).send().await.unwrap();
    // A boundary is no obstacle.
    delete().await.unwrap();
    iam.delete_group().group_name("g").send().await.unwrap();
    iam.create_user().user_name("m").send().await.unwrap();
    assert_ne!(cloud.account.user_id("m").unwrap(), first);
}

#[tokio::test]
async fn a_policy_goes_after_its_versions_and_after_all_that_have_it() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let made = iam.create_policy().policy_name("p").policy_document(ALLOW).send().await.unwrap().policy.unwrap();
    let arn = made.arn.unwrap();
    assert!(made.policy_id.unwrap().starts_with("ANPA"));
    let again = iam.create_policy().policy_name("p").policy_document(ALLOW).send().await;
    assert_eq!(code(again), "EntityAlreadyExists");
    for _ in 0..4 {
        let version = iam.create_policy_version().policy_arn(&arn).policy_document(ALLOW).set_as_default(true);
        version.send().await.unwrap();
    }
    let full = iam.create_policy_version().policy_arn(&arn).policy_document(ALLOW).send().await;
    assert_eq!(code(full), "LimitExceeded");
    let listed = iam.list_policy_versions().policy_arn(&arn).send().await.unwrap();
    let default: Vec<_> = listed.versions().iter().filter(|v| v.is_default_version()).collect();
    assert_eq!((listed.versions().len(), default[0].version_id()), (5, Some("v5")));
    let delete_version = |id: &str| iam.delete_policy_version().policy_arn(&arn).version_id(id).send();
    assert_eq!(code(delete_version("v5").await), "DeleteConflict");
    iam.attach_user_policy().user_name("deploy-bot").policy_arn(&arn).send().await.unwrap();
    iam.put_role_permissions_boundary().role_name("ecs-batch").permissions_boundary(&arn).send().await.unwrap();
    let delete = || iam.delete_policy().policy_arn(&arn).send();
    assert!(refusal(delete().await).1.contains("attached to entities"));
    let entities =
        |usage: PolicyUsageType| iam.list_entities_for_policy().policy_arn(&arn).policy_usage_filter(usage).send();
    let has = entities(PolicyUsageType::PermissionsPolicy).await.unwrap();
    assert_eq!((has.policy_users().len(), has.policy_roles().len()), (1, 0));
    let bounded = entities(PolicyUsageType::PermissionsBoundary).await.unwrap();
    assert_eq!((bounded.policy_users().len(), bounded.policy_roles()[0].role_name()), (0, Some("ecs-batch")));
    iam.detach_user_policy().user_name("deploy-bot").policy_arn(&arn).send().await.unwrap();
    assert_eq!(code(delete().await), "DeleteConflict");
    iam.delete_role_permissions_boundary().role_name("ecs-batch").send().await.unwrap();
    assert!(refusal(delete().await).1.contains("more than one version"));
    iam.set_default_policy_version().policy_arn(&arn).version_id("v1").send().await.unwrap();
    for version in ["v2", "v3", "v4", "v5"] {
        delete_version(version).await.unwrap();
    }
    delete().await.unwrap();
    assert_eq!(code(delete().await), "NoSuchEntity");
}

#[tokio::test]
async fn the_version_that_is_put_in_force_counts_and_the_event_says_which_but_not_what_was_before() {
    const NARROW: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}"#;
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let made = iam.create_policy().policy_name("p").policy_document(ALLOW).send().await.unwrap().policy.unwrap();
    let arn = made.arn.unwrap();
    let narrow = iam.create_policy_version().policy_arn(&arn).policy_document(NARROW).set_as_default(true);
    narrow.send().await.unwrap();
    iam.create_user().user_name("m").send().await.unwrap();
    iam.attach_user_policy().user_name("m").policy_arn(&arn).send().await.unwrap();
    iam.create_access_key().user_name("m").send().await.unwrap();
    let theirs = cloud.iam(cloud.keys("m"));
    assert_eq!(code(theirs.list_users().send().await), "AccessDenied");
    let set = |version: &str| iam.set_default_policy_version().policy_arn(&arn).version_id(version).send();
    set("v1").await.unwrap();
    assert!(theirs.list_users().send().await.is_ok(), "the older version lets it");
    assert_eq!(code(set("v9").await), "NoSuchEntity");
    let aws = iam.set_default_policy_version().policy_arn(ADMIN).version_id("v1").send().await;
    assert_eq!(code(aws), "AccessDenied");
    cloud.clock.advance(TimeDelta::minutes(6));
    let events = cloud.events("us-east-1", "SetDefaultPolicyVersion").await;
    let worked: Vec<_> = events.iter().filter(|event| event["errorCode"].is_null()).collect();
    assert_eq!(worked.len(), 1, "{events:?}");
    let asked = serde_json::json!({"policyArn": arn, "versionId": "v1"});
    assert_eq!((&worked[0]["requestParameters"], worked[0]["readOnly"].as_bool()), (&asked, Some(false)));
    assert!(worked[0]["responseElements"].is_null(), "{worked:?}");
}

#[tokio::test]
async fn a_role_leaves_its_instance_profile_before_either_goes() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.create_instance_profile().instance_profile_name("ip").send().await.unwrap();
    let add = |role: &str| iam.add_role_to_instance_profile().instance_profile_name("ip").role_name(role).send();
    add("r").await.unwrap();
    assert_eq!(code(add("ecs-batch").await), "LimitExceeded");
    assert_eq!(code(iam.delete_role().role_name("r").send().await), "DeleteConflict");
    let delete = || iam.delete_instance_profile().instance_profile_name("ip").send();
    assert!(refusal(delete().await).1.contains("remove roles from instance profile"));
    let remove = || iam.remove_role_from_instance_profile().instance_profile_name("ip").role_name("r").send();
    remove().await.unwrap();
    assert_eq!(code(remove().await), "NoSuchEntity");
    iam.delete_role().role_name("r").send().await.unwrap();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "NoSuchEntity");
}

#[tokio::test]
async fn what_a_group_and_a_policy_of_ones_own_allow_counts() {
    let cloud = Cloud::start().await;
    let admin = cloud.iam(cloud.admin());
    let key = admin.create_user().user_name("m").send().await.unwrap();
    assert!(key.user.unwrap().user_id.starts_with("AIDA"));
    admin.create_access_key().user_name("m").send().await.unwrap();
    let theirs = cloud.iam(cloud.keys("m"));
    assert_eq!(code(theirs.list_groups().send().await), "AccessDenied");
    let policy = admin.create_policy().policy_name("p").policy_document(ALLOW).send().await.unwrap().policy.unwrap();
    admin.create_group().group_name("g").send().await.unwrap();
    let arn = policy.arn.unwrap();
    admin.attach_group_policy().group_name("g").policy_arn(&arn).send().await.unwrap();
    admin.add_user_to_group().group_name("g").user_name("m").send().await.unwrap();
    assert_eq!(theirs.list_groups().send().await.unwrap().groups().len(), 1);
    admin.detach_group_policy().group_name("g").policy_arn(&arn).send().await.unwrap();
    assert_eq!(code(theirs.list_groups().send().await), "AccessDenied");
}

#[tokio::test]
async fn the_trail_says_who_made_what_and_no_secret() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    iam.create_user().user_name("m").send().await.unwrap();
    iam.create_login_profile().user_name("m").password("hunter2-hunter2").send().await.unwrap();
    let service = iam.create_service_specific_credential().user_name("m").service_name("bedrock.amazonaws.com");
    let service = service.send().await.unwrap().service_specific_credential.unwrap();
    cloud.clock.advance(TimeDelta::minutes(20));
    let trail = cloud.trail(cloud.admin(), "us-east-1");
    let named = LookupAttribute::builder().attribute_key(LookupAttributeKey::ResourceName).attribute_value("m").build();
    let events = trail.lookup_events().lookup_attributes(named.unwrap()).send().await.unwrap();
    let texts: Vec<&str> = events.events().iter().filter_map(|event| event.cloud_trail_event()).collect();
    let one = |name: &str| texts.iter().find(|text| text.contains(name)).unwrap_or_else(|| panic!("{name}: {texts:?}"));
    assert!(!one("CreateLoginProfile").contains("hunter2"));
    assert!(one("CreateServiceSpecificCredential").contains(&service.service_specific_credential_id));
    let password = service.service_password;
    assert!(texts.iter().all(|text| !text.contains(&password)));
}
