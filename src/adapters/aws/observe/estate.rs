//! Reads machines, functions, doors and what watches the account, in the Region that each is in.

use aws_sdk_cloudtrail::types::LookupAttributeKey;
use aws_sdk_ec2::types::{
    ImageAttributeName, InstanceAttributeName, InstanceMetadataOptionsState, PermissionGroup, SnapshotAttributeName,
};
use aws_smithy_types::base64;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::AccountClients;
use super::super::fault::{fault, has_no_function_urls, is_missing};
use super::super::regional::Regional;
use crate::domain::observation::{
    ChangedFunction, EventSource, Function, Instance, KeyPair, Metadata, Observation, Opened, PublishedCode, Rule,
    Sharing, Source, Url, Volume, Watching,
};
use crate::ports::CloudError;

/// Events that are looked up for one question; each takes half a second. Of more, nobody says what they did.
const EVENTS_MAX: usize = 12;

/// In what GuardDuty says of a detector that is gone.
const NOT_OWNED: &str = "detectorId is not owned by the current account";

/// The tag that AWS gives to an instance of an Auto Scaling group, and takes off one that leaves it: the group's name.
const SCALED_BY: &str = "aws:autoscaling:groupName";
/// The tags that AWS gives to an instance of a fleet: the fleet's id.
const FLEETS: [&str; 2] = ["aws:ec2:fleet-id", "aws:ec2spot:fleet-request-id"];

/// What Lambda calls an event source mapping that calls nothing any more: it shows itself for some seconds.
const DELETING: &str = "Deleting";
/// How Lambda writes times.
const LAST_MODIFIED: &str = "%Y-%m-%dT%H:%M:%S%.f%z";

type Read<T> = Result<T, CloudError>;

