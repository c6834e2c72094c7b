//! Settings: endpoints and secrets from the environment (and `.env`), the organisation from `irp.toml`.
//! A wrong value stops the start, with its name, what it is, and what would be right. All wrong values
//! are told at once.

use std::fmt;
use std::net::SocketAddr;

use secrecy::SecretString;

use crate::domain::id::ChannelId;

mod approval;
pub mod athena;
pub mod management;
pub mod organisation;
mod page;
pub mod vault;

pub use organisation::{Account, Organisation};

/// Where values are looked up, so that tests need no process environment.
pub trait Lookup {
    /// The value, if it is set and not empty.
    fn get(&self, name: &str) -> Option<String>;
}

/// The process's environment.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Lookup for ProcessEnvironment {
    #[allow(clippy::disallowed_methods, reason = "this is where settings are read")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// Everything wrong with the settings, a line each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// Slack.
#[derive(Clone, Debug)]
pub struct Slack {
    /// `xoxb-…`
    pub bot_token: SecretString,
    /// Checks HTTP deliveries. Needed unless all come by Socket Mode.
    pub signing_secret: Option<SecretString>,
    /// `xapp-…`: Socket Mode is used when it is set.
    pub app_token: Option<SecretString>,
    /// Slack's Web API, or an emulator's.
    pub api_url: String,
    /// The channel of the announcements.
    pub war_room: ChannelId,
}

/// All settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Slack.
    pub slack: Slack,
    /// Keys that alert senders may use; several, so that they can be rotated.
    pub alert_keys: Vec<SecretString>,
    /// `redis://…` or `rediss://…`, or `memory`.
    pub redis_url: SecretString,
    /// Tell what the bot wrote into Redis from what others did; the first seals, all are accepted.
    pub seal_keys: Vec<SecretString>,
    /// Where the web server listens.
    pub listen: SocketAddr,
    /// What is logged, as a `tracing` filter.
    pub log: String,
    /// Instead of AWS's own addresses.
    pub aws_endpoint_url: Option<String>,
    /// Where `irp export` puts evidence packs; the working directory when absent.
    pub vault: Option<vault::Place>,
    /// People, rules and accounts.
    pub organisation: Organisation,
}

/// What it takes to read what the bot has stored, and to put it elsewhere: no more, so that whoever exports an incident needs
/// no token of Slack's.
#[derive(Clone, Debug)]
pub struct Stored {
    /// `redis://…` or `rediss://…`.
    pub redis_url: SecretString,
    /// See [`Settings`].
    pub seal_keys: Vec<SecretString>,
    /// Instead of AWS's own addresses.
    pub aws_endpoint_url: Option<String>,
    /// Where packs go; the working directory when absent.
    pub vault: Option<vault::Place>,
    /// The rules.
    pub organisation: Organisation,
}

/// Every variable that is read, with what it is for. `.env.example` and the README list the same.
pub const VARIABLES: [(&str, &str); 16] = [
    ("SLACK_BOT_TOKEN", "the bot's token, xoxb-…"),
    ("SLACK_SIGNING_SECRET", "checks that HTTP deliveries come from Slack; not needed with Socket Mode alone"),
    ("SLACK_APP_TOKEN", "an app-level token, xapp-…, with connections:write: turns Socket Mode on"),
    ("SLACK_API_URL", "another Web API than Slack's own, for an emulator"),
    ("IRP_WAR_ROOM", "the id of the channel for incidents, C…"),
    ("IRP_ALERT_KEYS", "keys for the x-irp-key header of alert webhooks, separated by commas, 16 characters at least"),
    ("IRP_CONFIG", "the organisation's file; irp.toml when not set"),
    ("IRP_LISTEN", "address and port of the web server; 0.0.0.0:8080 when not set"),
    ("IRP_LOG", "what is logged; info when not set"),
    ("REDIS_URL", "redis://…, rediss://…, or memory (forgets everything at the end)"),
    (
        "IRP_SEAL_KEYS",
        "keys that tell what the bot has written into Redis from what others have, separated by commas, 32 characters at \
         least: the first seals, all are accepted",
    ),
    ("AWS_ENDPOINT_URL", "another endpoint than AWS's own, for an emulator"),
    ("IRP_VAULT", "where evidence packs go: s3://bucket/prefix with Object Lock, or a folder"),
    ("IRP_VAULT_REGION", "the Region of that bucket; us-east-1 when not set"),
    ("IRP_VAULT_LOCK_MODE", "GOVERNANCE, or COMPLIANCE: then nobody can delete a pack; GOVERNANCE when not set"),
    ("IRP_VAULT_LOCK_DAYS", "for how many days packs are locked; 365 when not set"),
];

