//! Which resources a call makes, changes, reads or deletes.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value;

use super::classify::{self, Category};
use super::limits::OF_ONE_CALL_MAX;
use super::record::Record;
use super::within::placed;

/// The table; its head says what the columns are.
const TABLE: &str = include_str!("resources.tsv");
/// Longest id that is kept, in bytes.
const ID_BYTES_MAX: usize = 1_024;

/// What a call does to a resource.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Takes data out of it.
    Read,
    /// Makes it.
    Created,
    /// Changes it, or how it can be reached.
    Changed,
    /// Changes it where it is there, and else makes it.
    Put,
    /// Takes its deletion back.
    Restored,
    /// Deletes it, or has it deleted.
    Deleted,
}

impl Effect {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Created => "created",
            Self::Changed | Self::Put => "changed",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
        }
    }

    /// What it has done to a thing of which nobody knows whether it was there.
    #[must_use]
    pub const fn at_least(self) -> Self {
        match self {
            Self::Put => Self::Changed,
            other => other,
        }
    }
}

/// One resource in one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Touch {
    /// As in `CloudFormation`.
    pub kind: String,
    /// As the call has it.
    pub id: String,
    /// What happened to it.
    pub effect: Effect,
}

struct Rule {
    /// `None` where there is no resource.
    effect: Option<Effect>,
    kind: &'static str,
    paths: &'static str,
}

static RULES: LazyLock<HashMap<(&str, &str), Vec<Rule>>> = LazyLock::new(|| {
    let mut rules: HashMap<_, Vec<Rule>> = HashMap::new();
    for line in TABLE.lines().filter(|l| !l.starts_with('#')) {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap_or("");
        let (source, name, effect, kind, paths) = (column(), column(), column(), column(), column());
        let effect = match effect {
            "created" => Some(Effect::Created),
            "changed" => Some(Effect::Changed),
            "put" => Some(Effect::Put),
            "restored" => Some(Effect::Restored),
            "deleted" => Some(Effect::Deleted),
            "read" => Some(Effect::Read),
            _ => None,
        };
        rules.entry((source, name)).or_default().push(Rule { effect, kind, paths });
    }
    rules
});

/// Whether a call that only reads takes data from a resource that the table names.
pub fn takes_data(source: &str, name: &str) -> bool {
    RULES.get(&(source, name)).is_some_and(|rules| rules.iter().any(|rule| rule.effect == Some(Effect::Read)))
}

/// Whether a call is known to touch no resource that a footprint has.
pub fn touches_nothing(source: &str, name: &str) -> bool {
    RULES.get(&(source, name)).is_some_and(|rules| rules.iter().all(|rule| rule.effect.is_none()))
}

/// The resources of a call that worked. `changes` says whether it is one that changes something.
pub fn touches(record: &Record<'_>, changes: bool, request: &Value, response: &Value) -> Vec<Touch> {
    let (source, name) = (record.source(), record.name());
    let mut found = Vec::new();
    if let Some(rules) = RULES.get(&(source, name)) {
        for rule in rules {
            let Some(effect) = rule.effect else { continue };
            for id in ids(rule.paths, record, request, response) {
                found.push(Touch { kind: rule.kind.to_owned(), id, effect });
            }
        }
    } else if changes {
        found.extend(by_name(source, name, request, response));
    }
    if found.is_empty() && changes && leaves_something(record) {
        found.push(Touch {
            kind: format!("AWS::{}{CALL}", service(source)),
            id: name.to_owned(),
            effect: Effect::Changed,
        });
    }
    found.truncate(OF_ONE_CALL_MAX + 1);
    if source == "lambda" && OF_A_QUALIFIER.contains(&name) {
        for touch in &mut found {
            touch.id = qualified(&touch.id, at(request, "qualifier").first());
        }
    }
    if source == "lambda" && name == "DeleteFunction" {
        for touch in &mut found {
            keep_function(touch, at(request, "qualifier").first());
        }
    }
    for touch in &mut found {
        touch.id = placed(&touch.kind, std::mem::take(&mut touch.id), record, request);
        cut(&mut touch.id, ID_BYTES_MAX);
    }
    found.retain(|touch| !touch.id.is_empty());
    found
}

/// The type of what a call has left somewhere, where only the call itself can be named.
const CALL: &str = "::Call";

