//! Roles Anywhere's calls, as the SDK makes them.

use aws_sdk_rolesanywhere::Client;

use super::{sent, unknown};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

pub(super) async fn make(anywhere: &Client, call: &ApiCall) -> CallAnswer {
    match call {
        ApiCall::DisableTrustAnchor { trust_anchor_id: id } => {
            sent(call, anywhere.disable_trust_anchor().trust_anchor_id(id).send()).await
        }
        ApiCall::DeleteTrustAnchor { trust_anchor_id: id } => {
            sent(call, anywhere.delete_trust_anchor().trust_anchor_id(id).send()).await
        }
        ApiCall::DisableProfile { profile_id: id } => {
            sent(call, anywhere.disable_profile().profile_id(id).send()).await
        }
        ApiCall::DeleteProfile { profile_id: id } => sent(call, anywhere.delete_profile().profile_id(id).send()).await,
        other => unknown(other),
    }
}
