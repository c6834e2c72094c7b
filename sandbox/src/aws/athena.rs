//! Athena, over the files that the trail has put into its bucket: a table as AWS's documentation lays such a table out,
//! partitioned by Region and day, and one as it did before there were categories of events. Queries take their time by the sandbox's clock. What of SQL is known here is in
//! [`sql`]; everything else is refused as Athena refuses what it cannot parse.

mod sql;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::json_operation::{Call, Operation};
use super::s3::Content;
use super::state::World;
use super::trail::delivery;
use super::wire::ApiError;
use super::{Account, ids};
use sql::{COLUMNS, Files, PARTITIONS, Query};

/// How long a query takes unless told otherwise; the first quarter of it waits.
const QUERY_TIME: TimeDelta = TimeDelta::seconds(2);
const WORKGROUP: &str = "primary";
const CATALOG: &str = "AwsDataCatalog";
const DATABASE: &str = "security";
const TABLE: &str = "cloudtrail_logs";
const OLD_TABLE: &str = "cloudtrail_logs_2019";
/// What the old one is without.
const CATEGORY: &str = "eventcategory";
/// The type of the column whose fields a query can name, and that of the one that has none here.
const IDENTITY_TYPE: &str = "struct<type:string,principalid:string,arn:string,accountid:string,invokedby:string,\
                             accesskeyid:string,username:string,sessioncontext:struct<attributes:struct<\
                             mfaauthenticated:string,creationdate:string>,sessionissuer:struct<type:string,\
                             principalid:string,arn:string,accountid:string,username:string>>>";
const RESOURCES_TYPE: &str = "array<struct<arn:string,accountid:string,type:string>>";
/// Letters of a statement.
const QUERY_CHARS_MAX: usize = 262_144;
/// Letters of a token.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 32..=128;
/// Rows on one page, the columns' names included.
const PAGE_MAX: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Athena {
    /// By id.
    executions: BTreeMap<String, Execution>,
    query_time: TimeDelta,
    /// The workgroup's limit of bytes for one query.
    cutoff: Option<u64>,
}

impl Default for Athena {
    fn default() -> Self {
        Self { executions: BTreeMap::new(), query_time: QUERY_TIME, cutoff: None }
    }
}

#[derive(Debug)]
struct Execution {
    /// What it was asked with.
    input: Value,
    submitted_at: DateTime<Utc>,
    takes: TimeDelta,
    stopped_at: Option<DateTime<Utc>>,
    /// What comes out of it, worked out when it was asked for.
    outcome: Outcome,
    /// Where its rows go, as bucket and key.
    output: (String, String),
}

#[derive(Debug)]
enum Outcome {
    Found(Found),
    Failed(String),
    /// More than the workgroup lets a query read.
    CutOff(u64),
}

/// What a query finds.
#[derive(Debug, Default)]
struct Found {
    columns: Vec<String>,
    rows: Vec<Vec<Option<String>>>,
    bytes: u64,
}

impl Account {
    /// How long queries take from now on, by the sandbox's clock.
    pub fn set_query_time(&self, time: TimeDelta) {
        self.world().athena.query_time = time;
    }

    /// How many queries were ever started.
    pub fn queries(&self) -> usize {
        self.world().athena.executions.len()
    }

    /// Limits what a query may read from now on.
    pub fn set_query_cutoff(&self, bytes: Option<u64>) {
        self.world().athena.cutoff = bytes;
    }
}

