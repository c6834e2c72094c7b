//! What users have to get in with. Two lists are of the whole account; keys and passwords are asked for user by user,
//! so of a large account only those of the users that can matter are read, as its credential report says.

use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_credential_report::GetCredentialReportError;
use backon::{ConstantBuilder, Retryable};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::super::fault::{fault, is_missing};
use super::super::instant;
use super::super::observe::status;
use super::uploads::{self, CERTIFICATE, SSH_KEY};
use super::{AT_ONCE, PAGES_MAX, cut_short, paged};
use crate::domain::action::is_virtual;
use crate::domain::hunt::pivot::HOME_REGION;
use crate::domain::inventory::evidence::PASSWORD;
use crate::domain::inventory::{CredentialReport, Stock, Thing};
use crate::domain::observation::KeyStatus;
use crate::domain::refusal::moment;
use crate::ports::Look;

/// Of an account with no more users than this, all are read.
const USERS_ALL: usize = 50;
/// Of a larger one no more than this.
const USERS_MAX: usize = 150;
/// How often, and how many times, it is looked whether a new credential report is there.
const REPORT_WAIT: Duration = Duration::from_secs(2);
const REPORT_TRIES: usize = 10;
const USER: &str = "AWS::IAM::User";
const KEY: &str = "AWS::IAM::AccessKey";
const MFA: &str = "AWS::IAM::VirtualMFADevice";
/// One that is not virtual: a security key, or a token that shows numbers.
const HARDWARE_MFA: &str = "AWS::IAM::MFADevice";
const SERVICE: &str = "AWS::IAM::ServiceSpecificCredential";
/// Of the keys of models: they call without a signature.
const BEDROCK: &str = "bedrock.amazonaws.com";

pub(super) async fn read(iam: &Client, look: Look<'_>, users: Vec<(String, Option<DateTime<Utc>>)>) -> Stock {
    let (mut stock, devices, services) =
        tokio::join!(Box::pin(of_users(iam, look, users)), Box::pin(devices(iam, look)), Box::pin(services(iam, look)));
    stock.take(devices);
    stock.take(services);
    stock
}

/// Keys, passwords, and devices that are in no list of the whole account.
async fn of_users(iam: &Client, look: Look<'_>, users: Vec<(String, Option<DateTime<Utc>>)>) -> Stock {
    let mut stock = Stock::default();
    let all = users.len();
    let mut wanted: Vec<String> = if all <= USERS_ALL {
        users.into_iter().map(|(name, _)| name).collect()
    } else {
        Box::pin(of_many(iam, look, users, &mut stock)).await
    };
    if wanted.len() > USERS_MAX {
        let left = wanted.len() - USERS_MAX;
        let what = format!(
            "keys, passwords, hardware MFA devices, SSH keys and signing certificates of {left} more users that can matter"
        );
        stock.gap(HOME_REGION, &[KEY, USER, HARDWARE_MFA, SSH_KEY, CERTIFICATE], what);
        wanted.truncate(USERS_MAX);
    }
    for some in wanted.chunks(AT_ONCE) {
        let reads = some.iter().map(|name| Box::pin(of_user(iam, name, look)));
        join_all(reads).await.into_iter().for_each(|one| stock.take(one));
    }
    stock
}

/// Of a large account those who are new, whom the attacker has reached, or who have something new to get in with.
async fn of_many(
    iam: &Client,
    look: Look<'_>,
    users: Vec<(String, Option<DateTime<Utc>>)>,
    stock: &mut Stock,
) -> Vec<String> {
    let all = users.len();
    let (report, says) = match report(iam, look.since).await {
        Ok((report, at)) => {
            stock.as_of = Some(at);
            let says = format!(
                "or to whom the credential report of {} gives a newer password or key. What others have got since shows in \
                 the next report, after four hours at most",
                moment(at)
            );
            (Some(report), says)
        }
        Err(why) => {
            stock.gap(HOME_REGION, &[KEY, USER], format!("the credential report: {why}"));
            (None, "because there is no credential report to go by".to_owned())
        }
    };
    let by_report = |name: &String| {
        report.as_ref().is_some_and(|report| report.renewed.contains(name) || !report.users.contains(name))
    };
    let matters = |(name, at): &(String, Option<DateTime<Utc>>)| {
        look.users.contains(name) || at.is_some_and(|at| at >= look.since) || by_report(name)
    };
    let wanted: Vec<String> = users.into_iter().filter(matters).map(|(name, _)| name).collect();
    stock.limits.insert(format!(
        "Access keys, passwords, hardware MFA devices, SSH keys and signing certificates were read of {} of {all} users: of \
         those that are new, that the attacker has reached, {says}.",
        wanted.len()
    ));
    wanted
}

