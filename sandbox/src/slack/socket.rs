//! Socket Mode: up to ten connections that the app opens with a one-time ticket. Follows Slack's “Using
//! Socket Mode”.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::delivery::ACK_TIME_MAX;
use super::people::APP;
use super::{Workspace, lock};

const CONNECTIONS_MAX: usize = 10;
const TICKET_LIFE: Duration = Duration::from_secs(30);
/// How long a connection stays open after the warning that it will be ended.
const WARNED_BEFORE: Duration = Duration::from_secs(10);

/// The open connections.
#[derive(Default)]
pub(super) struct Hub {
    connections: Mutex<Vec<mpsc::UnboundedSender<Out>>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Option<Value>>>>,
    turn: AtomicUsize,
}

enum Out {
    Text(String),
    /// Slack asks for another connection, and ends this one a little later.
    Warning,
    Disconnect,
}

impl Hub {
    /// Sends to one connection, each in its turn.
    pub(super) async fn deliver(&self, kind: &str, payload: &Value) -> Result<(u16, Option<Value>), String> {
        let kind = match kind {
            "commands" => "slash_commands",
            "interactions" => "interactive",
            _ => "events_api",
        };
        let envelope_id = hex::encode(rand::random::<[u8; 16]>());
        let (acked, ack) = oneshot::channel();
        let envelope = json!({
            "envelope_id": envelope_id, "type": kind, "payload": payload,
            "accepts_response_payload": kind != "events_api", "retry_attempt": 0, "retry_reason": "",
        });
        {
            let mut connections = lock(&self.connections);
            connections.retain(|c| !c.is_closed());
            if connections.is_empty() {
                return Err("dispatch_failed (no socket is open)".into());
            }
            lock(&self.waiting).insert(envelope_id.clone(), acked);
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % connections.len();
            let _ = connections[turn].send(Out::Text(envelope.to_string()));
        }
        let answer = tokio::time::timeout(ACK_TIME_MAX, ack).await;
        lock(&self.waiting).remove(&envelope_id);
        match answer {
            Ok(Ok(body)) => Ok((200, body)),
            _ => Err("operation_timeout".into()),
        }
    }

    fn acknowledged(&self, body: &Value) {
        let waiting = body["envelope_id"].as_str().and_then(|id| lock(&self.waiting).remove(id));
        if let Some(waiting) = waiting {
            let _ = waiting.send(body.get("payload").cloned());
        }
    }
}

impl Workspace {
    /// How many sockets the app has open.
    #[must_use]
    pub fn sockets(&self) -> usize {
        lock(&self.0.sockets.connections).iter().filter(|c| !c.is_closed()).count()
    }

    /// Warns every connection that it will be ended, and ends it ten seconds later. Until then it is delivered to.
    pub fn warn_sockets(&self) {
        for connection in lock(&self.0.sockets.connections).iter() {
            let _ = connection.send(Out::Warning);
        }
    }

    /// Asks every connection to come again, and ends it.
    pub fn disconnect_sockets(&self) {
        for connection in lock(&self.0.sockets.connections).drain(..) {
            let _ = connection.send(Out::Disconnect);
        }
    }
}

pub(super) async fn serve(
    State(workspace): State<Workspace>,
    Path(ticket): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let made = workspace.lock().tickets.remove(&ticket);
    if made.is_none_or(|made| made.elapsed() > TICKET_LIFE) || workspace.sockets() >= CONNECTIONS_MAX {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.on_upgrade(move |socket| connection(workspace, socket))
}

async fn connection(workspace: Workspace, mut socket: WebSocket) {
    let hello = json!({"type": "hello", "num_connections": 1, "connection_info": {"app_id": APP}});
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    let (sender, mut out) = mpsc::unbounded_channel();
    lock(&workspace.0.sockets.connections).push(sender);
    workspace.touch();
    let mut ends_at: Option<Instant> = None;
    loop {
        let end = async {
            match ends_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end => {
                let _ = socket.send(Message::Close(None)).await;
                return;
            }
            outgoing = out.recv() => match outgoing {
                Some(Out::Text(text)) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                Some(Out::Warning) => {
                    let warning = json!({"type": "disconnect", "reason": "warning"});
                    if socket.send(Message::text(warning.to_string())).await.is_err() {
                        return;
                    }
                    ends_at = Some(Instant::now() + WARNED_BEFORE);
                }
                Some(Out::Disconnect) | None => {
                    let goodbye = json!({"type": "disconnect", "reason": "refresh_requested"});
                    let _ = socket.send(Message::text(goodbye.to_string())).await;
                    let _ = socket.send(Message::Close(None)).await;
                    return;
                }
            },
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(body) = serde_json::from_str::<Value>(&text) {
                        workspace.0.sockets.acknowledged(&body);
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}
