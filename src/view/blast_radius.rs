//! What a credential was used for, and what breaks when it is contained.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::blocks::{code, context, cut, escape, section, time};
use super::machines::new_credentials;
use crate::domain::action::{Action, DeactivateAccessKey, DenyByScp, RevokeRoleSessions};
use crate::domain::blast_radius::{BlastRadius, RoleUse, Tally};
use crate::domain::incident::others::used_from;
use crate::domain::incident::state::Incident;
use crate::domain::observation::Holder;

/// How many of a list are shown.
const SHOWN_MAX: usize = 6;
/// How many of a list one line has, and how long it gets.
const BRIEF_MAX: usize = 3;
const BRIEF_CHARS_MAX: usize = 400;
/// CloudTrail is up to so late.
const TRAIL_LATE: TimeDelta = TimeDelta::minutes(15);
/// Access keys that IAM lets a user have.
const KEYS_MAX: usize = 2;
/// Longest reason why something could not be read.
const ERROR_CHARS_MAX: usize = 300;

/// For the evidence card.
pub fn blocks(incident: &Incident, reach: &BlastRadius, read_at: DateTime<Utc>) -> Vec<Value> {
    let mut blocks = vec![section(&used_for(incident, reach))];
    for role in &reach.roles {
        let sessions = list(role.sessions.iter().map(|session| code(session)));
        blocks.push(section(&format!(
            "*Has assumed* {}, last {}, as {sessions}. Such a session outlives the key.",
            code(&role.arn),
            time(role.last_at)
        )));
    }
    blocks.extend(reach.role_use.iter().map(|role_use| section(&used_by(role_use))));
    if !reach.is_whole() {
        let lines: Vec<String> =
            reach.not_known.iter().take(SHOWN_MAX).map(|n| format!("• {}", cut(&escape(n), ERROR_CHARS_MAX))).collect();
        blocks.push(section(&format!(":warning: *Use that could not be read*\n{}", lines.join("\n"))));
    }
    let settled = if incident.is_open() { " It is read again: a call shows up to 15 minutes late." } else { "" };
    blocks.push(context(&format!(
        "Use as read {} from the event history (management events only: reads and writes of data are not in it).{settled}",
        time(read_at)
    )));
    blocks
}

/// For the card of a step: what stops working with it, and when another order would be wiser.
pub fn warnings(incident: &Incident, action: &Action) -> Vec<Value> {
    if let Action::RevokeRoleSessions(RevokeRoleSessions { role_name })
    | Action::DenyByScp(DenyByScp { principal: Holder::Role(role_name), .. }) = action
    {
        return of_role(incident, role_name);
    }
    let Some(reach) = incident.reach() else { return Vec::new() };
    match action {
        Action::DeactivateAccessKey(DeactivateAccessKey { user_name, access_key_id })
            if Some(access_key_id) == incident.subject.access_key.as_ref() =>
        {
            let mut warnings =
                vec![section(&format!(":warning: *What stops working with it*\n{}", used_for(incident, reach)))];
            warnings.extend(rotate_first(incident, user_name));
            warnings
        }
        Action::DenyByScp(DenyByScp { principal: Holder::User(name), .. }) if is_own(incident, name) => {
            vec![section(&format!(":warning: *What stops working with it*\n{}", used_for(incident, reach)))]
        }
        _ => Vec::new(),
    }
}

/// Who loses their session of a role, and how those that cannot ask for another get one.
fn of_role(incident: &Incident, role_name: &str) -> Vec<Value> {
    let role_use = incident.reach().and_then(|reach| use_of(incident, reach, role_name));
    let warning = |role_use| {
        section(&format!(":warning: *Everybody below loses their session of this role.*\n{}", used_by(role_use)))
    };
    let mut warnings: Vec<Value> = role_use.map(warning).into_iter().collect();
    warnings.extend(new_credentials(incident, role_name, role_use));
    warnings
}

/// Who uses a role: one that the credential has taken, or the one whose credential it is. What is known of another's says
/// nothing.
fn use_of<'r>(incident: &Incident, reach: &'r BlastRadius, role_name: &str) -> Option<&'r RoleUse> {
    let taken = reach.roles.iter().find(|role| role.name == role_name).and_then(|role| role.role_use.as_ref());
    taken.or_else(|| reach.role_use.as_ref().filter(|_| is_own(incident, role_name)))
}

/// Whether this is the user or role whose credential it is.
fn is_own(incident: &Incident, name: &str) -> bool {
    incident.identification().is_some_and(|found| found.name.as_deref() == Some(name))
}

