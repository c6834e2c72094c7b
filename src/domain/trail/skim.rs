//! A first look at a record's bytes, several times faster than parsing it: where it ends, and the few parts that say
//! whether it can matter at all. Most records of most logs cannot.
//!
//! It is strict about structure and says nothing about what it is not sure of: the record is then parsed in full.

use memchr::memchr2;

/// Words of eight bytes in which the end of a string is looked for first.
const NEAR: usize = 6;
/// Deepest nesting that is followed.
const DEPTH_MAX: u32 = 100;

/// What a first look has seen. A part is empty when it is not there, or no text. That it is UTF-8 is left to whoever needs
/// to know: for most records nobody does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Skim<'b> {
    /// Bytes of the record.
    pub bytes: usize,
    /// `eventName`, with its version.
    pub name: &'b str,
    /// `eventSource`
    pub source: &'b str,
    /// `eventTime`
    pub time: &'b [u8],
    /// `awsRegion`
    pub region: &'b [u8],
    /// `recipientAccountId`
    pub account: &'b [u8],
    /// `sharedEventID`
    pub shared_id: &'b [u8],
    /// Whether it is a data event.
    pub data: bool,
    /// `readOnly`
    pub read_only: Option<bool>,
    /// Of `userIdentity`: `accessKeyId`, `principalId`, `arn`, `userName`.
    pub caller: [&'b [u8]; 4],
    /// `userIdentity.onBehalfOf.userId`: the user of IAM Identity Center behind it.
    pub on_behalf_of: &'b [u8],
}

/// Looks at an object that begins with the first byte. `None` when it is cut off or in any way unusual.
pub fn skim<'b>(bytes: &'b [u8]) -> Option<Skim<'b>> {
    let mut skim = Skim::default();
    let mut network = false;
    skim.bytes = members(bytes, 0, |key, at| {
        let found = |into: &mut &'b [u8]| {
            let (found, end) = plain(bytes, at)?;
            *into = found;
            Some(end)
        };
        let text = |into: &mut &'b str| {
            let (found, end) = plain(bytes, at)?;
            *into = std::str::from_utf8(found).ok()?;
            Some(end)
        };
        Some(match key {
            b"eventName" => text(&mut skim.name)?,
            b"eventSource" => text(&mut skim.source)?,
            b"eventTime" => found(&mut skim.time)?,
            b"awsRegion" => found(&mut skim.region)?,
            b"recipientAccountId" => found(&mut skim.account)?,
            b"sharedEventID" => found(&mut skim.shared_id)?,
            b"eventCategory" => {
                let (category, end) = plain(bytes, at)?;
                skim.data |= category == b"Data";
                network |= category == b"NetworkActivity";
                end
            }
            b"eventType" => {
                let (kind, end) = plain(bytes, at)?;
                network |= kind == b"AwsVpceEvent";
                end
            }
            b"managementEvent" | b"readOnly" => {
                let truth = bytes.get(at)? == &b't';
                let end = literal(bytes, at, if truth { b"true" } else { b"false" })?;
                if key == b"readOnly" {
                    skim.read_only = Some(truth);
                } else {
                    skim.data |= !truth;
                }
                end
            }
            b"userIdentity" => identity(bytes, at, &mut skim.caller, &mut skim.on_behalf_of)?,
            // What else a record can come wrapped in.
            b"detail" | b"CloudTrailEvent" => return None,
            _ => value(bytes, at)?,
        })
    })?;
    skim.data &= !network;
    (!skim.name.is_empty()).then_some(skim)
}

fn identity<'b>(bytes: &'b [u8], at: usize, caller: &mut [&'b [u8]; 4], on_behalf_of: &mut &'b [u8]) -> Option<usize> {
    members(bytes, at, |key, at| {
        let place = match key {
            b"accessKeyId" => 0,
            b"principalId" => 1,
            b"arn" => 2,
            b"userName" => 3,
            b"onBehalfOf" if bytes.get(at) == Some(&b'{') => return user_behind(bytes, at, on_behalf_of),
            _ => return value(bytes, at),
        };
        let (found, end) = plain(bytes, at)?;
        caller[place] = found;
        Some(end)
    })
}

