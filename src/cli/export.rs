//! `irp export`: an incident's evidence pack, into the vault. It only reads the store, and can run beside the bot.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use secrecy::ExposeSecret;

use super::serve::open_store;
use crate::adapters::clock::SystemClock;
use crate::adapters::vault::directory::DirectoryVault;
use crate::adapters::vault::s3::S3Vault;
use crate::boot::playbook;
use crate::config::vault::Place;
use crate::config::{ProcessEnvironment, Stored};
use crate::domain::id::IncidentId;
use crate::ports::{Clock, IncidentLog, Pack, Vault};
use crate::view::pack::{MANIFEST, hash, pack, pretty};

/// What to write, and where.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The incident, such as INC-12.
    pub incident: IncidentId,
    /// A folder that does not exist yet, instead of the vault. Without either: INC-12-pack.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// Reads the log from the store, checks it, and stores the pack.
pub async fn export(options: Options) -> anyhow::Result<()> {
    let settings = Stored::read(&ProcessEnvironment)?;
    let store = open_store(settings.redis_url.expose_secret(), &settings.seal_keys).await?;
    let records = IncidentLog::load(&*store, options.incident).await?;
    let playbook = playbook(&settings.organisation)?;
    let policy = settings.organisation.policy(None);
    let (manifest, files) = pack(&records, &playbook, &policy, SystemClock.now())
        .with_context(|| format!("{} does not exist in this store", options.incident))?;
    let name = format!("{}-pack", options.incident);
    let (vault, name): (Arc<dyn Vault>, String) = match (options.out, &settings.vault) {
        (Some(out), _) => {
            let name = out.file_name().and_then(|name| name.to_str());
            let name = name.with_context(|| format!("--out: “{}” does not name a new folder", out.display()))?;
            (Arc::new(DirectoryVault::new(out.with_file_name(""))), name.to_owned())
        }
        (None, None) => (open_vault(None, None).await, name),
        // Packs of one incident lie beside each other there.
        (None, Some(place)) => {
            let name = format!("{name}-{}", manifest.exported_at.format("%Y%m%dT%H%M%SZ"));
            (open_vault(Some(place), settings.aws_endpoint_url.as_deref()).await, name)
        }
    };
    let list = pretty(&serde_json::to_value(&manifest)?);
    let count = files.len() + 1;
    let place = vault.store(&name, Pack { files, manifest: (MANIFEST, &list) }).await?;
    println!(
        "{place}: {} records, {count} files. Keep this hash of {MANIFEST} somewhere else: {}",
        manifest.records,
        hash(&list)
    );
    Ok(())
}

/// The vault that the settings name; the working directory when they name none.
pub(super) async fn open_vault(place: Option<&Place>, aws_endpoint_url: Option<&str>) -> Arc<dyn Vault> {
    match place {
        None => Arc::new(DirectoryVault::new("")),
        Some(Place::Folder(root)) => Arc::new(DirectoryVault::new(root)),
        Some(Place::Bucket(bucket)) => {
            Arc::new(S3Vault::new(bucket.clone(), aws_endpoint_url, None, Arc::new(SystemClock)).await)
        }
    }
}
