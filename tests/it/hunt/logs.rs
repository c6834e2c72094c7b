//! CloudTrail's logs through Athena: asked for, sized, run, read, cancelled, refused, and taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use chrono::{DateTime, TimeDelta, Utc};
use irp::adapters::aws::{AwsCloud, AwsSettings, StaticKey};
use irp::adapters::memory::MemoryStore;
use irp::config::{Account, Organisation};
use irp::domain::hunt::cover::{Mark, Rows};
use irp::domain::id::{GroupId, UserId};
use irp::domain::incident::command::PersonCommand;
use irp::domain::incident::event::Event;
use irp::domain::incident::logs::{Brought, LogEnd, LogSearch};
use irp::domain::playbook::{BUILT_IN, Playbook};
use irp::domain::policy::Standing;
use irp::engine::{Engine, Ports};
use irp::ports::{ChatError, Clock, Directory, TrailStore};
use irp_sandbox::aws::Fault;
use irp_sandbox::clock::Clock as SandboxClock;

use super::search::identified;
use super::{HUNT, ID, blocks};
use crate::world::{ANA, BEN, DANA, ORGANISATION, World};

const LOGS: &str = "INC-1 logs";
const EXPORTS: &str = "customer-exports-111122223333";
/// Where the finding says that the attacker called from.
const ADDRESS: &str = "198.51.100.77";
const ATHENA: &str = r#"
[account.athena]
region = "us-east-1"
database = "security"
table = "cloudtrail_logs"
region_column = "region"
output_location = "s3://athena-results-111122223333/irp/"
logs_location = "s3://trail-logs-111122223333/AWSLogs/111122223333/CloudTrail/"
"#;

/// An account whose logs can be searched.
pub(crate) fn rules() -> String {
    format!("{ORGANISATION}{ATHENA}")
}

fn from_there(request: &mut HttpRequest) {
    request.headers_mut().insert("x-sandbox-source-ip", ADDRESS);
}

fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

/// The attacker copies two objects, and uses another key that nobody knows to be stolen.
async fn attacker_copies(w: &World) {
    let stolen = w.sdk(&w.account.access_keys("deploy-bot")[0]);
    aws_sdk_iam::Client::new(&stolen).list_users().customize().mutate_request(from_there).send().await.unwrap();
    for key in ["customers.csv", "orders-2026.csv"] {
        let get = s3(&stolen).get_object().bucket(EXPORTS).key(key);
        get.customize().mutate_request(from_there).send().await.unwrap();
    }
    let other = w.sdk(&w.account.access_keys("release-bot")[0]);
    let asks = aws_sdk_sts::Client::new(&other).get_caller_identity();
    asks.customize().mutate_request(from_there).send().await.unwrap();
    w.clock.advance(TimeDelta::minutes(6));
}

/// An incident whose event history has been searched.
async fn hunted() -> World {
    let w = World::start_with_rules(&rules()).await;
    attacker_copies(&w).await;
    w.incident().await;
    w.until_card(LOGS, "logs: not searched").await;
    w
}

