//! The calls about the instance and its permission sets: what each says, and writing that into the role of the account.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    INSTANCE, PermissionSet, Provisioning, REGION, STORE, account_arn, instance, new_id, not_found, page, permit,
};
use crate::aws::json_operation::{Call, Operation};
use crate::aws::organizations::MANAGEMENT;
use crate::aws::policy::{Kind, Policy};
use crate::aws::wire::ApiError;

/// Characters of an inline policy.
const POLICY_CHARS_MAX: usize = 32_768;

static OPERATIONS: [Operation; 9] = [
    Operation::read("ListInstances", "ListInstances", list_instances),
    Operation::read("ListPermissionSets", "ListPermissionSets", list),
    Operation::read(
        "ListPermissionSetsProvisionedToAccount",
        "ListPermissionSetsProvisionedToAccount",
        list_provisioned,
    ),
    Operation::read("DescribePermissionSet", "DescribePermissionSet", describe),
    Operation::read("GetInlinePolicyForPermissionSet", "GetInlinePolicyForPermissionSet", get_policy),
    Operation::write("PutInlinePolicyToPermissionSet", "PutInlinePolicyToPermissionSet", StatusCode::OK, put_policy),
    Operation::write(
        "DeleteInlinePolicyFromPermissionSet",
        "DeleteInlinePolicyFromPermissionSet",
        StatusCode::OK,
        delete_policy,
    ),
    Operation::write("ProvisionPermissionSet", "ProvisionPermissionSet", StatusCode::OK, provision),
    Operation::read("DescribePermissionSetProvisioningStatus", "DescribePermissionSetProvisioningStatus", status),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn list_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "sso:ListInstances", &["*"])?;
    let one = json!({
        "InstanceArn": INSTANCE, "IdentityStoreId": STORE, "OwnerAccountId": MANAGEMENT, "Status": "ACTIVE",
    });
    Ok(page("Instances", (call.region == REGION).then_some(one).into_iter()))
}

fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "sso:ListPermissionSets", &[INSTANCE])?;
    instance(call)?;
    Ok(page("PermissionSets", call.world.identity_center.permission_sets.keys().map(|arn| json!(arn))))
}

/// Those that somebody is assigned in the account: only of those has it a role.
fn list_provisioned(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let account = call.required("AccountId")?;
    permit(call, "sso:ListPermissionSetsProvisionedToAccount", &[INSTANCE, &account_arn(&account)])?;
    instance(call)?;
    let wanted = match call.text("ProvisioningStatus") {
        None => None,
        Some("LATEST_PERMISSION_SET_PROVISIONED") => Some(true),
        Some("LATEST_PERMISSION_SET_NOT_PROVISIONED") => Some(false),
        Some(_) => return Err(ApiError::validation("ProvisioningStatus is not valid.")),
    };
    let center = &call.world.identity_center;
    let here = center.assignments.iter().filter(|known| known.account == account);
    let arns: BTreeSet<&String> = here.map(|known| &known.permission_set_arn).collect();
    let stands = |arn: &&String| center.permission_sets.get(*arn).is_some_and(|set| set.provisioned == set.version);
    let arns = arns.into_iter().filter(|arn| wanted.is_none_or(|latest| stands(arn) == latest));
    Ok(page("PermissionSets", arns.map(|arn| json!(arn))))
}

/// Permits an action on the permission set that a call names, and finds it.
fn named(call: &mut Call<'_>, action: &str) -> Result<String, ApiError> {
    let arn = call.required("PermissionSetArn")?;
    permit(call, action, &[INSTANCE, &arn])?;
    instance(call)?;
    if call.world.identity_center.permission_sets.contains_key(&arn) {
        Ok(arn)
    } else {
        Err(not_found("PermissionSet"))
    }
}

fn describe(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = named(call, "sso:DescribePermissionSet")?;
    let name = &call.world.identity_center.permission_sets[&arn].name;
    Ok(json!({ "PermissionSet": { "Name": name, "PermissionSetArn": arn, "SessionDuration": "PT12H" } }))
}

