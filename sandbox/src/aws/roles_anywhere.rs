//! IAM Roles Anywhere: trust anchors, whose certificates let machines elsewhere in, and the profiles that say with which
//! roles; in each enabled Region.
//!
//! Names and error codes follow the Roles Anywhere API reference, version 2018-05-10.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode, Uri};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::caller::Resource;
use super::ids;
use super::json_operation::{Call, Operation};
use super::wire::ApiError;

const SERVICE: &str = "rolesanywhere.amazonaws.com";
const PAGE_MAX: usize = 100;
/// Of a session, unless the profile says something else.
const SESSION_SECONDS: i64 = 3_600;

/// An anchor or a profile.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    name: String,
    enabled: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// What only this kind has.
    own: Map<String, Value>,
}

/// The two kinds, which are made, looked at, switched and deleted alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Anchor,
    Profile,
}

impl Kind {
    /// As in operations, and as what an answer calls it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Anchor => ("TrustAnchor", "trustAnchor"),
            Self::Profile => ("Profile", "profile"),
        }
    }

    /// As in the ARN.
    const fn segment(self) -> &'static str {
        match self {
            Self::Anchor => "trust-anchor",
            Self::Profile => "profile",
        }
    }
}

/// Each by its Region and id.
#[derive(Debug, Default)]
pub(super) struct RolesAnywhere {
    anchors: BTreeMap<(String, String), Entity>,
    profiles: BTreeMap<(String, String), Entity>,
}

impl RolesAnywhere {
    fn all(&mut self, kind: Kind) -> &mut BTreeMap<(String, String), Entity> {
        match kind {
            Kind::Anchor => &mut self.anchors,
            Kind::Profile => &mut self.profiles,
        }
    }

    /// The names of a Region's profiles.
    pub(super) fn profiles(&self, region: &str) -> Vec<String> {
        let here = self.profiles.iter().filter(|((of, _), _)| of == region);
        here.map(|(_, profile)| profile.name.clone()).collect()
    }

    /// The names of a Region's trust anchors, with whether each lets anybody in.
    pub(super) fn anchors(&self, region: &str) -> Vec<(String, bool)> {
        let here = self.anchors.iter().filter(|((of, _), _)| of == region);
        here.map(|(_, anchor)| (anchor.name.clone(), anchor.enabled)).collect()
    }
}

static OPERATIONS: [Operation; 14] = [
    Operation::write("CreateTrustAnchor", "CreateTrustAnchor", StatusCode::CREATED, create_anchor),
    Operation::read("ListTrustAnchors", "ListTrustAnchors", |call| list(call, Kind::Anchor)),
    Operation::read("GetTrustAnchor", "GetTrustAnchor", |call| get(call, Kind::Anchor)),
    Operation::write("UpdateTrustAnchor", "UpdateTrustAnchor", StatusCode::OK, update_anchor),
    Operation::write("EnableTrustAnchor", "EnableTrustAnchor", StatusCode::OK, |call| switch(call, Kind::Anchor, true)),
    Operation::write("DisableTrustAnchor", "DisableTrustAnchor", StatusCode::OK, |call| {
        switch(call, Kind::Anchor, false)
    }),
    Operation::write("DeleteTrustAnchor", "DeleteTrustAnchor", StatusCode::OK, |call| delete(call, Kind::Anchor)),
    Operation::write("CreateProfile", "CreateProfile", StatusCode::CREATED, create_profile),
    Operation::read("ListProfiles", "ListProfiles", |call| list(call, Kind::Profile)),
    Operation::read("GetProfile", "GetProfile", |call| get(call, Kind::Profile)),
    Operation::write("UpdateProfile", "UpdateProfile", StatusCode::OK, update_profile),
    Operation::write("EnableProfile", "EnableProfile", StatusCode::OK, |call| switch(call, Kind::Profile, true)),
    Operation::write("DisableProfile", "DisableProfile", StatusCode::OK, |call| switch(call, Kind::Profile, false)),
    Operation::write("DeleteProfile", "DeleteProfile", StatusCode::OK, |call| delete(call, Kind::Profile)),
];

