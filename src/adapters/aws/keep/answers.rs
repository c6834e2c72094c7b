//! What Lambda answers, word for word: the SDK's types cannot be written down, and have only what the SDK knows of.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_lambda::Client;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

/// All that has been answered since they were taken last. What variables hold is in them: they go into the vault alone.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Vec<Value>>>);

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

impl Answers {
    /// A client like the other whose answers are kept here.
    pub(super) fn to(&self, client: &Client) -> Client {
        Client::from_conf(client.config().to_builder().interceptor(self.clone()).build())
    }

    pub(super) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Answers {
    fn name(&self) -> &'static str {
        "Answers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let read = answer.body().bytes().and_then(|body| serde_json::from_slice(body).ok());
        if let Some(value) = read.filter(|_| answer.status().is_success()) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(without_address(value));
        }
        Ok(())
    }
}

/// Whoever has the address that AWS hands code out at can fetch it.
fn without_address(mut answer: Value) -> Value {
    // A layer's is in `Content`.
    for code in ["Code", "Content"] {
        if let Some(code) = answer.get_mut(code).and_then(Value::as_object_mut) {
            code.remove("Location");
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_of_an_answer_is_kept_but_the_address_of_the_code() {
        let configuration = json!({ "Environment": { "Variables": { "TOKEN": "x" } }, "NewOfLambda": [1] });
        let code = json!({ "RepositoryType": "S3", "Location": "https://x.amazonaws.com/?signed" });
        let answer = json!({ "Configuration": configuration, "Code": code, "Tags": { "a": "b" } });
        let kept = without_address(answer);
        assert_eq!(kept["Configuration"], configuration);
        assert_eq!((&kept["Code"], &kept["Tags"]["a"]), (&json!({ "RepositoryType": "S3" }), &json!("b")));
        let layer =
            json!({ "Content": { "CodeSize": 1, "Location": "https://x.amazonaws.com/?signed" }, "Version": 2 });
        assert_eq!(without_address(layer), json!({ "Content": { "CodeSize": 1 }, "Version": 2 }));
    }
}
