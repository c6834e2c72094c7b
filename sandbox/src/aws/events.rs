//! `EventBridge`: event buses, and rules on them with their targets, in each enabled Region.
//!
//! Names, limits and error codes follow the `EventBridge` API reference, version 2015-10-07.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::caller::Resource;
use super::json_operation::{Call, Operation};
use super::wire::ApiError;

mod buses;

pub(super) use buses::{Bus, Buses};

const SERVICE: &str = "events.amazonaws.com";
/// The bus that every Region has.
const BUS: &str = "default";
const TARGETS_MAX: usize = 5;
const PAGE_MAX: usize = 100;

/// By Region and id.
pub(super) type Rules = BTreeMap<(String, String), Rule>;

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    /// The bus that it is on.
    pub(super) bus: String,
    pub(super) pattern: Option<String>,
    pub(super) schedule: Option<String>,
    pub(super) description: Option<String>,
    pub(super) role: Option<String>,
    pub(super) enabled: bool,
    /// The service of AWS that made it and keeps it.
    pub(super) managed_by: Option<&'static str>,
    /// As sent, by id.
    pub(super) targets: BTreeMap<String, Value>,
}

impl Rule {
    /// What tells it from the others of its Region: `bus/name`, and of the default bus the name alone.
    pub(super) fn id(&self) -> String {
        id(&self.bus, &self.name)
    }
}

fn id(bus: &str, name: &str) -> String {
    if bus == BUS { name.to_owned() } else { format!("{bus}/{name}") }
}

static OPERATIONS: [Operation; 13] = [
    Operation::write("CreateEventBus", "CreateEventBus", StatusCode::OK, buses::create),
    Operation::read("ListEventBuses", "ListEventBuses", buses::list),
    Operation::write("PutPermission", "PutPermission", StatusCode::OK, buses::put_permission),
    Operation::write("PutRule", "PutRule", StatusCode::OK, put_rule),
    Operation::read("ListRules", "ListRules", list_rules),
    Operation::read("DescribeRule", "DescribeRule", describe_rule),
    Operation::write("EnableRule", "EnableRule", StatusCode::OK, |call| switch(call, "EnableRule", true)),
    Operation::write("DisableRule", "DisableRule", StatusCode::OK, |call| switch(call, "DisableRule", false)),
    Operation::write("DeleteRule", "DeleteRule", StatusCode::OK, delete_rule),
    Operation::write("PutTargets", "PutTargets", StatusCode::OK, put_targets),
    Operation::read("ListTargetsByRule", "ListTargetsByRule", list_targets),
    Operation::read("ListRuleNamesByTarget", "ListRuleNamesByTarget", list_names_by_target),
    Operation::write("RemoveTargets", "RemoveTargets", StatusCode::OK, remove_targets),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn arn(call: &Call<'_>, id: &str) -> String {
    format!("arn:aws:events:{}:{}:rule/{id}", call.region, call.world.account)
}

fn not_found(sentence: String) -> ApiError {
    ApiError::bad_request("ResourceNotFoundException", sentence)
}

/// The id of the rule whose name is in this field, once the caller may do the action to that rule and the bus exists.
fn permitted(call: &Call<'_>, action: &str, field: &str) -> Result<String, ApiError> {
    let name = call.required(field)?;
    let id = id(&buses::named(call), &name);
    call.permit(&format!("events:{action}"), &arn(call, &id))?;
    buses::on_bus(call)?;
    if name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
        let member = super::wire::decapitalised(field);
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"
        )));
    }
    Ok(id)
}

fn known<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut Rule, ApiError> {
    let key = (call.region.to_owned(), id.to_owned());
    let (bus, name) = id.rsplit_once('/').unwrap_or((BUS, id));
    call.world.rules.get_mut(&key).ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus {bus}.")))
}

/// Refuses to change a rule that a service of AWS keeps, unless the call says that it shall be so.
fn unless_managed(call: &mut Call<'_>, id: &str) -> Result<(), ApiError> {
    let forced = call.input["Force"].as_bool() == Some(true);
    match known(call, id).ok().map(|rule| (rule.managed_by, rule.name.clone())) {
        Some((Some(service), name)) if !forced => Err(ApiError::bad_request(
            "ManagedRuleException",
            format!("Rule {name} is a managed rule created by {service} and cannot be modified."),
        )),
        _ => Ok(()),
    }
}

