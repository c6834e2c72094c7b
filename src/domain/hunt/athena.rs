//! What CloudTrail's logs in S3 are asked through Athena, and what comes back. Much of it is in the attacker's hands
//! (names of users and sessions), so that nothing but texts of a checked alphabet gets into the SQL: in it nothing
//! ends a literal. Execution parameters would not do: Athena puts their text into the statement as it is.
//!
//! The table is the one of AWS's documentation, however it is partitioned:
//! <https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html>

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::super::id::AccountId;

/// Calls that one search brings back, the newest first.
pub const ROWS_MAX: u64 = 4_000;
/// A file of a day can have calls of the evening before.
const DELIVERED_LATE: TimeDelta = TimeDelta::days(1);
/// Longest text that is put into the SQL, in bytes.
const LITERAL_BYTES_MAX: usize = 512;
/// What Athena bills at least, and what it rounds up to: in the units in which more is billed.
const BILLED_MEGABYTES_MIN: u64 = 10;
const MEGABYTE: u64 = 1_000_000;
/// Millionths of a dollar in a cent, and megabytes in a terabyte.
const MICROS: u128 = 10_000;
const MEGABYTES: u128 = 1_000_000;

/// The columns that are asked for: as a record has them, and in lower case as the table has them.
const COLUMNS: [&str; 30] = [
    "eventVersion",
    "userIdentity.type",
    "userIdentity.principalId",
    "userIdentity.arn",
    "userIdentity.accountId",
    "userIdentity.invokedBy",
    "userIdentity.accessKeyId",
    "userIdentity.userName",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.sessionContext.attributes.creationDate",
    "userIdentity.sessionContext.sessionIssuer.type",
    "userIdentity.sessionContext.sessionIssuer.principalId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.accountId",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "eventType",
];
/// The same, of columns that are no parts of the call.
const ABOUT: [&str; 3] = ["recipientAccountId", "sharedEventID", CATEGORY];
/// The last column, which tables as the documentation once had them, and those that the console made, are without.
const CATEGORY: &str = "eventCategory";
/// Calls that are data events, of the services that most trails record them of: where nothing else says so. One that is not
/// among them counts as a management event, and so for no less than it is.
const DATA: [(&str, &[&str]); 3] = [
    (
        "dynamodb.amazonaws.com",
        &[
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        ],
    ),
    ("lambda.amazonaws.com", &["Invoke"]),
    (
        "s3.amazonaws.com",
        &[
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "GetObject",
            "GetObjectAcl",
            "GetObjectAttributes",
            "GetObjectTagging",
            "HeadBucket",
            "HeadObject",
            "ListMultipartUploads",
            "ListObjectVersions",
            "ListObjects",
            "ListParts",
            "PutObject",
            "PutObjectAcl",
            "PutObjectTagging",
            "RestoreObject",
            "SelectObjectContent",
            "UploadPart",
            "UploadPartCopy",
        ],
    ),
];
/// Columns that hold JSON as text.
const JSON: [&str; 3] = ["requestParameters", "responseElements", "additionalEventData"];

/// The name of a database, a table or a column: letters, digits and underscores.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identifier(String);

/// Not such a name.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("“{0}” is not a name that Athena knows without quotes: up to 128 lower-case letters, digits and underscores")]
pub struct NotAnIdentifier(String);

impl FromStr for Identifier {
    type Err = NotAnIdentifier;

    fn from_str(text: &str) -> Result<Self, NotAnIdentifier> {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if (1..=128).contains(&text.len()) && text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnIdentifier(text.chars().take(64).collect()))
        }
    }
}

impl Identifier {
    /// As it is called outside of SQL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// How the column of the day is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum DayFormat {
    /// As in the paths of CloudTrail's files.
    #[default]
    #[serde(rename = "yyyy/MM/dd")]
    Slashes,
    /// As dates are.
    #[serde(rename = "yyyy-MM-dd")]
    Hyphens,
    /// Without anything between.
    #[serde(rename = "yyyyMMdd")]
    Plain,
}

impl DayFormat {
    fn of(self, at: DateTime<Utc>) -> String {
        let format = match self {
            Self::Slashes => "%Y/%m/%d",
            Self::Hyphens => "%Y-%m-%d",
            Self::Plain => "%Y%m%d",
        };
        at.format(format).to_string()
    }
}

/// A table of CloudTrail's logs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// Its database.
    pub database: Identifier,
    /// Its name.
    pub name: Identifier,
    /// The partition column of the day.
    pub day: Identifier,
    /// How the day is written.
    pub day_format: DayFormat,
    /// The partition column of the Region; absent when there is none.
    pub region: Option<Identifier>,
    /// The partition column of the account; absent when there is none.
    pub account: Option<Identifier>,
}

/// What the logs are asked for: whatever these keys and principals did, and whatever came from these addresses.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LogQuestion {
    /// Whose logs.
    pub account: AccountId,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// In which Regions.
    pub regions: Vec<String>,
    /// Access keys.
    pub keys: Vec<String>,
    /// Users and sessions, by ARN.
    pub principals: Vec<String>,
    /// Addresses.
    pub addresses: Vec<String>,
    /// What is left out, a sentence each.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// Whether a text can stand in the SQL: no letter of this alphabet ends a literal or means anything in it.
