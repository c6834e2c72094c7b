//! Which files there are to read, in an order in which a credential mostly comes before what it did.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// Bytes read from a file at once.
const CHUNK: usize = 128 << 10;
/// What a packed file may grow to before its ratio is looked at.
const UNPACKED_BYTES_MIN: u64 = 64 << 20;
/// Logs shrink to a tenth or a twentieth; gzip cannot do more than a thousandth.
const RATIO_MAX: u64 = 200;

/// A file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LogFile {
    /// The time in its name, as CloudTrail writes it there: `20260131T1205Z`.
    time: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// All files in these places, those with earlier times in their names first, and what could not be looked at.
pub fn find(paths: &[PathBuf]) -> (Vec<LogFile>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut rest: Vec<(PathBuf, bool)> = paths.iter().map(|path| (path.clone(), true)).collect();
    while let Some((path, given)) = rest.pop() {
        // A link inside a folder could lead in a circle.
        let metadata = if given { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        match metadata {
            Ok(metadata) if metadata.is_dir() => match fs::read_dir(&path) {
                Ok(entries) => {
                    for entry in entries {
                        match entry {
                            Ok(entry) => rest.push((entry.path(), false)),
                            Err(error) => {
                                problems.push(format!("{}: not all of it can be listed: {error}", path.display()));
                            }
                        }
                    }
                }
                Err(error) => problems.push(format!("{}: cannot be opened: {error}", path.display())),
            },
            Ok(metadata) if metadata.is_symlink() => {
                problems.push(format!("{}: is a link and is not followed: name it to have it read", path.display()));
            }
            // Nobody may ever write to a pipe that lies about.
            Ok(metadata) if !given && !metadata.is_file() => {
                problems.push(format!("{}: is no file and is not read", path.display()));
            }
            Ok(_) if is_digest(&path) => {}
            Ok(metadata) => found.push(LogFile { time: time_in(&path), bytes: metadata.len(), path }),
            Err(error) => problems.push(format!("{}: cannot be read: {error}", path.display())),
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.path == b.path);
    problems.sort();
    (found, problems)
}

/// CloudTrail's own lists of hashes stand beside the logs.
fn is_digest(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.contains("_CloudTrail-Digest_"))
}

fn time_in(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let time = |part: &&str| {
        part.len() == 14
            && part.ends_with('Z')
            && part.bytes().enumerate().all(|(at, b)| if at == 8 { b == b'T' } else { b.is_ascii_digit() || at == 13 })
    };
    name.split('_').find(time).unwrap_or("").to_owned()
}

/// The bytes of a file, unpacked, counted on the way.
#[derive(Debug)]
pub struct Unpacked<'p> {
    from: Source<'p>,
    out_bytes: u64,
}

#[derive(Debug)]
enum Source<'p> {
    Plain(BufReader<Counting<'p>>),
    Packed(Box<MultiGzDecoder<BufReader<Counting<'p>>>>),
}

#[derive(Debug)]
struct Counting<'p> {
    file: File,
    bytes: u64,
    all: &'p AtomicU64,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bytes += count as u64;
        self.all.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<'p> Unpacked<'p> {
    /// Opens a file; what it begins with says whether it is packed.
    pub fn open(path: &Path, all: &'p AtomicU64) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut reader = BufReader::with_capacity(CHUNK, Counting { file, bytes: 0, all });
        let packed = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let from = if packed { Source::Packed(Box::new(MultiGzDecoder::new(reader))) } else { Source::Plain(reader) };
        Ok(Self { from, out_bytes: 0 })
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.from {
            Source::Plain(reader) => return reader.read(buffer),
            Source::Packed(reader) => reader.read(buffer)?,
        };
        self.out_bytes += count as u64;
        if let Source::Packed(reader) = &self.from
            && self.out_bytes > UNPACKED_BYTES_MIN
            && self.out_bytes / RATIO_MAX > reader.get_ref().get_ref().bytes
        {
            return Err(io::Error::other(format!(
                "it unpacks to more than {RATIO_MAX} times its size, as no log does: the rest of it is not read"
            )));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_a_name_is_found() {
        let name = "111122223333_CloudTrail_us-east-1_20260131T1205Z_AbCd.json.gz";
        assert_eq!(time_in(Path::new(name)), "20260131T1205Z");
        assert_eq!(time_in(Path::new("events.json")), "");
    }
}
