//! Puts the parts together, runs them, and drains them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::clock::SystemClock;
use crate::adapters::slack::SlackChat;
use crate::adapters::slack::signature::Verifier;
use crate::adapters::slack::watch::RoomWatch;
use crate::config::{Organisation, Settings};
use crate::domain::playbook::{BUILT_IN, Playbook};
use crate::domain::policy::Policy;
use crate::engine::{Engine, Ports};
use crate::http::{ALERT_BODIES_AT_ONCE, App, SlackBodies, alert_key_hash, connections, router};
use crate::ports::{ChatError, Clock, Cloud, Directory, Store};
use crate::telemetry::Metrics;
use crate::workers::{HUNTING_AT_ONCE, INFORM_AT_ONCE, REACHING_AT_ONCE, Workers, socket};

/// Longest wait for callers, and after that for work under way, when the process is asked to end. Both
/// together stay under the half minute that most platforms give.
const DRAIN_MAX: Duration = Duration::from_secs(12);
/// Waits before each reading back after a call. IAM shows most changes at once and nearly all within
/// seconds.
const READ_BACK_WAITS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// How often AWS is asked who the bot is and Slack who is in the groups, until they say.
const ASKED_AGAIN_EVERY: Duration = Duration::from_secs(15);

/// How often Slack is asked whether the war room is still one.
const ROOM_ASKED_EVERY: Duration = Duration::from_mins(5);

/// What is given from outside, so that the sandbox and the tests can give their own.
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// When they were read, by the rules' time.
    pub read_at: DateTime<Utc>,
    /// The rules' time.
    pub clock: Arc<dyn Clock>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// AWS.
    pub cloud: Arc<dyn Cloud>,
    /// Where the web server listens.
    pub listener: TcpListener,
    /// The organisation's file, each time it has been read anew.
    pub reloads: mpsc::Receiver<Reading>,
}

/// The organisation's file, and the time right before it was read: what was written there later can be missing in it.
pub type Reading = (Organisation, DateTime<Utc>);

/// Runs the bot until `shutdown`, then drains it.
pub async fn run(given: Parts, shutdown: CancellationToken) -> anyhow::Result<()> {
    let Parts { settings, read_at, clock, store, cloud, listener, reloads } = given;
    let tracker = TaskTracker::new();
    let slack = Arc::new(SlackChat::new(&settings.slack.bot_token, &settings.slack.api_url)?);
    let wall: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::default());
    let own_identity = own_identity(&*cloud).await;
    let ports = Ports {
        store: Arc::clone(&store),
        cloud: Arc::clone(&cloud),
        directory: slack.clone(),
        clock: Arc::clone(&clock),
    };
    let playbook = playbook(&settings.organisation)?;
    let policy = settings.organisation.policy(own_identity.as_deref());
    let engine = Engine::new(ports, policy, playbook, &replica(), &READ_BACK_WAITS).with_rules_read_at(read_at);
    let room = Arc::new(RoomWatch::new(Arc::clone(&slack), settings.slack.war_room.clone()));
    check_room(&room).await?;
    let checked = check_people(&settings.organisation, &*engine.policy().await, &*slack).await?;
    let workers = Workers {
        engine,
        store: Arc::clone(&store),
        chat: slack.clone(),
        wall: Arc::clone(&wall),
        war_room: settings.slack.war_room.clone(),
        metrics: Arc::clone(&metrics),
        busy: Arc::default(),
        informing: Arc::new(Semaphore::new(INFORM_AT_ONCE)),
        reaching: Arc::new(Semaphore::new(REACHING_AT_ONCE)),
        hunting: Arc::new(Semaphore::new(HUNTING_AT_ONCE)),
        searching: Arc::default(),
        read_anew: Arc::new(Notify::new()),
        shutdown: shutdown.clone(),
    };
    let app = App {
        store,
        chat: slack.clone(),
        wall,
        verifier: settings.slack.signing_secret.as_ref().map(|secret| Arc::new(Verifier::new(secret))),
        alert_keys: settings.alert_keys.iter().map(alert_key_hash).collect(),
        clock,
        slack_bodies: Arc::new(SlackBodies::default()),
        alert_bodies: Arc::new(Semaphore::new(ALERT_BODIES_AT_ONCE)),
        tasks: tracker.clone(),
        metrics: Arc::clone(&metrics),
        room: Arc::clone(&room),
    };

    let (_work, threads) = WorkRuntime::start()?;
    workers.start(&tracker, &threads);
    tracker.spawn_on(watch_room(room, metrics, shutdown.clone()), &threads);
    let known = Known { own: own_identity, people: checked, read_at };
    tracker.spawn_on(take_readings(workers, cloud, slack.clone(), settings.organisation, reloads, known), &threads);
    if let Some(token) = settings.slack.app_token.clone() {
        tracker.spawn(socket::run(app.clone(), slack, token, shutdown.clone()));
    }
    let address = listener.local_addr().context("the listener has no address")?;
    tracing::info!(http.address = %address, "listening");
    let ended = shutdown.clone();
    tokio::select! {
        () = connections::serve(listener, router(app), ended) => {}
        // A caller that never hangs up must not hold the end up.
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN_MAX).await } => {}
    }
    shutdown.cancel();
    tracker.close();
    if tokio::time::timeout(DRAIN_MAX, tracker.wait()).await.is_err() {
        tracing::warn!("some work was still under way at the end; the next start takes it up");
    }
    Ok(())
}

