//! The incident, with a receiver that is not there at first.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::task::JoinSet;

use super::*;
use crate::aws::KeyStatus;

const QUICK: Pace = Pace {
    between_deeds: Duration::from_millis(1),
    between_runs: Duration::from_secs(1),
    before_finding: Duration::from_millis(1),
    before_repeat: Duration::from_millis(1),
    between_attempts: Duration::from_millis(5),
    between_vain_attempts: Duration::from_millis(5),
};

async fn serve(router: Router, tasks: &mut JoinSet<()>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn until(terminal: &Terminal, what: &str, holds: impl Fn(&[crate::terminal::Line]) -> bool) {
    let waiting = async {
        while !holds(&terminal.lines()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(),
        "{what}: {:#?}",
        terminal.lines().iter().rev().take(6).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_key_leaks_is_used_noticed_and_contained() {
    let mut tasks = JoinSet::new();
    let clock = Clock::new(1);
    let account = Account::demo(clock.clone());
    let aws_url = serve(account.router(), &mut tasks).await;
    let history_url = aws_url.clone();
    let alerts: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (taken, attempts) = (Arc::clone(&alerts), Arc::new(AtomicUsize::new(0)));
    let receive = post(move |headers: HeaderMap, body: axum::Json<Value>| {
        let first = attempts.fetch_add(1, Ordering::SeqCst) == 0;
        if first || headers["x-irp-key"] != "alert-key" {
            return ready(StatusCode::SERVICE_UNAVAILABLE);
        }
        taken.lock().unwrap().push(body.0);
        ready(StatusCode::ACCEPTED)
    });
    let alert_url = serve(Router::new().route("/alerts", receive), &mut tasks).await + "/alerts";
    let terminal = Terminal::default();
    let scenario = Scenario {
        alert_url,
        alert_key: "alert-key".to_owned(),
        aws_url,
        account: account.clone(),
        clock: clock.clone(),
        terminal: terminal.clone(),
        shutdown: CancellationToken::new(),
    };
    tasks.spawn(async move { Box::pin(scenario.play(QUICK)).await.unwrap() });

    until(&terminal, "everything works", |lines| lines.len() >= 10 && lines.iter().all(|line| line.ok)).await;
    let delivered = async {
        while alerts.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), delivered).await.unwrap();
    let alerts = alerts.lock().unwrap().clone();
    assert_eq!(alerts[0], alerts[1]);
    let key = account.principal_credentials(VICTIM).unwrap().access_key_id;
    assert_eq!(alerts[0]["detail"]["resource"]["accessKeyDetails"]["accessKeyId"], key.as_str());
    assert_eq!(
        alerts[0]["detail"]["resource"]["accessKeyDetails"]["principalId"].as_str(),
        account.user_id(VICTIM).as_deref()
    );

    until(&terminal, "the tracks are covered", |lines| lines.iter().any(|l| l.call.contains("update-detector"))).await;
    // What is new in IAM and EC2 takes a moment to work; the stolen key does at once.
    assert!(terminal.lines().iter().all(|l| l.ok || !l.call.starts_with("aws ")), "{:#?}", terminal.lines());
    assert_eq!(account.is_logging("management-events"), Some(false));
    assert_eq!(account.detector_works("eu-west-1"), Some(false));
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"aws:TokenIssueTime":"false"}}}]}"#;
    clock.advance(TimeDelta::minutes(1));
    account.set_key_status(&key, KeyStatus::Inactive);
    account.put_user_policy_directly(VICTIM, "deny", Some(deny));
    account.put_role_policy_directly("app-deploy", "deny", Some(deny));
    clock.advance(TimeDelta::seconds(10));
    until(&terminal, "what was not contained works on", |lines| {
        let last = lines.iter().rev().take(14);
        last.filter(|line| line.ok && line.call.starts_with(['i', 's', 'e'])).count() >= 4
    })
    .await;

    // Whoever knows the password signs in anew, whatever has been revoked.
    let own = account.access_keys("svc-backup");
    account.delete_password_directly("svc-backup");
    account.put_user_policy_directly("svc-backup", "deny", Some(deny));
    account.set_key_status(&own[0].access_key_id, KeyStatus::Inactive);
    account.put_role_policy_directly("batch-worker", "deny", Some(deny));
    account.set_trust_directly("ecs-batch", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#);
    clock.advance(TimeDelta::seconds(10));
    until(&terminal, "nothing works", |lines| lines.iter().rev().take(16).all(|line| !line.ok)).await;
    let last = terminal.lines().split_off(terminal.lines().len().saturating_sub(8));
    assert!(last.iter().any(|line| line.detail == "the password is not taken"), "{last:#?}");
    assert_eq!(last.iter().filter(|line| line.detail.starts_with("InvalidClientTokenId")).count(), 2, "{last:#?}");
    assert_eq!(last.iter().filter(|line| line.detail.contains("explicit deny")).count(), 4, "{last:#?}");
    assert!(last.iter().any(|line| line.call.starts_with("elsewhere$")), "{last:#?}");

    clock.advance(TimeDelta::minutes(6));
    let history = History { account: &account, url: &history_url, key: &key };
    let home = history.by_the_attacker("us-east-1").await;
    for name in [
        "GetSessionToken",
        "AssumeRole",
        "CreateUser",
        "CreateLoginProfile",
        "AttachUserPolicy",
        "CreateAccessKey",
        "CreateVirtualMFADevice",
        "EnableMFADevice",
        "UpdateAssumeRolePolicy",
        "CreateFunction20150331",
        "AddPermission20150331v2",
        "CreateFunctionUrlConfig20211031",
        "PutRule",
        "PutTargets",
        "CreateOpenIDConnectProvider",
        "CreateRole",
        "GetSecretValue",
        "ModifySnapshotAttribute",
        "StopLogging",
    ] {
        assert!(home.iter().any(|event| event["eventName"] == name), "{name}");
    }
    let names = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["eventName"].as_str().unwrap().to_owned()).collect()
    };
    let far = names(&history.by_the_attacker("us-west-2").await);
    assert_eq!(far, ["RunInstances", "AuthorizeSecurityGroupIngress", "ImportKeyPair"]);
    assert_eq!(names(&history.by_the_attacker("eu-west-1").await), ["UpdateDetector"]);
    let owners = history.all("us-east-1").await;
    assert!(owners.iter().any(|event| event["sourceIPAddress"] == "203.0.113.10"), "the owner works with it too");
}