/// What is not there is an answer, not an error. The SDK's futures are large.
macro_rules! asked {
    ($operation:literal, $call:expr) => {
        match Box::pin($call).await.map_err(|e| fault($operation, &e)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    };
}
pub(super) use asked;

pub(super) fn arn(account: &AccountClients, service: &str, region: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{region}:{}:{resource}", account.settings.id)
}

/// User data often has passwords and tokens of the owner's in it: by its SHA-256 a change shows, and no more than that is
/// kept. AWS gives it in base64.
pub(super) fn user_data(text: Option<&str>) -> Option<String> {
    let text = text.filter(|text| !text.is_empty())?;
    let plain = base64::decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
    Some(format!("sha256:{}", hex::encode(Sha256::digest(plain))))
}

/// Those that AWS leaves when the instance ends.
fn kept_interfaces(found: &aws_sdk_ec2::types::Instance) -> Vec<String> {
    let stays = |interface: &&aws_sdk_ec2::types::InstanceNetworkInterface| {
        interface.attachment().is_some_and(|attached| attached.delete_on_termination() == Some(false))
    };
    let kept = found.network_interfaces().iter().filter(stays);
    let mut ids: Vec<String> =
        kept.filter_map(|interface| interface.network_interface_id().map(str::to_owned)).collect();
    ids.sort();
    ids
}

pub(super) async fn instance(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let asked = asked!("ec2:DescribeInstances", ec2.describe_instances().instance_ids(id).send())?;
    let reservations = asked.and_then(|answer| answer.reservations).unwrap_or_default();
    let found = reservations.into_iter().flat_map(|held| held.instances.unwrap_or_default()).next();
    let state = |found: &aws_sdk_ec2::types::Instance| {
        found.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned()).unwrap_or_default()
    };
    // Nothing runs any more in one that is shutting down.
    let found = found.filter(|found| !matches!(state(found).as_str(), "shutting-down" | "terminated"));
    let Some(found) = found else { return Ok(Observation::OwnerMissing) };
    let attribute = |name| ec2.describe_instance_attribute().instance_id(id).attribute(name).send();
    let (protection, stop, user_data) = tokio::try_join!(
        async { asked!("ec2:DescribeInstanceAttribute", attribute(InstanceAttributeName::DisableApiTermination)) },
        async { asked!("ec2:DescribeInstanceAttribute", attribute(InstanceAttributeName::DisableApiStop)) },
        async { asked!("ec2:DescribeInstanceAttribute", attribute(InstanceAttributeName::UserData)) },
    )?;
    let protected = protection.and_then(|answer| answer.disable_api_termination?.value).unwrap_or_default();
    let stop_protected = stop.and_then(|answer| answer.disable_api_stop?.value).unwrap_or_default();
    let user_data = user_data.and_then(|answer| answer.user_data?.value);
    let user_data = self::user_data(user_data.as_deref());
    let volumes = found.block_device_mappings().iter().filter_map(|mapping| {
        let ebs = mapping.ebs()?;
        let id = ebs.volume_id()?.to_owned();
        let volume = Volume {
            arn: arn(account, "ec2", region, &format!("volume/{id}")),
            device: mapping.device_name().unwrap_or_default().to_owned(),
            deleted_with_instance: ebs.delete_on_termination().unwrap_or_default(),
        };
        Some((id, volume))
    });
    let tag = |key: &str| found.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value());
    let scaled_by = match tag(SCALED_BY) {
        Some(group) => super::scaling::scaled_by(account, region, group, id).await?,
        None => None,
    };
    let spot = match found.spot_instance_request_id() {
        Some(request) => super::scaling::spot(account, region, request).await?.map(Box::new),
        None => None,
    };
    let fleet = match FLEETS.into_iter().find_map(tag) {
        Some(fleet) => super::fleets::kept_up_by(account, region, fleet).await?,
        None => None,
    };
    Ok(Observation::Instance(Instance {
        id: id.to_owned(),
        arn: arn(account, "ec2", region, &format!("instance/{id}")),
        launched_at: found.launch_time().map(ToString::to_string).unwrap_or_default(),
        state: state(&found),
        instance_type: found.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        image_id: found.image_id().unwrap_or_default().to_owned(),
        key_name: found.key_name().map(str::to_owned),
        profile: found.iam_instance_profile().and_then(|profile| profile.arn()).map(str::to_owned),
        protected,
        stop_protected,
        user_data,
        groups: found.security_groups().iter().filter_map(|group| group.group_id().map(str::to_owned)).collect(),
        volumes: volumes.collect(),
        kept_interfaces: kept_interfaces(&found),
        snapshots_arn: format!("arn:aws:ec2:{region}::snapshot/*"),
        scaled_by,
        spot,
        fleet,
        metadata: found.metadata_options().map(|options| Metadata {
            tokens: options.http_tokens().map(|word| word.as_str().to_owned()).unwrap_or_default(),
            hop_limit: options.http_put_response_hop_limit().unwrap_or_default(),
            endpoint: options.http_endpoint().map(|word| word.as_str().to_owned()).unwrap_or_default(),
            applied: options.state() == Some(&InstanceMetadataOptionsState::Applied),
        }),
        tags: found.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect(),
    }))
}

