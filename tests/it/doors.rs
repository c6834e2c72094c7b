//! What comes to the doors and should not get in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use irp::adapters::slack::SlackChat;
use irp::adapters::slack::watch::RoomWatch;
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::refusal::Refusal;
use irp::ports::Lane;
use irp_sandbox::slack::Sharing;

use crate::world::{ALERT_KEY, ANA, BOT_TOKEN, ORGANISATION, ROOM, World, get, send};

const KEY: &str = "· Deactivate access key";

#[tokio::test(flavor = "multi_thread")]
async fn only_signed_and_fresh_deliveries_of_bounded_size_get_in() {
    let w = World::start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let body = "user_id=U0RESPOND1&trigger_id=1.1&text=list";
    let url = format!("{}/slack/commands", w.bot_url);
    let call = |ts: String, signature: String, body: String| {
        let url = url.clone();
        async move {
            let headers = [("x-slack-request-timestamp", ts.as_str()), ("x-slack-signature", signature.as_str())];
            send(&url, &headers, body.into_bytes()).await
        }
    };
    let good = w.slack.sign(&now.to_string(), body);
    assert_eq!(call(now.to_string(), good.clone(), body.into()).await.0, 200);
    let stale = (now - 400).to_string();
    let refused = [
        call(stale.clone(), w.slack.sign(&stale, body), body.into()).await,
        call(now.to_string(), "v0=00".into(), body.into()).await,
        call(now.to_string(), String::new(), body.into()).await,
        call(now.to_string(), good.clone(), format!("{body}&text=x")).await,
        call("not a time".into(), good.clone(), body.into()).await,
    ];
    for answer in refused {
        assert_eq!(answer, (401, "refused\n".to_owned()));
    }
    assert_eq!(call(now.to_string(), good, "x".repeat(2 << 20)).await.0, 413);
    let garbage = "payload=%7B%22type%22";
    let signature = w.slack.sign(&now.to_string(), garbage);
    assert_eq!(call(now.to_string(), signature, garbage.into()).await.0, 400);
    w.end().await;
}

