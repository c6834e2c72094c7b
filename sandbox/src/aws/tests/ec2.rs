//! EC2, in the Region that is asked.

use aws_sdk_ec2::types::{
    AttributeBooleanValue, CreateVolumePermission, CreateVolumePermissionModifications, Filter,
    IamInstanceProfileSpecification, InstanceAttributeName, IpPermission, IpRange, SnapshotAttributeName,
};
use chrono::TimeDelta;

use super::{Cloud, code, refusal};

const WEST: &str = "us-west-2";

fn client(cloud: &Cloud, region: &'static str) -> aws_sdk_ec2::Client {
    aws_sdk_ec2::Client::new(&cloud.config(cloud.admin(), region))
}

async fn launch(ec2: &aws_sdk_ec2::Client) -> String {
    let ran = ec2.run_instances().image_id("ami-1").min_count(1).max_count(1);
    let ran = ran.instance_type(aws_sdk_ec2::types::InstanceType::T3Micro).send().await.unwrap();
    ran.instances()[0].instance_id().unwrap().to_owned()
}

#[tokio::test]
async fn regions_are_listed_with_whether_they_are_opted_in_to() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, "us-east-1");
    let names = |answer: aws_sdk_ec2::operation::describe_regions::DescribeRegionsOutput| -> Vec<String> {
        answer.regions.unwrap().into_iter().filter_map(|region| region.region_name).collect()
    };
    let enabled = names(ec2.describe_regions().send().await.unwrap());
    assert!(enabled.contains(&"us-west-2".to_owned()) && !enabled.contains(&"ap-east-1".to_owned()));
    let all = names(ec2.describe_regions().all_regions(true).send().await.unwrap());
    assert!(all.contains(&"ap-east-1".to_owned()));
    let elsewhere = client(&cloud, "ap-east-1");
    assert_eq!(code(elsewhere.describe_instances().send().await), "AuthFailure");
}

#[tokio::test]
async fn an_instance_comes_up_and_ends_with_the_clock() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let id = launch(&ec2).await;
    let state = || async {
        let found = ec2.describe_instances().instance_ids(&id).send().await.unwrap();
        let instance = &found.reservations()[0].instances()[0];
        instance.state().and_then(|state| state.name()).unwrap().as_str().to_owned()
    };
    assert_eq!(state().await, "pending");
    cloud.clock.advance(TimeDelta::seconds(6));
    assert_eq!(state().await, "running");
    let volumes = || async {
        let of = Filter::builder().name("attachment.instance-id").values(&id).build();
        ec2.describe_volumes().filters(of).send().await.unwrap().volumes().len()
    };
    assert_eq!(volumes().await, 1);
    let ended = ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    let change = &ended.terminating_instances()[0];
    assert_eq!(change.current_state().and_then(aws_sdk_ec2::types::InstanceState::code), Some(32));
    assert_eq!(change.previous_state().and_then(aws_sdk_ec2::types::InstanceState::code), Some(16));
    cloud.clock.advance(TimeDelta::seconds(11));
    assert_eq!(state().await, "terminated");
    assert_eq!(volumes().await, 0);
    assert!(ec2.terminate_instances().instance_ids(&id).send().await.is_ok(), "the same again is no error");
    cloud.clock.advance(TimeDelta::hours(1));
    assert_eq!(code(ec2.describe_instances().instance_ids(&id).send().await), "InvalidInstanceID.NotFound");
    let elsewhere = client(&cloud, "eu-west-1");
    assert!(elsewhere.describe_instances().send().await.unwrap().reservations().is_empty());
}

