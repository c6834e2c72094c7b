//! EC2's calls, as the SDK makes them. What the catalogue writes for the command line is read back here.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, HttpTokensState, InstanceAttributeName,
    InstanceMetadataEndpointState, IpPermission, IpRange, Ipv6Range, LaunchPermission, LaunchPermissionModifications,
    PermissionGroup, PrefixListId, ResourceType, Tag, TagSpecification, UserIdGroupPair,
};
use serde_json::Value;

use super::{sent, several, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn make(ec2: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::CreateSnapshot { volume_id, description, tag_specifications } => {
            let request = ec2.create_snapshot().volume_id(volume_id).description(description);
            let Some(tags) = tags(tag_specifications) else { return unreadable(call) };
            sent(call, request.tag_specifications(tags).send()).await
        }
        ApiCall::ModifyInstanceAttribute { instance_id, attribute, value } => {
            let attribute = InstanceAttributeName::from(attribute.as_str());
            let request = ec2.modify_instance_attribute().instance_id(instance_id).attribute(attribute).value(value);
            sent(call, request.send()).await
        }
        ApiCall::ModifyInstanceMetadataOptions { instance_id, http_tokens, http_endpoint } => {
            let endpoint = http_endpoint.as_deref().map(InstanceMetadataEndpointState::from);
            let request = ec2.modify_instance_metadata_options().instance_id(instance_id).set_http_endpoint(endpoint);
            sent(call, request.http_tokens(HttpTokensState::from(http_tokens.as_str())).send()).await
        }
        ApiCall::TerminateInstances { instance_ids } => {
            sent(call, ec2.terminate_instances().instance_ids(instance_ids).send()).await
        }
        ApiCall::CancelSpotInstanceRequests { spot_instance_request_ids: id } => {
            sent(call, ec2.cancel_spot_instance_requests().spot_instance_request_ids(id).send()).await
        }
        ApiCall::DeleteFleets { .. }
        | ApiCall::CancelSpotFleetRequests { .. }
        | ApiCall::DeleteLaunchTemplateVersions { .. } => several::make(ec2, call).await,
        ApiCall::ModifyLaunchTemplate { launch_template_id: id, default_version } => {
            let request = ec2.modify_launch_template().launch_template_id(id);
            sent(call, request.default_version(default_version).send()).await
        }
        ApiCall::DeleteLaunchTemplate { launch_template_id: id } => {
            sent(call, ec2.delete_launch_template().launch_template_id(id).send()).await
        }
        ApiCall::DeleteKeyPair { key_name } => sent(call, ec2.delete_key_pair().key_name(key_name).send()).await,
        ApiCall::RevokeSecurityGroupIngress { group_id, security_group_rule_ids } => {
            let request = ec2.revoke_security_group_ingress().group_id(group_id);
            sent(call, request.security_group_rule_ids(security_group_rule_ids).send()).await
        }
        ApiCall::AuthorizeSecurityGroupIngress { group_id, ip_permissions } => {
            let Some(permissions) = permissions(ip_permissions) else { return unreadable(call) };
            let request = ec2.authorize_security_group_ingress().group_id(group_id);
            sent(call, request.set_ip_permissions(Some(permissions)).send()).await
        }
        ApiCall::RevokeSecurityGroupEgress { group_id, security_group_rule_ids } => {
            let request = ec2.revoke_security_group_egress().group_id(group_id);
            sent(call, request.security_group_rule_ids(security_group_rule_ids).send()).await
        }
        ApiCall::AuthorizeSecurityGroupEgress { group_id, ip_permissions } => {
            let Some(permissions) = permissions(ip_permissions) else { return unreadable(call) };
            let request = ec2.authorize_security_group_egress().group_id(group_id);
            sent(call, request.set_ip_permissions(Some(permissions)).send()).await
        }
        ApiCall::ModifySnapshotAttribute { snapshot_id, create_volume_permission } => {
            let Some(change) = sharing(create_volume_permission) else { return unreadable(call) };
            let request = ec2.modify_snapshot_attribute().snapshot_id(snapshot_id);
            sent(call, request.create_volume_permission(change).send()).await
        }
        ApiCall::ModifyImageAttribute { image_id, launch_permission } => {
            let Some(change) = launching(launch_permission) else { return unreadable(call) };
            let request = ec2.modify_image_attribute().image_id(image_id);
            sent(call, request.launch_permission(change).send()).await
        }
        other => unknown(other),
    }
}

/// Asks whether a call would work: it changes nothing, and AWS answers each time with an error. Nothing where it cannot be
/// asked of this call.
pub(super) async fn rehearse(ec2: &Client, call: &ApiCall) -> Option<CallAnswer> {
    let ApiCall::TerminateInstances { instance_ids } = call else { return None };
    Some(sent(call, ec2.terminate_instances().instance_ids(instance_ids).dry_run(true).send()).await)
}

fn unreadable(call: &ApiCall) -> CallAnswer {
    CallAnswer::Refused {
        code: "BadRequest".into(),
        message: format!("the parameters of {} cannot be read", call.iam_action()),
    }
}

