//! What is to be removed and put back: from the footprint that the search has shown, in the order in which it goes. Only
//! what the attacker has made is deleted; what was there before is put back; everything else is for people.

use std::collections::{BTreeMap, BTreeSet};

pub use done::is_done;
use done::is_done_unless;

use super::hands::{Said, said};
use super::scene::Scene;
use super::started::By;
use super::state::Incident;
use super::steps::{Offer, Step, contained, steps as all_steps};
use super::verdict::{Gate, gate};
use super::{default_version, estate, reached, renamed, started, uploaded};
use crate::domain::action::{
    Action, DeleteAccessKey, DeleteFunctionUrl, DeleteGroup, DeleteIdentityProvider, DeleteInlinePolicy,
    DeleteInstanceProfile, DeletePolicy, DeleteRole, DeleteUser, DetachPolicy, RemoveFromGroup, RemoveRule,
    RestorePolicyVersion, TerminateInstance,
};
use crate::domain::approval::{Digest, RequestState};
use crate::domain::hunt::Trace;
use crate::domain::id::StepId;
use crate::domain::observation::Holder;
use crate::domain::playbook::{Playbook, PlaybookStep};
use crate::domain::policy::ActionClass;
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::{Made, State};
use crate::domain::trail::parameters::is_quarantine;
use crate::domain::trail::token::bare_name;

mod done;

/// Removals that have a card of their own at a time: as they are done, the next ones get theirs.
const STEPS_MAX: usize = 30;
/// Events that a card names.
const EVIDENCE_SHOWN_MAX: usize = 3;
/// Letters of a name that a step's name can hold: with the playbook's step and `undo.` before it, it stays a name.
const SUFFIX_CHARS_MAX: usize = 150;

/// One thing to remove or put back.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// When it is its turn: what lets somebody in goes before what it lets in, and a policy after what it hangs on.
    rank: u8,
    /// What tells it from the others in its step's name.
    suffix: String,
    /// What is done.
    pub action: Action,
    /// Events that prove it is the attacker's.
    pub evidence: Vec<String>,
    /// How the attacker has made what is removed, where it is theirs.
    pub(super) made: Option<Made>,
}

impl Removal {
    fn new(rank: u8, trace: &Trace, suffix: &str, action: Action) -> Self {
        Self { rank, suffix: step_suffix(suffix), action, evidence: trace.evidence.clone(), made: trace.made.clone() }
    }

