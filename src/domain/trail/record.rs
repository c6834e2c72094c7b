//! One CloudTrail record as it is in the wild: borrowed from the bytes it was read from, every part of it optional
//! and of whatever type. Only what the analysis looks at is taken.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use core::net::IpAddr;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use thiserror::Error;

/// A text that may not be there, or not be a text: then it is `None`.
pub type Text<'a> = Option<Cow<'a, str>>;

/// A record, or what one comes wrapped in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record<'a> {
    /// Unique for each record; the twin of a cross-account record has another.
    #[serde(rename = "eventID", borrow, deserialize_with = "text")]
    pub event_id: Text<'a>,
    /// The same in both accounts' records of one call.
    #[serde(rename = "sharedEventID", borrow, deserialize_with = "text")]
    pub shared_event_id: Text<'a>,
    /// When, to the second.
    #[serde(borrow, deserialize_with = "text")]
    pub event_time: Text<'a>,
    /// `iam.amazonaws.com`
    #[serde(borrow, deserialize_with = "text")]
    pub event_source: Text<'a>,
    /// `CreateUser`, for some services with a version at its end.
    #[serde(borrow, deserialize_with = "text")]
    pub event_name: Text<'a>,
    /// `AwsApiCall`, `AwsServiceEvent`, `AwsConsoleSignIn`, …
    #[serde(borrow, deserialize_with = "text")]
    pub event_type: Text<'a>,
    /// `Management`, `Data`, `Insight`, `NetworkActivity`
    #[serde(borrow, deserialize_with = "text")]
    pub event_category: Text<'a>,
    /// The Region that answered. Not to be trusted as a name.
    #[serde(borrow, deserialize_with = "text")]
    pub aws_region: Text<'a>,
    /// The account whose log this is.
    #[serde(borrow, deserialize_with = "text")]
    pub recipient_account_id: Text<'a>,
    /// An address, a service's name, or `AWS Internal`.
    #[serde(rename = "sourceIPAddress", borrow, deserialize_with = "text")]
    pub source_ip_address: Text<'a>,
    /// The VPC endpoint through which the call came.
    #[serde(borrow, deserialize_with = "text")]
    pub vpc_endpoint_id: Text<'a>,
    /// Whether the session is one of the console's.
    #[serde(deserialize_with = "truth")]
    pub session_credential_from_console: Option<bool>,
    /// Whatever the caller says it is.
    #[serde(borrow, deserialize_with = "text")]
    pub user_agent: Text<'a>,
    /// There when it did not work.
    #[serde(borrow, deserialize_with = "text")]
    pub error_code: Text<'a>,
    /// More about it.
    #[serde(borrow, deserialize_with = "text")]
    pub error_message: Text<'a>,
    /// Whether it only reads, by AWS's own word.
    #[serde(deserialize_with = "truth")]
    pub read_only: Option<bool>,
    /// `false` for data events.
    #[serde(deserialize_with = "truth")]
    pub management_event: Option<bool>,
    /// Who called.
    #[serde(borrow, deserialize_with = "identity")]
    pub user_identity: Identity<'a>,
    /// What was asked for.
    #[serde(borrow)]
    pub request_parameters: Option<&'a RawValue>,
    /// What came back; null for calls that only read, and for some that do not.
    #[serde(borrow)]
    pub response_elements: Option<&'a RawValue>,
    /// `MFAUsed`, `SwitchFrom`, …
    #[serde(borrow)]
    pub additional_event_data: Option<&'a RawValue>,
    /// An `EventBridge` event's payload: the record is inside.
    #[serde(borrow)]
    pub detail: Option<&'a RawValue>,
    /// In the output of `LookupEvents`: the record is inside, as text.
    #[serde(rename = "CloudTrailEvent", borrow, deserialize_with = "text")]
    pub cloud_trail_event: Text<'a>,
}

/// Who called, as CloudTrail says it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity<'a> {
    /// `IAMUser`, `AssumedRole`, `Root`, `FederatedUser`, `AWSService`, `AWSAccount`, …
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Text<'a>,
    /// `AIDA…`, or `AROA…:session`
    #[serde(borrow, deserialize_with = "text")]
    pub principal_id: Text<'a>,
    /// The principal's ARN.
    #[serde(borrow, deserialize_with = "text")]
    pub arn: Text<'a>,
    /// The account that it belongs to.
    #[serde(borrow, deserialize_with = "text")]
    pub account_id: Text<'a>,
    /// The key that signed; absent for console sign-ins.
    #[serde(borrow, deserialize_with = "text")]
    pub access_key_id: Text<'a>,
    /// For users.
    #[serde(borrow, deserialize_with = "text")]
    pub user_name: Text<'a>,
    /// The AWS service that called for the identity.
    #[serde(borrow, deserialize_with = "text")]
    pub invoked_by: Text<'a>,
    /// For `WebIdentityUser` and `SAMLUser`.
    #[serde(borrow, deserialize_with = "text")]
    pub identity_provider: Text<'a>,
    /// For temporary credentials.
    #[serde(borrow, deserialize_with = "session")]
    pub session_context: Session<'a>,
    /// For users of IAM Identity Center.
    #[serde(borrow, deserialize_with = "on_behalf_of")]
    pub on_behalf_of: OnBehalfOf<'a>,
}

