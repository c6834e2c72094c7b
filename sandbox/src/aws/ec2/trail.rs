//! EC2's calls as `CloudTrail` writes them: lists as sets of items, times in milliseconds, secrets cut.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::wire::{Node, Params, decapitalised};

/// What stands for a secret.
const REMOVED: &str = "<sensitiveDataRemoved>";

/// Lists: the parameter, the set's name, and the name of a plain value in it.
const SETS: [(&str, &str, &str); 22] = [
    ("Add", "add", ""),
    ("BlockDeviceMapping", "blockDeviceMapping", ""),
    ("Filter", "filterSet", ""),
    ("GroupId", "securityGroupIdSet", "groupId"),
    ("InstanceId", "instancesSet", "instanceId"),
    ("IpPermissions", "ipPermissions", ""),
    ("IpRanges", "ipRanges", ""),
    ("Ipv6Ranges", "ipv6Ranges", ""),
    ("KeyName", "keySet", "keyName"),
    ("KeyPairId", "keyPairIdSet", "keyPairId"),
    ("Owner", "ownersSet", "owner"),
    ("RegionName", "regionSet", "regionName"),
    ("Remove", "remove", ""),
    ("ResourceId", "resourcesSet", "resourceId"),
    ("SecurityGroupId", "groupSet", "groupId"),
    ("SecurityGroupRuleId", "securityGroupRuleIds", "securityGroupRuleId"),
    ("SnapshotId", "snapshotSet", "snapshotId"),
    ("SpotInstanceRequestId", "spotInstanceRequestIdSet", "spotInstanceRequestId"),
    ("Tag", "tagSet", ""),
    ("TagSpecification", "tagSpecificationSet", ""),
    ("Value", "valueSet", "value"),
    ("VolumeId", "volumeSet", "volumeId"),
];

/// Parameters that are numbers.
const NUMBERS: [&str; 5] = ["FromPort", "ToPort", "MinCount", "MaxCount", "MaxResults"];
/// What a launch says of each instance stands in the set of instances.
const OF_EACH_INSTANCE: [&str; 4] = ["imageId", "minCount", "maxCount", "keyName"];

/// Newer calls: what was asked and answered stands in one more object, with its names as they are sent and its lists as
/// XML has them.
const WRAPPED: [&str; 10] = [
    "CancelSpotFleetRequests",
    "CreateFleet",
    "CreateLaunchTemplate",
    "CreateLaunchTemplateVersion",
    "DeleteFleets",
    "DeleteLaunchTemplate",
    "DeleteLaunchTemplateVersions",
    "ModifyInstanceMetadataOptions",
    "ModifyLaunchTemplate",
    "RequestSpotFleet",
];

#[derive(Default)]
struct Tree(BTreeMap<String, Tree>, Option<String>);

/// A call's parameters.
pub(in crate::aws) fn request(operation: &str, params: &Params) -> Value {
    let mut tree = Tree::default();
    for (name, value) in params.0.iter().filter(|(name, _)| !matches!(name.as_str(), "Action" | "Version")) {
        let place = name.split('.').fold(&mut tree, |tree, part| tree.0.entry(part.to_owned()).or_default());
        place.1 = Some(value.clone());
    }
    if WRAPPED.contains(&operation) {
        return json!({ format!("{operation}Request"): as_sent(&tree) });
    }
    let mut fields = Value::Object(members(&tree));
    for place in ["/userData", "/launchSpecification/userData"] {
        if let Some(secret) = fields.pointer_mut(place) {
            *secret = json!(REMOVED);
        }
    }
    let Value::Object(mut fields) = fields else { return Value::Null };
    match operation {
        "RunInstances" => {
            let each: Map<String, Value> =
                OF_EACH_INSTANCE.iter().filter_map(|name| Some(((*name).to_owned(), fields.remove(*name)?))).collect();
            fields.insert("instancesSet".to_owned(), json!({ "items": [each] }));
        }
        "ModifySnapshotAttribute" => {
            fields.insert("attributeType".to_owned(), json!("CREATE_VOLUME_PERMISSION"));
        }
        "ModifyImageAttribute" => {
            fields.insert("attributeType".to_owned(), json!("launchPermission"));
        }
        _ => {}
    }
    if fields.is_empty() { Value::Null } else { Value::Object(fields) }
}

