//! The card of the proof: what the evidence says about the containment, and what is still to be seen.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::blocks::{Look, actions, button, code, context, cut, escape, header, section, summary, time};
use crate::domain::hunt::{Call, UNWATCHED, Watched};
use crate::domain::identification::KnownKey;
use crate::domain::incident::risk::containment_shown;
use crate::domain::incident::state::{Incident, Watch};
use crate::domain::incident::steps::contained;
use crate::domain::incident::verdict::{Gate, PROPAGATION, QUIET, Verdict, gate, minutes_covered, standing};
use crate::domain::observation::KeyStatus;
use crate::domain::playbook::Playbook;
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Cells of a bar; each stands for so many minutes.
const CELLS: i64 = 10;
/// Regions with a bar.
const REGIONS_MAX: usize = 30;
const WHY_CHARS_MAX: usize = 200;
/// Its headline.
pub const TITLE: &str = "Containment proof";

/// The card; absent until something was put in place and the trail has been searched since.
pub fn message(incident: &Incident, playbook: &Playbook) -> Option<Message> {
    let (Watch { since, .. }, (swept, _)) = (incident.watch?, incident.swept.as_ref()?);
    let says = in_words(incident, playbook);
    let (mark, short) = match (gate(incident, playbook), standing(incident, playbook)) {
        (Gate::Accepted, _) => (":ballot_box_with_check:", "not proven, the risk is accepted"),
        (_, Some(Verdict::Verified)) => (":large_green_circle:", "verified"),
        (_, Some(Verdict::Failed { .. })) => (":rotating_light:", "failed"),
        (_, Some(Verdict::Unclear { .. })) => (":warning:", "unclear, a call was not denied"),
        (_, Some(Verdict::Attempted)) => (":hourglass_flowing_sand:", "attempted and blocked, not settled yet"),
        (_, Some(Verdict::Provisional)) => (":hourglass_flowing_sand:", "quiet, not settled yet"),
        (_, None) => (":white_circle:", "no verdict yet"),
    };
    let mut blocks = vec![header(&format!("{mark} {TITLE}")), section(&says)];
    let verdict = standing(incident, playbook);
    let is_judged = verdict.is_some() || contained(incident, playbook);
    let line = |region: &Watched| if is_judged { bar(incident, verdict, region) } else { known(region) };
    let lines: Vec<String> = swept.regions.iter().take(REGIONS_MAX).map(line).collect();
    if !lines.is_empty() {
        let title = if is_judged {
            "*Quiet that the trail shows, by Region*"
        } else {
            "*How far the trail is known, by Region:* no proof of anything before containment is complete"
        };
        blocks.push(section(&format!("{title}\n{}", lines.join("\n"))));
    }
    if let Some(call) = swept.last_denied.as_ref().filter(|call| call.at > since) {
        blocks.push(section(&format!("*Last attempt, denied:* {}", attempt(call))));
    }
    blocks.extend(used_since(incident, since).filter(|_| is_judged));
    let sessions = incident.hunted.iter().flat_map(|(found, _)| &found.sessions);
    if let Some(longest) = sessions.max_by_key(|session| session.until) {
        blocks.push(section(&format!(
            "*The last of the attacker's sessions to expire* is {}, at {} at the latest. Until then only the denies stand \
             between it and the account.",
            code(&longest.access_key_id),
            time(longest.until)
        )));
    }
    blocks.extend(risk(incident, playbook));
    blocks.push(context(&format!(
        "Goes by the time of events, from {} on. A Region counts as far as the trail shows a call of the bot's own, made \
         every 5 minutes; with a key switched off there is often no event at all, so silence alone is no proof. Reads and \
         writes of data (objects, items, function calls) are not in the event history, and do not count here.",
        time(since)
    )));
    Some(Message { text: summary(&format!("{} · {TITLE}: {short}", incident.id)), blocks })
}

/// When AWS last saw a key used that is off, where that was after the containment. AWS does not say whether the call was let
/// through, so nothing goes by it.
fn used_since(incident: &Incident, since: DateTime<Utc>) -> Option<Value> {
    let stolen = incident.subject.access_key.as_ref();
    let is_off = |key: &&KnownKey| key.status == KeyStatus::Inactive || Some(&key.id) == stolen;
    let used = |key: &KnownKey| {
        let at = key.last_used_at.filter(|at| *at > since + PROPAGATION)?;
        let what = key.last_used_for.as_deref().map(|what| format!(" for {}", escape(what))).unwrap_or_default();
        Some(format!("• {} at {}{what}", code(key.id.as_str()), time(at)))
    };
    let keys = incident.identification()?.keys.iter().filter(is_off);
    let lines: Vec<String> = keys.filter_map(used).collect();
    (!lines.is_empty()).then(|| {
        section(&format!(
            ":warning: *AWS says that a key was last used after the containment.* That is a hint and no proof of anything: look \
             for the call in the trail, and whether the key is off.\n{}",
            lines.join("\n")
        ))
    })
}

