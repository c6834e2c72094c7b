//! SSH keys and signing certificates of a user. Both get in without a session, and no list of the whole account has them.

use aws_sdk_iam::Client;

use super::super::fault::is_missing;
use super::super::instant;
use super::super::observe::status;
use super::paged;
use crate::domain::hunt::pivot::HOME_REGION;
use crate::domain::inventory::{Stock, Thing};
use crate::domain::observation::KeyStatus;
use crate::ports::Look;

pub(super) const SSH_KEY: &str = "AWS::IAM::SSHPublicKey";
pub(super) const CERTIFICATE: &str = "AWS::IAM::SigningCertificate";
const USER: &str = "AWS::IAM::User";

pub(super) async fn of_user(iam: &Client, name: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let keys = async { paged!("iam:ListSSHPublicKeys", iam.list_ssh_public_keys().user_name(name), ssh_public_keys) };
    let certificates =
        async { paged!("iam:ListSigningCertificates", iam.list_signing_certificates().user_name(name), certificates) };
    let ((keys, _, no_keys), (certificates, _, no_certificates)) = tokio::join!(keys, certificates);
    let mut add = |kind: &str, what: &str, id: &str, at, off: bool| {
        let thing = Thing::of_iam(kind, id, at).owned_by(USER, name).fact(format!("{what} of user {name}"));
        stock.add(if off { thing.fact("Inactive") } else { thing }, look.since);
    };
    for key in keys {
        let off = status(&key.status) == KeyStatus::Inactive;
        add(SSH_KEY, "SSH public key", &key.ssh_public_key_id, instant(&key.upload_date), off);
    }
    for one in certificates {
        let off = status(&one.status) == KeyStatus::Inactive;
        add(CERTIFICATE, "signing certificate", &one.certificate_id, one.upload_date.as_ref().and_then(instant), off);
    }
    // A user who has gone meanwhile has none.
    if let Some(error) = no_keys.filter(|error| !is_missing(error)) {
        stock.gap(HOME_REGION, &[SSH_KEY], format!("SSH public keys of user {name}: {error}"));
    }
    if let Some(error) = no_certificates.filter(|error| !is_missing(error)) {
        stock.gap(HOME_REGION, &[CERTIFICATE], format!("signing certificates of user {name}: {error}"));
    }
    stock
}
