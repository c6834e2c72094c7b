//! Redis only: a log whose last records are gone, which neither its chain nor its seals show.

use irp::domain::id::IncidentId;
use irp::domain::stored::Record;
use irp::ports::{IncidentLog, StoreError};
use redis::aio::MultiplexedConnection;
use redis::cmd;
use redis::streams::StreamRangeReply;

use super::{connect, record, sealed};
use crate::redis_server::RedisServer;

const ID: IncidentId = IncidentId::new(1);
const LOG: &str = "irp:v1:{p1}:log:INC-1";

/// Leaves so many records, as a server does that has lost the last.
async fn cut(raw: &mut MultiplexedConnection, left: usize) {
    let log: StreamRangeReply = cmd("XRANGE").arg(LOG).arg("-").arg("+").query_async(raw).await.unwrap();
    let mut anew = redis::pipe();
    anew.atomic().cmd("DEL").arg(LOG);
    for entry in &log.ids[..left] {
        let text: String = entry.get("r").unwrap();
        anew.cmd("XADD").arg(LOG).arg(&entry.id).arg("r").arg(text);
    }
    anew.exec_async(raw).await.unwrap();
}

/// That it lacks this record, how that can have come, and what is to be done.
fn lacks(read: Result<Vec<Record>, StoreError>, number: u32) {
    let error = read.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(_)), "{error}");
    let missing = format!("INC-1: record {number}, which this process has seen, is not in it any more");
    for part in [missing.as_str(), "appendfsync everysec", "CloudTrail", "start every process of the bot anew"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn whoever_has_seen_the_end_of_a_log_does_not_go_by_one_without_it() {
    let server = RedisServer::start();
    let (writes, reads) = (connect(&server, "one").await, connect(&server, "other").await);
    let mut raw = server.raw().await;
    writes.append(ID, 0, &[record(1), record(2)], None).await.unwrap();
    assert_eq!(reads.load(ID).await.unwrap().len(), 2);
    // What was written counts as seen, and what is added is no end that is gone.
    writes.append(ID, 2, &[record(3)], None).await.unwrap();
    cut(&mut raw, 2).await;
    lacks(writes.load(ID).await, 3);
    lacks(writes.load(ID).await, 3);
    assert_eq!(reads.load(ID).await.unwrap().len(), 2, "who has not seen it cannot know");

    // Another in its place, by a process that could not know, does not make up for it.
    let other = sealed(9, Some(record(2).hash()));
    reads.append(ID, 2, &[other.clone(), sealed(10, Some(other.hash()))], None).await.unwrap();
    assert_eq!(reads.load(ID).await.unwrap().len(), 4);
    lacks(writes.load(ID).await, 3);
    // Somebody has looked, and the process was started anew.
    assert_eq!(connect(&server, "one anew").await.load(ID).await.unwrap().len(), 4);

    cut(&mut raw, 0).await;
    lacks(reads.load(ID).await, 4);
    assert_eq!(connect(&server, "one anew").await.load(ID).await.unwrap(), []);
}
