//! When the trail is searched for what the attacker reached and left behind, and what follows from a search.

use chrono::{DateTime, TimeDelta, Utc};

use super::decide::Context;
use super::event::Event;
use super::logs;
use super::state::Incident;
use super::steps::contained;
use super::verdict::{Judged, Verdict, judge};
use crate::domain::credential::{AccessKeyId, PrincipalKind};
use crate::domain::hunt::{Call, Hunted, Reached, SoFar, Swept};
use crate::domain::trail::named::Named;

/// How long after something new, and how often until then.
const CADENCE_MIN: [(i64, i64); 2] = [(30, 1), (2 * 60, 5)];
/// And from then on.
const AT_REST: TimeDelta = TimeDelta::minutes(30);
/// What containment needs is read first; but not for longer than this.
const AFTER_REACH: TimeDelta = TimeDelta::seconds(30);

/// For so long whose a key is can be found out before it is searched for without that.
const UNIDENTIFIED_FOR: TimeDelta = TimeDelta::minutes(1);

/// A finding comes after the deed. What the credential did longer before it is taken for its owner's, until a responder
/// sets the time of compromise: without any time, all that it ever did would be the thief's.
pub const SEEN_LATE: TimeDelta = TimeDelta::hours(1);

/// From when on the credential is taken to be in other hands; `None` while nobody knows. Without a key all that somebody
/// does counts: then the opening of the incident says as much as an alert would.
pub fn since(incident: &Incident) -> Option<DateTime<Utc>> {
    let stolen_at = incident.compromise.as_ref().map(|set| set.at);
    let opened_at = incident.subject.access_key.is_none().then_some(incident.opened_at);
    stolen_at.or_else(|| {
        incident.first_seen_at().or(opened_at).map(|seen_at| seen_at.checked_sub_signed(SEEN_LATE).unwrap_or(seen_at))
    })
}

/// Who is taken for stolen when no key is known: the user, in the console and with any key, root likewise, the session that
/// was named, or all sessions of the role.
pub fn assumed(incident: &Incident) -> Option<Named> {
    let found = incident.identification().filter(|_| incident.subject.access_key.is_none())?;
    let account = incident.account()?;
    let (name, session) = (found.name.as_deref(), found.session_name.as_deref());
    let arn = match (found.kind, name, session) {
        (PrincipalKind::Root, ..) => format!("arn:aws:iam::{account}:root"),
        (PrincipalKind::IamUser | PrincipalKind::FederatedUser, Some(name), _) => {
            format!("arn:aws:iam::{account}:user/{name}")
        }
        (kind, Some(name), Some(session)) if is_role(kind) => {
            format!("arn:aws:sts::{account}:assumed-role/{name}/{session}")
        }
        (kind, Some(name), None) if is_role(kind) => format!("arn:aws:iam::{account}:role/{name}"),
        _ => return None,
    };
    // A session goes by its name; its role's unique id is that of all others too.
    let is_session = is_role(found.kind) && session.is_some();
    let unique_id = found.unique_id.clone().filter(|_| !is_session);
    let named: Option<Named> = found.arn.clone().filter(|_| !is_session).unwrap_or(arn).parse().ok();
    named.map(|named| named.with_unique_id(unique_id))
}

/// Whether it is known by the sessions of a role.
pub const fn is_role(kind: PrincipalKind) -> bool {
    matches!(kind, PrincipalKind::AssumedRole | PrincipalKind::IdentityCenterRole | PrincipalKind::ServiceLinkedRole)
}

/// Addresses from which an alert has seen the credential used.
pub fn suspects(incident: &Incident) -> Vec<String> {
    incident.findings.values().filter_map(|finding| finding.remote_address.clone()).collect()
}

/// Whether what such a principal was used for is read, and the roles that it has taken: by name.
pub const fn is_followed(kind: PrincipalKind) -> bool {
    matches!(kind, PrincipalKind::IamUser | PrincipalKind::FederatedUser | PrincipalKind::AssumedRole)
}

/// Whether a search has come across a call of the stolen key, which says whose it is.
pub(super) fn shows_whose(incident: &Incident, found: &Hunted) -> bool {
    let key = incident.subject.access_key.as_ref().map(AccessKeyId::as_str);
    let stolen = |reached: &&Reached| key.is_some() && reached.access_key_id.as_deref() == key;
    found.credentials.iter().find(stolen).is_some_and(|reached| reached.principal.is_some())
}

/// From when on there is somebody to search for: a key, whoever's it is, or else whoever is known to have been stolen.
fn followed_from(incident: &Incident) -> Option<DateTime<Utc>> {
    let by_key = incident.subject.access_key.is_some() && incident.account().is_some() && !incident.sample;
    if let Some(identified) = &incident.identified {
        let can_be_followed = by_key || is_followed(identified.found.kind) || assumed(incident).is_some();
        return can_be_followed.then_some(identified.at);
    }
    // Whose a user's own key is, IAM says at once or not at all.
    let is_session = incident.subject.access_key.as_ref().is_some_and(|key| !key.is_long_term());
    (by_key && is_session).then_some(incident.opened_at + UNIDENTIFIED_FOR)
}

