//! Every key in Redis. What one atomic step touches shares the part in braces, and thereby a slot of a
//! Cluster. Another layout gets another version: replicas of two versions then never meet.
//!
//! | key | type | what |
//! | --- | --- | --- |
//! | `irp:v1:{p3}:log:INC-3` | stream | the log; entry ids are `<version>-0` from 1 on, field `r` is the stored record |
//! | `irp:v1:{p3}:due` | sorted set | incident by the time it is due, in milliseconds |
//! | `irp:v1:{p3}:work:effects`, `…:cards` | stream | incidents that need attention, field `e` |
//! | `irp:v1:{p3}:cards:INC-3` | hash | slot to where its message stands, as JSON |
//! | `irp:v1:{p3}:carding:INC-3` | string | who brings its messages in line; gone after 8 s of silence |
//! | `irp:v1:{p3}:trail:INC-3` | hash | event id to what is kept of its record; gone a month after the last page |
//! | `irp:v1:{p3}:marks:INC-3` | hash | question, or Region, to how far its trail has been read, as JSON; likewise |
//! | `irp:v1:{index}:searching:111122223333` | string | which process searches the account's event history; gone after 12 s of silence |
//! | `irp:v1:{index}:claimed` | sorted set | correlation key by the number of its incident |
//! | `irp:v1:{index}:last` | integer | the last incident number handed out |
//! | `irp:v1:{index}:open` | sorted set | numbers of incidents claimed and not retired, by themselves |
//! | `irp:v1:{inbox}:alerts`, `…:slack` | stream | accepted deliveries, field `e` |
//! | `irp:v1:{inbox}:seen:…` | string | a delivery's key, for ten minutes |
//! | `irp:v1:{inbox}:unreadable` | stream | deliveries that could not be read: the lane, why, and in `e` what stood there |
//!
//! With keys for seals, records, cards, trails, marks and deliveries stand behind a seal (see `seal`).
//!
//! An incident belongs to partition number modulo 16, which can only change with the version.

use crate::domain::id::{AccountId, IncidentId};
use crate::ports::{Lane, Work};

/// How many partitions incidents are spread over.
pub(super) const PARTITIONS: u32 = 16;

/// Correlation keys.
pub(super) const CLAIMED: &str = "irp:v1:{index}:claimed";
/// The last incident number.
pub(super) const LAST: &str = "irp:v1:{index}:last";
/// Deliveries that could not be read. What stands in `e` can be put back into its lane as it is, once it can be read.
pub const UNREADABLE: &str = "irp:v1:{inbox}:unreadable";
/// Open incidents.
pub(super) const OPEN: &str = "irp:v1:{index}:open";

/// Where an incident lives.
pub(super) const fn partition(id: IncidentId) -> u32 {
    id.number() % PARTITIONS
}

/// An incident's log.
pub(super) fn log(id: IncidentId) -> String {
    format!("irp:v1:{{p{}}}:log:{id}", partition(id))
}

/// The due times of a partition.
pub(super) fn due(partition: u32) -> String {
    format!("irp:v1:{{p{partition}}}:due")
}

/// One kind of work of a partition.
pub(super) fn work(work: Work, partition: u32) -> String {
    let kind = match work {
        Work::Effects => "effects",
        Work::Cards => "cards",
    };
    format!("irp:v1:{{p{partition}}}:work:{kind}")
}

/// One kind of work, all partitions, in their order.
pub(super) fn work_streams(kind: Work) -> Vec<String> {
    (0..PARTITIONS).map(|partition| work(kind, partition)).collect()
}

/// Where an incident's messages stand.
pub(super) fn cards(id: IncidentId) -> String {
    format!("irp:v1:{{p{}}}:cards:{id}", partition(id))
}

/// Who brings an incident's messages in line.
pub(super) fn carding(id: IncidentId) -> String {
    format!("irp:v1:{{p{}}}:carding:{id}", partition(id))
}

/// Records that searches have read.
pub(super) fn trail(id: IncidentId) -> String {
    format!("irp:v1:{{p{}}}:trail:{id}", partition(id))
}

/// How far searches have read.
pub(super) fn marks(id: IncidentId) -> String {
    format!("irp:v1:{{p{}}}:marks:{id}", partition(id))
}

/// Who searches an account's event history.
pub(super) fn searching(account: &AccountId) -> String {
    format!("irp:v1:{{index}}:searching:{account}")
}

/// The deliveries of a lane.
pub(super) fn inbox(lane: Lane) -> String {
    let lane = match lane {
        Lane::Alerts => "alerts",
        Lane::Slack => "slack",
    };
    format!("irp:v1:{{inbox}}:{lane}")
}

/// Whether a delivery was seen.
pub(super) fn seen(dedup_key: &str) -> String {
    format!("irp:v1:{{inbox}}:seen:{dedup_key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_step_touches_shares_a_hash_tag() {
        let id = IncidentId::new(19);
        assert_eq!(log(id), "irp:v1:{p3}:log:INC-19");
        assert_eq!(cards(id), "irp:v1:{p3}:cards:INC-19");
        assert_eq!(carding(id), "irp:v1:{p3}:carding:INC-19");
        assert_eq!(trail(id), "irp:v1:{p3}:trail:INC-19");
        assert_eq!(marks(id), "irp:v1:{p3}:marks:INC-19");
        assert_eq!(due(partition(id)), "irp:v1:{p3}:due");
        assert_eq!(work(Work::Effects, partition(id)), "irp:v1:{p3}:work:effects");
        assert_eq!(work_streams(Work::Cards)[3], "irp:v1:{p3}:work:cards");
        assert!([&*inbox(Lane::Slack), &*seen("x"), UNREADABLE].iter().all(|key| key.starts_with("irp:v1:{inbox}:")));
    }
}
