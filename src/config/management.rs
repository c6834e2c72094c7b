//! `[organization]` of `irp.toml`: how the management account is reached, for what is denied from outside an account.

use serde::{Deserialize, Serialize};

use super::organisation::is_region;
use crate::domain::id::AccountId;

/// The management account of the accounts' organization, or its delegated administrator.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Management {
    /// Assumed for reading; the bot's own identity when absent.
    pub reader_role_arn: Option<String>,
    /// Assumed anew for every approved change; without it the bot changes nothing there.
    pub contain_role_arn: Option<String>,
    /// Where IAM Identity Center is; users of it keep their access when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_center_region: Option<String>,
}

impl Management {
    /// The roles that are named.
    pub(super) fn roles(&self) -> impl Iterator<Item = &String> {
        self.reader_role_arn.iter().chain(&self.contain_role_arn)
    }

    /// What is wrong with it, a sentence each.
    pub(super) fn faults(&self) -> Vec<String> {
        let account = |arn: &str| -> Option<AccountId> {
            let (account, role) = arn.strip_prefix("arn:")?.split_once(":iam::")?.1.split_once(":role/")?;
            account.parse().ok().filter(|_| !role.is_empty())
        };
        let mut faults: Vec<String> =
            [("reader_role_arn", &self.reader_role_arn), ("contain_role_arn", &self.contain_role_arn)]
                .into_iter()
                .filter_map(|(name, arn)| Some((name, arn.as_ref().filter(|arn| account(arn).is_none())?)))
                .map(|(name, arn)| {
                    format!(
                        "organization: {name} “{arn}” is not the ARN of a role in the management account \
                 (arn:aws:iam::123456789012:role/NAME)."
                    )
                })
                .collect();
        let accounts: Vec<AccountId> = self.roles().filter_map(|arn| account(arn)).collect();
        if accounts.windows(2).any(|pair| pair[0] != pair[1]) {
            faults.push("organization: reader_role_arn and contain_role_arn are in two accounts.".to_owned());
        }
        if let Some(region) = self.identity_center_region.as_ref().filter(|region| !is_region(region)) {
            faults.push(format!("organization: identity_center_region “{region}” is not a Region such as eu-west-1."));
        }
        faults
    }
}
