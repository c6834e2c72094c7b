//! IAM's rules.

use aws_sdk_iam::types::StatusType;
use chrono::TimeDelta;

use super::{Cloud, code, refusal};
use crate::aws::KeyStatus;

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

#[tokio::test]
async fn a_key_belongs_to_its_user() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.session("irp-contain/test"));
    let key = cloud.keys("deploy-bot").access_key_id;
    let update =
        |user: &str| iam.update_access_key().user_name(user).access_key_id(&key).status(StatusType::Inactive).send();
    assert_eq!(code(update("release-bot").await), "NoSuchEntity");
    update("deploy-bot").await.unwrap();
    assert_eq!(cloud.account.key_status(&key), Some(KeyStatus::Inactive));
    let listed = iam.list_access_keys().user_name("deploy-bot").send().await.unwrap();
    let statuses: Vec<_> = listed.access_key_metadata().iter().map(|key| key.status().cloned()).collect();
    assert_eq!(statuses.len(), 2);
    assert!(statuses.contains(&Some(StatusType::Inactive)) && statuses.contains(&Some(StatusType::Active)));
    let (_, message) = refusal(iam.list_access_keys().send().await);
    assert_eq!(message, "Must specify userName when calling with non-User credentials");
}

#[tokio::test]
async fn what_a_key_says_of_its_user() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.session("irp-reader/test"));
    let key = cloud.keys("deploy-bot").access_key_id;
    let used = iam.get_access_key_last_used().access_key_id(&key).send().await.unwrap();
    assert_eq!(used.user_name(), Some("deploy-bot"));
    assert_eq!(used.access_key_last_used().map(|used| used.service_name().to_owned()), Some("N/A".to_owned()));
    cloud.sts(cloud.keys("deploy-bot")).get_caller_identity().send().await.unwrap();
    let used = iam.get_access_key_last_used().access_key_id(&key).send().await.unwrap();
    assert_eq!(used.access_key_last_used().map(|used| used.service_name().to_owned()), Some("sts".to_owned()));
    let owner = iam.get_user().user_name("deploy-bot").send().await.unwrap().user.unwrap();
    assert_eq!(owner.tags()[0].value(), "kim@example.com");
}

#[tokio::test]
async fn deleting_a_user_is_work() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    iam.create_user().user_name("mallory").send().await.unwrap();
    assert_eq!(code(iam.create_user().user_name("mallory").send().await), "EntityAlreadyExists");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = iam.create_access_key().user_name("mallory").send().await.unwrap();
        ids.push(made.access_key.unwrap().access_key_id);
    }
    assert_eq!(code(iam.create_access_key().user_name("mallory").send().await), "LimitExceeded");
    iam.put_user_policy().user_name("mallory").policy_name("p").policy_document(DENY).send().await.unwrap();
    let arn = "arn:aws:iam::aws:policy/AWSDenyAll";
    iam.attach_user_policy().user_name("mallory").policy_arn(arn).send().await.unwrap();
    let delete = || iam.delete_user().user_name("mallory").send();
    assert_eq!(code(delete().await), "DeleteConflict");
    for id in ids {
        iam.delete_access_key().user_name("mallory").access_key_id(id).send().await.unwrap();
    }
    assert_eq!(code(delete().await), "DeleteConflict");
    iam.delete_user_policy().user_name("mallory").policy_name("p").send().await.unwrap();
    assert_eq!(code(delete().await), "DeleteConflict");
    iam.detach_user_policy().user_name("mallory").policy_arn(arn).send().await.unwrap();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "NoSuchEntity");
}

