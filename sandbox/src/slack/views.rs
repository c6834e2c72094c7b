//! Modals: how they are kept, shown and changed.

use serde_json::{Value, json};

use super::block_kit::{check_view, fill_ids};
use super::people::{APP, BOT_ID, TEAM};
use super::state::State;
use super::web_api::ApiError;

/// A view as Slack keeps it: with ids, a hash and room for what people fill in.
pub(super) fn made(state: &mut State, given: &Value) -> Value {
    let mut view = given.clone();
    if let Some(blocks) = view["blocks"].as_array_mut() {
        fill_ids(blocks);
    }
    let id = state.next_id("V");
    view["root_view_id"] = json!(id);
    view["id"] = json!(id);
    view["hash"] = json!(state.next_id("hash."));
    view["team_id"] = json!(TEAM);
    view["app_id"] = json!(APP);
    view["bot_id"] = json!(BOT_ID);
    view["state"] = json!({"values": {}});
    for (name, default) in
        [("private_metadata", json!("")), ("callback_id", json!("")), ("previous_view_id", Value::Null)]
    {
        if view[name].is_null() {
            view[name] = default;
        }
    }
    view["errors"] = json!({});
    view
}

/// As the page shows it.
pub(super) fn shown(view: &Value) -> Value {
    let plain = |name: &str| view[name]["text"].clone();
    json!({
        "id": view["id"], "hash": view["hash"], "callback_id": view["callback_id"], "title": plain("title"),
        "submit": plain("submit"), "close": plain("close"), "blocks": view["blocks"], "errors": view["errors"],
    })
}

/// `views.update`
pub(super) fn update(state: &mut State, args: &Value) -> Result<Value, ApiError> {
    let errors = check_view(&args["view"]);
    if !errors.is_empty() {
        let more = json!({"response_metadata": {"messages": errors}});
        return Err(ApiError { code: "invalid_arguments".into(), more });
    }
    let id = args["view_id"].as_str().unwrap_or_default().to_owned();
    let known = state.views.values().flatten().find(|v| v["id"] == id).cloned();
    let known = known.ok_or_else(|| ApiError::new("not_found"))?;
    if args["hash"].is_string() && args["hash"] != known["hash"] {
        return Err(ApiError::new("hash_conflict"));
    }
    let mut view = made(state, &args["view"]);
    for name in ["id", "root_view_id", "previous_view_id"] {
        view[name] = known[name].clone();
    }
    for kept in state.views.values_mut().flatten().filter(|v| v["id"] == id) {
        *kept = view.clone();
    }
    Ok(json!({"view": view}))
}

/// The `state.values` of a submission, from plain values by block and action. Names the block whose
/// required input is missing, as Slack's client does before it sends anything.
pub(super) fn state_values(view: &Value, given: &Value) -> Result<Value, (String, String)> {
    let mut values = json!({});
    for block in view["blocks"].as_array().into_iter().flatten().filter(|b| b["type"] == "input") {
        let element = &block["element"];
        let (block_id, action_id) =
            (block["block_id"].as_str().unwrap_or_default(), element["action_id"].as_str().unwrap_or_default());
        let value = &given[block_id][action_id];
        let kind = element["type"].as_str().unwrap_or_default();
        let missing = value.is_null() || value.as_str().is_some_and(str::is_empty);
        if missing && block["optional"] != true {
            return Err((block_id.to_owned(), "Please complete this required field.".to_owned()));
        }
        let length_max = element["max_length"].as_u64().unwrap_or(3_000);
        if value.as_str().is_some_and(|v| v.chars().count() as u64 > length_max) {
            return Err((block_id.to_owned(), format!("Please keep this under {} characters.", length_max + 1)));
        }
        values[block_id][action_id] = match kind {
            "static_select" | "radio_buttons" => {
                let options = element["options"].as_array().cloned().unwrap_or_default();
                let chosen = options.into_iter().find(|o| o["value"] == *value).unwrap_or(Value::Null);
                json!({"type": kind, "selected_option": chosen})
            }
            "users_select" => json!({"type": kind, "selected_user": if missing { Value::Null } else { value.clone() }}),
            "datetimepicker" => {
                let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                json!({"type": kind, "selected_date_time": seconds})
            }
            _ => json!({"type": kind, "value": if missing { Value::Null } else { value.clone() }}),
        };
    }
    Ok(values)
}
