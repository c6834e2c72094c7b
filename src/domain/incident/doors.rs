//! What the attacker has left standing open, in roles and in what records and watches: it is closed as containment, and
//! not when its turn comes among the removals.

use std::collections::BTreeSet;

use super::eradication::{Removal, done_by_attacker, keep_asked, removals_of, traces};
use super::state::Incident;
use super::steps::{Offer, Step};
use crate::domain::action::{Action, RestoreTrustPolicy, shell_quoted};
use crate::domain::approval::Request;
use crate::domain::hunt::Trace;
use crate::domain::playbook::PlaybookStep;
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::State;
use crate::domain::trail::token::bare_name;

/// Trust policies of roles that were there before and that the attacker has changed: doors that stand open.
pub fn opened_doors(incident: &Incident) -> Vec<RestoreTrustPolicy> {
    let theirs = |trace: &&Trace| {
        trace.made_by_attacker && matches!(trace.resource_type.as_str(), "AWS::IAM::User" | "AWS::IAM::Role")
    };
    let attackers: BTreeSet<String> =
        traces(incident).filter(theirs).map(|trace| bare_name(&trace.id).to_owned()).collect();
    let door = |trace: &Trace| {
        let changed =
            trace.resource_type == "AWS::IAM::Role" && !trace.made_by_attacker && trace.state != State::Deleted;
        let newest = trace.deeds.iter().rev().find(|deed| deed.operation == "UpdateAssumeRolePolicy")?;
        // Whoever has changed it after the attacker has seen to it.
        let newest = Some(newest).filter(|deed| changed && deed.by_attacker)?;
        let theirs = done_by_attacker(trace, "UpdateAssumeRolePolicy");
        Some(RestoreTrustPolicy {
            role_name: bare_name(&trace.id).to_owned(),
            event_id: newest.event_id.clone(),
            earlier_event_ids: theirs
                .map(|deed| deed.event_id.clone())
                .filter(|event_id| *event_id != newest.event_id)
                .collect(),
            attackers: attackers.clone(),
        })
    };
    traces(incident).filter_map(door).collect()
}

/// Whether a door that was closed has been opened by the attacker once more since.
pub(super) fn is_opened_again(action: &Action, done: &Request) -> bool {
    match (action, &done.plan.action) {
        (Action::RestoreTrustPolicy(now), Action::RestoreTrustPolicy(then)) => {
            now.event_id != then.event_id && !then.earlier_event_ids.contains(&now.event_id)
        }
        _ => false,
    }
}

/// The steps that close them.
pub(super) fn door_steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for door in opened_doors(incident) {
        let Ok(id) = format!("{}.{}", of.id, door.role_name).parse() else { continue };
        let why = format!("{} Event that shows that the attacker has changed it: {}.", of.why, door.event_id);
        let uncertain = has_more_deeds(incident, &door.role_name);
        let action = Action::RestoreTrustPolicy(door);
        let title = action.title();
        let offer = if uncertain { too_many_changes(action.target()) } else { Offer::Action(action) };
        steps.push(Step { id, title, why, offer });
    }
    keep_asked(incident, of, &mut steps);
    steps
}

/// Whether more was done to a role than is kept: then nobody can say which of its trust policies are the attacker's.
fn has_more_deeds(incident: &Incident, role: &str) -> bool {
    let is = |trace: &&Trace| trace.resource_type == "AWS::IAM::Role" && bare_name(&trace.id) == role;
    traces(incident).filter(is).any(|trace| trace.deeds.iter().any(Deed::is_left_out))
}

fn too_many_changes(role: &str) -> Offer {
    Offer::Refused {
        why: format!(
            "So much was done to role {role} that not all of it is kept: what stands before the newest change can be the \
             attacker's too."
        ),
        instead: "Write the trust policy from where it is kept as code.".to_owned(),
        commands: vec![format!(
            "aws iam update-assume-role-policy --role-name {} --policy-document file://…",
            shell_quoted(role)
        )],
    }
}

/// The steps that switch on again what records and watches.
pub(super) fn logging_steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
    let records = |removal: &Removal| matches!(removal.action, Action::StartLogging(_) | Action::EnableDetector(_));
    let off = removals_of(incident, &["AWS::CloudTrail::Trail", "AWS::GuardDuty::Detector"]);
    let mut steps: Vec<Step> =
        off.iter().filter(|removal| records(removal)).filter_map(|removal| removal.step(of)).collect();
    keep_asked(incident, of, &mut steps);
    steps
}
