//! Load on the real program in a release build: real Redis with an append-only file, the Slack and AWS
//! counterparts on loopback, all on one machine. `cargo bench --bench load` measures everything;
//! `cargo bench --bench load -- acks burst` only what is named. A goal that is missed says so.

#![allow(clippy::unwrap_used, reason = "a panic that names the line is the report")]
#![allow(clippy::disallowed_methods, reason = "what runs here ends with the measurement")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use irp::adapters::redis::RedisStore;
use irp::domain::approval::{Request, RequestState};
use irp::domain::id::IncidentId;
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::{evolve, fold};
use irp::domain::incident::owed::next_due_at;
use irp::domain::stored::Record;
use irp::ports::{AppendError, IncidentLog};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

#[path = "../tests/it/port.rs"]
mod port;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/program.rs"]
mod program;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/redis_server.rs"]
mod redis_server;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/it/world.rs"]
mod world;

use program::Program;
use redis_server::{RedisServer, seal};
use world::{ALERT_KEY, ANA, CHRIS, DANA, ROOM, World};

/// Requests a second, and for how long, when acknowledgements are measured.
const ACKS_PER_SECOND: u32 = 200;
const ACKS_SECONDS: u32 = 20;
/// Incidents that the clicks spread over.
const CLICKED_INCIDENTS: u32 = 20;
/// Alerts at once, and over how many connections.
const BURST: u32 = 2_000;
const BURST_CONNECTIONS: u32 = 64;
/// Alerts whose first card is timed, and the rest between two: the bot keeps to Slack's one message a
/// second in a channel.
const FIRST_CARDS: u32 = 12;
const FIRST_CARD_REST: Duration = Duration::from_secs(7);
const APPROVALS: u32 = 20;
/// Approving clicks a second, and how many in all.
const DECISIONS_PER_SECOND: u32 = 200;
const DECISIONS: u32 = 400;
const OPEN_INCIDENTS: u32 = 1_000;
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_mins(1);

fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| what | measured | goal | |\n| --- | --- | --- | --- |");
    runtime.block_on(async {
        let wanted = |part: &str| named.is_empty() || named.iter().any(|n| n == part);
        if wanted("idle") {
            idle().await;
        }
        if wanted("acks") {
            acks().await;
        }
        if wanted("burst") {
            burst().await;
        }
        if wanted("first-card") {
            first_card().await;
        }
        if wanted("approval") {
            approval().await;
        }
        if wanted("decisions") {
            decisions().await;
        }
        if wanted("open-incidents") {
            open_incidents().await;
        }
    });
}

fn row(what: &str, measured: f64, unit: &str, goal: f64, at_least: bool) {
    let met = if at_least { measured >= goal } else { measured < goal };
    let sign = if at_least { "≥" } else { "<" };
    println!("| {what} | {measured:.1} {unit} | {sign} {goal} {unit} | {} |", if met { "met" } else { "**missed**" });
}

/// The whole arrangement. Answers to people arrive at a route of this process.
struct Stand {
    world: World,
    store: RedisStore,
    program: Program,
    started_in: Duration,
    answers: mpsc::UnboundedReceiver<(u32, Instant)>,
    client: Client<HttpConnector, Full<Bytes>>,
    next: Arc<AtomicU32>,
    _redis: RedisServer,
    _dir: tempfile::TempDir,
}

