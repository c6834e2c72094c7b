//! Connections: one for all short commands, and others for reads that wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult,
    ServerErrorKind, Value,
};

/// How long making a connection may take, the wait for somebody else's attempt included.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long an answer may take. After that it is not known whether the command was carried out.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The same for what keeps a delivery: whoever waits for that gives up soon after, and a connection that is silently dead has
/// to be noticed before.
pub(super) const KEPT_WITHIN: Duration = Duration::from_secs(1);
/// How long a read waits for the first entry, on the server's side.
pub(super) const READ_WAITS: Duration = Duration::from_secs(1);

/// The shared connection. Replaced by the next command after one that got no answer: a connection
/// that is silently dead would otherwise time out command after command until TCP gives it up.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    client: Client,
    answer_within: Duration,
    live: Mutex<Option<Arc<MultiplexedConnection>>>,
    /// Held while connecting, so that a hundred waiting commands make one connection.
    connecting: tokio::sync::Mutex<()>,
}

impl Link {
    /// Reads the address; connects with the first command.
    pub(super) fn new(url: &str, answer_within: Duration) -> RedisResult<Self> {
        // Many small commands on one socket: each would wait for the answer to the one before it.
        let address = url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(address)?;
        let (live, connecting) = (Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Inner { client, answer_within, live, connecting })))
    }

    async fn live(&self) -> RedisResult<Arc<MultiplexedConnection>> {
        if let Some(live) = &*locked(&self.0.live) {
            return Ok(live.clone());
        }
        let connect = async {
            let _one_at_a_time = self.0.connecting.lock().await;
            if let Some(live) = &*locked(&self.0.live) {
                return Ok(live.clone());
            }
            let made = Arc::new(connect(&self.0.client, self.0.answer_within).await?);
            *locked(&self.0.live) = Some(made.clone());
            Ok(made)
        };
        tokio::time::timeout(CONNECT_WITHIN, connect)
            .await
            .unwrap_or_else(|_| Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))))
    }

    fn discard(&self, broken: &Arc<MultiplexedConnection>) {
        let mut live = locked(&self.0.live);
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, broken)) {
            *live = None;
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let live = self.live().await?;
            let answer = MultiplexedConnection::clone(&live).req_packed_command(cmd).await;
            if answer.as_ref().map_or_else(breaks, says_replica) {
                self.discard(&live);
            }
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let live = self.live().await?;
            let answers = MultiplexedConnection::clone(&live).req_packed_commands(pipeline, offset, count).await;
            if answers.as_ref().map_or_else(breaks, |answers| answers.iter().any(says_replica)) {
                self.discard(&live);
            }
            answers
        })
    }

    fn get_db(&self) -> i64 {
        self.0.client.get_connection_info().redis_settings().db()
    }
}

/// Connections for reads that wait: such a read holds up everything behind it on its connection. One
/// for each read that goes on at the same time.
pub(super) struct Readers {
    client: Client,
    idle: Mutex<Vec<MultiplexedConnection>>,
}

impl Readers {
    /// To the same server.
    pub(super) fn new(link: &Link) -> Self {
        Self { client: link.0.client.clone(), idle: Mutex::default() }
    }

    /// A connection that nobody else uses. It is closed when it is not given back: what a read that
    /// was given up would still receive goes to somebody else instead.
    pub(super) async fn lend(&self) -> RedisResult<MultiplexedConnection> {
        let idle = locked(&self.idle).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connect(&self.client, READ_WAITS + ANSWER_WITHIN).await,
        }
    }

    /// For the next read.
    pub(super) fn give_back(&self, connection: MultiplexedConnection) {
        locked(&self.idle).push(connection);
    }

    /// Closes those that wait for a read: one of their kind broke.
    pub(super) fn distrust(&self) {
        locked(&self.idle).clear();
    }
}

async fn connect(client: &Client, answer_within: Duration) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(answer_within));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Whether a connection is of no more use after this.
fn breaks(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

/// After a failover the address may lead to another server, but this connection does not.
fn says_replica(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::ReadOnly))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