/// The operation of this name.
pub(super) fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// The operation behind a method and path, with what the path and the query name.
pub(super) fn route(method: &Method, uri: &Uri) -> Option<(&'static str, Map<String, Value>)> {
    let segments: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let mut fields = Map::new();
    let operation = match (method.as_str(), segments.as_slice()) {
        ("POST", ["trustanchors"]) => "CreateTrustAnchor",
        ("GET", ["trustanchors"]) => "ListTrustAnchors",
        ("POST", ["profiles"]) => "CreateProfile",
        ("GET", ["profiles"]) => "ListProfiles",
        (verb, ["trustanchor", id, rest @ ..]) => {
            fields.insert("trustAnchorId".to_owned(), json!(id));
            match (verb, rest) {
                ("GET", []) => "GetTrustAnchor",
                ("PATCH", []) => "UpdateTrustAnchor",
                ("DELETE", []) => "DeleteTrustAnchor",
                ("POST", ["enable"]) => "EnableTrustAnchor",
                ("POST", ["disable"]) => "DisableTrustAnchor",
                _ => return None,
            }
        }
        (verb, ["profile", id, rest @ ..]) => {
            fields.insert("profileId".to_owned(), json!(id));
            match (verb, rest) {
                ("GET", []) => "GetProfile",
                ("PATCH", []) => "UpdateProfile",
                ("DELETE", []) => "DeleteProfile",
                ("POST", ["enable"]) => "EnableProfile",
                ("POST", ["disable"]) => "DisableProfile",
                _ => return None,
            }
        }
        _ => return None,
    };
    let query: BTreeMap<String, String> =
        serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    fields.extend(query.into_iter().map(|(name, value)| (name, json!(value))));
    Some((operation, fields))
}

fn arn(call: &Call<'_>, kind: Kind, id: &str) -> String {
    format!("arn:aws:rolesanywhere:{}:{}:{}/{id}", call.region, call.world.account, kind.segment())
}

fn shown(call: &Call<'_>, kind: Kind, id: &str, entity: &Entity) -> Value {
    let (_, word) = kind.words();
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut shown = entity.own.clone();
    shown.insert(format!("{word}Id"), json!(id));
    shown.insert(format!("{word}Arn"), json!(arn(call, kind, id)));
    shown.insert("name".to_owned(), json!(entity.name));
    shown.insert("enabled".to_owned(), json!(entity.enabled));
    shown.insert("createdAt".to_owned(), json!(time(entity.created_at)));
    shown.insert("updatedAt".to_owned(), json!(time(entity.updated_at)));
    Value::Object(shown)
}

fn answer(call: &mut Call<'_>, kind: Kind, id: &str) -> Result<Value, ApiError> {
    let entity = known(call, kind, id)?.clone();
    Ok(json!({ kind.words().1: shown(call, kind, id, &entity) }))
}

fn known<'a>(call: &'a mut Call<'_>, kind: Kind, id: &str) -> Result<&'a mut Entity, ApiError> {
    let all = call.world.roles_anywhere.all(kind);
    all.get_mut(&(call.region.to_owned(), id.to_owned())).ok_or_else(|| {
        let sentence = format!("{} with id {id} was not found", kind.words().0);
        ApiError::new(StatusCode::NOT_FOUND, "ResourceNotFoundException", sentence)
    })
}

/// The id that the call names, once the caller may do the action to what has it.
fn permitted(call: &Call<'_>, kind: Kind, verb: &str) -> Result<String, ApiError> {
    let (noun, word) = kind.words();
    let id = call.required(&format!("{word}Id"))?;
    call.permit(&format!("rolesanywhere:{verb}{noun}"), &arn(call, kind, &id))?;
    Ok(id)
}

fn checked_name(call: &Call<'_>) -> Result<String, ApiError> {
    let name = call.required("name")?;
    if name.len() <= 255 && name.chars().all(|letter| letter.is_ascii_alphanumeric() || " -_".contains(letter)) {
        return Ok(name);
    }
    Err(ApiError::validation(
        "Value at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [ a-zA-Z0-9-_]*",
    ))
}

fn add(call: &mut Call<'_>, kind: Kind, name: String, own: Map<String, Value>) -> Result<Value, ApiError> {
    // An anchor is made disabled unless the call says something else; so is a profile.
    let enabled = call.input["enabled"].as_bool().unwrap_or(false);
    let entity = Entity { name, enabled, created_at: call.now, updated_at: call.now, own };
    let id = ids::uuid();
    call.world.roles_anywhere.all(kind).insert((call.region.to_owned(), id.clone()), entity);
    answer(call, kind, &id)
}

/// Where an anchor has its certificates from.
fn source(call: &Call<'_>) -> Result<Option<Value>, ApiError> {
    let source = &call.input["source"];
    if source.is_null() {
        return Ok(None);
    }
    let given = |pointer: &str| source.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let valid = match given("/sourceType") {
        "CERTIFICATE_BUNDLE" => given("/sourceData/x509CertificateData").contains("-----BEGIN CERTIFICATE-----"),
        "AWS_ACM_PCA" => given("/sourceData/acmPcaArn").starts_with("arn:aws:acm-pca:"),
        _ => false,
    };
    valid
        .then(|| Some(source.clone()))
        .ok_or_else(|| ApiError::validation("Incorrect basic constraints for CA certificate"))
}

