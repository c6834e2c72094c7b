//! Cuts a stream of bytes into records, whatever they are wrapped in: `{"Records": […]}`, `{"Events": […]}`, an array,
//! one after another. A record that is no JSON is named and left out, and reading goes on at the next one.

use std::io::{self, Read};

use memchr::{memchr2, memchr3, memmem};
use serde_json::Deserializer;

use crate::domain::trail::record::Record;
use crate::domain::trail::skim::{Skim, skim};

/// Longest record, in bytes; CloudTrail's own limit is 1 MB.
pub const RECORD_BYTES_MAX: usize = 8 << 20;
/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// How far into an object its first key is looked for.
const PEEK: usize = 256;
/// Keys that stand around records.
const AROUND: [&str; 5] = ["Records", "Events", "NextToken", "ResponseMetadata", "$metadata"];

/// What one step through a stream gives.
#[derive(Debug)]
pub enum Element<'b> {
    /// A record, or what one comes wrapped in.
    Record(Box<Record<'b>>),
    /// Something that cannot be read: at which byte, and what is wrong with it.
    Unreadable(u64, String),
}

/// Who looks at the elements.
pub trait Visitor {
    /// Whether a first impression is enough.
    fn glance(&mut self, skim: &Skim<'_>) -> bool;
    /// Otherwise, the whole.
    fn see(&mut self, element: Element<'_>);
}

/// Cuts a stream into records.
#[derive(Debug)]
pub struct Records<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer has not been used.
    start: usize,
    end: usize,
    at_end: bool,
    /// Bytes of the stream before the buffer.
    before: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Records<R> {
    /// Over this stream.
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![0; CHUNK], start: 0, end: 0, at_end: false, before: 0, failed: None }
    }

    /// Shows the visitor each record, and each thing that cannot be read. The error is the stream's own; what came
    /// before it has been shown.
    pub fn each(&mut self, visitor: &mut impl Visitor) -> io::Result<()> {
        loop {
            let Some(byte) = self.next_significant() else {
                return self.failed.take().map_or(Ok(()), Err);
            };
            match byte {
                b'[' | b']' | b'}' => self.start += 1,
                b'"' => self.member(),
                b'{' if self.is_around() => self.start += 1,
                b'{' => self.record(visitor),
                _ => {
                    let at = self.offset();
                    self.skip_line();
                    visitor.see(Element::Unreadable(at, "is not JSON".into()));
                }
            }
        }
    }

