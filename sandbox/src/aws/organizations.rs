//! Organizations: the organization that the account is a member of, the service control policies that bind it, and the
//! roles of the management account that the bot takes.
//!
//! Names, limits and error codes follow the Organizations API reference, version 2016-11-28.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ids::{self, Entropy};
use super::json_operation::{Call, Operation};
use super::policy::{Kind, Policy};
use super::state::{Principal, Role};
use super::wire::ApiError;

mod direct;

pub use direct::ServiceControlPolicy;

/// The account that all of it is run from.
pub(super) const MANAGEMENT: &str = "999988887777";
const ORGANIZATION: &str = "o-sandbox0001";
const ROOT: &str = "r-sand";
/// The policy that every target begins with, and that is AWS's.
const FULL_ACCESS: &str = "p-FullAWSAccess";
const FULL_ACCESS_CONTENT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const TYPE: &str = "SERVICE_CONTROL_POLICY";
const NAME_MAX: usize = 128;
const DESCRIPTION_MAX: usize = 512;
/// Characters of a policy.
const CONTENT_MAX: usize = 5_120;
/// Policies on one target.
const ATTACHED_MAX: usize = 5;
/// Policies on one page.
const PAGE_MAX: usize = 20;

/// One policy of the organization's own.
#[derive(Clone, Debug)]
struct ControlPolicy {
    name: String,
    description: String,
    content: String,
    tags: BTreeMap<String, String>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Organizations {
    enabled: bool,
    /// By id.
    policies: BTreeMap<String, ControlPolicy>,
    /// Ids by target: the root, and the account.
    attached: BTreeMap<String, BTreeSet<String>>,
    /// Roles of the management account, by name.
    pub(super) roles: BTreeMap<String, Role>,
}

impl Organizations {
    /// With this one member account, which nothing binds yet.
    pub(super) fn new(account: &str) -> Self {
        let all = || BTreeSet::from([FULL_ACCESS.to_owned()]);
        Self {
            enabled: true,
            policies: BTreeMap::new(),
            attached: BTreeMap::from([(ROOT.to_owned(), all()), (account.to_owned(), all())]),
            roles: BTreeMap::new(),
        }
    }

    /// The role of the management account with this ARN.
    pub(super) fn role(&self, arn: &str) -> Option<&Role> {
        self.roles.values().find(|role| role_arn(role) == arn)
    }

    /// What binds a principal of the account: the documents of each level, each of which has to allow. Service-linked
    /// roles and other accounts' people are not bound.
    pub(super) fn guards(&self, principal: &Principal) -> Vec<Vec<String>> {
        let bound = match principal {
            Principal::User { .. } | Principal::Root => true,
            Principal::Role { name, .. } => !name.starts_with("AWSServiceRoleFor"),
            Principal::Manager { .. } | Principal::Outsider(_) => false,
        };
        let content = |id: &String| match self.policies.get(id) {
            Some(policy) => policy.content.clone(),
            None => FULL_ACCESS_CONTENT.to_owned(),
        };
        let levels = self.attached.values().filter(|_| bound && self.enabled);
        levels.map(|ids| ids.iter().map(content).collect()).collect()
    }