#[tokio::test]
async fn a_metadata_service_that_asks_for_a_token_gives_nothing_to_a_forged_request() {
    use aws_sdk_ec2::types::{HttpTokensState, InstanceMetadataEndpointState};
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, "us-east-1");
    let id = cloud.account.instances("us-east-1").remove(0);
    let state = || async {
        let found = ec2.describe_instances().instance_ids(&id).send().await.unwrap();
        let options = found.reservations()[0].instances()[0].metadata_options().unwrap().clone();
        (options.http_tokens().unwrap().as_str().to_owned(), options.state().unwrap().as_str().to_owned())
    };
    assert_eq!(state().await, ("optional".to_owned(), "applied".to_owned()));
    assert!(cloud.account.forged_request_credentials("us-east-1", &id).is_some());
    let modify = ec2.modify_instance_metadata_options().instance_id(&id);
    assert_eq!(code(modify.clone().send().await), "MissingParameter");
    let modify = modify.http_tokens(HttpTokensState::Required);
    assert_eq!(code(modify.clone().send().await), "InvalidParameterCombination", "without the endpoint");
    modify.http_endpoint(InstanceMetadataEndpointState::Enabled).send().await.unwrap();
    assert_eq!(state().await, ("required".to_owned(), "pending".to_owned()));
    cloud.clock.advance(TimeDelta::seconds(4));
    assert_eq!(state().await.1, "applied");
    assert!(cloud.account.forged_request_credentials("us-east-1", &id).is_none());
    assert!(cloud.account.instance_credentials("us-east-1", &id).is_some());
    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event("us-east-1", "ModifyInstanceMetadataOptions").await;
    assert_eq!(event["requestParameters"]["ModifyInstanceMetadataOptionsRequest"]["HttpTokens"], "required");
}

#[tokio::test]
async fn protection_keeps_an_instance_until_it_is_taken_away() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let id = launch(&ec2).await;
    cloud.clock.advance(TimeDelta::seconds(6));
    let flag = |on| AttributeBooleanValue::builder().value(on).build();
    let protect = |on| ec2.modify_instance_attribute().instance_id(&id).disable_api_termination(flag(on)).send();
    protect(true).await.unwrap();
    let asked = ec2.describe_instance_attribute().instance_id(&id);
    let asked = asked.attribute(InstanceAttributeName::DisableApiTermination).send().await.unwrap();
    assert_eq!(asked.disable_api_termination().and_then(aws_sdk_ec2::types::AttributeBooleanValue::value), Some(true));
    let (code_, message) = refusal(ec2.terminate_instances().instance_ids(&id).send().await);
    assert_eq!(code_, "OperationNotPermitted");
    assert!(message.contains("disableApiTermination"), "{message}");
    let keep_running = |on| ec2.modify_instance_attribute().instance_id(&id).disable_api_stop(flag(on)).send();
    keep_running(true).await.unwrap();
    assert_eq!(code(ec2.stop_instances().instance_ids(&id).send().await), "OperationNotPermitted");
    protect(false).await.unwrap();
    let (code_, message) = refusal(ec2.terminate_instances().instance_ids(&id).send().await);
    assert!(code_ == "OperationNotPermitted" && message.contains("disableApiStop"), "{message}");
    keep_running(false).await.unwrap();
    let dry = ec2.terminate_instances().instance_ids(&id).dry_run(true).send().await;
    assert_eq!(code(dry), "DryRunOperation");
    assert_eq!(cloud.account.instance_state(WEST, &id), Some("running"));
    ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    cloud.clock.advance(TimeDelta::seconds(11));
    assert_eq!(code(protect(true).await.map(|_| ())), "IncorrectInstanceState");
}

#[tokio::test]
async fn what_is_wrong_with_an_id_is_said() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let end = |id: &str| ec2.terminate_instances().instance_ids(id).send();
    assert_eq!(code(end("i-0123456789abcdef0").await), "InvalidInstanceID.NotFound");
    assert_eq!(code(end("i-x").await), "InvalidInstanceID.Malformed");
    let volume = ec2.create_snapshot().volume_id("vol-0123456789abcdef0").send().await;
    assert_eq!(code(volume), "InvalidVolume.NotFound");
    let id = launch(&ec2).await;
    let both = ec2.terminate_instances().instance_ids(&id).instance_ids("i-0123456789abcdef0").send().await;
    assert_eq!(code(both), "InvalidInstanceID.NotFound");
    assert_eq!(cloud.account.instance_state(WEST, &id), Some("pending"), "one bad id fails the whole batch");
    let denied = aws_sdk_ec2::Client::new(&cloud.config(cloud.keys("irp-bot"), WEST));
    let (code_, message) = refusal(denied.terminate_instances().instance_ids(&id).send().await);
    assert_eq!(code_, "UnauthorizedOperation");
    assert!(message.contains("ec2:TerminateInstances on resource: arn:aws:ec2:us-west-2:111122223333:instance/"));
}

