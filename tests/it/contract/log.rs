//! [`irp::ports::IncidentLog`]: the records.

use futures_util::future::join_all;
use irp::domain::id::IncidentId;
use irp::domain::stored::Record;
use irp::ports::AppendError;

use super::{Replicas, first, record};

const ID: IncidentId = IncidentId::new(3);

pub(super) async fn what_is_appended_is_loaded(replicas: &Replicas) {
    assert_eq!(replicas.one.load(ID).await.unwrap(), []);
    replicas.one.append(ID, 0, &[record(1), record(2)], None).await.unwrap();
    replicas.other.append(ID, 2, &[record(3)], None).await.unwrap();
    let expected = [record(1), record(2), record(3)];
    assert_eq!(replicas.one.load(ID).await.unwrap(), expected);
    assert_eq!(replicas.other.load(ID).await.unwrap(), expected);
}

pub(super) async fn an_append_to_another_version_conflicts(replicas: &Replicas) {
    let ahead = replicas.one.append(ID, 1, &[record(1)], None).await;
    assert!(matches!(ahead, Err(AppendError::Conflict)), "{ahead:?}");
    replicas.one.append(ID, 0, &[record(1), record(2)], None).await.unwrap();
    for behind in [0, 1] {
        let behind = replicas.other.append(ID, behind, &[record(3)], None).await;
        assert!(matches!(behind, Err(AppendError::Conflict)), "{behind:?}");
    }
    assert_eq!(replicas.one.load(ID).await.unwrap(), [record(1), record(2)]);
}

pub(super) async fn of_fifty_appends_at_once_one_wins(replicas: &Replicas) {
    let candidates: Vec<_> = (0..50).map(|number| [first(number)]).collect();
    let appends = candidates.iter().enumerate().map(|(turn, records)| {
        let store = if turn % 2 == 0 { &replicas.one } else { &replicas.other };
        store.append(ID, 0, records, None)
    });
    let outcomes = join_all(appends).await;
    let winner = outcomes.iter().position(Result::is_ok).expect("one wins");
    for (turn, outcome) in outcomes.iter().enumerate() {
        assert!(turn == winner || matches!(outcome, Err(AppendError::Conflict)), "{turn}: {outcome:?}");
    }
    assert_eq!(replicas.one.load(ID).await.unwrap(), candidates[winner]);
}

pub(super) async fn logs_do_not_mix(replicas: &Replicas) {
    // The same partition in Redis.
    let neighbour = IncidentId::new(ID.number() + 16);
    replicas.one.append(ID, 0, &[record(1)], None).await.unwrap();
    replicas.one.append(neighbour, 0, &[first(2)], None).await.unwrap();
    assert_eq!(replicas.one.load(ID).await.unwrap(), [record(1)]);
    assert_eq!(replicas.one.load(neighbour).await.unwrap(), [first(2)]);
}

pub(super) async fn a_long_log_is_loaded_whole_and_in_order(replicas: &Replicas) {
    const RECORDS: u64 = 450;
    let mut log = vec![record(1)];
    while (log.len() as u64) < RECORDS {
        let next = super::sealed(u32::try_from(log.len()).unwrap() + 1, log.last().map(Record::hash));
        log.push(next);
    }
    for (turn, part) in log.chunks(50).enumerate() {
        replicas.one.append(ID, turn as u64 * 50, part, None).await.unwrap();
    }
    assert!(replicas.one.load(ID).await.unwrap() == log);
    assert!(replicas.other.load(ID).await.unwrap() == log, "by who has written nothing of it");
}