fn as_sent(tree: &Tree) -> Value {
    let mut numbered: Vec<(usize, &Tree)> =
        tree.0.iter().filter_map(|(index, item)| Some((index.parse().ok()?, item))).collect();
    if !numbered.is_empty() {
        numbered.sort_by_key(|(index, _)| *index);
        let item = |(index, item): (usize, &Tree)| {
            let mut value = match &item.1 {
                Some(text) => json!({ "content": text }),
                None => as_sent(item),
            };
            value["tag"] = json!(index);
            value
        };
        return alone(numbered.into_iter().map(item).collect());
    }
    let one = |(name, branch): (&String, &Tree)| {
        let value = match &branch.1 {
            Some(_) if name == "UserData" => json!(REMOVED),
            Some(value) => scalar(name, value),
            None => as_sent(branch),
        };
        (name.clone(), value)
    };
    tree.0.iter().map(one).collect::<Map<_, _>>().into()
}

/// A list of one is that one.
fn alone(mut items: Vec<Value>) -> Value {
    if items.len() == 1 { items.remove(0) } else { Value::Array(items) }
}

fn members(tree: &Tree) -> Map<String, Value> {
    tree.0.iter().map(|(name, branch)| field(name, branch)).collect()
}

fn field(name: &str, branch: &Tree) -> (String, Value) {
    if let Some(value) = &branch.1 {
        return (decapitalised(name), scalar(name, value));
    }
    let mut numbered: Vec<(usize, &Tree)> =
        branch.0.iter().filter_map(|(index, item)| Some((index.parse().ok()?, item))).collect();
    if numbered.is_empty() {
        return (decapitalised(name), Value::Object(members(branch)));
    }
    numbered.sort_by_key(|(index, _)| *index);
    let known = SETS.iter().find(|(parameter, _, _)| *parameter == name);
    let own = decapitalised(name);
    let (set, plain) = known.map_or((own.as_str(), own.as_str()), |(_, set, plain)| (*set, *plain));
    let item = |(_, item): (usize, &Tree)| match &item.1 {
        Some(value) => json!({ plain: scalar(name, value) }),
        None => Value::Object(members(item)),
    };
    let items: Vec<Value> = numbered.into_iter().map(item).collect();
    (set.to_owned(), json!({ "items": items }))
}

fn scalar(name: &str, value: &str) -> Value {
    match value {
        "true" => json!(true),
        "false" => json!(false),
        text if NUMBERS.contains(&name) => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        text => json!(text),
    }
}

/// What a call answered, with its request id.
pub(in crate::aws) fn response(operation: &str, node: &Node, request_id: &str) -> Value {
    let wrapped = WRAPPED.contains(&operation);
    let mut value = answered(node, wrapped);
    if wrapped {
        if let Some(data) = value.pointer_mut("/launchTemplateVersion/launchTemplateData/userData") {
            *data = json!(REMOVED);
        }
        value["requestId"] = json!(request_id);
        return json!({ format!("{operation}Response"): value });
    }
    if let Some(fields) = value.as_object_mut() {
        fields.insert("requestId".to_owned(), json!(request_id));
        if let Some(flag) = fields.remove("return") {
            fields.insert("_return".to_owned(), flag);
        }
        if let Some(secret) = fields.get_mut("keyMaterial") {
            *secret = json!(REMOVED);
        }
    }
    value
}

