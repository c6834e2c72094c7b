//! The real bot between a Slack workspace and an AWS account, and people who act in it. Waits are for
//! conditions with a limit; [`World::end`] looks for what is left undone.

#![allow(clippy::disallowed_methods, reason = "what is served here ends with the test")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use irp::adapters::aws::{AwsCloud, AwsSettings, StaticKey};
use irp::adapters::{clock::SystemClock, memory::MemoryStore, vault::directory::DirectoryVault};
use irp::boot::{Parts, Reading, run};
use irp::cli::serve::aws_settings;
use irp::config::{Organisation, Settings, Slack};
use irp::domain::incident::evolve::fold;
use irp::domain::incident::owed::{Owed, owed};
use irp::ports::{Clock, Store};
use irp_sandbox::aws::Account;
use irp_sandbox::clock::Clock as SandboxClock;
use irp_sandbox::slack::{Delivery, Workspace, WorkspaceConfig};
use irp_sandbox::terminal::Terminal;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const ANA: &str = "U0RESPOND1";
pub(crate) const BEN: &str = "U0RESPOND2";
pub(crate) const CHRIS: &str = "U0APPROVE1";
pub(crate) const DANA: &str = "U0STAKEHO1";
pub(crate) const KIM: &str = "U0KEYOWNR1";
pub(crate) const ROOM: &str = "C0WARROOM1";
pub(crate) const ALERT_KEY: &str = "a-key-for-the-alert-webhook";
pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub(crate) const BOT_TOKEN: &str = "xoxb-test";
pub(crate) const APP_TOKEN: &str = "xapp-test";
/// Longest wait for anything, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) const ORGANISATION: &str = r#"
[approval]
contain.quorum = 1
loosen.quorum = 1
eradicate.quorum = 1
[people]
responders = ["U0RESPOND1", "U0RESPOND2"]
approvers = ["U0RESPOND2", "U0APPROVE1", "U0KEYOWNR1"]
[[person]]
name = "Kim"
slack = ["U0KEYOWNR1"]
aws = ["kim@example.com"]
[[account]]
id = "111122223333"
name = "sandbox"
reader_role_arn = "arn:aws:iam::111122223333:role/irp-reader"
contain_role_arn = "arn:aws:iam::111122223333:role/irp-contain"
eradicate_role_arn = "arn:aws:iam::111122223333:role/irp-eradicate"
regions = []
"#;

/// See the module.
pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) slack: Workspace,
    pub(crate) clock: SandboxClock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bot_url: String,
    pub(crate) slack_url: String,
    pub(crate) aws_url: String,
    pub(crate) reloads: Option<tokio::sync::mpsc::Sender<Reading>>,
    shutdown: CancellationToken,
    bot: Option<JoinHandle<anyhow::Result<()>>>,
}

/// The sandbox's clock as the bot's.
struct Shared(SandboxClock);

impl Clock for Shared {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

impl World {
    /// Everything, with the bot fed over HTTP.
    pub(crate) async fn start() -> Self {
        Self::start_with(false, None).await
    }

    /// Everything, with the bot fed by Socket Mode.
    pub(crate) async fn start_with_sockets() -> Self {
        let world = Self::start_with(true, None).await;
        world.until("the socket is open", |w| w.slack.sockets() > 0).await;
        world
    }

    /// Everything, with other rules.
    pub(crate) async fn start_with_rules(organisation: &str) -> Self {
        Self::without_bot(false).await.with_bot(false, None, organisation).await
    }

    pub(crate) async fn start_with(sockets: bool, store: Option<Arc<dyn Store>>) -> Self {
        Self::without_bot(sockets).await.with_bot(sockets, store, ORGANISATION).await
    }

