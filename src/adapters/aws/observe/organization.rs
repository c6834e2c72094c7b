//! Reads one deny of the organization's: the user or role in its account, the rest from the management account.

use super::{Owner, role, user};
use crate::adapters::aws::{AccountClients, organization};
use crate::domain::observation::{Holder, Identity, Observation};
use crate::ports::CloudError;

pub(super) async fn service_control(
    account: &AccountClients,
    principal: &Holder,
    policy_name: &str,
) -> Result<Observation, CloudError> {
    let Some(organization) = &account.organization else { return Err(organization::none()) };
    let owner = match principal {
        Holder::User(name) => user(&account.iam, name).await?,
        Holder::Role(name) => role(&account.iam, name).await?,
        // Nobody signs a request as a group.
        Holder::Group(_) => None,
    };
    let Some(Owner { id, arn, path }) = owner else { return Ok(Observation::OwnerMissing) };
    let seen = organization.control(Identity { id, arn, path }, account.settings.id.as_str(), policy_name).await?;
    Ok(Observation::ServiceControl(seen))
}
