//! What the attacker has made and changed outside IAM, and what the bot can do about it.

use super::state::Incident;
use crate::domain::action::{
    Action, DeleteFunction, DeleteKeyPair, EnableDetector, RevokeIngress, StartLogging, TerminateInstance,
    UnshareSnapshot,
};
use crate::domain::hunt::Trace;
use crate::domain::trail::footprint::State;
use crate::domain::trail::token::bare_name;

/// The removal of what the attacker has made, with its turn: instances act by themselves, functions are called,
/// key pairs only let in.
pub(super) fn removal(incident: &Incident, trace: &Trace) -> Option<(u8, Action)> {
    let (region, name) = (trace.region.clone(), bare_name(&trace.id).to_owned());
    Some(match trace.resource_type.as_str() {
        "AWS::EC2::Instance" => {
            (3, Action::TerminateInstance(TerminateInstance { region, instance_id: name, incident: incident.id }))
        }
        "AWS::Lambda::Function" => (3, Action::DeleteFunction(DeleteFunction { region, function_name: name })),
        "AWS::EC2::KeyPair" => (4, Action::DeleteKeyPair(DeleteKeyPair { region, key_name: name })),
        _ => return None,
    })
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
        _ => return None,
    })
}