/// The role that a rule or a target acts with is passed on, for which the caller needs leave.
fn pass_role(call: &Call<'_>, role: Option<&str>) -> Result<(), ApiError> {
    let Some(arn) = role else { return Ok(()) };
    let mut context = call.context.clone();
    context.insert("iam:passedtoservice", SERVICE.to_owned());
    let resource = Resource { arn: arn.to_owned(), label: arn.to_owned() };
    call.caller.authorize("iam:PassRole", &resource, &context)
}

fn put_rule(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, "PutRule", "Name")?;
    let (bus, name) = (buses::named(call), call.required("Name")?);
    let text = |field: &str| call.text(field).filter(|text| !text.is_empty()).map(str::to_owned);
    let (pattern, schedule) = (text("EventPattern"), text("ScheduleExpression"));
    if pattern.is_none() && schedule.is_none() {
        return Err(ApiError::validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if schedule.is_some() && bus != BUS {
        return Err(ApiError::validation("ScheduleExpression is supported only on the default event bus."));
    }
    let is_object = |text: &String| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
    if pattern.as_ref().is_some_and(|text| !is_object(text)) {
        let sentence = "Event pattern is not valid. Reason: Filter is not an object";
        return Err(ApiError::bad_request("InvalidEventPatternException", sentence));
    }
    let timed = |text: &String| (text.starts_with("rate(") || text.starts_with("cron(")) && text.ends_with(')');
    if schedule.as_ref().is_some_and(|text| !timed(text)) {
        return Err(ApiError::validation("Parameter ScheduleExpression is not valid."));
    }
    let enabled = match call.text("State") {
        None | Some("ENABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => true,
        Some("DISABLED") => false,
        Some(other) => {
            return Err(ApiError::validation(format!(
                "1 validation error detected: Value '{other}' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]"
            )));
        }
    };
    let (description, role) = (text("Description"), text("RoleArn"));
    pass_role(call, role.as_deref())?;
    unless_managed(call, &id)?;
    // What the call does not say is gone afterwards; the targets stay.
    let targets = known(call, &id).map(|rule| rule.targets.clone()).unwrap_or_default();
    let put = Rule { name, bus, pattern, schedule, description, role, enabled, managed_by: None, targets };
    let arn = arn(call, &id);
    call.world.rules.insert((call.region.to_owned(), id), put);
    Ok(json!({ "RuleArn": arn }))
}

fn shown(call: &Call<'_>, rule: &Rule) -> Value {
    let mut shown = json!({
        "Name": rule.name,
        "Arn": arn(call, &rule.id()),
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
        "EventBusName": rule.bus,
    });
    let fields = [
        ("EventPattern", rule.pattern.as_deref()),
        ("ScheduleExpression", rule.schedule.as_deref()),
        ("Description", rule.description.as_deref()),
        ("RoleArn", rule.role.as_deref()),
        ("ManagedBy", rule.managed_by),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            shown[name] = json!(value);
        }
    }
    shown
}

/// A page of the list with the token of the next one.
fn page(call: &Call<'_>, list: &str, all: &[Value]) -> Result<Value, ApiError> {
    let size = match &call.input["Limit"] {
        Value::Null => PAGE_MAX,
        limit => limit
            .as_u64()
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| (1..=PAGE_MAX).contains(limit))
            .ok_or_else(|| ApiError::validation("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value between 1 and 100"))?,
    };
    let from = match call.text("NextToken") {
        None => 0,
        Some(token) => token
            .parse()
            .ok()
            .filter(|from| *from <= all.len())
            .ok_or_else(|| ApiError::validation("Invalid nextToken"))?,
    };
    let upto = all.len().min(from + size);
    let mut answer = json!({});
    answer[list] = json!(all[from..upto]);
    if upto < all.len() {
        answer["NextToken"] = json!(upto.to_string());
    }
    Ok(answer)
}

