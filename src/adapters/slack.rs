//! Slack's Web API through slack-morphism. Messages come in as JSON from the view, so the calls are the
//! crate's untyped ones; its rate control (one message a second for the whole process) is left off and
//! replaced by pacing per channel; and every call has a time-out, which it has not.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::{SlackClientHyperConnector, SlackClientHyperHttpsConnector};
use slack_morphism::{SlackApiToken, SlackApiTokenValue, SlackClient};

use crate::config::SLACK_API_URL;
use crate::domain::id::{ChannelId, GroupId, UserId};
use crate::domain::policy::Standing;
use crate::ports::{CardKey, Chat, ChatError, Message, Place, ReplyTo, TextFile, Turn, Urgency};
use asked::Asked;
use pace::Pace;
use people::{Home, MEMBERS_FRESH_FOR, STANDING_FRESH_FOR};

mod asked;
mod files;
mod pace;
mod people;
mod room;
pub mod scopes;
pub mod signature;
pub mod socket;
pub mod watch;

/// Where Slack's answer addresses lie.
const SLACK_HOOKS_HOST: &str = "hooks.slack.com";
/// Longest wait for one call.
const CALL_TIME_MAX: Duration = Duration::from_secs(8);
/// Wait when Slack says 429 and not for how long.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(2);
/// Longest wait for Slack when it asks to wait before an answer to a person.
const TELL_WAIT_MAX: Duration = Duration::from_secs(10);
/// Messages on a page, and pages, when looking for one whose posting has an unknown outcome.
const PAGE_MESSAGES: u32 = 200;
const PAGES_MAX: u32 = 10;
/// Names the bot's metadata on a message.
const METADATA_TYPE: &str = "irp_card";

/// A workspace, as the bot's token sees it.
pub struct SlackChat {
    client: SlackClient<SlackClientHyperHttpsConnector>,
    token: SlackApiToken,
    api_url: String,
    home: tokio::sync::OnceCell<Home>,
    posts: Mutex<HashMap<String, Arc<Pace>>>,
    standings: Asked<UserId, Standing>,
    groups: Asked<GroupId, BTreeSet<UserId>>,
    rooms: Asked<ChannelId, BTreeSet<UserId>>,
    edits: Pace,
}

/// Who the token belongs to.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The workspace.
    pub team: String,
    /// The bot's user.
    pub user: String,
    /// The workspace's address.
    pub url: String,
}

/// A channel, as the bot sees it.
#[derive(Clone, Debug)]
pub struct Room {
    /// Without the `#`.
    pub name: String,
    /// Whether the bot is in it.
    pub is_member: bool,
    /// Whether people of another organisation are in it, or are invited. Other workspaces of the same are none.
    pub shared: bool,
    /// Whether nothing can be posted there any more.
    pub archived: bool,
}

impl Room {
    /// Why such a channel is no war room.
    pub fn why_not_shared(&self) -> String {
        format!(
            "IRP_WAR_ROOM: #{} is shared with another organisation, or an invitation to one is pending: its people could read \
             everything about an incident. Take another channel, or end the sharing (channel details, Integrations)",
            self.name
        )
    }

    /// Why it is no war room, if it is none.
    pub fn fault(&self) -> Option<String> {
        let archived = || {
            format!(
                "IRP_WAR_ROOM: #{} is archived: nothing can be said there. Bring it back, or take another channel",
                self.name
            )
        };
        if self.shared { Some(self.why_not_shared()) } else { self.archived.then(archived) }
    }
}

impl SlackChat {
    /// `api_url` is [`SLACK_API_URL`], or an emulator's.
    pub fn new(token: &SecretString, api_url: &str) -> Result<Self, ChatError> {
        let connector = SlackClientHyperConnector::with_connector(connector()?).with_slack_api_url(api_url);
        Ok(Self {
            client: SlackClient::new(connector),
            token: SlackApiToken::new(SlackApiTokenValue::new(token.expose_secret().to_owned())),
            api_url: api_url.to_owned(),
            home: tokio::sync::OnceCell::new(),
            posts: Mutex::default(),
            standings: Asked::new(STANDING_FRESH_FOR),
            groups: Asked::new(MEMBERS_FRESH_FOR),
            rooms: Asked::new(MEMBERS_FRESH_FOR),
            edits: Pace::of_edits(),
        })
    }