fn answered(node: &Node, as_xml: bool) -> Value {
    let answered = |node: &Node| answered(node, as_xml);
    match node {
        Node::Text(text) => json!(text),
        Node::Flag(flag) => json!(flag),
        Node::Number(number) => json!(number),
        Node::Time(at) => json!(at.timestamp_millis()),
        Node::Members(nodes) if nodes.is_empty() && as_xml => json!(""),
        Node::Members(nodes) if nodes.is_empty() => json!({}),
        Node::Members(nodes) if as_xml => json!({ "item": alone(nodes.iter().map(answered).collect()) }),
        Node::Members(nodes) => json!({ "items": nodes.iter().map(answered).collect::<Vec<_>>() }),
        Node::Fields(fields) => {
            fields.iter().map(|(name, node)| ((*name).to_owned(), answered(node))).collect::<Map<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operation: &str, fields: &[(&str, &str)]) -> Value {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        request(operation, &Params(fields))
    }

    #[test]
    fn a_launch_has_its_instances_in_a_set_and_its_user_data_cut() {
        let fields = [
            ("Action", "RunInstances"),
            ("ImageId", "ami-1"),
            ("MaxCount", "1"),
            ("MinCount", "1"),
            ("InstanceType", "c5.4xlarge"),
            ("UserData", "IyEvYmluL3No"),
            ("IamInstanceProfile.Name", "batch"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", "n1"),
        ];
        let wanted = json!({
            "instancesSet": { "items": [{ "imageId": "ami-1", "minCount": 1, "maxCount": 1 }] },
            "instanceType": "c5.4xlarge",
            "userData": "<sensitiveDataRemoved>",
            "iamInstanceProfile": { "name": "batch" },
            "tagSpecificationSet": { "items": [{ "resourceType": "instance", "tagSet": { "items": [{ "key": "Name", "value": "n1" }] } }] },
        });
        assert_eq!(of("RunInstances", &fields), wanted);
    }

    #[test]
    fn newer_calls_have_their_lists_as_xml_has_them() {
        let asked = [("FleetId.1", "fleet-1"), ("TerminateInstances", "false")];
        let wanted = json!({ "DeleteFleetsRequest": {
            "FleetId": { "content": "fleet-1", "tag": 1 }, "TerminateInstances": false } });
        assert_eq!(of("DeleteFleets", &asked), wanted);
        let two = of("DeleteFleets", &[("FleetId.1", "fleet-1"), ("FleetId.2", "fleet-2")]);
        assert_eq!(two["DeleteFleetsRequest"]["FleetId"][1], json!({ "content": "fleet-2", "tag": 2 }));
        let ids = |ids: &[&str]| Node::Members(ids.iter().map(|id| Node::text(*id)).collect());
        let answer = |set: Node| response("CreateFleet", &Node::Fields(vec![("fleetInstanceSet", set)]), "r");
        let set = |names: &[&str]| Node::Members(vec![Node::Fields(vec![("instanceIds", ids(names))])]);
        let one = &answer(set(&["i-1"]))["CreateFleetResponse"]["fleetInstanceSet"];
        assert_eq!(*one, json!({ "item": { "instanceIds": { "item": "i-1" } } }));
        let two = &answer(set(&["i-1", "i-2"]))["CreateFleetResponse"]["fleetInstanceSet"];
        assert_eq!(*two, json!({ "item": { "instanceIds": { "item": ["i-1", "i-2"] } } }));
    }

    #[test]
    fn lists_of_plain_values_name_each() {
        let ids = [("InstanceId.1", "i-1"), ("InstanceId.2", "i-2")];
        let wanted = json!({ "instancesSet": { "items": [{ "instanceId": "i-1" }, { "instanceId": "i-2" }] } });
        assert_eq!(of("TerminateInstances", &ids), wanted);
        let shared = [("SnapshotId", "snap-1"), ("CreateVolumePermission.Add.1.UserId", "444455556666")];
        let wanted = json!({
            "snapshotId": "snap-1",
            "attributeType": "CREATE_VOLUME_PERMISSION",
            "createVolumePermission": { "add": { "items": [{ "userId": "444455556666" }] } },
        });
        assert_eq!(of("ModifySnapshotAttribute", &shared), wanted);
    }
}
