//! Rate limits, by real time: about one message a second for each channel with a small burst, and the
//! tiers of the other methods. Follows Slack's “Rate limits”.

use std::collections::HashMap;
use std::time::Instant;

/// Messages that a channel takes at once.
const POST_BURST: f64 = 5.0;
const POSTS_PER_SECOND: f64 = 1.0;

/// A token bucket for each key.
pub(super) struct Limits {
    on: bool,
    buckets: HashMap<String, Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Default for Limits {
    fn default() -> Self {
        Self { on: true, buckets: HashMap::new() }
    }
}

impl Limits {
    pub(super) fn set_on(&mut self, on: bool) {
        self.on = on;
    }

    /// The seconds to wait, when this call comes too fast.
    pub(super) fn refuse(&mut self, method: &str, channel: Option<&str>) -> Option<u32> {
        if !self.on {
            return None;
        }
        if method == "chat.postMessage" {
            let key = format!("post:{}", channel.unwrap_or_default());
            return self.take(key, POST_BURST, POSTS_PER_SECOND);
        }
        let per_minute = f64::from(per_minute(method)?);
        self.take(method.to_owned(), per_minute, per_minute / 60.0)
    }

    fn take(&mut self, key: String, burst: f64, per_second: f64) -> Option<u32> {
        let now = Instant::now();
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: burst, filled: now });
        let gained = now.duration_since(bucket.filled).as_secs_f64() * per_second;
        bucket.tokens = (bucket.tokens + gained).min(burst);
        bucket.filled = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 60 seconds")]
        Some(((1.0 - bucket.tokens) / per_second).ceil().clamp(1.0, 60.0) as u32)
    }
}

/// The tier's calls a minute; none for methods without one.
fn per_minute(method: &str) -> Option<u32> {
    Some(match method {
        "chat.update"
        | "chat.delete"
        | "conversations.info"
        | "conversations.history"
        | "conversations.replies"
        | "conversations.open" => 50,
        "usergroups.users.list" => 20,
        "chat.postEphemeral"
        | "users.info"
        | "files.getUploadURLExternal"
        | "files.completeUploadExternal"
        | "conversations.members"
        | "views.open"
        | "views.update"
        | "views.push"
        | "views.publish" => 100,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_takes_a_burst_and_then_one_a_second() {
        let mut limits = Limits::default();
        for _ in 0..5 {
            assert_eq!(limits.refuse("chat.postMessage", Some("C1")), None);
        }
        assert_eq!(limits.refuse("chat.postMessage", Some("C1")), Some(1));
        assert_eq!(limits.refuse("chat.postMessage", Some("C2")), None);
        limits.set_on(false);
        assert_eq!(limits.refuse("chat.postMessage", Some("C1")), None);
    }

    #[test]
    fn groups_are_read_twenty_times_a_minute() {
        let mut limits = Limits::default();
        assert!((0..20).all(|_| limits.refuse("usergroups.users.list", None).is_none()));
        assert_eq!(limits.refuse("usergroups.users.list", None), Some(3));
    }
}
