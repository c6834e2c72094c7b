//! The real program over real Redis, killed at the worst moments.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use irp_sandbox::aws::{Fault, KeyStatus};
use irp_sandbox::slack::Delivery;

use crate::redis_server::RedisServer;
use crate::world::{ALERT_KEY, ANA, BOT_TOKEN, CHRIS, ORGANISATION, ROOM, SIGNING_SECRET, World};

const KEY: &str = "Deactivate access key";
/// A dead process's work is taken over after 15 s, and a started call read back after 20.
const TAKEOVER: Duration = Duration::from_secs(50);

struct Program {
    child: Child,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    async fn start(w: &mut World, redis: &RedisServer, dir: &tempfile::TempDir) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = dir.path().join("irp.toml");
        std::fs::write(&config, ORGANISATION).unwrap();
        let key = w.account.principal_credentials("irp-bot").unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_irp"))
            .arg("serve")
            .current_dir(dir.path())
            .env_clear()
            .envs([
                ("SLACK_BOT_TOKEN", BOT_TOKEN),
                ("SLACK_SIGNING_SECRET", SIGNING_SECRET),
                ("SLACK_API_URL", &format!("{}/api", w.slack_url)),
                ("IRP_WAR_ROOM", ROOM),
                ("IRP_ALERT_KEYS", ALERT_KEY),
                ("IRP_CONFIG", config.to_str().unwrap()),
                ("IRP_LISTEN", &format!("127.0.0.1:{port}")),
                ("REDIS_URL", &redis.url()),
                ("AWS_ENDPOINT_URL", &w.aws_url),
                ("AWS_ACCESS_KEY_ID", &key.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", &key.secret_access_key),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let program = Self { child };
        w.bot_url = format!("http://127.0.0.1:{port}");
        w.slack.set_delivery(Delivery::Http { base_url: w.bot_url.clone() });
        let started = Instant::now();
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(started.elapsed().as_secs() < 20, "the program does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        program
    }
}

async fn until(w: &World, what: &str, limit: Duration, holds: impl Fn(&World) -> bool) {
    let started = Instant::now();
    while !holds(w) {
        assert!(started.elapsed() < limit, "not in time: {what}\n{:#?}", w.texts());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn killed_while(hanging: &str, fault: Fault) {
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::without_bot(false).await;
    let first = Program::start(&mut w, &redis, &dir).await;
    w.incident().await;
    w.click(ANA, KEY, "irp.request").await;
    w.until_card(KEY, "waiting for approval").await;
    let before = w.account.count(hanging);
    w.account.fail_next(hanging, fault);
    w.press(CHRIS, KEY, "irp.approve").await;
    w.until("the program hangs in the middle", |w| w.account.count(hanging) > before).await;
    drop(first);
    let _second = Program::start(&mut w, &redis, &dir).await;
    until(&w, "the incident goes on", TAKEOVER, |w| {
        w.card(ANA, KEY).is_some_and(|m| m["text"].as_str().unwrap().contains("carried out and verified"))
    })
    .await;
    assert_eq!(w.account.count("UpdateAccessKey"), 1, "exactly one call reached AWS");
    assert_eq!(w.account.key_status(&w.stolen_key()), Some(KeyStatus::Inactive));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_approval_and_call_it_calls_once() {
    killed_while("GetUser", Fault::HangBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_call_and_record_it_reads_back_and_does_not_call_again() {
    killed_while("UpdateAccessKey", Fault::HangAfter).await;
}