pub(in crate::adapters::aws) async fn function(
    account: &AccountClients,
    region: &str,
    name: &str,
) -> Read<Observation> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    let asked =
        asked!("lambda:GetFunctionConfiguration", lambda.get_function_configuration().function_name(name).send());
    let Some(found) = asked? else { return Ok(Observation::OwnerMissing) };
    let own = arn(account, "lambda", region, &format!("function:{name}"));
    let (policy, url, sources, versions, rules) = tokio::try_join!(
        async { asked!("lambda:GetPolicy", lambda.get_policy().function_name(name).send()) },
        async {
            let asked =
                asked!("lambda:GetFunctionUrlConfig", lambda.get_function_url_config().function_name(name).send());
            match asked {
                Err(error) if has_no_function_urls(&error) => Ok(None),
                asked => asked,
            }
        },
        async {
            asked!(
                "lambda:ListEventSourceMappings",
                lambda.list_event_source_mappings().function_name(name).into_paginator().items().send().try_collect()
            )
        },
        async {
            asked!(
                "lambda:ListVersionsByFunction",
                lambda.list_versions_by_function().function_name(name).into_paginator().items().send().try_collect()
            )
        },
        super::rules::calling(account, region, &own),
    )?;
    let sources: Vec<aws_sdk_lambda::types::EventSourceMappingConfiguration> = sources.unwrap_or_default();
    let versions: Vec<aws_sdk_lambda::types::FunctionConfiguration> = versions.unwrap_or_default();
    let source = |mapping: aws_sdk_lambda::types::EventSourceMappingConfiguration| {
        if mapping.state() == Some(DELETING) {
            return None;
        }
        let id = mapping.uuid?;
        let own = arn(account, "lambda", region, &format!("event-source-mapping:{id}"));
        Some((id, Source { arn: own, from: mapping.event_source_arn.unwrap_or_default() }))
    };
    let variables = found.environment().and_then(|environment| environment.variables());
    let mut variables: Vec<String> = variables.into_iter().flat_map(|named| named.keys().cloned()).collect();
    variables.sort();
    Ok(Observation::Function(Function {
        name: name.to_owned(),
        arn: own,
        role: found.role.unwrap_or_default(),
        runtime: found.runtime.map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
        handler: found.handler.unwrap_or_default(),
        code_sha256: found.code_sha256.unwrap_or_default(),
        revision: found.revision_id.unwrap_or_default(),
        changed_at: found.last_modified.unwrap_or_default(),
        variables,
        policy: policy.and_then(|answer| answer.policy),
        url: url.map(|url| Url { address: url.function_url, auth: url.auth_type.as_str().to_owned() }),
        sources: sources.into_iter().filter_map(source).collect(),
        versions: versions
            .into_iter()
            .filter(|version| version.version.as_deref() != Some("$LATEST"))
            .filter_map(|version| Some((version.version?, version.code_sha256?)))
            .collect(),
        rules,
        layers: found.layers.unwrap_or_default().into_iter().filter_map(|layer| layer.arn).collect(),
    }))
}

pub(super) async fn changed_function(
    account: &AccountClients,
    region: &str,
    name: &str,
    event_ids: &[String],
) -> Read<Observation> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    let versions = async {
        let asked =
            lambda.list_versions_by_function().function_name(name).into_paginator().items().send().try_collect();
        asked!("lambda:ListVersionsByFunction", asked)
    };
    let (function, versions, proof) =
        tokio::try_join!(function(account, region, name), versions, events(account, region, event_ids))?;
    let Observation::Function(function) = function else { return Ok(Observation::OwnerMissing) };
    let times = proof.iter().filter_map(|event| event["eventTime"].as_str()?.parse::<DateTime<Utc>>().ok());
    // Without the first of them, a version that the attacker has published would count as one from before.
    let is_first = |event: &Value| event_ids.first().is_some_and(|id| event["eventID"] == id.as_str());
    let first_changed_at = times.min().filter(|_| proof.iter().any(is_first));
    let versions: Vec<aws_sdk_lambda::types::FunctionConfiguration> = versions.unwrap_or_default();
    let published = versions.into_iter().filter_map(|version| {
        let changed_at = version.last_modified?;
        let at = DateTime::parse_from_str(&changed_at, LAST_MODIFIED).ok()?;
        let number: u64 = version.version?.parse().ok()?;
        let bytes = u64::try_from(version.code_size).ok();
        let (version, code_sha256) = (number.to_string(), version.code_sha256?);
        (at < first_changed_at?).then_some((number, PublishedCode { version, code_sha256, bytes, changed_at }))
    });
    let previous = published.max_by_key(|(number, _)| *number).map(|(_, published)| published);
    let first_changed_at = first_changed_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
    Ok(Observation::ChangedFunction(ChangedFunction { function, first_changed_at, previous }))
}

pub(super) async fn event_source(account: &AccountClients, region: &str, uuid: &str) -> Read<Observation> {
    let Regional { lambda, .. } = &*account.regions.of(region);
    let found = asked!("lambda:GetEventSourceMapping", lambda.get_event_source_mapping().uuid(uuid).send())?;
    let found = found.filter(|found| found.state() != Some(DELETING));
    let Some(found) = found else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::EventSource(EventSource {
        uuid: uuid.to_owned(),
        arn: arn(account, "lambda", region, &format!("event-source-mapping:{uuid}")),
        from: found.event_source_arn.unwrap_or_default(),
        function: found.function_arn.unwrap_or_default(),
        state: found.state.unwrap_or_default(),
    }))
}