/// Slack's own Web API.
pub const SLACK_API_URL: &str = "https://slack.com/api";
/// Shortest alert key: shorter ones can be guessed.
const ALERT_KEY_CHARS_MIN: usize = 16;
/// Shortest key of a seal: whoever reads Redis can try keys without being noticed.
const SEAL_KEY_CHARS_MIN: usize = 32;

impl Settings {
    /// Reads everything, the organisation's file included.
    pub fn read(env: &impl Lookup) -> Result<Self, Faults> {
        Self::with(env, organisation_of(env))
    }

    /// Reads the environment, with the organisation given.
    pub fn with(env: &impl Lookup, organisation: Result<Organisation, Faults>) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let bot_token = needed(env, "SLACK_BOT_TOKEN", &mut faults);
        if !bot_token.is_empty() && !bot_token.starts_with("xoxb-") {
            faults.push("SLACK_BOT_TOKEN does not start with xoxb-: that is not a bot token.".into());
        }
        let app_token = env.get("SLACK_APP_TOKEN");
        if app_token.as_ref().is_some_and(|t| !t.starts_with("xapp-")) {
            faults.push("SLACK_APP_TOKEN does not start with xapp-: that is not an app-level token.".into());
        }
        let signing_secret = env.get("SLACK_SIGNING_SECRET");
        if signing_secret.is_none() && app_token.is_none() {
            faults.push("Neither SLACK_SIGNING_SECRET (HTTP) nor SLACK_APP_TOKEN (Socket Mode) is set: Slack could not reach the bot.".into());
        }
        let war_room_text = needed(env, "IRP_WAR_ROOM", &mut faults);
        let war_room = war_room_text.parse::<ChannelId>();
        match &war_room {
            Err(why) if !war_room_text.is_empty() => faults.push(format!("IRP_WAR_ROOM: {why}.")),
            Ok(_) if war_room_text.starts_with('D') => {
                faults.push("IRP_WAR_ROOM is a direct message: give a channel's id, C….".into());
            }
            _ => {}
        }
        let alert_keys = list(env, "IRP_ALERT_KEYS");
        for (i, key) in alert_keys.iter().enumerate() {
            if !key.is_ascii() {
                faults.push(format!("IRP_ALERT_KEYS: key {} has characters that no HTTP header carries.", i + 1));
            } else if key.len() < ALERT_KEY_CHARS_MIN {
                faults.push(format!(
                    "IRP_ALERT_KEYS: key {} has fewer than {ALERT_KEY_CHARS_MIN} characters. `openssl rand -hex 24` makes a good one.",
                    i + 1
                ));
            }
        }
        let listen_text = env.get("IRP_LISTEN").unwrap_or_else(|| "0.0.0.0:8080".into());
        let listen = listen_text.parse::<SocketAddr>();
        if listen.is_err() {
            faults.push(format!("IRP_LISTEN: “{listen_text}” is not an address and a port such as 0.0.0.0:8080."));
        }
        let api_url = env
            .get("SLACK_API_URL")
            .map_or_else(|| SLACK_API_URL.to_owned(), |url| url.trim_end_matches('/').to_owned());
        check_url("SLACK_API_URL", &api_url, &mut faults);
        let stored = Stored::with(env, organisation).map_err(|more| faults.extend(more.0));
        match (stored, war_room, listen) {
            (Ok(stored), Ok(war_room), Ok(listen)) if faults.is_empty() => Ok(Self {
                slack: Slack {
                    bot_token: bot_token.into(),
                    signing_secret: signing_secret.map(Into::into),
                    app_token: app_token.map(Into::into),
                    api_url,
                    war_room,
                },
                alert_keys: alert_keys.into_iter().map(Into::into).collect(),
                redis_url: stored.redis_url,
                seal_keys: stored.seal_keys,
                listen,
                log: env.get("IRP_LOG").unwrap_or_else(|| "info".into()),
                aws_endpoint_url: stored.aws_endpoint_url,
                vault: stored.vault,
                organisation: stored.organisation,
            }),
            _ => Err(Faults(faults)),
        }
    }
}

impl Stored {
    /// Reads it, the organisation's file included.
    pub fn read(env: &impl Lookup) -> Result<Self, Faults> {
        Self::with(env, organisation_of(env))
    }