    /// Who the token belongs to.
    pub async fn identity(&self) -> Result<Identity, ChatError> {
        let answer = self.get("auth.test", &[]).await?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Identity { team: text("team_id"), user: text("user_id"), url: text("url") })
    }

    /// What Slack says of a channel that the bot can see.
    pub async fn channel(&self, channel: &ChannelId) -> Result<Room, ChatError> {
        let answer = self.get("conversations.info", &[("channel", channel.as_str())]).await?;
        let is = |flag: &str| answer["channel"][flag].as_bool().unwrap_or(false);
        Ok(Room {
            name: answer["channel"]["name"].as_str().unwrap_or_default().to_owned(),
            is_member: is("is_member"),
            shared: is("is_ext_shared") || is("is_pending_ext_shared"),
            archived: is("is_archived"),
        })
    }

    async fn post_json(&self, method: &str, body: &Value) -> Result<Value, ChatError> {
        let session = self.client.open_session(&self.token);
        within(session.http_session_api.http_post::<Value, Value>(method, body, None)).await
    }

    async fn get(&self, method: &str, params: &[(&str, &str)]) -> Result<Value, ChatError> {
        let session = self.client.open_session(&self.token);
        let params: Vec<(&str, Option<String>)> = params.iter().map(|(k, v)| (*k, Some((*v).to_owned()))).collect();
        within(session.http_session_api.http_get::<Value, _, String>(method, &params, None)).await
    }

    async fn answer(&self, url: &url::Url, answer: &Value) -> Result<(), ChatError> {
        let session = self.client.open_session(&self.token);
        within(session.http_session_api.http_post_uri::<Value, Value>(url.clone(), answer, None)).await.map(|_| ())
    }

    /// Says something to one person at Slack's address for answers to their act. What arrives without an answer
    /// may be said twice: better than not at all.
    async fn respond(&self, to: &ReplyTo, message: &Message) -> Result<(), ChatError> {
        let url = to.response_url.as_deref().and_then(|url| self.response_url(url));
        let url = url.ok_or_else(|| ChatError::Refused("no address for an answer".into()))?;
        let answer = in_thread(
            json!({
                "response_type": "ephemeral", "replace_original": false,
                "text": message.text, "blocks": message.blocks,
            }),
            to.thread_ts.as_deref(),
        );
        once_more(TELL_WAIT_MAX, || self.answer(&url, &answer)).await
    }

    /// Says something to one person where others are, so that only they see it.
    async fn post_ephemeral(&self, to: &ReplyTo, message: &Message) -> Result<(), ChatError> {
        let channel = to.channel.as_ref().ok_or_else(|| ChatError::Refused("no channel".into()))?;
        let mut body = in_thread(body(channel.as_str(), message), to.thread_ts.as_deref());
        body["user"] = json!(to.user);
        self.post_json("chat.postEphemeral", &body).await.map(|_| ())
    }

    fn response_url(&self, url: &str) -> Option<url::Url> {
        self.at_slack(url, |host| host == SLACK_HOOKS_HOST)
    }

    /// An address from outside is used only if it lies with Slack, or with the emulator that stands for it.
    fn at_slack(&self, url: &str, is_slacks: impl Fn(&str) -> bool) -> Option<url::Url> {
        let url: url::Url = url.parse().ok()?;
        let api: url::Url = self.api_url.parse().ok()?;
        let slack = url.scheme() == "https" && url.host_str().is_some_and(is_slacks);
        let emulator = self.api_url != SLACK_API_URL && url.origin() == api.origin();
        (slack || emulator).then_some(url)
    }
}

/// HTTPS, and plain HTTP for emulators.
fn connector() -> Result<HttpsConnector<HttpConnector>, ChatError> {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|e| ChatError::Unavailable(format!("no root certificates: {e}")))?
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(http);
    Ok(https)
}

async fn within<T>(call: impl Future<Output = Result<T, SlackClientError>>) -> Result<T, ChatError> {
    match tokio::time::timeout(CALL_TIME_MAX, call).await {
        Ok(answer) => answer.map_err(error),
        Err(_) => Err(ChatError::Unavailable(format!("no answer within {} s", CALL_TIME_MAX.as_secs()))),
    }
}

/// Asks once more when Slack only asks to wait, and not for long: somebody waits for what comes of it.
async fn once_more<T, F>(wait_max: Duration, ask: impl Fn() -> F) -> Result<T, ChatError>
where
    F: Future<Output = Result<T, ChatError>>,
{
    match ask().await {
        Err(ChatError::RateLimited(wait)) if wait <= wait_max => {
            tokio::time::sleep(wait).await;
            ask().await
        }
        answer => answer,
    }
}

