//! IAM Identity Center and its identity store, as the management account has them: users, groups, and who comes to which
//! account with which permission set. Assignments are made and deleted by AWS itself, some time after the call.
//!
//! Names and error codes follow the API references of IAM Identity Center (2020-07-20) and of the identity store
//! (2020-06-15).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::ids;
use super::json_operation::{Call, Operation};
use super::organizations::MANAGEMENT;
use super::state::{Principal, World};
use super::wire::ApiError;

mod assignments;
mod direct;
mod permission_sets;
mod store;

pub(super) use store::operation as store_operation;

/// Where it is.
const REGION: &str = "eu-west-1";
const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-6804sandbox0001";
const STORE: &str = "d-93670sandb";
/// How long AWS takes to make or delete an assignment, and to write a permission set into a role.
const TAKES: TimeDelta = TimeDelta::seconds(1);

/// The inline policy of a permission set's role.
const ROLE_POLICY: &str = "AwsSSOInlinePolicy";

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

/// A permission set, and how the account has it.
#[derive(Debug, Default)]
struct PermissionSet {
    name: String,
    /// The name of its role in the account.
    role: String,
    inline_policy: Option<String>,
    /// Counts its changes.
    version: u32,
    /// The version that the role in the account has.
    provisioned: u32,
}

/// A request to write a permission set into the account's role.
#[derive(Debug)]
struct Provisioning {
    permission_set_arn: String,
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
    /// By ARN.
    permission_sets: BTreeMap<String, PermissionSet>,
    assignments: Vec<Assignment>,
    /// By id.
    requests: BTreeMap<String, Request>,
    /// By id.
    provisionings: BTreeMap<String, Provisioning>,
    /// Why the next deletion of an assignment, or the next provisioning, will fail.
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

    /// Writes permission sets into roles, as far as that is due: the policy of each role.
    fn provision(&mut self, now: DateTime<Utc>) -> Vec<(String, Option<String>)> {
        let due = self.provisionings.values_mut().filter(|request| !request.done && request.at + TAKES <= now);
        let mut written = Vec::new();
        for request in due {
            request.done = true;
            if request.fails.is_some() {
                continue;
            }
            if let Some(set) = self.permission_sets.get_mut(&request.permission_set_arn) {
                set.provisioned = set.version;
                written.push((set.role.clone(), set.inline_policy.clone()));
            }
        }
        written
    }

    /// The id of the user whom a session of a permission set's role was given to.
    pub(super) fn user_of(&self, role: &str, session_name: &str) -> Option<&str> {
        self.permission_sets.values().find(|set| set.role == role)?;
        self.users.iter().find(|(_, name)| *name == session_name).map(|(id, _)| id.as_str())
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

/// Carries out what is due, in the roles of the account too.
fn settle(world: &mut World, now: DateTime<Utc>) {
    world.identity_center.settle(now);
    let written = world.identity_center.provision(now);
    if !written.is_empty() {
        world.remember_iam(now);
    }
    for (role, policy) in written {
        let Some(role) = world.iam.roles.get_mut(&role) else { continue };
        match policy {
            Some(policy) => _ = role.policies.inline.insert(ROLE_POLICY.to_owned(), policy),
            None => _ = role.policies.inline.remove(ROLE_POLICY),
        }
    }
}

/// The operation of this name.
pub(super) fn sso_operation(name: &str) -> Option<&'static Operation> {
    assignments::operation(name).or_else(|| permission_sets::operation(name))
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
    settle(call.world, now);
    Ok(())
}

fn store_arn() -> String {
    format!("arn:aws:identitystore::{MANAGEMENT}:identitystore/{STORE}")
}

/// The instance, where it is and when the call names it.
fn instance(call: &Call<'_>) -> Result<(), ApiError> {
    if call.region == REGION && call.required("InstanceArn")? == INSTANCE { Ok(()) } else { Err(not_found("Instance")) }
}

fn account_arn(account: &str) -> String {
    format!("arn:aws:sso:::account/{account}")
}

fn new_id() -> String {
    ids::uuid()
}

/// One page: there is never more here.
fn page(name: &str, items: impl Iterator<Item = Value>) -> Value {
    json!({ name: items.collect::<Vec<_>>() })
}