#[tokio::test]
async fn policies_are_checked_stored_and_read_back() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.session("irp-contain/test"));
    let put = |document: &str| {
        iam.put_user_policy().user_name("deploy-bot").policy_name("deny").policy_document(document).send()
    };
    assert_eq!(code(put("{").await), "MalformedPolicyDocument");
    let long = DENY.replace("\"*\",\"Res", &format!("\"iam:{}\",\"Res", "x".repeat(2_000)));
    assert_eq!(code(put(&long).await), "LimitExceeded");
    let roomy = DENY.replace(":[", &format!(":{}[", " ".repeat(3_000)));
    put(&roomy).await.unwrap();
    put(DENY).await.unwrap();
    assert_eq!(cloud.account.user_inline_policy("deploy-bot", "deny").as_deref(), Some(DENY));
    let read = iam.get_user_policy().user_name("deploy-bot").policy_name("deny").send().await.unwrap();
    assert!(read.policy_document().starts_with("%7B%22Version%22%3A%222012-10-17%22"));
    let delete = || iam.delete_user_policy().user_name("deploy-bot").policy_name("deny").send();
    delete().await.unwrap();
    assert_eq!(code(delete().await), "NoSuchEntity");
}

#[tokio::test]
async fn some_roles_are_not_ours_to_change() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.session("irp-contain/test"));
    let put = |role: &str| iam.put_role_policy().role_name(role).policy_name("p").policy_document(DENY).send();
    for role in ["AWSReservedSSO_AdministratorAccess_0123456789abcdef", "AWSServiceRoleForSupport"] {
        let (code, message) = refusal(put(role).await);
        assert_eq!(code, "UnmodifiableEntity");
        assert!(message.ends_with("this role is only modifiable by AWS"));
    }
    put("app-deploy").await.unwrap();
    assert!(cloud.account.role_inline_policy("app-deploy", "p").is_some());
}

#[tokio::test]
async fn roles_are_deleted_last_and_listed_in_pages() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let delete = || iam.delete_role().role_name("ecs-batch").send();
    let (code, message) = refusal(delete().await);
    assert_eq!(code, "DeleteConflict");
    assert!(message.contains("instance profile"));
    let profiles = iam.list_instance_profiles_for_role().role_name("ecs-batch").send().await.unwrap();
    assert_eq!(profiles.instance_profiles().len(), 1);

    let whole = iam.list_roles().send().await.unwrap();
    assert!(!whole.is_truncated());
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let page = iam.list_roles().max_items(2).set_marker(marker).send().await.unwrap();
        assert!(page.roles().len() <= 2);
        names.extend(page.roles().iter().map(|role| role.role_name().to_owned()));
        marker = page.marker().map(str::to_owned);
        if !page.is_truncated() {
            break;
        }
    }
    let expected: Vec<_> = whole.roles().iter().map(|role| role.role_name().to_owned()).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_trust_policy_remembers_whom_it_meant() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let trust = async || {
        let role = iam.get_role().role_name("app-deploy").send().await.unwrap().role.unwrap();
        role.assume_role_policy_document.unwrap()
    };
    assert!(trust().await.contains("user%2Fdeploy-bot"));
    let id = cloud.account.user_id("deploy-bot").unwrap();
    cloud.account.delete_and_recreate_user("deploy-bot");
    assert!(trust().await.contains(&id));
    let nobody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::111122223333:user/nobody"}}]}"#;
    let update = iam.update_assume_role_policy().role_name("app-deploy").policy_document(nobody).send().await;
    assert_eq!(code(update), "MalformedPolicyDocument");
    let account = nobody.replace("arn:aws:iam::111122223333:user/nobody", "999988887777");
    iam.update_assume_role_policy().role_name("app-deploy").policy_document(account).send().await.unwrap();
    assert!(trust().await.contains("arn%3Aaws%3Aiam%3A%3A999988887777%3Aroot"), "{}", trust().await);
}

