//! The incident that plays by itself: a key leaks, an attacker uses it and digs in, `GuardDuty` notices, and the
//! attacker keeps trying until nothing works any more. The key's owner works with it all the while.

mod attacker;
mod finding;
mod means;
#[cfg(test)]
mod tests;
mod workload;

use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::aws::Account;
use crate::clock::Clock;
use crate::terminal::Terminal;
use attacker::Attacker;
use workload::Workload;

/// The user whose first key leaks.
const VICTIM: &str = "deploy-bot";

/// Where the attacker's calls come from.
const ATTACKER_IP: &str = "198.51.100.77";

/// A key pair of which the trail says nothing, and how long before the key's first use it was made.
const UNTOLD_REGION: &str = "eu-central-1";
const UNTOLD_PAIR: &str = "debug";
const UNTOLD_BEFORE: TimeDelta = TimeDelta::minutes(25);

/// How long changes in IAM take to count, by the sandbox's clock.
const PROPAGATION: TimeDelta = TimeDelta::seconds(3);

/// How long things take, in real time.
#[derive(Clone, Copy)]
struct Pace {
    /// Between two of the attacker's deeds.
    between_deeds: Duration,
    /// Between the owner's runs.
    between_runs: Duration,
    /// Between the attacker's last deed and the finding.
    before_finding: Duration,
    /// Between the finding's two deliveries.
    before_repeat: Duration,
    /// Between the attacker's later attempts while one of the credentials works.
    between_attempts: Duration,
    /// The same once none does.
    between_vain_attempts: Duration,
}

const PACE: Pace = Pace {
    between_deeds: Duration::from_millis(400),
    between_runs: Duration::from_secs(30),
    before_finding: Duration::from_secs(1),
    before_repeat: Duration::from_secs(8),
    between_attempts: Duration::from_secs(5),
    between_vain_attempts: Duration::from_secs(20),
};

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
        shutdown.run_until_cancelled(Box::pin(self.play(PACE))).await.unwrap_or(Ok(()))
    }

    /// What no event shows: somebody has made it in a Region whose log has a gap.
    fn leave_untold(&self) {
        self.account.make_key_pair_unlogged(UNTOLD_REGION, UNTOLD_PAIR, self.clock.now() - UNTOLD_BEFORE);
    }

    async fn play(self, pace: Pace) -> anyhow::Result<()> {
        let stolen = self.account.principal_credentials(VICTIM).context("the victim has no key")?;
        self.account.set_propagation(PROPAGATION);
        let key_id = stolen.access_key_id.clone();
        let first_seen = self.clock.now();
        self.leave_untold();
        let mut workload = Workload::new(&self.aws_url, VICTIM, &self.account)?;
        workload.run().await;
        let mut attacker = Attacker::new(&self.aws_url, stolen, &self.account, self.clock.clone(), self.terminal)?;
        attacker.break_in().await;
        for number in 0..Attacker::DEEDS {
            tokio::time::sleep(pace.between_deeds).await;
            attacker.deed(number).await;
        }
        tokio::time::sleep(pace.before_finding).await;

        let seen =
            finding::Seen { key_id: &key_id, user: VICTIM, ip: ATTACKER_IP, first: first_seen, last: self.clock.now() };
        let finding = finding::finding(&self.account, &seen);
        self.account.put_finding(finding.clone());
        let event = finding::event(&finding, self.account.id(), self.clock.now());
        let deliveries = async {
            finding::deliver(&self.alert_url, &self.alert_key, &event).await?;
            tokio::time::sleep(pace.before_repeat).await;
            finding::deliver(&self.alert_url, &self.alert_key, &event).await
        };
        let attempts = async {
            loop {
                let pause = if attacker.is_locked_out() { pace.between_vain_attempts } else { pace.between_attempts };
                tokio::time::sleep(pause).await;
                attacker.try_next().await;
            }
        };
        let work = async {
            loop {
                tokio::time::sleep(pace.between_runs).await;
                workload.run().await;
            }
        };
        tokio::select! {
            never = work => never,
            never = attempts => never,
            outcome = async { deliveries.await?; std::future::pending().await } => outcome,
        }
    }
}