    fn with(env: &impl Lookup, organisation: Result<Organisation, Faults>) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let seal_keys = list(env, "IRP_SEAL_KEYS");
        for (i, _) in seal_keys.iter().enumerate().filter(|(_, key)| key.chars().count() < SEAL_KEY_CHARS_MIN) {
            faults.push(format!(
                "IRP_SEAL_KEYS: key {} has fewer than {SEAL_KEY_CHARS_MIN} characters. `openssl rand -hex 32` makes a good one.",
                i + 1
            ));
        }
        let redis_url = needed(env, "REDIS_URL", &mut faults);
        if !redis_url.is_empty()
            && redis_url != "memory"
            && !redis_url.starts_with("redis://")
            && !redis_url.starts_with("rediss://")
        {
            faults.push("REDIS_URL starts with neither redis:// nor rediss://, and is not memory.".into());
        }
        let aws_endpoint_url = env.get("AWS_ENDPOINT_URL");
        if let Some(url) = &aws_endpoint_url {
            check_url("AWS_ENDPOINT_URL", url, &mut faults);
        }
        let vault = vault::Place::read(env, &mut faults);
        match organisation {
            Ok(organisation) if faults.is_empty() => Ok(Self {
                redis_url: redis_url.into(),
                seal_keys: seal_keys.into_iter().map(Into::into).collect(),
                aws_endpoint_url,
                vault,
                organisation,
            }),
            organisation => {
                faults.extend(organisation.err().map(|f| f.0).unwrap_or_default());
                Err(Faults(faults))
            }
        }
    }
}

fn organisation_of(env: &impl Lookup) -> Result<Organisation, Faults> {
    let path = env.get("IRP_CONFIG").unwrap_or_else(|| "irp.toml".into());
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Faults(vec![format!("{path}: cannot be read: {e}. Copy irp.example.toml and fill it in, or set IRP_CONFIG.")])
    })?;
    Organisation::parse(&text, &path)
}

fn needed(env: &impl Lookup, name: &str, faults: &mut Vec<String>) -> String {
    env.get(name).unwrap_or_else(|| {
        let what = VARIABLES.iter().find(|(n, _)| *n == name).map_or("", |(_, what)| what);
        faults.push(format!("{name} is not set: it is {what}."));
        String::new()
    })
}

fn list(env: &impl Lookup, name: &str) -> Vec<String> {
    let values = env.get(name).unwrap_or_default();
    values.split(',').map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()).collect()
}

fn check_url(name: &str, url: &str, faults: &mut Vec<String>) {
    let well_formed = url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
    if !well_formed {
        faults.push(format!("{name}: “{url}” is not an address such as https://example.com."));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Map(BTreeMap<&'static str, &'static str>);

    impl Lookup for Map {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|v| (*v).to_owned())
        }
    }

    fn good() -> Map {
        Map(BTreeMap::from([
            ("SLACK_BOT_TOKEN", "xoxb-1"),
            ("SLACK_SIGNING_SECRET", "s"),
            ("IRP_WAR_ROOM", "C0WARROOM1"),
            ("IRP_ALERT_KEYS", "0123456789abcdef, fedcba9876543210"),
            ("REDIS_URL", "redis://127.0.0.1"),
        ]))
    }

    fn organisation() -> Result<Organisation, Faults> {
        let quorums = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n";
        let people = "[people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\n";
        Organisation::parse(&format!("{quorums}{people}"), "irp.toml")
    }

    #[test]
    fn good_settings_are_read() {
        let settings = Settings::with(&good(), organisation()).unwrap();
        assert_eq!(settings.alert_keys.len(), 2);
        assert_eq!(settings.listen.port(), 8080);
    }

    #[test]
    fn what_is_stored_is_read_without_slack() {
        let few = Map(BTreeMap::from([("REDIS_URL", "redis://127.0.0.1")]));
        assert!(Stored::with(&few, organisation()).is_ok());
        assert!(Settings::with(&few, organisation()).is_err());
        let faults = Stored::with(&Map(BTreeMap::new()), organisation()).unwrap_err().to_string();
        assert!(faults.contains("REDIS_URL") && !faults.contains("SLACK"), "{faults}");
    }

    #[test]
    fn every_wrong_value_is_told_at_once_and_none_is_shown() {
        let wrong = Map(BTreeMap::from([
            ("SLACK_BOT_TOKEN", "hunter2"),
            ("IRP_WAR_ROOM", "#war-room"),
            ("IRP_ALERT_KEYS", "short"),
            ("IRP_SEAL_KEYS", "0123456789abcdef0123456789abcdef, brief"),
            ("REDIS_URL", "http://x"),
            ("IRP_LISTEN", "8080"),
            ("AWS_ENDPOINT_URL", "localhost"),
            ("IRP_VAULT", "s3://x"),
        ]));
        let faults = Settings::with(&wrong, organisation()).unwrap_err().to_string();
        for name in [
            "SLACK_BOT_TOKEN",
            "SLACK_APP_TOKEN",
            "IRP_WAR_ROOM",
            "IRP_ALERT_KEYS",
            "IRP_SEAL_KEYS: key 2",
            "REDIS_URL",
            "IRP_LISTEN",
            "AWS_ENDPOINT_URL",
            "IRP_VAULT",
        ] {
            assert!(faults.contains(name), "{name} in {faults}");
        }
        assert!(!faults.contains("hunter2") && !faults.contains("short\"") && !faults.contains("brief"), "{faults}");
    }
}
