//! Who vouches for others: SAML and OIDC providers of the account, Roles Anywhere's trust anchors of a Region.

use aws_sdk_iam::Client;
use futures_util::future::join_all;

use super::super::fault::fault;
use super::super::instant;
use super::super::regional::Regional;
use super::{AT_ONCE, cut_short, paged};
use crate::domain::hunt::pivot::HOME_REGION;
use crate::domain::inventory::{Stock, Thing};
use crate::ports::Look;

const SAML: &str = "AWS::IAM::SAMLProvider";
const OIDC: &str = "AWS::IAM::OIDCProvider";
const ANCHOR: &str = "AWS::RolesAnywhere::TrustAnchor";

/// Neither list has pages. An OIDC provider says only by itself when it was made.
pub(super) async fn providers(iam: &Client, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let (saml, oidc) =
        tokio::join!(Box::pin(iam.list_saml_providers().send()), Box::pin(iam.list_open_id_connect_providers().send()));
    match saml.map_err(|e| fault("iam:ListSAMLProviders", &e)) {
        Ok(answer) => {
            for found in answer.saml_provider_list.unwrap_or_default() {
                let at = found.create_date.as_ref().and_then(instant);
                stock.add(Thing::of_iam(SAML, &found.arn.unwrap_or_default(), at), look.since);
            }
        }
        Err(error) => stock.gap(HOME_REGION, &[SAML], error.to_string()),
    }
    let arns: Vec<String> = match oidc.map_err(|e| fault("iam:ListOpenIDConnectProviders", &e)) {
        Ok(answer) => {
            let listed = answer.open_id_connect_provider_list.unwrap_or_default();
            listed.into_iter().filter_map(|found| found.arn).collect()
        }
        Err(error) => {
            stock.gap(HOME_REGION, &[OIDC], error.to_string());
            Vec::new()
        }
    };
    for some in arns.chunks(AT_ONCE) {
        let reads = some.iter().map(|arn| {
            Box::pin(
                async move { (arn, iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await) },
            )
        });
        for (arn, answer) in join_all(reads).await {
            match answer.map_err(|e| fault("iam:GetOpenIDConnectProvider", &e)) {
                Ok(found) => {
                    let at = found.create_date.as_ref().and_then(instant);
                    let clients = found.client_id_list.unwrap_or_default().join(", ");
                    stock.add(Thing::of_iam(OIDC, arn, at).fact(format!("for {clients}")), look.since);
                }
                Err(error) => stock.gap(HOME_REGION, &[OIDC], format!("{arn}: {error}")),
            }
        }
    }
    stock
}

/// Whoever has a certificate of theirs gets sessions of roles.
pub(super) async fn anchors(clients: &Regional, region: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let (found, cut, failed) =
        paged!("rolesanywhere:ListTrustAnchors", clients.rolesanywhere.list_trust_anchors(), trust_anchors);
    if cut {
        stock.gap(region, &[ANCHOR], cut_short("trust anchors"));
    }
    if let Some(error) = failed {
        stock.gap(region, &[ANCHOR], error.to_string());
    }
    for anchor in found {
        let at = anchor.created_at.as_ref().and_then(instant);
        let state = if anchor.enabled.unwrap_or_default() { "enabled" } else { "disabled" };
        let thing = Thing::regional(ANCHOR, &anchor.trust_anchor_id.unwrap_or_default(), region, at);
        stock.add(thing.fact(format!("{}, {state}", anchor.name.unwrap_or_default())), look.since);
    }
    stock
}