/// Where all work is done. The runtime that deliveries arrive on has nothing else to do: however much work there is, no
/// acknowledgement waits in line behind it.
struct WorkRuntime(Option<Runtime>);

impl WorkRuntime {
    fn start() -> anyhow::Result<(Self, Handle)> {
        let runtime = Builder::new_multi_thread().thread_name("irp-work").enable_all().build();
        let runtime = runtime.context("there are no threads for the work")?;
        let handle = runtime.handle().clone();
        Ok((Self(Some(runtime)), handle))
    }
}

impl Drop for WorkRuntime {
    fn drop(&mut self) {
        // A runtime cannot be waited for on the threads of another. What is to be finished is by now.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Refuses a war room that people of another organisation are in, or are invited to: they would read all of it.
async fn check_room(room: &RoomWatch) -> anyhow::Result<()> {
    match room.step().await {
        Ok(found) if found.shared => anyhow::bail!("{}", found.why_not_shared()),
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "Slack does not say whether the war room is shared");
            Ok(())
        }
    }
}

/// Goes on asking. A bot that runs is not stopped by it: whoever can share the room could then stop the response.
async fn watch_room(room: Arc<RoomWatch>, metrics: Arc<Metrics>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(ROOM_ASKED_EVERY) => {}
        }
        if let Err(error) = room.step().await {
            tracing::warn!(%error, "Slack does not say whether the war room is shared or archived");
        }
        if room.fault().is_some() {
            metrics.failed("room");
        }
    }
}

/// Refuses rules with a group that Slack says there is not, or by which nothing could ever be approved. `false` as long as
/// Slack does not say who is in the groups: nobody is, and the rules are to be looked at again.
async fn check_people(organisation: &Organisation, policy: &Policy, directory: &dyn Directory) -> anyhow::Result<bool> {
    if policy.groups().is_empty() {
        warn_of_unaided(organisation, policy);
        return Ok(true);
    }
    if policy.has_unread_groups() {
        for group in policy.groups() {
            match directory.members(group).await {
                Err(ChatError::Refused(why)) => anyhow::bail!(
                    "Slack does not say who is in the groups of irp.toml: {group}: {why}: is the id right, and does the \
                     token have usergroups:read?"
                ),
                Err(error) => {
                    tracing::warn!(slack.group = %group, %error, "Slack does not say yet who is in the group: nobody is");
                }
                Ok(_) => {}
            }
        }
        return Ok(false);
    }
    let shortages = organisation.shortages(policy);
    anyhow::ensure!(shortages.is_empty(), "{}", shortages.join("\n"));
    // Who is in a group changes: that keeps no bot from starting.
    organisation.powerless(policy).for_each(|why| tracing::warn!("{why}"));
    warn_of_unaided(organisation, policy);
    Ok(true)
}

fn warn_of_unaided(organisation: &Organisation, policy: &Policy) {
    if let Some(why) = organisation.unaided(policy) {
        tracing::warn!("{why}");
    }
}

/// Who the bot is to AWS.
async fn own_identity(cloud: &dyn Cloud) -> Option<String> {
    cloud
        .caller()
        .await
        .inspect_err(|error| {
            tracing::warn!(%error, "the bot does not know yet who it is to AWS: only its roles in irp.toml are protected");
        })
        .ok()
}

