//! Names for a function's versions. Each has a policy of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::functions::LATEST;
use super::{arn, conflict, invalid, known, not_found, permitted};
use crate::aws::json_operation::Call;
use crate::aws::wire::ApiError;

#[derive(Clone, Debug)]
pub(super) struct Alias {
    version: String,
    /// Of its policy, by statement id.
    statements: BTreeMap<String, Value>,
}

fn shown(call: &Call<'_>, function: &str, name: &str, alias: &Alias) -> Value {
    let arn = format!("{}:{name}", arn(call, function));
    json!({ "AliasArn": arn, "Name": name, "FunctionVersion": alias.version, "Description": "" })
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let function = permitted(call, "CreateAlias")?;
    let (name, version) = (call.required("Name")?, call.required("FunctionVersion")?);
    if name.parse::<u64>().is_ok() {
        return Err(invalid("The name of an alias is not a number."));
    }
    let live = known(call, &function)?;
    let is_there = version == LATEST || version.parse().is_ok_and(|number| live.published.contains_key(&number));
    if !is_there {
        return Err(not_found(&format!("Function not found: {}:{version}", arn(call, &function))));
    }
    let alias = Alias { version, statements: BTreeMap::new() };
    let shown = shown(call, &function, &name, &alias);
    let live = known(call, &function)?;
    if live.aliases.contains_key(&name) {
        return Err(conflict(format!("Alias already exists: {name}")));
    }
    live.aliases.insert(name, alias);
    Ok(shown)
}

pub(super) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let function = permitted(call, "ListAliases")?;
    let aliases = known(call, &function)?.aliases.clone();
    let aliases: Vec<Value> = aliases.iter().map(|(name, alias)| shown(call, &function, name, alias)).collect();
    Ok(json!({ "Aliases": aliases }))
}

/// The statements of the policy that a call is about: the function's, or the one of the alias that it names.
pub(super) fn statements<'a>(
    call: &'a mut Call<'_>,
    function: &str,
) -> Result<&'a mut BTreeMap<String, Value>, ApiError> {
    let qualifier = call.text("Qualifier").map(str::to_owned);
    let missing = |qualifier: &str| not_found(&format!("Cannot find alias arn: {}:{qualifier}", arn(call, function)));
    let missing = qualifier.as_deref().map(missing);
    let live = known(call, function)?;
    match (qualifier, missing) {
        (Some(qualifier), Some(missing)) => {
            live.aliases.get_mut(&qualifier).map(|alias| &mut alias.statements).ok_or(missing)
        }
        _ => Ok(&mut live.statements),
    }
}
