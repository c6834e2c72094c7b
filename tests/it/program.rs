//! The real program.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use irp_sandbox::slack::Delivery;

use crate::port::Port;
use crate::redis_server::{RedisServer, SEAL_KEYS};
use crate::world::{ALERT_KEY, BOT_TOKEN, ORGANISATION, ROOM, SIGNING_SECRET, World};

/// How long it may take until it listens.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
/// How much of its log is shown when a test fails.
const LOG_LINES: usize = 30;

/// `irp serve` as a process of its own; killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    port: Arc<Port>,
    log: PathBuf,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("The end of what the program on port {} logged:\n{}", self.port.number(), self.logged());
        }
    }
}

/// The program with everything set that it needs.
pub(crate) fn command(w: &World, redis: &RedisServer, dir: &tempfile::TempDir, port: u16) -> Command {
    command_over(w, &redis.url(), dir, port)
}

fn command_over(w: &World, store: &str, dir: &tempfile::TempDir, port: u16) -> Command {
    let config = dir.path().join("irp.toml");
    if !config.exists() {
        std::fs::write(&config, ORGANISATION).unwrap();
    }
    let key = w.account.principal_credentials("irp-bot").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_irp"));
    command.current_dir(dir.path()).env_clear().envs([
        ("SLACK_BOT_TOKEN", BOT_TOKEN),
        ("SLACK_SIGNING_SECRET", SIGNING_SECRET),
        ("SLACK_API_URL", &format!("{}/api", w.slack_url)),
        ("IRP_WAR_ROOM", ROOM),
        ("IRP_ALERT_KEYS", ALERT_KEY),
        ("IRP_SEAL_KEYS", SEAL_KEYS),
        ("IRP_CONFIG", config.to_str().unwrap()),
        ("IRP_LISTEN", &format!("127.0.0.1:{port}")),
        ("REDIS_URL", store),
        ("AWS_ENDPOINT_URL", &w.aws_url),
        ("AWS_ACCESS_KEY_ID", &key.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &key.secret_access_key),
    ]);
    command
}

impl Program {
    /// Starts it over this store, and leads the workspace's deliveries to it.
    pub(crate) async fn start(w: &mut World, redis: &RedisServer, dir: &tempfile::TempDir) -> Self {
        let program = Self::start_over(w, &redis.url(), dir).await;
        program.take_deliveries(w);
        program
    }

    /// Starts it over the store with this address.
    pub(crate) async fn start_over(w: &World, store: &str, dir: &tempfile::TempDir) -> Self {
        Self::start_at(w, store, dir, Arc::new(Port::reserve())).await
    }

    /// Kills it, and starts another in its place.
    pub(crate) async fn killed_and_replaced(self, w: &World, store: &str, dir: &tempfile::TempDir) -> Self {
        let port = Arc::clone(&self.port);
        drop(self);
        Self::start_at(w, store, dir, port).await
    }

    async fn start_at(w: &World, store: &str, dir: &tempfile::TempDir, port: Arc<Port>) -> Self {
        let log = dir.path().join(format!("irp-{}.log", port.number()));
        let mut command = command_over(w, store, dir, port.number());
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        let child = command.arg("serve").stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        let mut program = Self { child, port, log };
        let started = Instant::now();
        while std::net::TcpStream::connect(program.port.address()).is_err() {
            assert!(program.child.try_wait().unwrap().is_none(), "the program ended at once");
            assert!(started.elapsed() < LISTENS_WITHIN, "the program does not listen");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        program
    }

    /// The end of what it has logged.
    pub(crate) fn logged(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Leads the workspace's deliveries, and alerts, to it.
    pub(crate) fn take_deliveries(&self, w: &mut World) {
        w.bot_url = self.url();
        w.slack.set_delivery(Delivery::Http { base_url: self.url() });
    }

    /// Sends it a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Resident memory, in kB, as the kernel counts it.
    pub(crate) fn rss_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}
