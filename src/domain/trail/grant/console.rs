//! Ways into the console, and from it to the CLI.

use serde_json::Value;

use super::{Grant, minted};
use crate::domain::trail::record::Record;
use crate::domain::trail::token::role_session;

/// What a sign-in that worked leads to. Whoever has a session's key gets a token for it, and with that they sign in to the
/// console from another address; whoever is in the console lets the CLI sign in.
pub(super) fn signed_in(record: &Record<'_>, request: &Value, response: &Value, out: &mut Vec<Grant>) {
    let identity = &record.user_identity;
    let own = identity.access_key_id.as_deref();
    minted(request, response, out);
    out.retain(|grant| !matches!(grant, Grant::Key { id, .. } if Some(id.as_str()) == own));
    let Some(arn) = identity.arn.as_deref().filter(|arn| !arn.is_empty()).map(str::to_owned) else { return };
    let principal = identity.principal_id.as_deref().filter(|id| !id.is_empty()).map(str::to_owned);
    let by = match record.name() {
        "GetSigninToken" => "ConsoleLogin",
        "AuthorizeOAuth2Access" => "CreateOAuth2Token",
        // With a user's password it begins anew each time, and that leads on by itself.
        "ConsoleLogin" if arn.contains(":user/") => return,
        "SwitchRole" if role_session(&arn).is_none() => return,
        _ => return out.push(Grant::Session { arn, principal }),
    };
    out.extend(principal.map(|principal| Grant::SignIn { arn, principal, by }));
}
