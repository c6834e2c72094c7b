//! How far back it is read what a credential was used for.

use chrono::TimeDelta;

use crate::world::{ANA, ORGANISATION, World};

#[tokio::test(flavor = "multi_thread")]
async fn use_is_read_of_the_last_fourteen_days_and_no_further_back() {
    let w = World::without_bot(false).await;
    w.attacker_takes("app-deploy").await;
    w.clock.advance(TimeDelta::days(2));
    let iam = aws_sdk_iam::Client::new(&w.sdk(&w.account.access_keys("deploy-bot")[0]));
    iam.list_users().send().await.unwrap();
    w.clock.advance(TimeDelta::days(13));
    let w = w.with_bot(false, None, ORGANISATION).await;
    w.incident().await;
    let evidence = |w: &World| w.card(ANA, "evidence").map(|card| card["blocks"].to_string()).unwrap_or_default();
    w.until("use is read", |w| evidence(w).contains("Used in the last 14 days:* 1 call(s)")).await;
    let shown = evidence(&w);
    let used = shown.split("Used in the last 14 days:*").nth(1).unwrap().split('"').next().unwrap();
    assert!(used.contains("`iam.amazonaws.com` 1×"), "thirteen days ago: {used}");
    assert!(!used.contains("sts.amazonaws.com"), "fifteen days ago: {used}");
    w.end().await;
}
