//! The code that goes with a function besides its own: that of its published versions, which are deleted with it, and that of
//! its layers, which can be the attacker's. Each becomes a pack of its own, so that one alone is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LayerVersionContentOutput};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::Instant;

use super::answers::Answers;
use super::{CODE_BYTES_MAX, Contents, checked, put, unavailable};
use crate::adapters::aws::fault::fault;
use crate::domain::id::RequestId;
use crate::ports::{CloudError, Vault};

/// How many versions and layers are fetched. A function can have thousands of versions.
const CODES_MAX: usize = 50;
/// Bytes of all of them together.
const BYTES_MAX: usize = 1 << 30;
/// After so long none is begun any more: what was approved has to be carried out within minutes, or lapses.
const TIME_MAX: Duration = Duration::from_mins(1);

/// What is kept for whom, and where.
pub(super) struct Shelf<'a> {
    pub(super) lambda: &'a Client,
    pub(super) endpoint: Option<&'a str>,
    pub(super) vault: &'a dyn Vault,
    pub(super) of: (RequestId, DateTime<Utc>),
    /// The function's.
    pub(super) name: &'a str,
    /// What the function's own pack is called; theirs begin with it.
    pub(super) pack: &'a str,
}

/// Code besides that of `$LATEST`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Code {
    Layer {
        arn: String,
        /// Names its pack: a layer's own name can be longer than a folder's may be.
        number: usize,
    },
    Version {
        version: u64,
        sha256: Option<String>,
    },
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layer { arn, .. } => write!(f, "layer {arn}"),
            Self::Version { version, .. } => write!(f, "version {version}"),
        }
    }
}

/// All of them, in the order in which they are fetched: what `$LATEST` runs with first, then the newest versions.
pub(super) fn of(layers: &[String], versions: &[FunctionConfiguration]) -> Vec<Code> {
    let published = versions.iter().filter_map(|of| Some((of.version()?.parse::<u64>().ok()?, of.code_sha256())));
    let published: BTreeMap<u64, Option<&str>> = published.collect();
    let published = published.into_iter().rev();
    let published = published.map(|(version, hash)| Code::Version { version, sha256: hash.map(str::to_owned) });
    // A version has the layers that there were when it was published.
    let theirs = versions.iter().flat_map(FunctionConfiguration::layers).filter_map(|layer| layer.arn());
    let mut known = BTreeSet::new();
    let mut all: Vec<Code> = Vec::new();
    for arn in layers.iter().map(String::as_str).chain(theirs) {
        if known.insert(arn) {
            all.push(Code::Layer { arn: arn.to_owned(), number: known.len() });
        }
    }
    // With many versions, there can be so many layers that are old that no version would have room.
    let later = all.split_off(layers.len().min(all.len()));
    all.into_iter().chain(published).chain(later).collect()
}

/// What is in the vault by now, and what is not.
#[derive(Default)]
pub(super) struct Others {
    /// The packs' names, by what is in them.
    pub(super) packs: BTreeMap<String, String>,
    pub(super) not_kept: Vec<String>,
}

/// How much may still be fetched.
struct Room {
    codes: usize,
    bytes: usize,
    until: Instant,
}

impl Room {
    fn new() -> Self {
        Self { codes: CODES_MAX, bytes: BYTES_MAX, until: Instant::now() + TIME_MAX }
    }

    /// Whether one more may be asked for.
    fn take_one(&mut self) -> bool {
        let is_room = self.codes > 0 && Instant::now() < self.until;
        self.codes = self.codes.saturating_sub(1);
        is_room
    }

    /// As many bytes as AWS says that it has, if they may be fetched.
    fn take(&mut self, said: i64) -> Option<usize> {
        let size = usize::try_from(said).ok().filter(|size| *size <= CODE_BYTES_MAX.min(self.bytes))?;
        self.bytes -= size;
        Some(size)
    }
}

/// What AWS says of code that it hands out.
struct Said {
    address: Option<String>,
    size: i64,
    sha256: Option<String>,
}

async fn ask(lambda: &Client, name: &str, code: &Code) -> Result<Said, CloudError> {
    match code {
        Code::Version { version, .. } => {
            let asked = lambda.get_function().function_name(name).qualifier(version.to_string()).send();
            let found = Box::pin(asked).await.map_err(|e| fault("lambda:GetFunction", &e))?;
            let about = found.configuration();
            Ok(Said {
                address: found.code().and_then(|code| code.location()).map(str::to_owned),
                size: about.map_or(0, FunctionConfiguration::code_size),
                sha256: about.and_then(|about| about.code_sha256()).map(str::to_owned),
            })
        }
        Code::Layer { arn, .. } => {
            let asked = lambda.get_layer_version_by_arn().arn(arn).send();
            let found = Box::pin(asked).await.map_err(|e| fault("lambda:GetLayerVersion", &e))?;
            let content = found.content();
            Ok(Said {
                address: content.and_then(|content| content.location()).map(str::to_owned),
                size: content.map_or(0, LayerVersionContentOutput::code_size),
                sha256: content.and_then(|content| content.code_sha256()).map(str::to_owned),
            })
        }
    }
}