/// The same in a line, for a card with several steps.
pub fn breaks(incident: &Incident, action: &Action) -> Option<String> {
    let reach = incident.reach()?;
    let names = |tallies: &[Tally]| list(tallies.iter().take(BRIEF_MAX).map(|tally| code(&tally.name)));
    let line = match action {
        Action::RevokeRoleSessions(RevokeRoleSessions { role_name }) => {
            let role_use = use_of(incident, reach, role_name)?;
            let codes = |items: &[String]| list(items.iter().take(BRIEF_MAX).map(|item| code(item)));
            format!("used by {}; runs as it: {}", codes(&role_use.assumed_by), codes(&role_use.runs_as))
        }
        Action::DeactivateAccessKey(DeactivateAccessKey { access_key_id, .. })
            if Some(access_key_id) == incident.subject.access_key.as_ref() =>
        {
            if let (0, Some(why)) = (reach.usage.events, not_settled(incident, reach)) {
                return Some(cut(
                    &format!(":warning: What stops working with it is not known yet: {why}."),
                    BRIEF_CHARS_MAX,
                ));
            }
            format!("used from {} for {}", names(&reach.usage.addresses), names(&reach.usage.services))
        }
        _ => return None,
    };
    Some(cut(&format!(":warning: In {} days {line}. More on its own card.", reach.usage.days_read), BRIEF_CHARS_MAX))
}

/// Where others than the attacker use the same key, a workload stops with it: giving it another first can be
/// the wiser move, if the attacker can be borne for as long.
fn rotate_first(incident: &Incident, user_name: &str) -> Option<Value> {
    let others = used_from(incident);
    if others.is_empty() {
        return None;
    }
    let from = list(
        others.iter().map(|tally| format!("{} ({}×, last {})", code(&tally.name), tally.count, time(tally.last_at))),
    );
    let keys = incident.identification().map_or(0, |found| found.keys.len());
    let no_more = if keys < KEYS_MAX {
        ""
    } else {
        "; the user has two already and IAM allows no third, so one that nobody uses has to be deleted first"
    };
    Some(section(&format!(
        ":arrows_counterclockwise: *Rotate first?* The key is also used from {from}. If that outage would be worse than \
         some more minutes of the attacker: make a second key ({}{no_more}), hand it to that workload through its \
         secret store, see it used, and approve this then. What the attacker does meanwhile is on you.",
        code(&format!("aws iam create-access-key --user-name {user_name}"))
    )))
}

/// Why what was read of the credential's use need not be all: it was read before CloudTrail had to have what was done before
/// the incident was opened, or IAM shows a later use.
fn not_settled(incident: &Incident, reach: &BlastRadius) -> Option<String> {
    let tallies = reach.usage.services.iter().chain(&reach.usage.addresses);
    let newest = tallies.map(|tally| tally.last_at).max();
    let newest_in_words = || match newest {
        Some(at) => format!("the newest event read is of {}", time(at)),
        None => "no event has been read".to_owned(),
    };
    let (_, read_at) = incident.blast_radius.as_ref()?;
    if *read_at < incident.opened_at + TRAIL_LATE {
        return Some(format!("{}, and CloudTrail is up to 15 minutes late", newest_in_words()));
    }
    let key = incident.subject.access_key.as_ref();
    let known = incident.identification()?.keys.iter().find(|known| Some(&known.id) == key);
    let used_at = known.and_then(|known| known.last_used_at)?;
    let is_read = used_at > *read_at - TimeDelta::days(i64::from(reach.usage.days_read));
    (is_read && newest.is_none_or(|newest| newest < used_at)).then(|| {
        format!(
            "{}, and IAM shows a use at {}: CloudTrail is late, or that was a read or write of data",
            newest_in_words(),
            time(used_at)
        )
    })
}

fn used_for(incident: &Incident, reach: &BlastRadius) -> String {
    let usage = &reach.usage;
    let not_settled = not_settled(incident, reach);
    if usage.events == 0 {
        let says = not_settled.map_or_else(|| "no call is recorded".to_owned(), |why| format!("not known yet: {why}"));
        return format!("*Used in the last {} days:* {says}.", usage.days_read);
    }
    let more = not_settled.map(|why| format!("\n• there may be more: {why}")).unwrap_or_default();
    let tallies =
        |tallies: &[Tally]| list(tallies.iter().map(|tally| format!("{} {}×", code(&tally.name), tally.count)));
    let cut = if usage.cut { " (there is more: the list is cut)" } else { "" };
    format!(
        "*Used in the last {} days:* {} call(s){cut}\n• services: {}\n• from: {}\n• sessions: {}{more}",
        usage.days_read,
        usage.events,
        tallies(&usage.services),
        tallies(&usage.addresses),
        tallies(&usage.sessions)
    )
}

/// Who uses a role, in words.
fn used_by(role_use: &RoleUse) -> String {
    let codes = |items: &[String]| list(items.iter().map(|item| code(item)));
    let cut = if role_use.cut { " (there is more: the list is cut)" } else { "" };
    format!(
        "*Who uses this role*\n• assumed in the last {} days by {}{cut}\n• runs as it: {}\n• trusted: {}\n• instance profiles: {}",
        role_use.days_read,
        codes(&role_use.assumed_by),
        codes(&role_use.runs_as),
        codes(&role_use.trusted),
        codes(&role_use.instance_profiles)
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    let mut shown = items[..items.len().min(SHOWN_MAX)].to_vec();
    if items.len() > SHOWN_MAX {
        shown.push(format!("and {} more", items.len() - SHOWN_MAX));
    }
    if shown.is_empty() { "none recorded".to_owned() } else { shown.join(", ") }
}
