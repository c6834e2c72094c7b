//! The canonical text of JSON (RFC 8785). The library for it takes every member apart again to sort it; what
//! plans are made of needs less, and everything else is left to the library.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// Whole numbers up to here have one text only, also where numbers are doubles.
const EXACT_MAX: u64 = 1 << 53;

/// The canonical text of a JSON text. No name may stand twice in an object.
pub(super) fn text(json: &str) -> Result<Vec<u8>, serde_json::Error> {
    let json: Json<'_> = serde_json::from_str(json)?;
    let mut text = Vec::with_capacity(2_048);
    json.write(&mut text);
    Ok(text)
}

/// JSON whose strings are borrowed from its text where that has no escapes.
enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    /// In the order of names.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Json<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (i, (name, member)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_plain(name, out);
                    out.push(b':');
                    member.write(out);
                }
                out.push(b'}');
            }
            Self::Number(number) if !is_exact(number) => {
                out.extend(serde_json_canonicalizer::to_vec(number).expect("a number of JSON is finite"));
            }
            // Escapes and numbers like these have one form in both.
            Self::Number(number) => write_plain(number, out),
            Self::Text(text) => write_plain(text, out),
            Self::Bool(truth) => write_plain(truth, out),
            Self::Null => write_plain(&(), out),
        }
    }
}

fn write_plain(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("memory takes all");
}

fn is_exact(number: &Number) -> bool {
    number.as_i64().map_or_else(|| number.as_u64(), |n| Some(n.unsigned_abs())).is_some_and(|n| n <= EXACT_MAX)
}

/// By UTF-16 units, which for ASCII is by bytes.
fn sort(members: &mut [(Cow<'_, str>, Json<'_>)]) {
    if members.iter().all(|(name, _)| name.is_ascii()) {
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    } else {
        members.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parts)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'de>, E> {
        Number::from_f64(number).map(Json::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::with_capacity(8);
        while let Some((Name(name), member)) = members.next_entry()? {
            object.push((name, member));
        }
        sort(&mut object);
        match object.iter().zip(object.iter().skip(1)).find(|((a, _), (b, _))| a == b) {
            Some(((name, _), _)) => Err(A::Error::custom(format!("{name} stands twice in an object"))),
            None => Ok(Json::Object(object)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

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
            prop_assert_eq!(String::from_utf8(text(&value.to_string()).unwrap()).unwrap(), theirs);
        }
    }

    #[test]
    fn what_is_no_json_is_told_what_it_should_have_been() {
        use serde::de::value::{BytesDeserializer, Error};

        let no = Json::deserialize(BytesDeserializer::<Error>::new(b"{}")).err().map(|error| error.to_string());
        assert_eq!(no.as_deref(), Some("invalid type: byte array, expected JSON"));
    }

    #[test]
    fn a_name_that_stands_twice_is_no_plan() {
        assert_eq!(text(r#"{"b":{},"a":1}"#).unwrap(), br#"{"a":1,"b":{}}"#);
        for twice in [r#"{"a":1,"a":2}"#, r#"[{"b":{"x":0,"a":1,"\u0061":2}}]"#, r#"{"é":1,"e":1,"é":1}"#] {
            assert!(text(twice).unwrap_err().to_string().contains("stands twice"), "{twice}");
        }
    }
}
