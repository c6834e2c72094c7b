//! What the search through the trail has shown, as a part of the report: whole, where the cards show the first ones.

use std::fmt::Write as _;

use super::{moment, text};
use crate::domain::hunt::{Proved, Reached, Trace, Watched};
use crate::domain::incident::remains::in_doubt;
use crate::domain::incident::state::Incident;
use crate::domain::incident::verdict::{Gate, Verdict, gate, standing};
use crate::domain::playbook::Playbook;
use crate::domain::trail::entrance::Entrance;

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
    let Some((found, _)) = &incident.hunted else { return out };
    list(&mut out, "Credentials that the attacker reached", found.credentials.iter().filter_map(reached));
    let entrance = |way: &Entrance| {
        let (role, who, event) = (text(&way.role_arn), text(&way.outsider.in_words()), text(&way.event_id));
        format!("{role} was taken by {who} (event {event})")
    };
    list(&mut out, "Came in from outside the account", found.entrances.iter().map(entrance));
    let proved = |one: &Proved| format!("{} (event {})", text(&one.what), text(&one.event_id));
    list(&mut out, "To change: secrets and parameters that were read", found.rotate.iter().map(proved));
    let doubtful = |trace: &Trace| {
        let (kind, id, region) = (text(&trace.resource_type), text(&trace.id), text(&trace.region));
        format!("{kind} {id} in {region} (event {})", text(trace.in_doubt.as_deref().unwrap_or("none")))
    };
    let title =
        "Not proposed for removal: it can be the owner's, because nobody has said since when the credential is stolen";
    list(&mut out, title, in_doubt(incident).into_iter().map(doubtful));
    list(&mut out, "Logging and detection that was tampered with", found.tampering.iter().map(proved));
    list(&mut out, "Data that was read", found.data.iter().map(proved));
    list(&mut out, "Not known", found.not_known.iter().map(|why| text(why)));
    list(&mut out, "Not recorded", found.not_recorded.iter().map(|why| text(why)));
    out
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