/// Those of the bus that a call names.
fn here<'a>(call: &'a Call<'_>) -> impl Iterator<Item = &'a Rule> {
    let bus = buses::named(call);
    let here = call.world.rules.iter().filter(|((region, _), _)| region == call.region).map(|(_, rule)| rule);
    here.filter(move |rule| rule.bus == bus)
}

fn list_rules(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("events:ListRules", &arn(call, "*"))?;
    buses::on_bus(call)?;
    let prefix = call.text("NamePrefix").unwrap_or_default();
    let all: Vec<Value> =
        here(call).filter(|rule| rule.name.starts_with(prefix)).map(|rule| shown(call, rule)).collect();
    page(call, "Rules", &all)
}

fn describe_rule(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, "DescribeRule", "Name")?;
    let rule = known(call, &id)?.clone();
    let mut answer = shown(call, &rule);
    answer["CreatedBy"] = json!(call.world.account);
    Ok(answer)
}

fn switch(call: &mut Call<'_>, action: &str, enabled: bool) -> Result<Value, ApiError> {
    let id = permitted(call, action, "Name")?;
    known(call, &id)?;
    unless_managed(call, &id)?;
    known(call, &id)?.enabled = enabled;
    Ok(json!({}))
}

/// A rule that is not there is no error.
fn delete_rule(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, "DeleteRule", "Name")?;
    unless_managed(call, &id)?;
    if known(call, &id).is_ok_and(|rule| !rule.targets.is_empty()) {
        return Err(ApiError::validation("Rule can't be deleted since it has targets."));
    }
    call.world.rules.remove(&(call.region.to_owned(), id));
    Ok(json!({}))
}

fn put_targets(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, "PutTargets", "Rule")?;
    let given = call.input["Targets"].as_array().filter(|all| !all.is_empty()).cloned().ok_or_else(|| {
        ApiError::validation("1 validation error detected: Value '[]' at 'targets' failed to satisfy constraint: Member must have length greater than or equal to 1")
    })?;
    for target in &given {
        let text = |field: &str| target[field].as_str().unwrap_or_default();
        if text("Id").is_empty() || !text("Arn").starts_with("arn:") {
            let sentence =
                format!("Parameter {} is not valid. Reason: Provided Arn is not in correct format.", text("Arn"));
            return Err(ApiError::validation(sentence));
        }
        pass_role(call, target["RoleArn"].as_str())?;
    }
    known(call, &id)?;
    unless_managed(call, &id)?;
    let mut targets = known(call, &id)?.targets.clone();
    targets.extend(given.into_iter().map(|target| (target["Id"].as_str().unwrap_or_default().to_owned(), target)));
    if targets.len() > TARGETS_MAX {
        let sentence = "The requested resource exceeds the maximum number allowed.";
        return Err(ApiError::bad_request("LimitExceededException", sentence));
    }
    known(call, &id)?.targets = targets;
    Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
}

fn list_targets(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, "ListTargetsByRule", "Rule")?;
    let all: Vec<Value> = known(call, &id)?.targets.values().cloned().collect();
    page(call, "Targets", &all)
}

fn list_names_by_target(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("events:ListRuleNamesByTarget", &arn(call, "*"))?;
    buses::on_bus(call)?;
    let target = call.required("TargetArn")?;
    let aims = |rule: &&Rule| rule.targets.values().any(|known| known["Arn"] == target.as_str());
    let all: Vec<Value> = here(call).filter(aims).map(|rule| json!(rule.name)).collect();
    page(call, "RuleNames", &all)
}

fn remove_targets(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, "RemoveTargets", "Rule")?;
    let ids: Vec<String> =
        call.input["Ids"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if ids.is_empty() {
        return Err(ApiError::validation(
            "1 validation error detected: Value '[]' at 'ids' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    known(call, &id)?;
    unless_managed(call, &id)?;
    let name = call.required("Rule")?;
    let targets = &mut known(call, &id)?.targets;
    let failed: Vec<Value> = ids
        .into_iter()
        .filter(|target| targets.remove(target).is_none())
        .map(|target| json!({ "TargetId": target, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": format!("Target {target} does not exist on Rule {name}.") }))
        .collect();
    Ok(json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed }))
}
