//! The evidence pack: everything about one incident as files, with a list of their hashes. Pure; writing it
//! down is the caller's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{cards, plan_file, report};
use crate::domain::id::IncidentId;
use crate::domain::incident::evolve::fold;
use crate::domain::incident::together::members;
use crate::domain::incident::whole::fits;
use crate::domain::playbook::Playbook;
use crate::domain::policy::Policy;
use crate::domain::stored::Record;

/// The list's own name.
pub const MANIFEST: &str = "manifest.json";
/// The log's: a stored record on each line, as it is in the store.
pub const LOG: &str = "log.ndjson";

/// For people, with every list whole.
const REPORT: &str = "report.md";

/// What a pack holds. Whoever keeps its own hash somewhere else can tell later whether the pack is whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// The incident.
    pub incident: IncidentId,
    /// When it was written.
    pub exported_at: DateTime<Utc>,
    /// How many records the log had.
    pub records: usize,
    /// Hash of the last record.
    pub head: String,
    /// SHA-256 of each file, in hexadecimal, by its path with `/`.
    pub files: BTreeMap<String, String>,
}

/// All files of an incident's pack, the list of them last to be written. `None` for a log without an
/// incident.
pub fn pack(
    records: &[Record],
    playbook: &Playbook,
    policy: &Policy,
    exported_at: DateTime<Utc>,
) -> Option<(Manifest, BTreeMap<String, Vec<u8>>)> {
    let incident = fold(records)?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let log: Vec<u8> = records.iter().flat_map(|r| [r.text().as_bytes(), b"\n"].concat()).collect();
    files.insert(LOG.into(), log);
    files.insert(REPORT.into(), report::report(&incident, records, playbook).into_bytes());
    for request in incident.requests.values() {
        files.insert(format!("before/{}.json", request.id), pretty(&json!(request.plan.before)));
    }
    // What approvers read where no card could show it.
    for request in incident.requests.values().filter(|r| r.burst.is_none_or(|first| first == r.id)) {
        if !fits(&members(&incident, request)) {
            let file = plan_file::file(&incident, request);
            files.insert(format!("plans/{}", file.name), file.text.into_bytes());
        }
    }
    for card in cards(&incident, records, playbook, policy) {
        let name: String = card.slot.chars().map(|c| if c == ':' { '.' } else { c }).collect();
        let message = json!({"slot": card.slot, "text": card.message.text, "blocks": card.message.blocks});
        files.insert(format!("cards/{name}.json"), pretty(&message));
    }
    let hashes = files.iter().map(|(path, bytes)| (path.clone(), hash(bytes))).collect();
    let manifest =
        Manifest { incident: incident.id, exported_at, records: records.len(), head: incident.head, files: hashes };
    Some((manifest, files))
}

/// SHA-256, in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What a card says below the beginning of a list: how much is left, and where all of it is. Empty when nothing is left.
pub(super) fn and_more(left: usize, incident: IncidentId) -> String {
    if left == 0 {
        return String::new();
    }
    format!("\nand {left} more: all in `{REPORT}` of `irp export {incident}`")
}

/// As it is written to a file.
pub fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
