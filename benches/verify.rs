//! `irp verify` on a pack whose log is 400 MB: the sample pack's records over and over, chained anew. `cargo bench --bench
//! verify` makes it in a temporary folder and checks it four times; `-- 100` does the same with 100 MB.

#![allow(clippy::unwrap_used, reason = "a panic that names the line is the report")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest, Sha256};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/packs/INC-1");
const LOG: &str = "log.ndjson";
const MANIFEST: &str = "manifest.json";
const RUNS: usize = 4;
/// The log, when nothing else is said.
const MEGABYTES: u64 = 400;
const GOAL_MB_PER_S: f64 = 200.0;

fn main() {
    let megabytes = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(MEGABYTES);
    let dir = tempfile::tempdir().unwrap();
    let pack = dir.path().join("INC-1");
    copy(Path::new(SAMPLE), &pack);
    let (records, bytes) = lengthen(&pack, megabytes * 1_000_000);
    println!("{records} records, {} MB", bytes / 1_000_000);
    println!("| run | seconds | MB/s | goal | |\n| --- | --- | --- | --- | --- |");
    for run in 1..=RUNS {
        let started = Instant::now();
        let checked = Command::new(env!("CARGO_BIN_EXE_irp")).arg("verify").arg(&pack).output().unwrap();
        let took = started.elapsed().as_secs_f64();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        assert!(String::from_utf8_lossy(&checked.stdout).contains(&records.to_string()), "it has read all of them");
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let per_second = bytes as f64 / 1e6 / took;
        let met = if per_second >= GOAL_MB_PER_S { "met" } else { "**missed**" };
        println!("| {run} | {took:.2} | {per_second:.0} | ≥ {GOAL_MB_PER_S} | {met} |");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if entry.is_dir() { copy(&entry, &to) } else { fs::copy(&entry, &to).map(|_| ()).unwrap() }
    }
}

/// Writes the log's records over and over until it is so long, each with the hash of the one before, and the manifest for it.
fn lengthen(pack: &Path, bytes: u64) -> (u64, u64) {
    let log = fs::read_to_string(pack.join(LOG)).unwrap();
    // What is around the hash of the record before.
    let around: Vec<(&str, &str)> = log
        .lines()
        .map(|line| {
            let (start, rest) = line.split_once("\"prev\":").unwrap();
            (start, &rest[rest.find(',').unwrap()..])
        })
        .collect();
    let mut out = BufWriter::new(File::create(pack.join(LOG)).unwrap());
    let (mut of_file, mut head, mut written, mut records) = (Sha256::new(), String::from("null"), 0, 0_u64);
    let mut text = String::new();
    for (start, end) in around.iter().cycle() {
        text.clear();
        write!(text, "{start}\"prev\":{head}{end}").unwrap();
        head = format!("\"{}\"", hex::encode(Sha256::digest(&text)));
        text.push('\n');
        out.write_all(text.as_bytes()).unwrap();
        of_file.update(&text);
        written += text.len() as u64;
        records += 1;
        if written >= bytes {
            break;
        }
    }
    out.flush().unwrap();
    let mut manifest: Value = serde_json::from_slice(&fs::read(pack.join(MANIFEST)).unwrap()).unwrap();
    manifest["records"] = records.into();
    manifest["head"] = head.trim_matches('"').into();
    manifest["files"][LOG] = hex::encode(of_file.finalize()).into();
    fs::write(pack.join(MANIFEST), manifest.to_string()).unwrap();
    (records, written)
}
