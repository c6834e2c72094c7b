//! The logs, and the index that leads to them.

use std::sync::LazyLock;

use ::redis::streams::StreamRangeReply;
use ::redis::{Script, cmd, pipe};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{RedisStore, keys};
use crate::domain::id::IncidentId;
use crate::domain::stored::{self, Record};
use crate::ports::{AppendError, Claim, IncidentLog, StoreError, Work};

/// Entries that are fetched at once: most logs are shorter.
const PAGE_MAX: usize = 200;
/// The field of a log entry.
const FIELD: &str = "r";

/// The version is the last entry's, not the number of entries: one that got lost must not make room.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local log, due, effects, cards = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
        local expected, due_at, incident = tonumber(ARGV[1]), ARGV[2], ARGV[3]
        local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
        local version = last and tonumber(string.match(last[1], '^%d+')) or 0
        if version ~= expected then
            return 0
        end
        for i = 4, #ARGV do
            version = version + 1
            redis.call('XADD', log, string.format('%d-0', version), 'r', ARGV[i])
        end
        if due_at == '' then
            redis.call('ZREM', due, incident)
        else
            redis.call('ZADD', due, due_at, incident)
        end
        redis.call('XADD', effects, '*', 'e', incident)
        redis.call('XADD', cards, '*', 'e', incident)
        return 1
        ",
    )
});

/// Answers the incident's number, and 1 if it is new.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local claimed, last, open = KEYS[1], KEYS[2], KEYS[3]
        local known
        for _, key in ipairs(ARGV) do
            known = known or redis.call('ZSCORE', claimed, key)
        end
        local number = tonumber(known or redis.call('INCR', last))
        for _, key in ipairs(ARGV) do
            redis.call('ZADD', claimed, 'NX', number, key)
        end
        redis.call('ZADD', open, number, number)
        return {number, known and 0 or 1}
        ",
    )
});

#[async_trait]
impl IncidentLog for RedisStore {
    async fn load(&self, id: IncidentId) -> Result<Vec<Record>, StoreError> {
        // Before it is fetched: what others write meanwhile is not missing in it.
        let end = self.recent.end_of(id);
        let mut texts = Vec::new();
        let mut from = "-".to_owned();
        loop {
            let page = self.page(id, &from).await?;
            for (entry, version) in page.ids.iter().zip(texts.len() as u64 + 1..) {
                let unreadable = |why: String| StoreError::Unreadable(format!("{id}, entry {}: {why}", entry.id));
                if entry.id != format!("{version}-0") {
                    return Err(unreadable(format!("the entry before it, {version}-0, is missing")));
                }
                let stored = entry.get(FIELD).ok_or_else(|| unreadable("it holds no record".to_owned()))?;
                texts.push(self.seal.open(&place(id, version), stored).map_err(|why| unreadable(why.to_string()))?);
            }
            match page.ids.last() {
                Some(last) if page.ids.len() == PAGE_MAX => from = format!("({}", last.id),
                _ => break,
            }
        }
        let known = self.recent.of(id).unwrap_or_default();
        let read = stored::read_on(known.to_vec(), texts);
        let records = read.map_err(|why| StoreError::Unreadable(format!("{id}: {why}")))?;
        if let Some(why) = end.and_then(|end| end.missing_in(&records)) {
            return Err(StoreError::Unreadable(format!("{id}: {why}")));
        }
        if records.last().map(Record::hash) != known.last().map(Record::hash) {
            self.recent.keep(id, &records);
        }
        if let Some(last) = records.last() {
            self.recent.ends_at(id, records.len(), last);
        }
        Ok(records)
    }

    async fn append(
        &self,
        id: IncidentId,
        expected: u64,
        records: &[Record],
        next_due_at: Option<DateTime<Utc>>,
    ) -> Result<(), AppendError> {
        let partition = keys::partition(id);
        let mut append = APPEND.key(keys::log(id));
        append
            .key(keys::due(partition))
            .key(keys::work(Work::Effects, partition))
            .key(keys::work(Work::Cards, partition))
            .arg(expected)
            .arg(next_due_at.map(|at| due_ms(at).to_string()).unwrap_or_default())
            .arg(id.to_string());
        for (record, version) in records.iter().zip(expected + 1..) {
            append.arg(self.seal.close(&place(id, version), record.text()));
        }
        let done: bool = append.invoke_async(&mut self.server.link.clone()).await.map_err(StoreError::from)?;
        if !done {
            return Err(AppendError::Conflict);
        }
        if let (Some(last), Ok(before)) = (records.last(), usize::try_from(expected)) {
            self.recent.ends_at(id, before + records.len(), last);
        }
        Ok(())
    }

    async fn claim(&self, wanted: &[String]) -> Result<Claim, StoreError> {
        let mut claim = CLAIM.key(keys::CLAIMED);
        claim.key(keys::LAST).key(keys::OPEN);
        for key in wanted {
            claim.arg(key);
        }
        let (number, new): (u32, bool) = claim.invoke_async(&mut self.server.link.clone()).await?;
        Ok(Claim { incident: IncidentId::new(number), new })
    }

    async fn retire(&self, id: IncidentId) -> Result<(), StoreError> {
        let number = id.number();
        let mut retire = pipe();
        retire.atomic();
        retire.cmd("ZREMRANGEBYSCORE").arg(keys::CLAIMED).arg(number).arg(number);
        retire.cmd("ZREM").arg(keys::OPEN).arg(number);
        Ok(retire.exec_async(&mut self.server.link.clone()).await?)
    }

    async fn free_keys(&self, id: IncidentId) -> Result<(), StoreError> {
        let number = id.number();
        let mut free = cmd("ZREMRANGEBYSCORE");
        free.arg(keys::CLAIMED).arg(number).arg(number);
        Ok(free.exec_async(&mut self.server.link.clone()).await?)
    }

    async fn open_incidents(&self, limit: usize) -> Result<Vec<IncidentId>, StoreError> {
        let Some(last) = limit.checked_sub(1) else {
            return Ok(Vec::new());
        };
        let numbers: Vec<u32> = cmd("ZREVRANGE")
            .arg(keys::OPEN)
            .arg(0)
            .arg(i64::try_from(last).unwrap_or(-1))
            .query_async(&mut self.server.link.clone())
            .await?;
        Ok(numbers.into_iter().map(IncidentId::new).collect())
    }
}

impl RedisStore {
    /// So many entries of a log. All of a long one at once would hold up everybody else's answers on the same connection.
    async fn page(&self, id: IncidentId, from: &str) -> Result<StreamRangeReply, StoreError> {
        let mut range = cmd("XRANGE");
        range.arg(keys::log(id)).arg(from).arg("+").arg("COUNT").arg(PAGE_MAX);
        Ok(range.query_async(&mut self.server.link.clone()).await?)
    }
}

/// Where a record stands: a seal is good for no other.
fn place(id: IncidentId, version: u64) -> String {
    format!("{} {version}", keys::log(id))
}

/// Rounded up: an incident that is woken too early finds nothing to do and would sleep for good.
fn due_ms(at: DateTime<Utc>) -> i64 {
    let ms = at.timestamp_millis();
    if at.timestamp_subsec_nanos().is_multiple_of(1_000_000) { ms } else { ms + 1 }
}
