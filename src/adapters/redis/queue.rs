//! Work shared by all replicas: streams with a consumer group. An entry that was taken stays pending
//! under the name of the replica that took it, until that one is done or another takes it over.
//!
//! A read names all streams of a queue at once, so that one connection waits for all partitions. They
//! are in different slots: on a Cluster there would be one such read for each node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::ConnectionLike;
use ::redis::streams::{StreamAutoClaimReply, StreamId, StreamReadReply};
use ::redis::{Cmd, RedisError, RedisResult, Script, cmd, pipe};

use super::Server;
use super::link::READ_WAITS;
use crate::ports::{StoreError, TAKEOVER_AFTER};

const GROUP: &str = "irp";
/// Where a stream begins; also what Redis says once a look has come to the end of what is pending.
const BEGINNING: &str = "0-0";
/// The one field of an entry.
pub(super) const FIELD: &str = "e";
/// How often it is looked for what dead workers left.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What holds no text of this program's is kept as it is, in JSON.
static SET_ASIDE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local stream, aside = KEYS[1], KEYS[2]
        local group, id, most, lane, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
        local entry = redis.call('XRANGE', stream, id, id)[1]
        if not entry then
            return 0
        end
        local text
        for i = 1, #entry[2], 2 do
            if entry[2][i] == 'e' then
                text = entry[2][i + 1]
            end
        end
        redis.call('XADD', aside, 'MAXLEN', most, '*', 'lane', lane, 'why', why, 'e', text or cjson.encode(entry[2]))
        redis.call('XACK', stream, group, id)
        redis.call('XDEL', stream, id)
        return 1
        ",
    )
});

/// Where entries go that cannot be read, and what is noted with each.
pub(super) struct Aside<'a> {
    pub(super) key: &'a str,
    pub(super) most: usize,
    pub(super) why: &'a str,
}

/// One queue over one or more streams.
pub(super) struct Queue {
    streams: Vec<String>,
    /// Where the next take starts, so that no stream always comes last.
    start: AtomicUsize,
    swept_at: Mutex<Option<Instant>>,
    /// Where the next look for what dead workers left goes on, for each stream that it has not come to the end of: one look
    /// passes ten entries for each that it may take, and what others hold must not hide what lies behind it.
    swept_to: Mutex<HashMap<String, String>>,
}

/// One entry that was taken.
pub(super) struct Entry {
    /// The stream's position and the entry's id.
    pub(super) token: String,
    /// What was put. Empty when something else than this program put it there.
    pub(super) text: String,
}

impl Queue {
    /// Over streams in an order that every replica knows.
    pub(super) fn new(streams: Vec<String>) -> Self {
        Self { streams, start: AtomicUsize::new(0), swept_at: Mutex::default(), swept_to: Mutex::default() }
    }

    /// Makes what is missing of streams and groups; a new group starts with the oldest entry.
    pub(super) async fn make_groups(&self, server: &Server) -> Result<(), StoreError> {
        let mut create = pipe();
        for stream in &self.streams {
            create.cmd("XGROUP").arg("CREATE").arg(stream).arg(GROUP).arg("0").arg("MKSTREAM");
        }
        let answers: Vec<RedisResult<()>> = create.ignore_errors().query_async(&mut server.link.clone()).await?;
        let failed = answers.into_iter().filter_map(Result::err).find(|error| error.code() != Some("BUSYGROUP"));
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// See [`crate::ports::Inbox::take`].
    pub(super) async fn take(&self, server: &Server, max: usize) -> Result<Vec<Entry>, StoreError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        match self.try_take(server, max).await {
            // Somebody emptied the server, or it came back without its data.
            Err(error) if misses_group(&error) => {
                self.make_groups(server).await?;
                Ok(self.try_take(server, max).await?)
            }
            taken => Ok(taken?),
        }
    }

    async fn try_take(&self, server: &Server, max: usize) -> RedisResult<Vec<Entry>> {
        let overdue = self.take_overdue(server, max).await?;
        if !overdue.is_empty() {
            return Ok(overdue);
        }
        let mut reader = server.readers.lend().await?;
        match self.read(server, &mut reader, max).await {
            Ok(entries) => {
                server.readers.give_back(reader);
                Ok(entries)
            }
            Err(error) => {
                if error.is_io_error() {
                    server.readers.distrust();
                }
                Err(error)
            }
        }
    }

    async fn read(&self, server: &Server, reader: &mut impl ConnectionLike, max: usize) -> RedisResult<Vec<Entry>> {
        let streams = self.streams_from_next();
        // COUNT holds for each stream, so no more than `max` of them are asked at once. A smaller take has
        // to share out its wait, and may be late for what comes in elsewhere.
        let wait = milliseconds(READ_WAITS) / streams.chunks(max).len() as u64;
        for block in [None, Some(wait)] {
            for window in streams.chunks(max) {
                let found = read_new(&server.replica, window, max, block).query_async(reader).await?;
                let entries = self.entries(found);
                if !entries.is_empty() {
                    return Ok(entries);
                }
            }
        }
        Ok(Vec::new())
    }