/// The user of IAM Identity Center behind a call.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OnBehalfOf<'a> {
    /// As the directory numbers them.
    #[serde(borrow, deserialize_with = "text")]
    pub user_id: Text<'a>,
}

/// Where temporary credentials come from.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Session<'a> {
    /// The role or user.
    #[serde(borrow, deserialize_with = "issuer")]
    pub session_issuer: Issuer<'a>,
    /// When it began.
    #[serde(borrow, deserialize_with = "attributes")]
    pub attributes: Attributes<'a>,
}

/// The principal that a session was made from.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Issuer<'a> {
    /// Its ARN.
    #[serde(borrow, deserialize_with = "text")]
    pub arn: Text<'a>,
    /// Its name.
    #[serde(borrow, deserialize_with = "text")]
    pub user_name: Text<'a>,
}

/// Facts about a session.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attributes<'a> {
    /// When it began, to the second.
    #[serde(borrow, deserialize_with = "text")]
    pub creation_date: Text<'a>,
}

/// Why something is no record.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Unreadable {
    /// Not JSON, or cut off.
    #[error("is not JSON ({0})")]
    NotJson(String),
    /// JSON of something else.
    #[error("has no eventName")]
    NoEventName,
}

/// Between an address and a VPC endpoint.
const THROUGH: &str = " through ";

/// The address of a place, without the VPC endpoint, and that.
pub fn address_of(place: &str) -> (&str, Option<&str>) {
    place.split_once(THROUGH).map_or((place, None), |(address, endpoint)| (address, Some(endpoint)))
}

/// Whether it is an address that many networks have.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_link_local() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

impl Record<'_> {
    /// Reads one element of a log, and hands over the record in it: the element itself, what is in `detail`, or
    /// what is in the text `CloudTrailEvent`.
    pub fn read<T>(element: &Record<'_>, then: impl FnOnce(&Record<'_>) -> T) -> Result<T, Unreadable> {
        let wrong = |e: serde_json::Error| Unreadable::NotJson(e.to_string());
        let named = |record: &Record<'_>| !record.name().is_empty() || record.is_insight();
        if named(element) {
            return Ok(then(element));
        }
        if let Some(detail) = element.detail {
            let record: Record<'_> = serde_json::from_str(detail.get()).map_err(wrong)?;
            return if named(&record) { Ok(then(&record)) } else { Err(Unreadable::NoEventName) };
        }
        if let Some(inner) = &element.cloud_trail_event {
            let record: Record<'_> = serde_json::from_str(inner).map_err(wrong)?;
            return if named(&record) { Ok(then(&record)) } else { Err(Unreadable::NoEventName) };
        }
        Err(Unreadable::NoEventName)
    }

    /// The source without `.amazonaws.com`.
    pub fn source(&self) -> &str {
        let source = self.event_source.as_deref().unwrap_or("");
        source.strip_suffix(".amazonaws.com").unwrap_or(source)
    }

    /// The name without its version.
    pub fn name(&self) -> &str {
        unversioned(self.event_name.as_deref().unwrap_or(""))
    }

    /// When.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        moment(self.event_time.as_deref()?)
    }

    /// Where it came from: the address, and behind it the VPC endpoint if it came through one. In a VPC of their own
    /// anybody has whatever address they like, so that it says something only together with the endpoint. The console calls
    /// through endpoints of AWS's own, which say nothing: those calls have the public address of whoever sits before it.
    pub fn place(&self) -> Cow<'_, str> {
        let address = self.source_ip_address.as_deref().unwrap_or("");
        let endpoint = self.vpc_endpoint_id.as_deref().filter(|id| id.starts_with("vpce-"));
        let (Some(endpoint), Ok(ip)) = (endpoint, address.parse::<IpAddr>()) else { return address.into() };
        if self.session_credential_from_console == Some(true) && !is_private(ip) {
            return address.into();
        }
        format!("{address}{THROUGH}{endpoint}").into()
    }

    /// Whether it did what was asked: no error, and no failed sign-in.
    pub fn succeeded(&self) -> bool {
        let failed_login = || {
            self.response_elements.is_some_and(|r| r.get().len() < 200 && r.get().contains("\"Failure\""))
                && matches!(self.name(), "ConsoleLogin" | "SwitchRole" | "CheckMfa")
        };
        self.error_code.as_deref().is_none_or(str::is_empty)
            && self.error_message.as_deref().is_none_or(str::is_empty)
            && !failed_login()
    }

    /// Whether it is a data event, which only some trails record.
    pub fn is_data_event(&self) -> bool {
        let data = self.event_category.as_deref() == Some("Data") || self.management_event == Some(false);
        data && !self.is_network_activity()
    }

    /// Whether it says that a call went through a VPC endpoint. What the call did stands in a record of its own. A row of a
    /// table may have no category: then the type tells.
    pub fn is_network_activity(&self) -> bool {
        self.event_category.as_deref() == Some("NetworkActivity") || self.event_type.as_deref() == Some("AwsVpceEvent")
    }

    /// Whether it tells of unusually many calls: none of them is in it, nor has it a name.
    pub fn is_insight(&self) -> bool {
        self.event_category.as_deref() == Some("Insight")
    }

    /// What was asked for; null when there is nothing.
    pub fn request(&self) -> Value {
        tree(self.request_parameters)
    }

    /// What came back; null when there is nothing.
    pub fn response(&self) -> Value {
        tree(self.response_elements)
    }
}

