//! Where evidence packs go.

use std::fmt;
use std::path::PathBuf;

use super::Lookup;

/// The Region of a bucket whose Region is not said.
const HOME_REGION: &str = "us-east-1";
const LOCK_DAYS: u32 = 365;
/// S3 takes a hundred years.
const LOCK_DAYS_MAX: u32 = 36_500;
/// S3's bounds for the name of a bucket.
const BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;
/// Leaves room for a pack's own names in the 1,024 bytes of a key.
const PREFIX_CHARS_MAX: usize = 512;

/// A place for packs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Packs become folders in it.
    Folder(PathBuf),
    /// S3 with Object Lock.
    Bucket(Bucket),
}

/// A bucket, and how long packs are kept in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Comes before a pack's name; without `/` at either end, and may be empty.
    pub prefix: String,
    /// Where it is.
    pub region: String,
    /// Who could shorten that time.
    pub lock_mode: LockMode,
    /// How long nobody can delete a pack.
    pub lock_days: u32,
}

/// Who can take a lock away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockMode {
    /// Whoever has `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody, the account's root included.
    Compliance,
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        })
    }
}

impl Place {
    /// Reads the four variables; `None` when no place is set, or a fault was added.
    pub(super) fn read(env: &impl Lookup, faults: &mut Vec<String>) -> Option<Self> {
        let lock_mode = lock_mode(env, faults);
        let lock_days = lock_days(env, faults);
        let region = region(env, faults);
        let text = env.get("IRP_VAULT")?;
        let Some(address) = text.strip_prefix("s3://") else {
            if text.contains("://") {
                faults.push(format!("IRP_VAULT: “{text}” is neither a folder nor s3://bucket/prefix."));
                return None;
            }
            return Some(Self::Folder(text.into()));
        };
        let (name, prefix) = address.split_once('/').unwrap_or((address, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_bucket_name(name) {
            faults.push(format!(
                "IRP_VAULT: “{name}” is not a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens."
            ));
            return None;
        }
        if !is_prefix(prefix) {
            faults.push(format!(
                "IRP_VAULT: “{prefix}” cannot be used as a prefix: only letters, digits and - _ . between single /."
            ));
            return None;
        }
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        Some(Self::Bucket(Bucket { name, prefix, region: region?, lock_mode: lock_mode?, lock_days: lock_days? }))
    }
}

fn lock_mode(env: &impl Lookup, faults: &mut Vec<String>) -> Option<LockMode> {
    let Some(text) = env.get("IRP_VAULT_LOCK_MODE") else { return Some(LockMode::Governance) };
    let known = [LockMode::Governance, LockMode::Compliance];
    let found = known.into_iter().find(|mode| mode.to_string().eq_ignore_ascii_case(&text));
    if found.is_none() {
        faults.push(format!("IRP_VAULT_LOCK_MODE: “{text}” is neither GOVERNANCE nor COMPLIANCE."));
    }
    found
}

fn lock_days(env: &impl Lookup, faults: &mut Vec<String>) -> Option<u32> {
    let Some(text) = env.get("IRP_VAULT_LOCK_DAYS") else { return Some(LOCK_DAYS) };
    let days = text.parse().ok().filter(|days| (1..=LOCK_DAYS_MAX).contains(days));
    if days.is_none() {
        faults.push(format!("IRP_VAULT_LOCK_DAYS: “{text}” is not a number of days from 1 to {LOCK_DAYS_MAX}."));
    }
    days
}

fn region(env: &impl Lookup, faults: &mut Vec<String>) -> Option<String> {
    let text = env.get("IRP_VAULT_REGION").unwrap_or_else(|| HOME_REGION.to_owned());
    let well_formed = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !well_formed {
        faults.push(format!("IRP_VAULT_REGION: “{text}” is not a Region such as eu-west-1."));
    }
    well_formed.then_some(text)
}

pub(super) fn is_bucket_name(name: &str) -> bool {
    let ends = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    BUCKET_CHARS.contains(&bytes.len())
        && bytes.iter().all(|b| ends(*b) || matches!(b, b'.' | b'-'))
        && bytes.first().is_some_and(|b| ends(*b))
        && bytes.last().is_some_and(|b| ends(*b))
        && !name.contains("..")
}

pub(super) fn is_prefix(prefix: &str) -> bool {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    prefix.is_empty() || (prefix.len() <= PREFIX_CHARS_MAX && prefix.split('/').all(is_part))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    impl Lookup for BTreeMap<&str, &str> {
        fn get(&self, name: &str) -> Option<String> {
            BTreeMap::get(self, name).map(|value| (*value).to_owned())
        }
    }

    fn read(values: &[(&str, &str)]) -> (Option<Place>, String) {
        let env: BTreeMap<&str, &str> = values.iter().copied().collect();
        let mut faults = Vec::new();
        let place = Place::read(&env, &mut faults);
        (place, faults.join("\n"))
    }

    #[test]
    fn a_bucket_is_locked_for_a_year_unless_said_otherwise() {
        let bucket = |lock_mode, lock_days, prefix: &str, region: &str| {
            let (name, prefix, region) = ("evidence-1".to_owned(), prefix.to_owned(), region.to_owned());
            (Some(Place::Bucket(Bucket { name, prefix, region, lock_mode, lock_days })), String::new())
        };
        assert_eq!(read(&[("IRP_VAULT", "s3://evidence-1")]), bucket(LockMode::Governance, 365, "", "us-east-1"));
        let all = [
            ("IRP_VAULT", "s3://evidence-1/irp/packs/"),
            ("IRP_VAULT_REGION", "eu-west-1"),
            ("IRP_VAULT_LOCK_MODE", "compliance"),
            ("IRP_VAULT_LOCK_DAYS", "2557"),
        ];
        assert_eq!(read(&all), bucket(LockMode::Compliance, 2557, "irp/packs", "eu-west-1"));
    }

    #[test]
    fn anything_else_is_a_folder_or_nothing() {
        assert_eq!(read(&[]), (None, String::new()));
        assert_eq!(
            read(&[("IRP_VAULT", "/srv/evidence")]),
            (Some(Place::Folder("/srv/evidence".into())), String::new())
        );
    }

    #[test]
    fn what_cannot_be_used_is_said_and_all_of_it() {
        for (value, says) in [
            ("gs://evidence", "neither a folder nor s3://"),
            ("s3://", "not a bucket's name"),
            ("s3://Evidence", "not a bucket's name"),
            ("s3://-evidence", "not a bucket's name"),
            ("s3://evi..dence", "not a bucket's name"),
            ("s3://evidence//packs", "cannot be used as a prefix"),
            ("s3://evidence/../packs", "cannot be used as a prefix"),
            ("s3://evidence/pa cks", "cannot be used as a prefix"),
        ] {
            let (place, said) = read(&[("IRP_VAULT", value)]);
            assert!(place.is_none() && said.contains(says), "{value}: {said}");
        }
        let (place, said) = read(&[
            ("IRP_VAULT", "s3://evidence"),
            ("IRP_VAULT_REGION", "Ireland"),
            ("IRP_VAULT_LOCK_MODE", "LEGAL_HOLD"),
            ("IRP_VAULT_LOCK_DAYS", "0"),
        ]);
        assert_eq!((place, said.lines().count()), (None, 3), "{said}");
    }
}
