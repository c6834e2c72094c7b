//! `EventBridge`'s calls, as the SDK makes them.

use aws_sdk_eventbridge::Client;

use super::{failed, sent, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn make(events: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::RemoveTargets { rule, ids } => {
            match Box::pin(events.remove_targets().rule(rule).ids(ids).send()).await {
                // AWS accepts the call and says in its answer what it has not done.
                Ok(answer) => match answer.failed_entries().first() {
                    None => CallAnswer::Accepted,
                    Some(entry) => CallAnswer::Refused {
                        code: entry.error_code().unwrap_or("FailedEntry").to_owned(),
                        message: entry.error_message().unwrap_or_default().to_owned(),
                    },
                },
                Err(error) => failed(call.iam_action(), &error),
            }
        }
        ApiCall::DeleteRule { name } => sent(call, events.delete_rule().name(name).send()).await,
        other => unknown(other),
    }
}