#[tokio::test]
async fn a_simulation_decides_as_the_real_call_would() {
    let cloud = Cloud::start().await;
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2030-01-01T00:00:00Z"}}}]}"#;
    cloud.account.put_user_policy_directly("deploy-bot", "deny", Some(deny));
    let iam = cloud.iam(cloud.session("irp-reader/test"));
    let simulate = iam
        .simulate_principal_policy()
        .policy_source_arn("arn:aws:iam::111122223333:user/deploy-bot")
        .action_names("s3:GetObject")
        .action_names("dynamodb:GetItem");
    let decisions = |out: aws_sdk_iam::operation::simulate_principal_policy::SimulatePrincipalPolicyOutput| {
        out.evaluation_results().iter().map(|result| result.eval_decision().as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(decisions(simulate.clone().send().await.unwrap()), ["allowed", "implicitDeny"]);
    let issued = aws_sdk_iam::types::ContextEntry::builder()
        .context_key_name("aws:TokenIssueTime")
        .context_key_values("2029-01-01T00:00:00Z")
        .build();
    let decided = decisions(simulate.context_entries(issued).send().await.unwrap());
    assert_eq!(decided, ["explicitDeny", "explicitDeny"]);
}

#[tokio::test]
async fn an_operation_that_is_not_here_is_refused() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    assert_eq!(code(iam.list_server_certificates().send().await), "InvalidAction");
    let trail = cloud.trail(cloud.admin(), "us-east-1");
    assert_eq!(code(trail.list_trails().send().await), "UnknownOperationException");
}

#[tokio::test]
async fn the_whole_account_comes_in_pages_through_all_kinds() {
    use aws_sdk_iam::types::EntityType;
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    iam.create_group().group_name("cabal").send().await.unwrap();
    iam.create_policy().policy_name("p").policy_document(DENY).send().await.unwrap();
    iam.attach_group_policy()
        .group_name("cabal")
        .policy_arn("arn:aws:iam::aws:policy/AWSDenyAll")
        .send()
        .await
        .unwrap();
    let (mut users, mut groups, mut roles, mut policies, mut pages) = (vec![], vec![], vec![], vec![], 0);
    let mut all = iam.get_account_authorization_details().into_paginator().page_size(3).send();
    while let Some(page) = all.next().await {
        let page = page.unwrap();
        pages += 1;
        users.extend(page.user_detail_list.unwrap_or_default());
        groups.extend(page.group_detail_list.unwrap_or_default());
        roles.extend(page.role_detail_list.unwrap_or_default());
        policies.extend(page.policies.unwrap_or_default());
    }
    assert!(pages > 3 && users.len() >= 3 && roles.len() >= 6, "{pages}");
    assert_eq!(groups[0].attached_managed_policies()[0].policy_name(), Some("AWSDenyAll"));
    assert_eq!(policies[0].policy_version_list()[0].version_id(), Some("v1"));
    let release = users.iter().find(|user| user.user_name() == Some("release-bot")).unwrap();
    assert!(release.user_policy_list().iter().any(|policy| policy.policy_name() == Some("release")));
    let worker = roles.iter().find(|role| role.role_name() == Some("batch-worker")).unwrap();
    assert_eq!(worker.instance_profile_list()[0].instance_profile_name(), "batch-worker");
    let only = iam.get_account_authorization_details().filter(EntityType::Group).send().await.unwrap();
    assert!(only.user_detail_list().is_empty() && only.group_detail_list().len() == 1);
    let wrong = iam.get_account_authorization_details().filter(EntityType::from("Planet")).send().await;
    assert_eq!(code(wrong), "ValidationError");
    let stranger = cloud.iam(cloud.session("ecs-batch/test"));
    assert_eq!(code(stranger.get_account_authorization_details().send().await), "AccessDenied");
}

#[tokio::test]
async fn the_credential_report_has_every_user_and_is_good_for_four_hours() {
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    assert_eq!(code(iam.get_credential_report().send().await), "ReportNotPresent");
    let state = async || iam.generate_credential_report().send().await.unwrap().state.unwrap();
    assert_eq!(state().await.as_str(), "STARTED");
    assert_eq!(state().await.as_str(), "INPROGRESS");
    assert_eq!(code(iam.get_credential_report().send().await), "ReportInProgress");
    cloud.clock.advance(TimeDelta::seconds(2));
    assert_eq!(state().await.as_str(), "COMPLETE");
    let report = iam.get_credential_report().send().await.unwrap();
    let text = String::from_utf8(report.content.unwrap().into_inner()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 22), "{text}");
    let bot = rows.iter().find(|row| row[0] == "deploy-bot").unwrap();
    assert_eq!((bot[1], bot[8], bot[13]), ("arn:aws:iam::111122223333:user/deploy-bot", "true", "true"));
    iam.create_user().user_name("later").send().await.unwrap();
    cloud.clock.advance(TimeDelta::hours(4));
    assert_eq!(code(iam.get_credential_report().send().await), "ReportExpired");
    assert_eq!(state().await.as_str(), "STARTED");
    cloud.clock.advance(TimeDelta::seconds(2));
    let report = iam.get_credential_report().send().await.unwrap().content.unwrap().into_inner();
    assert!(String::from_utf8(report).unwrap().contains("user/later"));
}