    fn offset(&self) -> u64 {
        self.before + self.start as u64
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads more; what has not been used stays. `false` at the end of the stream.
    fn fill(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.before += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < CHUNK / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else if self.end == 0 && self.buffer.len() > CHUNK {
            self.buffer.truncate(CHUNK);
            self.buffer.shrink_to_fit();
        }
        let before = self.end;
        while self.end < self.buffer.len() {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = Some(error);
                    self.at_end = true;
                    break;
                }
            }
        }
        self.end > before
    }

    /// The next byte that is neither space nor between elements.
    fn next_significant(&mut self) -> Option<u8> {
        loop {
            let space = |b: &&u8| !matches!(**b, b' ' | b'\t' | b'\r' | b'\n' | b',' | 0x1e | 0xef | 0xbb | 0xbf);
            if let Some(at) = self.rest().iter().position(|b| space(&b)) {
                self.start += at;
                return self.rest().first().copied();
            }
            self.start = self.end;
            if !self.fill() {
                return None;
            }
        }
    }

    /// Whether an object stands around records: its first key says so.
    fn is_around(&mut self) -> bool {
        if self.rest().len() < PEEK {
            self.fill();
        }
        let peek = &self.rest()[..self.rest().len().min(PEEK)];
        let inside = peek[1..].trim_ascii_start();
        AROUND.iter().any(|key| {
            inside
                .strip_prefix(b"\"")
                .and_then(|t| t.strip_prefix(key.as_bytes()))
                .is_some_and(|t| t.starts_with(b"\""))
        })
    }

    /// A member of an object that stands around records: its array is gone into, anything else is left out.
    fn member(&mut self) {
        self.start += 1;
        self.skip_string();
        if self.next_significant() != Some(b':') {
            return;
        }
        self.start += 1;
        match self.next_significant() {
            Some(b'[') | None => {}
            Some(b'"') => {
                self.start += 1;
                self.skip_string();
            }
            Some(b'{') => self.skip_object(),
            Some(_) => self.skip_until(|b| matches!(b, b',' | b'}' | b']' | b'\n')),
        }
    }

    fn record(&mut self, visitor: &mut impl Visitor) {
        let at = self.offset();
        if let Some(skim) = skim(&self.buffer[self.start..self.end])
            && visitor.glance(&skim)
        {
            self.start += skim.bytes;
            return;
        }
        loop {
            let mut stream = Deserializer::from_slice(&self.buffer[self.start..self.end]).into_iter::<Record<'_>>();
            match stream.next() {
                Some(Ok(record)) => {
                    let used = stream.byte_offset();
                    visitor.see(Element::Record(Box::new(record)));
                    self.start += used;
                    return;
                }
                Some(Err(error)) if error.is_eof() && !self.at_end => {
                    if self.rest().len() > RECORD_BYTES_MAX {
                        self.skip_object();
                        let limit = RECORD_BYTES_MAX >> 20;
                        visitor.see(Element::Unreadable(at, format!("is a record of more than {limit} MiB")));
                        return;
                    }
                    self.fill();
                }
                Some(Err(error)) => {
                    let what = if error.is_eof() { "is cut off".to_owned() } else { format!("is not JSON: {error}") };
                    self.skip_damaged();
                    visitor.see(Element::Unreadable(at, what));
                    return;
                }
                None => return,
            }
        }
    }

    /// Past the end of a string whose opening quote has been used.
    fn skip_string(&mut self) {
        loop {
            let Some(at) = memchr2(b'"', b'\\', self.rest()) else {
                self.start = self.end;
                if !self.fill() {
                    return;
                }
                continue;
            };
            let escaped = self.rest()[at] == b'\\';
            self.start += at + 1;
            if !escaped {
                return;
            }
            if self.rest().is_empty() && !self.fill() {
                return;
            }
            self.start += 1;
        }
    }

    /// Past the end of an object.
    fn skip_object(&mut self) {
        let mut depth = 0_usize;
        loop {
            let Some(at) = memchr3(b'"', b'{', b'}', self.rest()) else {
                self.start = self.end;
                if !self.fill() {
                    return;
                }
                continue;
            };
            let byte = self.rest()[at];
            self.start += at + 1;
            match byte {
                b'"' => self.skip_string(),
                b'{' => depth += 1,
                _ => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
            }
        }
    }

    /// Past a damaged object: to where it ends, or where another record begins. A quote that is missing would
    /// otherwise hide all that follows.
    fn skip_damaged(&mut self) {
        loop {
            let ends = [object_end(self.rest()), self.next_record()];
            if let Some(at) = ends.into_iter().flatten().min() {
                self.start += at;
                return;
            }
            if self.rest().len() > RECORD_BYTES_MAX || !self.fill() {
                self.start = self.end;
                return;
            }
        }
    }

    /// How far the next record is that can be told by how it begins, in what is in the buffer.
    fn next_record(&self) -> Option<usize> {
        let rest = self.rest().get(1..)?;
        let marks: [&[u8]; 2] = [b"{\"eventVersion\"", b"\n{"];
        let at = marks.iter().filter_map(|mark| memmem::find(rest, mark)).min()?;
        Some(at + 1)
    }

    fn skip_line(&mut self) {
        self.skip_until(|b| b == b'\n');
    }

    fn skip_until(&mut self, stop: impl Fn(u8) -> bool) {
        loop {
            if let Some(at) = self.rest().iter().position(|b| stop(*b)) {
                self.start += at;
                return;
            }
            self.start = self.end;
            if !self.fill() {
                return;
            }
        }
    }
}