/// `ResourceType=snapshot,Tags=[{Key=a,Value=b},{Key=c,Value=d}]`.
fn tags(text: &str) -> Option<TagSpecification> {
    let list = text.strip_prefix("ResourceType=snapshot,Tags=[{")?.strip_suffix("}]")?;
    let tag = |text: &str| {
        let (key, value) = text.strip_prefix("Key=")?.split_once(",Value=")?;
        Some(Tag::builder().key(key).value(value).build())
    };
    let tags: Vec<Tag> = list.split("},{").map(tag).collect::<Option<_>>()?;
    Some(TagSpecification::builder().resource_type(ResourceType::Snapshot).set_tags(Some(tags)).build())
}

fn permissions(text: &str) -> Option<Vec<IpPermission>> {
    let list: Vec<Value> = serde_json::from_str(text).ok()?;
    list.iter().map(permission).collect()
}

fn permission(value: &Value) -> Option<IpPermission> {
    let port = |name: &str| value[name].as_i64().and_then(|port| i32::try_from(port).ok());
    let texts = |list: &str, field: &str| -> Vec<String> {
        let items = value[list].as_array().into_iter().flatten();
        items.filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
    };
    let v4 = texts("IpRanges", "CidrIp").into_iter().map(|cidr| IpRange::builder().cidr_ip(cidr).build());
    let v6 = texts("Ipv6Ranges", "CidrIpv6").into_iter().map(|cidr| Ipv6Range::builder().cidr_ipv6(cidr).build());
    let groups = texts("UserIdGroupPairs", "GroupId").into_iter();
    let groups = groups.map(|id| UserIdGroupPair::builder().group_id(id).build());
    let lists = texts("PrefixListIds", "PrefixListId").into_iter();
    let lists = lists.map(|id| PrefixListId::builder().prefix_list_id(id).build());
    Some(
        IpPermission::builder()
            .ip_protocol(value["IpProtocol"].as_str()?)
            .set_from_port(port("FromPort"))
            .set_to_port(port("ToPort"))
            .set_ip_ranges(listed(v4))
            .set_ipv6_ranges(listed(v6))
            .set_user_id_group_pairs(listed(groups))
            .set_prefix_list_ids(listed(lists))
            .build(),
    )
}

/// An empty list is not sent.
fn listed<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn sharing(text: &str) -> Option<CreateVolumePermissionModifications> {
    let one = |who: &Who| match who {
        Who::Account(id) => CreateVolumePermission::builder().user_id(id).build(),
        Who::Group(name) => CreateVolumePermission::builder().group(PermissionGroup::from(name.as_str())).build(),
    };
    let [add, remove] = modification(text)?.map(|list| list.map(|who| who.iter().map(one).collect()));
    Some(CreateVolumePermissionModifications::builder().set_add(add).set_remove(remove).build())
}

fn launching(text: &str) -> Option<LaunchPermissionModifications> {
    let one = |who: &Who| match who {
        Who::Account(id) => LaunchPermission::builder().user_id(id).build(),
        Who::Group(name) => LaunchPermission::builder().group(PermissionGroup::from(name.as_str())).build(),
    };
    let [add, remove] = modification(text)?.map(|list| list.map(|who| who.iter().map(one).collect()));
    Some(LaunchPermissionModifications::builder().set_add(add).set_remove(remove).build())
}

/// Who may use something.
enum Who {
    Account(String),
    Group(String),
}

/// Whom to add and whom to remove: `{"Remove":[{"UserId":"444455556666"},{"Group":"all"}]}`.
fn modification(text: &str) -> Option<[Option<Vec<Who>>; 2]> {
    let change: Value = serde_json::from_str(text).ok()?;
    let one = |item: &Value| match (item["UserId"].as_str(), item["Group"].as_str()) {
        (Some(user), None) => Some(Who::Account(user.to_owned())),
        (None, Some(group)) => Some(Who::Group(group.to_owned())),
        _ => None,
    };
    let list = |name: &str| match change.get(name) {
        None => Some(None),
        Some(items) => Some(Some(items.as_array()?.iter().map(one).collect::<Option<Vec<_>>>()?)),
    };
    Some([list("Add")?, list("Remove")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_command_line_takes_is_what_is_sent() {
        let read = tags("ResourceType=snapshot,Tags=[{Key=a,Value=b},{Key=c,Value=d}]").unwrap();
        assert_eq!(read.tags().len(), 2);
        assert_eq!(read.tags()[1].value(), Some("d"));
        let rule = r#"[{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]"#;
        let read = permissions(rule).unwrap();
        assert_eq!(read[0].from_port(), Some(22));
        assert_eq!(read[0].ip_ranges()[0].cidr_ip(), Some("0.0.0.0/0"));
        let read = sharing(r#"{"Remove":[{"UserId":"444455556666"},{"Group":"all"}]}"#).unwrap();
        assert_eq!((read.add().len(), read.remove().len()), (0, 2));
        let read = launching(r#"{"Add":[{"Group":"all"}]}"#).unwrap();
        assert_eq!((read.add().len(), read.remove().len()), (1, 0));
        for text in ["", "{}x", "[1]", "{\"Add\":[{}]}"] {
            assert!(tags(text).is_none() && sharing(text).is_none_or(|s| s.add().is_empty()), "{text}");
        }
    }
}
