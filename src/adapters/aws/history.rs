//! The event history for searches, and the bot's own calls by which it is known how far it has come.

use async_trait::async_trait;
use aws_sdk_cloudtrail::types::LookupAttributeKey;
use aws_sdk_sts::operation::RequestId;

use super::fault::fault;
use super::trail::Span;
use super::{AwsCloud, CANARY_SESSION};
use crate::domain::hunt::pivot::Pivot;
use crate::domain::id::AccountId;
use crate::ports::{CloudError, EventHistory, Of, Page, PageRead, Searched};

#[async_trait]
impl EventHistory for AwsCloud {
    async fn regions(&self, account: &AccountId) -> Result<Searched, CloudError> {
        Ok(self.account(account)?.searched().await)
    }

    async fn page(&self, account: &AccountId, page: Page<'_>) -> Result<PageRead, CloudError> {
        let account = self.account(account)?;
        let (key, value) = match page.of {
            Of::Pivot(Pivot::AccessKey(id)) => (LookupAttributeKey::AccessKeyId, id.as_str()),
            Of::Pivot(Pivot::Username(name)) => (LookupAttributeKey::Username, name.as_str()),
            Of::Pivot(Pivot::Resource(name)) => (LookupAttributeKey::ResourceName, name.as_str()),
            Of::Pivot(Pivot::Call(name)) => (LookupAttributeKey::EventName, name.as_str()),
            // Nobody else has sessions of this name. Without a role to assume there is no name to look for.
            Of::Canaries if account.settings.reader_role_arn.is_some() => {
                (LookupAttributeKey::Username, CANARY_SESSION)
            }
            Of::Canaries => (LookupAttributeKey::EventName, "GetCallerIdentity"),
        };
        let span = Span { from: Some(page.from), until: Some(page.until) };
        let (records, next) = account.trail(page.region)?.page(key, value, span, page.after).await?;
        Ok(PageRead { records, next })
    }

    async fn canary(&self, account: &AccountId, region: &str) -> Result<String, CloudError> {
        let trail = self.account(account)?.trail(region)?;
        let answer = trail.canary.get_caller_identity().send().await;
        let answer = answer.map_err(|e| fault("sts:GetCallerIdentity", &e))?;
        answer.request_id().map(str::to_owned).ok_or_else(|| CloudError::Unavailable {
            operation: "sts:GetCallerIdentity".into(),
            message: "AWS's answer has no request id".into(),
        })
    }
}