/// When the trail is next searched: once it is known whose credential it is, or that this cannot be found out yet, then every minute in the first half
/// hour of the incident and after anything new, and ever more rarely for as long as it is open. A containment is
/// new too: its proof is waited for. What a responder says is followed at once.
pub fn due_at(incident: &Incident) -> Option<DateTime<Utc>> {
    let from = followed_from(incident)?;
    let Some((swept, swept_at)) = &incident.swept else {
        let is_read = incident.blast_radius.is_some() || !is_followed(incident.principal_kind());
        return Some(from + if is_read { TimeDelta::zero() } else { AFTER_REACH });
    };
    // What the logs have brought is looked at at once.
    if let Some(read_at) = logs::read_at(incident).filter(|read_at| read_at > swept_at) {
        return Some(read_at);
    }
    // Said while a search was under way, it was not heard by that one.
    if let Some(told_at) = incident.told_at.filter(|_| incident.told_at != swept.told_at) {
        return Some(told_at);
    }
    let changed_at = incident.watch.map(|watch| watch.changed_at);
    let news_at = [incident.found_new_at, changed_at].into_iter().flatten().fold(incident.opened_at, DateTime::max);
    let age = *swept_at - news_at;
    let every = CADENCE_MIN.into_iter().find(|(until, _)| age < TimeDelta::minutes(*until));
    Some(*swept_at + every.map_or(AT_REST, |(_, every)| TimeDelta::minutes(every)))
}

/// What a search brings back.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// What it shows.
    pub found: Hunted,
    /// How far it came.
    pub swept: Swept,
    /// The attacker's calls, the earliest first.
    pub calls: Vec<Call>,
}

/// What a search has come to before its end.
#[derive(Clone, Debug)]
pub struct HalfWay {
    /// What it shows by then; absent while it cannot be told yet whose calls are whose.
    pub found: Option<Hunted>,
    /// The attacker's calls, the earliest first.
    pub calls: Vec<Call>,
    /// How far it is.
    pub so_far: SoFar,
    /// When that was said which it had last heard from responders.
    pub told_at: Option<DateTime<Utc>>,
}

/// What follows from it: what is new is there at once, and what got through fails the containment at once. Nothing else
/// is judged by half a search, and no sweep is counted. Nothing, when another process was faster.
pub(super) fn take_half_way(incident: &Incident, half_way: HalfWay, cx: Context<'_>) -> Vec<Event> {
    let HalfWay { found, calls, so_far, told_at } = half_way;
    if !incident.is_open() || due_at(incident).is_none_or(|due| due > cx.now) {
        return Vec::new();
    }
    // What a responder has said since makes it another question.
    let (found, calls) = if told_at == incident.told_at { (found, calls) } else { (None, Vec::new()) };
    let before = incident.hunted.as_ref().map(|(before, _)| before);
    let found = found.map(|found| found.half_way(before)).filter(|found| found.shows_more_than(before));
    let failed = contained_since(incident, found.as_ref(), cx).and_then(|since| match judge(since, &calls, &[]) {
        verdict @ Verdict::Failed { .. } => Some(Judged { verdict, since }),
        _ => None,
    });
    let failed = failed.filter(|judged| incident.verdict.as_ref().is_none_or(|(last, _)| **last != *judged));
    let found = found.map(|found| Event::TrailHunted { found: Box::new(found) });
    let failed = failed.map(|judged| Event::VerdictReached { judged: Box::new(judged) });
    found.into_iter().chain(failed).chain([Event::TrailPartlyRead { so_far: Box::new(so_far) }]).collect()
}

/// Since when what a search has shown by now is contained; `None` while it is not. What got through does not count here: a
/// responder can have said since that it was not the attacker's.
fn contained_since(incident: &Incident, found: Option<&Hunted>, cx: Context<'_>) -> Option<DateTime<Utc>> {
    let mut after = incident.clone();
    if let Some(found) = found {
        after.hunted = Some((found.clone(), cx.now));
    }
    // What there may be beside it does not excuse what got through.
    if let Some((found, _)) = &mut after.hunted {
        found.take_as_whole();
    }
    after.breach = None;
    after.watch.map(|watch| watch.since).filter(|_| contained(&after, cx.playbook))
}

/// What follows from a search. Nothing, when another process was faster.
pub(super) fn take(incident: &Incident, sweep: Sweep, cx: Context<'_>) -> Vec<Event> {
    let Sweep { found, swept, calls } = sweep;
    if !incident.is_open() || due_at(incident).is_none_or(|due| due > cx.now) {
        return Vec::new();
    }
    // Containment that is not complete has no verdict.
    let since = contained_since(incident, Some(&found), cx);
    let news = incident.hunted.as_ref().is_none_or(|(last, _)| !last.says_the_same(&found));
    let mut events: Vec<Event> = news.then(|| Event::TrailHunted { found: Box::new(found) }).into_iter().collect();
    let regions = swept.regions.clone();
    events.push(Event::TrailSwept { swept: Box::new(swept) });
    // A search that could not look anywhere has nothing to say against what one that could has shown.
    let looked = regions.iter().any(|region| region.unread.is_none());
    let judged = |since: &DateTime<Utc>| incident.verdict.as_ref().is_some_and(|(last, _)| last.since == *since);
    if let Some(since) = since.filter(|since| looked || !judged(since)) {
        let judged = Judged { verdict: judge(since, &calls, &regions), since };
        if incident.verdict.as_ref().is_none_or(|(last, _)| **last != judged) {
            events.push(Event::VerdictReached { judged: Box::new(judged) });
        }
    }
    events
}
