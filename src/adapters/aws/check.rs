//! What `irp check` tries in an account. Changes nothing.

use aws_config::SdkConfig;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use serde_json::json;

use super::fault::{fault, is_missing};
use super::trail::RegionTrail;
use super::{AccountClients, AccountSettings, AwsCloud};
use crate::domain::id::AccountId;
use crate::ports::CloudError;

/// Read by the bot: on users, on roles, and on everything.
const READS_OF_USERS: [&str; 3] = ["iam:GetUser", "iam:GetUserPolicy", "iam:ListAccessKeys"];
const READS_OF_ROLES: [&str; 3] = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListInstanceProfilesForRole"];
const READS: [&str; 2] = ["cloudtrail:LookupEvents", "iam:GetAccessKeyLastUsed"];
/// Changed by the bot.
const CHANGES_OF_USERS: [&str; 3] = ["iam:UpdateAccessKey", "iam:PutUserPolicy", "iam:DeleteUserPolicy"];
const CHANGES_OF_ROLES: [&str; 2] = ["iam:PutRolePolicy", "iam:DeleteRolePolicy"];
/// Stands for the approver in a simulation: the roles of `manifests/` ask for one.
const AN_APPROVER: &str = "U0IRPCHECK";

impl AwsCloud {
    /// Tries what the bot needs in an account, a line each.
    pub async fn check_account(&self, id: &AccountId) -> Vec<(String, Result<String, String>)> {
        let Ok(account) = self.account(id) else { return Vec::new() };
        let mut lines = vec![("reading".to_owned(), reading(account).await)];
        for RegionTrail { region, client, .. } in &account.trails {
            let asked = client.lookup_events().max_results(1).send().await;
            let outcome = asked.map(|_| "cloudtrail:LookupEvents is allowed".to_owned());
            lines.push((
                format!("trail in {region}"),
                outcome.map_err(|e| fault("cloudtrail:LookupEvents", &e).to_string()),
            ));
        }
        lines.push(("changing".to_owned(), changing(&self.base, &account.settings).await));
        let (user, role) = (format!("arn:aws:iam::{id}:user/somebody"), format!("arn:aws:iam::{id}:role/some-role"));
        if let Some(arn) = &account.settings.reader_role_arn {
            let wanted = [(&READS_OF_USERS[..], user.as_str()), (&READS_OF_ROLES, &role), (&READS, "*")];
            lines.push(("permissions to read".to_owned(), simulated(account, arn, &wanted).await));
        }
        if let Some(arn) = &account.settings.contain_role_arn {
            let wanted = [(&CHANGES_OF_USERS[..], user.as_str()), (&CHANGES_OF_ROLES, &role)];
            lines.push(("permissions to contain".to_owned(), simulated(account, arn, &wanted).await));
        }
        lines
    }
}

async fn reading(account: &AccountClients) -> Result<String, String> {
    // A user that cannot exist: being told so shows that asking is allowed.
    let asked = account.iam.get_user().user_name("irp-check-no-such-user").send().await;
    match asked.map_err(|e| fault("iam:GetUser", &e)) {
        Ok(_) => Ok("iam:GetUser is allowed".to_owned()),
        Err(error) if is_missing(&error) => Ok("iam:GetUser is allowed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the role for changes can be assumed, with a session that may do nothing.
async fn changing(base: &SdkConfig, account: &AccountSettings) -> Result<String, String> {
    let Some(role) = &account.contain_role_arn else {
        return Err(
            "no contain_role_arn: changes are made with the bot's own identity, which AWS cannot confine".into()
        );
    };
    let nothing = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]});
    let asked = aws_sdk_sts::Client::new(base)
        .assume_role()
        .role_arn(role)
        .role_session_name("irp-check")
        .source_identity("irp-check")
        .duration_seconds(super::apply::SESSION_S)
        .policy(nothing.to_string())
        .send()
        .await;
    match asked {
        Ok(_) => Ok(format!("{role} can be assumed with a source identity")),
        Err(error) => Err(fault(&format!("sts:AssumeRole {role}"), &error).to_string()),
    }
}

/// What the role's own policies say, asked of IAM. Service control policies are not part of the answer.
async fn simulated(account: &AccountClients, role: &str, wanted: &[(&[&str], &str)]) -> Result<String, String> {
    let mut denied = Vec::new();
    let mut allowed = 0;
    for (actions, resource) in wanted {
        let approver = ContextEntry::builder()
            .context_key_name("aws:SourceIdentity")
            .context_key_type(ContextKeyTypeEnum::String)
            .context_key_values(AN_APPROVER)
            .build();
        let asked = account
            .iam
            .simulate_principal_policy()
            .policy_source_arn(role)
            .set_action_names(Some(actions.iter().map(ToString::to_string).collect()))
            .resource_arns(*resource)
            .context_entries(approver)
            .send()
            .await;
        let answer = match asked.map_err(|e| fault("iam:SimulatePrincipalPolicy", &e)) {
            Ok(answer) => answer,
            Err(error @ CloudError::Refused { .. }) => return Err(format!("could not be tried: {error}")),
            Err(error) => return Err(error.to_string()),
        };
        for result in answer.evaluation_results.unwrap_or_default() {
            if result.eval_decision == PolicyEvaluationDecisionType::Allowed {
                allowed += 1;
            } else {
                denied.push(result.eval_action_name);
            }
        }
    }
    if denied.is_empty() {
        Ok(format!("{role} allows all {allowed} calls"))
    } else {
        Err(format!("{role} does not allow {}: see manifests/aws/roles.cloudformation.yaml", denied.join(", ")))
    }
}