#[tokio::test]
async fn an_instance_acts_with_the_role_of_its_profile() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let profile = IamInstanceProfileSpecification::builder().name("batch-worker").build();
    let ran = ec2.run_instances().image_id("ami-1").min_count(1).max_count(1).iam_instance_profile(profile);
    let ran = ran.instance_type(aws_sdk_ec2::types::InstanceType::T3Micro).send().await.unwrap();
    let id = ran.instances()[0].instance_id().unwrap();
    assert!(cloud.account.instance_credentials(WEST, id).is_none(), "it is not up yet");
    cloud.clock.advance(TimeDelta::seconds(6));
    let keys = cloud.account.instance_credentials(WEST, id).unwrap();
    let who = cloud.sts(keys.clone()).get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some(format!("arn:aws:sts::111122223333:assumed-role/batch-worker/{id}").as_str()));
    assert!(cloud.iam(keys.clone()).list_roles().send().await.is_ok());
    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event(WEST, "AssumeRole").await;
    assert_eq!(event["userIdentity"]["invokedBy"], "ec2.amazonaws.com");
    assert_eq!(event["requestParameters"]["roleSessionName"], id);
    assert_eq!(event["responseElements"]["credentials"]["accessKeyId"], keys.access_key_id.as_str());
    ec2.terminate_instances().instance_ids(id).send().await.unwrap();
    assert!(cloud.account.instance_credentials(WEST, id).is_none());

    let unknown = IamInstanceProfileSpecification::builder().name("none").build();
    let ran = ec2.run_instances().image_id("ami-1").min_count(1).max_count(1).iam_instance_profile(unknown);
    assert_eq!(code(ran.send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn the_trail_has_a_launch_and_an_end_in_their_region_and_no_secrets() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let ran = ec2.run_instances().image_id("ami-1").min_count(1).max_count(1).user_data("c2VjcmV0");
    let ran = ran.instance_type(aws_sdk_ec2::types::InstanceType::T3Micro).send().await.unwrap();
    let id = ran.instances()[0].instance_id().unwrap();
    ec2.create_key_pair().key_name("k").send().await.unwrap();
    ec2.terminate_instances().instance_ids(id).send().await.unwrap();
    cloud.clock.advance(TimeDelta::minutes(6));
    let event = cloud.event(WEST, "RunInstances").await;
    assert_eq!(event["eventSource"], "ec2.amazonaws.com");
    assert_eq!(event["awsRegion"], WEST);
    assert_eq!(event["requestParameters"]["userData"], "<sensitiveDataRemoved>");
    assert_eq!(event["requestParameters"]["instancesSet"]["items"][0]["imageId"], "ami-1");
    assert_eq!(event["responseElements"]["instancesSet"]["items"][0]["instanceId"], id);
    let event = cloud.event(WEST, "TerminateInstances").await;
    assert_eq!(event["requestParameters"]["instancesSet"]["items"][0]["instanceId"], id);
    let event = cloud.event(WEST, "CreateKeyPair").await;
    assert_eq!(event["requestParameters"]["keyName"], "k");
    assert_eq!(event["responseElements"]["keyMaterial"], "<sensitiveDataRemoved>");
    assert!(cloud.events("us-east-1", "RunInstances").await.is_empty());
}

#[tokio::test]
async fn a_snapshot_is_made_shared_and_taken_back() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, "us-east-1");
    let volume = ec2.describe_volumes().send().await.unwrap().volumes()[0].volume_id().unwrap().to_owned();
    let tag = aws_sdk_ec2::types::Tag::builder().key("incident").value("INC-1").build();
    let tags = aws_sdk_ec2::types::TagSpecification::builder()
        .resource_type(aws_sdk_ec2::types::ResourceType::Snapshot)
        .tags(tag)
        .build();
    let made = ec2.create_snapshot().volume_id(&volume).tag_specifications(tags).send().await.unwrap();
    let id = made.snapshot_id().unwrap();
    assert_eq!(made.state().map(aws_sdk_ec2::types::SnapshotState::as_str), Some("pending"));
    cloud.clock.advance(TimeDelta::seconds(30));
    let tagged = Filter::builder().name("tag:incident").values("INC-*").build();
    let found = ec2.describe_snapshots().owner_ids("self").filters(tagged).send().await.unwrap();
    assert_eq!(found.snapshots().len(), 1);
    assert_eq!(found.snapshots()[0].state().map(aws_sdk_ec2::types::SnapshotState::as_str), Some("completed"));

    let shared = || async {
        let asked = ec2.describe_snapshot_attribute().snapshot_id(id);
        let asked = asked.attribute(SnapshotAttributeName::CreateVolumePermission).send().await.unwrap();
        let who = asked.create_volume_permissions().iter();
        who.map(|p| {
            p.user_id().or_else(|| p.group().map(aws_sdk_ec2::types::PermissionGroup::as_str)).unwrap().to_owned()
        })
        .collect::<Vec<_>>()
    };
    let with = CreateVolumePermission::builder().user_id("444455556666").build();
    let all = CreateVolumePermission::builder().group(aws_sdk_ec2::types::PermissionGroup::All).build();
    let add = CreateVolumePermissionModifications::builder().add(with.clone()).add(all).build();
    let modify = |change| ec2.modify_snapshot_attribute().snapshot_id(id).create_volume_permission(change).send();
    modify(add).await.unwrap();
    assert_eq!(shared().await, ["444455556666", "all"]);
    modify(CreateVolumePermissionModifications::builder().remove(with).build()).await.unwrap();
    assert_eq!(shared().await, ["all"]);
    let wrong = CreateVolumePermission::builder().user_id("44445555").build();
    let wrong = modify(CreateVolumePermissionModifications::builder().add(wrong).build()).await;
    assert_eq!(code(wrong), "InvalidUserID.Malformed");
    let none = ec2.describe_snapshots().snapshot_ids("snap-0123456789abcdef0").send().await;
    assert_eq!(code(none), "InvalidSnapshot.NotFound");
}

