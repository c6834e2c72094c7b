//! What the attacker has left standing open, in roles and in what records and watches: it is closed as containment, and
//! not when its turn comes among the removals.

use std::collections::BTreeSet;

use super::eradication::{Removal, done_by_attacker, keep_asked, removals_of, traces};
use super::state::Incident;
use super::steps::{Offer, Step, in_force, is_unmodifiable, undone_by};
use super::strangers;
use crate::domain::action::{Action, ApiCall, DenyOutsider, RestoreTrustPolicy, shell_quoted};
use crate::domain::approval::{Request, RequestState};
use crate::domain::hunt::Trace;
use crate::domain::playbook::{CLOSE_TRUST, PlaybookStep, RESTORE_LOGGING, RESTORE_TRUST};
use crate::domain::trail::deed::{BY_BOT, Deed};
use crate::domain::trail::entrance::{Entrance, Outsider};
use crate::domain::trail::footprint::State;
use crate::domain::trail::token::{account_of, bare_name};

/// The call that changes a trust policy.
pub(super) const UPDATE: &str = "UpdateAssumeRolePolicy";
/// As a trust policy names whoever there is.
const EVERYBODY: &str = r#""*""#;

/// Trust policies of roles that were there before and that the attacker has changed: doors that stand open.
pub fn opened_doors(incident: &Incident) -> Vec<RestoreTrustPolicy> {
    let account = incident.account();
    let arn = |trace: &Trace| {
        let kind = match trace.resource_type.as_str() {
            "AWS::IAM::User" => "user",
            "AWS::IAM::Role" => "role",
            _ => return None,
        };
        let account = trace.account.as_ref().or(account.as_ref()).filter(|_| trace.made_by_attacker)?;
        Some(format!("arn:aws:iam::{account}:{kind}/{}", bare_name(&trace.id)))
    };
    let attackers: BTreeSet<String> = traces(incident).filter_map(arn).collect();
    let door = |trace: &Trace| {
        let changed =
            trace.resource_type == "AWS::IAM::Role" && !trace.made_by_attacker && trace.state != State::Deleted;
        // Whoever has changed it after the attacker has seen to it; but a deny of the bot's own stands beside what they put.
        let beside = |deed: &Deed| is_by_bot(deed) && is_denied_somebody(incident, &trace.id);
        let newest = trace.deeds.iter().rev().find(|deed| deed.operation == UPDATE && !beside(deed))?;
        let newest = Some(newest).filter(|deed| changed && deed.by_attacker)?;
        let theirs = done_by_attacker(trace, UPDATE);
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

/// Whether it was asked for in this incident that somebody from outside is denied this role.
fn is_denied_somebody(incident: &Incident, role: &str) -> bool {
    let of = |action: &Action| matches!(action, Action::DenyOutsider(of) if of.role_name == bare_name(role));
    incident.requests.values().any(|request| of(&request.plan.action))
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

/// The steps of the playbook's that close a door or have the account recorded again; none of another of its steps.
pub(super) fn steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
    match of.action.as_deref() {
        Some(RESTORE_TRUST) => door_steps(incident, of).into_iter().chain(strangers::steps(incident, of)).collect(),
        Some(CLOSE_TRUST) => entrance_steps(incident, of),
        Some(RESTORE_LOGGING) => logging_steps(incident, of),
        _ => Vec::new(),
    }
}

/// Roles of this account that somebody from outside has taken for the attacker, by a door that was always open to them.
/// A role or provider that the attacker has made goes by itself; and whom IAM Identity Center lets into a role of its own,
/// it alone lets in no more.
pub(super) fn entrances(incident: &Incident) -> impl Iterator<Item = (&str, &Entrance)> {
    let account = incident.account();
    let found = incident.hunted.as_ref().map_or(&[][..], |(found, _)| &found.entrances);
    let here =
        found.iter().filter(move |way| account.as_ref().is_some_and(|id| account_of(&way.role_arn) == id.as_str()));
    here.map(|way| (bare_name(&way.role_arn), way)).filter(|(role, way)| {
        let goes = |trace: &Trace| match trace.resource_type.as_str() {
            "AWS::IAM::Role" => {
                bare_name(&trace.id) == *role && (trace.made_by_attacker || trace.state == State::Deleted)
            }
            "AWS::IAM::OIDCProvider" | "AWS::IAM::SAMLProvider" => {
                way.outsider.provider() == Some(&trace.id) && (trace.made_by_attacker || trace.state == State::Deleted)
            }
            _ => false,
        };
        !is_unmodifiable(incident, role) && !traces(incident).any(goes)
    })
}

/// The steps that close them: one for each role and whoever has come in. What was carried out stays, whatever is found.
fn entrance_steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (role, way) in entrances(incident).filter(|(role, way)| !is_shut(incident, role, &way.outsider)) {
        // The role comes last: a call that gets through by it is known by that.
        let Ok(id) = format!("{}.{}.{role}", of.id, way.outsider.tag()).parse() else { continue };
        let action = Action::DenyOutsider(DenyOutsider { role_name: role.to_owned(), outsider: way.outsider.clone() });
        let title = action.title();
        steps.push(Step { id, title, why: why_closed(incident, of, role, way), offer: Offer::Action(action) });
    }
    let mut asked = Vec::new();
    keep_asked(incident, of, &mut asked);
    asked.retain(|step| !steps.iter().any(|shown| shown.id == step.id) && has_come_to_a_call(incident, step));
    steps.extend(asked);
    steps
}

fn why_closed(incident: &Incident, of: &PlaybookStep, role: &str, way: &Entrance) -> String {
    let both = if opened_doors(incident).iter().any(|door| door.role_name == role) {
        " The attacker has changed this trust policy too. Putting it back takes out whom they have let in, and only that; this \
         step denies whoever has come in, whether or not they were let in before. Put it back first, where the bot can: after \
         this step the policy is no longer as the attacker has left it, and is put back by hand."
    } else {
        ""
    };
    let (who, event) = (way.outsider.in_words(), &way.event_id);
    format!(
        "{} A session of role {role} that the attacker holds was taken by {who}. Event that shows it: {event}. Either the attacker \
         has a credential there too, or it was stolen from whoever uses the role by right: ask them. Where the door is to \
         stay open, two people say what was done instead.{both}",
        of.why
    )
}

/// Whether the trust policy that was put back in this incident lets them in no more.
fn is_shut(incident: &Incident, role: &str, outsider: &Outsider) -> bool {
    let name = match outsider {
        Outsider::Account { account } => account.as_str(),
        Outsider::WebIdentity { provider, .. } | Outsider::Saml { provider, .. } => provider,
    };
    // A policy that names them no more lets them in no more, but where it lets in everybody.
    let without = |document: &str| !document.contains(name) && !document.contains(EVERYBODY);
    let shuts = |request: &Request| match &request.plan.action {
        Action::RestoreTrustPolicy(of) if of.role_name == role => {
            in_force(incident, &request.plan.step).is_some_and(|newest| newest.id == request.id)
                && request.plan.work.calls.iter().find_map(ApiCall::document).is_some_and(without)
        }
        _ => false,
    };
    incident.requests.values().any(shuts)
}

/// Whether a step was carried out, or may have been, or is on its way.
fn has_come_to_a_call(incident: &Incident, step: &Step) -> bool {
    let has = |request: &Request| {
        let state = &request.state;
        let called = matches!(state, RequestState::Verified { .. } | RequestState::Unknown { .. });
        state.is_open() || (called && undone_by(incident, request.id).is_none())
    };
    incident.requests_for(&step.id).any(has)
}

/// The steps that close them.
fn door_steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
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
        commands: vec![put_command(role)],
    }
}

