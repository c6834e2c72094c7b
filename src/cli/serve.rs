//! `irp serve`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::adapters::aws::{AwsCloud, AwsSettings};
use crate::adapters::clock::SystemClock;
use crate::adapters::memory::MemoryStore;
use crate::adapters::redis::{RedisStore, Seal};
use crate::boot::{Parts, replica, run};
use crate::config::{ProcessEnvironment, Settings};
use crate::ports::{Clock, Store};
use crate::telemetry::start_logging;

/// How long the start waits for the vault to say whether it takes anything.
const VAULT_TIME_MAX: Duration = Duration::from_secs(5);

/// The address of the store that forgets everything.
pub(super) const MEMORY: &str = "memory";

/// How often the store's settings and its clock are looked at.
const STORE_WATCHED_EVERY: Duration = Duration::from_mins(1);

/// Runs until SIGTERM or SIGINT, then drains. SIGHUP reads the organisation's file anew.
pub async fn serve() -> anyhow::Result<()> {
    let read_at = SystemClock.now();
    let settings = Settings::read(&ProcessEnvironment)?;
    start_logging(&settings.log, true).map_err(|e| anyhow::anyhow!("IRP_LOG: {e}"))?;
    // Before anything else: until somebody waits for it, a hangup would end the process.
    let mut hangups = signal(SignalKind::hangup()).context("SIGHUP cannot be waited for")?;
    let store = open_store(settings.redis_url.expose_secret(), &settings.seal_keys).await?;
    if let Some(why) = unsealed(&settings) {
        tracing::warn!(%why, "what is in the store could be forged");
    }
    let vault = super::export::open_vault(settings.vault.as_ref(), settings.aws_endpoint_url.as_deref()).await;
    match tokio::time::timeout(VAULT_TIME_MAX, vault.inspect()).await {
        Ok(Ok(place)) => tracing::info!(vault.place = %place, "what AWS does not keep of what is removed goes there"),
        Ok(Err(error)) => tracing::warn!(%error, "the vault takes nothing: what AWS does not keep cannot be removed"),
        Err(_) => tracing::warn!("the vault does not answer"),
    }
    let cloud = Arc::new(AwsCloud::new(aws_settings(&settings)).await.keeping_in(Some(vault)));
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("IRP_LISTEN: cannot listen on {}", settings.listen))?;
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let ended = shutdown.clone();
    let (sender, reloads) = mpsc::channel(1);
    let reload = async move {
        while hangups.recv().await.is_some() {
            // Before the file: what is written there while it is read can be missing in what was read.
            let read_at = SystemClock.now();
            match Settings::read(&ProcessEnvironment) {
                Ok(settings) => {
                    if sender.send((settings.organisation, read_at)).await.is_err() {
                        tracing::error!(
                            "nobody takes the rules that were read: this process is about to end, or has to be"
                        );
                    }
                }
                Err(error) => tracing::error!(%error, "the settings cannot be used; the rules stay as they were"),
            }
        }
        std::future::pending::<anyhow::Result<()>>().await
    };
    let watched = watch(Arc::clone(&store));
    let parts = Parts { settings, read_at, clock: Arc::new(SystemClock), store, cloud, listener, reloads };
    let running = run(parts, shutdown);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("draining");
        ended.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = running => outcome,
        outcome = reload => outcome,
        () = stop => Ok(()),
        () = watched => Ok(()),
    }
}

/// Says for as long as the process runs what could make the store lose decisions, and that its clock and this one
/// disagree: a machine that was suspended wakes up in the past.
async fn watch(store: Arc<dyn Store>) {
    let mut said = Vec::new();
    loop {
        match store.durability_faults().await {
            Ok(faults) => {
                for fault in faults.iter().filter(|fault| !said.contains(*fault)) {
                    tracing::warn!(store.fault = %fault, "the store could lose decisions");
                }
                said = faults;
            }
            Err(error) => tracing::warn!(%error, "the store's durability could not be checked"),
        }
        tokio::time::sleep(STORE_WATCHED_EVERY).await;
    }
}

/// The store that the address names.
pub async fn open_store(url: &str, seal_keys: &[SecretString]) -> anyhow::Result<Arc<dyn Store>> {
    if url == MEMORY {
        return Ok(Arc::new(MemoryStore::default()));
    }
    let store = RedisStore::connect(url, &replica(), Seal::new(seal_keys))
        .await
        .context("REDIS_URL: the store cannot be used")?;
    Ok(Arc::new(store))
}

/// Why others than the bot could have written what is in the store.
pub fn unsealed(settings: &Settings) -> Option<&'static str> {
    (settings.redis_url.expose_secret() != MEMORY && settings.seal_keys.is_empty()).then_some(
        "IRP_SEAL_KEYS is not set: whoever can write to Redis can approve in anybody's name. `openssl rand -hex 32` makes a \
         key; set it while no incident is open, for all replicas at once",
    )
}

/// What the AWS adapter needs of the settings.
pub fn aws_settings(settings: &Settings) -> AwsSettings {
    AwsSettings {
        endpoint_url: settings.aws_endpoint_url.clone(),
        accounts: settings.organisation.accounts.clone(),
        organization: settings.organisation.organization.clone(),
        credentials: None,
    }
}
