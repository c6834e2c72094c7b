//! Alert webhooks. EventBridge waits five seconds and repeats for a day: the answer comes as soon as the
//! alert is kept.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{App, knows_key, read_body};
use crate::intake::eventbridge::{Taken, parse};
use crate::ports::Lane;

/// `POST /alerts/eventbridge`: 401 without a known key, 400 for what is no event, 202 otherwise, 503
/// when it could not be kept (the sender tries again).
pub(super) async fn eventbridge(State(app): State<App>, request: Request) -> Response {
    if !knows_key(&app, request.headers()) {
        app.metrics.rejected("alert_key");
        return (StatusCode::UNAUTHORIZED, "unknown key\n").into_response();
    }
    let body = match read_body(&app.alert_bodies, request).await {
        Ok((_, body)) => body,
        Err(status) => {
            app.metrics.rejected("alert_body");
            return (status, "body not taken\n").into_response();
        }
    };
    let alerts = match parse(&body) {
        Ok(Taken::Alerts(alerts)) => alerts,
        Ok(Taken::NotForUs(what)) => {
            tracing::info!(alert.what = %what, "an event that is not acted on");
            app.metrics.alert("not_for_us");
            return (StatusCode::ACCEPTED, "not acted on\n").into_response();
        }
        Err(why) => {
            app.metrics.rejected("alert_malformed");
            return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response();
        }
    };
    for alert in alerts {
        let text = serde_json::to_string(&alert).expect("an alert is plain data");
        let dedup_key = format!("alert:{}", alert.delivery_id);
        match app.store.put(Lane::Alerts, &dedup_key, &text).await {
            Ok(new) => app.metrics.alert(if new { "new" } else { "repeated" }),
            Err(error) => {
                tracing::error!(%error, "an alert could not be kept; its sender will repeat it");
                return (StatusCode::SERVICE_UNAVAILABLE, "not kept, send again\n").into_response();
            }
        }
    }
    (StatusCode::ACCEPTED, "kept\n").into_response()
}
