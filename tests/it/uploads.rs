//! SSH keys and signing certificates of users, as an inventory reads them.

use aws_sdk_iam::types::StatusType;
use irp_sandbox::aws::Fault;

use crate::inventory::stock;
use crate::world::World;

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const USER: &str = "deploy-bot";
const SSH_KEY: &str = "AWS::IAM::SSHPublicKey";
const CERTIFICATE: &str = "AWS::IAM::SigningCertificate";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_uploaded_for_a_user_who_was_there_before_is_read_with_its_time_and_what_cannot_be_read_is_a_gap() {
    let w = World::without_bot(false).await;
    w.account.put_user_policy_directly("release-bot", "release", Some(EVERYTHING));
    let iam = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("release-bot")[0]));
    let ssh = iam.upload_ssh_public_key().user_name(USER).ssh_public_key_body("ssh-rsa AAAA").send().await.unwrap();
    let ssh = ssh.ssh_public_key.unwrap().ssh_public_key_id;
    let made = iam.upload_signing_certificate().user_name(USER).certificate_body("pem").send().await.unwrap();
    let certificate = made.certificate.unwrap().certificate_id;
    let off = iam.update_signing_certificate().user_name(USER).certificate_id(&certificate);
    off.status(StatusType::Inactive).send().await.unwrap();

    let read = stock(&w, &[], &[]).await;
    for (kind, id, facts) in [
        (SSH_KEY, &ssh, &["SSH public key of user deploy-bot"][..]),
        (CERTIFICATE, &certificate, &["signing certificate of user deploy-bot", "Inactive"][..]),
    ] {
        let thing = read.things.iter().find(|thing| thing.resource_type == kind).unwrap();
        assert_eq!((&thing.id, thing.facts.iter().map(String::as_str).collect::<Vec<_>>()), (id, facts.to_vec()));
        assert_eq!(thing.of, Some(("AWS::IAM::User".to_owned(), USER.to_owned())));
        assert!(thing.created_at.is_some(), "{kind}");
    }
    assert!(read.gaps.is_empty(), "{:?}", read.gaps);

    w.account.fail_next("ListSSHPublicKeys", Fault::AccessDenied);
    w.account.fail_next("ListSigningCertificates", Fault::AccessDenied);
    let read = stock(&w, &[], &[]).await;
    let gaps: Vec<&str> = read.gaps.iter().flat_map(|gap| &gap.resource_types).map(String::as_str).collect();
    assert!(gaps.contains(&SSH_KEY) && gaps.contains(&CERTIFICATE), "{:?}", read.gaps);
}