/// What the event history says of the stolen key.
struct History<'a> {
    account: &'a Account,
    url: &'a str,
    key: &'a str,
}

impl History<'_> {
    /// All pages.
    async fn all(&self, region: &'static str) -> Vec<Value> {
        use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
        let origin = means::Origin { app: "test", ip: "127.0.0.1" };
        let reader = self.account.mint_session("irp-reader/test").unwrap();
        let trail = means::Means::new(self.url, reader, origin).unwrap().trail(region);
        let by_key = LookupAttribute::builder().attribute_key(LookupAttributeKey::AccessKeyId);
        let asked = trail.lookup_events().lookup_attributes(by_key.attribute_value(self.key).build().unwrap());
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let Ok(found) = asked.clone().set_next_token(next.clone()).send().await else {
                // Two lookups a second are allowed.
                tokio::time::sleep(Duration::from_millis(600)).await;
                continue;
            };
            let events = found.events().iter().filter_map(|event| event.cloud_trail_event());
            all.extend(events.map(|event| serde_json::from_str::<Value>(event).unwrap()));
            next = found.next_token;
            if next.is_none() {
                return all;
            }
        }
    }

    async fn by_the_attacker(&self, region: &'static str) -> Vec<Value> {
        let all = self.all(region).await;
        all.into_iter().filter(|event| event["sourceIPAddress"] == ATTACKER_IP).collect()
    }
}

#[tokio::test]
async fn it_ends_with_the_shutdown() {
    let clock = Clock::new(1);
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let scenario = Scenario {
        alert_url: "http://127.0.0.1:9/".to_owned(),
        alert_key: "k".to_owned(),
        aws_url: "http://127.0.0.1:9/".to_owned(),
        account: Account::demo(clock.clone()),
        clock,
        terminal: Terminal::default(),
        shutdown,
    };
    scenario.run().await.unwrap();
}