    /// The id, name, description and content of a policy.
    fn described(&self, id: &str) -> Option<(String, &str, &str, &str)> {
        if id == FULL_ACCESS {
            return Some((id.to_owned(), "FullAWSAccess", "Allows access to every operation", FULL_ACCESS_CONTENT));
        }
        let policy = self.policies.get(id)?;
        Some((id.to_owned(), &policy.name, &policy.description, &policy.content))
    }
}

/// The ARN of a role of the management account.
pub(super) fn role_arn(role: &Role) -> String {
    format!("arn:aws:iam::{MANAGEMENT}:role{}{}", role.path, role.name)
}

static OPERATIONS: [Operation; 10] = [
    Operation::read("DescribeOrganization", "DescribeOrganization", describe_organization),
    Operation::read("ListRoots", "ListRoots", list_roots),
    Operation::read("ListPolicies", "ListPolicies", list_policies),
    Operation::read("ListPoliciesForTarget", "ListPoliciesForTarget", list_for_target),
    Operation::read("DescribePolicy", "DescribePolicy", describe_policy),
    Operation::write("CreatePolicy", "CreatePolicy", StatusCode::OK, create),
    Operation::write("UpdatePolicy", "UpdatePolicy", StatusCode::OK, update),
    Operation::write("AttachPolicy", "AttachPolicy", StatusCode::OK, attach),
    Operation::write("DetachPolicy", "DetachPolicy", StatusCode::OK, detach),
    Operation::write("DeletePolicy", "DeletePolicy", StatusCode::OK, delete),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn refused(code: &'static str, sentence: &str) -> ApiError {
    ApiError::bad_request(code, sentence)
}

fn limit(reason: &str, sentence: &str) -> ApiError {
    ApiError::bad_request("ConstraintViolationException", format!("{reason}: {sentence}"))
}

fn policy_arn(id: &str) -> String {
    if id == FULL_ACCESS {
        return format!("arn:aws:organizations::aws:policy/service_control_policy/{id}");
    }
    format!("arn:aws:organizations::{MANAGEMENT}:policy/{ORGANIZATION}/service_control_policy/{id}")
}

fn target_arn(target: &str) -> String {
    let kind = if target == ROOT { "root" } else { "account" };
    format!("arn:aws:organizations::{MANAGEMENT}:{kind}/{ORGANIZATION}/{target}")
}

/// Refuses whoever is not of the management account, and what its roles may not do.
fn permit(call: &Call<'_>, action: &str, arns: &[String]) -> Result<(), ApiError> {
    if !matches!(call.caller.principal, Principal::Manager { .. }) {
        return Err(ApiError::forbidden("AccessDenied", "You don't have permissions to access this resource."));
    }
    let mut context = call.context.clone();
    context.insert("organizations:policytype", TYPE.to_owned());
    arns.iter().try_for_each(|arn| {
        let resource = super::caller::Resource { arn: arn.clone(), label: arn.clone() };
        call.caller.authorize(&format!("organizations:{action}"), &resource, &context)
    })
}

fn everything() -> [String; 1] {
    ["*".to_owned()]
}

/// Only this type of policy is kept here.
fn of_this_type(call: &Call<'_>, field: &str) -> Result<(), ApiError> {
    match call.required(field)?.as_str() {
        TYPE => Ok(()),
        _ => Err(refused("InvalidInputException", "You specified an invalid value.")),
    }
}

fn describe_organization(call: &mut Call<'_>) -> Result<Value, ApiError> {
    // Members may ask that too.
    call.permit("organizations:DescribeOrganization", "*")?;
    Ok(json!({ "Organization": {
        "Id": ORGANIZATION,
        "Arn": format!("arn:aws:organizations::{MANAGEMENT}:organization/{ORGANIZATION}"),
        "FeatureSet": "ALL",
        "MasterAccountId": MANAGEMENT,
        "MasterAccountArn": target_arn(MANAGEMENT),
        "MasterAccountEmail": "organization@example.com",
        "AvailablePolicyTypes": [{ "Type": TYPE, "Status": "ENABLED" }],
    }}))
}

fn list_roots(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "ListRoots", &everything())?;
    let types: &[&str] = if call.world.organizations.enabled { &[TYPE] } else { &[] };
    let types: Vec<Value> = types.iter().map(|of| json!({ "Type": of, "Status": "ENABLED" })).collect();
    Ok(json!({ "Roots": [{ "Id": ROOT, "Arn": target_arn(ROOT), "Name": "Root", "PolicyTypes": types }] }))
}

fn summary((id, name, description, _): &(String, &str, &str, &str)) -> Value {
    json!({
        "Id": id, "Arn": policy_arn(id), "Name": name, "Description": description, "Type": TYPE,
        "AwsManaged": id == FULL_ACCESS,
    })
}

/// A page of these policies, from the token on.
fn page(call: &Call<'_>, ids: &[String]) -> Result<Value, ApiError> {
    let from = match call.text("NextToken") {
        None => 0,
        Some(token) => ids
            .iter()
            .position(|id| id == token)
            .ok_or_else(|| refused("InvalidInputException", "The provided NextToken is not valid."))?,
    };
    let size = call.input["MaxResults"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(PAGE_MAX);
    let size = size.clamp(1, PAGE_MAX);
    let organization = &call.world.organizations;
    let shown = ids.iter().skip(from).take(size).filter_map(|id| organization.described(id));
    let mut answer = json!({ "Policies": shown.map(|policy| summary(&policy)).collect::<Vec<_>>() });
    if let Some(next) = ids.get(from + size) {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

fn list_policies(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "ListPolicies", &everything())?;
    of_this_type(call, "Filter")?;
    let ids: Vec<String> =
        [FULL_ACCESS.to_owned()].into_iter().chain(call.world.organizations.policies.keys().cloned()).collect();
    page(call, &ids)
}

fn list_for_target(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let target = call.required("TargetId")?;
    permit(call, "ListPoliciesForTarget", &[target_arn(&target)])?;
    of_this_type(call, "Filter")?;
    let ids: Vec<String> = on(call, &target)?.iter().cloned().collect();
    page(call, &ids)
}

/// What is attached to a target.
fn on<'a>(call: &'a mut Call<'_>, target: &str) -> Result<&'a mut BTreeSet<String>, ApiError> {
    let found = call.world.organizations.attached.get_mut(target);
    found.ok_or_else(|| refused("TargetNotFoundException", "You specified a target that does not exist."))
}

/// A policy of the organization's own. AWS's cannot be changed.
fn own<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut ControlPolicy, ApiError> {
    if id == FULL_ACCESS {
        return Err(refused("PolicyNotFoundException", "You can't change or delete a policy that AWS manages."));
    }
    call.world.organizations.policies.get_mut(id).ok_or_else(no_policy)
}

fn no_policy() -> ApiError {
    refused("PolicyNotFoundException", "You specified a policy that does not exist.")
}

fn answer(call: &Call<'_>, id: &str) -> Result<Value, ApiError> {
    let policy = call.world.organizations.described(id).ok_or_else(no_policy)?;
    Ok(json!({ "Policy": { "PolicySummary": summary(&policy), "Content": policy.3 } }))
}

fn describe_policy(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.required("PolicyId")?;
    permit(call, "DescribePolicy", &[policy_arn(&id)])?;
    answer(call, &id)
}

/// A document that Organizations takes for a service control policy.
fn checked(content: &str) -> Result<(), ApiError> {
    if content.chars().count() > CONTENT_MAX {
        return Err(limit("POLICY_CONTENT_LIMIT_EXCEEDED", "You exceeded the maximum size of a policy."));
    }
    let sentence = "The provided policy document does not meet the requirements of the specified policy type.";
    Policy::parse(content, Kind::Identity).map(drop).map_err(|_| refused("MalformedPolicyDocumentException", sentence))
}

fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "CreatePolicy", &everything())?;
    of_this_type(call, "Type")?;
    let (name, content) = (call.required("Name")?, call.required("Content")?);
    let description = call.text("Description").unwrap_or_default().to_owned();
    if name.chars().count() > NAME_MAX || description.chars().count() > DESCRIPTION_MAX {
        return Err(refused("InvalidInputException", "You provided a value that is too long."));
    }
    let mut tags = BTreeMap::new();
    for tag in call.input["Tags"].as_array().into_iter().flatten() {
        let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) else {
            return Err(refused("InvalidInputException", "You provided an invalid tag."));
        };
        tags.insert(key.to_owned(), value.to_owned());
    }
    let id = format!("p-{}", &ids::unique_id("", Entropy::Random).to_ascii_lowercase()[..8]);
    if !tags.is_empty() {
        permit(call, "TagResource", &[policy_arn(&id)])?;
    }
    checked(&content)?;
    if name == "FullAWSAccess" || call.world.organizations.policies.values().any(|policy| policy.name == name) {
        return Err(refused("DuplicatePolicyException", "A policy with the same name already exists."));
    }
    call.world.organizations.policies.insert(id.clone(), ControlPolicy { name, description, content, tags });
    answer(call, &id)
}

fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.required("PolicyId")?;
    permit(call, "UpdatePolicy", &[policy_arn(&id)])?;
    let content = call.text("Content").map(str::to_owned);
    let policy = own(call, &id)?;
    if let Some(content) = content {
        checked(&content)?;
        policy.content = content;
    }
    answer(call, &id)
}

/// The policy and the target that a call names, once the caller may do the action to both.
fn pair(call: &mut Call<'_>, action: &str) -> Result<(String, String), ApiError> {
    let (id, target) = (call.required("PolicyId")?, call.required("TargetId")?);
    permit(call, action, &[policy_arn(&id), target_arn(&target)])?;
    call.world.organizations.described(&id).ok_or_else(no_policy)?;
    on(call, &target)?;
    Ok((id, target))
}

fn attach(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (id, target) = pair(call, "AttachPolicy")?;
    if !call.world.organizations.enabled {
        let sentence = "This operation can be performed only for enabled policy types.";
        return Err(refused("PolicyTypeNotEnabledException", sentence));
    }
    let attached = on(call, &target)?;
    if attached.contains(&id) {
        let sentence = "A policy with the same name and type is already attached to the specified target.";
        return Err(refused("DuplicatePolicyAttachmentException", sentence));
    }
    if attached.len() >= ATTACHED_MAX {
        let sentence = "You have attached the maximum number of policies to the specified target.";
        return Err(limit("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", sentence));
    }
    attached.insert(id);
    Ok(json!({}))
}

fn detach(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (id, target) = pair(call, "DetachPolicy")?;
    let attached = on(call, &target)?;
    if !attached.contains(&id) {
        return Err(refused("PolicyNotAttachedException", "The policy isn't attached to the specified target."));
    }
    if attached.len() == 1 {
        let sentence = "You must have at least one policy of this type attached to the specified target.";
        return Err(limit("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", sentence));
    }
    attached.remove(&id);
    Ok(json!({}))
}

fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.required("PolicyId")?;
    permit(call, "DeletePolicy", &[policy_arn(&id)])?;
    own(call, &id)?;
    if call.world.organizations.attached.values().any(|ids| ids.contains(&id)) {
        let sentence = "The policy is attached to one or more entities. You must detach it from all of them first.";
        return Err(refused("PolicyInUseException", sentence));
    }
    call.world.organizations.policies.remove(&id);
    Ok(json!({}))
}
