//! Where an account's CloudTrail logs can be searched with Athena.

use serde::{Deserialize, Serialize};

use crate::domain::hunt::athena::{DayFormat, Identifier, Table};

/// What Athena asks for a terabyte in most Regions, in cents of a dollar.
const CENTS_PER_TB: u32 = 500;
/// More than that is a mistake.
const CENTS_PER_TB_MAX: u32 = 100_000;

/// `[account.athena]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Athena {
    /// Where the table is.
    pub region: String,
    database: String,
    table: String,
    /// Where Athena puts what it finds: `s3://bucket/prefix/`
    pub output_location: String,
    /// The workgroup; `primary` when absent. Its limit of bytes is the one that holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workgroup: Option<String>,
    /// The data catalog; the account's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    #[serde(default = "timestamp")]
    day_column: String,
    #[serde(default)]
    day_format: DayFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region_column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_column: Option<String>,
    /// The folder of the logs that has the Regions in it: by it is known what a search would read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_location: Option<String>,
    /// What a terabyte costs there.
    #[serde(default = "usual_price")]
    pub cents_per_tb: u32,
}

fn timestamp() -> String {
    "timestamp".to_owned()
}

const fn usual_price() -> u32 {
    CENTS_PER_TB
}

impl Athena {
    /// The table that is asked; `None` where something is wrong with the settings.
    pub fn table(&self) -> Option<Table> {
        let optional = |name: &Option<String>| match name {
            None => Some(None),
            Some(name) => name.parse().ok().map(Some),
        };
        Some(Table {
            database: self.database.parse().ok()?,
            name: self.table.parse().ok()?,
            day: self.day_column.parse().ok()?,
            day_format: self.day_format,
            region: optional(&self.region_column)?,
            account: optional(&self.account_column)?,
        })
    }

    /// What is wrong, a sentence each, without the place where it stands.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let named = [
            ("database", Some(&self.database)),
            ("table", Some(&self.table)),
            ("day_column", Some(&self.day_column)),
            ("region_column", self.region_column.as_ref()),
            ("account_column", self.account_column.as_ref()),
        ];
        for (what, name) in named {
            if let Some(Err(wrong)) = name.map(|name| name.parse::<Identifier>()) {
                faults.push(format!("athena.{what}: {wrong}."));
            }
        }
        if !super::organisation::is_region(&self.region) {
            faults.push(format!("athena.region: “{}” is not a Region such as eu-west-1.", self.region));
        }
        let places = [("output_location", Some(&self.output_location)), ("logs_location", self.logs_location.as_ref())];
        for (what, place) in places {
            if let Some(place) = place.filter(|place| !is_folder(place)) {
                faults.push(format!("athena.{what}: “{place}” is not a folder in S3: write s3://bucket/prefix/."));
            }
        }
        let odd = |text: &&String| {
            !(1..=128).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        };
        for (what, name) in [("workgroup", &self.workgroup), ("catalog", &self.catalog)] {
            if let Some(name) = name.as_ref().filter(odd) {
                faults.push(format!(
                    "athena.{what}: “{name}” is not a name: up to 128 letters, digits, dots, hyphens and underscores."
                ));
            }
        }
        if !(1..=CENTS_PER_TB_MAX).contains(&self.cents_per_tb) {
            faults.push(format!(
                "athena.cents_per_tb is {}: it has to be from 1 to {CENTS_PER_TB_MAX}, as 500 for 5 dollars.",
                self.cents_per_tb
            ));
        }
        faults
    }
}

/// The bucket and the prefix of an address like `s3://bucket/prefix/`.
pub fn bucket_and_prefix(place: &str) -> Option<(&str, &str)> {
    place.strip_prefix("s3://")?.split_once('/')
}

fn is_folder(place: &str) -> bool {
    bucket_and_prefix(place).is_some_and(|(bucket, prefix)| {
        super::vault::is_bucket_name(bucket)
            && (prefix.is_empty() || prefix.strip_suffix('/').is_some_and(super::vault::is_prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Organisation;

    const BEFORE: &str = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                          [people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\n[[account]]\nid = \"111122223333\"\n\
                          name = \"x\"\n[account.athena]\n";
    const LEAST: [(&str, &str); 4] = [
        ("region", "\"eu-west-1\""),
        ("database", "\"security\""),
        ("table", "\"cloudtrail_logs\""),
        ("output_location", "\"s3://results-1/irp/\""),
    ];

    fn file(changed: &[(&str, &str)]) -> String {
        let kept = LEAST.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        let lines: Vec<String> = kept.chain(changed).map(|(name, value)| format!("{name} = {value}\n")).collect();
        format!("{BEFORE}{}", lines.concat())
    }

    #[test]
    fn the_least_is_enough_and_the_account_can_be_searched() {
        let organisation = Organisation::parse(&file(&[]), "irp.toml").unwrap();
        assert!(organisation.policy(None).logs.contains(&"111122223333".parse().unwrap()));
        let athena = organisation.accounts[0].athena.as_ref().unwrap();
        assert_eq!((athena.cents_per_tb, athena.table().unwrap().day.to_string()), (500, "\"timestamp\"".to_owned()));
        let without = BEFORE.replace("[account.athena]\n", "");
        assert!(Organisation::parse(&without, "irp.toml").unwrap().policy(None).logs.is_empty());
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name() {
        for (name, value) in [
            ("region", "\"mars\""),
            ("database", "\"a\\\"b\""),
            ("table", "\"logs; DROP TABLE x\""),
            ("day_column", "\"\""),
            ("region_column", "\"Region\""),
            ("account_column", "\"a.b\""),
            ("output_location", "\"results\""),
            ("output_location", "\"s3://results-1\""),
            ("output_location", "\"s3://results-1/irp\""),
            ("logs_location", "\"https://x/\""),
            ("workgroup", "\"a b\""),
            ("catalog", "\"\""),
            ("cents_per_tb", "0"),
            ("day_format", "\"dd.MM.yyyy\""),
            ("typo", "1"),
        ] {
            let faults = Organisation::parse(&file(&[(name, value)]), "irp.toml").unwrap_err().to_string();
            assert!(faults.starts_with("irp.toml") && faults.contains(name), "{name}: {faults}");
        }
        let half = file(&[]).replace("table = \"cloudtrail_logs\"\n", "");
        assert!(Organisation::parse(&half, "irp.toml").unwrap_err().to_string().contains("table"));
    }
}
