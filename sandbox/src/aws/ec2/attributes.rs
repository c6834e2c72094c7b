//! What an instance is protected from, and its user data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::wire::{ApiError, Node};
use super::instances::known;
use super::{Call, bad_value, done};

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let (id, attribute) = (call.required("InstanceId")?, call.required("Attribute")?);
    let instance = known(call.here()?, &id)?;
    let value = |node: Node| Node::Fields(vec![("value", node)]);
    let (name, node) = match attribute.as_str() {
        "disableApiTermination" => ("disableApiTermination", value(Node::Flag(instance.no_termination))),
        "disableApiStop" => ("disableApiStop", value(Node::Flag(instance.no_stop))),
        "instanceType" => ("instanceType", value(Node::text(&instance.kind))),
        "userData" => {
            ("userData", instance.user_data.as_ref().map_or_else(Node::empty, |data| value(Node::text(data))))
        }
        "instanceInitiatedShutdownBehavior" => ("instanceInitiatedShutdownBehavior", value(Node::text("stop"))),
        _ => {
            return Err(bad_value(format!(
                "Value ({attribute}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    };
    Ok(Node::Fields(vec![("instanceId", Node::text(&id)), (name, node)]))
}

pub(super) fn modify(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("InstanceId")?;
    call.permit("ModifyInstanceAttribute", &[format!("instance/{id}")])?;
    // The attribute either has a parameter of its own, or is named.
    let given = |own: &str, named: &str| {
        let by_name = call.params.get("Value").filter(|_| call.params.get("Attribute") == Some(named));
        call.params.get(&format!("{own}.Value")).or(by_name).map(str::to_owned)
    };
    let flag = |text: Option<String>| match text.as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(bad_value(format!("Invalid value '{other}'. Expecting true or false."))),
    };
    let no_termination = flag(given("DisableApiTermination", "disableApiTermination"))?;
    let no_stop = flag(given("DisableApiStop", "disableApiStop"))?;
    let user_data = given("UserData", "userData");
    if user_data.as_ref().is_some_and(|data| BASE64.decode(data).is_err()) {
        return Err(bad_value("Invalid BASE64 encoding of user data."));
    }
    match [no_termination.is_some(), no_stop.is_some(), user_data.is_some()].iter().filter(|set| **set).count() {
        0 => return Err(ApiError::bad_request("MissingParameter", "No attributes specified.")),
        1 => {}
        _ => {
            let sentence = "Fields for multiple attribute types specified.";
            return Err(ApiError::bad_request("InvalidParameterCombination", sentence));
        }
    }
    let now = call.now;
    let instance = known(call.here()?, &id)?;
    let state = instance.state(now).1;
    if user_data.is_some() && state != "stopped" {
        let sentence = format!("The instance '{id}' is not in the 'stopped' state.");
        return Err(ApiError::bad_request("IncorrectInstanceState", sentence));
    }
    if state == "terminated" {
        let sentence = format!("The instance '{id}' is terminated.");
        return Err(ApiError::bad_request("IncorrectInstanceState", sentence));
    }
    call.unless_dry()?;
    let instance = known(call.here()?, &id)?;
    instance.no_termination = no_termination.unwrap_or(instance.no_termination);
    instance.no_stop = no_stop.unwrap_or(instance.no_stop);
    instance.user_data = user_data.or_else(|| instance.user_data.take());
    Ok(done())
}
