//! The incident that plays by itself: a key leaks, an attacker uses it, `GuardDuty` notices, and the
//! attacker keeps trying until nothing works any more.

mod attacker;
mod finding;

use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::aws::Account;
use crate::clock::Clock;
use crate::terminal::Terminal;
use attacker::Attacker;

/// The user whose first key leaks.
const VICTIM: &str = "deploy-bot";

/// Where the attacker's calls come from.
const ATTACKER_IP: &str = "198.51.100.77";

/// How long changes in IAM take to count, by the sandbox's clock.
const PROPAGATION: TimeDelta = TimeDelta::seconds(3);

/// Between the attacker's first calls and the finding, in real time.
const BEFORE_FINDING: Duration = Duration::from_secs(3);

/// Between the finding's two deliveries, in real time.
const BEFORE_REPEAT: Duration = Duration::from_secs(8);

/// Between the attacker's later attempts while one of the credentials works, in real time.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(5);

/// The same once none does.
const BETWEEN_VAIN_ATTEMPTS: Duration = Duration::from_secs(20);

/// One run of the incident.
pub struct Scenario {
    /// Where the finding is posted, as an `EventBridge` API destination would; plain HTTP.
    pub alert_url: String,
    /// The API destination's key, sent as `x-irp-key`.
    pub alert_key: String,
    /// The endpoint at which `account` is served; plain HTTP.
    pub aws_url: String,
    /// The account that the key is of.
    pub account: Account,
    /// The time that the finding shows.
    pub clock: Clock,
    /// Where the attacker's calls are shown.
    pub terminal: Terminal,
    /// Ends the run.
    pub shutdown: CancellationToken,
}

impl Scenario {
    /// Plays until the shutdown. The receiver of the finding may come up later: its delivery is
    /// repeated until it is taken, and once more after that, as at-least-once delivery may.
    pub async fn run(self) -> anyhow::Result<()> {
        let shutdown = self.shutdown.clone();
        shutdown.run_until_cancelled(self.play()).await.unwrap_or(Ok(()))
    }

    async fn play(self) -> anyhow::Result<()> {
        let stolen = self.account.principal_credentials(VICTIM).context("the victim has no key")?;
        self.account.set_propagation(PROPAGATION);
        let key_id = stolen.access_key_id.clone();
        let first_seen = self.clock.now();
        let mut attacker = Attacker::new(&self.aws_url, stolen, &self.account, self.clock.clone(), self.terminal)?;
        attacker.break_in().await;
        tokio::time::sleep(BEFORE_FINDING).await;

        let seen =
            finding::Seen { key_id: &key_id, user: VICTIM, ip: ATTACKER_IP, first: first_seen, last: self.clock.now() };
        let finding = finding::finding(&self.account, &seen);
        self.account.put_finding(finding.clone());
        let event = finding::event(&finding, self.account.id(), self.clock.now());
        let deliveries = async {
            finding::deliver(&self.alert_url, &self.alert_key, &event).await?;
            tokio::time::sleep(BEFORE_REPEAT).await;
            finding::deliver(&self.alert_url, &self.alert_key, &event).await
        };
        let attempts = async {
            loop {
                let pause = if attacker.is_locked_out() { BETWEEN_VAIN_ATTEMPTS } else { BETWEEN_ATTEMPTS };
                tokio::time::sleep(pause).await;
                attacker.try_next().await;
            }
        };
        tokio::select! {
            never = attempts => never,
            outcome = async { deliveries.await?; std::future::pending().await } => outcome,
        }
    }
}