/// Where there is none, it is an empty one.
fn get_policy(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = named(call, "sso:GetInlinePolicyForPermissionSet")?;
    let set = &call.world.identity_center.permission_sets[&arn];
    Ok(json!({ "InlinePolicy": set.inline_policy.clone().unwrap_or_default() }))
}

/// Names of statements have letters and digits, and each has another one.
fn checked(document: &str) -> Result<(), ApiError> {
    if document.chars().count() > POLICY_CHARS_MAX {
        return Err(ApiError::bad_request(
            "ValidationException",
            "Member must have length less than or equal to 32768",
        ));
    }
    Policy::parse(document, Kind::Identity).map_err(|why| ApiError::bad_request("ValidationException", why))?;
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let sids: Vec<&str> =
        document["Statement"].as_array().into_iter().flatten().filter_map(|of| of["Sid"].as_str()).collect();
    let plain = sids.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric()));
    let distinct = sids.iter().collect::<BTreeSet<_>>().len() == sids.len();
    if plain && distinct {
        Ok(())
    } else {
        Err(ApiError::bad_request("ValidationException", "Statement IDs (SID) must be alpha-numeric and unique."))
    }
}

fn put_policy(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = named(call, "sso:PutInlinePolicyToPermissionSet")?;
    let document = call.required("InlinePolicy")?;
    checked(&document)?;
    set(call, &arn).says(Some(document));
    Ok(json!({}))
}

fn delete_policy(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let arn = named(call, "sso:DeleteInlinePolicyFromPermissionSet")?;
    set(call, &arn).says(None);
    Ok(json!({}))
}

fn set<'a>(call: &'a mut Call<'_>, arn: &str) -> &'a mut PermissionSet {
    call.world.identity_center.permission_sets.entry(arn.to_owned()).or_default()
}

impl PermissionSet {
    /// Gives it another policy. Roles have the one before until it is provisioned.
    pub(super) fn says(&mut self, document: Option<String>) {
        self.inline_policy = document;
        self.version += 1;
    }
}

fn provision(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (arn, account) = (call.required("PermissionSetArn")?, call.required("TargetId")?);
    permit(call, "sso:ProvisionPermissionSet", &[INSTANCE, &arn, &account_arn(&account)])?;
    instance(call)?;
    if call.required("TargetType")? != "AWS_ACCOUNT" {
        return Err(ApiError::validation("TargetType is not valid."));
    }
    let now = call.now;
    let center = &mut call.world.identity_center;
    if !center.assignments.iter().any(|known| known.account == account && known.permission_set_arn == arn) {
        return Err(not_found("PermissionSet in the account"));
    }
    if center.provisionings.values().any(|request| !request.done && request.permission_set_arn == arn) {
        let sentence = "An operation on this permission set is in progress.";
        return Err(ApiError::bad_request("ConflictException", sentence));
    }
    let id = new_id();
    let fails = center.failure.take();
    center
        .provisionings
        .insert(id.clone(), Provisioning { permission_set_arn: arn.clone(), at: now, done: false, fails });
    Ok(json!({ "PermissionSetProvisioningStatus": standing(&id, &account, &center.provisionings[&id]) }))
}

fn standing(id: &str, account: &str, request: &Provisioning) -> Value {
    let status = match (request.done, &request.fails) {
        (false, _) => "IN_PROGRESS",
        (true, Some(_)) => "FAILED",
        (true, None) => "SUCCEEDED",
    };
    let mut standing = json!({
        "Status": status, "RequestId": id, "AccountId": account, "PermissionSetArn": request.permission_set_arn,
        "CreatedDate": request.at.timestamp(),
    });
    if let (true, Some(why)) = (request.done, &request.fails) {
        standing["FailureReason"] = json!(why);
    }
    standing
}

fn status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "sso:DescribePermissionSetProvisioningStatus", &[INSTANCE])?;
    instance(call)?;
    let id = call.required("ProvisionPermissionSetRequestId")?;
    let account = call.world.account;
    let request = call.world.identity_center.provisionings.get(&id).ok_or_else(|| not_found("Request"))?;
    Ok(json!({ "PermissionSetProvisioningStatus": standing(&id, account, request) }))
}
