//! One operation of the Query services (IAM, STS and Auto Scaling): its name, what it is about, what it does.

use chrono::{DateTime, Utc};

use super::autoscaling;
use super::caller::{Caller, Resource};
use super::policy::Context;
use super::state::World;
use super::wire::{ApiError, Node, Params};

pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) read_only: bool,
    pub(super) target: Target,
    pub(super) run: fn(&mut Call<'_>) -> Result<Node, ApiError>,
}

/// What an operation's permission is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// No permission is needed, or the operation asks for it itself.
    Nothing,
    Everything,
    Users,
    /// The user named, or the caller's own.
    User,
    Roles,
    Role,
    Group,
    /// The managed policy that is named, by ARN or by the name that it gets.
    Policy,
    Profile,
    Mfa,
    Saml,
    Oidc,
    /// The Auto Scaling group that is named.
    ScalingGroup,
    /// The launch configuration that is named.
    LaunchConfiguration,
    /// The user whose access key is named.
    KeyOwner,
    /// Whose policies are tried, by ARN.
    Source,
}

/// One call on its way through an operation.
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) caller: &'a Caller,
    pub(super) params: &'a Params,
    pub(super) context: &'a Context,
    pub(super) region: &'a str,
    pub(super) now: DateTime<Utc>,
}

impl Call<'_> {
    /// The user that the call names, or else the caller's own.
    pub(super) fn user_name(&self) -> Result<String, ApiError> {
        self.params
            .get("UserName")
            .or_else(|| self.caller.user_name())
            .map(str::to_owned)
            .ok_or_else(|| ApiError::validation("Must specify userName when calling with non-User credentials"))
    }

    pub(super) fn role_name(&self) -> Result<String, ApiError> {
        self.params.required("RoleName").map(str::to_owned)
    }

    /// The resource to ask permission for; `None` where none is needed.
    pub(super) fn resource(&self, target: Target) -> Result<Option<Resource>, ApiError> {
        let account = self.world.account;
        let iam = &self.world.iam;
        let whole = |arn: String| Resource { label: arn.clone(), arn };
        Ok(Some(match target {
            Target::Nothing => return Ok(None),
            Target::Everything => whole("*".to_owned()),
            Target::Users => whole(format!("arn:aws:iam::{account}:user/")),
            Target::Roles => whole(format!("arn:aws:iam::{account}:role/")),
            // One call for the whole account.
            Target::User if self.params.get("AllUsers") == Some("true") => whole("*".to_owned()),
            Target::User => {
                let name = self.user_name()?;
                match iam.users.get(&name) {
                    Some(user) => Resource { arn: self.world.user_arn(user), label: format!("user {name}") },
                    None => whole(format!("arn:aws:iam::{account}:user{}{name}", self.path())),
                }
            }
            Target::Role => {
                let name = self.role_name()?;
                match iam.roles.get(&name) {
                    Some(role) => Resource { arn: self.world.role_arn(role), label: format!("role {name}") },
                    None => whole(format!("arn:aws:iam::{account}:role{}{name}", self.path())),
                }
            }
            Target::Group => {
                let name = self.params.required("GroupName")?;
                match iam.groups.get(name) {
                    Some(group) => Resource { arn: self.world.group_arn(group), label: format!("group {name}") },
                    None => whole(format!("arn:aws:iam::{account}:group{}{name}", self.path())),
                }
            }
            Target::Policy => {
                if let Some(arn) = self.params.get("PolicyArn") {
                    Resource { arn: arn.to_owned(), label: format!("policy {arn}") }
                } else {
                    let name = self.params.required("PolicyName")?;
                    whole(format!("arn:aws:iam::{account}:policy{}{name}", self.path()))
                }
            }
            Target::Profile => {
                let name = self.params.required("InstanceProfileName")?;
                match iam.profiles.get(name) {
                    Some(profile) => whole(self.world.profile_arn(profile)),
                    None => whole(format!("arn:aws:iam::{account}:instance-profile{}{name}", self.path())),
                }
            }
            Target::Mfa => {
                if let Some(serial) = self.params.get("SerialNumber") {
                    whole(serial.to_owned())
                } else {
                    let name = self.params.required("VirtualMFADeviceName")?;
                    whole(format!("arn:aws:iam::{account}:mfa{}{name}", self.path()))
                }
            }
            Target::Saml => match self.params.get("SAMLProviderArn") {
                Some(arn) => whole(arn.to_owned()),
                None => whole(format!("arn:aws:iam::{account}:saml-provider/{}", self.params.required("Name")?)),
            },
            Target::Oidc => {
                if let Some(arn) = self.params.get("OpenIDConnectProviderArn") {
                    whole(arn.to_owned())
                } else {
                    let url = self.params.required("Url")?.trim_start_matches("https://").trim_end_matches('/');
                    whole(format!("arn:aws:iam::{account}:oidc-provider/{url}"))
                }
            }
            Target::Source => whole(self.params.required("PolicySourceArn")?.to_owned()),
            Target::ScalingGroup => {
                let name = self.params.required("AutoScalingGroupName")?;
                whole(autoscaling::group_arn(self.world, self.region, name))
            }
            Target::LaunchConfiguration => {
                let name = self.params.required("LaunchConfigurationName")?;
                whole(autoscaling::configuration_arn(self.world, self.region, name))
            }
            Target::KeyOwner => match iam.key(self.params.required("AccessKeyId")?) {
                Some((user, _)) => Resource { arn: self.world.user_arn(user), label: format!("user {}", user.name) },
                None => whole("*".to_owned()),
            },
        }))
    }

    fn path(&self) -> &str {
        self.params.get("Path").unwrap_or("/")
    }
}
