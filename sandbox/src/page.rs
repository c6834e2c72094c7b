//! The page: plain ES modules, served from the binary, that draws the workspace and lets a person act in
//! it. No script but its own runs, and nothing can frame it.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const INDEX: &str = include_str!("../page/index.html");
const SCRIPT: &str = "text/javascript; charset=utf-8";
const ASSETS: [(&str, &str, &str); 7] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("app.js", SCRIPT, include_str!("../page/app.js")),
    ("api.js", SCRIPT, include_str!("../page/api.js")),
    ("dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("blocks.js", SCRIPT, include_str!("../page/blocks.js")),
    ("mrkdwn.js", SCRIPT, include_str!("../page/mrkdwn.js")),
    ("modal.js", SCRIPT, include_str!("../page/modal.js")),
];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/` and `/assets/*`.
pub fn router() -> Router {
    Router::new()
        .route("/", get(|| async { page("text/html; charset=utf-8", INDEX) }))
        .route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => page(kind, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn page(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_asset_comes_with_the_policy_and_its_kind() {
        for (name, kind, _) in ASSETS {
            let response = asset(Path(name.to_owned())).await;
            assert_eq!(response.headers()[header::CONTENT_TYPE], kind);
            assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        }
        assert_eq!(asset(Path("../Cargo.toml".into())).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_page_keeps_to_its_own_policy() {
        for text in ASSETS.iter().map(|(_, _, text)| *text).chain([INDEX]) {
            for banned in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "style=\"", "onclick="] {
                assert!(!text.contains(banned), "{banned}");
            }
        }
    }
}
