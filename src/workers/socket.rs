//! Feeds Socket Mode's deliveries into the same way in that HTTP uses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::adapters::slack::SlackChat;
use crate::http::{App, slack::take};
use crate::intake::slack::{command_payload, event_payload, interaction_payload};
use crate::ports::ChatError;

/// Waits before a new connection after a failed one; the last is kept.
const RECONNECT_WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// A connection that held for so long was a good one: after it, waits begin with the shortest again.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// Keeps a connection open until `shutdown`. Events that fall between two connections are repeated by
/// Slack; a click or a command is not, and the person sees that it failed.
pub async fn run(app: App, slack: Arc<SlackChat>, app_token: SecretString, shutdown: CancellationToken) {
    let mut failures: usize = 0;
    while !shutdown.is_cancelled() {
        match slack.open_socket(&app_token).await {
            Ok(mut socket) => {
                tracing::info!("Socket Mode is connected");
                let opened = Instant::now();
                loop {
                    let envelope = tokio::select! {
                        envelope = socket.next() => envelope,
                        () = shutdown.cancelled() => None,
                    };
                    let Some(envelope) = envelope else { break };
                    let received = match envelope.kind.as_str() {
                        "slash_commands" => command_payload(&envelope.payload),
                        "interactive" => interaction_payload(&envelope.payload),
                        _ => event_payload(&envelope.payload),
                    };
                    let answer = if let Ok(received) = received {
                        take(&app, received).await
                    } else {
                        app.metrics.rejected("slack_malformed");
                        None
                    };
                    if !socket.acknowledge(&envelope.id, answer.as_ref()).await {
                        break;
                    }
                }
                socket.close().await;
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
