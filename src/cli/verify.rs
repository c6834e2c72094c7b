//! `irp verify`: checks an evidence pack, without a network, a store or settings.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::num::NonZero;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::domain::approval::Digest;
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::incident::event::Event;
use crate::domain::stored::{Chain, Unreadable, event};
use crate::view::pack::{LOG, MANIFEST, Manifest, hash};

use referred::Referred;

mod referred;

/// Bytes read at once, and of the log handed to a core at once: to the end of the record that they end in.
const CHUNK: usize = 1 << 20;
/// How many parts of the log may wait for a core.
const PARTS_MAX: usize = 16;

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

/// Checks the hash of every file, the chain of the log, the digest of every request, and that what the log refers to is there.
/// The error names the first thing that is wrong.
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
    let (chain, referred) = chain.map_err(|error| explained(error, &pack.join(LOG), &manifest))?;
    let at_the_end = if chain.records() < manifest.records { "are missing" } else { "were added" };
    ensure!(
        chain.records() == manifest.records,
        "{LOG}: {} records, and the list says {}: some {at_the_end} at the end",
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
    referred.check(pack, &manifest)?;
    println!(
        "{}: {} with {} records and {} files, all as they were written. {MANIFEST} has the hash {own}",
        pack.display(),
        manifest.incident,
        manifest.records,
        manifest.files.len()
    );
    Ok(())
}

/// Says more of a record that does not follow the one before it, where all after it is whole: then its own number, counted from
/// the end that the list names, tells what is wrong before it.
fn explained(error: anyhow::Error, log: &Path, manifest: &Manifest) -> anyhow::Error {
    let Some(&Unreadable::Broken(number)) = error.downcast_ref::<Unreadable>() else { return error };
    let Some(records) = whole_from(number, log, &manifest.head) else { return error };
    match records.cmp(&manifest.records) {
        Ordering::Equal if number == 1 => error,
        Ordering::Equal => {
            anyhow!("{LOG}: record {} is not as it was written: record {number} follows another", number - 1)
        }
        Ordering::Less => anyhow!("{LOG}: {} record(s) are missing before record {number}", manifest.records - records),
        Ordering::Greater => {
            anyhow!("{LOG}: {} record(s) were added before record {number}", records - manifest.records)
        }
    }
}

