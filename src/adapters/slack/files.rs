//! Files, in Slack's three steps: ask where to, send the bytes there, share what came there. Follows Slack's
//! “Working with files”.

use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{CALL_TIME_MAX, RETRY_AFTER_DEFAULT, SlackChat, connector};
use crate::domain::id::ChannelId;
use crate::ports::{ChatError, TextFile};

/// Slack's hosts, `files.slack.com` among them, are this one and those under it.
const SLACK_HOST: &str = "slack.com";

impl SlackChat {
    /// Puts a file into a thread and gives its address.
    pub(super) async fn share(
        &self,
        channel: &ChannelId,
        thread_ts: &str,
        file: &TextFile,
    ) -> Result<String, ChatError> {
        let length = file.text.len().to_string();
        let ticket = self.get("files.getUploadURLExternal", &[("filename", &file.name), ("length", &length)]).await?;
        let address = ticket["upload_url"].as_str().and_then(|url| self.file_url(url));
        let address =
            address.ok_or_else(|| ChatError::Refused("an upload address that does not lie with it".into()))?;
        self.send(&address, &file.text).await?;
        let id = ticket["file_id"].as_str().unwrap_or_default();
        let shared = json!({
            "files": [{"id": id, "title": file.title}], "channel_id": channel, "thread_ts": thread_ts,
        });
        let answer = self.post_json("files.completeUploadExternal", &shared).await?;
        // Slack documents the id alone, though it gives more.
        let permalink = answer.pointer("/files/0/permalink").and_then(Value::as_str);
        if let Some(url) = permalink.and_then(|url| self.file_url(url)) {
            return Ok(url.into());
        }
        let own = self.identity().await?;
        Ok(format!("{}/files/{}/{id}", own.url.trim_end_matches('/'), own.user))
    }

    /// The address is all that the upload takes: the token stays here.
    async fn send(&self, address: &url::Url, text: &str) -> Result<(), ChatError> {
        let failed = |what: &str| ChatError::Unavailable(format!("the upload: {what}"));
        let request = http::Request::post(address.as_str())
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::copy_from_slice(text.as_bytes())))
            .map_err(|_| failed("its address is none"))?;
        let client = Client::builder(TokioExecutor::new()).build(connector()?);
        let answer = tokio::time::timeout(CALL_TIME_MAX, client.request(request)).await;
        match answer.map_err(|_| failed("no answer in time"))?.map_err(|_| failed("no connection"))?.status() {
            StatusCode::OK => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(ChatError::RateLimited(RETRY_AFTER_DEFAULT)),
            status if status.is_server_error() => Err(failed(&format!("HTTP {}", status.as_u16()))),
            status => Err(ChatError::Refused(format!("the upload: HTTP {}", status.as_u16()))),
        }
    }

    fn file_url(&self, url: &str) -> Option<url::Url> {
        self.at_slack(url, |host| {
            host.strip_suffix(SLACK_HOST).is_some_and(|under| under.is_empty() || under.ends_with('.'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SLACK_API_URL;

    #[test]
    fn files_go_to_slack_only() {
        let slack = SlackChat::new(&"xoxb-1".into(), SLACK_API_URL).unwrap();
        assert!(slack.file_url("https://files.slack.com/upload/v1/ABC").is_some());
        for url in [
            "http://files.slack.com/upload/v1/ABC",
            "https://files.slack.com.evil.example/x",
            "https://notslack.com/x",
            "https://files.slack.com@evil.example/x",
            "http://127.0.0.1:6379/",
        ] {
            assert!(slack.file_url(url).is_none(), "{url}");
        }
        let emulated = SlackChat::new(&"xoxb-1".into(), "http://127.0.0.1:4000/api").unwrap();
        assert!(emulated.file_url("http://127.0.0.1:4000/upload/v1/ABC").is_some());
        assert!(emulated.file_url("http://127.0.0.1:4001/upload/v1/ABC").is_none());
    }
}
