//! CloudTrail's logs through Athena, with the reader role. What a search would read is known from the sizes of the
//! files in S3: nothing asks Athena for that.

use std::fmt::Display;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_athena::types::{QueryExecution, QueryExecutionContext, QueryExecutionState, ResultConfiguration, Row};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::fault::fault;
use super::{AwsCloud, CONNECT_TIME_MAX};
use crate::config::athena::{Athena, bucket_and_prefix};
use crate::domain::hunt::athena::{
    LogQuestion, Table, has_category, lacks_category, lacks_column, record, sql, without_category,
};
use crate::domain::id::AccountId;
use crate::domain::incident::logs::Estimate;
use crate::ports::{CloudError, LogArchive, Progress, RowsPage};

/// One try of one page, whose records can be some megabytes, and all tries.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(15);
const OPERATION_TIME_MAX: Duration = Duration::from_secs(40);
/// Rows on one page: what Athena gives at most.
const PAGE_ROWS: i32 = 1_000;
/// Pages of a thousand files that are looked at in one Region: some three years of a busy one.
const LISTED_PAGES_MAX: u32 = 300;
/// What to do about a table that is not CloudTrail's as AWS documents it.
const COLUMNS_NEEDED: &str =
    ". The table needs the columns that AWS's documentation has for CloudTrail, and those that [account.athena] names";
/// And about one that is without the column of the category, which nobody could see before it was asked.
const LOOK_NEEDED: &str = ". A table without eventcategory is searched too where the reader role has \
                           athena:GetTableMetadata: see manifests/aws/roles.cloudformation.yaml";
/// What an account's own data catalog is called.
const CATALOG: &str = "AwsDataCatalog";
/// Letters of a day in a file's path.
const DAY: &str = "%Y/%m/%d/";

/// The header in which S3 says where a bucket is, also to whom it says no.
const BUCKET_REGION: &str = "x-amz-bucket-region";

fn s3(config: &SdkConfig, region: &str) -> aws_sdk_s3::Client {
    // A server that stands in for AWS has no names for buckets.
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
    aws_sdk_s3::Client::from_conf(config.region(Region::new(region.to_owned())).build())
}

/// The clients of an account whose logs can be searched.
pub(super) struct Logs {
    settings: Athena,
    table: Table,
    athena: aws_sdk_athena::Client,
    s3: aws_sdk_s3::Client,
    config: SdkConfig,
}