/// Says what happened without the payload: slack-morphism's own texts carry whole bodies.
fn error(error: SlackClientError) -> ChatError {
    match error {
        SlackClientError::RateLimitError(limit) => {
            ChatError::RateLimited(limit.retry_after.unwrap_or(RETRY_AFTER_DEFAULT))
        }
        SlackClientError::ApiError(api) => {
            let detail = api
                .http_response_body
                .and_then(|body| serde_json::from_str::<Value>(&body).ok())
                .and_then(|body| body.pointer("/response_metadata/messages").map(ToString::to_string))
                .unwrap_or_default();
            business(&api.code, &detail)
        }
        SlackClientError::HttpError(http) if http.status_code.as_u16() == 429 => {
            ChatError::RateLimited(RETRY_AFTER_DEFAULT)
        }
        SlackClientError::HttpError(http) => ChatError::Unavailable(format!("HTTP {}", http.status_code)),
        SlackClientError::ProtocolError(_) => ChatError::Unavailable("an answer that is not JSON".into()),
        SlackClientError::HttpProtocolError(_) => ChatError::Unavailable("no connection".into()),
        _ => ChatError::Unavailable("the connection failed".into()),
    }
}

/// What one of Slack's error codes means: which of them pass by themselves.
fn business(code: &str, detail: &str) -> ChatError {
    match code {
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "update_failed"
        | "external_channel_migrating"
        | "team_added_to_org"
        | "accesslimited"
        | "message_limit_exceeded" => ChatError::Unavailable(code.to_owned()),
        "ratelimited" | "rate_limited" => ChatError::RateLimited(RETRY_AFTER_DEFAULT),
        _ => ChatError::Refused(format!("{code} {detail}").trim_end().to_owned()),
    }
}

fn body(channel: &str, message: &Message) -> Value {
    json!({
        "channel": channel, "text": message.text, "blocks": message.blocks,
        "unfurl_links": false, "unfurl_media": false,
    })
}

/// A message that is in no thread has no such member: Slack takes none without a value.
fn in_thread(mut body: Value, thread_ts: Option<&str>) -> Value {
    if let Some(ts) = thread_ts {
        body["thread_ts"] = json!(ts);
    }
    body
}

fn with_metadata(mut body: Value, key: &CardKey) -> Value {
    body["metadata"] = json!({
        "event_type": METADATA_TYPE,
        "event_payload": {"incident": key.incident.to_string(), "slot": key.slot},
    });
    body
}

/// Where the next page begins, if there is one.
fn next_cursor(answer: &Value) -> Option<String> {
    let cursor = answer.pointer("/response_metadata/next_cursor")?.as_str()?;
    (!cursor.is_empty()).then(|| cursor.to_owned())
}

fn carries(message: &Value, key: &CardKey) -> bool {
    let metadata = &message["metadata"];
    metadata["event_type"] == METADATA_TYPE
        && metadata["event_payload"]["incident"] == key.incident.to_string()
        && metadata["event_payload"]["slot"] == key.slot
}

#[async_trait]
impl Chat for SlackChat {
    async fn turn(&self, to: Turn<'_>, urgency: Urgency) {
        let channel = match to {
            Turn::Edit => return self.edits.turn(urgency).await,
            Turn::Post(channel) => channel,
        };
        let pace = {
            let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(posts.entry(channel.to_owned()).or_insert_with(|| Arc::new(Pace::of_posts())))
        };
        pace.turn(urgency).await;
    }

    async fn post(
        &self,
        channel: &str,
        thread_ts: Option<&str>,
        key: &CardKey,
        message: &Message,
    ) -> Result<Place, ChatError> {
        let body = in_thread(with_metadata(body(channel, message), key), thread_ts);
        let answer = self.post_json("chat.postMessage", &body).await?;
        let place = answer["channel"].as_str().unwrap_or(channel).parse().ok().zip(answer["ts"].as_str());
        match place {
            Some((channel, ts)) => Ok(Place { channel, ts: ts.to_owned() }),
            None => Err(ChatError::Unavailable("an answer that does not say where the message is".into())),
        }
    }

    async fn update(&self, channel: &ChannelId, ts: &str, key: &CardKey, message: &Message) -> Result<(), ChatError> {
        let mut body = with_metadata(body(channel.as_str(), message), key);
        body["ts"] = json!(ts);
        self.post_json("chat.update", &body).await.map(|_| ())
    }