fn create_anchor(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("rolesanywhere:CreateTrustAnchor", "*")?;
    let name = checked_name(call)?;
    let source = source(call)?.ok_or_else(|| {
        ApiError::validation("Value null at 'source' failed to satisfy constraint: Member must not be null")
    })?;
    add(call, Kind::Anchor, name, Map::from_iter([("source".to_owned(), source)]))
}

fn update_anchor(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, Kind::Anchor, "Update")?;
    let (name, source, now) = (call.text("name").map(str::to_owned), source(call)?, call.now);
    let anchor = known(call, Kind::Anchor, &id)?;
    anchor.name = name.unwrap_or_else(|| anchor.name.clone());
    if let Some(source) = source {
        anchor.own.insert("source".to_owned(), source);
    }
    anchor.updated_at = now;
    answer(call, Kind::Anchor, &id)
}

/// The roles of a profile are passed on, for which the caller needs leave.
fn roles(call: &Call<'_>) -> Result<Option<Value>, ApiError> {
    let Some(roles) = call.input["roleArns"].as_array() else { return Ok(None) };
    let mut context = call.context.clone();
    context.insert("iam:passedtoservice", SERVICE.to_owned());
    for role in roles {
        let arn = role.as_str().filter(|arn| arn.contains(":role/"));
        let arn = arn.ok_or_else(|| ApiError::validation("Role ARN is not valid"))?.to_owned();
        call.caller.authorize("iam:PassRole", &Resource { label: arn.clone(), arn }, &context)?;
    }
    Ok(Some(json!(roles)))
}

fn create_profile(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.permit("rolesanywhere:CreateProfile", "*")?;
    let name = checked_name(call)?;
    let roles = roles(call)?.ok_or_else(|| {
        ApiError::validation("Value null at 'roleArns' failed to satisfy constraint: Member must not be null")
    })?;
    let seconds = call.input["durationSeconds"].as_i64().unwrap_or(SESSION_SECONDS);
    if !(900..=43_200).contains(&seconds) {
        return Err(ApiError::validation(
            "Value at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200",
        ));
    }
    let own = [("roleArns".to_owned(), roles), ("durationSeconds".to_owned(), json!(seconds))];
    add(call, Kind::Profile, name, Map::from_iter(own))
}

fn update_profile(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = permitted(call, Kind::Profile, "Update")?;
    let (name, roles, now) = (call.text("name").map(str::to_owned), roles(call)?, call.now);
    let profile = known(call, Kind::Profile, &id)?;
    profile.name = name.unwrap_or_else(|| profile.name.clone());
    if let Some(roles) = roles {
        profile.own.insert("roleArns".to_owned(), roles);
    }
    profile.updated_at = now;
    answer(call, Kind::Profile, &id)
}

fn list(call: &mut Call<'_>, kind: Kind) -> Result<Value, ApiError> {
    let (noun, word) = kind.words();
    call.permit(&format!("rolesanywhere:List{noun}s"), "*")?;
    let region = call.region.to_owned();
    let here = call.world.roles_anywhere.all(kind).iter().filter(|((of, _), _)| *of == region);
    let here: Vec<(String, Entity)> = here.map(|((_, id), entity)| (id.clone(), entity.clone())).collect();
    let size = call.text("pageSize").and_then(|text| text.parse().ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let from = match call.text("nextToken") {
        None => 0,
        Some(token) => {
            let place = here.iter().position(|(id, _)| id == token);
            place.ok_or_else(|| ApiError::validation("Invalid nextToken"))?
        }
    };
    let page = here.iter().skip(from).take(size).map(|(id, entity)| shown(call, kind, id, entity));
    let mut answer = json!({ format!("{word}s"): page.collect::<Vec<_>>() });
    if let Some((next, _)) = here.get(from + size) {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

fn get(call: &mut Call<'_>, kind: Kind) -> Result<Value, ApiError> {
    let id = permitted(call, kind, "Get")?;
    answer(call, kind, &id)
}

fn switch(call: &mut Call<'_>, kind: Kind, enabled: bool) -> Result<Value, ApiError> {
    let id = permitted(call, kind, if enabled { "Enable" } else { "Disable" })?;
    let now = call.now;
    let entity = known(call, kind, &id)?;
    (entity.enabled, entity.updated_at) = (enabled, now);
    answer(call, kind, &id)
}

fn delete(call: &mut Call<'_>, kind: Kind) -> Result<Value, ApiError> {
    let id = permitted(call, kind, "Delete")?;
    let gone = answer(call, kind, &id)?;
    call.world.roles_anywhere.all(kind).remove(&(call.region.to_owned(), id));
    Ok(gone)
}
