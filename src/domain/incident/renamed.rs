//! What a renaming means for an incident: its user goes on under another name, with all keys and sessions.

use super::hunting::is_role;
use super::state::Incident;
use crate::domain::action::shell_quoted;
use crate::domain::approval::Request;
use crate::domain::hunt::renamed::Renaming;
use crate::domain::hunt::{Hunted, Trace};
use crate::domain::identification::Identification;
use crate::domain::observation::{Observation, Probe};
use crate::domain::trail::deed::Deed;
use crate::domain::trail::renamed::name_before;
use crate::domain::trail::token::bare_name;

/// The calls that give another name.
const RENAMES: [&str; 2] = ["UpdateUser", "UpdateGroup"];

/// The name of a user that AWS shows.
fn user_shown(seen: &Observation) -> Option<&str> {
    seen.owner_arn().filter(|arn| arn.contains(":user/")).map(bare_name)
}

/// Whether AWS shows the incident's user under another name than it is known by.
pub fn shows_other_name(incident: &Incident, seen: &Observation) -> bool {
    let Some(known) = incident.identification() else { return false };
    let same = known.unique_id.is_some() && known.unique_id.as_deref() == seen.owner_id();
    same && user_shown(seen).is_some_and(|now| known.name.as_deref() != Some(now))
}

/// Whether a search shows that nobody bears the name by which the incident's user is known, because it was taken from them.
pub fn is_called_otherwise(incident: &Incident, found: &Hunted) -> bool {
    let known = incident.identification().filter(|known| !is_role(known.kind));
    let name = known.and_then(|known| known.name.as_deref());
    name.zip(incident.account()).is_some_and(|(name, account)| found.called_now(account.as_str(), name).is_some())
}

/// The unique id of the incident's user, where a question is about it.
pub fn unique_id<'a>(incident: &'a Incident, probe: &Probe) -> Option<&'a str> {
    let known = incident.identification().filter(|known| known.name == probe.user_name())?;
    known.unique_id.as_deref().filter(|id| id.starts_with("AIDA"))
}

/// Whether looking again has shown that the incident's user is called otherwise by now.
pub(super) fn is_renamed(incident: &Incident, found: &Identification) -> bool {
    let Some(known) = incident.identification() else { return false };
    known.unique_id.is_some() && known.unique_id == found.unique_id && known.name != found.name
}

/// What a search has shown of the incident's user under the old name is known of it under the new one.
pub(super) fn take_name(incident: &mut Incident, found: &Identification) {
    if !is_renamed(incident, found) {
        return;
    }
    let old = incident.identification().and_then(|known| known.name.clone());
    let names = incident.account().zip(old).zip(found.name.as_deref());
    if let (Some(((account, old), new)), Some((hunted, _))) = (names, &mut incident.hunted) {
        hunted.call_anew(account.as_str(), &old, new);
    }
}

/// What the user is called by now about whom something was asked for under a name, as far as AWS or the trail has shown it.
pub(super) fn called_now(incident: &Incident, request: &Request, name: &str) -> String {
    let own = incident.identification().filter(|known| known.unique_id.is_some());
    let own = own.filter(|known| known.unique_id.as_deref() == request.plan.before.owner_id());
    let by_id = own.and_then(|known| known.name.clone());
    by_id.unwrap_or_else(|| renaming(incident, name).map_or_else(|| name.to_owned(), |renaming| renaming.to.clone()))
}

fn renaming<'a>(incident: &'a Incident, name: &str) -> Option<&'a Renaming> {
    let (found, _) = incident.hunted.as_ref()?;
    found.called_now(incident.account()?.as_str(), name)
}

/// That AWS shows a user under another name than it was asked about, for people; nothing where it does not.
pub(super) fn sentence(incident: &Incident, probe: &Probe, seen: &Observation) -> Option<String> {
    let (asked, now) = (probe.user_name()?, user_shown(seen)?);
    if asked == now {
        return None;
    }
    let known = renaming(incident, &asked).and_then(|of| Some((of.by.as_deref()?, of.event_id.as_deref()?)));
    let who = match known {
        Some((by, event)) => format!("{by} has renamed it, event {event}"),
        None => "who has renamed it, the trail shows some minutes later".to_owned(),
    };
    Some(format!(
        "user {asked} is called {now} by now, and all its keys, passwords and sessions go on under that ({who})"
    ))
}

/// Why nothing is asked for under a name: AWS shows its user under another.
pub fn refused(incident: &Incident, probe: &Probe, seen: &Observation) -> Option<String> {
    let (why, now) = (sentence(incident, probe, seen)?, user_shown(seen)?);
    Some(format!("Nothing was asked for: {why}. Ask again once the card says {now}."))
}

/// What the user or group was called before the attacker renamed it, where it is not called so again.
pub(super) fn first_name(trace: &Trace) -> Option<&str> {
    let theirs = |deed: &&Deed| deed.by_attacker && RENAMES.contains(&deed.operation.as_str());
    let first = trace.deeds.iter().filter(theirs).find_map(|deed| name_before(&deed.what))?;
    (first != bare_name(&trace.id)).then_some(first)
}

/// Whether a deed is a renaming, and the name is again what it was before the attacker's first.
pub(super) fn is_back(trace: &Trace, deed: &Deed) -> bool {
    RENAMES.contains(&deed.operation.as_str()) && name_before(&deed.what).is_some() && first_name(trace).is_none()
}

/// What gives the old name back.
pub(super) fn command(trace: &Trace) -> Option<String> {
    let (now, first) = (shell_quoted(bare_name(&trace.id)), shell_quoted(first_name(trace)?));
    Some(match trace.resource_type.as_str() {
        "AWS::IAM::Group" => format!("aws iam update-group --group-name {now} --new-group-name {first}"),
        _ => format!("aws iam update-user --user-name {now} --new-user-name {first}"),
    })
}