/// How many records the log has, if from this one on each follows the one before it, to the end that the list names.
fn whole_from(number: usize, log: &Path, head: &str) -> Option<usize> {
    let text = |line: std::io::Result<Vec<u8>>| String::from_utf8(line.ok()?).ok();
    let mut lines = BufReader::with_capacity(CHUNK, File::open(log).ok()?).split(b'\n').skip(number - 1);
    let mut chain = Chain::from(number, &text(lines.next()?)?);
    for line in lines {
        chain.follow(&text(line)?).ok()?;
    }
    (chain.head() == Some(head)).then_some(chain.records())
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

/// Shares the log out between the cores. Whether a record follows the one before it needs only those two, so each part of
/// the log is checked by itself, beginning with the last record of the part before.
fn check_log(incident: IncidentId, path: &Path) -> anyhow::Result<(Chain, Referred)> {
    let log = File::open(path).with_context(|| path.display().to_string())?;
    let (sender, parts) = mpsc::sync_channel(PARTS_MAX);
    let parts = Mutex::new(parts);
    let found = Found::default();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| found.check_parts(incident, &parts));
        }
        let shared = share_out(log, &sender, &found);
        // There are no more.
        drop(sender);
        shared.with_context(|| path.display().to_string())
    })?;
    if let Some((_, error)) = found.wrong.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let end = found.end.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((end, found.referred.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Reads the log to its end, or until something in it is known to be wrong.
fn share_out(log: File, parts: &SyncSender<Part>, found: &Found) -> std::io::Result<()> {
    let (mut log, mut records, mut last) = (BufReader::with_capacity(CHUNK, log), 0, Vec::new());
    while !found.is_wrong() {
        let mut text = last;
        let before = text.len();
        log.by_ref().take(CHUNK as u64).read_to_end(&mut text)?;
        log.read_until(b'\n', &mut text)?;
        if text.len() == before {
            break;
        }
        let end = text.strip_suffix(b"\n").unwrap_or(&text);
        last = text[memchr::memrchr(b'\n', end).map_or(0, |at| at + 1)..].to_vec();
        let lines = memchr::memchr_iter(b'\n', end).count() + 1;
        let part = Part { first: records.max(1), text };
        records = part.first + lines - 1;
        if parts.send(part).is_err() {
            break;
        }
    }
    Ok(())
}

/// Some records of the log, one after the other.
struct Part {
    /// The number of the first: but at the beginning of the log, it has been checked in the part before.
    first: usize,
    text: Vec<u8>,
}

/// What the cores have found, together.
#[derive(Default)]
struct Found {
    /// The first record that is wrong, and in what.
    wrong: Mutex<Option<(usize, anyhow::Error)>>,
    /// The furthest that the chain has been followed.
    end: Mutex<Chain>,
    /// What records refer to.
    referred: Mutex<Referred>,
}

impl Found {
    fn is_wrong(&self) -> bool {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn check_parts(&self, incident: IncidentId, parts: &Mutex<Receiver<Part>>) {
        loop {
            let next = parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(part) = next else { return };
            match part.check(incident) {
                Ok((chain, referred)) => {
                    self.referred.lock().unwrap_or_else(PoisonError::into_inner).join(referred);
                    let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
                    if chain.records() > end.records() {
                        *end = chain;
                    }
                }
                Err((number, error)) => {
                    let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
                    if wrong.as_ref().is_none_or(|(first, _)| number < *first) {
                        *wrong = Some((number, error));
                    }
                }
            }
        }
    }
}

impl Part {
    /// Follows the chain through it. Of what is wrong, the first.
    fn check(&self, incident: IncidentId) -> Result<(Chain, Referred), (usize, anyhow::Error)> {
        let (mut chain, mut referred) = (Chain::default(), Referred::default());
        let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', text).chain([text.len()]);
        for (number, end) in (self.first..).zip(ends) {
            let line = &text[start..end];
            start = end + 1;
            let text = str::from_utf8(line).with_context(|| format!("{LOG}: record {number} is not text"));
            if number == self.first && number > 1 {
                chain = Chain::from(number, text.unwrap_or_default());
                continue;
            }
            text.and_then(|text| check_record(incident, &mut chain, &mut referred, text))
                .map_err(|error| (number, error))?;
        }
        Ok((chain, referred))
    }
}

fn check_record(incident: IncidentId, chain: &mut Chain, referred: &mut Referred, text: &str) -> anyhow::Result<()> {
    let kind = chain.follow(text).context(LOG)?;
    // Taken apart only where it says something: a log is long, and few records are requests.
    match (chain.records(), &*kind) {
        (1, _) => check_first(incident, text),
        (number, "ApprovalRequested") => check_request(number, text, referred),
        (number, "PlanUploaded") => {
            let unreadable = || format!("{LOG}: record {number} cannot be read");
            let Uploaded { event: Put { request, digest } } = serde_json::from_str(text).with_context(unreadable)?;
            referred.uploaded(number, request, digest);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_first(incident: IncidentId, text: &str) -> anyhow::Result<()> {
    match event(text).with_context(|| format!("{LOG}: record 1 cannot be read"))? {
        Event::Opened { id, .. } => ensure!(id == incident, "{LOG}: is of {id}, and the list says {incident}"),
        _ => bail!("{LOG}: record 1 does not open an incident"),
    }
    Ok(())
}

fn check_request(number: usize, text: &str, referred: &mut Referred) -> anyhow::Result<()> {
    let unreadable = || format!("{LOG}: record {number} cannot be read");
    let Requested { event: Asked { request, plan, digest, burst } } =
        serde_json::from_str(text).with_context(unreadable)?;
    let fits = Digest::of_text(plan.get()).with_context(unreadable)? == digest;
    ensure!(fits, "{LOG}: record {number}: the digest of {request} does not fit what was asked for");
    let Planned { before_hash } = serde_json::from_str(plan.get()).with_context(unreadable)?;
    referred.requested(number, request, burst.unwrap_or(request), before_hash);
    Ok(())
}

/// A record of a request, with the plan as it is written.
#[derive(Deserialize)]
struct Requested<'a> {
    #[serde(borrow)]
    event: Asked<'a>,
}

#[derive(Deserialize)]
struct Asked<'a> {
    request: RequestId,
    #[serde(borrow)]
    plan: &'a RawValue,
    digest: Digest,
    #[serde(default)]
    burst: Option<RequestId>,
}

/// What of a plan says what AWS showed before.
#[derive(Deserialize)]
struct Planned {
    before_hash: Digest,
}

/// A record of a plan in a file.
#[derive(Deserialize)]
struct Uploaded {
    event: Put,
}

#[derive(Deserialize)]
struct Put {
    request: RequestId,
    digest: Digest,
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