/// How long an alert takes while many hold a connection open without sending what they have announced.
async fn alert_beside_the_silent(w: &World, delivery: &str) -> Duration {
    use tokio::io::AsyncWriteExt;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let head = format!(
        "POST /slack/commands HTTP/1.1\r\nhost: x\r\nx-slack-request-timestamp: {now}\r\nx-slack-signature: v0=00\r\n\
         content-length: 9\r\n\r\n"
    );
    let address = w.bot_url.strip_prefix("http://").unwrap();
    let mut waiting = Vec::new();
    for _ in 0..120 {
        let mut caller = tokio::net::TcpStream::connect(address).await.unwrap();
        caller.write_all(head.as_bytes()).await.unwrap();
        waiting.push(caller);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    assert_eq!(w.alert(&w.finding(delivery, "f-1")).await, 202);
    let took = started.elapsed();
    drop(waiting);
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_body_keeps_no_alert_out() {
    let w = World::start().await;
    // Behind them it would wait until they are given up, each time; a busy machine is slow now and then.
    let mut took = Vec::new();
    for delivery in ["e-1", "e-2", "e-3"] {
        took.push(alert_beside_the_silent(&w, delivery).await);
        if took.last().is_some_and(|took| *took < Duration::from_millis(1_500)) {
            break;
        }
    }
    assert!(took.iter().any(|took| *took < Duration::from_millis(1_500)), "{took:?}");
    w.until("the incident is there", |w| w.card("U0RESPOND1", "evidence").is_some()).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_socket_mode_alone_nothing_is_taken_from_slack_over_http() {
    let w = World::start_with_sockets().await;
    for route in ["commands", "interactions", "events"] {
        let url = format!("{}/slack/{route}", w.bot_url);
        assert_eq!(send(&url, &[("x-slack-signature", "v0=00")], b"x".to_vec()).await.0, 404, "{route}");
    }
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_war_room_that_others_read_is_none() {
    for sharing in [Sharing::External, Sharing::Invited] {
        let w = World::without_bot(false).await;
        w.slack.share(ROOM, Some(sharing));
        let error = w.with_bot(false, None, ORGANISATION).await.ended().await;
        assert!(error.contains("#war-room is shared with another organisation"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_the_war_room_while_the_bot_runs_is_noticed() {
    let w = World::without_bot(false).await;
    let slack = SlackChat::new(&BOT_TOKEN.into(), &format!("{}/api", w.slack_url)).unwrap();
    let watch = RoomWatch::new(Arc::new(slack), ROOM.parse().unwrap());
    watch.step().await.unwrap();
    assert_eq!(watch.fault(), None);
    for sharing in [Sharing::External, Sharing::Invited] {
        w.slack.share(ROOM, Some(sharing));
        watch.step().await.unwrap();
        let fault = watch.fault().unwrap();
        assert!(fault.contains("#war-room is shared with another organisation"), "{fault}");
    }
    w.slack.set_down(true);
    assert!(watch.step().await.is_err() && watch.fault().is_some(), "what Slack said last stands");
    w.slack.set_down(false);
    w.slack.share(ROOM, Some(Sharing::Organisation));
    watch.step().await.unwrap();
    assert_eq!(watch.fault(), None, "a workspace of the same organisation is nobody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_archived_war_room_the_bot_is_ready_and_says_what_is_wrong() {
    let w = World::without_bot(false).await;
    w.slack.set_archived(ROOM, true);
    let w = w.with_bot(false, None, ORGANISATION).await;
    let (status, said) = get(&format!("{}/readyz", w.bot_url)).await;
    assert_eq!(status, 200, "it still keeps alerts: {said}");
    assert!(said.starts_with("ready, but IRP_WAR_ROOM: #war-room is archived"), "{said}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_delivery_is_acknowledged_and_does_nothing() {
    let w = World::start().await;
    w.command("U0RESPOND1", "/irp list").await;
    let before = w.told("U0RESPOND1").len();
    assert_eq!(w.slack.replay(0).await, Ok(200));
    w.command("U0RESPOND1", "/irp help").await;
    assert_eq!(w.told("U0RESPOND1").len(), before + 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_click_counts_once_and_is_on_record() {
    let w = World::start().await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let click = w.slack.deliveries().len() - 1;
    let before = w.told(ANA).len();
    for _ in 0..3 {
        assert_eq!(w.slack.replay(click).await, Ok(200));
    }
    let told = w.next_told(ANA, before).await;
    assert!(told.contains("arrived a second time") && told.contains("counts once"), "{told}");
    w.command(ANA, "/irp help").await;
    let log = w.store.load(IncidentId::new(1)).await.unwrap();
    let repeated = log.iter().filter(|record| {
        matches!(&record.event, Event::AttemptRefused { by, attempt, refusal: Refusal::Repeated, .. }
            if by.as_str() == ANA && attempt == "request")
    });
    assert_eq!(repeated.count(), 1, "however often it comes: {log:#?}");
    let requests = log.iter().filter(|record| matches!(record.event, Event::ApprovalRequested { .. }));
    assert_eq!(requests.count(), 1);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_need_a_key_and_a_form() {
    let w = World::start().await;
    let url = format!("{}/alerts/eventbridge", w.bot_url);
    let event = w.finding("e-1", "f-1").to_string().into_bytes();
    for key in ["", "wrong", "a-key-for-the-alert-webhoo"] {
        assert_eq!(send(&url, &[("x-irp-key", key)], event.clone()).await.0, 401, "{key}");
    }
    assert_eq!(send(&url, &[("x-irp-key", "an-older-key-still-valid")], event).await.0, 202);
    for (body, status) in [
        (&b"{"[..], 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (br#"{"id":"1","source":"aws.ec2","detail-type":"x","detail":{}}"#, 202),
    ] {
        assert_eq!(send(&url, &[("x-irp-key", ALERT_KEY)], body.to_vec()).await.0, status);
    }
    assert_eq!(send(&url, &[("x-irp-key", ALERT_KEY)], vec![b' '; 2 << 20]).await.0, 413);
    w.until("the incident is there", |w| w.card("U0RESPOND1", "evidence").is_some()).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_and_cannot_be_read_is_set_aside_and_counted_and_holds_up_nothing() {
    let w = World::start().await;
    w.store.put(Lane::Alerts, "of another version", r#"{"subject":1}"#).await.unwrap();
    w.store.put(Lane::Slack, "of another version too", "no JSON").await.unwrap();
    w.incident().await;
    let counted = async {
        while !get(&format!("{}/metrics", w.bot_url)).await.1.contains("irp_set_aside 2\n") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), counted).await.unwrap();
    assert_eq!(w.store.aside().await.unwrap(), 2, "they are kept");
    w.end().await;
}