    /// Takes over what was taken too long ago. At most once in [`SWEEP_EVERY`], but again at once as
    /// long as there is something.
    async fn take_overdue(&self, server: &Server, max: usize) -> RedisResult<Vec<Entry>> {
        if !self.sweep_is_due() {
            return Ok(Vec::new());
        }
        let streams = self.streams_from_next();
        for window in streams.chunks(max) {
            let mut claims = pipe();
            for stream in window {
                claims.cmd("XAUTOCLAIM").arg(stream).arg(GROUP).arg(&server.replica);
                claims.arg(milliseconds(TAKEOVER_AFTER)).arg(self.swept_to(stream));
                claims.arg("COUNT").arg(max / window.len());
            }
            let claimed: Vec<StreamAutoClaimReply> = claims.query_async(&mut server.link.clone()).await?;
            self.go_on_after(window, &claimed);
            let found: Vec<Entry> = window
                .iter()
                .zip(claimed)
                .flat_map(|(stream, reply)| reply.claimed.into_iter().map(|entry| self.entry(stream, &entry)))
                .collect();
            if !found.is_empty() {
                self.sweep_again();
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Starts the takeover time anew. An entry that another took meanwhile is taken back: both are at it
    /// then, which is harmless.
    pub(super) async fn hold(&self, server: &Server, token: &str) -> Result<(), StoreError> {
        let Some((stream, id)) = self.named(token) else {
            return Ok(());
        };
        let mut claim = cmd("XCLAIM");
        claim.arg(stream).arg(GROUP).arg(&server.replica).arg(0).arg(id).arg("JUSTID");
        Ok(claim.exec_async(&mut server.link.clone()).await?)
    }

    /// Forgets an entry. Harmless when repeated.
    pub(super) async fn done(&self, server: &Server, token: &str) -> Result<(), StoreError> {
        let Some((stream, id)) = self.named(token) else {
            return Ok(());
        };
        let mut forget = pipe();
        forget.atomic().cmd("XACK").arg(stream).arg(GROUP).arg(id).cmd("XDEL").arg(stream).arg(id);
        Ok(forget.exec_async(&mut server.link.clone()).await?)
    }

    /// Takes an entry out and puts it, with its stream and the reason, where somebody can look at it. Harmless when repeated.
    pub(super) async fn set_aside(&self, server: &Server, token: &str, aside: Aside<'_>) -> Result<(), StoreError> {
        let Some((stream, id)) = self.named(token) else {
            return Ok(());
        };
        let mut script = SET_ASIDE.key(stream);
        script.key(aside.key).arg(GROUP).arg(id).arg(aside.most).arg(stream).arg(aside.why);
        Ok(script.invoke_async::<()>(&mut server.link.clone()).await?)
    }

    fn streams_from_next(&self) -> Vec<&str> {
        let start = self.start.fetch_add(1, Ordering::Relaxed) % self.streams.len();
        self.streams[start..].iter().chain(&self.streams[..start]).map(String::as_str).collect()
    }

    fn entries(&self, reply: Option<StreamReadReply>) -> Vec<Entry> {
        let streams = reply.unwrap_or_default().keys;
        streams.iter().flat_map(|found| found.ids.iter().map(|entry| self.entry(&found.key, entry))).collect()
    }

    fn entry(&self, stream: &str, entry: &StreamId) -> Entry {
        let position = self.streams.iter().position(|known| known == stream).unwrap_or_default();
        Entry { token: format!("{position}/{}", entry.id), text: entry.get(FIELD).unwrap_or_default() }
    }

    fn named<'a>(&'a self, token: &'a str) -> Option<(&'a str, &'a str)> {
        let (position, id) = token.split_once('/')?;
        Some((self.streams.get(position.parse::<usize>().ok()?)?, id))
    }

    fn swept_to(&self, stream: &str) -> String {
        let swept_to = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner);
        swept_to.get(stream).map_or_else(|| BEGINNING.to_owned(), String::clone)
    }

    fn go_on_after(&self, streams: &[&str], looked: &[StreamAutoClaimReply]) {
        let mut swept_to = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, reply) in streams.iter().zip(looked) {
            match reply.next_stream_id.as_str() {
                BEGINNING => drop(swept_to.remove(*stream)),
                next => drop(swept_to.insert((*stream).to_owned(), next.to_owned())),
            }
        }
    }

    fn sweep_is_due(&self) -> bool {
        let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
        let due = swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY);
        if due {
            *swept_at = Some(Instant::now());
        }
        due
    }

    fn sweep_again(&self) {
        *self.swept_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn read_new(replica: &str, streams: &[&str], max: usize, block_ms: Option<u64>) -> Cmd {
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg(replica).arg("COUNT").arg(max / streams.len());
    if let Some(block_ms) = block_ms {
        read.arg("BLOCK").arg(block_ms);
    }
    read.arg("STREAMS").arg(streams);
    for _ in streams {
        read.arg(">");
    }
    read
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `NOGROUP` comes from asking, `UNBLOCKED` from a stream that vanished while waiting for it.
fn misses_group(error: &RedisError) -> bool {
    let answers = error.clone().into_server_errors();
    answers.is_some_and(|answers| answers.iter().any(|(_, answer)| matches!(answer.code(), "NOGROUP" | "UNBLOCKED")))
}
