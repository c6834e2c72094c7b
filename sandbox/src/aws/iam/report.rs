//! The credential report: made when it is asked for, ready a moment later, and good for four hours.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::aws::operation::Call;
use crate::aws::state::{User, World};
use crate::aws::wire::{ApiError, Node};

const GOOD_FOR: TimeDelta = TimeDelta::hours(4);
/// From the question for one until it is there.
const TAKES: TimeDelta = TimeDelta::seconds(1);
const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// One of them.
#[derive(Clone, Debug)]
pub(in crate::aws) struct CredentialReport {
    made_at: DateTime<Utc>,
    text: String,
}

pub(super) fn generate(call: &mut Call<'_>) -> Node {
    let now = call.now;
    let state = match &call.world.credential_report {
        Some(report) if now < report.made_at + TAKES => "INPROGRESS",
        Some(report) if now < report.made_at + GOOD_FOR => "COMPLETE",
        _ => {
            let text = written(call.world);
            call.world.credential_report = Some(CredentialReport { made_at: now, text });
            "STARTED"
        }
    };
    Node::Fields(vec![("State", Node::text(state))])
}

pub(super) fn get(call: &Call<'_>) -> Result<Node, ApiError> {
    let gone = |code, message: &str| Err(ApiError::new(StatusCode::GONE, code, message));
    match &call.world.credential_report {
        None => gone("ReportNotPresent", "Credential report not found. Please generate a new credential report."),
        Some(report) if call.now < report.made_at + TAKES => {
            Err(ApiError::new(StatusCode::NOT_FOUND, "ReportInProgress", "Credential report is still being generated."))
        }
        Some(report) if call.now >= report.made_at + GOOD_FOR => {
            gone("ReportExpired", "Credential report has expired. Please generate a new credential report.")
        }
        Some(report) => Ok(Node::Fields(vec![
            ("Content", Node::text(BASE64.encode(&report.text))),
            ("ReportFormat", Node::text("text/csv")),
            ("GeneratedTime", Node::Time(report.made_at)),
        ])),
    }
}

fn written(world: &World) -> String {
    let users = world.iam.users.values().map(|user| row(world.account, user));
    std::iter::once(HEADER.to_owned()).chain(users).collect::<Vec<_>>().join("\n")
}

fn row(account: &str, user: &User) -> String {
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, false);
    let password = user.held.login_profile.as_ref().map(|profile| at(profile.created_at));
    let arn = format!("arn:aws:iam::{account}:user{}{}", user.path, user.name);
    let mut cells = vec![user.name.clone(), arn, at(user.created_at), password.is_some().to_string()];
    let none = || "N/A".to_owned();
    cells.extend([none(), password.unwrap_or_else(none), none(), (!user.held.mfa.is_empty()).to_string()]);
    for place in 0..2 {
        let key = user.keys.get(place);
        let made_at = key.map_or_else(none, |key| at(key.created_at));
        cells.extend([key.is_some_and(|key| key.active).to_string(), made_at, none(), none(), none()]);
    }
    for place in 0..2 {
        let certificate = user.held.certificates.values().nth(place);
        let made_at = certificate.map_or_else(none, |certificate| at(certificate.created_at));
        cells.extend([certificate.is_some_and(|certificate| certificate.active).to_string(), made_at]);
    }
    cells.join(",")
}