pub(super) async fn key_pair(account: &AccountClients, region: &str, name: &str) -> Read<Observation> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let request = ec2.describe_key_pairs().key_names(name).include_public_key(true);
    let asked = asked!("ec2:DescribeKeyPairs", request.send())?;
    let found = asked.and_then(|answer| answer.key_pairs).and_then(|pairs| pairs.into_iter().next());
    let Some(found) = found else { return Ok(Observation::OwnerMissing) };
    Ok(Observation::KeyPair(KeyPair {
        id: found.key_pair_id.unwrap_or_default(),
        arn: arn(account, "ec2", region, &format!("key-pair/{name}")),
        name: name.to_owned(),
        fingerprint: found.key_fingerprint.unwrap_or_default(),
        public_key: found.public_key,
    }))
}

/// Whether all of these events were found: what one that is missing has done would count as undone.
fn is_whole(proof: &[Value], event_ids: &[String]) -> bool {
    event_ids.iter().all(|id| proof.iter().any(|event| event["eventID"] == id.as_str()))
}

/// Those of these events that the history of the Region still shows, the first so many.
async fn events(account: &AccountClients, region: &str, event_ids: &[String]) -> Read<Vec<Value>> {
    let trail = account.trail(region)?;
    let mut found = Vec::new();
    for id in event_ids.iter().take(EVENTS_MAX) {
        let looked = trail.look_up(LookupAttributeKey::EventId, id, None, 1).await?;
        let worked = |event: &Value| event["eventID"] == id.as_str() && event["errorCode"].is_null();
        found.extend(looked.events.into_iter().filter(worked));
    }
    Ok(found)
}

pub(super) async fn opened(
    account: &AccountClients,
    region: &str,
    group_id: &str,
    egress: bool,
    event_ids: &[String],
) -> Read<Observation> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let group =
        async { asked!("ec2:DescribeSecurityGroups", ec2.describe_security_groups().group_ids(group_id).send()) };
    let rules = async {
        let of = aws_sdk_ec2::types::Filter::builder().name("group-id").values(group_id).build();
        asked!(
            "ec2:DescribeSecurityGroupRules",
            ec2.describe_security_group_rules().filters(of).into_paginator().items().send().try_collect()
        )
    };
    let (group, rules, proof) = tokio::try_join!(group, rules, events(account, region, event_ids))?;
    if group.is_none_or(|answer| answer.security_groups().is_empty()) {
        return Ok(Observation::OwnerMissing);
    }
    let rules: Vec<aws_sdk_ec2::types::SecurityGroupRule> = rules.unwrap_or_default();
    let added: Vec<Rule> = proof
        .iter()
        .flat_map(|event| items(&event["responseElements"]["securityGroupRuleSet"]))
        .filter(|item| (item["isEgress"] == true) == egress)
        .filter_map(rule_of_event)
        .collect();
    let there = rules.iter().filter(|rule| (rule.is_egress() == Some(true)) == egress).filter_map(rule_of_ec2);
    let (rules, alike) = told_apart(there.collect(), &added);
    Ok(Observation::Opened(Opened {
        group_id: group_id.to_owned(),
        arn: arn(account, "ec2", region, &format!("security-group/{group_id}")),
        egress,
        rules,
        alike,
        proven: !added.is_empty() && is_whole(&proof, event_ids),
    }))
}

/// Those that the events have added, and those that let the same through and that somebody has added since: they have other
/// ids. Of an event that does not say the id, only the content is known.
fn told_apart(there: Vec<Rule>, added: &[Rule]) -> (Vec<Rule>, Vec<Rule>) {
    let same = |rule: &Rule, other: &Rule| {
        (&rule.protocol, rule.from_port, rule.to_port, &rule.source)
            == (&other.protocol, other.from_port, other.to_port, &other.source)
    };
    let is_it = |rule: &Rule, other: &Rule| same(rule, other) && (other.id.is_empty() || rule.id == other.id);
    let mut found: Vec<Rule> = there.into_iter().filter(|rule| added.iter().any(|other| same(rule, other))).collect();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found.into_iter().partition(|rule| added.iter().any(|other| is_it(rule, other)))
}

fn items(set: &Value) -> Vec<&Value> {
    set["items"].as_array().into_iter().flatten().collect()
}

