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
    between_runs: Duration::from_millis(5),
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
        tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(),
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

    clock.advance(TimeDelta::minutes(1));
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"aws:TokenIssueTime":"false"}}}]}"#;
    account.set_key_status(&key, KeyStatus::Inactive);
    account.put_user_policy_directly(VICTIM, "deny", Some(deny));
    account.put_role_policy_directly("app-deploy", "deny", Some(deny));
    clock.advance(TimeDelta::seconds(10));
    until(&terminal, "nothing works", |lines| lines.iter().rev().take(3).all(|line| !line.ok)).await;
    let last = terminal.lines().split_off(terminal.lines().len().saturating_sub(3));
    assert_eq!(last.iter().filter(|line| line.detail.starts_with("InvalidClientTokenId")).count(), 1, "{last:#?}");
    assert_eq!(last.iter().filter(|line| line.detail.contains("explicit deny")).count(), 2, "{last:#?}");
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
