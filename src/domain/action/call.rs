//! The literal calls: what an approver reads, what is sent, and what a person runs when the bot cannot.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::CUT_OFF;
use crate::domain::credential::AccessKeyId;
use crate::domain::observation::KeyStatus;

/// One AWS API call with all its parameters.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation")]
#[allow(missing_docs, reason = "the fields are the API's own parameters")]
pub enum ApiCall {
    /// `iam:UpdateAccessKey`
    UpdateAccessKey { user_name: String, access_key_id: AccessKeyId, status: KeyStatus },
    /// `iam:PutUserPolicy`
    PutUserPolicy { user_name: String, policy_name: String, policy_document: String },
    /// `iam:DeleteUserPolicy`
    DeleteUserPolicy { user_name: String, policy_name: String },
    /// `iam:PutRolePolicy`
    PutRolePolicy { role_name: String, policy_name: String, policy_document: String },
    /// `iam:DeleteRolePolicy`
    DeleteRolePolicy { role_name: String, policy_name: String },
}

impl ApiCall {
    /// The IAM action that allows exactly this call.
    pub const fn iam_action(&self) -> &'static str {
        match self {
            Self::UpdateAccessKey { .. } => "iam:UpdateAccessKey",
            Self::PutUserPolicy { .. } => "iam:PutUserPolicy",
            Self::DeleteUserPolicy { .. } => "iam:DeleteUserPolicy",
            Self::PutRolePolicy { .. } => "iam:PutRolePolicy",
            Self::DeleteRolePolicy { .. } => "iam:DeleteRolePolicy",
        }
    }

    /// The parameters as AWS names them, in AWS's order.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::UpdateAccessKey { user_name, access_key_id, status } => vec![
                ("UserName", user_name.clone()),
                ("AccessKeyId", access_key_id.to_string()),
                ("Status", status.as_str().to_owned()),
            ],
            Self::PutUserPolicy { user_name, policy_name, policy_document } => vec![
                ("UserName", user_name.clone()),
                ("PolicyName", policy_name.clone()),
                ("PolicyDocument", policy_document.clone()),
            ],
            Self::DeleteUserPolicy { user_name, policy_name } => {
                vec![("UserName", user_name.clone()), ("PolicyName", policy_name.clone())]
            }
            Self::PutRolePolicy { role_name, policy_name, policy_document } => vec![
                ("RoleName", role_name.clone()),
                ("PolicyName", policy_name.clone()),
                ("PolicyDocument", policy_document.clone()),
            ],
            Self::DeleteRolePolicy { role_name, policy_name } => {
                vec![("RoleName", role_name.clone()), ("PolicyName", policy_name.clone())]
            }
        }
    }

    /// The same call for the AWS CLI, quoted for a POSIX shell: what a person runs when the bot cannot.
    pub fn cli(&self) -> String {
        let mut command = format!("aws iam {}", kebab(self.iam_action().trim_start_matches("iam:")));
        for (name, value) in self.parameters() {
            command.extend([" --", &kebab(name), " ", &shell_quoted(&value)]);
        }
        command
    }

    /// The call with the cut-off filled in.
    #[must_use]
    pub(super) fn with_cut_off(mut self, cut_off: DateTime<Utc>) -> Self {
        if let Self::PutUserPolicy { policy_document, .. } | Self::PutRolePolicy { policy_document, .. } = &mut self {
            *policy_document = policy_document.replace(CUT_OFF, &cut_off.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        self
    }

    /// The policy document that it puts, if it puts one.
    pub fn document(&self) -> Option<&str> {
        match self {
            Self::PutUserPolicy { policy_document, .. } | Self::PutRolePolicy { policy_document, .. } => {
                Some(policy_document)
            }
            _ => None,
        }
    }
}

fn kebab(camel: &str) -> String {
    let mut out = String::new();
    for (i, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn shell_quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@=+,".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_survives_a_shell() {
        let call = ApiCall::PutUserPolicy {
            user_name: "o'brien".into(),
            policy_name: "p".into(),
            policy_document: r#"{"a": 1}"#.into(),
        };
        assert_eq!(
            call.cli(),
            r#"aws iam put-user-policy --user-name 'o'\''brien' --policy-name p --policy-document '{"a": 1}'"#
        );
    }
}