static OPERATIONS: [Operation; 5] = [
    Operation::write("StartQueryExecution", "StartQueryExecution", StatusCode::OK, start),
    Operation::read("GetQueryExecution", "GetQueryExecution", status),
    Operation::read("GetQueryResults", "GetQueryResults", results),
    Operation::read("GetTableMetadata", "GetTableMetadata", metadata),
    Operation::write("StopQueryExecution", "StopQueryExecution", StatusCode::OK, stop),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

fn invalid(sentence: impl Into<String>) -> ApiError {
    ApiError::bad_request("InvalidRequestException", sentence)
}

fn workgroup(call: &Call<'_>) -> String {
    format!("arn:aws:athena:{}:{}:workgroup/{WORKGROUP}", call.region, call.world.account)
}

fn start(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("athena:StartQueryExecution", &workgroup(call))?;
    let text = |name: &str| call.text(name).unwrap_or_default().to_owned();
    if !["", WORKGROUP].contains(&text("WorkGroup").as_str()) {
        return Err(invalid(format!("WorkGroup {} is not found.", text("WorkGroup"))));
    }
    let (statement, token) = (text("QueryString"), text("ClientRequestToken"));
    if !(1..=QUERY_CHARS_MAX).contains(&statement.len()) {
        return Err(invalid("queryString should have between 1 and 262144 letters."));
    }
    if !TOKEN_CHARS.contains(&token.len()) {
        return Err(invalid("clientRequestToken should have between 32 and 128 letters."));
    }
    if call.input.get("ExecutionParameters").is_some() {
        return Err(invalid("Execution parameters are not known here."));
    }
    let asked = call.input.clone();
    if let Some((id, known)) = call.world.athena.executions.iter().find(|(_, e)| e.input["ClientRequestToken"] == token)
    {
        return if known.input == asked {
            Ok(json!({ "QueryExecutionId": id }))
        } else {
            Err(invalid("Idempotent parameters do not match"))
        };
    }
    let location = call.input["ResultConfiguration"]["OutputLocation"].as_str().unwrap_or_default().to_owned();
    let place = location.strip_prefix("s3://").and_then(|place| place.split_once('/'));
    let Some((bucket, prefix)) = place.filter(|(bucket, _)| call.world.buckets.contains_key(*bucket)) else {
        return Err(invalid(format!("Unable to verify/create output bucket {location}")));
    };
    let query = Query::parse(&statement).map_err(invalid)?;
    delivery::deliver(call.world, call.now);
    let id = ids::uuid();
    let output = (bucket.to_owned(), format!("{}{id}.csv", prefix.trim_start_matches('/')));
    let outcome = match run(call, &query, &output) {
        Ok(found) => match call.world.athena.cutoff {
            Some(limit) if found.bytes > limit => Outcome::CutOff(limit),
            _ => Outcome::Found(found),
        },
        Err(why) => Outcome::Failed(why),
    };
    let (submitted_at, takes) = (call.now, call.world.athena.query_time);
    let execution = Execution { input: asked, submitted_at, takes, stopped_at: None, outcome, output };
    call.world.athena.executions.insert(id.clone(), execution);
    Ok(json!({ "QueryExecutionId": id }))
}

/// The error says why a query fails that could be read.
fn run(call: &Call<'_>, query: &Query, output: &(String, String)) -> Result<Found, String> {
    let account = call.world.account;
    let named = |what: &str| format!("arn:aws:glue:{}:{account}:{what}", call.region);
    let allowed = |action: &str, arn: &str| {
        call.permit(action, arn)
            .map_err(|_| format!("Insufficient permissions to execute the query. {action} on {arn}"))
    };
    let in_use = call.input["QueryExecutionContext"]["Database"].as_str();
    allowed("glue:GetDatabase", &named(&format!("database/{}", in_use.unwrap_or("default"))))?;
    if let Some(unknown) = in_use.filter(|name| ![DATABASE, "default"].contains(name)) {
        return Err(format!("SCHEMA_NOT_FOUND: line 1:1: Schema '{unknown}' does not exist"));
    }
    let (database, table) = &query.from;
    if database != DATABASE || ![TABLE, OLD_TABLE].contains(&table.as_str()) {
        return Err(format!("TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{table}' does not exist"));
    }
    allowed("glue:GetTable", &named(&format!("table/{DATABASE}/{table}")))?;
    query.check(if table == OLD_TABLE { CATEGORY } else { "" })?;
    let Some(trail) = call.world.deliveries.first() else { return Ok(Found::default()) };
    let prefix = delivery::prefix(account);
    allowed("s3:ListBucket", &format!("arn:aws:s3:::{}", trail.bucket))?;
    allowed("s3:GetObject", &format!("arn:aws:s3:::{}/{prefix}file", trail.bucket))?;
    let (bucket, key) = output;
    allowed("s3:PutObject", &format!("arn:aws:s3:::{bucket}/{key}"))?;
    let files = call.world.buckets.get(&trail.bucket).into_iter().flat_map(super::s3::Bucket::current);
    let files = files.filter_map(|(key, version)| {
        let content = &version.content.as_ref()?.bytes;
        let (region, rest) = key.strip_prefix(&prefix)?.split_once('/')?;
        Some(Files { region, day: rest.get(..10)?, text: content })
    });
    let (columns, rows, bytes) = query.run(files)?;
    Ok(Found { columns, rows, bytes })
}

impl Execution {
    /// The state, why, and what was read by then.
    fn stands(&self, now: DateTime<Utc>) -> (&'static str, Option<&str>, u64) {
        let whole = match &self.outcome {
            Outcome::Found(found) => found.bytes,
            Outcome::CutOff(limit) => *limit,
            Outcome::Failed(_) => 0,
        };
        let run_for = |until: DateTime<Utc>| until - self.submitted_at;
        let half = |until| if run_for(until) < self.takes / 4 { 0 } else { whole / 2 };
        match (self.stopped_at, &self.outcome) {
            (Some(at), _) => ("CANCELLED", Some("Query cancelled by user"), half(at)),
            (None, _) if run_for(now) < self.takes / 4 => ("QUEUED", None, 0),
            (None, _) if run_for(now) < self.takes => ("RUNNING", None, half(now)),
            (None, Outcome::Found(_)) => ("SUCCEEDED", None, whole),
            (None, Outcome::Failed(why)) => ("FAILED", Some(why), 0),
            (None, Outcome::CutOff(_)) => ("CANCELLED", Some("Bytes scanned limit was exceeded"), whole),
        }
    }
}

/// What a table is like, whose catalog and whose place in it the caller may look at.
fn metadata(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (region, account) = (call.region, call.world.account);
    let (catalog, database) = (call.required("CatalogName")?, call.required("DatabaseName")?);
    let table = call.required("TableName")?;
    call.permit("athena:GetTableMetadata", &format!("arn:aws:athena:{region}:{account}:datacatalog/{catalog}"))?;
    if catalog != CATALOG {
        return Err(invalid(format!("DataCatalog {catalog} was not found")));
    }
    for place in ["catalog".to_owned(), format!("database/{database}"), format!("table/{database}/{table}")] {
        call.permit("glue:GetTable", &format!("arn:aws:glue:{region}:{account}:{place}"))?;
    }
    if database != DATABASE || ![TABLE, OLD_TABLE].contains(&table.as_str()) {
        return Err(ApiError::bad_request("MetadataException", "EntityNotFoundException: Entity Not Found"));
    }
    let named = |name: &str| {
        let kind = if name == "resources" { RESOURCES_TYPE } else { "string" };
        json!({ "Name": name, "Type": kind })
    };
    let has = |name: &str| !PARTITIONS.contains(&name) && (table != OLD_TABLE || name != CATEGORY);
    let mut columns: Vec<Value> = COLUMNS.into_iter().filter(|name| has(name)).map(named).collect();
    columns.insert(1, json!({ "Name": "useridentity", "Type": IDENTITY_TYPE }));
    let partitions: Vec<Value> = PARTITIONS.into_iter().map(named).collect();
    Ok(json!({ "TableMetadata": {
        "Name": table,
        "TableType": "EXTERNAL_TABLE",
        "Columns": columns,
        "PartitionKeys": partitions,
        "Parameters": { "EXTERNAL": "TRUE" },
    }}))
}

/// The query that a call names, once the caller may ask about it.
fn named<'a>(call: &'a mut Call<'_>, action: &str) -> Result<(String, &'a mut Execution), ApiError> {
    call.permit(action, &workgroup(call))?;
    let id = call.text("QueryExecutionId").unwrap_or_default().to_owned();
    match call.world.athena.executions.get_mut(&id) {
        Some(execution) => Ok((id, execution)),
        None => Err(invalid(format!("QueryExecution {id} was not found"))),
    }
}