pub fn is_literal(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-/:".contains(&b);
    (1..=LITERAL_BYTES_MAX).contains(&text.len()) && text.bytes().all(known)
}

/// The statement. `None` when nothing is left that can be asked for: without that it would read everything.
pub fn sql(table: &Table, question: &LogQuestion) -> Option<String> {
    let listed = |values: &[String]| {
        let literals: Vec<String> = values.iter().filter(|v| is_literal(v)).map(|v| format!("'{v}'")).collect();
        (!literals.is_empty()).then(|| literals.join(", "))
    };
    let one_of = |column: &str, values: &[String]| Some(format!("{column} IN ({})", listed(values)?));
    let whose: Vec<String> = [
        one_of("useridentity.accesskeyid", &question.keys),
        one_of("useridentity.arn", &question.principals),
        one_of("sourceipaddress", &question.addresses),
    ]
    .into_iter()
    .flatten()
    .collect();
    if whose.is_empty() {
        return None;
    }
    let day = |at| table.day_format.of(at);
    let second = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (from, until) = (question.from, question.until);
    let mut bounds = vec![format!("{} BETWEEN '{}' AND '{}'", table.day, day(from), day(until + DELIVERED_LATE))];
    let regions = listed(&question.regions)?;
    bounds.extend(table.region.as_ref().map(|column| format!("{column} IN ({regions})")));
    bounds.extend(table.account.as_ref().map(|column| format!("{column} = '{}'", question.account)));
    bounds.push(format!("recipientaccountid = '{}'", question.account));
    bounds.push(format!("awsregion IN ({regions})"));
    bounds.push(format!("eventtime BETWEEN '{}' AND '{}'", second(from), second(until)));
    bounds.push(format!("({})", whose.join(" OR ")));
    let columns: Vec<String> = COLUMNS
        .iter()
        .chain(&ABOUT)
        .map(|path| {
            let path = path.to_ascii_lowercase();
            if path.contains('.') { format!("{path} AS {}", path.replace('.', "_")) } else { path }
        })
        .collect();
    Some(format!(
        "SELECT {} FROM {}.{} WHERE {} ORDER BY eventtime DESC LIMIT {}",
        columns.join(", "),
        table.database,
        table.name,
        bounds.join(" AND "),
        // One more, so that it is known whether there are more.
        ROWS_MAX + 1
    ))
}

/// The same statement for a table that has no column of the category; `None` when that is not asked for. No literal has a
/// space in it, so that the place is the right one.
pub fn without_category(sql: &str) -> Option<String> {
    let column = format!(", {} FROM ", CATEGORY.to_ascii_lowercase());
    sql.split_once(&column).map(|(columns, rest)| format!("{columns} FROM {rest}"))
}

/// Whether the column of the category is among a table's.
pub fn has_category(columns: &[String]) -> bool {
    columns.iter().any(|name| name.eq_ignore_ascii_case(CATEGORY))
}

/// Whether Athena's sentence says that the table has no column of the category.
pub fn lacks_category(why: &str) -> bool {
    lacks_column(why) && why.to_ascii_lowercase().contains(&CATEGORY.to_ascii_lowercase())
}

/// Whether it says so of any column.
pub fn lacks_column(why: &str) -> bool {
    why.contains("COLUMN_NOT_FOUND")
}

/// A row of the answer, with or without the category, as the record that it was; `None` when it has another number of
/// columns.
pub fn record(row: &[Option<String>]) -> Option<String> {
    let all = COLUMNS.len() + ABOUT.len();
    let has_category = row.len() == all;
    if !has_category && row.len() + 1 != all {
        return None;
    }
    let mut record = Map::new();
    for (path, value) in COLUMNS.iter().chain(&ABOUT).zip(row) {
        let Some(text) = value.as_ref().filter(|text| !text.is_empty()) else { continue };
        let value = if JSON.contains(path) {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        } else if *path == "readOnly" {
            text.parse().map_or(Value::Null, Value::Bool)
        } else {
            Value::String(text.clone())
        };
        put(&mut record, path, value);
    }
    let said = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_data = if has_category {
        said(CATEGORY) == "Data"
    } else {
        DATA.iter().any(|(source, names)| said("eventSource") == *source && names.contains(&said("eventName")))
    };
    if is_data {
        record.insert("managementEvent".to_owned(), Value::Bool(false));
    }
    Some(Value::Object(record).to_string())
}

fn put(record: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(record.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let inner = record.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// What reading so many bytes costs, in millionths of a dollar: each megabyte that is begun, and ten at least.
pub fn cost_micros(bytes: u64, cents_per_tb: u32) -> u64 {
    let megabytes = bytes.div_ceil(MEGABYTE).max(BILLED_MEGABYTES_MIN);
    let micros = (u128::from(megabytes) * u128::from(cents_per_tb) * MICROS).div_ceil(MEGABYTES);
    u64::try_from(micros).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
