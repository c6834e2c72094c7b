//! The calls about assignments.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Assignment, INSTANCE, Request, account_arn, instance, new_id, not_found, page, permit};
use crate::aws::json_operation::{Call, Operation};
use crate::aws::wire::ApiError;

static OPERATIONS: [Operation; 5] = [
    Operation::read("ListAccountAssignmentsForPrincipal", "ListAccountAssignmentsForPrincipal", list_for_principal),
    Operation::write("CreateAccountAssignment", "CreateAccountAssignment", StatusCode::OK, |call| ask(call, false)),
    Operation::write("DeleteAccountAssignment", "DeleteAccountAssignment", StatusCode::OK, |call| ask(call, true)),
    Operation::read("DescribeAccountAssignmentCreationStatus", "DescribeAccountAssignmentCreationStatus", |call| {
        status(call, false)
    }),
    Operation::read("DescribeAccountAssignmentDeletionStatus", "DescribeAccountAssignmentDeletionStatus", |call| {
        status(call, true)
    }),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn shown(assignment: &Assignment) -> Value {
    json!({
        "AccountId": assignment.account, "PermissionSetArn": assignment.permission_set_arn,
        "PrincipalId": assignment.principal_id, "PrincipalType": assignment.principal_type,
    })
}

fn list_for_principal(call: &mut Call<'_>) -> Result<Value, ApiError> {
    permit(call, "sso:ListAccountAssignmentsForPrincipal", &[INSTANCE])?;
    instance(call)?;
    let (id, kind) = (call.required("PrincipalId")?, call.required("PrincipalType")?);
    let account = call.input.pointer("/Filter/AccountId").and_then(Value::as_str);
    let center = &call.world.identity_center;
    let found = match kind.as_str() {
        "USER" if center.users.contains_key(&id) => center.assignments_of(&id, account),
        "GROUP" if center.groups.contains_key(&id) => {
            let of =
                center.assignments.iter().filter(|known| known.principal_type == "GROUP" && known.principal_id == id);
            of.filter(|known| account.is_none_or(|account| known.account == account)).collect()
        }
        _ => return Err(not_found(&kind)),
    };
    Ok(page("AccountAssignments", found.into_iter().map(shown)))
}

/// The assignment that a call names, of things that there are.
fn named(call: &Call<'_>) -> Result<Assignment, ApiError> {
    if call.required("TargetType")? != "AWS_ACCOUNT" {
        return Err(ApiError::validation("TargetType is not valid."));
    }
    let assignment = Assignment {
        account: call.required("TargetId")?,
        permission_set_arn: call.required("PermissionSetArn")?,
        principal_type: call.required("PrincipalType")?,
        principal_id: call.required("PrincipalId")?,
    };
    let center = &call.world.identity_center;
    let principals = if assignment.principal_type == "GROUP" { &center.groups } else { &center.users };
    if !principals.contains_key(&assignment.principal_id) {
        return Err(not_found(&assignment.principal_type));
    }
    if !center.permission_sets.contains_key(&assignment.permission_set_arn) {
        return Err(not_found("PermissionSet"));
    }
    if assignment.account != call.world.account {
        return Err(not_found("Account"));
    }
    Ok(assignment)
}

fn ask(call: &mut Call<'_>, deletes: bool) -> Result<Value, ApiError> {
    let (account, set) = (call.required("TargetId")?, call.required("PermissionSetArn")?);
    let action = if deletes { "sso:DeleteAccountAssignment" } else { "sso:CreateAccountAssignment" };
    permit(call, action, &[INSTANCE, &set, &account_arn(&account)])?;
    instance(call)?;
    let assignment = named(call)?;
    let now = call.now;
    let center = &mut call.world.identity_center;
    if center.requests.values().any(|request| !request.done && request.assignment == assignment) {
        let sentence = "An operation on this account assignment is in progress.";
        return Err(ApiError::bad_request("ConflictException", sentence));
    }
    if deletes && !center.assignments.contains(&assignment) {
        return Err(not_found("AccountAssignment"));
    }
    let fails = if deletes { center.failure.take() } else { None };
    let id = new_id();
    center.requests.insert(id.clone(), Request { assignment, deletes, at: now, done: false, fails });
    Ok(json!({ field(deletes): standing(&id, &center.requests[&id]) }))
}

const fn field(deletes: bool) -> &'static str {
    if deletes { "AccountAssignmentDeletionStatus" } else { "AccountAssignmentCreationStatus" }
}

fn standing(id: &str, request: &Request) -> Value {
    let status = match (request.done, &request.fails) {
        (false, _) => "IN_PROGRESS",
        (true, Some(_)) => "FAILED",
        (true, None) => "SUCCEEDED",
    };
    let mut standing = json!({
        "Status": status, "RequestId": id, "TargetId": request.assignment.account, "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": request.assignment.permission_set_arn, "PrincipalType": request.assignment.principal_type,
        "PrincipalId": request.assignment.principal_id, "CreatedDate": request.at.timestamp(),
    });
    if let (true, Some(why)) = (request.done, &request.fails) {
        standing["FailureReason"] = json!(why);
    }
    standing
}

fn status(call: &mut Call<'_>, deletes: bool) -> Result<Value, ApiError> {
    let (kind, action) = if deletes {
        ("AccountAssignmentDeletionRequestId", "sso:DescribeAccountAssignmentDeletionStatus")
    } else {
        ("AccountAssignmentCreationRequestId", "sso:DescribeAccountAssignmentCreationStatus")
    };
    permit(call, action, &[INSTANCE])?;
    instance(call)?;
    let id = call.required(kind)?;
    let request = call.world.identity_center.requests.get(&id).filter(|request| request.deletes == deletes);
    Ok(json!({ field(deletes): standing(&id, request.ok_or_else(|| not_found("Request"))?) }))
}