    /// The step that does it, as one of the playbook's step `of`.
    pub(super) fn step(&self, of: &PlaybookStep) -> Option<Step> {
        let evidence = self.evidence.iter().take(EVIDENCE_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
        Some(Step {
            id: format!("{}.{}", of.id, self.suffix).parse().ok()?,
            title: self.action.title(),
            why: format!("{} Events that show that it is the attacker's: {evidence}.", of.why),
            offer: Offer::Action(self.action.clone()),
        })
    }

    /// Whether its turn has come. What takes something off that was there before tightens, and waits for nothing. What runs
    /// for the attacker takes its role anew by itself, whatever is revoked: while it is there nothing is contained. What
    /// lets the attacker in anew has to go before the proof, or there is never one, and comes back while they can still act.
    /// All else waits for the proof: it tells the attacker, and what it was is evidence.
    fn may_go(&self, incident: &Incident, (contained, proven): (bool, bool)) -> bool {
        match &self.action {
            Action::DetachPolicy(_)
            | Action::DeleteInlinePolicy(_)
            | Action::RemoveFromGroup(_)
            | Action::RevokeIngress(_)
            | Action::RevokeEgress(_)
            | Action::DeleteEventSource(_)
            | Action::UnshareSnapshot(_)
            | Action::StartLogging(_)
            | Action::EnableDetector(_)
            | Action::UnshareImage(_)
            | Action::RemovePermissions(_)
            | Action::DeleteFunctionUrl(_)
            | Action::TerminateInstance(_)
            | Action::StopScalingGroup(_)
            | Action::CancelSpotRequest(_)
            | Action::DeleteFleet(_)
            | Action::RestoreLaunchTemplate(_)
            | Action::RestoreDefaultVersion(_)
            | Action::DeleteFunction(_)
            | Action::RestoreFunctionCode(_)
            | Action::RemoveRule(RemoveRule { put: false, .. }) => true,
            Action::DeleteRole(of) => proven || (contained && lets_in(incident, &of.role_name)),
            Action::DeleteIdentityProvider(_) | Action::DeleteTrustAnchor(_) | Action::DeleteAnywhereProfile(_) => {
                contained
            }
            _ => proven,
        }
    }
}

/// Whether the attacker has had a session of a role of theirs: whom it trusts is their word, and takes it again.
fn lets_in(incident: &Incident, role: &str) -> bool {
    let account = incident.account();
    let here = |of: &str| account.as_ref().is_none_or(|account| account.as_str() == of);
    reached::roles(incident).into_iter().any(|(of, name)| here(of) && name == role)
}

/// A name as a part of a step's name. The attacker chooses names: no two of them come to the same, and none is too long
/// to get a step.
pub(super) fn step_suffix(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._@+=,".contains(c) { c } else { '-' };
    let suffix: String = name.chars().map(plain).take(SUFFIX_CHARS_MAX).collect();
    if suffix == name { suffix } else { format!("{suffix}.{}", Digest::of(&name).short()) }
}

/// What the search has shown that is in the incident's account.
pub(super) fn traces(incident: &Incident) -> impl Iterator<Item = &Trace> {
    let account = incident.account();
    let hunted = incident.hunted.as_ref().map_or(&[][..], |(hunted, _)| &hunted.footprint);
    hunted.iter().filter(move |trace| trace.account.is_none() || trace.account == account)
}

/// Whether it is there, and the attacker's alone.
pub(super) fn is_theirs(trace: &Trace) -> bool {
    trace.made_by_attacker && trace.state == State::Present
}

/// The removals that wait for the proof of containment, or for two people who accept that there is none.
pub fn waiting(incident: &Incident, playbook: &Playbook) -> Vec<Removal> {
    let turn = (contained(incident, playbook), gate(incident, playbook) != Gate::Shut);
    removals(incident).into_iter().filter(|removal| !removal.may_go(incident, turn)).collect()
}

/// Everything to remove or put back, in order. What can be the owner's is no more than listed (`remains::in_doubt`).
pub fn removals(incident: &Incident) -> Vec<Removal> {
    let scene = Scene::of(incident);
    let proved = traces(incident).filter(|trace| trace.in_doubt.is_none());
    let mut found: Vec<Removal> = proved.flat_map(|trace| of_trace(&scene, trace)).collect();
    found.extend(started_by_theirs(&scene));
    in_order(found)
}

/// Those of resources of these kinds alone.
pub(super) fn removals_of(incident: &Incident, kinds: &[&str]) -> Vec<Removal> {
    let mut traces = traces(incident).filter(|trace| kinds.contains(&trace.resource_type.as_str())).peekable();
    // Mostly there are none.
    if traces.peek().is_none() {
        return Vec::new();
    }
    let scene = Scene::of(incident);
    in_order(traces.flat_map(|trace| of_trace(&scene, trace)).collect())
}

fn in_order(mut found: Vec<Removal>) -> Vec<Removal> {
    found.sort_by(|a, b| (a.rank, &a.suffix).cmp(&(b.rank, &b.suffix)));
    found.dedup_by(|a, b| a.suffix == b.suffix);
    found
}

/// Instances that a group or request of the attacker's has started, once it starts no more: before that it would replace them.
fn started_by_theirs(scene: &Scene<'_>) -> impl Iterator<Item = Removal> {
    let incident = scene.incident;
    started::left(incident).into_iter().filter_map(move |((region, instance_id), by)| {
        let evidence = match by {
            By::Stopped(request) => scene.made_in(region, request.plan.action.target())?.evidence.clone(),
            By::Made(event_id) => vec![event_id.to_owned()],
        };
        let suffix = step_suffix(&format!("instance.{region}.{instance_id}"));
        let end = TerminateInstance { region: region.to_owned(), instance_id, incident: incident.id };
        // What is known of the making is the group's.
        Some(Removal { rank: estate::RUNS, suffix, action: Action::TerminateInstance(end), evidence, made: None })
    })
}

/// What removes or puts back one thing.
pub(super) fn of_trace(scene: &Scene<'_>, trace: &Trace) -> Vec<Removal> {
    let incident = scene.incident;
    let name = bare_name(&trace.id).to_owned();
    let suffix = format!("{}.{name}", kind(trace));
    // The same name can stand in several Regions.
    let regional = |(rank, action): (u8, Action)| {
        let (kind, place) = (kind(trace), format!("{}.{name}", trace.region));
        let suffix = match action {
            Action::DeleteWarmPool(_) => format!("{kind}.pool.{place}"),
            Action::DeleteScalingGroup(_) => format!("{kind}.deleted.{place}"),
            Action::RevokeEgress(_) => format!("{kind}.egress.{place}"),
            Action::RestoreFunctionCode(_) => format!("{kind}.{place}.{}", action.kind()),
            _ => format!("{kind}.{place}"),
        };
        vec![Removal::new(rank, trace, &suffix, action)]
    };
    let one = |rank, action| vec![Removal::new(rank, trace, &suffix, action)];
    match (trace.resource_type.as_str(), is_theirs(trace)) {
        ("AWS::IAM::AccessKey", true) => {
            let owner = scene.owner_of(trace).filter(|user| !scene.is_theirs("AWS::IAM::User", user));
            let (Some(user_name), Ok(access_key_id)) = (owner, trace.id.parse()) else { return Vec::new() };
            one(0, Action::DeleteAccessKey(DeleteAccessKey { user_name, access_key_id }))
        }
        ("AWS::IAM::User", true) => one(2, Action::DeleteUser(DeleteUser { user_name: name })),
        ("AWS::IAM::Role", true) => one(5, Action::DeleteRole(DeleteRole { role_name: name })),
        ("AWS::IAM::InstanceProfile", true) => {
            one(6, Action::DeleteInstanceProfile(DeleteInstanceProfile { instance_profile_name: name }))
        }
        ("AWS::IAM::Group", true) => one(6, Action::DeleteGroup(DeleteGroup { group_name: name })),
        ("AWS::IAM::ManagedPolicy", true) => match policy_arn(incident, trace) {
            Some(policy_arn) => one(7, Action::DeletePolicy(DeletePolicy { policy_arn })),
            None => Vec::new(),
        },
        ("AWS::IAM::SAMLProvider" | "AWS::IAM::OIDCProvider", true) if trace.id.starts_with("arn:") => {
            let provider = DeleteIdentityProvider { provider_arn: trace.id.clone() };
            let suffix = format!("{}.{}", kind(trace), provider.name());
            vec![Removal::new(1, trace, &suffix, Action::DeleteIdentityProvider(provider))]
        }
        // Of a function that was there before; an address goes with a function that goes. That of an alias is for people.
        ("AWS::Lambda::Url", true) if !scene.goes_with_function(trace) && !name.contains(':') => {
            let (region, function_name) = (trace.region.clone(), name.clone());
            regional((1, Action::DeleteFunctionUrl(DeleteFunctionUrl { region, function_name })))
        }
        (_, true) => {
            estate::removal(scene, trace).into_iter().chain(estate::unshare(trace)).flat_map(regional).collect()
        }
        (_, false) if trace.state == State::Deleted || trace.made_by_attacker => Vec::new(),
        (_, false) => match estate::put_back(trace) {
            none if none.is_empty() => put_back(scene, trace, &name),
            found => found.into_iter().flat_map(regional).collect(),
        },
    }
}

/// The last part of the type: `User`.
fn kind(trace: &Trace) -> String {
    trace.resource_type.rsplit("::").next().unwrap_or_default().to_ascii_lowercase()
}

fn policy_arn(incident: &Incident, trace: &Trace) -> Option<String> {
    if trace.id.starts_with("arn:") {
        return Some(trace.id.clone());
    }
    incident.account().map(|account| format!("arn:aws:iam::{account}:policy/{}", trace.id))
}

/// What undoes the attacker's deeds on something that was there before. What they have taken back themselves is left.
fn put_back(scene: &Scene<'_>, trace: &Trace, name: &str) -> Vec<Removal> {
    let holder = holder(trace, name);
    let mut found = Vec::new();
    for (at, deed) in trace.deeds.iter().enumerate().filter(|(_, deed)| deed.by_attacker) {
        let Some((rank, action)) = undoing(scene, trace, holder.as_ref(), deed) else { continue };
        if trace.deeds[at + 1..].iter().any(|later| takes_back(deed, later)) {
            continue;
        }
        let suffix = [kind(trace), name.to_owned(), action.kind().to_owned(), part_of(trace, deed)];
        found.push(Removal::new(rank, trace, suffix.join(".").trim_end_matches('.'), action));
    }
    found
}

/// What a deed has put there, as the last part of a step's name. AWS's own policies can be called what the account's are:
/// the first one of a name has it alone, whatever came of it, and another's goes on with what tells it from that.
fn part_of(trace: &Trace, deed: &Deed) -> String {
    let part = |of: &Deed| bare_name(&of.what).trim_end_matches('.').to_owned();
    let alike = |one: &&Deed| one.operation == deed.operation && part(one) == part(deed);
    match trace.deeds.iter().find(alike) {
        Some(first) if first.what != deed.what => format!("{}.{}", part(deed), Digest::of(&deed.what).short()),
        _ => part(deed),
    }
}

/// Whether the attacker has done something to it that nothing here takes back.
pub(super) fn is_unanswered(scene: &Scene<'_>, trace: &Trace) -> bool {
    let name = bare_name(&trace.id);
    let holder = holder(trace, name);
    trace.deeds.iter().enumerate().filter(|(_, deed)| deed.by_attacker).any(|(at, deed)| {
        // A membership goes with the user or is taken back at the group; trust policies, passwords and
        // MFA devices are containment.
        let elsewhere = matches!(
            deed.operation.as_str(),
            "AddUserToGroup"
                | "UpdateAssumeRolePolicy"
                | "CreateLoginProfile"
                | "UpdateLoginProfile"
                | "EnableMFADevice"
        );
        let settled = elsewhere
            || default_version::is_settled(trace, deed)
            || (is_quarantine(&deed.what) && puts_on(&deed.operation))
            || (puts_on(&deed.operation) && was_there(trace, deed))
            || estate::is_answered(trace, at)
            || uploaded::is_answered(trace, at)
            || renamed::is_back(trace, deed)
            || undoing(scene, trace, holder.as_ref(), deed).is_some()
            || trace.deeds[at + 1..].iter().any(|later| takes_back(deed, later))
            || trace.deeds[..at].iter().any(|earlier| earlier.by_attacker && takes_back(earlier, deed));
        !settled
    })
}

fn holder(trace: &Trace, name: &str) -> Option<Holder> {
    match trace.resource_type.as_str() {
        "AWS::IAM::User" => Some(Holder::User(name.to_owned())),
        "AWS::IAM::Role" => Some(Holder::Role(name.to_owned())),
        "AWS::IAM::Group" => Some(Holder::Group(name.to_owned())),
        _ => None,
    }
}

fn undoing(scene: &Scene<'_>, trace: &Trace, holder: Option<&Holder>, deed: &Deed) -> Option<(u8, Action)> {
    let what = || deed.what.clone();
    Some(match (deed.operation.as_str(), holder) {
        // What they have taken off themselves before, or others had put there, they have only put back.
        (operation, _) if puts_on(operation) && was_there(trace, deed) => return None,
        ("AttachUserPolicy" | "AttachRolePolicy" | "AttachGroupPolicy", Some(holder)) if !is_quarantine(&deed.what) => {
            (1, Action::DetachPolicy(DetachPolicy { holder: holder.clone(), policy_arn: what() }))
        }
        ("PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy", Some(holder)) => {
            let about =
                |of: &&Deed| of.by_attacker && of.what == deed.what && of.operation.ends_with(&deed.operation[3..]);
            let event_ids = trace.deeds.iter().filter(about).map(|of| of.event_id.clone()).collect();
            let (holder, policy_name) = (holder.clone(), what());
            (1, Action::DeleteInlinePolicy(DeleteInlinePolicy { holder, policy_name, event_ids }))
        }
        ("AddUserToGroup", Some(Holder::Group(group))) if !scene.is_theirs("AWS::IAM::User", &deed.what) => {
            (1, Action::RemoveFromGroup(RemoveFromGroup { user_name: what(), group_name: group.clone() }))
        }
        ("CreatePolicyVersion", None) if trace.resource_type == "AWS::IAM::ManagedPolicy" => {
            let policy_arn = policy_arn(scene.incident, trace)?;
            let theirs = done_by_attacker(trace, "CreatePolicyVersion").map(|deed| deed.what.clone());
            let also_theirs = theirs.filter(|version| *version != deed.what).collect();
            let set = done_by_attacker(trace, "SetDefaultPolicyVersion");
            let event_ids = set.map(|deed| deed.event_id.clone()).collect();
            let restore = RestorePolicyVersion { policy_arn, version_id: what(), also_theirs, event_ids };
            (1, Action::RestorePolicyVersion(restore))
        }
        ("SetDefaultPolicyVersion", None) if trace.resource_type == "AWS::IAM::ManagedPolicy" => {
            let policy_arn = policy_arn(scene.incident, trace)?;
            (1, Action::RestoreDefaultVersion(default_version::put_back(trace, deed, policy_arn)?))
        }
        // A trust policy is put back as containment, and a password taken away: they are doors that stand open.
        _ => return None,
    })
}

/// The attacker's calls of one kind on a resource.
pub(super) fn done_by_attacker<'a>(trace: &'a Trace, operation: &'a str) -> impl Iterator<Item = &'a Deed> {
    trace.deeds.iter().filter(move |deed| deed.by_attacker && deed.operation == operation)
}

/// Whether a call has the same effect however often it is made.
fn puts_on(operation: &str) -> bool {
    operation.starts_with("Attach") || operation == "AddUserToGroup"
}

/// Whether what a deed puts there was there before, and the owner's: the attacker has taken it off first, or somebody else had
/// put it there.
fn was_there(trace: &Trace, deed: &Deed) -> bool {
    let mut rightful = None;
    for one in trace.deeds.iter().filter(|one| one.is_about(deed)) {
        let puts = one.operation == deed.operation;
        match (opposite(&deed.operation) == Some(&one.operation), one.by_attacker) {
            (off, true) if rightful.is_none() && (off || puts) => rightful = Some(off),
            (off, false) if off || puts => rightful = Some(puts),
            _ => {}
        }
    }
    rightful == Some(true)
}

/// The call that takes one back.
fn opposite(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "AttachUserPolicy" => "DetachUserPolicy",
        "AttachRolePolicy" => "DetachRolePolicy",
        "AttachGroupPolicy" => "DetachGroupPolicy",
        "PutUserPolicy" => "DeleteUserPolicy",
        "PutRolePolicy" => "DeleteRolePolicy",
        "PutGroupPolicy" => "DeleteGroupPolicy",
        "CreatePolicyVersion" => "DeletePolicyVersion",
        "AddUserToGroup" => "RemoveUserFromGroup",
        "EnableMFADevice" => "DeactivateMFADevice",
        "DeactivateMFADevice" => "EnableMFADevice",
        "DeleteUserPolicy" => "PutUserPolicy",
        "DeleteRolePolicy" => "PutRolePolicy",
        "DeleteGroupPolicy" => "PutGroupPolicy",
        "RemoveUserFromGroup" => "AddUserToGroup",
        // Put over the owner's, and taken off: theirs is gone.
        boundary if boundary.ends_with("PermissionsBoundary") => return None,
        other => return estate::opposite(other),
    })
}

