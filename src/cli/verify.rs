//! `irp verify`: checks an evidence pack, without a network, a store or settings.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::num::NonZero;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::domain::id::IncidentId;
use crate::domain::incident::event::Event;
use crate::domain::stored::{Chain, event};
use crate::view::pack::{LOG, MANIFEST, Manifest, hash};

/// Bytes read at once.
const CHUNK: usize = 1 << 20;
/// Requests handed to another core at once, and how often that may be ahead.
const BATCH: usize = 64;
const BATCHES_MAX: usize = 16;

/// Requests, each with the number of its record.
type Batch = Vec<(usize, String)>;

/// What to check.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The pack's folder.
    pub pack: PathBuf,
    /// The hash of the list of files, as `irp export` has printed it: without it, a pack that was made up as
    /// a whole cannot be told from a real one.
    #[arg(long, value_name = "SHA-256")]
    pub hash: Option<String>,
}

/// Checks the hash of every file, the chain of the log, and the digest of every request. The error names
/// the first thing that is wrong.
pub fn verify(options: &Options) -> anyhow::Result<()> {
    let pack = &options.pack;
    let text = std::fs::read_to_string(pack.join(MANIFEST))
        .with_context(|| format!("{}: no {MANIFEST}: is this a pack, and was it finished?", pack.display()))?;
    let manifest: Manifest = serde_json::from_str(&text).with_context(|| format!("{MANIFEST} cannot be read"))?;
    let own = hash(text.as_bytes());
    if let Some(expected) = &options.hash {
        ensure!(*expected == own, "{MANIFEST}: its hash is {own}, not {expected}: this is another pack");
    }
    // The files' hashes beside the log.
    let (chain, hashes) = std::thread::scope(|scope| {
        let hashes = scope.spawn(|| check_files(pack, &manifest));
        (check_log(manifest.incident, &pack.join(LOG)), hashes.join())
    });
    // The log first: which record is broken says more than that the file is not as it was.
    let chain = chain?;
    ensure!(
        chain.records() == manifest.records,
        "{LOG}: {} records, and the list says {}: some are missing at the end",
        chain.records(),
        manifest.records
    );
    ensure!(
        chain.head() == Some(manifest.head.as_str()),
        "{LOG}: record {} is not as it was written: its hash is not the one in the list",
        chain.records()
    );
    hashes.map_err(|_| anyhow!("the files could not be hashed"))??;
    ensure!(manifest.files.contains_key(LOG), "{MANIFEST}: does not list {LOG}");
    let listed = |path: &Path| path.to_str().is_some_and(|p| p == MANIFEST || manifest.files.contains_key(p));
    if let Some(other) = files(pack)?.into_iter().find(|path| !listed(path)) {
        bail!("{}: is not in the list: somebody has added it", other.display());
    }
    println!(
        "{}: {} with {} records and {} files, all as they were written. {MANIFEST} has the hash {own}",
        pack.display(),
        manifest.incident,
        manifest.records,
        manifest.files.len()
    );
    Ok(())
}

fn check_files(pack: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    for (path, expected) in &manifest.files {
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(inside, "{MANIFEST}: “{path}” leads out of the pack");
        let actual = hash_of(&pack.join(path))?;
        ensure!(actual == *expected, "{path}: is not as it was written");
    }
    Ok(())
}

/// Every file in a folder, by its path from there.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    Ok(found)
}

/// Follows the chain, which cannot be shared out, while other cores work out the requests' digests.
fn check_log(incident: IncidentId, path: &Path) -> anyhow::Result<Chain> {
    let (sender, batches) = mpsc::sync_channel(BATCHES_MAX);
    let batches = Mutex::new(batches);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let checking: Vec<_> = (0..cores).map(|_| scope.spawn(|| check_requests(&batches))).collect();
        let followed = follow(incident, path, sender);
        let checked = checking.into_iter().map(ScopedJoinHandle::join);
        let wrong = checked.collect::<Result<Vec<_>, _>>().map_err(|_| anyhow!("the digests could not be checked"))?;
        // A request comes before whatever broke the chain after it.
        match wrong.into_iter().flatten().min_by_key(|(number, _)| *number) {
            Some((_, error)) => Err(error),
            None => followed,
        }
    })
}

/// Reads the log to its end, or to the first record that does not follow.
fn follow(incident: IncidentId, path: &Path, requests: SyncSender<Batch>) -> anyhow::Result<Chain> {
    let mut log = BufReader::with_capacity(CHUNK, File::open(path).with_context(|| path.display().to_string())?);
    let mut chain = Chain::default();
    let (mut line, mut batch) = (String::new(), Batch::default());
    let followed = loop {
        line.clear();
        let number = chain.records() + 1;
        match log.read_line(&mut line).with_context(|| format!("{LOG}: record {number} is not text")) {
            Ok(0) => break Ok(chain),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        let text = line.strip_suffix('\n').unwrap_or(&line);
        let kind = match chain.follow(text).with_context(|| LOG.to_owned()) {
            Ok(kind) => kind,
            Err(error) => break Err(error),
        };
        // Taken apart only where it says something: a log is long, and few records are requests.
        if number == 1 {
            if let Err(error) = check_first(incident, text) {
                break Err(error);
            }
        } else if kind == "ApprovalRequested" {
            batch.push((number, text.to_owned()));
            if batch.len() == BATCH && requests.send(std::mem::take(&mut batch)).is_err() {
                break Err(anyhow!("the digests could not be checked"));
            }
        }
    };
    // What came before the end of it is checked all the same.
    let _ = requests.send(batch);
    followed
}

fn check_first(incident: IncidentId, text: &str) -> anyhow::Result<()> {
    match event(text).with_context(|| format!("{LOG}: record 1 cannot be read"))? {
        Event::Opened { id, .. } => ensure!(id == incident, "{LOG}: is of {id}, and the list says {incident}"),
        _ => bail!("{LOG}: record 1 does not open an incident"),
    }
    Ok(())
}

/// The first request whose digest does not fit, of those that this thread is given.
fn check_requests(batches: &Mutex<Receiver<Batch>>) -> Option<(usize, anyhow::Error)> {
    let mut wrong = None;
    loop {
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return wrong };
        if wrong.is_none() {
            wrong = batch.iter().find_map(|(number, text)| Some((*number, check_request(*number, text).err()?)));
        }
    }
}

fn check_request(number: usize, text: &str) -> anyhow::Result<()> {
    match event(text).with_context(|| format!("{LOG}: record {number} cannot be read"))? {
        Event::ApprovalRequested { request, plan, digest, .. } if plan.digest() != digest => {
            bail!("{LOG}: record {number}: the digest of {request} does not fit what was asked for")
        }
        _ => Ok(()),
    }
}

fn hash_of(path: &Path) -> anyhow::Result<String> {
    let mut file = File::open(path).with_context(|| format!("{} is missing", path.display()))?;
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).with_context(|| path.display().to_string())? {
            0 => return Ok(hex::encode(hasher.finalize())),
            bytes => hasher.update(&chunk[..bytes]),
        }
    }
}