/// Whether a resource stands for calls of one name: what they have made or changed cannot be said.
pub fn is_call(kind: &str) -> bool {
    kind.ends_with(CALL)
}

/// Whether a call, by what it means, makes or changes something that an attacker does not leave behind for nothing.
fn leaves_something(record: &Record<'_>) -> bool {
    let meaning = classify::by_name(record.source(), record.name(), record.read_only);
    match meaning.category {
        Category::Persistence | Category::PrivilegeEscalation | Category::Exfiltration | Category::DefenseEvasion => {
            !touches_nothing(record.source(), record.name())
        }
        // By its verb alone. What is started, copied or run has a row of its own where it stays.
        Category::ResourceCreation => !meaning.named && record.name().starts_with("Create"),
        _ => false,
    }
}

/// Calls of Lambda's that are about a version or an alias where they name one: that has addresses and permissions of its own.
const OF_A_QUALIFIER: [&str; 5] = [
    "AddPermission",
    "CreateFunctionUrlConfig",
    "DeleteFunctionUrlConfig",
    "RemovePermission",
    "UpdateFunctionUrlConfig",
];

/// Whoever deletes a version of a function has changed the function, and it stays.
fn keep_function(touch: &mut Touch, qualifier: Option<&String>) {
    touch.id = qualified(&touch.id, qualifier);
    if let Some(end) = touch.id.find(':') {
        touch.id.truncate(end);
        touch.effect = Effect::Changed;
    }
}

/// `sync:live`, however the call names the function and its alias.
pub fn qualified(function: &str, qualifier: Option<&String>) -> String {
    let name = function.split_once(":function:").map_or(function, |(_, name)| name);
    match qualifier {
        Some(qualifier) if !name.contains(':') => format!("{name}:{qualifier}"),
        _ => name.to_owned(),
    }
}

/// Shortens a text to so many bytes, at a character's edge.
pub fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
}