/// What the start could find out, and what is to be asked again.
struct Known {
    /// Who the bot is to AWS.
    own: Option<String>,
    /// Whether the rules have been looked at with the people in their groups.
    people: bool,
    /// When the rules were read.
    read_at: DateTime<Utc>,
}

/// The newest of what was read: somebody can have had it read again while this process was at the one before.
fn newest(first: Reading, reloads: &mut mpsc::Receiver<Reading>) -> Reading {
    std::iter::from_fn(|| reloads.try_recv().ok()).last().unwrap_or(first)
}

/// Puts rules in force each time that they have been read anew, and has every open incident name them. As long as AWS has not
/// said who the bot is, it is asked again: the bot must never contain itself. Slack too, as long as it has not said who is in
/// the groups: rules that were read anew wait for that, and are never forgotten for it.
async fn take_readings(
    workers: Workers,
    cloud: Arc<dyn Cloud>,
    directory: Arc<dyn Directory>,
    mut organisation: Organisation,
    mut reloads: mpsc::Receiver<Reading>,
    Known { mut own, people: mut checked, mut read_at }: Known,
) {
    let mut waiting = None;
    // It goes on while others are read: a wait that began anew each time would never come to its end.
    let mut ask = interval_at(Instant::now() + ASKED_AGAIN_EVERY, ASKED_AGAIN_EVERY);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let read_anew = tokio::select! {
            () = workers.shutdown.cancelled() => return,
            read = reloads.recv() => {
                let Some(read) = read else { return };
                waiting = None;
                let (read, at) = newest(read, &mut reloads);
                // At once: while these wait for Slack, others can read newer ones and say them.
                (read, workers.engine.read_anew(at))
            }
            _ = ask.tick(), if waiting.is_some() || own.is_none() || !checked => {
                if own.is_none() {
                    own = own_identity(&*cloud).await;
                    if own.is_some() {
                        workers.engine.put_rules(organisation.policy(own.as_deref()), read_at);
                    }
                }
                if !checked {
                    let policy = workers.engine.policy().await;
                    checked = check_people(&organisation, &policy, &*directory).await.unwrap_or_else(|error| {
                        tracing::error!(%error, "the rules cannot work: change irp.toml");
                        true
                    });
                }
                let Some(read) = waiting.take() else { continue };
                read
            }
        };
        let (read, at) = read_anew;
        let policy = read.policy(own.as_deref());
        let known = workers.engine.with_members(Arc::new(policy.clone())).await;
        match check_people(&read, &known, &*directory).await {
            Ok(true) => checked = true,
            Ok(false) => {
                tracing::error!("Slack does not say who is in the groups; the old rules stay until it does");
                waiting = Some((read, at));
                ask.reset();
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "the new rules cannot work; the old ones stay");
                continue;
            }
        }
        tracing::info!(policy.version = %policy.version, "the rules have been read anew");
        workers.engine.put_rules(policy, at);
        (organisation, read_at) = (read, at);
        workers.read_anew.notify_one();
    }
}

/// The playbook that the organisation names, or the one compiled in.
pub fn playbook(organisation: &Organisation) -> anyhow::Result<Playbook> {
    let playbook = match &organisation.playbook {
        None => Playbook::parse(BUILT_IN).context("the playbook that is compiled in"),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            Playbook::parse(&text).with_context(|| path.display().to_string())
        }
    };
    let reached = organisation.organization.as_ref();
    Ok(Playbook {
        reaches_organization: reached.is_some(),
        identity_center_region: reached.and_then(|of| of.identity_center_region.clone()),
        ..playbook?
    })
}

/// Names this process in the log: different for every start.
pub fn replica() -> String {
    format!("irp-{}", hex::encode(rand::random::<[u8; 6]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_what_was_read_meanwhile_the_newest_goes() {
        let rules = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                     [people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\n";
        let read_at = |minute: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute);
        let reading = |minute| (Organisation::parse(rules, "irp.toml").unwrap(), read_at(minute));
        let (sender, mut reloads) = mpsc::channel(2);
        assert_eq!(newest(reading(1), &mut reloads).1, read_at(1));
        for minute in [2, 3] {
            sender.send(reading(minute)).await.unwrap();
        }
        assert_eq!(newest(reading(1), &mut reloads).1, read_at(3));
    }
}