    /// Starts the bot in what there is.
    pub(crate) async fn with_bot(self, sockets: bool, store: Option<Arc<dyn Store>>, organisation: &str) -> Self {
        let mut world = self;
        world.slack.set_group("S0SECURITY", Some(&[CHRIS, BEN]));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        world.bot_url = format!("http://{}", listener.local_addr().unwrap());
        if !sockets {
            world.slack.set_delivery(Delivery::Http { base_url: world.bot_url.clone() });
        }
        if let Some(store) = store {
            world.store = store;
        }
        let key = world.account.principal_credentials("irp-bot").unwrap();
        let (sender, reloads) = tokio::sync::mpsc::channel(1);
        world.reloads = Some(sender);
        let settings = Settings {
            slack: Slack {
                bot_token: BOT_TOKEN.into(),
                signing_secret: (!sockets).then(|| SIGNING_SECRET.into()),
                app_token: sockets.then(|| APP_TOKEN.into()),
                api_url: format!("{}/api", world.slack_url),
                war_room: ROOM.parse().unwrap(),
            },
            alert_keys: vec!["an-older-key-still-valid".into(), ALERT_KEY.into()],
            redis_url: "memory".into(),
            seal_keys: Vec::new(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            log: "off".into(),
            aws_endpoint_url: None,
            vault: None,
            organisation: Organisation::parse(organisation, "irp.toml").unwrap(),
        };
        let cloud = Box::pin(AwsCloud::new(AwsSettings {
            endpoint_url: Some(world.aws_url.clone()),
            credentials: Some(StaticKey {
                access_key_id: key.access_key_id,
                secret_access_key: key.secret_access_key.into(),
            }),
            ..aws_settings(&settings)
        }));
        let vault = DirectoryVault::new(env!("CARGO_TARGET_TMPDIR"));
        let parts = Parts {
            settings,
            read_at: world.clock.now(),
            clock: Arc::new(Shared(world.clock.clone())),
            store: Arc::clone(&world.store),
            cloud: Arc::new(
                cloud.await.keeping_in(Some(Arc::new(vault))).by_clock(Arc::new(Shared(world.clock.clone()))),
            ),
            listener,
            reloads,
        };
        world.bot = Some(tokio::spawn(run(parts, world.shutdown.clone())));
        world
    }

    /// The workspace and the account only, for a bot in a process of its own.
    pub(crate) async fn without_bot(sockets: bool) -> Self {
        Self::without_bot_beside(sockets, Router::new()).await
    }

    /// The same, with these routes served beside the workspace's.
    pub(crate) async fn without_bot_beside(sockets: bool, beside: Router) -> Self {
        let clock = SandboxClock::new(1);
        let account = Account::demo(clock.clone());
        account.list_regions(&["us-east-1"]);
        let (aws, aws_url) = listen().await;
        let (page, slack_url) = listen().await;
        let nowhere = Delivery::Http { base_url: "http://127.0.0.1:9".into() };
        let slack = Workspace::demo(WorkspaceConfig {
            clock: clock.clone(),
            terminal: Terminal::default(),
            signing_secret: SIGNING_SECRET.into(),
            bot_token: BOT_TOKEN.into(),
            app_token: APP_TOKEN.into(),
            delivery: if sockets { Delivery::Socket } else { nowhere },
        });
        slack.set_own_url(slack_url.clone());
        let pages = slack.router().merge(irp_sandbox::page::router()).merge(beside);
        tokio::spawn(axum::serve(aws, account.router()).into_future());
        tokio::spawn(axum::serve(page, pages).into_future());
        Self {
            account,
            slack,
            clock,
            store: Arc::new(MemoryStore::default()),
            bot_url: String::new(),
            slack_url,
            aws_url,
            reloads: None,
            shutdown: CancellationToken::new(),
            bot: None,
        }
    }

    /// The stolen key.
    pub(crate) fn stolen_key(&self) -> String {
        self.account.access_keys("deploy-bot")[0].access_key_id.clone()
    }

    /// What an SDK needs to act in the account with a key.
    pub(crate) fn sdk(&self, key: &irp_sandbox::aws::KeyPair) -> aws_config::SdkConfig {
        let (id, secret, token) = (&key.access_key_id, &key.secret_access_key, key.session_token.clone());
        aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::from_static("us-east-1"))
            .endpoint_url(&self.aws_url)
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
                aws_credential_types::Credentials::new(id, secret, token, None, "test"),
            ))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }

    /// The attacker takes a role with the stolen key, and the trail shows it.
    pub(crate) async fn attacker_takes(&self, role: &str) {
        let sts = aws_sdk_sts::Client::new(&self.sdk(&self.account.access_keys("deploy-bot")[0]));
        let arn = format!("arn:aws:iam::111122223333:role/{role}");
        sts.assume_role().role_arn(arn).role_session_name("backup-job").send().await.unwrap();
        self.clock.advance(chrono::TimeDelta::minutes(6));
    }

    /// A finding about the stolen key, as EventBridge delivers it.
    pub(crate) fn finding(&self, delivery: &str, finding: &str) -> Value {
        let ago = |minutes| (self.clock.now() - chrono::TimeDelta::minutes(minutes)).to_rfc3339();
        json!({
            "version": "0", "id": delivery, "detail-type": "GuardDuty Finding", "source": "aws.guardduty",
            "account": "111122223333", "region": "us-east-1", "detail": {
                "id": finding, "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", "severity": 8,
                "title": "An API was called from <!channel> a listed address", "accountId": "111122223333", "region": "us-east-1",
                "updatedAt": ago(1),
                "resource": {"resourceType": "AccessKey", "accessKeyDetails": {
                    "accessKeyId": self.stolen_key(), "principalId": self.account.user_id("deploy-bot"),
                    "userType": "IAMUser", "userName": "deploy-bot"}},
                "service": {"count": 1, "eventFirstSeen": ago(10), "eventLastSeen": ago(5),
                    "action": {"awsApiCallAction": {"api": "ListUsers", "serviceName": "iam.amazonaws.com",
                        "remoteIpDetails": {"ipAddressV4": "198.51.100.77"}}}},
            },
        })
    }

    pub(crate) async fn alert(&self, event: &Value) -> u16 {
        let url = format!("{}/alerts/eventbridge", self.bot_url);
        send(&url, &[("x-irp-key", ALERT_KEY)], event.to_string().into_bytes()).await.0
    }

    /// The same, sent again until it is kept, as EventBridge does.
    pub(crate) async fn alert_until_kept(&self, event: &Value) {
        let url = format!("{}/alerts/eventbridge", self.bot_url);
        let deadline = Instant::now() + LIMIT;
        while try_send(&url, &[("x-irp-key", ALERT_KEY)], event.to_string().into_bytes()).await.ok().map(|a| a.0)
            != Some(202)
        {
            assert!(Instant::now() < deadline, "the alert is not kept");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An alert, and its step cards in the thread.
    pub(crate) async fn incident(&self) {
        assert_eq!(self.alert(&self.finding("e-1", "f-1")).await, 202);
        for step in ["· Deactivate access key", "· Revoke all sessions minted"] {
            self.until("the steps are there", |w| w.card(ANA, step).is_some()).await;
        }
    }

    /// What a person sees in the war room, oldest first.
    pub(crate) fn messages(&self, person: &str) -> Vec<Value> {
        let state = self.slack.state(person);
        let channels = state["channels"].as_array().unwrap();
        let room = channels.iter().find(|c| c["id"] == ROOM);
        room.and_then(|c| c["messages"].as_array().cloned()).unwrap_or_default()
    }

    /// What only this person was told, in the war room or in a direct message, oldest first.
    pub(crate) fn told(&self, person: &str) -> Vec<String> {
        let state = self.slack.state(person);
        let mut told: Vec<(String, String)> = Vec::new();
        for channel in state["channels"].as_array().unwrap() {
            for message in channel["messages"].as_array().unwrap() {
                if (message["ephemeral"] == true || channel["kind"] == "im") && !is_receipt(message) {
                    told.push((message["ts"].as_str().unwrap().into(), message["text"].as_str().unwrap().into()));
                }
            }
        }
        told.sort();
        told.into_iter().map(|(_, text)| text).collect()
    }

    /// The bot's card whose text has this in it, in a thread before the channel; notes are no cards.
    pub(crate) fn card(&self, person: &str, text: &str) -> Option<Value> {
        let mut messages = self.messages(person);
        messages.sort_by_key(|m| m["thread_ts"].is_null());
        messages.into_iter().find(|m| {
            let body = m["text"].as_str().unwrap();
            m["ephemeral"] == false && body.starts_with("INC-") && body.contains(text)
        })
    }

    /// The receipts that a person has in their direct messages, oldest first.
    pub(crate) fn receipts(&self, person: &str) -> Vec<Value> {
        let messages = self.direct(person)["messages"].as_array().cloned().unwrap_or_default();
        messages.into_iter().filter(is_receipt).collect()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = self.messages(ANA).into_iter().filter(|m| m["ephemeral"] == false && m["thread_ts"].is_string());
        notes.map(|m| m["text"].as_str().unwrap().to_owned()).filter(|t| !t.starts_with("INC-")).collect()
    }

    /// Clicks a button of a card, and gives what the person is told next.
    pub(crate) async fn click(&self, person: &str, card: &str, button: &str) -> String {
        let before = self.told(person).len();
        self.press(person, card, button).await;
        self.next_told(person, before).await
    }

    /// One asks for a step, another approves it, and it is done.
    pub(crate) async fn carry_out(&self, card: &str, requester: &str, approver: &str) {
        self.click(requester, card, "irp.request").await;
        self.until_card(card, "waiting for approval").await;
        self.click(approver, card, "irp.approve").await;
        self.until_card(card, "carried out and verified").await;
    }

    /// Clicks without waiting for an answer.
    pub(crate) async fn press(&self, person: &str, card: &str, button: &str) {
        self.try_press(person, card, button).await.unwrap();
    }

    /// The same, of a bot that may be dead and a card that may change meanwhile. The error is what the person
    /// would see.
    pub(crate) async fn try_press(&self, person: &str, card: &str, button: &str) -> Result<(), String> {
        let message = self.card(person, card).ok_or_else(|| format!("no card “{card}”: {:#?}", self.texts()))?;
        self.press_on(person, ROOM, &message, button).await
    }

    async fn press_on(&self, person: &str, channel: &str, message: &Value, button: &str) -> Result<(), String> {
        let block = message["blocks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|b| b["elements"].as_array().is_some_and(|e| e.iter().any(|e| e["action_id"] == button)));
        let block = block.ok_or_else(|| format!("no {button} there: {message:#}"))?;
        let (ts, block) = (message["ts"].as_str().unwrap(), block["block_id"].as_str().unwrap());
        self.slack.click(person, channel, ts, block, button, None).await
    }

    /// Clicks *This was not me* on the newest receipt, in the person's direct message.
    pub(crate) async fn was_not(&self, person: &str) -> String {
        let before = self.told(person).len();
        self.until("there is a receipt", |w| !w.receipts(person).is_empty()).await;
        let channel = self.direct(person)["id"].as_str().unwrap().to_owned();
        let receipt = self.receipts(person).pop().expect("a receipt");
        self.press_on(person, &channel, &receipt, "irp.not_me").await.unwrap();
        self.next_told(person, before).await
    }

    fn direct(&self, person: &str) -> Value {
        let state = self.slack.state(person);
        state["channels"].as_array().unwrap().iter().find(|c| c["kind"] == "im").cloned().unwrap_or_default()
    }

    /// How a bot that does not start ends.
    pub(crate) async fn ended(mut self) -> String {
        let bot = self.bot.take().expect("the bot was started");
        let ended = tokio::time::timeout(LIMIT, bot).await.expect("it ends by itself").expect("no panic");
        format!("{:#}", ended.expect_err("it does not start"))
    }

    /// Whether a card has a button.
    pub(crate) fn offers(&self, card: &str, button: &str) -> bool {
        self.card(ANA, card).is_some_and(|m| m["blocks"].to_string().contains(&format!("\"{button}\"")))
    }

    /// Types a command, and gives what the person is told next.
    pub(crate) async fn command(&self, person: &str, text: &str) -> String {
        let before = self.told(person).len();
        self.slack.command(person, ROOM, text).await.unwrap();
        self.next_told(person, before).await
    }

    pub(crate) async fn next_told(&self, person: &str, before: usize) -> String {
        self.until("the person is told something", |w| w.told(person).len() > before).await;
        self.told(person)[before].clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages(ANA).iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until something holds, or fails with what stands in the channel.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        self.until_within(LIMIT, what, holds).await;
    }

    /// The same, where it takes longer by design.
    pub(crate) async fn until_within(&self, limit: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !holds(self) {
            assert!(Instant::now() < deadline, "not in time: {what}\n{:#?}\n{:#?}", self.texts(), self.told(ANA));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a step's card says this.
    pub(crate) async fn until_card(&self, card: &str, says: &str) {
        self.until(&format!("“{card}” says “{says}”"), |w| w.says(card, says)).await;
    }

    /// Whether a step's card says this.
    pub(crate) fn says(&self, card: &str, says: &str) -> bool {
        self.card(ANA, card).is_some_and(|m| m["text"].as_str().unwrap().contains(says))
    }

    /// Ends the bot and looks for what is left undone: every delivery was acknowledged in time, every
    /// message was taken by Slack, and nothing is owed that was due.
    pub(crate) async fn end(mut self) {
        self.shutdown.cancel();
        let bot = self.bot.take().expect("the bot runs");
        bot.await.expect("no panic").expect("a clean end");
        self.nothing_is_left().await;
    }

    /// What [`Self::end`] looks for, of a bot in a process of its own; it may take a moment to get there.
    pub(crate) async fn nothing_is_left(&self) {
        for delivery in self.slack.deliveries() {
            assert_eq!(delivery.status, Some(200), "{delivery:?}");
        }
        for call in self.slack.journal() {
            let wrong = ["invalid_arguments", "invalid_blocks", "invalid_payload"];
            let refused =
                call.outcome.as_ref().err().filter(|code| wrong.contains(&code.as_str()) || code.starts_with("msg_"));
            assert_eq!(refused, None, "{call:?}");
            let blocks = call.args["blocks"].as_array().map_or(&[][..], Vec::as_slice);
            let folds = |b: &Value| b["type"] == "section" && b["text"].is_object() && b["expand"] != true;
            let folded = blocks.iter().any(|b| b["type"] == "actions") && blocks.iter().any(folds);
            assert!(!folded, "nothing beside a button hides behind “Show more”: {call:?}");
        }
        self.nothing_is_owed().await;
        for id in self.store.open_incidents(100).await.unwrap() {
            let log = self.store.load(id).await.unwrap();
            let read = irp::domain::stored::read(log.iter().map(|record| record.text().to_owned()));
            assert_eq!(read.map(|log| log.len()), Ok(log.len()), "what is written can be read again");
        }
    }

    /// Waits until all that was due is done.
    pub(crate) async fn nothing_is_owed(&self) {
        let deadline = Instant::now() + LIMIT;
        while let Some(owed) = self.owed().await {
            assert!(Instant::now() < deadline, "{owed}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn owed(&self) -> Option<String> {
        let now = SystemClock.now();
        for id in self.store.open_incidents(100).await.unwrap() {
            let incident = fold(&self.store.load(id).await.unwrap()).expect("an incident");
            // What only informs may still be under way: the trail takes two questions a second.
            let late = |owed: &Owed| owed.due_at <= now && !owed.effect.informs();
            let due: Vec<_> = owed(&incident).into_iter().filter(late).collect();
            if !due.is_empty() {
                return Some(format!("{id} still owes {due:?}"));
            }
        }
        None
    }
}

/// Receipts come beside the answers, whenever they come.
fn is_receipt(message: &Value) -> bool {
    let text = message["text"].as_str().unwrap_or_default();
    let of_theirs = ["asked for *", "approved *", "broke the glass", "said that *", "confirmed that *"];
    let theirs = text.strip_prefix("You ").is_some_and(|rest| of_theirs.iter().any(|begins| rest.starts_with(begins)));
    theirs || text.starts_with(":rotating_light: <@")
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Posts, and gives status and body.
pub(crate) async fn send(url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
    try_send(url, headers, body).await.unwrap()
}

pub(crate) async fn try_send(url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<(u16, String)> {
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    exchange(request.body(Full::new(Bytes::from(body)))?).await
}

/// The status of a page, and its body.
pub(crate) async fn get(url: &str) -> (u16, String) {
    exchange(http::Request::get(url).body(Full::default()).unwrap()).await.unwrap()
}

async fn exchange(request: http::Request<Full<Bytes>>) -> anyhow::Result<(u16, String)> {
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