impl Logs {
    /// `None` where the settings name no table that Athena could have.
    pub(super) fn new(config: &SdkConfig, settings: &Athena) -> Option<Self> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .operation_attempt_timeout(ATTEMPT_TIME_MAX)
            .operation_timeout(OPERATION_TIME_MAX)
            .build();
        let config = config.to_builder().region(Region::new(settings.region.clone())).timeout_config(timeouts).build();
        Some(Self {
            table: settings.table()?,
            settings: settings.clone(),
            athena: aws_sdk_athena::Client::new(&config),
            s3: s3(&config, &settings.region),
            config,
        })
    }

    /// A client for this bucket. It can be in another Region than Athena, and everywhere else S3 says no more of it than
    /// where it is.
    async fn s3_of(&self, bucket: &str) -> aws_sdk_s3::Client {
        let asked = Box::pin(self.s3.head_bucket().bucket(bucket).send()).await;
        let region = match &asked {
            Ok(found) => found.bucket_region(),
            Err(error) => error.raw_response().and_then(|raw| raw.headers().get(BUCKET_REGION)),
        };
        match region.filter(|region| *region != self.settings.region) {
            Some(region) => s3(&self.config, region),
            None => self.s3.clone(),
        }
    }

    async fn execution(&self, id: &str) -> Result<QueryExecution, CloudError> {
        let operation = "athena:GetQueryExecution";
        let asked = self.athena.get_query_execution().query_execution_id(id).send().await;
        let answer = asked.map_err(|e| fault(operation, &e))?;
        answer.query_execution.ok_or_else(|| CloudError::Unavailable {
            operation: operation.into(),
            message: "AWS's answer has no execution".into(),
        })
    }

    /// Has Athena run a statement, or finds the query that it was started as with this token.
    async fn started(&self, sql: String, token: &str) -> Result<String, CloudError> {
        let operation = "athena:StartQueryExecution";
        // Without a database Athena asks for the permission on the one that is called default.
        let context = QueryExecutionContext::builder()
            .database(self.table.database.as_str())
            .set_catalog(self.settings.catalog.clone())
            .build();
        let results = ResultConfiguration::builder().output_location(&self.settings.output_location).build();
        let asked = self
            .athena
            .start_query_execution()
            .query_string(sql)
            .client_request_token(token)
            .query_execution_context(context)
            .result_configuration(results)
            .set_work_group(self.settings.workgroup.clone())
            .send()
            .await;
        let answer = asked.map_err(|e| fault(operation, &e))?;
        answer.query_execution_id.ok_or_else(|| CloudError::Unavailable {
            operation: operation.into(),
            message: "AWS's answer has no execution".into(),
        })
    }

    /// What the table's columns are called, those that it is partitioned by included.
    async fn columns(&self) -> Result<Vec<String>, CloudError> {
        let operation = "athena:GetTableMetadata";
        let asked = self
            .athena
            .get_table_metadata()
            .catalog_name(self.settings.catalog.as_deref().unwrap_or(CATALOG))
            .database_name(self.table.database.as_str())
            .table_name(self.table.name.as_str())
            .send()
            .await;
        let answer = asked.map_err(|e| fault(operation, &e))?;
        let table = answer.table_metadata.ok_or_else(|| CloudError::Unavailable {
            operation: operation.into(),
            message: "AWS's answer has no table".into(),
        })?;
        Ok(table.columns().iter().chain(table.partition_keys()).map(|column| column.name().to_owned()).collect())
    }

    /// The statement as the table can be asked it. That is known before anything runs: one query does, and no other. Where
    /// AWS does not let the bot look, the table counts as one that has all columns.
    async fn fitting(&self, whole: String) -> Result<String, CloudError> {
        match self.columns().await {
            Ok(columns) if !columns.is_empty() && !has_category(&columns) => {
                Ok(without_category(&whole).unwrap_or(whole))
            }
            Ok(_) | Err(CloudError::Refused { .. }) => Ok(whole),
            // By the next try it may be known. To ask for something else then under the same token would not do.
            Err(error) => Err(error),
        }
    }

    /// The bytes of a Region's files from day to day, and whether there are more.
    async fn listed(
        &self,
        s3: &aws_sdk_s3::Client,
        (bucket, prefix): (&str, &str),
        region: &str,
        question: &LogQuestion,
    ) -> Result<(u64, bool), CloudError> {
        let here = format!("{prefix}{region}/");
        let day = |at: DateTime<Utc>| format!("{here}{}", at.format(DAY));
        let (from, past) = (day(question.from), day(question.until + TimeDelta::days(2)));
        let (mut bytes, mut after): (u64, Option<String>) = (0, None);
        for _ in 0..LISTED_PAGES_MAX {
            let asked = s3.list_objects_v2().bucket(bucket).prefix(&here).start_after(&from);
            let answer = asked.set_continuation_token(after.take()).send().await;
            let answer = answer.map_err(|e| fault("s3:ListBucket", &e))?;
            let files = answer.contents.unwrap_or_default();
            // By their days they are in order.
            let within = files.iter().take_while(|file| file.key().is_some_and(|key| key < past.as_str()));
            let (counted, sizes) = within.fold((0, 0_u64), |(count, sum), file| {
                (count + 1, sum.saturating_add(file.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0)))
            });
            bytes = bytes.saturating_add(sizes);
            after = answer.next_continuation_token;
            if counted < files.len() || after.is_none() {
                return Ok((bytes, false));
            }
        }
        Ok((bytes, true))
    }

    async fn estimate(&self, question: &LogQuestion) -> Estimate {
        let cents_per_tb = self.settings.cents_per_tb;
        let unknown = |why: String| Estimate { bytes: None, why: Some(why), cents_per_tb };
        let Some(folder) = &self.settings.logs_location else {
            return unknown(
                "irp.toml has no athena.logs_location: the workgroup's limit of bytes is all that holds".into(),
            );
        };
        // A table that is not cut by Region reads them all; what else is in the folder is not known here.
        let whole = self.table.region.is_none();
        let folder = bucket_and_prefix(folder).unwrap_or_default();
        let s3 = self.s3_of(folder.0).await;
        let asked = question.regions.iter().map(|region| self.listed(&s3, folder, region, question));
        let (mut bytes, mut more) = (0_u64, false);
        for listed in join_all(asked).await {
            match listed {
                Ok((here, cut)) => (bytes, more) = (bytes.saturating_add(here), more || cut),
                Err(error) => return unknown(error.to_string()),
            }
        }
        let why = match (whole, more) {
            (true, _) => Some("the table has no column for Regions, so it reads the other Regions' files too".into()),
            (_, true) => Some("there are more files than were counted".into()),
            _ => None,
        };
        Estimate { bytes: Some(bytes), why, cents_per_tb }
    }

    /// Whether the reader may ask: about a query that there is not, and about the table.
    pub(super) async fn check(&self) -> Result<String, String> {
        match Box::pin(self.execution("00000000-0000-0000-0000-000000000000")).await {
            Ok(_) => {}
            Err(CloudError::Refused { code, .. }) if code == "InvalidRequestException" => {}
            Err(error) => return Err(error.to_string()),
        }
        match Box::pin(self.columns()).await {
            Ok(_) => Ok("athena:GetQueryExecution and athena:GetTableMetadata are allowed".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl AwsCloud {
    fn logs(&self, account: &AccountId) -> Result<&Logs, CloudError> {
        self.account(account)?
            .logs
            .as_ref()
            .ok_or_else(|| refused("NotSetUp", "irp.toml has no [account.athena] for it"))
    }
}

fn refused(code: &str, message: impl Display) -> CloudError {
    CloudError::Refused { operation: "athena".into(), code: code.into(), message: message.to_string() }
}

#[async_trait]
impl LogArchive for AwsCloud {
    async fn estimate(&self, account: &AccountId, question: &LogQuestion) -> Result<Estimate, CloudError> {
        Ok(self.logs(account)?.estimate(question).await)
    }

    async fn start(&self, account: &AccountId, question: &LogQuestion, token: &str) -> Result<String, CloudError> {
        let logs = self.logs(account)?;
        let whole = sql(&logs.table, question)
            .ok_or_else(|| refused("NothingToAsk", "no key, no name and no address is known that can be asked for"))?;
        let fitting = Box::pin(logs.fitting(whole)).await?;
        Box::pin(logs.started(fitting, token)).await
    }

    async fn progress(&self, account: &AccountId, execution: &str) -> Result<Progress, CloudError> {
        let found = Box::pin(self.logs(account)?.execution(execution)).await?;
        let scanned =
            found.statistics().and_then(aws_sdk_athena::types::QueryExecutionStatistics::data_scanned_in_bytes);
        let bytes = scanned.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
        let reason = found.status().and_then(|status| status.state_change_reason()).map(str::to_owned);
        Ok(match found.status().and_then(|status| status.state()) {
            Some(QueryExecutionState::Succeeded) => Progress::Succeeded { bytes },
            Some(QueryExecutionState::Failed) => {
                let says = |is_so: fn(&str) -> bool| reason.as_deref().is_some_and(is_so);
                let columns = if says(lacks_column) { COLUMNS_NEEDED } else { "" };
                let look = if says(lacks_category) { LOOK_NEEDED } else { "" };
                let why = format!("Athena: {}{columns}{look}", reason.as_deref().unwrap_or("the query failed"));
                Progress::Failed { why, billed: None }
            }
            Some(QueryExecutionState::Cancelled) => {
                // By somebody else, or by the workgroup's limit.
                let why = format!("Athena ended it: {}", reason.unwrap_or_else(|| "it was stopped".into()));
                Progress::Failed { why, billed: Some(bytes) }
            }
            _ => Progress::Running,
        })
    }

    async fn rows(&self, account: &AccountId, execution: &str, after: Option<&str>) -> Result<RowsPage, CloudError> {
        let logs = self.logs(account)?;
        let asked = logs.athena.get_query_results().query_execution_id(execution).max_results(PAGE_ROWS);
        let answer = asked.set_next_token(after.map(str::to_owned)).send().await;
        let answer = answer.map_err(|e| fault("athena:GetQueryResults", &e))?;
        let rows = answer.result_set.and_then(|set| set.rows).unwrap_or_default();
        // The first row of the first page has the columns' names.
        let rows = rows.into_iter().skip(usize::from(after.is_none()));
        let values = |row: Row| row.data.unwrap_or_default().into_iter().map(|value| value.var_char_value).collect();
        let rows: Vec<Vec<Option<String>>> = rows.map(values).collect();
        Ok(RowsPage {
            records: rows.iter().filter_map(|row| record(row)).collect(),
            rows: rows.len() as u64,
            next: answer.next_token,
        })
    }

    async fn stop(&self, account: &AccountId, execution: &str) -> Result<(), CloudError> {
        let logs = self.logs(account)?;
        let asked = logs.athena.stop_query_execution().query_execution_id(execution).send().await;
        asked.map(|_| ()).map_err(|e| fault("athena:StopQueryExecution", &e))
    }
}
