//! Logs and counts. Never a payload, a token, or an address that carries one.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error: JSON lines, or text for a person at a terminal. A second call does
/// nothing.
pub fn start_logging(filter: &str, json: bool) -> Result<(), String> {
    let mut filter = EnvFilter::try_new(filter).map_err(|e| e.to_string())?;
    // These write addresses that carry tickets, and whole bodies, into their debug logs.
    for quiet in ["slack_morphism=info", "tungstenite=info", "tokio_tungstenite=info", "hyper=info", "hyper_util=info"]
    {
        filter = filter.add_directive(quiet.parse().map_err(|e| format!("{quiet}: {e}"))?);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Fails only when a subscriber is there already, as in a test that starts the bot twice.
    let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    Ok(())
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

type Counters = Family<Kind, Counter<u64, AtomicU64>>;

/// What is counted, as `/metrics` shows it.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    alerts: Counters,
    slack: Counters,
    rejected: Counters,
    refused: Counters,
    failures: Counters,
    aside: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("irp");
        let mut family = |name: &str, help: &str| {
            let counters = Counters::default();
            registry.register(name, help, counters.clone());
            counters
        };
        let alerts = family("alerts", "Alerts received, by what became of them");
        let slack = family("slack_deliveries", "Slack deliveries received, by what became of them");
        let rejected = family("rejected_requests", "Requests turned away at the door, by reason");
        let refused = family("refusals", "People told no, by what they tried");
        let failures = family("failures", "Work that failed and is tried again, by worker");
        let aside = Gauge::default();
        let help = "Deliveries that nobody could read and that wait for somebody to look";
        registry.register("set_aside", help, aside.clone());
        Self { registry, alerts, slack, rejected, refused, failures, aside }
    }
}

impl Metrics {
    /// An alert.
    pub fn alert(&self, kind: &'static str) {
        self.alerts.get_or_create(&Kind { kind }).inc();
    }

    /// A Slack delivery.
    pub fn slack(&self, kind: &'static str) {
        self.slack.get_or_create(&Kind { kind }).inc();
    }

    /// A request turned away.
    pub fn rejected(&self, kind: &'static str) {
        self.rejected.get_or_create(&Kind { kind }).inc();
    }

    /// A person told no.
    pub fn refused(&self, kind: &'static str) {
        self.refused.get_or_create(&Kind { kind }).inc();
    }

    /// A failure of a worker.
    pub fn failed(&self, kind: &'static str) {
        self.failures.get_or_create(&Kind { kind }).inc();
    }

    /// How many deliveries are set aside.
    pub fn aside(&self, count: usize) {
        self.aside.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// All of it in the `OpenMetrics` text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}