fn rule_of_event(item: &Value) -> Option<Rule> {
    let port = |name: &str| item[name].as_i64().and_then(|port| i32::try_from(port).ok()).unwrap_or(-1);
    let source = ["cidrIpv4", "cidrIpv6", "prefixListId"].iter().find_map(|name| item[*name].as_str());
    let source = source.or_else(|| item["referencedGroupInfo"]["groupId"].as_str())?;
    Some(Rule {
        id: item["securityGroupRuleId"].as_str().unwrap_or_default().to_owned(),
        protocol: item["ipProtocol"].as_str().unwrap_or_default().to_owned(),
        from_port: port("fromPort"),
        to_port: port("toPort"),
        source: source.to_owned(),
    })
}

fn rule_of_ec2(rule: &aws_sdk_ec2::types::SecurityGroupRule) -> Option<Rule> {
    let group = rule.referenced_group_info().and_then(|group| group.group_id());
    let source = rule.cidr_ipv4().or(rule.cidr_ipv6()).or(rule.prefix_list_id()).or(group)?;
    Some(Rule {
        id: rule.security_group_rule_id()?.to_owned(),
        protocol: rule.ip_protocol().unwrap_or_default().to_owned(),
        from_port: rule.from_port().unwrap_or(-1),
        to_port: rule.to_port().unwrap_or(-1),
        source: source.to_owned(),
    })
}

pub(super) async fn sharing(
    account: &AccountClients,
    region: &str,
    id: &str,
    event_ids: &[String],
) -> Read<Observation> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let request = ec2.describe_snapshot_attribute().snapshot_id(id);
    let request = request.attribute(SnapshotAttributeName::CreateVolumePermission);
    let shared = async { asked!("ec2:DescribeSnapshotAttribute", request.send()) };
    let (shared, proof) = tokio::try_join!(shared, events(account, region, event_ids))?;
    let Some(shared) = shared else { return Ok(Observation::OwnerMissing) };
    let now = shared.create_volume_permissions().iter();
    let now = now.filter_map(|one| one.user_id().or_else(|| one.group().map(PermissionGroup::as_str)));
    let arn = format!("arn:aws:ec2:{region}::snapshot/{id}");
    Ok(shared_by((&proof, event_ids), "createVolumePermission", id, arn, now))
}

pub(super) async fn image_sharing(
    account: &AccountClients,
    region: &str,
    id: &str,
    event_ids: &[String],
) -> Read<Observation> {
    let Regional { ec2, .. } = &*account.regions.of(region);
    let request = ec2.describe_image_attribute().image_id(id).attribute(ImageAttributeName::LaunchPermission);
    let shared = async { asked!("ec2:DescribeImageAttribute", request.send()) };
    let (shared, proof) = tokio::try_join!(shared, events(account, region, event_ids))?;
    let Some(shared) = shared else { return Ok(Observation::OwnerMissing) };
    let now = shared.launch_permissions().iter();
    let now = now.filter_map(|one| one.user_id().or_else(|| one.group().map(PermissionGroup::as_str)));
    let arn = format!("arn:aws:ec2:{region}::image/{id}");
    Ok(shared_by((&proof, event_ids), "launchPermission", id, arn, now))
}

/// Those of `now` whom the events have let in.
fn shared_by<'a>(
    (proof, event_ids): (&[Value], &[String]),
    permission: &str,
    id: &str,
    arn: String,
    now: impl Iterator<Item = &'a str>,
) -> Observation {
    let added = proof.iter().flat_map(|event| items(&event["requestParameters"][permission]["add"]));
    let added: Vec<&str> =
        added.filter_map(|item| item["userId"].as_str().or_else(|| item["group"].as_str())).collect();
    let mut with: Vec<String> = now.filter(|who| added.contains(who)).map(str::to_owned).collect();
    with.sort();
    let proven = !added.is_empty() && is_whole(proof, event_ids);
    Observation::Sharing(Sharing { id: id.to_owned(), arn, with, proven })
}