    async fn find(
        &self,
        channel: &ChannelId,
        thread_ts: Option<&str>,
        key: &CardKey,
        since: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<Option<String>, ChatError> {
        let limit = PAGE_MESSAGES.to_string();
        let since = format!("{}.000000", since.timestamp());
        // Messages are named by their times, in so many digits.
        let oldest = after.map_or(since.as_str(), |after| after.max(since.as_str()));
        let mut params = vec![
            ("channel", channel.as_str()),
            ("limit", &limit),
            ("oldest", oldest),
            ("include_all_metadata", "true"),
        ];
        let method = match thread_ts {
            Some(ts) => {
                params.push(("ts", ts));
                "conversations.replies"
            }
            None => "conversations.history",
        };
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let mut params = params.clone();
            if !cursor.is_empty() {
                params.push(("cursor", &cursor));
            }
            let answer = self.get(method, &params).await?;
            let messages = answer["messages"].as_array().map_or(&[][..], Vec::as_slice);
            let mut found = messages.iter().filter(|m| carries(m, key)).filter_map(|m| m["ts"].as_str());
            if let Some(ts) = found.find(|ts| *ts > oldest) {
                return Ok(Some(ts.to_owned()));
            }
            match next_cursor(&answer) {
                Some(next) => cursor = next,
                None => return Ok(None),
            }
        }
        Err(ChatError::Unavailable("the messages are too many to look through".into()))
    }

    async fn upload(&self, channel: &ChannelId, thread_ts: &str, file: &TextFile) -> Result<String, ChatError> {
        self.share(channel, thread_ts, file).await
    }

    async fn tell(&self, to: &ReplyTo, message: &Message) -> Result<(), ChatError> {
        // Into a thread only the method is documented to lead; elsewhere the address has no limit for the workspace.
        let in_thread = to.thread_ts.is_some();
        let first = if in_thread { self.post_ephemeral(to, message).await } else { self.respond(to, message).await };
        let Err(first) = first else { return Ok(()) };
        let second = if in_thread { self.respond(to, message).await } else { self.post_ephemeral(to, message).await };
        let Err(second) = second else { return Ok(()) };
        // Not in the channel, or no channel at all: a direct message always arrives.
        let direct = body(to.user.as_str(), message);
        let direct = once_more(TELL_WAIT_MAX, || self.post_json("chat.postMessage", &direct)).await;
        let Err(third) = direct else { return Ok(()) };
        // A way that may be open later counts for more than one that never is.
        let refused = |error: &ChatError| matches!(error, ChatError::Refused(_));
        if !refused(&third) {
            return Err(third);
        }
        Err([second, first].into_iter().find(|error| !refused(error)).unwrap_or(third))
    }

    async fn present(&self, channel: &ChannelId) -> Result<BTreeSet<UserId>, ChatError> {
        self.members_of(channel).await
    }

    async fn link(&self, channel: &ChannelId, ts: &str) -> Result<String, ChatError> {
        let params = [("channel", channel.as_str()), ("message_ts", ts)];
        let answer = self.get("chat.getPermalink", &params).await?;
        let link = answer["permalink"].as_str().map(str::to_owned);
        link.ok_or_else(|| ChatError::Unavailable("an answer without the message's address".into()))
    }

    async fn is_home(&self, team: Option<&str>, enterprise: Option<&str>) -> Result<bool, ChatError> {
        Ok(self.home().await?.takes(team, enterprise))
    }

    async fn open_view(&self, trigger_id: &str, view: &Value) -> Result<(), ChatError> {
        self.post_json("views.open", &json!({"trigger_id": trigger_id, "view": view})).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_tried_again_and_a_no_is_not() {
        for code in ["update_failed", "external_channel_migrating", "team_added_to_org", "accesslimited", "fatal_error"]
        {
            assert!(matches!(business(code, ""), ChatError::Unavailable(_)), "{code}");
        }
        assert!(matches!(business("message_limit_exceeded", ""), ChatError::Unavailable(_)));
        assert!(matches!(business("ratelimited", ""), ChatError::RateLimited(_)));
        assert!(matches!(business("is_archived", ""), ChatError::Refused(code) if code == "is_archived"));
    }

    #[test]
    fn answers_go_to_slack_only() {
        let slack = SlackChat::new(&"xoxb-1".into(), SLACK_API_URL).unwrap();
        assert!(slack.response_url("https://hooks.slack.com/actions/T1/2/3").is_some());
        for url in
            ["http://hooks.slack.com/x", "https://hooks.slack.com.evil.example/x", "http://169.254.169.254/", "x"]
        {
            assert!(slack.response_url(url).is_none(), "{url}");
        }
    }
}