/// Where the object ends that begins here, if it does.
fn object_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        at += memchr3(b'"', b'{', b'}', bytes.get(at..)?)? + 1;
        match bytes[at - 1] {
            b'"' => loop {
                at += memchr2(b'"', b'\\', bytes.get(at..)?)? + 1;
                if bytes[at - 1] == b'"' {
                    break;
                }
                at += 1;
            },
            b'{' => depth += 1,
            _ => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands over a few bytes at a time, as a slow stream does.
    struct Drops<'b>(&'b [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// Everything, or what a first impression leaves.
    struct All<F>(F, bool);

    impl<F: FnMut(Element<'_>)> Visitor for All<F> {
        fn glance(&mut self, _: &Skim<'_>) -> bool {
            self.1
        }
        fn see(&mut self, element: Element<'_>) {
            (self.0)(element);
        }
    }

    fn read(text: &str) -> (Vec<String>, usize) {
        let mut results = Vec::new();
        for drop in [1, 7, usize::MAX] {
            let (mut names, mut unreadable) = (Vec::new(), 0);
            Records::new(Drops(text.as_bytes(), drop))
                .each(&mut All(
                    |element: Element<'_>| match element {
                        Element::Record(record) => match Record::read(&record, |r| r.name().to_owned()) {
                            Ok(name) => names.push(name),
                            Err(_) => unreadable += 1,
                        },
                        Element::Unreadable(..) => unreadable += 1,
                    },
                    false,
                ))
                .unwrap();
            results.push((names, unreadable));
        }
        results.dedup();
        assert_eq!(results.len(), 1, "{text}");
        results.remove(0)
    }

    fn names(text: &str) -> Vec<String> {
        let (names, unreadable) = read(text);
        assert_eq!(unreadable, 0, "{text}");
        names
    }

    #[test]
    fn records_are_found_in_every_wrapping() {
        let (a, b) = (r#"{"eventVersion":"1","eventName":"A"}"#, r#"{"eventVersion":"1","eventName":"B"}"#);
        let inner = serde_json::Value::from(a);
        for text in [
            format!(r#"{{"Records":[{a},{b}]}}"#),
            format!("{{ \"Records\" :\n [\n {a} ,\n{b}\n]\n}}\n"),
            format!("{a}\n{b}\n"),
            format!("{a}\r\n\r\n{b}"),
            format!("{a}{b}"),
            format!("\u{feff}[{a},{b}]"),
            format!(
                r#"{{"NextToken":"x\"]}}","Events":[{{"EventId":"1","CloudTrailEvent":{inner}}},{{"detail":{b}}}]}}"#
            ),
            format!(r#"{{"Events":[{a},{b}],"NextToken":"Records","ResponseMetadata":{{"Records":[{{}}]}},"n":1}}"#),
            format!(r#"{{"Records":[{a}]}}{{"Records":[{b}]}}"#),
        ] {
            assert_eq!(names(&text), ["A", "B"], "{text}");
        }
        for text in ["", " \n", "[]", r#"{"Records":[]}"#] {
            assert!(names(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_the_rest_is_read() {
        let (a, b) = (r#"{"eventVersion":"1","eventName":"A"}"#, r#"{"eventVersion":"1","eventName":"B"}"#);
        for (text, unreadable) in [
            (format!(r#"{{"Records":[{a},{{"eventVersion":}},{b}]}}"#), 1),
            (format!(r#"{{"Records":[{a},{{"eventVersion":"1","eventName":"X","s":"never ends}},{b}]}}"#), 1),
            (format!("{a}\n{{\"eventName\":\"cut\n{b}\n"), 1),
            (format!("{a}\nnonsense {{ here\n{b}"), 1),
            (format!("{a}\n{b}\n{{\"eventVersion\":\"1\",\"eventName\":\"cu"), 1),
            (format!(r#"[{a},{{"no":"name"}},{b}]"#), 1),
            (format!(r#"[{a},{{"x":{{"y":[{{}}]}},"z":}},{b}]"#), 1),
        ] {
            assert_eq!(read(&text), (vec!["A".into(), "B".into()], unreadable), "{text}");
        }
    }

    #[test]
    fn a_record_of_fifty_megabytes_is_passed_over_in_little_memory() {
        let huge =
            format!(r#"{{"eventVersion":"1","eventName":"X","requestParameters":{{"a":"{}"}}}}"#, "x".repeat(50 << 20));
        let text = format!(r#"{{"Records":[{{"eventName":"A"}},{huge},{{"eventName":"B"}}]}}"#);
        let (mut names, mut unreadable) = (Vec::new(), Vec::new());
        let mut records = Records::new(text.as_bytes());
        records
            .each(&mut All(
                |element: Element<'_>| match element {
                    Element::Record(record) => names.extend(record.event_name.as_deref().map(str::to_owned)),
                    Element::Unreadable(at, what) => unreadable.push((at, what)),
                },
                false,
            ))
            .unwrap();
        assert_eq!(names, ["A", "B"]);
        assert_eq!(unreadable, [(30, "is a record of more than 8 MiB".to_owned())]);
        assert!(records.buffer.len() <= 4 * RECORD_BYTES_MAX, "{}", records.buffer.len());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hang(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            Records::new(Drops(&bytes, 3)).each(&mut All(|_: Element<'_>| {}, true)).unwrap();
        }

        #[test]
        fn nor_does_almost_json(text in r#"[\[\]{}",:\\ \na-z]{0,200}"#) {
            Records::new(text.as_bytes()).each(&mut All(|_: Element<'_>| {}, true)).unwrap();
        }
    }
}
