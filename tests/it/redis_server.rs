//! A Redis server of a test's own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

/// How long a server may take to come up, its data included.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// How often a free port is looked for: another process may take it first.
const PORTS_TRIED: usize = 5;

/// A `redis-server` on a loopback port, with its data in a directory of its own. Both are gone when
/// this is dropped.
pub(crate) struct RedisServer {
    port: u16,
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
        let mut server = Self { port: 0, settings, data, process: None };
        for _ in 0..PORTS_TRIED {
            server.port = free_port();
            if server.run() {
                return server;
            }
        }
        panic!("redis-server did not come up on any of {PORTS_TRIED} ports");
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
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
        assert!(self.run(), "redis-server does not come up again on port {}", self.port);
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

    /// `false` when it ended by itself, because the port is taken.
    fn run(&mut self) -> bool {
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--dir"])
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
            if process.try_wait().expect("a child of ours").is_some() {
                return false;
            }
            if answers(self.port) {
                self.process = Some(process);
                return true;
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

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    ask().is_ok_and(|answer| &answer == b"+PONG\r\n")
}
