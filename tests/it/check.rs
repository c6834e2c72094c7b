//! `irp check`, as somebody sees it who sets the bot up.

use std::process::Output;

use irp::adapters::redis::RedisStore;
use irp::ports::{Inbox, Lane};
use irp_sandbox::slack::Sharing;

use crate::program::command;
use crate::redis_server::{RedisServer, seal};
use crate::world::{ANA, BEN, KIM, ORGANISATION, ROOM, World};

async fn check(w: &World, redis: &RedisServer, unset: &str) -> (bool, String) {
    check_with(w, redis, unset, "").await
}

async fn check_with(w: &World, redis: &RedisServer, unset: &str, vault: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(w, redis, &dir, 0);
    command.arg("check").env_remove(unset).env("IRP_VAULT", vault);
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tries_everything_and_says_what_is_wrong() {
    let redis = RedisServer::start();
    let w = World::without_bot(false).await;
    let (well, said) = check(&w, &redis, "").await;
    assert!(well && !said.contains("WRONG"), "{said}");
    for tried in [
        "slack scopes",
        "slack channel",
        "store",
        "aws identity",
        "permissions to read",
        "permissions to contain",
        "permissions to eradicate",
    ] {
        assert!(said.lines().any(|l| l.starts_with("ok") && l.contains(tried)), "{tried}: {said}");
    }

    // What the organization denies is no fault of the role.
    let deny =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:UpdateAccessKey","Resource":"*"}]}"#;
    w.account.put_service_control_policy_directly("no-keys", deny);
    w.slack.share(ROOM, Some(Sharing::Organisation));
    let (well, said) = check(&w, &redis, "").await;
    let denied = "a service control policy of the organization does not allow iam:UpdateAccessKey to arn:aws:iam::111122223333:role/irp-contain";
    assert!(!well && said.contains(denied) && !said.contains("does not allow iam:UpdateAccessKey: see"), "{said}");
    assert!(said.contains("ok    slack channel"), "a workspace of the same organisation is nobody else: {said}");
    w.account.detach_service_control_policy_directly("no-keys");

    w.slack.set_scope("channels:history", false);
    w.slack.share(ROOM, Some(Sharing::Invited));
    w.slack.set_scope("groups:history", false);
    w.account.put_role_policy_directly(
        "irp-contain",
        "contain",
        Some(
            r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iam:UpdateAccessKey","Resource":"*"}]}"#,
        ),
    );
    let volatile = RedisServer::start_with(&["--appendonly", "no"]);
    let (well, said) = check(&w, &volatile, "").await;
    assert!(!well);
    for wrong in [
        "lacks channels:history",
        "#war-room is shared with another organisation",
        "does not allow iam:PutUserPolicy",
        "Redis has appendonly no",
    ] {
        assert!(said.lines().any(|l| l.starts_with("WRONG") && l.contains(wrong)), "{wrong}: {said}");
    }
    let (well, said) = check(&w, &redis, "SLACK_BOT_TOKEN").await;
    assert!(!well && said.contains("SLACK_BOT_TOKEN is not set"), "{said}");
    let (_, said) = check(&w, &redis, "IRP_SEAL_KEYS").await;
    assert!(said.contains("WRONG store: IRP_SEAL_KEYS is not set: whoever can write to Redis can approve"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_could_read_is_named_until_somebody_has_looked() {
    let server = RedisServer::start();
    let w = World::without_bot(false).await;
    let store = RedisStore::connect(&server.url(), "a bot", seal()).await.unwrap();
    store.put(Lane::Alerts, "k", "nonsense").await.unwrap();
    let taken = store.take(Lane::Alerts, 1).await.unwrap();
    store.set_aside(Lane::Alerts, &taken[0].token, "it is no alert").await.unwrap();
    let (well, said) = check(&w, &server, "").await;
    assert!(well, "the bot works: {said}");
    let line = said.lines().find(|line| line.starts_with("warn  store: 1 delivery(s) that could not be read"));
    assert!(line.is_some_and(|line| line.contains("XRANGE irp:v1:{inbox}:unreadable - +")), "{said}");
    let mut raw = server.raw().await;
    redis::cmd("DEL").arg("irp:v1:{inbox}:unreadable").exec_async(&mut raw).await.unwrap();
    let (_, said) = check(&w, &server, "").await;
    assert!(!said.contains("set aside"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_in_the_war_room_is_named() {
    let redis = RedisServer::start();
    let w = World::without_bot(false).await;
    for user in [ANA, KIM] {
        w.slack.leave(user, ROOM);
    }
    let (well, said) = check(&w, &redis, "").await;
    assert!(well, "it works all the same: {said}");
    let warned = |user: &str, why: &str| {
        let says = |line: &str| line.starts_with("warn  slack channel") && line.contains(user) && line.contains(why);
        said.lines().any(says)
    };
    assert!(warned(KIM, "the bot sends them a direct message instead. Invite them there"), "{said}");
    assert!(warned(ANA, "does not notify them of anything there") && !warned(BEN, ""), "{said}");
    w.slack.set_archived(ROOM, true);
    let (well, said) = check(&w, &redis, "").await;
    assert!(!well && said.contains("WRONG slack channel: IRP_WAR_ROOM: #war-room is archived"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_asked_whether_it_locks() {
    let redis = RedisServer::start();
    let w = World::without_bot(false).await;
    w.account.put_bucket("locked", "us-east-1", true);
    w.account.put_bucket("plain", "us-east-1", false);
    let may = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
        "Action":"s3:GetBucketObjectLockConfiguration","Resource":"*"}}"#;
    w.account.put_user_policy_directly("irp-bot", "vault", Some(may));
    let (well, said) = check_with(&w, &redis, "", "s3://locked/packs").await;
    assert!(well && said.contains("ok    vault: s3://locked/packs has Object Lock on"), "{said}");
    for (vault, says) in [
        ("s3://plain", "WRONG vault: the bucket plain has no Object Lock"),
        ("s3://nowhere", "there is no bucket nowhere"),
        ("/nowhere", "WRONG vault: /nowhere: No such file"),
        // Not even root makes a folder there.
        ("/proc", "WRONG vault: /proc: nothing can be put there"),
        ("gs://x", "WRONG settings: IRP_VAULT"),
    ] {
        let (well, said) = check_with(&w, &redis, "", vault).await;
        assert!(!well && said.contains(says), "{vault}: {said}");
    }
    assert_eq!(w.account.count("PutObject"), 0);
    // Nothing set: the working directory counts, for `irp serve` as for `irp export`.
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(&w, &redis, &dir, 0);
    command.arg("check").current_dir("/proc");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && said.contains("WRONG vault: .: nothing can be put there"), "{said}");
    assert!(said.contains("IRP_VAULT is not set, so the working directory has to take"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_could_have_nothing_of_their_own_approved_is_named() {
    let redis = RedisServer::start();
    let w = World::without_bot(false).await;
    let (_, said) = check(&w, &redis, "").await;
    assert!(!said.contains("no more approvers than that"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let rules = ORGANISATION.replace(r#"["U0RESPOND2", "U0APPROVE1", "U0KEYOWNR1"]"#, r#"["U0APPROVE1"]"#);
    std::fs::write(dir.path().join("irp.toml"), rules).unwrap();
    let mut command = command(&w, &redis, &dir, 0);
    command.arg("check");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "what others ask for works: {said}");
    let warned = said.lines().find(|line| line.starts_with("warn  people: approval.contain.quorum is 1"));
    assert!(warned.is_some_and(|line| line.contains("any of them (U0APPROVE1) asks for")), "{said}");
}