fn tree(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// An instant as CloudTrail writes it.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

/// An event's name without the API version that some services put at its end: `CreateFunction20150331`,
/// `UpdateFunctionCode20150331v2`, `CreateDistribution2020_05_31`.
pub fn unversioned(name: &str) -> &str {
    if !name.ends_with(|c: char| c.is_ascii_digit()) {
        return name;
    }
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let bare = match name.rsplit_once('v') {
        Some((before, number)) if digits(number) && number.len() <= 2 => before,
        _ => name,
    };
    for (length, separated) in [(8, false), (10, true)] {
        let Some((before, date)) = bare.len().checked_sub(length).and_then(|at| bare.split_at_checked(at)) else {
            continue;
        };
        let year = date.starts_with("20");
        let right = if separated {
            let mut parts = date.split('_');
            parts.all(digits) && date.matches('_').count() == 2
        } else {
            digits(date)
        };
        if year && right && !before.is_empty() {
            return before;
        }
    }
    name
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(number.to_string())))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Text<'de>, D::Error> {
    from.deserialize_any(TextVisitor)
}

/// `true`, `false`, and both as text.
fn truth<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    struct Truth;
    impl<'de> Visitor<'de> for Truth {
        type Value = Option<bool>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
            Ok(Some(truth))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.parse().ok())
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            TextVisitor.visit_seq(seq).map(|_| None)
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            TextVisitor.visit_map(map).map(|_| None)
        }
    }
    from.deserialize_any(Truth)
}

/// Takes a part that ought to be an object; anything else counts as empty.
struct Part<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Part<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        TextVisitor.visit_seq(seq).map(|_| T::default())
    }
    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }
}

fn part<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(Part(PhantomData))
}

fn identity<'de, D: Deserializer<'de>>(from: D) -> Result<Identity<'de>, D::Error> {
    part(from)
}

fn on_behalf_of<'de, D: Deserializer<'de>>(from: D) -> Result<OnBehalfOf<'de>, D::Error> {
    part(from)
}

fn session<'de, D: Deserializer<'de>>(from: D) -> Result<Session<'de>, D::Error> {
    part(from)
}

fn issuer<'de, D: Deserializer<'de>>(from: D) -> Result<Issuer<'de>, D::Error> {
    part(from)
}

fn attributes<'de, D: Deserializer<'de>>(from: D) -> Result<Attributes<'de>, D::Error> {
    part(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(json: &str) -> Result<String, Unreadable> {
        let element = serde_json::from_str(json).map_err(|e| Unreadable::NotJson(e.to_string()))?;
        Record::read(&element, |r| format!("{} {}", r.source(), r.name()))
    }

    #[test]
    fn a_record_is_found_whatever_it_is_wrapped_in() {
        let bare = r#"{"eventSource":"lambda.amazonaws.com","eventName":"CreateFunction20150331"}"#;
        let bridge = format!(r#"{{"detail-type":"AWS API Call via CloudTrail","detail":{bare}}}"#);
        let lookup = format!(r#"{{"EventId":"1","CloudTrailEvent":{}}}"#, Value::from(bare));
        for json in [bare, &bridge, &lookup] {
            assert_eq!(name_of(json).as_deref(), Ok("lambda CreateFunction"), "{json}");
        }
    }

    #[test]
    fn parts_of_the_wrong_type_count_as_missing() {
        let odd = r#"{"eventName":"GetUser","eventSource":null,"userIdentity":"root","errorCode":{"a":[1]},
            "readOnly":"true","sourceIPAddress":["x"],"eventTime":5,"requestParameters":"text","eventID":1.5}"#;
        assert_eq!(name_of(odd).as_deref(), Ok(" GetUser"));
        let record: Record<'_> = serde_json::from_str(odd).unwrap();
        assert_eq!((record.read_only, record.at()), (Some(true), None));
        assert!(record.succeeded() && record.error_code.is_none());
        for wrong in ["{}", r#"{"eventName":null}"#, r#"{"eventName":"","detail":{}}"#, r#"{"CloudTrailEvent":"{"}"#] {
            assert!(name_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_at_the_end_of_a_name_is_not_part_of_it() {
        for (versioned, name) in [
            ("CreateFunction20150331", "CreateFunction"),
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("CreateDistribution2020_05_31", "CreateDistribution"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("BatchGetSecretValue", "BatchGetSecretValue"),
            ("20150331", "20150331"),
            ("é20150331", "é"),
            ("v2", "v2"),
            ("", ""),
        ] {
            assert_eq!(unversioned(versioned), name);
        }
    }
}
