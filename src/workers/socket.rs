//! Feeds Socket Mode's deliveries into the same way in that HTTP uses.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::adapters::slack::SlackChat;
use crate::http::{App, slack::take};
use crate::intake::slack::{command_payload, event_payload, interaction_payload};

/// Waits before a new connection after a failed one; the last is kept.
const RECONNECT_WAITS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// Keeps a connection open until `shutdown`. Deliveries that fall between two connections are repeated
/// by Slack.
pub async fn run(app: App, slack: Arc<SlackChat>, app_token: SecretString, shutdown: CancellationToken) {
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        match slack.open_socket(&app_token).await {
            Ok(mut socket) => {
                tracing::info!("Socket Mode is connected");
                failures = 0;
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
            }
            Err(error) => {
                tracing::warn!(%error, "Socket Mode could not connect; trying again");
                failures += 1;
            }
        }
        let wait = RECONNECT_WAITS[failures.min(RECONNECT_WAITS.len() - 1)];
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }
}
