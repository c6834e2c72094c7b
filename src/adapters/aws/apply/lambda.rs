//! Lambda's calls, as the SDK makes them.

use aws_sdk_lambda::Client;

use super::{sent, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn make(lambda: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::DeleteEventSourceMapping { uuid } => {
            sent(call, lambda.delete_event_source_mapping().uuid(uuid).send()).await
        }
        ApiCall::DeleteFunctionUrlConfig { function_name } => {
            sent(call, lambda.delete_function_url_config().function_name(function_name).send()).await
        }
        ApiCall::RemovePermission { function_name, statement_id } => {
            sent(call, lambda.remove_permission().function_name(function_name).statement_id(statement_id).send()).await
        }
        ApiCall::DeleteFunction { function_name } => {
            sent(call, lambda.delete_function().function_name(function_name).send()).await
        }
        other => unknown(other),
    }
}
