//! One operation of the services that take and give JSON: Lambda, `CloudTrail`'s trails, `GuardDuty`'s detectors,
//! Secrets Manager.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::caller::{Caller, Resource};
use super::policy::Context;
use super::state::World;
use super::wire::ApiError;

pub(super) struct Operation {
    /// As in policies and the API reference.
    pub(super) name: &'static str,
    /// As in the trail: Lambda's names have the API's date.
    pub(super) event: &'static str,
    pub(super) read_only: bool,
    /// Of a success.
    pub(super) status: StatusCode,
    pub(super) run: Run,
}

pub(super) type Run = fn(&mut Call<'_>) -> Result<Value, ApiError>;

impl Operation {
    pub(super) const fn read(name: &'static str, event: &'static str, run: Run) -> Self {
        Self { name, event, read_only: true, status: StatusCode::OK, run }
    }

    pub(super) const fn write(name: &'static str, event: &'static str, status: StatusCode, run: Run) -> Self {
        Self { name, event, read_only: false, status, run }
    }
}

/// One call on its way through an operation.
pub(super) struct Call<'a> {
    pub(super) world: &'a mut World,
    pub(super) caller: &'a Caller,
    /// The body's members, with what the path and the query name.
    pub(super) input: &'a Value,
    pub(super) context: &'a Context,
    pub(super) region: &'a str,
    /// The address that the caller reached the account at.
    pub(super) host: &'a str,
    pub(super) now: DateTime<Utc>,
}

impl Call<'_> {
    /// Refuses what the caller may not do to the resource with this ARN.
    pub(super) fn permit(&self, action: &str, arn: &str) -> Result<(), ApiError> {
        let resource = Resource { arn: arn.to_owned(), label: arn.to_owned() };
        self.caller.authorize(action, &resource, self.context)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.input[name].as_str()
    }

    pub(super) fn required(&self, name: &str) -> Result<String, ApiError> {
        self.text(name).filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| {
            ApiError::validation(format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                super::wire::decapitalised(name)
            ))
        })
    }
}
