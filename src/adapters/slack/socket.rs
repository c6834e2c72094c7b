//! Socket Mode: Slack's deliveries over a web socket that the bot opens, for teams that let nothing in.
//! Follows Slack's “Using Socket Mode”. This is the connection; what is done with a delivery is the
//! caller's.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use slack_morphism::{SlackApiToken, SlackApiTokenValue};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{SlackChat, within};
use crate::ports::ChatError;

/// Longest wait for the connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Slack pings about every ten seconds: silence for so long means a dead connection.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// One open connection.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes over a connection.
#[derive(Clone, Debug)]
pub enum Word {
    /// A delivery.
    Delivery(Envelope),
    /// `disconnect`: Slack is about to end the connection, and wants another in its place. Until the end it goes on
    /// delivering.
    Disconnect,
}

/// One delivery, to be acknowledged within three seconds.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Names it in the acknowledgement.
    pub id: String,
    /// `slash_commands`, `interactive` or `events_api`.
    pub kind: String,
    /// As over HTTP.
    pub payload: Value,
}

impl SlackChat {
    /// Asks Slack for a connection and opens it.
    pub async fn open_socket(&self, app_token: &SecretString) -> Result<Socket, ChatError> {
        let token = SlackApiToken::new(SlackApiTokenValue::new(app_token.expose_secret().to_owned()));
        let session = self.client.open_session(&token);
        let answer =
            within(session.http_session_api.http_post::<Value, Value>("apps.connections.open", &json!({}), None))
                .await?;
        let url = answer["url"].as_str().ok_or_else(|| ChatError::Unavailable("no address for the socket".into()))?;
        match tokio::time::timeout(CONNECT_TIME_MAX, tokio_tungstenite::connect_async(url)).await {
            Ok(Ok((stream, _))) => Ok(Socket(stream)),
            // The error's text would carry the address, which carries a ticket.
            Ok(Err(_)) => Err(ChatError::Unavailable("the socket could not be opened".into())),
            Err(_) => Err(ChatError::Unavailable("the socket did not open in time".into())),
        }
    }
}

impl Socket {
    /// What comes next; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Word> {
        loop {
            let message = tokio::time::timeout(SILENCE_MAX, self.0.next()).await.ok()??.ok()?;
            let text = match message {
                Message::Text(text) => text,
                Message::Close(_) => return None,
                // Pings are answered by the library.
                _ => continue,
            };
            let Ok(body) = serde_json::from_str::<Value>(&text) else { continue };
            match (body["type"].as_str(), body["envelope_id"].as_str()) {
                (Some("disconnect"), _) => return Some(Word::Disconnect),
                (Some(kind), Some(id)) => {
                    let (id, kind) = (id.to_owned(), kind.to_owned());
                    return Some(Word::Delivery(Envelope { id, kind, payload: body["payload"].clone() }));
                }
                _ => {}
            }
        }
    }

    /// Acknowledges a delivery, with an answer where it takes one. `false` when the connection has ended.
    pub async fn acknowledge(&mut self, id: &str, answer: Option<&Value>) -> bool {
        let mut body = json!({"envelope_id": id});
        if let Some(answer) = answer {
            body["payload"] = answer.clone();
        }
        self.0.send(Message::text(body.to_string())).await.is_ok()
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        let _ = self.0.close(None).await;
    }
}