/// Puts each into the vault, the function's own code and what is there already left out. What AWS does not hand out, another
/// account's layer for one, keeps nothing up; what it can be asked for again does.
pub(super) async fn keep(shelf: &Shelf<'_>, own: Option<&str>, codes: Vec<Code>) -> Result<Others, CloudError> {
    let (mut kept, mut room) = (Others::default(), Room::new());
    let (mut by_hash, mut beyond) = (BTreeMap::<String, String>::new(), Vec::new());
    for code in codes {
        let what = code.to_string();
        if let Code::Version { sha256: Some(sha256), .. } = &code {
            if own == Some(sha256.as_str()) {
                continue;
            }
            if let Some(pack) = by_hash.get(sha256) {
                kept.packs.insert(what, pack.clone());
                continue;
            }
        }
        if !room.take_one() {
            beyond.push(what);
            continue;
        }
        let answers = Answers::default();
        let said = match Box::pin(ask(&answers.to(shelf.lambda), shelf.name, &code)).await {
            Ok(said) => said,
            Err(error) if error.can_retry() => return Err(error),
            Err(error) => {
                kept.not_kept.push(format!("the code of {what}: {error}"));
                continue;
            }
        };
        let Some(size) = room.take(said.size) else {
            beyond.push(what);
            continue;
        };
        let pack = Box::pin(store(shelf, &code, (&said, size), answers.take())).await?;
        if let Some(sha256) = said.sha256 {
            by_hash.insert(sha256, pack.clone());
        }
        kept.packs.insert(what, pack);
    }
    if !beyond.is_empty() {
        kept.not_kept.push(format!(
            "the code of {}: no more than {CODES_MAX} of them are fetched, no more than {BYTES_MAX} bytes together and \
             {CODE_BYTES_MAX} each, and none after {} s",
            beyond.join(", "),
            TIME_MAX.as_secs()
        ));
    }
    Ok(kept)
}

/// Fetches one and puts it into the vault, with what AWS has answered; the pack's name.
async fn store(
    shelf: &Shelf<'_>,
    code: &Code,
    (said, size): (&Said, usize),
    answers: Vec<Value>,
) -> Result<String, CloudError> {
    let address = said.address.as_deref();
    let address = address.ok_or_else(|| unavailable(format!("AWS says no address for {code}")))?;
    let zip = Box::pin(checked(address, shelf.endpoint, (size, said.sha256.as_deref()))).await?;
    let (file, of) = match code {
        Code::Layer { number, .. } => ("layer.json", format!("layer-{number}")),
        Code::Version { version, .. } => ("function.json", format!("version-{version}")),
    };
    let answers = Value::from(answers).to_string().into_bytes();
    let files = BTreeMap::from([("code.zip".to_owned(), zip), (file.to_owned(), answers)]);
    let contents = Contents { files, ..Contents::default() };
    put(shelf.vault, shelf.of, &format!("{}-{of}", shelf.pack), contents).await
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::Layer;

    use super::*;

    #[test]
    fn what_the_function_runs_with_comes_first_and_the_newest_versions_then() {
        let of_version = |version: &str, layer: &str| {
            let layer = Layer::builder().arn(layer).build();
            FunctionConfiguration::builder().version(version).code_sha256(version).layers(layer).build()
        };
        let versions = [of_version("$LATEST", "b"), of_version("9", "a"), of_version("10", "b")];
        let all: Vec<String> = of(&["b".to_owned()], &versions).iter().map(Code::to_string).collect();
        assert_eq!(all, ["layer b", "version 10", "version 9", "layer a"]);
    }

    #[test]
    fn there_is_room_for_so_many_and_so_much() {
        let mut room = Room::new();
        assert_eq!((0..CODES_MAX + 5).filter(|_| room.take_one()).count(), CODES_MAX);
        assert_eq!((room.take(-1), room.take(300_000_000), room.bytes), (None, None, BYTES_MAX));
        let size = i64::try_from(CODE_BYTES_MAX).unwrap();
        assert_eq!((0..10).filter(|_| room.take(size).is_some()).count(), BYTES_MAX / CODE_BYTES_MAX);
        room = Room { until: Instant::now(), ..Room::new() };
        assert!(!room.take_one());
    }
}