async fn sized(w: &World) {
    w.click(ANA, LOGS, "irp.logs_ask").await;
    w.until_card(LOGS, "waiting for a word").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_only_the_logs_show_is_found_at_a_cost_that_was_known() {
    let w = hunted().await;
    let asks = |w: &World| {
        w.card(ANA, HUNT).is_some_and(|card| card["blocks"].to_string().contains("whether objects in S3 were read"))
    };
    w.until("the hunt's card says what it cannot show", asks).await;
    assert!(!blocks(&w, HUNT).contains(EXPORTS), "{}", blocks(&w, HUNT));
    assert!(w.click(DANA, LOGS, "irp.logs_ask").await.contains("Only responders"));
    sized(&w).await;
    let card = blocks(&w, LOGS);
    for part in [&*w.stolen_key(), ADDRESS, "user/deploy-bot", "us-east-1", "It would read", "$5.00 for a terabyte"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert_eq!(w.account.queries(), 0, "nothing runs by itself");
    assert!(w.click(ANA, LOGS, "irp.logs_run").await.contains("are being searched"));
    w.until_card(LOGS, "logs: searched").await;
    w.until("the hunt shows it", |w| blocks(w, HUNT).contains(EXPORTS)).await;
    let card = blocks(&w, HUNT);
    for part in ["2 call(s): customers.csv, orders-2026.csv", "release-bot", "Used from the attacker's addresses"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    // Of other buckets nobody knows whether the trail has their data events.
    assert!(card.contains("beyond the calls in these logs"), "{card}");
    assert!(!card.contains("irp-reader"), "the bot's own calls are nobody's secret: {card}");
    let records = w.store.load(ID).await.unwrap();
    let (estimated, read) = records.iter().fold((None, None), |(estimated, read), record| match &record.event {
        Event::LogsSearchEstimated { estimate, .. } => (estimate.bytes, read),
        Event::LogsSearched { bill, brought, .. } => (estimated, Some((*bill, *brought))),
        _ => (estimated, read),
    });
    let (bill, brought) = read.expect("it is in the log what was read");
    assert!(estimated.unwrap() >= bill.bytes && bill.bytes > 0, "{estimated:?}: {bill:?}");
    assert_eq!(bill.cost_micros, 50, "ten megabytes are billed at least");
    assert!(brought.rows > brought.new && brought.new >= 3 && !brought.cut, "{brought:?}");
    assert!(w.account.objects("athena-results-111122223333").keys().any(|key| key.starts_with("irp/")));
    assert!(w.offers(LOGS, "irp.logs_ask"), "it can be asked again");
    w.end().await;
}

/// A search runs in a table from before there were categories, with no more of the catalog than the template allows and
/// with these actions of Athena.
async fn older_table_searched(athena: &str) -> World {
    let w = World::start_with_rules(&rules().replace("\"cloudtrail_logs\"", "\"cloudtrail_logs_2019\"")).await;
    let narrow = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":[ATHENA,"s3:*"],"Resource":"*"},
        {"Effect":"Allow","Action":["glue:GetDatabase","glue:GetPartitions","glue:GetTable"],"Resource":[
            "arn:aws:glue:*:111122223333:catalog","arn:aws:glue:*:111122223333:database/security",
            "arn:aws:glue:*:111122223333:table/security/cloudtrail_logs_2019"]}]}"#;
    w.account.put_role_policy_directly("irp-reader", "logs", Some(&narrow.replace("ATHENA", athena)));
    attacker_copies(&w).await;
    w.incident().await;
    w.until_card(LOGS, "logs: not searched").await;
    sized(&w).await;
    assert_eq!(w.account.count("GetTableMetadata"), 0, "only who starts a query looks");
    w.click(ANA, LOGS, "irp.logs_run").await;
    w
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_from_before_there_were_categories_is_searched_without_them() {
    let w = older_table_searched("\"athena:*\"").await;
    w.until_within(Duration::from_mins(1), "they are searched", |w| w.says(LOGS, "logs: searched")).await;
    w.until("the hunt shows it", |w| blocks(w, HUNT).contains("2 call(s): customers.csv, orders-2026.csv")).await;
    assert_eq!((w.account.queries(), w.account.count("StartQueryExecution")), (1, 1), "what was approved, and no more");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_columns_cannot_be_seen_the_card_says_what_is_needed_and_nothing_else_is_started() {
    let w = older_table_searched(r#""athena:GetQueryExecution","athena:GetQueryResults","athena:StartQueryExecution""#)
        .await;
    let says = |w: &World| blocks(w, LOGS).contains("the reader role has athena:GetTableMetadata");
    w.until_within(Duration::from_mins(1), "it has failed", says).await;
    let card = blocks(&w, LOGS);
    assert!(card.contains("COLUMN_NOT_FOUND") && card.contains("AWS's documentation"), "{card}");
    assert_eq!((w.account.queries(), w.account.count("StartQueryExecution")), (1, 1));
    assert!(w.offers(LOGS, "irp.logs_ask"), "it can be asked again");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_whose_bucket_is_in_another_region_are_sized_too() {
    let w = World::start_with_rules(&rules()).await;
    w.account.put_bucket("trail-logs-111122223333", "eu-west-1", false);
    attacker_copies(&w).await;
    w.incident().await;
    w.until_card(LOGS, "logs: not searched").await;
    sized(&w).await;
    let card = blocks(&w, LOGS);
    assert!(card.contains("It would read") && !card.contains("not known"), "{card}");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_table_the_card_says_what_is_not_known_and_nobody_can_ask() {
    let w = World::start().await;
    attacker_copies(&w).await;
    w.incident().await;
    let says = |card: &str| {
        card.contains("reads and writes of data are not in the event history") && card.contains("account.athena")
    };
    w.until("the hunt has ended", |w| w.card(ANA, HUNT).is_some_and(|card| says(&card["blocks"].to_string()))).await;
    assert!(w.card(ANA, LOGS).is_none());
    assert!(w.forged_click(ANA, "irp.logs_ask", "INC-1").await.contains("cannot be searched"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_runs_can_be_cancelled_and_what_it_read_is_known() {
    let w = hunted().await;
    w.account.set_query_time(TimeDelta::hours(1));
    sized(&w).await;
    w.click(BEN, LOGS, "irp.logs_run").await;
    w.until("the query has a name", |w| blocks(w, LOGS).contains("as query")).await;
    assert!(w.click(ANA, LOGS, "irp.logs_cancel").await.contains("cancelled"));
    w.until("it stands still", |w| blocks(w, LOGS).contains("ended the search. Athena read")).await;
    assert_eq!((w.account.queries(), w.account.count("StopQueryExecution")), (1, 1));
    assert!(w.forged_click(ANA, "irp.logs_cancel", "INC-1 1").await.contains("has ended"));
    assert!(w.forged_click(ANA, "irp.logs_run", "INC-1 1").await.contains("has ended"));

    // One that is only sized reads nothing; one that runs keeps the incident open.
    sized(&w).await;
    assert!(w.click(ANA, LOGS, "irp.logs_cancel").await.contains("cancelled"));
    w.until("nothing was read", |w| blocks(w, LOGS).contains("Nothing was read")).await;
    sized(&w).await;
    w.click(BEN, LOGS, "irp.logs_run").await;
    w.until_card(LOGS, "logs: running").await;
    assert!(w.command(ANA, "/irp close INC-1 false-positive").await.contains("is running"));
    w.until("the query has a name", |w| blocks(w, LOGS).contains("as query")).await;
    w.click(ANA, LOGS, "irp.logs_cancel").await;
    w.until("it stands still", |w| blocks(w, LOGS).contains("ended the search. Athena read")).await;
    assert!(w.command(ANA, "/irp close INC-1 false-positive").await.contains("Closed INC-1"));
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_a_sentence_and_can_be_asked_again() {
    let w = hunted().await;
    let fails = async |says: &str| {
        sized(&w).await;
        w.click(ANA, LOGS, "irp.logs_run").await;
        w.until(says, |w| blocks(w, LOGS).contains(says)).await;
        assert!(w.offers(LOGS, "irp.logs_ask"));
    };
    w.account.fail_next("StartQueryExecution", Fault::AccessDenied);
    fails("athena:StartQueryExecution: AccessDeniedException").await;
    w.account.set_query_cutoff(Some(10));
    fails("Bytes scanned limit was exceeded").await;
    w.account.set_query_cutoff(None);
    w.account.fail_next("GetQueryResults", Fault::AccessDenied);
    fails("athena:GetQueryResults: AccessDeniedException").await;
    let only_athena =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["athena:*","glue:*"],"Resource":"*"}]}"#;
    w.account.put_role_policy_directly("irp-reader", "logs", Some(only_athena));
    fails("Insufficient permissions").await;
    assert!(blocks(&w, LOGS).contains("not known before it runs"), "the sizes of the files cannot be read either");
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_starts_no_second_query() {
    let w = hunted().await;
    sized(&w).await;
    w.account.fail_next("StartQueryExecution", Fault::DropAfter);
    w.click(ANA, LOGS, "irp.logs_run").await;
    w.until_card(LOGS, "logs: searched").await;
    assert!(w.account.count("StartQueryExecution") >= 2, "it was asked again");
    assert_eq!(w.account.queries(), 1, "and ran once");
    w.end().await;
}

/// The sandbox's clock as the engine's. Waits are short.
struct Shared(SandboxClock);

#[async_trait]
impl Clock for Shared {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
    async fn wait(&self, _: Duration) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

struct Members;

#[async_trait]
impl Directory for Members {
    async fn standing(&self, _: &UserId) -> Result<Standing, ChatError> {
        Ok(Standing::Member)
    }
    async fn members(&self, _: &GroupId) -> Result<BTreeSet<UserId>, ChatError> {
        Ok(BTreeSet::new())
    }
}

/// One process of the bot, without Slack.
async fn process(w: &World, store: &Arc<MemoryStore>) -> Engine {
    let organisation = Organisation::parse(&rules(), "irp.toml").unwrap();
    let key = w.account.principal_credentials("irp-bot").unwrap();
    let cloud = AwsCloud::new(AwsSettings {
        endpoint_url: Some(w.aws_url.clone()),
        accounts: vec![Account {
            id: "111122223333".parse().unwrap(),
            name: "sandbox".into(),
            reader_role_arn: Some("arn:aws:iam::111122223333:role/irp-reader".into()),
            contain_role_arn: None,
            eradicate_role_arn: None,
            regions: Some(Vec::new()),
            athena: organisation.accounts[0].athena.clone(),
        }],
        organization: None,
        credentials: Some(StaticKey {
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key.into(),
        }),
    });
    let clock = Arc::new(Shared(w.clock.clone()));
    let ports = Ports { store: store.clone(), cloud: Arc::new(cloud.await), directory: Arc::new(Members), clock };
    Engine::new(ports, organisation.policy(None), Playbook::parse(BUILT_IN).unwrap(), "r", &[Duration::ZERO])
}

async fn newest(engine: &Engine) -> LogSearch {
    engine.load(ID).await.unwrap().unwrap().logs.pop().expect("a search")
}

/// A search that has been sized and let run, and is not started yet.
async fn confirmed(w: &World, engine: &Engine) {
    assert_eq!(identified(engine, &w.stolen_key(), &w.clock).await, ID);
    engine.hunt(ID).await.unwrap();
    let ana: UserId = ANA.parse().unwrap();
    engine.act(ID, &ana, PersonCommand::AskLogs).await.unwrap();
    engine.logs(ID).await.unwrap();
    assert!(newest(engine).await.estimate.is_some());
    engine.act(ID, &ana, PersonCommand::RunLogs { number: 1 }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_finds_the_query_that_a_dead_process_has_started() {
    let (w, store) = (World::without_bot(false).await, Arc::default());
    attacker_copies(&w).await;
    let first = process(&w, &store).await;
    confirmed(&w, &first).await;
    w.account.fail_next("StartQueryExecution", Fault::HangAfter);
    tokio::select! {
        done = first.logs(ID) => panic!("it came to its end: {done:?}"),
        () = async { while w.account.queries() == 0 { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
    }
    drop(first);
    let second = process(&w, &store).await;
    assert_eq!(newest(&second).await.execution, None, "the first did not come to write it down");
    second.logs(ID).await.unwrap();
    assert_eq!(w.account.queries(), 1);
    let search = newest(&second).await;
    assert!(matches!(&search.end, Some(LogEnd::Done { brought, .. }) if brought.new >= 2), "{search:?}");
    let kept = store.trail(ID).await.unwrap();
    assert!(kept.records.values().any(|text| text.contains("customers.csv")));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_on_from_where_a_dead_process_was() {
    let (w, store) = (World::without_bot(false).await, Arc::default());
    let stolen = w.sdk(&w.account.access_keys("deploy-bot")[0]);
    let sts = aws_sdk_sts::Client::new(&stolen);
    for _ in 0..22 {
        let calls = (0..50).map(|_| sts.get_caller_identity().send());
        assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    }
    w.clock.advance(TimeDelta::minutes(6));
    let first = process(&w, &store).await;
    confirmed(&w, &first).await;
    w.account.set_query_time(TimeDelta::hours(1));
    tokio::select! {
        done = first.logs(ID) => panic!("it came to its end: {done:?}"),
        () = async {
            while newest(&first).await.execution.is_none() { tokio::time::sleep(Duration::from_millis(5)).await }
        } => {}
    }
    drop(first);
    // The dead process had read the first page: the columns' names, and 999 rows.
    let execution = newest(&process(&w, &store).await).await.execution.unwrap();
    let read = Rows { next: Some(format!("{execution}/1000")), execution, read: 999, new: 7, ..Rows::default() };
    store.keep_page(ID, &BTreeMap::new(), &BTreeSet::new(), &[("logs 1", &Mark::Rows(read))]).await.unwrap();
    assert_eq!(w.account.count("GetQueryResults"), 0);
    w.clock.advance(TimeDelta::minutes(61));
    let second = process(&w, &store).await;
    second.logs(ID).await.unwrap();
    let Some(LogEnd::Done { brought: Brought { rows, new, .. }, .. }) = newest(&second).await.end else {
        panic!("{:?}", newest(&second).await)
    };
    assert!(rows >= 1_100 && new >= 7, "{rows} rows, {new} of them new");
    assert_eq!(w.account.count("GetQueryResults"), 1, "the second page only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_an_end_is_stopped() {
    let (w, store) = (World::without_bot(false).await, Arc::default());
    attacker_copies(&w).await;
    let engine = process(&w, &store).await;
    confirmed(&w, &engine).await;
    w.account.set_query_time(TimeDelta::days(1));
    let run = engine.logs(ID);
    let later = async {
        while newest(&engine).await.execution.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        w.clock.advance(TimeDelta::minutes(46));
    };
    let (run, ()) = tokio::join!(run, later);
    run.unwrap();
    let search = newest(&engine).await;
    assert!(matches!(&search.end, Some(LogEnd::Failed { why, .. }) if why.contains("after 45 minutes")), "{search:?}");
    assert_eq!(w.account.count("StopQueryExecution"), 1);
}
