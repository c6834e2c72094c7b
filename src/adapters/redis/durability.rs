//! Whether the server keeps what it is given, and has the same time.

use std::collections::BTreeMap;

use ::redis::{InfoDict, RedisError, cmd};
use chrono::{DateTime, TimeDelta, Utc};

use super::link::Link;
use crate::adapters::clock::SystemClock;
use crate::ports::{Clock as _, StoreError};

/// By how much clocks may differ.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::seconds(2);

/// See [`crate::ports::Store::durability_faults`]. Managed services forbid `CONFIG` and may forbid
/// `INFO`: what could not be asked is said, and is not taken for safe.
pub(super) async fn faults(link: &Link) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let Some(info) = unless_refused(cmd("INFO").query_async::<InfoDict>(&mut link.clone()).await)? else {
        return Ok(vec![
            "Redis does not allow INFO: whether it keeps what it is given could not be checked.".to_owned(),
        ]);
    };
    let said = |name: &str| info.get::<String>(name);
    let mut check = |setting: &str, actual: Option<String>, wanted: &str, otherwise: &str| match actual.as_deref() {
        Some(value) if value == wanted => {}
        Some(value) => faults.push(format!("Redis has {setting} {value} instead of {wanted}: {otherwise}.")),
        None => faults.push(format!("Redis does not say whether {setting} is {wanted}: it could not be checked.")),
    };
    check("role", said("role"), "master", "what is written here is refused, or lost at the next synchronisation");
    let append_only = said("aof_enabled").map(|on| if on == "1" { "yes" } else { "no" }.to_owned());
    check("appendonly", append_only.clone(), "yes", "a restart loses incidents and approvals");
    check("maxmemory-policy", said("maxmemory_policy"), "noeviction", "it deletes records when memory runs short");
    if append_only.as_deref() == Some("yes") {
        check("aof_last_write_status", said("aof_last_write_status"), "ok", "its disk does not take what is written");
        faults.extend(sync_fault(link).await?);
    }
    faults.extend(clock_fault(link).await?);
    Ok(faults)
}

/// Every replica keeps the time limits of approvals by its own clock: they have to agree, and the server that all of them
/// share is what they can be measured against.
async fn clock_fault(link: &Link) -> Result<Option<String>, StoreError> {
    let asked_at = SystemClock.now();
    let answer = unless_refused(cmd("TIME").query_async::<(i64, i64)>(&mut link.clone()).await)?;
    let Some(there) = answer.and_then(|(seconds, _)| DateTime::from_timestamp(seconds, 0)) else {
        return Ok(Some("Redis does not allow TIME: whether the clocks agree could not be checked.".to_owned()));
    };
    Ok(apart(there, asked_at, SystemClock.now()))
}

/// The server's time lies between question and answer, give or take what is allowed.
fn apart(there: DateTime<Utc>, asked_at: DateTime<Utc>, answered_at: DateTime<Utc>) -> Option<String> {
    let (off, word) = if there < asked_at { (asked_at - there, "ahead of") } else { (there - answered_at, "behind") };
    (off > CLOCKS_APART_MAX).then(|| {
        format!(
            "This machine's clock is {} s {word} Redis's: the time limits of approvals would be kept wrongly. Have both set \
             their clocks by NTP.",
            off.num_seconds()
        )
    })
}

async fn sync_fault(link: &Link) -> Result<Option<String>, StoreError> {
    let mut ask = cmd("CONFIG");
    ask.arg("GET").arg("appendfsync");
    let settings = unless_refused(ask.query_async::<BTreeMap<String, String>>(&mut link.clone()).await)?;
    let setting = settings.as_ref().and_then(|settings| settings.get("appendfsync"));
    Ok(match setting.map(String::as_str) {
        Some("always" | "everysec") => None,
        Some(value) => Some(format!(
            "Redis has appendfsync {value} instead of everysec or always: a power cut loses what the system had not written yet."
        )),
        None => Some(
            "Redis does not allow CONFIG GET: whether appendfsync is everysec or always could not be checked."
                .to_owned(),
        ),
    })
}

/// `None` when the server answered, but with a no.
fn unless_refused<T>(answer: Result<T, RedisError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if matches!(error.code(), Some("NOPERM" | "ERR")) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_is_named_with_its_direction() {
        let at = |seconds: i64| DateTime::from_timestamp(1_000 + seconds, 0).unwrap();
        assert_eq!(apart(at(0), at(0), at(3)), None);
        assert_eq!(apart(at(5), at(0), at(3)), None);
        assert!(apart(at(0), at(90), at(91)).unwrap().contains("90 s ahead of"));
        assert!(apart(at(90), at(0), at(1)).unwrap().contains("89 s behind"));
    }
}
