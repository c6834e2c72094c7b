//! The canonical text of JSON (RFC 8785). The library for it takes every member apart again to sort it; what
//! plans are made of needs less, and everything else is left to the library.

use serde_json::{Number, Value};

/// Whole numbers up to here have one text only, also where numbers are doubles.
const EXACT_MAX: u64 = 1 << 53;

/// The canonical text.
pub(super) fn text(value: &Value) -> Vec<u8> {
    let mut text = Vec::with_capacity(2_048);
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // By UTF-16 units, which for ASCII is by bytes; mostly they are in that order already.
            if members.iter().all(|(name, _)| name.is_ascii()) {
                members.sort_unstable_by_key(|(name, _)| name.as_str());
            } else {
                members.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
            }
            out.push(b'{');
            for (i, (name, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_plain(name, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
        Value::Number(number) if !is_exact(number) => {
            out.extend(serde_json_canonicalizer::to_vec(number).expect("a number of JSON is finite"));
        }
        // Escapes and numbers like these have one form in both.
        Value::Number(number) => write_plain(number, out),
        Value::String(string) => write_plain(string, out),
        Value::Bool(_) | Value::Null => write_plain(value, out),
    }
}

fn write_plain(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("memory takes all");
}

fn is_exact(number: &Number) -> bool {
    number.as_i64().map_or_else(|| number.as_u64(), |n| Some(n.unsigned_abs())).is_some_and(|n| n <= EXACT_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-9_i64..9).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f\"\\\\/]{0,9}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner.clone()), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
                prop::collection::vec(("[a-z_\u{80}-\u{ffff}\u{10000}-\u{10010}]{0,3}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_the_library_makes_of_it(value in json()) {
            let theirs = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(String::from_utf8(text(&value)).unwrap(), theirs);
        }
    }
}
