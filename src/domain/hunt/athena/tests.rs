use proptest::prelude::*;
use serde_json::json;

use super::*;

fn table() -> Table {
    Table {
        database: "security".parse().unwrap(),
        name: "cloudtrail_logs".parse().unwrap(),
        day: "timestamp".parse().unwrap(),
        day_format: DayFormat::Slashes,
        region: "region".parse().ok(),
        account: "account".parse().ok(),
    }
}

fn question(keys: &[&str], principals: &[&str], addresses: &[&str]) -> LogQuestion {
    let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    LogQuestion {
        account: "111122223333".parse().unwrap(),
        from: "2026-01-30T10:00:00Z".parse().unwrap(),
        until: "2026-01-31T09:30:00Z".parse().unwrap(),
        regions: owned(&["us-east-1", "eu-west-1"]),
        keys: owned(keys),
        principals: owned(principals),
        addresses: owned(addresses),
        left_out: Vec::new(),
    }
}

#[test]
fn a_statement_reads_only_the_partitions_and_says_how_much_at_most() {
    let asked = question(&["AKIAIOSFODNN7EXAMPLE"], &[], &["198.51.100.77", "2001:db8::7"]);
    let sql = sql(&table(), &asked).unwrap();
    let (_, bounds) = sql.split_once(" WHERE ").unwrap();
    assert_eq!(
        bounds,
        "\"timestamp\" BETWEEN '2026/01/30' AND '2026/02/01' AND \"region\" IN ('us-east-1', 'eu-west-1') AND \
         \"account\" = '111122223333' AND recipientaccountid = '111122223333' AND awsregion IN ('us-east-1', 'eu-west-1') \
         AND eventtime BETWEEN '2026-01-30T10:00:00Z' AND '2026-01-31T09:30:00Z' AND (useridentity.accesskeyid IN \
         ('AKIAIOSFODNN7EXAMPLE') OR sourceipaddress IN ('198.51.100.77', '2001:db8::7')) ORDER BY eventtime DESC LIMIT 4001"
    );
    let other = Table { day_format: DayFormat::Plain, region: None, account: None, ..table() };
    let sql = super::sql(&other, &asked).unwrap();
    assert!(sql.contains("WHERE \"timestamp\" BETWEEN '20260130' AND '20260201' AND recipientaccountid"), "{sql}");
}

#[test]
fn what_could_end_a_literal_is_not_asked_and_without_anything_to_ask_for_nothing_is() {
    for value in ["", "x'y", "x\\", "x y", "x\ny", "é", "x?", "x;", "x\"", "x)", "x*", "%", &"x".repeat(513)] {
        assert!(!is_literal(value), "{value}");
        assert_eq!(sql(&table(), &question(&[value], &[value], &[value])), None, "{value}");
    }
    assert_eq!(sql(&table(), &question(&[], &[], &[])), None);
    let nowhere = LogQuestion { regions: vec!["'".into()], ..question(&["AKIAIOSFODNN7EXAMPLE"], &[], &[]) };
    assert_eq!(sql(&table(), &nowhere), None);
}

#[test]
fn names_that_would_need_quotes_are_refused() {
    for wrong in ["", "a\"b", "a b", "a.b", "A", "é", &"a".repeat(129)] {
        assert!(wrong.parse::<Identifier>().is_err(), "{wrong}");
    }
}

