//! What a thing stands in, where its name alone does not say which it is: a rule's event bus, a schedule's group, a service's
//! cluster. What stands where all do unless somebody says otherwise goes by its name alone.

use serde_json::Value;

use super::record::Record;
use super::resource::at;
use super::token::{account_of, bare_name};

/// The kinds that have such a place, and how the AWS CLI is told which it is.
const PLACED: [(&str, &str); 3] = [
    ("AWS::ECS::Service", "--cluster"),
    ("AWS::Events::Rule", "--event-bus-name"),
    ("AWS::Scheduler::Schedule", "--group-name"),
];
/// Where all stand unless somebody says otherwise.
pub const DEFAULT: &str = "default";
/// In the ARN of an event bus.
const BUS: &str = ":event-bus/";

/// The event bus that a call names, where that is not the default one of this account. Another account's is called as in its
/// ARN, from the partition on.
pub fn event_bus(account: &str, named: &str) -> Option<String> {
    let Some((_, bus)) = named.split_once(BUS) else { return (named != DEFAULT).then(|| named.to_owned()) };
    if !account.is_empty() && account_of(named) != account {
        return Some(named.trim_start_matches("arn:").to_owned());
    }
    (bus != DEFAULT).then(|| bus.to_owned())
}

/// The id of a rule on this event bus of the account's own.
pub fn rule_on(bus: &str, rule: &str) -> String {
    if bus == DEFAULT { rule.to_owned() } else { format!("{bus}/{rule}") }
}

/// The id of a thing, with what it stands in before it.
pub(super) fn placed(kind: &str, id: String, record: &Record<'_>, request: &Value) -> String {
    let first = |path: &str| at(request, path).into_iter().next();
    let (place, name) = match kind {
        "AWS::Events::Rule" => {
            let account = record.recipient_account_id.as_deref().unwrap_or("");
            (first("eventBusName").and_then(|bus| event_bus(account, &bus)), id)
        }
        "AWS::Scheduler::Schedule" => (first("groupName"), id),
        "AWS::ECS::Service" => in_cluster(&id, first("cluster")),
        _ => return id,
    };
    match place.filter(|place| place != DEFAULT) {
        Some(place) => format!("{place}/{name}"),
        None => name,
    }
}

/// The cluster of a service and its name. The older ARNs have no cluster in them.
fn in_cluster(service: &str, cluster: Option<String>) -> (Option<String>, String) {
    let named = service.split_once(":service/").map_or(service, |(_, named)| named);
    match named.split_once('/') {
        Some((cluster, name)) => (Some(cluster.to_owned()), name.to_owned()),
        None => (cluster.map(|cluster| bare_name(&cluster).to_owned()), named.to_owned()),
    }
}

/// What a thing stands in, where that is not the default, and what it is called there.
pub fn parts<'i>(kind: &str, id: &'i str) -> (Option<&'i str>, &'i str) {
    let is_placed = PLACED.iter().any(|(placed, _)| *placed == kind) && !id.starts_with("arn:");
    match id.rsplit_once('/').filter(|_| is_placed) {
        Some((place, name)) => (Some(place), name),
        None => (None, bare_name(id)),
    }
}

/// How the AWS CLI is told what a thing stands in, where that is not the default.
pub fn option(kind: &str, id: &str) -> Option<(&'static str, String)> {
    if kind == "AWS::ECS::Task" {
        // A task goes by its ARN. The older ones have no cluster in them.
        let (_, named) = id.split_once(":task/")?;
        return named.split_once('/').map(|(cluster, _)| ("--cluster", cluster.to_owned()));
    }
    let (place, _) = parts(kind, id);
    let (_, option) = PLACED.iter().find(|(placed, _)| *placed == kind)?;
    let arn = |place: &str| if place.contains(BUS) { format!("arn:{place}") } else { place.to_owned() };
    Some((*option, arn(place?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_accounts_default_bus_is_another_bus() {
        for (named, bus) in [
            ("default", None),
            ("arn:aws:events:us-east-1:1:event-bus/default", None),
            ("alarms", Some("alarms")),
            ("not-default", Some("not-default")),
            ("arn:aws:events:us-east-1:1:event-bus/alarms", Some("alarms")),
            ("aws.partner/example.com/1/x", Some("aws.partner/example.com/1/x")),
            ("arn:aws:events:us-east-1:2:event-bus/default", Some("aws:events:us-east-1:2:event-bus/default")),
        ] {
            assert_eq!(event_bus("1", named).as_deref(), bus, "{named}");
        }
    }

    #[test]
    fn a_thing_is_named_by_what_it_stands_in_and_found_again_by_that() {
        let rule = "AWS::Events::Rule";
        assert_eq!(parts(rule, "alarms/tick"), (Some("alarms"), "tick"));
        assert_eq!(parts(rule, "tick"), (None, "tick"));
        for (bus, place) in
            [("default", None), ("alarms", Some("alarms")), ("aws.partner/x/1", Some("aws.partner/x/1"))]
        {
            assert_eq!(parts(rule, &rule_on(bus, "tick")), (place, "tick"));
        }
        assert_eq!(parts("AWS::SSM::Parameter", "/prod/db"), (None, "prod/db"));
        assert_eq!(option(rule, "alarms/tick"), Some(("--event-bus-name", "alarms".to_owned())));
        let other = "aws:events:us-east-1:2:event-bus/default";
        assert_eq!(option(rule, &format!("{other}/tick")), Some(("--event-bus-name", format!("arn:{other}"))));
        assert_eq!(option(rule, "tick"), None);
        assert_eq!(option("AWS::S3::Bucket", "a/b"), None);
        let task = |id: &str| option("AWS::ECS::Task", &format!("arn:aws:ecs:us-east-1:1:task/{id}"));
        assert_eq!((task("prod/0a1b"), task("0a1b")), (Some(("--cluster", "prod".to_owned())), None));
    }

    #[test]
    fn a_service_stands_in_its_cluster_however_it_is_named() {
        let old = "arn:aws:ecs:us-east-1:1:service/web";
        let new = "arn:aws:ecs:us-east-1:1:service/prod/web";
        let prod = || Some("prod".to_owned());
        assert_eq!(in_cluster(new, None), (prod(), "web".to_owned()));
        for service in ["web", old] {
            for cluster in ["prod", "arn:aws:ecs:us-east-1:1:cluster/prod"] {
                assert_eq!(in_cluster(service, Some(cluster.to_owned())), (prod(), "web".to_owned()));
            }
            assert_eq!(in_cluster(service, None), (None, "web".to_owned()));
        }
    }
}
