//! The calls on a Spot Fleet, which is asked for, described and cancelled in words of its own.

use super::super::wire::{ApiError, Node};
use super::filters::page;
use super::fleets::{Fleet, Kind, Source, active, target, terminate};
use super::{Call, Region, launches, tag_set};

fn known<'a>(region: &'a Region, id: &str) -> Result<&'a Fleet, ApiError> {
    let found = region.fleets.get(id).filter(|fleet| fleet.is_spot());
    found.ok_or_else(|| {
        let sentence = format!("The spot fleet request ID '{id}' does not exist");
        ApiError::bad_request("InvalidSpotFleetRequestId.NotFound", sentence)
    })
}

pub(super) fn request(call: &mut Call<'_>) -> Result<Node, ApiError> {
    const CONFIG: &str = "SpotFleetRequestConfig";
    let kind = Kind::read(call.params.get(&format!("{CONFIG}.Type")))?;
    let (target, role) =
        (target(call, &format!("{CONFIG}.TargetCapacity"))?, call.required(&format!("{CONFIG}.IamFleetRole"))?);
    call.permit("RequestSpotFleet", &["spot-fleet-request/*".to_owned()])?;
    let mut sources = Source::templates(call, &format!("{CONFIG}.LaunchTemplateConfigs"))?;
    for number in 1.. {
        let under = format!("{CONFIG}.LaunchSpecifications.{number}");
        if call.params.get(&format!("{under}.ImageId")).is_none() {
            break;
        }
        sources.push(Source::Specification(Box::new(launches::specification(call, &under)?)));
    }
    if sources.is_empty() {
        let sentence = "Either LaunchSpecifications or LaunchTemplateConfigs has to be given.";
        return Err(ApiError::bad_request("InvalidSpotFleetRequestConfig", sentence));
    }
    call.unless_dry()?;
    let fleet = Fleet::make(call, "sfr", (kind, target), sources, Some(role))?;
    Ok(Node::Fields(vec![("spotFleetRequestId", Node::text(&fleet.id))]))
}

pub(super) fn describe(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let params = call.params;
    let asked = params.items("SpotFleetRequestId", "");
    let region = call.here()?;
    for id in &asked {
        known(region, id)?;
    }
    let all = region.fleets.values().filter(|fleet| fleet.is_spot());
    let shown = all.filter(|fleet| asked.is_empty() || asked.contains(&fleet.id.as_str())).map(node).collect();
    page(params, "spotFleetRequestConfigSet", shown)
}

fn node(fleet: &Fleet) -> Node {
    let specification = |source: &Source| match source {
        Source::Specification(launch) => Some(Node::Fields(launches::fields(launch))),
        Source::Template { .. } => None,
    };
    let config = vec![
        ("iamFleetRole", Node::text(fleet.role.as_deref().unwrap_or_default())),
        ("targetCapacity", Node::Number(fleet.target)),
        ("type", Node::text(fleet.kind.word())),
        ("launchSpecifications", Node::Members(fleet.sources.iter().filter_map(specification).collect())),
        ("launchTemplateConfigs", Node::Members(fleet.sources.iter().filter_map(Source::node).collect())),
    ];
    Node::Fields(vec![
        ("spotFleetRequestId", Node::text(&fleet.id)),
        ("spotFleetRequestState", Node::text(fleet.state)),
        ("createTime", Node::Time(fleet.created_at)),
        ("spotFleetRequestConfig", Node::Fields(config)),
        ("tagSet", tag_set(&fleet.tags)),
    ])
}

pub(super) fn describe_instances(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let id = call.required("SpotFleetRequestId")?;
    known(call.here()?, &id)?;
    let shown = active(call, &id)?;
    page(call.params, "activeInstanceSet", shown)
}

/// What cannot be cancelled is named in an answer that is a success.
pub(super) fn cancel(call: &mut Call<'_>) -> Result<Node, ApiError> {
    let ids: Vec<String> = call.params.items("SpotFleetRequestId", "").into_iter().map(str::to_owned).collect();
    if ids.is_empty() {
        let sentence = "The request must contain the parameter SpotFleetRequestId";
        return Err(ApiError::bad_request("MissingParameter", sentence));
    }
    let (terminate, now) = (terminate(call)?, call.now);
    let resources: Vec<String> = ids.iter().map(|id| format!("spot-fleet-request/{id}")).collect();
    call.permit("CancelSpotFleetRequests", &resources)?;
    call.unless_dry()?;
    let region = call.here()?;
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for id in &ids {
        let problem = match known(region, id) {
            Err(_) => Some(("fleetRequestIdDoesNotExist", format!("The spot fleet request ID '{id}' does not exist"))),
            Ok(fleet) if fleet.state.starts_with("cancelled") => {
                let sentence = format!("Spot fleet request {id} is in the state {}.", fleet.state);
                Some(("fleetRequestNotInCancellableState", sentence))
            }
            Ok(_) => None,
        };
        if let Some((code, message)) = problem {
            let error = vec![("code", Node::text(code)), ("message", Node::text(message))];
            refused.push(Node::Fields(vec![("spotFleetRequestId", Node::text(id)), ("error", Node::Fields(error))]));
        } else if let Some((before, after)) =
            Fleet::end(region, id, ("cancelled_running", "cancelled_terminating"), terminate, now)
        {
            done.push(Node::Fields(vec![
                ("spotFleetRequestId", Node::text(id)),
                ("currentSpotFleetRequestState", Node::text(after)),
                ("previousSpotFleetRequestState", Node::text(before)),
            ]));
        }
    }
    Ok(Node::Fields(vec![
        ("successfulFleetRequestSet", Node::Members(done)),
        ("unsuccessfulFleetRequestSet", Node::Members(refused)),
    ]))
}
