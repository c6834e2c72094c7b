//! Organizations' calls, as the SDK makes them.

use std::sync::OnceLock;

use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{PolicyType, Tag};

use super::{failed, sent, unknown};
use crate::domain::action::{ApiCall, NEW_POLICY};
use crate::domain::approval::CallAnswer;

/// `made` is the id of the policy that an earlier call of the same warrant has made: the calls after it name that.
pub(super) async fn make(organizations: &Client, call: &ApiCall, made: &OnceLock<String>) -> CallAnswer {
    let named = |policy_id: &String| {
        if policy_id == NEW_POLICY { made.get().cloned().unwrap_or_default() } else { policy_id.clone() }
    };
    match call {
        ApiCall::CreatePolicy { content, description, name, r#type, tags } => {
            let request = organizations.create_policy().content(content).description(description).name(name);
            let request = request.r#type(PolicyType::from(r#type.as_str())).set_tags(Some(tags_of(tags)));
            match Box::pin(request.send()).await {
                Ok(answer) => {
                    let summary = answer.policy.and_then(|policy| policy.policy_summary);
                    let Some(id) = summary.and_then(|summary| summary.id) else {
                        return CallAnswer::Unclear { message: "AWS's answer names no policy".into() };
                    };
                    made.get_or_init(|| id);
                    CallAnswer::Accepted
                }
                Err(error) => failed(call.iam_action(), &error),
            }
        }
        ApiCall::AttachPolicy { policy_id, target_id } => {
            sent(call, organizations.attach_policy().policy_id(named(policy_id)).target_id(target_id).send()).await
        }
        ApiCall::UpdatePolicy { policy_id, content } => {
            sent(call, organizations.update_policy().policy_id(policy_id).content(content).send()).await
        }
        ApiCall::DetachPolicy { policy_id, target_id } => {
            sent(call, organizations.detach_policy().policy_id(named(policy_id)).target_id(target_id).send()).await
        }
        ApiCall::DeleteControlPolicy { policy_id } => {
            sent(call, organizations.delete_policy().policy_id(named(policy_id)).send()).await
        }
        other => unknown(other),
    }
}

/// One tag, as the command line takes it.
fn tags_of(text: &str) -> Vec<Tag> {
    let pair = text.strip_prefix("Key=").and_then(|pair| pair.split_once(",Value="));
    pair.and_then(|(key, value)| Tag::builder().key(key).value(value).build().ok()).into_iter().collect()
}