/// The verdict as a sentence, and what it asks for.
pub fn in_words(incident: &Incident, playbook: &Playbook) -> String {
    let minutes = QUIET.num_minutes();
    match standing(incident, playbook) {
        Some(Verdict::Failed { call }) => format!(
            ":rotating_light: *Failed: the attacker got through after the containment.* {}. Back to containment: revoke \
             again what it came through, and look for what lets it in.",
            attempt(call)
        ),
        Some(Verdict::Unclear { call }) => format!(
            ":warning: *Unclear: a call after the containment was not denied, and failed for another reason* ({}). {}. The \
             credential may still be let in: contain again what it came through, or say who it was on the hunt's card.",
            escape(call.error.as_deref().unwrap_or("no reason given")),
            attempt(call)
        ),
        Some(Verdict::Verified) => {
            format!("*Verified.* Nothing of the attacker's has worked for {minutes} minutes, in every Region searched.")
        }
        Some(Verdict::Attempted) => format!(
            "*Attempted, and blocked.* The attacker has tried since and was denied. Verified after {minutes} minutes in \
             which nothing worked, in every Region.{}",
            unwatched(incident)
        ),
        Some(Verdict::Provisional) => format!(
            "*Quiet so far.* Verified after {minutes} minutes in which nothing worked, in every Region; the trail is up to \
             15 minutes behind.{}",
            unwatched(incident)
        ),
        None if contained(incident, playbook) => "*No verdict yet:* the trail is being searched.".to_owned(),
        None => "*No verdict:* containment is not complete. It is judged from the moment that all steps are in force."
            .to_owned(),
    }
}

/// What keeps it from ever being verified, where Regions are left out.
fn unwatched(incident: &Incident) -> String {
    let regions = incident.swept.iter().flat_map(|(swept, _)| &swept.regions);
    let left_out = regions.filter(|region| region.unread.as_deref() == Some(UNWATCHED));
    let left_out: Vec<String> = left_out.map(|region| code(&region.region)).collect();
    if left_out.is_empty() {
        return String::new();
    }
    format!(
        " *That will not be while nobody looks at {}:* enabled, and left out by `regions` in irp.toml. Name them there, or go \
         on without proof.",
        left_out.join(", ")
    )
}

/// How much of the quiet is covered, drawn; none is where the attacker got through.
fn bar(incident: &Incident, verdict: Option<&Verdict>, region: &Watched) -> String {
    let failed = match verdict {
        Some(Verdict::Failed { call }) => Some(call),
        _ => None,
    };
    // The first of them is the verdict's, the last is kept beside it.
    let calls = failed.into_iter().chain(incident.breach.as_deref().filter(|_| failed.is_some()));
    let through = calls.filter(|call| call.region == region.region).map(|call| call.at).max();
    let needed = QUIET.num_minutes();
    if let Some(at) = through {
        let drawn: String = (0..CELLS).map(|_| '░').collect();
        return format!(
            "{drawn} {} :rotating_light: the attacker got through here, {}",
            code(&region.region),
            time(at)
        );
    }
    let covered = incident.watch.map_or(0, |watch| minutes_covered(watch.since, region));
    let full = covered * CELLS / needed;
    let drawn: String = (0..CELLS).map(|cell| if cell < full { '▓' } else { '░' }).collect();
    format!("{drawn} {} {covered} of {needed} min{}", code(&region.region), not_covered(region))
}

/// Why a Region is not covered; empty where it is.
fn not_covered(region: &Watched) -> String {
    match (&region.unread, region.covered_until) {
        (Some(why), _) => format!(" :warning: not covered: {}", cut(&escape(why), WHY_CHARS_MAX)),
        (None, None) => " not covered yet: the trail does not show a call of the bot's own".to_owned(),
        (None, Some(_)) => String::new(),
    }
}

/// How far the trail of a Region is known, where nothing is judged.
fn known(region: &Watched) -> String {
    let until = region.covered_until.map(|at| format!(" up to {}", time(at))).unwrap_or_default();
    format!("{}{until}{}", code(&region.region), not_covered(region))
}

fn attempt(call: &Call) -> String {
    let key = call.access_key_id.as_deref().map(|key| format!(" with {}", code(key))).unwrap_or_default();
    format!(
        "{} by {}{key} in {}, {} (event {})",
        code(&call.what),
        code(&call.principal),
        code(&call.region),
        time(call.at),
        code(&call.event_id)
    )
}

/// Who has accepted to go on without proof, and the button for it.
fn risk(incident: &Incident, playbook: &Playbook) -> Vec<Value> {
    let mut blocks = Vec::new();
    let agreed = incident.risk.iter().flat_map(|risk| risk.agreed.values());
    let lines: Vec<String> =
        agreed.map(|(user, reason)| format!("• {}: {}", mention(user), cut(&escape(reason), WHY_CHARS_MAX))).collect();
    let accepted = incident.risk.as_ref().and_then(|risk| risk.accepted_at);
    if !lines.is_empty() {
        let title = match accepted {
            Some(at) => format!(":ballot_box_with_check: *The risk is accepted* since {}", time(at)),
            None => "*The risk is accepted by one;* it takes two people, one of them an approver".to_owned(),
        };
        blocks.push(section(&format!("{title}\n{}", lines.join("\n"))));
    }
    let open = incident.is_open() && !incident.sample && accepted.is_none() && contained(incident, playbook);
    let unproven = !matches!(standing(incident, playbook), Some(Verdict::Failed { .. } | Verdict::Verified));
    if let Some(shown) = containment_shown(incident).filter(|_| open && unproven) {
        let value = format!("{} {shown}", incident.id);
        blocks.push(actions("proof", &[button(name::ACCEPT_RISK, "Go on without proof…", &value, Look::Plain)]));
    }
    blocks
}