fn status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = call.now;
    let (id, execution) = named(call, "athena:GetQueryExecution")?;
    let (state, why, bytes) = execution.stands(now);
    let ended = !["QUEUED", "RUNNING"].contains(&state);
    let mut shown = json!({
        "State": state,
        "SubmissionDateTime": execution.submitted_at.timestamp(),
    });
    if let Some(why) = why {
        shown["StateChangeReason"] = json!(why);
    }
    if ended {
        let at = execution.stopped_at.unwrap_or(execution.submitted_at + execution.takes);
        shown["CompletionDateTime"] = json!(at.timestamp());
    }
    let answer = json!({ "QueryExecution": {
        "QueryExecutionId": id,
        "Query": execution.input["QueryString"],
        "StatementType": "DML",
        "ResultConfiguration": { "OutputLocation": format!("s3://{}/{}", execution.output.0, execution.output.1) },
        "Status": shown,
        "Statistics": { "DataScannedInBytes": bytes },
        "WorkGroup": WORKGROUP,
    }});
    if state == "SUCCEEDED" {
        write(call.world, &id, now);
    }
    Ok(answer)
}

/// Puts the rows where they were asked to go, once.
fn write(world: &mut World, id: &str, now: DateTime<Utc>) {
    let Some(execution) = world.athena.executions.get(id) else { return };
    let Outcome::Found(found) = &execution.outcome else { return };
    let (bucket, key) = &execution.output;
    let Some(bucket) = world.buckets.get_mut(bucket).filter(|bucket| bucket.versions(key).is_empty()) else { return };
    let quoted = |value: &str| format!("\"{}\"", value.replace('"', "\"\""));
    let line = |values: Vec<String>| values.join(",") + "\n";
    let mut text = line(found.columns.iter().map(|name| quoted(name)).collect());
    for row in &found.rows {
        text += &line(row.iter().map(|value| value.as_deref().map(quoted).unwrap_or_default()).collect());
    }
    bucket.add(key, now, Some(Content::plain(Bytes::from(text), "text/csv")));
}