fn user_behind<'b>(bytes: &'b [u8], at: usize, user: &mut &'b [u8]) -> Option<usize> {
    members(bytes, at, |key, at| {
        if key != b"userId" {
            return value(bytes, at);
        }
        let (found, end) = plain(bytes, at)?;
        *user = found;
        Some(end)
    })
}

/// Goes through an object's members: `each` gets a key and where its value begins, and says where that ends. Returns
/// where the object ends.
fn members<'b>(bytes: &'b [u8], at: usize, mut each: impl FnMut(&'b [u8], usize) -> Option<usize>) -> Option<usize> {
    if bytes.get(at)? != &b'{' {
        return None;
    }
    let mut at = space(bytes, at + 1);
    if bytes.get(at)? == &b'}' {
        return Some(at + 1);
    }
    loop {
        let start = at + 1;
        at = string(bytes, at)?;
        let key = &bytes[start..at - 1];
        at = space(bytes, at);
        if bytes.get(at)? != &b':' {
            return None;
        }
        at = space(bytes, each(key, space(bytes, at + 1))?);
        match bytes.get(at)? {
            b',' => at = space(bytes, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

#[inline]
fn space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Past a string.
#[inline]
fn string(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at)? != &b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += stop(bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Where the next quote or backslash is. Most strings are so short that a call costs more than the search.
#[inline]
fn stop(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let near = &words[..words.len().min(NEAR)];
    for (number, word) in near.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = with(word, b'"') | with(word, b'\\');
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let far = near.len() * 8;
    Some(far + memchr2(b'"', b'\\', &bytes[far..])?)
}

/// Has the high bit of each byte that is this one, up to the first: those behind it can be wrong.
#[inline]
const fn with(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let zero = word ^ (ONES * byte as u64);
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

/// A string without escapes, and where it ends; an empty one for null.
fn plain(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if bytes.get(at)? == &b'n' {
        return Some((b"", literal(bytes, at, b"null")?));
    }
    if bytes.get(at)? != &b'"' {
        return None;
    }
    let text = bytes.get(at + 1..)?;
    let length = stop(text)?;
    let plain = (text[length] == b'"').then_some(&text[..length])?;
    Some((plain, at + length + 2))
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// Past a value of any kind.
fn value(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    // One bit for each level: whether it is an object.
    let (mut depth, mut objects) = (0_u32, 0_u128);
    loop {
        match bytes.get(at)? {
            b'"' => at = string(bytes, at)?,
            open @ (b'{' | b'[') => {
                let object = *open == b'{';
                at = space(bytes, at + 1);
                let close = if object { b'}' } else { b']' };
                if bytes.get(at)? == &close {
                    at += 1;
                } else {
                    depth += 1;
                    objects = (objects << 1) | u128::from(object);
                    if depth > DEPTH_MAX {
                        return None;
                    }
                    if object {
                        at = key(bytes, at)?;
                    }
                    continue;
                }
            }
            b't' => at = literal(bytes, at, b"true")?,
            b'f' => at = literal(bytes, at, b"false")?,
            b'n' => at = literal(bytes, at, b"null")?,
            b'-' | b'0'..=b'9' => {
                while matches!(bytes.get(at)?, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') {
                    at += 1;
                }
            }
            _ => return None,
        }
        // After a value: the ends of what it is in, or the next one.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = space(bytes, at);
            let object = objects & 1 == 1;
            match bytes.get(at)? {
                b',' => {
                    at = space(bytes, at + 1);
                    if object {
                        at = key(bytes, at)?;
                    }
                    break;
                }
                b'}' if object => {}
                b']' if !object => {}
                _ => return None,
            }
            at += 1;
            depth -= 1;
            objects >>= 1;
        }
    }
}

/// Past a key and its colon, to the value.
#[inline]
fn key(bytes: &[u8], at: usize) -> Option<usize> {
    let at = space(bytes, string(bytes, at)?);
    if bytes.get(at)? == &b':' { Some(space(bytes, at + 1)) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_parts_that_matter_are_seen() {
        let text = r#" {"eventName":"GetUser","userIdentity":{"type":"X","sessionContext":{"a":[1,{"b":null}]},
            "accessKeyId":"ASIA1","arn":null},"readOnly":true,"requestParameters":{"a":"\"}","n":-1.5e3},
            "managementEvent":false,"eventTime":"T"},{"next":1}"#
            .trim_start();
        let skim = skim(text.as_bytes()).unwrap();
        assert_eq!((skim.name, skim.read_only, skim.data, skim.time), ("GetUser", Some(true), true, &b"T"[..]));
        assert_eq!(skim.caller, [&b"ASIA1"[..], b"", b"", b""]);
        assert!(text[skim.bytes..].starts_with(",{"));
    }

    #[test]
    fn what_went_through_an_endpoint_is_no_data_event_whichever_part_says_so() {
        let data = |more: &str| {
            let text = format!(r#"{{"eventName":"GetObject","managementEvent":false,{more}}}"#);
            skim(text.as_bytes()).unwrap().data
        };
        assert!(data(r#""eventType":"AwsApiCall""#) && data(r#""eventType":null"#));
        for more in [
            r#""eventType":"AwsVpceEvent""#,
            r#""eventCategory":"NetworkActivity","eventType":"AwsApiCall""#,
            r#""eventType":"AwsVpceEvent","eventCategory":null"#,
        ] {
            assert!(!data(more), "{more}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_parser() {
        for text in [
            "",
            "{",
            "{}",
            r#"{"eventName":"A""#,
            r#"{"eventName":"A",}"#,
            r#"{"eventName":"A" "b":1}"#,
            r#"{"eventName":"A","b":}"#,
            r#"{"eventName":"A","b":[1}}"#,
            r#"{"eventName":"A","b":{"c":[}]}}"#,
            r#"{"eventName":"A","b":tru}"#,
            r#"{"eventName":"\u0041"}"#,
            r#"{"eventName":5}"#,
            r#"{"eventName":"A","userIdentity":"x"}"#,
            r#"{"eventName":"A","readOnly":"true"}"#,
            r#"{"eventName":"A","detail":{}}"#,
        ] {
            assert_eq!(skim(text.as_bytes()), None, "{text}");
        }
        let deep = format!(r#"{{"eventName":"A","b":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(skim(deep.as_bytes()), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|m| m.into_iter().collect()),
            ]
        })
    }

    #[test]
    fn a_string_ends_at_its_first_quote_however_long_it_is() {
        for length in 0..80 {
            for at in 0..=length {
                let mut text = vec![b'#'; length];
                assert_eq!(stop(&text), None);
                text.insert(at, b'"');
                text.push(b'\\');
                assert_eq!(stop(&text), Some(at), "{length}");
                text[at] = b'\\';
                assert_eq!(stop(&text), Some(at), "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_ends_where_the_parser_ends(part in json(), pretty in any::<bool>()) {
            let record = serde_json::json!({"a": part.clone(), "eventName": "A", "z": [part]});
            let text = if pretty { format!("{record:#}") } else { record.to_string() };
            prop_assert_eq!(skim(text.as_bytes()).map(|s| s.bytes), Some(text.len()));
        }

        #[test]
        fn what_it_takes_the_parser_takes(text in r#"\{"eventName":"A","b":[\[\]\{\}",:a0-9tn\-]{0,12}\}"#) {
            if skim(text.as_bytes()).is_some_and(|s| s.bytes == text.len()) {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok() || text.contains('-') || text.contains('0'), "{}", text);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = skim(&[b"{\"eventName\":\"A\",\"b\":", &bytes[..]].concat());
        }
    }
}
