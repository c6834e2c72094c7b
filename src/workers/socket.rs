//! Feeds Socket Mode's deliveries into the same way in that HTTP uses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use secrecy::SecretString;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::adapters::slack::SlackChat;
use crate::adapters::slack::socket::{Envelope, Socket, Word};
use crate::http::{App, slack::take};
use crate::intake::slack::{command_payload, event_payload, interaction_payload};
use crate::ports::ChatError;

/// Waits before a new connection after a failed one; the last is kept.
const RECONNECT_WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// A connection that held for so long was a good one: after it, waits begin with the shortest again.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// How long one that was replaced is still listened to: Slack ends it within that.
const LEAVING_MAX: Duration = Duration::from_secs(15);
/// Wait before a replacement is asked for again.
const REPLACED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Deliveries of one connection that are being kept at once. What comes beyond that is not read before one of them is kept.
const KEPT_AT_ONCE: usize = 64;

/// A delivery that has been taken: its name, and what its acknowledgement carries.
type Taken = (String, Option<Value>);

/// A connection, and what has come over it and is being kept. As over HTTP, nothing waits for what came before it.
struct Connection<'a> {
    socket: Socket,
    taking: FuturesUnordered<BoxFuture<'a, Taken>>,
}

/// What is to be done about a connection.
enum Next {
    /// Acknowledge this.
    Acknowledge(Taken),
    /// Open another: Slack is about to end this one.
    Replace,
}

/// Keeps a connection open until `shutdown`. Where Slack says before that it will end one, the next is open by then. Events
/// that fall between two connections are repeated by Slack; a click or a command is not, and the person sees that it failed.
pub async fn run(app: App, slack: Arc<SlackChat>, app_token: SecretString, shutdown: CancellationToken) {
    let mut failures: usize = 0;
    while !shutdown.is_cancelled() {
        match slack.open_socket(&app_token).await {
            Ok(socket) => {
                tracing::info!("Socket Mode is connected");
                let opened = Instant::now();
                Box::pin(listen(&app, &slack, &app_token, socket, &shutdown)).await;
                failures = if opened.elapsed() < GOOD_AFTER { failures + 1 } else { 0 };
            }
            Err(ChatError::RateLimited(wait)) => {
                tracing::warn!(wait_s = wait.as_secs(), "Slack asks to wait before the next Socket Mode connection");
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shutdown.cancelled() => {}
                }
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "Socket Mode could not connect; trying again");
                failures += 1;
            }
        }
        // The first new connection after one that ended follows at once.
        let wait = RECONNECT_WAITS[failures.saturating_sub(1).min(RECONNECT_WAITS.len() - 1)];
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Takes what comes over a connection, and over those that it is replaced by, until one has ended without a replacement.
async fn listen(app: &App, slack: &SlackChat, app_token: &SecretString, socket: Socket, shutdown: &CancellationToken) {
    let mut connection = Connection::over(socket);
    let mut leaving: Option<(Connection<'_>, tokio::time::Instant)> = None;
    let mut next: Option<BoxFuture<'_, Socket>> = None;
    loop {
        let replaced = async {
            match next.as_mut() {
                Some(next) => next.await,
                None => std::future::pending().await,
            }
        };
        let old = async {
            match leaving.as_mut() {
                Some((old, until)) => tokio::time::timeout_at(*until, old.next(app)).await.ok().flatten(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            what = connection.next(app) => match what {
                Some(Next::Acknowledge(taken)) => {
                    if !connection.acknowledge(&taken).await {
                        break;
                    }
                }
                Some(Next::Replace) => {
                    next.get_or_insert_with(|| Box::pin(another(slack, app_token)));
                }
                None => break,
            },
            what = old => match (what, leaving.take()) {
                (Some(Next::Acknowledge(taken)), Some((mut old, until))) => {
                    if old.acknowledge(&taken).await {
                        leaving = Some((old, until));
                    } else {
                        old.close().await;
                    }
                }
                (Some(Next::Replace), still_open) => leaving = still_open,
                (None, Some((old, _))) => old.close().await,
                (_, None) => {}
            },
            new = replaced => {
                tracing::info!("Socket Mode is connected anew, before the last connection ends");
                next = None;
                let until = tokio::time::Instant::now() + LEAVING_MAX;
                let replaced = std::mem::replace(&mut connection, Connection::over(new));
                if let Some((older, _)) = leaving.replace((replaced, until)) {
                    older.close().await;
                }
            }
            () = shutdown.cancelled() => break,
        }
    }
    connection.close().await;
    if let Some((old, _)) = leaving {
        old.close().await;
    }
}

impl<'a> Connection<'a> {
    fn over(socket: Socket) -> Self {
        Self { socket, taking: FuturesUnordered::new() }
    }

    /// Takes what comes until something else is to be done; `None` when the connection has ended. Whoever stops waiting for
    /// it loses nothing.
    async fn next(&mut self, app: &'a App) -> Option<Next> {
        loop {
            tokio::select! {
                Some(taken) = self.taking.next() => return Some(Next::Acknowledge(taken)),
                word = self.socket.next(), if self.taking.len() < KEPT_AT_ONCE => match word? {
                    Word::Delivery(envelope) => self.taking.push(Box::pin(take_one(app, envelope))),
                    Word::Disconnect => return Some(Next::Replace),
                },
            }
        }
    }

    /// `false` when the connection has ended.
    async fn acknowledge(&mut self, (id, answer): &Taken) -> bool {
        self.socket.acknowledge(id, answer.as_ref()).await
    }

    /// Says goodbye, once all that has come over it is kept and acknowledged.
    async fn close(mut self) {
        while let Some(taken) = self.taking.next().await {
            // Where the connection has ended already, it is kept all the same.
            self.acknowledge(&taken).await;
        }
        self.socket.close().await;
    }
}

/// Another connection, asked for until there is one.
async fn another(slack: &SlackChat, app_token: &SecretString) -> Socket {
    loop {
        let wait = match slack.open_socket(app_token).await {
            Ok(socket) => return socket,
            Err(ChatError::RateLimited(wait)) => wait,
            Err(error) => {
                tracing::warn!(%error, "Socket Mode could not connect anew; trying again");
                REPLACED_AGAIN_AFTER
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Takes one delivery.
async fn take_one(app: &App, envelope: Envelope) -> Taken {
    let received = match envelope.kind.as_str() {
        "slash_commands" => command_payload(&envelope.payload),
        "interactive" => interaction_payload(&envelope.payload),
        _ => event_payload(&envelope.payload),
    };
    let answer = if let Ok(received) = received {
        take(app, received).await
    } else {
        app.metrics.rejected("slack_malformed");
        None
    };
    (envelope.id, answer)
}