/// What people run to put a trust policy.
pub(super) fn put_command(role: &str) -> String {
    format!("aws iam update-assume-role-policy --role-name {} --policy-document file://…", shell_quoted(role))
}

/// Whether the trail shows that somebody has put a role's trust policy after the attacker's newest change, other than the bot:
/// they have seen to it.
pub(super) fn is_seen_to(incident: &Incident, role: &str) -> bool {
    let is = |trace: &&Trace| trace.resource_type == "AWS::IAM::Role" && bare_name(&trace.id) == role;
    traces(incident).filter(is).any(|trace| {
        let newest = trace.deeds.iter().rev().find(|deed| deed.operation == UPDATE && !is_by_bot(deed));
        newest.is_some_and(|deed| !deed.by_attacker)
    })
}

/// Whether it is the bot's own change of a trust policy.
pub(super) fn is_by_bot(deed: &Deed) -> bool {
    deed.operation == UPDATE && deed.what == BY_BOT && !deed.by_attacker
}

/// The steps that switch on again what records and watches.
fn logging_steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
    let records = |removal: &Removal| matches!(removal.action, Action::StartLogging(_) | Action::EnableDetector(_));
    let off = removals_of(incident, &["AWS::CloudTrail::Trail", "AWS::GuardDuty::Detector"]);
    let mut steps: Vec<Step> =
        off.iter().filter(|removal| records(removal)).filter_map(|removal| removal.step(of)).collect();
    keep_asked(incident, of, &mut steps);
    steps
}