fn results(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = call.now;
    let size = match &call.input["MaxResults"] {
        Value::Null => PAGE_MAX,
        size => size
            .as_u64()
            .filter(|size| (1..=PAGE_MAX).contains(size))
            .ok_or_else(|| invalid("MaxResults is not within 1 and 1000."))?,
    };
    let token = call.text("NextToken").map(str::to_owned);
    let (id, execution) = named(call, "athena:GetQueryResults")?;
    let found = match (execution.stands(now).0, &execution.outcome) {
        ("SUCCEEDED", Outcome::Found(found)) => found,
        (state @ ("QUEUED" | "RUNNING"), _) => {
            return Err(invalid(format!("Query has not yet finished. Current state: {state}")));
        }
        (state, _) => return Err(invalid(format!("Query did not finish successfully. Final query state: {state}"))),
    };
    let from = match token {
        None => 0,
        Some(token) => token
            .strip_prefix(&format!("{id}/"))
            .and_then(|from| from.parse::<usize>().ok())
            .filter(|from| (1..=found.rows.len()).contains(from))
            .ok_or_else(|| invalid("The next token is malformed, or of another query."))?,
    };
    // The columns' names are the first row.
    let names: Vec<Option<String>> = found.columns.iter().cloned().map(Some).collect();
    let all = std::iter::once(&names).chain(&found.rows);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let value =
        |value: &Option<String>| value.as_ref().map_or_else(|| json!({}), |text| json!({ "VarCharValue": text }));
    let page: Vec<Value> =
        all.skip(from).take(size).map(|row| json!({ "Data": row.iter().map(value).collect::<Vec<_>>() })).collect();
    let columns: Vec<Value> = found.columns.iter().map(|name| json!({ "Name": name, "Type": "varchar" })).collect();
    let next = from + page.len();
    let mut answer = json!({ "ResultSet": { "Rows": page, "ResultSetMetadata": { "ColumnInfo": columns } } });
    if next <= found.rows.len() {
        answer["NextToken"] = json!(format!("{id}/{next}"));
    }
    let (bucket, key) = execution.output.clone();
    call.permit("s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}"))?;
    Ok(answer)
}

fn stop(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = call.now;
    let (_, execution) = named(call, "athena:StopQueryExecution")?;
    if ["QUEUED", "RUNNING"].contains(&execution.stands(now).0) {
        execution.stopped_at = Some(now);
    }
    Ok(json!({}))
}