#[tokio::test]
async fn key_pairs_are_one_of_a_name_and_gone_for_good() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let key = || aws_sdk_ec2::primitives::Blob::new("ssh-ed25519 AAAA me");
    let import = || ec2.import_key_pair().key_name("k").public_key_material(key()).send();
    import().await.unwrap();
    assert_eq!(code(import().await), "InvalidKeyPair.Duplicate");
    let shown = ec2.describe_key_pairs().include_public_key(true).send().await.unwrap();
    assert_eq!(shown.key_pairs()[0].public_key(), Some("ssh-ed25519 AAAA me"));
    ec2.delete_key_pair().key_name("k").send().await.unwrap();
    ec2.delete_key_pair().key_name("k").send().await.unwrap();
    assert_eq!(code(ec2.describe_key_pairs().key_names("k").send().await), "InvalidKeyPair.NotFound");
}

#[tokio::test]
async fn rules_are_added_once_and_revoked_by_what_they_say_or_by_their_id() {
    let cloud = Cloud::start().await;
    let ec2 = client(&cloud, WEST);
    let group = cloud.account.security_group(WEST, "default").unwrap();
    let ssh = |from: &str| {
        let range = IpRange::builder().cidr_ip(from).build();
        IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(range).build()
    };
    let open = |from: &str| ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(ssh(from)).send();
    let opened = open("198.51.100.77/32").await.unwrap();
    let rule = opened.security_group_rules()[0].security_group_rule_id().unwrap().to_owned();
    assert_eq!(code(open("198.51.100.77/32").await), "InvalidPermission.Duplicate");
    assert_eq!(code(open("198.51.100.77").await), "InvalidParameterValue");
    open("0.0.0.0/0").await.unwrap();
    let shown = ec2.describe_security_groups().group_ids(&group).send().await.unwrap();
    assert_eq!(shown.security_groups()[0].ip_permissions().len(), 2);
    let by_id = ec2.revoke_security_group_ingress().group_id(&group).security_group_rule_ids(&rule);
    by_id.clone().send().await.unwrap();
    assert_eq!(code(by_id.send().await), "InvalidSecurityGroupRuleId.NotFound");
    let spelled = ec2.revoke_security_group_ingress().group_id(&group).ip_permissions(ssh("0.0.0.0/0"));
    spelled.clone().send().await.unwrap();
    assert_eq!(code(spelled.send().await), "InvalidPermission.NotFound");
    assert!(cloud.account.ingress(WEST, &group).is_empty());
    let of = Filter::builder().name("group-id").values(&group).build();
    let rules = || ec2.describe_security_group_rules().filters(of.clone()).send();
    let left = rules().await.unwrap();
    assert!(matches!(left.security_group_rules(), [all] if all.is_egress() == Some(true)));
    let everything = left.security_group_rules()[0].security_group_rule_id().unwrap().to_owned();

    let out = || ec2.authorize_security_group_egress().group_id(&group).ip_permissions(ssh("198.51.100.77/32")).send();
    let let_out = out().await.unwrap();
    assert_eq!(code(out().await), "InvalidPermission.Duplicate");
    open("198.51.100.77/32").await.unwrap();
    let rule = let_out.security_group_rules()[0].security_group_rule_id().unwrap().to_owned();
    let incoming = ec2.revoke_security_group_ingress().group_id(&group).security_group_rule_ids(&rule);
    assert_eq!(code(incoming.send().await), "InvalidSecurityGroupRuleId.NotFound", "it is of the other direction");
    let shown = ec2.describe_security_groups().group_ids(&group).send().await.unwrap();
    let shown = &shown.security_groups()[0];
    assert_eq!((shown.ip_permissions().len(), shown.ip_permissions_egress().len()), (1, 2));
    for rule in [rule, everything] {
        ec2.revoke_security_group_egress().group_id(&group).security_group_rule_ids(rule).send().await.unwrap();
    }
    assert!(cloud.account.egress(WEST, &group).is_empty());
    assert_eq!(rules().await.unwrap().security_group_rules().len(), 1);
}

