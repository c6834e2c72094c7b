//! What the attacker has made and changed outside IAM, and what the bot can do about it.

use std::collections::BTreeSet;

use super::state::Incident;
use crate::domain::action::{
    Action, DeleteAnywhereProfile, DeleteFunction, DeleteKeyPair, DeleteTrustAnchor, EnableDetector, RemoveRule,
    RevokeIngress, StartLogging, TerminateInstance, UnshareSnapshot,
};
use crate::domain::hunt::Trace;
use crate::domain::trail::footprint::State;
use crate::domain::trail::token::bare_name;

/// Characters of an id in Roles Anywhere. A name stands in its place where the trail does not show the id.
const UUID_CHARS: usize = 36;

/// The removal of what the attacker has made, with its turn: an anchor lets in, and a profile only says whom to; instances
/// act by themselves, functions are called, key pairs only let in.
pub(super) fn removal(incident: &Incident, trace: &Trace) -> Option<(u8, Action)> {
    let (region, name) = (trace.region.clone(), bare_name(&trace.id).to_owned());
    Some(match trace.resource_type.as_str() {
        "AWS::EC2::Instance" => {
            (3, Action::TerminateInstance(TerminateInstance { region, instance_id: name, incident: incident.id }))
        }
        "AWS::Lambda::Function" => (3, Action::DeleteFunction(DeleteFunction { region, function_name: name })),
        "AWS::EC2::KeyPair" => (4, Action::DeleteKeyPair(DeleteKeyPair { region, key_name: name })),
        "AWS::RolesAnywhere::TrustAnchor" if name.len() == UUID_CHARS => {
            (1, Action::DeleteTrustAnchor(DeleteTrustAnchor { region, trust_anchor_id: name }))
        }
        "AWS::RolesAnywhere::Profile" if name.len() == UUID_CHARS => {
            (2, Action::DeleteAnywhereProfile(DeleteAnywhereProfile { region, profile_id: name }))
        }
        _ => return None,
    })
}

/// What the attacker has put on a rule, unless that was before somebody else took it off or put it anew.
fn rule(trace: &Trace) -> Option<(u8, Action)> {
    let mut target_ids = BTreeSet::new();
    let mut put = false;
    for deed in &trace.deeds {
        let ids = deed.what.split(' ').filter(|id| !id.is_empty()).map(str::to_owned);
        match (deed.operation.as_str(), deed.by_attacker) {
            ("PutTargets", true) => target_ids.extend(ids),
            ("PutTargets", false) | ("RemoveTargets", _) => ids.for_each(|id| _ = target_ids.remove(&id)),
            ("PutRule", by_attacker) => put = by_attacker,
            _ => {}
        }
    }
    let (region, rule_name) = (trace.region.clone(), bare_name(&trace.id).to_owned());
    (put || !target_ids.is_empty()).then_some((2, Action::RemoveRule(RemoveRule { region, rule_name, target_ids, put })))
}

/// What takes back a change to what was there before. A trail or detector that the attacker has switched off tightens
/// when it is on again, and comes first.
pub(super) fn put_back(trace: &Trace) -> Option<(u8, Action)> {
    if trace.state != State::Modified {
        return None;
    }
    let region = trace.region.clone();
    let opened = |operation: &str| -> Option<Vec<String>> {
        let deeds = trace.deeds.iter().filter(|deed| deed.by_attacker && deed.operation == operation);
        let events: Vec<String> = deeds.map(|deed| deed.event_id.clone()).collect();
        (!events.is_empty()).then_some(events)
    };
    Some(match trace.resource_type.as_str() {
        "AWS::CloudTrail::Trail" => (0, Action::StartLogging(StartLogging { region, name: trace.id.clone() })),
        "AWS::GuardDuty::Detector" => {
            (0, Action::EnableDetector(EnableDetector { region, detector_id: trace.id.clone() }))
        }
        "AWS::EC2::Snapshot" => {
            let event_ids = opened("ModifySnapshotAttribute")?;
            (1, Action::UnshareSnapshot(UnshareSnapshot { region, snapshot_id: trace.id.clone(), event_ids }))
        }
        "AWS::EC2::SecurityGroup" => {
            let event_ids = opened("AuthorizeSecurityGroupIngress")?;
            (1, Action::RevokeIngress(RevokeIngress { region, group_id: trace.id.clone(), event_ids }))
        }
        "AWS::Events::Rule" => rule(trace)?,
        _ => return None,
    })
}
