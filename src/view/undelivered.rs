//! What a card says of a trail that AWS shows as on or off, and of which nothing gets into its bucket.

use serde_json::Value;

use super::blocks::{code, cut, section};
use crate::domain::action::fails_to_deliver;
use crate::domain::approval::Request;

/// Longest error that is shown: it stands beside a plan that has to fit.
const ERROR_CHARS_MAX: usize = 200;

/// That switching it on is not enough.
pub(super) fn warning(request: &Request) -> Option<Value> {
    let error = code(&cut(fails_to_deliver(&request.plan.before)?, ERROR_CHARS_MAX));
    Some(section(&format!(
        ":warning: *On is not enough:* AWS says that the trail's newest files did not get into its bucket: {error}. Until people \
         have seen to that, it records nothing."
    )))
}
