//! A Redis server of a test's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use irp::adapters::redis::Seal;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::port::Port;

/// What every program and store seals with.
pub(crate) const SEAL_KEYS: &str = "a-key-for-what-is-in-the-tests-redis";

/// How long a server may take to come up, its data included.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// The seal of the programs' stores.
pub(crate) fn seal() -> Seal {
    Seal::new(&[SEAL_KEYS.into()])
}

/// A `redis-server` on a loopback port, with its data in a directory of its own. Both are gone when
/// this is dropped.
pub(crate) struct RedisServer {
    port: Port,
    settings: Vec<String>,
    data: TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// As it should be: an append-only file, and nothing is evicted.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--appendonly", "yes", "--maxmemory-policy", "noeviction"])
    }

    /// With these settings instead.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a directory for the data");
        let settings = settings.iter().map(ToString::to_string).collect();
        let mut server = Self { port: Port::reserve(), settings, data, process: None };
        server.run();
        server
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.port.address())
    }

    /// A connection past the store.
    pub(crate) async fn raw(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("an address");
        client.get_multiplexed_async_connection().await.expect("the server is up")
    }

    /// Kills it, as a crash would. What it has answered for stays in its directory.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it was running");
            process.wait().expect("it ends");
        }
    }

    /// Stops it if need be, and starts it on the same port with the same data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// Freezes it: connections stay, answers do not come.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Ends [`Self::freeze`]. It then works off what has come in.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill is there").success());
    }

    fn run(&mut self) {
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.number().to_string(), "--save", "", "--dir"])
            .arg(self.data.path())
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut process = spawned.unwrap_or_else(|error| {
            panic!("redis-server could not be started ({error}): run `make test`, which brings it along")
        });
        let deadline = Instant::now() + UP_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = process.try_wait().expect("a child of ours") {
                panic!("redis-server ended at once on port {}: {status}", self.port.number());
            }
            if answers(&self.port) {
                self.process = Some(process);
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.process = Some(process);
        panic!("redis-server did not answer in {} s", UP_WITHIN.as_secs());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answers(port: &Port) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&port.address(), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| &answer == b"+PONG\r\n")
}
