//! `irp export`: writes an incident's evidence pack.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use secrecy::ExposeSecret;

use super::serve::open_store;
use crate::adapters::clock::SystemClock;
use crate::boot::playbook;
use crate::config::{ProcessEnvironment, Settings};
use crate::domain::id::IncidentId;
use crate::ports::{Clock, IncidentLog};
use crate::view::pack::{MANIFEST, hash, pack, pretty};

/// What to write, and where.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The incident, such as INC-12.
    pub incident: IncidentId,
    /// A folder that does not exist yet; INC-12-pack when not given.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// Reads the log from the store, checks it, and writes the pack.
pub async fn export(options: Options) -> anyhow::Result<()> {
    let settings = Settings::read(&ProcessEnvironment)?;
    let store = open_store(settings.redis_url.expose_secret()).await?;
    let records = IncidentLog::load(&*store, options.incident).await?;
    let playbook = playbook(&settings)?;
    let policy = settings.organisation.policy(None);
    let (manifest, files) = pack(&records, &playbook, &policy, SystemClock.now())
        .with_context(|| format!("{} does not exist in this store", options.incident))?;
    let out = options.out.unwrap_or_else(|| PathBuf::from(format!("{}-pack", options.incident)));
    std::fs::create_dir(&out).with_context(|| format!("{} cannot be made: it has to be new", out.display()))?;
    for (path, bytes) in &files {
        write(&out, path, bytes)?;
    }
    // Last: a pack without it is one that was not finished.
    let list = pretty(&serde_json::to_value(&manifest)?);
    write(&out, MANIFEST, &list)?;
    println!(
        "{}: {} records, {} files. Keep this hash of {MANIFEST} somewhere else: {}",
        out.display(),
        manifest.records,
        files.len() + 1,
        hash(&list)
    );
    Ok(())
}

fn write(out: &Path, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = out.join(path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(&path, bytes).with_context(|| path.display().to_string())
}
