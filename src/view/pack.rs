//! The evidence pack: everything about one incident as files, with a list of their hashes. Pure; writing it
//! down is the caller's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{cards, plan_file, receipts, report};
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::incident::evolve::fold;
use crate::domain::incident::state::Upload;
use crate::domain::incident::together::{digest, members};
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
/// What every pack has beside its log.
pub const ALWAYS: [&str; 3] = [REPORT, "cards/announcement.json", "cards/evidence.json"];

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
        files.insert(before_image(request.id), pretty(&json!(request.plan.before)));
    }
    // What approvers read where no card could show it; also where a card of today could.
    for request in incident.requests.values().filter(|r| r.burst.is_none_or(|first| first == r.id)) {
        let is_up = matches!(incident.uploads.get(&digest(&incident, request)), Some(Upload::Up(_)));
        if is_up || !fits(&members(&incident, request)) {
            files.insert(plan_file(request.id), plan_file::file(&incident, request).text.into_bytes());
        }
    }
    for card in cards(&incident, records, playbook, policy) {
        let message = json!({"slot": card.slot, "text": card.message.text, "blocks": card.message.blocks});
        files.insert(card_file(&card.slot), pretty(&message));
    }
    let hashes = files.iter().map(|(path, bytes)| (path.clone(), hash(bytes))).collect();
    let manifest =
        Manifest { incident: incident.id, exported_at, records: records.len(), head: incident.head, files: hashes };
    Some((manifest, files))
}

/// The file with what AWS showed before a request.
pub fn before_image(request: RequestId) -> String {
    format!("before/{request}.json")
}

/// The file with a plan that no card could show: that of all which was asked for together with this one.
pub fn plan_file(request: RequestId) -> String {
    format!("plans/{}", plan_file::name(request))
}

/// The message that told whoever asked for this, and for what goes with it.
pub fn asked_receipt(request: RequestId) -> String {
    card_file(&receipts::slot(request, receipts::ASKED))
}

fn card_file(slot: &str) -> String {
    format!("cards/{}.json", slot.replace(':', "."))
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