#[test]
fn a_row_becomes_the_record_that_it_was() {
    let whole = json!({
        "userIdentity": {"type": "AssumedRole", "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {"sessionIssuer": {"userName": "app"}, "attributes": {"mfaAuthenticated": "false"}}},
        "eventTime": "2026-01-31T09:30:00Z", "eventName": "GetObject", "eventID": "e-1", "readOnly": true,
        "requestParameters": {"bucketName": "b", "key": "k"}, "eventCategory": "Data",
    });
    let lookup = |path: &str| {
        let value = whole.pointer(&format!("/{}", path.replace('.', "/")))?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let row: Vec<Option<String>> = COLUMNS.iter().chain(&ABOUT).map(|path| lookup(path)).collect();
    let back: Value = serde_json::from_str(&record(&row).unwrap()).unwrap();
    let mut expected = whole.clone();
    expected["managementEvent"] = json!(false);
    assert_eq!(back, expected);
    assert_eq!(record(&row[2..]), None);
    let mut odd = row.clone();
    odd[23] = Some("{not json".into());
    assert!(record(&odd).unwrap().contains("{not json"));
}

#[test]
fn a_table_without_the_category_is_asked_for_the_rest_and_data_events_are_told_by_their_names() {
    let why = "COLUMN_NOT_FOUND: line 1:1140: Column 'eventcategory' cannot be resolved or requester is not authorized";
    assert!(lacks_category(why) && lacks_column(why));
    let other = why.replace("eventcategory", "sharedeventid");
    assert!(!lacks_category(&other) && lacks_column(&other));
    assert!(!lacks_column("HIVE_CURSOR_ERROR: eventcategory"));
    let columns = ["eventversion", "sharedeventid", "timestamp"].map(str::to_owned);
    assert!(!has_category(&columns) && has_category(&["region".to_owned(), "eventcategory".to_owned()]));
    let whole = sql(&table(), &question(&["AKIAIOSFODNN7EXAMPLE"], &[], &[])).unwrap();
    let less = without_category(&whole).unwrap();
    assert!(less.contains("sharedeventid FROM \"security\"") && !less.contains("eventcategory"), "{less}");
    assert_eq!(less.split_once(" WHERE ").unwrap().1, whole.split_once(" WHERE ").unwrap().1);
    assert_eq!(without_category(&less), None);

    let named = |source: &str, name: &str| -> Value {
        let value = |path: &&str| match *path {
            "eventSource" => Some(source.to_owned()),
            "eventName" => Some(name.to_owned()),
            _ => None,
        };
        let row: Vec<Option<String>> = COLUMNS.iter().chain(&ABOUT[..2]).map(value).collect();
        serde_json::from_str(&record(&row).unwrap()).unwrap()
    };
    assert_eq!(named("s3.amazonaws.com", "GetObject")["managementEvent"], false);
    assert_eq!(named("lambda.amazonaws.com", "Invoke")["managementEvent"], false);
    for (source, name) in [("s3.amazonaws.com", "PutBucketPolicy"), ("iam.amazonaws.com", "GetObject")] {
        assert!(named(source, name)["managementEvent"].is_null(), "{source} {name}");
    }
}

#[test]
fn it_costs_what_is_begun_and_ten_megabytes_at_least() {
    assert_eq!(cost_micros(0, 500), 50);
    assert_eq!(cost_micros(10_000_000, 500), 50);
    assert_eq!(cost_micros(10_000_001, 500), 55);
    assert_eq!(cost_micros(1_000_000_000_000, 500), 5_000_000);
    assert_eq!(cost_micros(1_000_000_000_000, 900), 9_000_000);
    assert!(cost_micros(u64::MAX, u32::MAX) > 0);
}

/// The texts between single quotes, and what is left without them.
fn taken_apart(sql: &str) -> (Vec<String>, String) {
    let (inside, outside): (Vec<_>, Vec<_>) = sql.split('\'').enumerate().partition(|(i, _)| i % 2 == 1);
    let texts = |parts: Vec<(usize, &str)>| parts.into_iter().map(|(_, part)| part.to_owned()).collect::<Vec<_>>();
    (texts(inside), texts(outside).join("''"))
}

proptest! {
    /// What is outside of literals depends on how many there are, and on nothing that is in them.
    #[test]
    fn no_value_leaves_its_literal(
        keys in proptest::collection::vec(any::<String>(), 0..4),
        principals in proptest::collection::vec("[ -~]{0,40}", 0..4),
        addresses in proptest::collection::vec("[0-9a-f:.'\\\\]{1,20}", 1..4),
    ) {
        let asked = LogQuestion { keys, principals, addresses, ..question(&[], &[], &[]) };
        let Some(sql) = sql(&table(), &asked) else {
            let all = asked.keys.iter().chain(&asked.principals).chain(&asked.addresses);
            prop_assert!(all.into_iter().all(|value| !is_literal(value)));
            return Ok(());
        };
        let (inside, outside) = taken_apart(&sql);
        prop_assert!(inside.iter().all(|text| is_literal(text)));
        let plain = |values: &[String]| values.iter().filter(|v| is_literal(v)).map(|_| "x".to_owned()).collect();
        let harmless = LogQuestion {
            keys: plain(&asked.keys),
            principals: plain(&asked.principals),
            addresses: plain(&asked.addresses),
            ..asked
        };
        let (_, same) = taken_apart(&super::sql(&table(), &harmless).unwrap());
        prop_assert_eq!(outside, same);
    }
}