/// Whether a later deed takes this one back.
pub(super) fn takes_back(deed: &Deed, later: &Deed) -> bool {
    let Some(opposite) = opposite(&deed.operation) else { return false };
    // The same again by the attacker is undone once; an inline policy that others have put anew is theirs.
    let again = deed.operation == later.operation && (later.by_attacker || deed.operation.starts_with("Put"));
    (later.operation == opposite || again) && later.is_about(deed)
}

/// The steps of the playbook's step `of`, as far as their turn has come; and those that were ever asked for.
pub(super) fn steps(incident: &Incident, of: &PlaybookStep, playbook: &Playbook) -> Vec<Step> {
    let turn = (contained(incident, playbook), gate(incident, playbook) != Gate::Shut);
    let mut steps: Vec<Step> = Vec::new();
    let mut open = 0;
    let removals = removals(incident);
    for removal in &removals {
        let Some(step) = removal.step(of) else { continue };
        let asked = incident.requests_for(&step.id).next().is_some();
        if !asked && (!removal.may_go(incident, turn) || open == STEPS_MAX) {
            continue;
        }
        open += usize::from(!is_done_unless(incident, &step.id, &removal.action, || true));
        steps.push(step);
    }
    keep_asked(incident, of, &mut steps);
    steps
}

/// What was asked for stays, though the trail shows by now that it is gone.
pub(super) fn keep_asked(incident: &Incident, of: &PlaybookStep, steps: &mut Vec<Step>) {
    let is_of = |id: &StepId| id.as_str().strip_prefix(of.id.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let mut shown: BTreeSet<StepId> = steps.iter().map(|step| step.id.clone()).collect();
    for request in incident.requests.values().filter(|request| is_of(&request.plan.step)) {
        if !shown.insert(request.plan.step.clone()) {
            continue;
        }
        let action = request.plan.action.clone();
        let (id, why) = (request.plan.step.clone(), of.why.clone());
        steps.push(Step { id, title: action.title(), why, offer: Offer::Action(action) });
    }
}

/// The removals that are not done, in order.
pub fn left(incident: &Incident, playbook: &Playbook) -> Vec<(Step, Action)> {
    let removals = removals(incident);
    let wanted = Wanted::of(&removals);
    let removal = |step: Step| match step.offer.clone() {
        Offer::Action(action) if action.class() == ActionClass::Eradicate && wanted.has(&action) => {
            Some((step, action))
        }
        _ => None,
    };
    let steps = all_steps(incident, playbook).into_iter().filter_map(removal);
    let on_their_word = |step: &Step| matches!(said(incident, step), Said::ByTwo(_));
    steps.filter(|(step, of)| !is_done_unless(incident, &step.id, of, || true) && !on_their_word(step)).collect()
}

/// Removals by what they are about, to be asked for many times.
struct Wanted<'a>(BTreeMap<(&'static str, &'a str, &'a str), Vec<&'a Action>>);

impl<'a> Wanted<'a> {
    fn of(removals: &'a [Removal]) -> Self {
        let mut all: BTreeMap<_, Vec<&Action>> = BTreeMap::new();
        for Removal { action, .. } in removals {
            all.entry((action.kind(), action.region(), action.target())).or_default().push(action);
        }
        Self(all)
    }

    fn has(&self, action: &Action) -> bool {
        let alike = self.0.get(&(action.kind(), action.region(), action.target()));
        alike.is_some_and(|actions| actions.contains(&action))
    }
}

/// Whether a role of the attacker's has been removed since they last got through: nobody has a session of it any more.
pub(super) fn is_removed(incident: &Incident, role: &str) -> bool {
    let got_through_at = incident.breach.as_ref().map(|breach| breach.at);
    incident.requests.values().any(|request| match (&request.plan.action, &request.state) {
        (Action::DeleteRole(of), RequestState::Verified { at, .. }) => {
            of.role_name == role && Some(*at) > got_through_at
        }
        _ => false,
    })
}