fn ids(paths: &str, record: &Record<'_>, request: &Value, response: &Value) -> Vec<String> {
    let identity = &record.user_identity;
    for path in paths.split('|') {
        let found = match path.split_at_checked(1) {
            Some(("=", word)) => vec![word.to_owned()],
            Some(("@", "account")) => record.recipient_account_id.iter().map(ToString::to_string).collect(),
            Some(("@", _)) => identity.user_name.iter().map(ToString::to_string).collect(),
            Some(("p", rest)) => at(request, rest.trim_start_matches('.')),
            Some(("r", rest)) => at(response, rest.trim_start_matches('.')),
            _ => Vec::new(),
        };
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The texts at a path such as `instancesSet.items[].instanceId`, whatever the case of its letters.
pub fn at(value: &Value, path: &str) -> Vec<String> {
    let mut level = vec![value];
    for step in path.split('.') {
        let (name, each) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        level = level.into_iter().filter_map(|value| member(value, name)).collect();
        if each {
            level = level.into_iter().flat_map(items).collect();
        }
    }
    level.into_iter().filter_map(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

/// Where a list has been written as XML first, a list of one is that one.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// A member by its name, whatever the case of its letters: CloudTrail writes `dBInstanceIdentifier`, `aRN`, `ARN`.
pub fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// `CloudFormation`'s names for services whose source does not spell it.
const SERVICES: [(&str, &str); 40] = [
    ("acm", "CertificateManager"),
    ("apigateway", "ApiGateway"),
    ("application-autoscaling", "ApplicationAutoScaling"),
    ("apprunner", "AppRunner"),
    ("autoscaling", "AutoScaling"),
    ("cloud9", "Cloud9"),
    ("cloudformation", "CloudFormation"),
    ("cloudfront", "CloudFront"),
    ("cloudtrail", "CloudTrail"),
    ("codebuild", "CodeBuild"),
    ("codecommit", "CodeCommit"),
    ("codepipeline", "CodePipeline"),
    ("cognito-identity", "Cognito"),
    ("cognito-idp", "Cognito"),
    ("datapipeline", "DataPipeline"),
    ("dynamodb", "DynamoDB"),
    ("elasticbeanstalk", "ElasticBeanstalk"),
    ("elasticfilesystem", "EFS"),
    ("elasticloadbalancing", "ElasticLoadBalancingV2"),
    ("es", "OpenSearchService"),
    ("guardduty", "GuardDuty"),
    ("identitystore", "IdentityStore"),
    ("monitoring", "CloudWatch"),
    ("rolesanywhere", "RolesAnywhere"),
    ("route53resolver", "Route53Resolver"),
    ("sagemaker", "SageMaker"),
    ("secretsmanager", "SecretsManager"),
    ("securityhub", "SecurityHub"),
    ("servicequotas", "ServiceQuotas"),
    ("states", "StepFunctions"),
    ("iotanalytics", "IoTAnalytics"),
    ("elasticmapreduce", "EMR"),
    ("imagebuilder", "ImageBuilder"),
    ("networkfirewall", "NetworkFirewall"),
    ("route53domains", "Route53Domains"),
    ("workspaces", "WorkSpaces"),
    ("datasync", "DataSync"),
    ("codedeploy", "CodeDeploy"),
    ("accessanalyzer", "AccessAnalyzer"),
    ("globalaccelerator", "GlobalAccelerator"),
];
/// Services that are written in capitals when their names are this short.
const CAPITALS_BYTES_MAX: usize = 3;

const VERBS: [(&str, Effect); 17] = [
    ("Create", Effect::Created),
    ("Register", Effect::Created),
    ("Allocate", Effect::Created),
    ("Import", Effect::Created),
    ("Run", Effect::Created),
    ("Delete", Effect::Deleted),
    ("Terminate", Effect::Deleted),
    ("Deregister", Effect::Deleted),
    ("Release", Effect::Deleted),
    ("Put", Effect::Put),
    ("Update", Effect::Changed),
    ("Modify", Effect::Changed),
    ("Attach", Effect::Changed),
    ("Detach", Effect::Changed),
    ("Enable", Effect::Changed),
    ("Disable", Effect::Changed),
    ("Set", Effect::Changed),
];

/// What a call's name says: `CreateQueue` of `sqs` makes an `AWS::SQS::Queue`, whose id is at `queueId`, `queueArn`,
/// `queueName`, `queue` or `name`, in the response or else in the request.
fn by_name(source: &str, name: &str, request: &Value, response: &Value) -> Option<Touch> {
    let (noun, effect) = VERBS.iter().find_map(|(verb, effect)| Some((name.strip_prefix(verb)?, *effect)))?;
    let whole = noun.strip_suffix('s').filter(|n| !n.ends_with('s')).unwrap_or(noun);
    if whole.is_empty() || noun.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let named = ["Id", "Arn", "Name", "Identifier", "Url", ""].map(|end| format!("{whole}{end}"));
    // EC2's newer calls have one more object around each.
    let inner = |tree, end| member(tree, &format!("{name}{end}")).unwrap_or(tree);
    let id = [inner(response, "Response"), inner(request, "Request")].into_iter().find_map(|tree| {
        named.iter().map(String::as_str).chain(["id", "arn", "name", "resourceArn", "resourceId"]).find_map(|key| {
            // In the response the noun itself is often an object around it.
            text(tree, key).or_else(|| text(member(tree, whole)?, key))
        })
    })?;
    Some(Touch { kind: format!("AWS::{}::{whole}", service(source)), id, effect })
}

fn text(tree: &Value, key: &str) -> Option<String> {
    member(tree, key)?.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

fn service(source: &str) -> String {
    if let Some((_, name)) = SERVICES.iter().find(|(known, _)| *known == source) {
        return (*name).to_owned();
    }
    if source.len() <= CAPITALS_BYTES_MAX {
        return source.to_ascii_uppercase();
    }
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
    };
    source.split(['-', '.']).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Vec<(String, String, Effect)> {
        let record: Record<'_> = serde_json::from_str(json).unwrap();
        let found = touches(&record, true, &record.request(), &record.response());
        found.into_iter().map(|t| (t.kind, t.id, t.effect)).collect()
    }

    fn one(kind: &str, id: &str, effect: Effect) -> Vec<(String, String, Effect)> {
        vec![(kind.into(), id.into(), effect)]
    }

    #[test]
    fn the_table_can_be_read() {
        for (call, rules) in RULES.iter() {
            for rule in rules.iter().filter(|rule| rule.effect.is_some()) {
                assert!(rule.kind.starts_with("AWS::") && rule.kind.split("::").count() == 3, "{call:?}");
                for path in rule.paths.split('|') {
                    assert!(["p.", "r.", "=", "@"].iter().any(|s| path.starts_with(s)), "{call:?}: {path}");
                }
            }
        }
        assert!(RULES.len() > 200);
    }

    #[test]
    fn resources_are_found_where_the_call_has_them() {
        let run = r#"{"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","responseElements":{"instancesSet":
            {"items":[{"instanceId":"i-0a"},{"instanceId":"i-0b"},{"instanceId":null}]}}}"#;
        let kind = "AWS::EC2::Instance";
        let both = [one(kind, "i-0a", Effect::Created), one(kind, "i-0b", Effect::Created)].concat();
        assert_eq!(of(run), both);
        // The name stands only in the request: the response of a call that worked is null.
        let bucket = r#"{"eventSource":"s3.amazonaws.com","eventName":"CreateBucket",
            "requestParameters":{"bucketName":"loot"},"responseElements":null}"#;
        assert_eq!(of(bucket), one("AWS::S3::Bucket", "loot", Effect::Created));
        assert!(of(r#"{"eventSource":"s3.amazonaws.com","eventName":"CreateBucket"}"#).is_empty());
    }

    #[test]
    fn a_fleet_and_what_it_has_started_at_once_are_found_however_many_there_are() {
        let fleet = |set: &str| {
            let json = format!(
                r#"{{"eventSource":"ec2.amazonaws.com","eventName":"CreateFleet","responseElements":{{
                    "CreateFleetResponse":{{"fleetId":"fleet-1","fleetInstanceSet":{set}}}}}}}"#
            );
            of(&json).into_iter().map(|(_, id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(fleet("null"), ["fleet-1"], "others start theirs later");
        assert_eq!(fleet(r#"{"item":{"instanceIds":{"item":"i-1"}}}"#), ["fleet-1", "i-1"]);
        let several = r#"{"item":[{"instanceIds":{"item":["i-1","i-2"]}},{"instanceIds":{"item":"i-3"}}]}"#;
        assert_eq!(fleet(several), ["fleet-1", "i-1", "i-2", "i-3"]);
        for ids in [r#"{"tag":1,"content":"fleet-1"}"#, r#"[{"tag":1,"content":"fleet-1"}]"#] {
            let deleted = format!(
                r#"{{"eventSource":"ec2.amazonaws.com","eventName":"DeleteFleets","requestParameters":{{
                    "DeleteFleetsRequest":{{"FleetId":{ids},"TerminateInstances":false}}}}}}"#
            );
            assert_eq!(of(&deleted), one("AWS::EC2::EC2Fleet", "fleet-1", Effect::Deleted));
        }
    }

    #[test]
    fn an_alias_is_another_thing_than_its_function() {
        let kind = "AWS::Lambda::Function";
        for (parameters, id) in [
            (r#"{"functionName":"sync"}"#, "sync"),
            (r#"{"functionName":"sync","qualifier":"live"}"#, "sync:live"),
            (r#"{"functionName":"sync:live"}"#, "sync:live"),
            (r#"{"functionName":"arn:aws:lambda:eu-west-1:1:function:sync:live"}"#, "sync:live"),
            (r#"{"functionName":"arn:aws:lambda:eu-west-1:1:function:sync","qualifier":"live"}"#, "sync:live"),
            (r#"{"functionName":"arn:aws:lambda:eu-west-1:1:function:sync"}"#, "sync"),
        ] {
            let call = format!(
                r#"{{"eventSource":"lambda.amazonaws.com","eventName":"AddPermission20150331v2","requestParameters":{parameters}}}"#
            );
            assert_eq!(of(&call), one(kind, id, Effect::Changed), "{parameters}");
        }
    }

    #[test]
    fn a_function_is_there_as_long_as_only_a_version_of_it_is_deleted() {
        for (parameters, effect) in [
            (r#"{"functionName":"sync"}"#, Effect::Deleted),
            (r#"{"functionName":"arn:aws:lambda:eu-west-1:1:function:sync"}"#, Effect::Deleted),
            (r#"{"functionName":"1:function:sync"}"#, Effect::Deleted),
            (r#"{"functionName":"sync","qualifier":"1"}"#, Effect::Changed),
            (r#"{"functionName":"sync:1"}"#, Effect::Changed),
            (r#"{"functionName":"1:function:sync:1"}"#, Effect::Changed),
            (r#"{"functionName":"arn:aws:lambda:eu-west-1:1:function:sync:1"}"#, Effect::Changed),
            (r#"{"functionName":"arn:aws:lambda:eu-west-1:1:function:sync","qualifier":"1"}"#, Effect::Changed),
        ] {
            let call = format!(
                r#"{{"eventSource":"lambda.amazonaws.com","eventName":"DeleteFunction20150331","requestParameters":{parameters}}}"#
            );
            assert_eq!(of(&call), one("AWS::Lambda::Function", "sync", effect), "{parameters}");
        }
    }

    #[test]
    fn a_name_on_another_bus_in_another_group_or_cluster_is_another_thing() {
        for (source, name, parameters, kind, id) in [
            ("events", "PutRule", r#"{"name":"tick"}"#, "AWS::Events::Rule", "tick"),
            ("events", "PutRule", r#"{"name":"tick","eventBusName":"default"}"#, "AWS::Events::Rule", "tick"),
            ("events", "PutTargets", r#"{"rule":"tick","eventBusName":"b"}"#, "AWS::Events::Rule", "b/tick"),
            ("scheduler", "CreateSchedule", r#"{"name":"tick"}"#, "AWS::Scheduler::Schedule", "tick"),
            (
                "scheduler",
                "DeleteSchedule",
                r#"{"name":"tick","groupName":"default"}"#,
                "AWS::Scheduler::Schedule",
                "tick",
            ),
            ("scheduler", "UpdateSchedule", r#"{"name":"tick","groupName":"g"}"#, "AWS::Scheduler::Schedule", "g/tick"),
            ("ecs", "DeleteService", r#"{"service":"web"}"#, "AWS::ECS::Service", "web"),
            ("ecs", "UpdateService", r#"{"service":"web","cluster":"prod"}"#, "AWS::ECS::Service", "prod/web"),
        ] {
            let call = format!(
                r#"{{"eventSource":"{source}.amazonaws.com","eventName":"{name}","requestParameters":{parameters}}}"#
            );
            let found: Vec<(String, String)> = of(&call).into_iter().map(|(kind, id, _)| (kind, id)).collect();
            assert_eq!(found, [(kind.to_owned(), id.to_owned())], "{name} {parameters}");
        }
    }

    #[test]
    fn what_the_table_does_not_name_is_worked_out() {
        let queue =
            r#"{"eventSource":"glue.amazonaws.com","eventName":"CreateCrawler","requestParameters":{"name":"c"}}"#;
        assert_eq!(of(queue), one("AWS::Glue::Crawler", "c", Effect::Created));
        let gateway = r#"{"eventSource":"ec2.amazonaws.com","eventName":"CreateNatGateway",
            "responseElements":{"CreateNatGatewayResponse":{"natGateway":{"natGatewayId":"nat-1"}}}}"#;
        assert_eq!(of(gateway), one("AWS::EC2::NatGateway", "nat-1", Effect::Created));
        let by_itself = |name: &str| of(&format!(r#"{{"eventSource":"x","eventName":"{name}"}}"#));
        for nothing in ["Creates", "é", "PutX"] {
            assert!(by_itself(nothing).is_empty());
        }
        let something = one("AWS::X::Call", "Create", Effect::Changed);
        assert_eq!(by_itself("Create"), something, "and nobody knows what");
    }

    #[test]
    fn nothing_that_an_attacker_leaves_behind_is_without_a_name() {
        let grave = ["persistence", "privilege_escalation", "exfiltration", "defense_evasion"];
        let rows = include_str!("classification.tsv").lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let mut left = 0;
        for row in rows.filter(|row| row.len() > 2 && grave.contains(&row[2])) {
            let (source, name) = (row[0], row[1]);
            let call = format!(r#"{{"eventSource":"{source}.amazonaws.com","eventName":"{name}","readOnly":false}}"#);
            assert!(touches_nothing(source, name) || !of(&call).is_empty(), "{source} {name}");
            left += 1;
        }
        assert!(left > 200, "{left}");
    }
}
