//! IAM Identity Center and its identity store, as the management account has them: users, groups, and who comes to which
//! account with which permission set. Assignments are made and deleted by AWS itself, some time after the call.
//!
//! Names and error codes follow the API references of IAM Identity Center (2020-07-20) and of the identity store
//! (2020-06-15).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::ids;
use super::json_operation::Call;
use super::organizations::MANAGEMENT;
use super::state::Principal;
use super::wire::ApiError;

mod assignments;
mod direct;
mod store;

pub(super) use assignments::operation as sso_operation;
pub(super) use store::operation as store_operation;

/// Where it is.
const REGION: &str = "eu-west-1";
const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-6804sandbox0001";
const STORE: &str = "d-93670sandb";
/// How long AWS takes to make or delete an assignment.
const TAKES: TimeDelta = TimeDelta::seconds(1);

/// Who has a permission set in an account.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Assignment {
    account: String,
    permission_set_arn: String,
    /// `USER` or `GROUP`.
    principal_type: String,
    principal_id: String,
}

/// A request that AWS carries out by itself.
#[derive(Clone, Debug)]
struct Request {
    assignment: Assignment,
    deletes: bool,
    at: DateTime<Utc>,
    done: bool,
    /// Why it will fail.
    fails: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct IdentityCenter {
    /// Names by id.
    users: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    /// Group and user by the membership's id.
    memberships: BTreeMap<String, (String, String)>,
    /// Names by ARN.
    permission_sets: BTreeMap<String, String>,
    assignments: Vec<Assignment>,
    /// By id.
    requests: BTreeMap<String, Request>,
    /// Why the next deletion will fail.
    failure: Option<String>,
}

impl IdentityCenter {
    /// Carries out what is due.
    fn settle(&mut self, now: DateTime<Utc>) {
        for request in self.requests.values_mut().filter(|request| !request.done && request.at + TAKES <= now) {
            request.done = true;
            if request.fails.is_some() {
                continue;
            }
            self.assignments.retain(|known| *known != request.assignment);
            if !request.deletes {
                self.assignments.push(request.assignment.clone());
            }
        }
    }

    /// The groups that a user is in, with the membership of each.
    fn groups_of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of = self.memberships.iter().filter(move |(_, (_, member))| member == user);
        of.map(|(id, (group, _))| (group.as_str(), id.as_str()))
    }

    /// A user's assignments in an account, their own and those of their groups.
    fn assignments_of(&self, user: &str, account: Option<&str>) -> Vec<&Assignment> {
        let groups: Vec<&str> = self.groups_of(user).map(|(group, _)| group).collect();
        let theirs = |known: &&Assignment| match known.principal_type.as_str() {
            "GROUP" => groups.contains(&known.principal_id.as_str()),
            _ => known.principal_id == user,
        };
        let here = self.assignments.iter().filter(|known| account.is_none_or(|account| known.account == account));
        here.filter(theirs).collect()
    }
}

fn not_found(what: &str) -> ApiError {
    ApiError::bad_request("ResourceNotFoundException", format!("{what} not found."))
}

/// Refuses whoever is not of the management account, and what its roles may not do to all of these.
fn permit(call: &mut Call<'_>, action: &str, arns: &[&str]) -> Result<(), ApiError> {
    if !matches!(call.caller.principal, Principal::Manager { .. }) {
        return Err(ApiError::forbidden("AccessDenied", "You do not have access to this instance."));
    }
    arns.iter().try_for_each(|arn| call.permit(action, arn))?;
    let now = call.now;
    call.world.identity_center.settle(now);
    Ok(())
}

fn store_arn() -> String {
    format!("arn:aws:identitystore::{MANAGEMENT}:identitystore/{STORE}")
}

/// The instance, where it is and when the call names it.
fn instance(call: &Call<'_>) -> Result<(), ApiError> {
    if call.region == REGION && call.required("InstanceArn")? == INSTANCE { Ok(()) } else { Err(not_found("Instance")) }
}

fn new_id() -> String {
    ids::uuid()
}

/// One page: there is never more here.
fn page(name: &str, items: impl Iterator<Item = Value>) -> Value {
    json!({ name: items.collect::<Vec<_>>() })
}
