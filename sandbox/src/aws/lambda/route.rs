//! Which operation a method and path stand for.

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// The operation, with what the path and the query name.
pub(in crate::aws) fn route(method: &Method, uri: &Uri) -> Option<(&'static str, Map<String, Value>)> {
    let segments: Vec<String> = uri
        .path()
        .trim_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let query: BTreeMap<String, String> =
        serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    let mut fields = Map::new();
    let mut named = |name: &str, value: &str| _ = fields.insert(name.to_owned(), json!(value));
    let operation = match (method.as_str(), &segments[1..]) {
        ("POST", ["functions"]) => "CreateFunction",
        ("GET", ["functions"]) => "ListFunctions",
        ("POST", ["event-source-mappings"]) => "CreateEventSourceMapping",
        ("GET", ["event-source-mappings"]) => "ListEventSourceMappings",
        (verb, ["event-source-mappings", id]) => {
            named("UUID", id);
            match verb {
                "GET" => "GetEventSourceMapping",
                "DELETE" => "DeleteEventSourceMapping",
                _ => return None,
            }
        }
        (verb, ["functions", name, rest @ ..]) => {
            named("FunctionName", name);
            match (verb, rest) {
                ("GET", []) => "GetFunction",
                ("DELETE", []) => "DeleteFunction",
                ("PUT", ["code"]) => "UpdateFunctionCode",
                ("GET", ["configuration"]) => "GetFunctionConfiguration",
                ("PUT", ["configuration"]) => "UpdateFunctionConfiguration",
                ("POST", ["versions"]) => "PublishVersion",
                ("GET", ["versions"]) => "ListVersionsByFunction",
                ("POST", ["aliases"]) => "CreateAlias",
                ("GET", ["aliases"]) => "ListAliases",
                ("POST", ["url"]) => "CreateFunctionUrlConfig",
                ("GET", ["url"]) => "GetFunctionUrlConfig",
                ("DELETE", ["url"]) => "DeleteFunctionUrlConfig",
                ("GET", ["urls"]) => "ListFunctionUrlConfigs",
                ("POST", ["policy"]) => "AddPermission",
                ("GET", ["policy"]) => "GetPolicy",
                ("DELETE", ["policy", statement]) => {
                    named("StatementId", statement);
                    "RemovePermission"
                }
                _ => return None,
            }
        }
        ("GET", ["layers"]) if query.get("find").is_some_and(|what| what == "LayerVersion") => "GetLayerVersionByArn",
        ("POST", ["layers", name, "versions"]) => {
            named("LayerName", name);
            "PublishLayerVersion"
        }
        ("GET", ["layers", name, "versions", number]) => {
            named("LayerName", name);
            named("VersionNumber", number);
            "GetLayerVersion"
        }
        _ => return None,
    };
    for (name, value) in query {
        fields.entry(name).or_insert(json!(value));
    }
    Some((operation, fields))
}