pub(super) async fn trail(account: &AccountClients, region: &str, name: &str) -> Read<Observation> {
    let Regional { cloudtrail, .. } = &*account.regions.of(region);
    let own = arn(account, "cloudtrail", region, &format!("trail/{name}"));
    let own = if name.starts_with("arn:") { name.to_owned() } else { own };
    let asked = asked!("cloudtrail:GetTrailStatus", cloudtrail.get_trail_status().name(&own).send())?;
    Ok(asked.map_or(Observation::OwnerMissing, |status| {
        let failing = status.latest_delivery_error().filter(|error| !error.is_empty()).map(str::to_owned);
        Observation::Watching(Watching { arn: own, on: status.is_logging().unwrap_or_default(), failing })
    }))
}

pub(super) async fn detector(account: &AccountClients, region: &str, id: &str) -> Read<Observation> {
    let Regional { guardduty, .. } = &*account.regions.of(region);
    let asked = match asked!("guardduty:GetDetector", guardduty.get_detector().detector_id(id).send()) {
        // GuardDuty's way to say that there is none.
        Err(CloudError::Refused { code, message, .. })
            if code == "BadRequestException" && message.contains(NOT_OWNED) =>
        {
            None
        }
        asked => asked?,
    };
    Ok(asked.map_or(Observation::OwnerMissing, |found| {
        let on = found.status().is_some_and(|status| status.as_str() == "ENABLED");
        let arn = arn(account, "guardduty", region, &format!("detector/{id}"));
        Observation::Watching(Watching { arn, on, failing: None })
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_interface_that_ends_with_its_instance_is_not_left() {
        use aws_sdk_ec2::types::{Instance, InstanceNetworkInterface, InstanceNetworkInterfaceAttachment};
        let interface = |id: &str, ends: bool| {
            let attached = InstanceNetworkInterfaceAttachment::builder().delete_on_termination(ends).build();
            InstanceNetworkInterface::builder().network_interface_id(id).attachment(attached).build()
        };
        let all = [interface("eni-2", false), interface("eni-0", true), interface("eni-1", false)];
        let found = Instance::builder().set_network_interfaces(Some(all.to_vec())).build();
        assert_eq!(kept_interfaces(&found), ["eni-1", "eni-2"]);
    }

    #[test]
    fn a_rule_of_the_same_content_that_was_added_later_is_not_the_attackers() {
        let rule = |id: &str, port: i32| {
            let (protocol, source) = ("tcp".to_owned(), "0.0.0.0/0".to_owned());
            Rule { id: id.to_owned(), protocol, from_port: port, to_port: port, source }
        };
        let ids = |rules: &[Rule]| rules.iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
        let of = |there: &[(&str, i32)], added: &[(&str, i32)]| {
            let all = |rules: &[(&str, i32)]| rules.iter().map(|(id, port)| rule(id, *port)).collect::<Vec<_>>();
            let (theirs, alike) = told_apart(all(there), &all(added));
            (ids(&theirs).join(" "), ids(&alike).join(" "))
        };
        let said = |theirs: &str, alike: &str| (theirs.to_owned(), alike.to_owned());
        let there = [("sgr-3", 443), ("sgr-2", 22), ("sgr-1", 80)];
        assert_eq!(of(&there, &[("sgr-2", 22), ("sgr-1", 80)]), said("sgr-1 sgr-2", ""));
        assert_eq!(of(&there, &[("sgr-0", 22), ("sgr-1", 80)]), said("sgr-1", "sgr-2"), "the owner has added it since");
        assert_eq!(of(&there, &[("sgr-1", 22)]), said("", "sgr-2"), "sgr-1 was changed to something else since");
        assert_eq!(of(&there, &[("", 22)]), said("sgr-2", ""), "the event does not say the id");
    }

    #[test]
    fn what_a_missing_event_has_done_does_not_count_as_undone() {
        let event = |id: &str, who: &str| {
            let permission = json!({"add": {"items": [{"userId": who}]}});
            json!({"eventID": id, "requestParameters": {"createVolumePermission": permission}})
        };
        let proof = [event("e-1", "444455556666")];
        let of = |ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let now = ["444455556666", "777788889999"].into_iter();
            match shared_by((&proof, &ids), "createVolumePermission", "snap-1", String::new(), now) {
                Observation::Sharing(sharing) => (sharing.with, sharing.proven),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(&["e-1"]), (vec!["444455556666".to_owned()], true));
        assert!(!of(&["e-1", "e-2"]).1, "the other account can be the attacker's too");
    }
}