#[tokio::test]
async fn devices_and_service_credentials_of_all_users_are_listed_at_once() {
    use aws_sdk_iam::types::AssignmentStatusType;
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    for name in ["one", "two"] {
        iam.create_virtual_mfa_device().virtual_mfa_device_name(name).send().await.unwrap();
        let make = iam.create_service_specific_credential().service_name("bedrock.amazonaws.com");
        make.user_name(if name == "one" { "deploy-bot" } else { "release-bot" }).send().await.unwrap();
    }
    let enable = iam.enable_mfa_device().user_name("deploy-bot").serial_number("arn:aws:iam::111122223333:mfa/one");
    enable.authentication_code1("123456").authentication_code2("654321").send().await.unwrap();
    let list = |status: AssignmentStatusType| iam.list_virtual_mfa_devices().assignment_status(status).send();
    let on = list(AssignmentStatusType::Assigned).await.unwrap().virtual_mfa_devices;
    assert_eq!(on[0].user().map(aws_sdk_iam::types::User::user_name), Some("deploy-bot"));
    assert!(on.len() == 1 && on[0].enable_date().is_some());
    let off = list(AssignmentStatusType::Unassigned).await.unwrap().virtual_mfa_devices;
    assert!(off.len() == 1 && off[0].user().is_none() && off[0].enable_date().is_none());
    assert_eq!(code(list(AssignmentStatusType::from("Lost")).await), "ValidationError");
    let all = || iam.list_service_specific_credentials().all_users(true);
    let first = all().max_items(1).send().await.unwrap();
    assert!(first.is_truncated && first.service_specific_credentials().len() == 1);
    let second = all().set_marker(first.marker.clone()).send().await.unwrap();
    assert!(!second.is_truncated && second.service_specific_credentials().len() == 1);
    assert_eq!(code(all().user_name("deploy-bot").send().await), "ValidationError");
}

#[tokio::test]
async fn ssh_keys_and_signing_certificates_are_switched_off_and_on_again() {
    use aws_sdk_iam::types::StatusType;
    let cloud = Cloud::start().await;
    let iam = cloud.iam(cloud.admin());
    let user = "deploy-bot";
    let ssh = iam.upload_ssh_public_key().user_name(user).ssh_public_key_body("ssh-rsa AAAA").send().await.unwrap();
    let ssh = ssh.ssh_public_key.unwrap().ssh_public_key_id;
    let made = iam.upload_signing_certificate().user_name(user).certificate_body("pem").send().await.unwrap();
    let certificate = made.certificate.unwrap().certificate_id;
    for status in [StatusType::Inactive, StatusType::Active] {
        let set = iam.update_ssh_public_key().user_name(user).ssh_public_key_id(&ssh).status(status.clone());
        set.send().await.unwrap();
        let set = iam.update_signing_certificate().user_name(user).certificate_id(&certificate).status(status.clone());
        set.send().await.unwrap();
        let keys = iam.list_ssh_public_keys().user_name(user).send().await.unwrap().ssh_public_keys.unwrap();
        let all = iam.list_signing_certificates().user_name(user).send().await.unwrap().certificates;
        assert_eq!((&keys[0].status, &all[0].status), (&status, &status));
    }
    let set = iam.update_ssh_public_key().user_name(user).ssh_public_key_id(&ssh).status(StatusType::from("Lost"));
    assert_eq!(code(set.send().await), "ValidationError");
    let other = iam.update_ssh_public_key().user_name("release-bot").ssh_public_key_id(&ssh);
    assert_eq!(code(other.status(StatusType::Inactive).send().await), "NoSuchEntity");
    let other = iam.update_signing_certificate().user_name(user).certificate_id(&ssh);
    assert_eq!(code(other.status(StatusType::Inactive).send().await), "NoSuchEntity");
}
