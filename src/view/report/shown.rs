//! What the search through the trail and the inventory have shown, as a part of the report: whole, where the cards show the
//! first ones.

use std::fmt::Write as _;

use super::{moment, text};
use crate::domain::hunt::{Proved, Reached, Trace, Watched};
use crate::domain::incident::overruling::Overruled;
use crate::domain::incident::remains::in_doubt;
use crate::domain::incident::state::Incident;
use crate::domain::incident::verdict::{Gate, Verdict, gate, standing};
use crate::domain::inventory::{Explained, Gap, Inventory, Thing};
use crate::domain::playbook::Playbook;
use crate::domain::trail::entrance::Entrance;
use crate::domain::trail::footprint::State;

/// Empty before the trail has been searched.
pub(super) fn shown(incident: &Incident, playbook: &Playbook) -> String {
    let mut out = String::new();
    if let Some((swept, at)) = &incident.swept {
        let _ = write!(out, "\n## Whether containment holds\n\n- {}\n", verdict(incident, playbook));
        let _ = writeln!(out, "- trail last searched at {}", moment(*at));
        for region in &swept.regions {
            let _ = writeln!(out, "- {}", covered(region));
        }
    }
    hunted(&mut out, incident);
    if let Some(found) = &incident.inventory.found {
        inventory(&mut out, incident, found);
    }
    out
}

fn hunted(out: &mut String, incident: &Incident) {
    let Some((found, _)) = &incident.hunted else { return };
    list(out, "Credentials that the attacker reached", found.credentials.iter().filter_map(reached));
    let entrance = |way: &Entrance| {
        let (role, who, event) = (text(&way.role_arn), text(&way.outsider.in_words()), text(&way.event_id));
        format!("{role} was taken by {who} (event {event})")
    };
    list(out, "Came in from outside the account", found.entrances.iter().map(entrance));
    list(out, "Left behind: made, changed or deleted by the attacker", found.footprint.iter().map(trace));
    let proved = |one: &Proved| format!("{} (event {})", text(&one.what), text(&one.event_id));
    list(out, "To change: secrets and parameters that were read", found.rotate.iter().map(proved));
    let doubtful = |trace: &Trace| {
        let (kind, id, region) = (text(&trace.resource_type), text(&trace.id), text(&trace.region));
        format!("{kind} {id} in {region} (event {})", text(trace.in_doubt.as_deref().unwrap_or("none")))
    };
    let title =
        "Not proposed for removal: it can be the owner's, because nobody has said since when the credential is stolen";
    list(out, title, in_doubt(incident).iter().map(doubtful));
    list(out, "Logging and detection that was tampered with", found.tampering.iter().map(proved));
    list(out, "Data that was read", found.data.iter().map(proved));
    list(out, "Used from the attacker's addresses, and not known to be theirs", found.beside.iter().map(proved));
    list(out, "Not known", found.not_known.iter().map(|why| text(why)));
    list(out, "Not recorded", found.not_recorded.iter().map(|why| text(why)));
    let said = |said: &Overruled| {
        let (about, who) = (text(&said.word.about), said.word.who.label());
        format!("{about}: {who} (by {} at {}: {})", said.by, moment(said.at), text(&said.reason))
    };
    list(out, "Who it was, by responders", incident.overruled.iter().map(said));
}

fn trace(trace: &Trace) -> String {
    let what = match (trace.made_by_attacker, trace.state) {
        (true, State::Deleted) => "made and deleted",
        (true, _) => "made",
        (false, State::Deleted) => "deleted",
        (false, _) => "changed",
    };
    let (id, region) = (text(&trace.id), text(&trace.region));
    let events = trace.evidence.iter().map(|id| text(id)).collect::<Vec<_>>().join(", ");
    format!("{what}: {} {id} in {region} (events {events})", text(&trace.resource_type))
}

/// What exists, set against the log. Two hundred of each list are remembered; what was more is among what was left out.
fn inventory(out: &mut String, incident: &Incident, found: &Inventory) {
    let of = |thing: &Thing| {
        let looked = incident.inventory.looked_at.get(&thing.key());
        let looked = looked.map(|user| format!("; looked at by {user}")).unwrap_or_default();
        format!("{}{looked}", thing_in_words(thing))
    };
    list(out, "Inventory: what no event explains, state only", found.unexplained.iter().map(of));
    list(out, "Inventory: state only, no date", found.dateless.iter().map(thing_in_words));
    let explained = |one: &Explained| {
        let Explained { thing, evidence } = one;
        let whose = if evidence.attackers { "the attacker's key, " } else { "" };
        let (call, by, event) = (text(&evidence.call), text(&evidence.by), text(&evidence.event_id));
        format!("{}: {call} by {whose}{by} (event {event})", thing_in_words(thing))
    };
    list(out, "Inventory: made since by somebody else", found.explained.iter().map(explained));
    let gap = |gap: &Gap| {
        let of = if gap.resource_types.is_empty() { "everything".to_owned() } else { gap.resource_types.join(", ") };
        format!("{}: {} ({})", text(&gap.region), text(&of), text(&gap.why))
    };
    list(out, "Inventory: not covered", found.gaps.iter().map(gap));
    list(out, "Inventory: left out", found.limits.iter().map(|limit| text(limit)));
}

fn thing_in_words(thing: &Thing) -> String {
    let part = thing.part.as_deref().map(|part| format!(" {}", text(part))).unwrap_or_default();
    let at = thing.created_at.map_or_else(|| "no date".to_owned(), moment);
    let (kind, id, region) = (text(&thing.resource_type), text(&thing.id), text(&thing.region));
    let whole: Vec<String> = [format!("{kind} {id}{part} in {region}"), at]
        .into_iter()
        .chain(thing.facts.iter().map(|fact| text(fact)))
        .collect();
    whole.join(", ")
}

fn list(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let _ = write!(out, "\n## {title}\n\n- {}\n", lines.join("\n- "));
    }
}

fn verdict(incident: &Incident, playbook: &Playbook) -> String {
    match (gate(incident, playbook), standing(incident, playbook)) {
        (Gate::Accepted, _) => "not proven; two people have accepted to go on without proof".to_owned(),
        (_, Some(Verdict::Verified)) => "verified: nothing of the attacker's has worked since".to_owned(),
        (_, Some(Verdict::Failed { call })) => {
            format!("failed: {} got through at {} (event {})", text(&call.what), moment(call.at), text(&call.event_id))
        }
        (_, Some(Verdict::Unclear { call })) => {
            format!(
                "unclear: {} was not denied at {} (event {})",
                text(&call.what),
                moment(call.at),
                text(&call.event_id)
            )
        }
        (_, Some(Verdict::Attempted | Verdict::Provisional)) => "quiet so far, and not proven yet".to_owned(),
        (_, None) => "not judged: containment is not complete".to_owned(),
    }
}

fn covered(region: &Watched) -> String {
    let name = text(&region.region);
    match (&region.unread, region.covered_until) {
        (Some(why), _) => format!("{name}: not covered: {}", text(why)),
        (None, Some(until)) => format!("{name}: the trail is known until {}", moment(until)),
        (None, None) => format!("{name}: searched; nothing shows yet how far its trail is known"),
    }
}

/// The stolen ones themselves are named at the top.
fn reached(one: &Reached) -> Option<String> {
    let how = one.how.as_deref()?;
    let key = one.access_key_id.as_deref().unwrap_or("the console");
    let whose = one.principal.as_deref().unwrap_or("an unknown principal");
    let event = one.event_id.as_deref().unwrap_or("none");
    Some(format!("{} of {}, by {} (event {})", text(key), text(whose), text(how), text(event)))
}