/// The credential report, and when it was made: one that AWS has is good for four hours, and a new one takes some seconds.
async fn report(iam: &Client, since: DateTime<Utc>) -> Result<(CredentialReport, DateTime<Utc>), String> {
    let asked = Box::pin(iam.generate_credential_report().send()).await;
    asked.map_err(|e| fault("iam:GenerateCredentialReport", &e).to_string())?;
    let waits = ConstantBuilder::new().with_delay(REPORT_WAIT).with_max_times(REPORT_TRIES);
    let get = || async {
        let answer = Box::pin(iam.get_credential_report().send()).await;
        answer.map_err(|e| {
            let under_way =
                e.as_service_error().is_some_and(GetCredentialReportError::is_credential_report_not_ready_exception);
            (under_way, fault("iam:GetCredentialReport", &e).to_string())
        })
    };
    let answer = get.retry(waits).when(|(under_way, _)| *under_way).await.map_err(|(_, why)| why)?;
    let at = answer.generated_time.as_ref().and_then(instant).ok_or("it does not say of when it is")?;
    let content = answer.content.map(aws_sdk_iam::primitives::Blob::into_inner).unwrap_or_default();
    let read = CredentialReport::read(&String::from_utf8_lossy(&content), since);
    Ok((read.ok_or("it is not of the form that is known")?, at))
}

async fn of_user(iam: &Client, name: &str, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let keys = async { paged!("iam:ListAccessKeys", iam.list_access_keys().user_name(name), access_key_metadata) };
    let login = async { Box::pin(iam.get_login_profile().user_name(name).send()).await };
    let devices = async { paged!("iam:ListMFADevices", iam.list_mfa_devices().user_name(name), mfa_devices) };
    let uploads = Box::pin(uploads::of_user(iam, name, look));
    let ((keys, _, failed), login, (devices, _, unread), uploads) = tokio::join!(keys, login, devices, uploads);
    stock.take(uploads);
    // A user who has gone meanwhile has no keys.
    if let Some(error) = failed.filter(|error| !is_missing(error)) {
        stock.gap(HOME_REGION, &[KEY], format!("keys of user {name}: {error}"));
    }
    for key in keys {
        let Some(id) = key.access_key_id else { continue };
        let at = key.create_date.as_ref().and_then(instant);
        let thing = Thing::of_iam(KEY, &id, at).owned_by(USER, name).fact(format!("of user {name}"));
        let off = key.status.as_ref().is_some_and(|of| status(of) == KeyStatus::Inactive);
        stock.add(if off { thing.fact("Inactive") } else { thing }, look.since);
    }
    if let Some(error) = unread.filter(|error| !is_missing(error)) {
        stock.gap(HOME_REGION, &[HARDWARE_MFA], format!("MFA devices of user {name}: {error}"));
    }
    for device in devices.iter().filter(|device| !is_virtual(&device.serial_number)) {
        let thing = Thing::of_iam(HARDWARE_MFA, &device.serial_number, instant(&device.enable_date));
        stock.add(thing.owned_by(USER, name).fact(format!("of user {name}")), look.since);
    }
    match login.map_err(|e| fault("iam:GetLoginProfile", &e)) {
        Ok(answer) => {
            let at = answer.login_profile.and_then(|profile| instant(&profile.create_date));
            let thing = Thing::of_iam(USER, name, at).part(PASSWORD).owned_by(USER, name);
            stock.add(thing.fact("can sign in to the console"), look.since);
        }
        Err(error) if is_missing(&error) => {}
        Err(error) => stock.gap(HOME_REGION, &[USER], format!("password of user {name}: {error}")),
    }
    stock
}

/// All virtual MFA devices. One that is on nobody has no time, and lets nobody in.
async fn devices(iam: &Client, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let (found, cut, failed) = paged!("iam:ListVirtualMFADevices", iam.list_virtual_mfa_devices(), virtual_mfa_devices);
    if cut {
        stock.gap(HOME_REGION, &[MFA], cut_short("MFA devices"));
    }
    if let Some(error) = failed {
        stock.gap(HOME_REGION, &[MFA], error.to_string());
    }
    for device in found {
        let mut thing = Thing::of_iam(MFA, &device.serial_number, device.enable_date.as_ref().and_then(instant));
        if let Some(user) = device.user {
            thing = thing.owned_by(USER, &user.user_name).fact(format!("of user {}", user.user_name));
        }
        stock.add(thing, look.since);
    }
    stock
}

/// Credentials for one service, of all users.
async fn services(iam: &Client, look: Look<'_>) -> Stock {
    let mut stock = Stock::default();
    let mut marker: Option<String> = None;
    for page in 0.. {
        if page == PAGES_MAX {
            stock.gap(HOME_REGION, &[SERVICE], cut_short("service-specific credentials"));
            break;
        }
        let asked = iam.list_service_specific_credentials().all_users(true).set_marker(marker.take());
        let answer = match Box::pin(asked.send()).await.map_err(|e| fault("iam:ListServiceSpecificCredentials", &e)) {
            Ok(answer) => answer,
            Err(error) => {
                stock.gap(HOME_REGION, &[SERVICE], error.to_string());
                break;
            }
        };
        for found in answer.service_specific_credentials.unwrap_or_default() {
            let user = &found.user_name;
            let what =
                if found.service_name == BEDROCK { "Amazon Bedrock API key" } else { found.service_name.as_str() };
            let thing = Thing::of_iam(SERVICE, &found.service_specific_credential_id, instant(&found.create_date))
                .owned_by(USER, user)
                .fact(format!("{what} of user {user}"));
            let off = status(&found.status) == KeyStatus::Inactive;
            stock.add(if off { thing.fact("Inactive") } else { thing }, look.since);
        }
        marker = answer.marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            break;
        }
    }
    stock
}