#[tokio::test]
async fn an_image_is_given_away_and_taken_back() {
    use aws_sdk_ec2::types::{ImageAttributeName, LaunchPermission, LaunchPermissionModifications, PermissionGroup};
    let cloud = Cloud::start().await;
    let ec2 = aws_sdk_ec2::Client::new(&cloud.config(cloud.admin(), "us-east-1"));
    let (image, shared) = cloud.account.images("us-east-1").remove(0);
    assert!(shared.is_empty());
    let all = LaunchPermission::builder().group(PermissionGroup::All).build();
    let modify = |change: LaunchPermissionModifications| {
        ec2.modify_image_attribute().image_id(&image).launch_permission(change).send()
    };
    modify(LaunchPermissionModifications::builder().add(all.clone()).build()).await.unwrap();
    let read =
        || ec2.describe_image_attribute().image_id(&image).attribute(ImageAttributeName::LaunchPermission).send();
    assert_eq!(read().await.unwrap().launch_permissions(), std::slice::from_ref(&all));
    let listed = ec2.describe_images().owners("self").send().await.unwrap();
    assert_eq!(listed.images()[0].public(), Some(true));
    modify(LaunchPermissionModifications::builder().remove(all).build()).await.unwrap();
    assert!(read().await.unwrap().launch_permissions().is_empty());
    let missing = ec2.describe_image_attribute().image_id("ami-0").attribute(ImageAttributeName::LaunchPermission);
    assert_eq!(code(missing.send().await), "InvalidAMIID.NotFound");
    cloud.clock.advance(chrono::TimeDelta::minutes(6));
    let events = cloud.events("us-east-1", "ModifyImageAttribute").await;
    let given = events.iter().find(|event| !event["requestParameters"]["launchPermission"]["add"].is_null()).unwrap();
    assert_eq!(given["requestParameters"]["launchPermission"]["add"]["items"][0]["group"], "all");
}