impl Stand {
    async fn start() -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        let beside = Router::new().route("/answers/{n}", post(answered)).with_state(sender);
        let mut world = World::without_bot_beside(false, beside).await;
        world.slack.set_rate_limits(false);
        let redis = RedisServer::start();
        let dir = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let program = Program::start(&mut world, &redis, &dir).await;
        let started_in = started.elapsed();
        let store = RedisStore::connect(&redis.url(), "load", seal()).await.unwrap();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let next = Arc::default();
        Self { world, store, program, started_in, answers, client, next, _redis: redis, _dir: dir }
    }

    fn sender(&self) -> Sender {
        Sender {
            slack: self.world.slack.clone(),
            bot_url: self.world.bot_url.clone(),
            slack_url: self.world.slack_url.clone(),
            client: self.client.clone(),
            next: Arc::clone(&self.next),
        }
    }

    /// Waits until so many incidents have their first record and nothing is on the way for them.
    async fn until_settled(&self, incidents: u32) {
        let started = Instant::now();
        loop {
            let last = self.store.load(IncidentId::new(incidents)).await.unwrap();
            let open = self.store.open_incidents(incidents as usize).await.unwrap().len();
            if open >= incidents as usize && last.len() > 1 {
                return;
            }
            assert!(started.elapsed() < LIMIT, "the alerts are not taken in");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an incident offers its steps.
    async fn until_identified(&self, incident: u32) {
        let started = Instant::now();
        let load = || async { fold(&self.store.load(IncidentId::new(incident)).await.unwrap()) };
        while load().await.is_none_or(|incident| incident.identification().is_none()) {
            assert!(started.elapsed() < LIMIT, "INC-{incident} is not identified");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes down that this incident's credential is the first one's: an account has no hundreds of stolen keys.
    async fn identify_as_the_first(&self, incident: u32) {
        let load = |n| async move { fold(&self.store.load(IncidentId::new(n)).await.unwrap()).unwrap() };
        let found = load(1).await.identification().unwrap().clone();
        loop {
            let mut now = load(incident).await;
            if now.identification().is_some() {
                return;
            }
            let record = Record::seal(Some(&now.head), self::now(), Event::Identified { found: found.clone() });
            let expected = now.version;
            evolve(&mut now, &record);
            // The program looks for it too, and writes down that it cannot find it.
            match self.store.append(now.id, expected, &[record], next_due_at(&now)).await {
                Ok(()) | Err(AppendError::Conflict) => {}
                Err(AppendError::Store(error)) => panic!("{error}"),
            }
        }
    }

    /// The newest request of the first incident, once it is in such a state.
    async fn until_request(&self, wanted: impl Fn(&Request) -> bool) -> Request {
        self.until_request_of(1, wanted).await
    }

    async fn until_request_of(&self, incident: u32, wanted: impl Fn(&Request) -> bool) -> Request {
        let started = Instant::now();
        loop {
            let incident = fold(&self.store.load(IncidentId::new(incident)).await.unwrap());
            let newest = incident.and_then(|i| i.requests.values().next_back().cloned());
            if let Some(request) = newest.filter(&wanted) {
                return request;
            }
            assert!(started.elapsed() < LIMIT, "the request does not get there");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn answered(State(sender): State<mpsc::UnboundedSender<(u32, Instant)>>, Path(n): Path<u32>) -> &'static str {
    let _ = sender.send((n, Instant::now()));
    "{\"ok\":true}"
}

/// Sends as Slack and EventBridge do.
#[derive(Clone)]
struct Sender {
    slack: irp_sandbox::slack::Workspace,
    bot_url: String,
    slack_url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    next: Arc<AtomicU32>,
}

impl Sender {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: String) {
        let mut request = http::Request::post(format!("{}{path}", self.bot_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.into_body().collect().await.unwrap();
    }

    async fn signed(&self, path: &str, body: String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let signature = self.slack.sign(&now, &body);
        let headers = [("x-slack-request-timestamp", now.as_str()), ("x-slack-signature", signature.as_str())];
        self.post(path, &headers, body).await;
    }

    /// Returns the number that the answer will carry.
    async fn command(&self, text: &str) -> u32 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let answer = format!("{}/answers/{n}", self.slack_url);
        let trigger = format!("load.{n}");
        let fields = [
            ("user_id", ANA),
            ("channel_id", ROOM),
            ("trigger_id", &trigger),
            ("text", text),
            ("response_url", &answer),
        ];
        self.signed("/slack/commands", serde_urlencoded::to_string(fields).unwrap()).await;
        n
    }

    async fn click(&self, person: &str, button: &str, value: &str) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let payload = json!({
            "type": "block_actions", "user": {"id": person}, "trigger_id": format!("load.{n}"),
            "response_url": format!("{}/answers/{n}", self.slack_url), "channel": {"id": ROOM},
            "actions": [{"action_id": button, "value": value, "action_ts": n.to_string()}],
        });
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
        self.signed("/slack/interactions", body).await;
    }

    async fn alert(&self, event: &Value) {
        self.post("/alerts/eventbridge", &[("x-irp-key", ALERT_KEY)], event.to_string()).await;
    }
}

/// A finding about a key of its own.
fn finding(world: &World, n: u32) -> Value {
    let mut event = world.finding(&format!("delivery-{n}"), &format!("finding-{n}"));
    let letters: String = format!("{n:016x}").bytes().map(|b| char::from(b"ABCDEFGHIJKLMNOP"[hex_value(b)])).collect();
    event["detail"]["resource"]["accessKeyDetails"]["accessKeyId"] = json!(format!("AKIA{letters}"));
    event
}

fn hex_value(digit: u8) -> usize {
    usize::from(if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The value that this share of all is not above.
fn percentile(times: &mut [Duration], share: f64) -> f64 {
    times.sort();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len());
    ms(times[at - 1])
}

async fn idle() {
    let stand = Stand::start().await;
    row("process start to listening", ms(stand.started_in), "ms", 1_000.0, false);
    tokio::time::sleep(Duration::from_secs(3)).await;
    row("resident memory, idle", mb(stand.program.rss_kb()), "MB", 40.0, false);
}

#[allow(clippy::cast_precision_loss, reason = "a few megabytes")]
fn mb(kb: u64) -> f64 {
    kb as f64 / 1024.0
}

/// Commands and clicks in turn, at a fixed rate whether or not answers come. Each click is a refused
/// approval: looked up in Slack, decided, and written into the log of one of twenty incidents.
async fn acks() {
    let stand = Stand::start().await;
    let sender = stand.sender();
    for n in 1..=CLICKED_INCIDENTS {
        sender.alert(&finding(&stand.world, n)).await;
    }
    stand.until_settled(CLICKED_INCIDENTS).await;
    let (mut commands, mut clicks) = (JoinSet::new(), JoinSet::new());
    let began = Instant::now();
    for n in 0..ACKS_PER_SECOND * ACKS_SECONDS {
        let due = began + Duration::from_secs(1) * n / ACKS_PER_SECOND;
        tokio::time::sleep_until(due.into()).await;
        let sender = sender.clone();
        if n % 2 == 0 {
            commands.spawn(async move {
                sender.command("list").await;
                due.elapsed()
            });
        } else {
            clicks.spawn(async move {
                let value = format!("INC-{}.1 0123456789ab", n / 2 % CLICKED_INCIDENTS + 1);
                sender.click(DANA, "irp.approve", &value).await;
                due.elapsed()
            });
        }
    }
    let mut commands = commands.join_all().await;
    let mut clicks = clicks.join_all().await;
    for (what, times) in [("command", &mut commands), ("click", &mut clicks)] {
        let half = percentile(times, 0.5);
        println!("| {what} ack at {ACKS_PER_SECOND}/s, p50 | {half:.1} ms | | |");
        row(&format!("{what} ack at {ACKS_PER_SECOND}/s, p99"), percentile(times, 0.99), "ms", 8.0, false);
    }
    println!("| resident memory after that | {:.1} MB | | |", mb(stand.program.rss_kb()));
}

/// Alerts about two thousand different keys at once, and a person who types a command in the middle.
async fn burst() {
    let mut stand = Stand::start().await;
    let sender = stand.sender();
    let numbers = Arc::new(AtomicU32::new(0));
    let events: Arc<Vec<Value>> = Arc::new((0..BURST).map(|n| finding(&stand.world, n)).collect());
    let mut connections = JoinSet::new();
    let began = Instant::now();
    for _ in 0..BURST_CONNECTIONS {
        let (sender, numbers, events) = (sender.clone(), Arc::clone(&numbers), Arc::clone(&events));
        connections.spawn(async move {
            let mut times = Vec::new();
            while let Some(event) = events.get(numbers.fetch_add(1, Ordering::Relaxed) as usize) {
                let sent = Instant::now();
                sender.alert(event).await;
                times.push(sent.elapsed());
            }
            times
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let typed = Instant::now();
    let n = sender.command("status INC-1").await;
    let mut times: Vec<Duration> = connections.join_all().await.into_iter().flatten().collect();
    let took = began.elapsed();
    row("burst of 2,000 alerts, rate", f64::from(BURST) / took.as_secs_f64(), "/s", 2_000.0, true);
    row("burst of 2,000 alerts, slowest ack", percentile(&mut times, 1.0), "ms", 300.0, false);
    let answered = loop {
        let (number, at) = tokio::time::timeout(LIMIT, stand.answers.recv()).await.unwrap().unwrap();
        if number == n {
            break at;
        }
    };
    row("`/irp status` beside the burst, answered after", ms(answered - typed), "ms", 100.0, false);
}

/// From sending the alert to the announcement's arrival in the workspace.
async fn first_card() {
    let stand = Stand::start().await;
    let sender = stand.sender();
    let mut times = Vec::new();
    for n in 1..=FIRST_CARDS {
        let sent = stand.world.clock.now();
        sender.alert(&finding(&stand.world, n)).await;
        let incident = format!("INC-{n}");
        let started = Instant::now();
        let at = loop {
            let posted = stand.world.slack.journal().into_iter().find(|c| {
                c.method == "chat.postMessage" && c.args["metadata"]["event_payload"]["incident"] == incident
            });
            if let Some(call) = posted {
                break call.at;
            }
            assert!(started.elapsed() < LIMIT, "no card for {incident}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        times.push((at - sent).to_std().unwrap());
        tokio::time::sleep(FIRST_CARD_REST).await;
    }
    row("alert to first card, p50", percentile(&mut times, 0.5), "ms", 50.0, false);
    println!("| alert to first card, slowest of {FIRST_CARDS} | {:.1} ms | | |", percentile(&mut times, 1.0));
}

/// From sending the approving click to the changing call's arrival at AWS: people and AWS are looked up
/// again in between, and a session for just this call is assumed.
async fn approval() {
    let stand = Stand::start().await;
    let sender = stand.sender();
    sender.alert(&stand.world.finding("delivery", "finding")).await;
    stand.until_settled(1).await;
    let mut times = Vec::new();
    for n in 0..APPROVALS {
        let (button, call) =
            if n % 2 == 0 { ("irp.request", "PutUserPolicy") } else { ("irp.undo", "DeleteUserPolicy") };
        sender.click(ANA, button, "INC-1 revoke-user-sessions").await;
        let request =
            stand.until_request(|r| r.state == RequestState::Pending && r.id.to_string() == format!("INC-1.{}", n + 1));
        let request = request.await;
        let before = stand.world.account.count(call);
        let sent = stand.world.clock.now();
        sender.click(CHRIS, "irp.approve", &format!("{} {}", request.id, request.digest.short())).await;
        stand.until_request(|r| matches!(r.state, RequestState::Verified { .. })).await;
        let calls = stand.world.account.calls();
        let made: Vec<_> = calls.iter().filter(|c| c.operation == call).collect();
        assert_eq!(made.len(), before + 1, "one call for one approval");
        times.push((made[before].at - sent).to_std().unwrap());
    }
    row("approval click to AWS call, p50", percentile(&mut times, 0.5), "ms", 50.0, false);
    println!("| approval click to AWS call, slowest of {APPROVALS} | {:.1} ms | | |", percentile(&mut times, 1.0));
}

/// From receiving an approving click to its record in Redis, with clicks at a fixed rate on as many requests,
/// each of an incident of its own. Send time and the record's time are of one machine's clock.
async fn decisions() {
    let stand = Stand::start().await;
    let sender = stand.sender();
    sender.alert(&stand.world.finding("delivery", "finding")).await;
    stand.until_identified(1).await;
    for n in 2..=DECISIONS {
        sender.alert(&finding(&stand.world, n)).await;
    }
    stand.until_settled(DECISIONS).await;
    let mut buttons = Vec::new();
    for n in 1..=DECISIONS {
        stand.identify_as_the_first(n).await;
        sender.click(ANA, "irp.request", &format!("INC-{n} revoke-user-sessions")).await;
    }
    for n in 1..=DECISIONS {
        let request = stand.until_request_of(n, |r| r.state == RequestState::Pending).await;
        buttons.push(format!("{} {}", request.id, request.digest.short()));
    }
    let mut clicks = JoinSet::new();
    let began = Instant::now();
    for (n, button) in (0..).zip(buttons) {
        tokio::time::sleep_until((began + Duration::from_secs(1) * n / DECISIONS_PER_SECOND).into()).await;
        let sender = sender.clone();
        clicks.spawn(async move {
            let sent_at = now();
            sender.click(CHRIS, "irp.approve", &button).await;
            (n + 1, sent_at)
        });
    }
    let mut times = Vec::new();
    for (n, sent_at) in clicks.join_all().await {
        let request = stand.until_request_of(n, |r| !r.approvals.is_empty()).await;
        times.push((request.approvals[0].at - sent_at).to_std().unwrap_or_default());
    }
    let half = percentile(&mut times, 0.5);
    println!("| click to decision at {DECISIONS_PER_SECOND}/s, p50 | {half:.1} ms | | |");
    row(
        &format!("click to decision at {DECISIONS_PER_SECOND}/s, p99"),
        percentile(&mut times, 0.99),
        "ms",
        30.0,
        false,
    );
}

fn now() -> chrono::DateTime<chrono::Utc> {
    SystemTime::now().into()
}

/// Memory with a thousand incidents open, their cards still being posted at Slack's one a second.
async fn open_incidents() {
    let stand = Stand::start().await;
    let sender = stand.sender();
    for n in 1..=OPEN_INCIDENTS {
        sender.alert(&finding(&stand.world, n)).await;
    }
    stand.until_settled(OPEN_INCIDENTS).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    row("resident memory, 1,000 open incidents", mb(stand.program.rss_kb()), "MB", 60.0, false);
}
