//! Short posts in the thread for what has changed: an edited card notifies nobody.

use std::collections::BTreeSet;
use std::mem::discriminant;

use super::blocks::{code, escape, section, summary, time};
use super::step::done;
use super::{Card, To, calls, hunt, inventory};
use crate::domain::alert::{Alert, AlertSource};
use crate::domain::approval::Request;
use crate::domain::credential::AccessKeyId;
use crate::domain::hunt::{Call, Hunted};
use crate::domain::id::{RequestId, UserId};
use crate::domain::incident::eradication::removals;
use crate::domain::incident::event::{Event, Lost};
use crate::domain::incident::state::Incident;
use crate::domain::incident::together::digest;
use crate::domain::incident::verdict::Verdict;
use crate::domain::inventory::Inventory;
use crate::domain::policy::{PersonId, Policy};
use crate::domain::refusal::{Refusal, mention};
use crate::domain::stored::Record;
use crate::domain::trail::token::role_session;
use crate::ports::Message;

/// Approvers who are named in one note.
const ASKED_MAX: usize = 20;

/// One note for each record that people should hear of. Its slot is the record's place in the log, so
/// that it is posted once.
pub fn notes(incident: &Incident, records: &[Record], policy: &Policy) -> Vec<Card> {
    let mut hunted: Option<&Hunted> = None;
    let mut taken: Option<&Inventory> = None;
    let mut disputed: BTreeSet<(&UserId, RequestId)> = BTreeSet::new();
    records
        .iter()
        .enumerate()
        .filter_map(|(i, record)| {
            let said = match &record.event {
                Event::TrailHunted { found } => hunt::news(found, hunted.replace(found), incident.id),
                Event::InventoryTaken { found: Some(found), .. } => inventory::news(found, taken.replace(found)),
                // Nothing has changed: an older log named none at all before.
                Event::RulesChanged { .. } if !names_rules(&records[..i]) => None,
                // Once, however often they press.
                Event::AttemptRefused { by, refusal: Refusal::DisputedTooLate { request, .. }, .. } => {
                    disputed.insert((by, *request)).then(|| disputed_after_the_end(incident, by, *request, policy))
                }
                event => with_it(incident, records, i).and_then(|more| note(incident, event, more, policy)),
            };
            let text = summary(&said?);
            let message = Message { blocks: vec![section(&text)], text };
            Some(Card { slot: format!("note:{}", i + 1), to: To::WarRoom, message })
        })
        .collect()
}

/// Whether a log names the rules that its incident is handled under.
fn names_rules(records: &[Record]) -> bool {
    let names = |event: &Event| match event {
        Event::Opened { policy_version, .. } => policy_version.is_some(),
        other => matches!(other, Event::RulesChanged { .. }),
    };
    records.iter().any(|record| names(&record.event))
}

/// How many records of the same press follow, about requests that were asked for together; `None` for one that another
/// has spoken for. A press can be about some of them only, so that it is not the first of all who speaks.
fn with_it(incident: &Incident, records: &[Record], i: usize) -> Option<usize> {
    let Record { at, event, .. } = &records[i];
    let Some(burst) = burst(incident, event) else { return Some(0) };
    let fellow = |other: &&Record| {
        other.at == *at
            && discriminant(&other.event) == discriminant(event)
            && self::burst(incident, &other.event) == Some(burst)
    };
    match records[..i].last().filter(fellow) {
        Some(_) => None,
        None => Some(records[i + 1..].iter().take_while(fellow).count()),
    }
}

/// What the request of a decision was asked for together with.
fn burst(incident: &Incident, event: &Event) -> Option<RequestId> {
    let (Event::ApprovalRequested { request, .. }
    | Event::ApprovalGiven { request, .. }
    | Event::ApprovalRetracted { request, .. }
    | Event::RequestDenied { request, .. }
    | Event::RequestWithdrawn { request, .. }
    | Event::RequestCancelled { request, .. }
    | Event::RequestSuperseded { request, .. }
    | Event::RequestExpired { request }
    | Event::GlassBroken { request, .. }
    | Event::GlassRatified { request, .. }
    | Event::GlassContested { request, .. }) = event
    else {
        return None;
    };
    incident.requests.get(request)?.burst
}

fn note(incident: &Incident, event: &Event, more: usize, policy: &Policy) -> Option<String> {
    let title = |request: &RequestId| {
        let title = incident.requests.get(request).map(|r| r.plan.action.title()).unwrap_or_default();
        format!("{request}: {}", escape(&title))
    };
    let all = |request: &RequestId| match more {
        0 => title(request),
        more => format!("{} and {more} more that go with it", title(request)),
    };
    Some(match event {
        Event::ApprovalRequested { request, by, asked, .. } => {
            let mut people: Vec<String> = asked.iter().take(ASKED_MAX).map(|PersonId(user)| mention(user)).collect();
            if asked.len() > ASKED_MAX {
                people.push(format!("and {} more", asked.len() - ASKED_MAX));
            }
            let digest = digest(incident, incident.requests.get(request)?);
            let others = if more == 0 { String::new() } else { format!(" and {more} more, as one thing to decide on") };
            format!(
                ":hourglass_flowing_sand: {} asks for {}{others} (digest {}).\nWho can decide, on its card: {}",
                mention(by),
                title(request),
                code(digest.short()),
                people.join(" ")
            )
        }
        Event::ApprovalGiven { request, by, .. } => {
            format!(":white_check_mark: {} approved {}.", mention(by), all(request))
        }
        Event::GlassBroken { request, by, reason, .. } => format!(
            ":rotating_light: *{} broke the glass: {} runs on one person's word.* {}\nAn approver has to ratify or contest \
             it on its card, before the incident can be closed.",
            mention(by),
            all(request),
            escape(reason)
        ),
        Event::GlassRatified { request, by } => {
            format!(":white_check_mark: {} ratified {}: it was right to run it alone.", mention(by), all(request))
        }
        Event::GlassContested { request, by, reason } => {
            format!(":rotating_light: {} contested {}. {}", mention(by), all(request), escape(reason))
        }
        Event::ContainmentChecked { lost, new_keys, .. } => return alarm(incident, lost, new_keys, policy),
        Event::ContainmentUnread { unread, keys } => cannot_be_read(incident, unread, keys.as_deref(), policy),
        Event::RulesChanged { policy_version, .. } => {
            format!("The rules in irp.toml have changed (version {}).", code(policy_version))
        }
        Event::RequestDenied { request, by, reason, .. } => {
            format!(":no_entry: {} denied {}. {}", mention(by), all(request), escape(reason))
        }
        Event::RequestWithdrawn { request, by } => format!("{} withdrew {}.", mention(by), all(request)),
        Event::RequestSuperseded { request, by } => {
            format!("Superseded: {} gives way to {by}, which was asked for later.", all(request))
        }
        Event::ApprovalRetracted { request, by, .. } => {
            format!(":warning: {} took their approval back: {}.", mention(by), all(request))
        }
        Event::ApprovalVoided { request, by, why } => format!(
            ":warning: The approval by {} no longer counts. Pressed now, it would be refused: “{}” Somebody else has to \
             approve {}.",
            mention(by),
            escape(&why.to_string()),
            title(request)
        ),
        Event::RequestCancelled { request, why } => format!("Cancelled: {} ({why}).", all(request)),
        Event::VerdictReached { judged } => match &judged.verdict {
            Verdict::Failed { call } => got_through(incident, call, policy),
            Verdict::Unclear { call } => format!(
                ":warning: *A call of the attacker's after the containment was not denied:* {} at {} failed with {} (event \
                 {}). It may have been let through, and there is no proof before that is settled.",
                code(&call.what),
                time(call.at),
                code(call.error.as_deref().unwrap_or("no reason given")),
                code(&call.event_id)
            ),
            Verdict::Verified => {
                ":large_green_circle: *Containment is verified:* nothing of the attacker's has worked for 30 minutes, in \
                 every Region searched."
                    .to_owned()
            }
            Verdict::Attempted | Verdict::Provisional => return None,
        },
        Event::RiskAgreed { by, reason, .. } => {
            format!(
                ":warning: {} accepts the risk of a containment that is not proven. {}\nIt takes two people, one of them \
                 an approver.",
                mention(by),
                escape(reason)
            )
        }
        Event::RiskAccepted => {
            ":ballot_box_with_check: *The risk is accepted:* the response goes on without proof that the containment holds."
                .to_owned()
        }
        Event::HandDone { title, done, by, .. } => format!(
            ":raised_hand: {} says that this is done by hand: *{}*. {}\nSomebody else has to look, and confirm it on its card.",
            mention(by),
            escape(title),
            escape(done)
        ),
        Event::HandConfirmed { title, by, .. } => format!(
            ":ballot_box_with_check: {} has looked and confirms that it is done by hand: *{}*. It counts from now on; nothing \
             was read back from AWS.",
            mention(by),
            escape(title)
        ),
        Event::HandTakenBack { title, by, .. } => format!(
            ":leftwards_arrow_with_hook: {} takes back that it was done by hand: *{}*. It counts as not done.",
            mention(by),
            escape(title)
        ),
        Event::Frozen { by, request } => format!(
            ":rotating_light: *{} says that {request} was not them. Approvals of this incident are frozen:* nothing is \
             approved and nothing runs until the lead and another approver lift it, with the button on the announcement. \
             That account may be in other hands.",
            mention(by)
        ),
        Event::UnfreezeAgreed { by, .. } => format!("{} agrees to lift the freeze.", mention(by)),
        Event::Unfrozen => ":white_check_mark: The freeze is lifted: approvals go on.".to_owned(),
        Event::ThingsLookedAt { by, things } => {
            format!(
                ":eyes: {} has looked at {} thing(s) that no event explains: see *{}*.",
                mention(by),
                things.len(),
                inventory::TITLE
            )
        }
        Event::SubjectNamed { user, by } => {
            format!(
                "{} named {} as somebody whom this incident is about: they cannot decide in it.",
                mention(by),
                mention(user)
            )
        }
        Event::AttributionOverruled { word, by, reason } => format!(
            "{} says that calls of {} are those of: {}. {}. The search, the steps and the verdict follow.",
            mention(by),
            code(&word.about),
            word.who.label(),
            escape(reason.trim_end_matches('.'))
        ),
        Event::AttemptRefused { refusal: refusal @ Refusal::NobodyToApprove { .. }, .. } => {
            format!(":warning: {refusal}")
        }
        Event::RequestExpired { request } => {
            let by = incident.requests.get(request).map(|r| mention(&r.requested_by)).unwrap_or_default();
            format!(":warning: Nobody decided in time on {}. {by}, ask again if it is still wanted.", all(request))
        }
        Event::RequestLapsed { request, why } => format!(":warning: {} lapsed: {}.", title(request), escape(why)),
        Event::RequestStale { request, why } => format!(":warning: {} is stale: {}.", title(request), escape(why)),
        Event::Verified { request, no_op } => {
            let done = done(&incident.requests.get(request)?.plan.step);
            let what =
                if *no_op { "AWS already was as wanted, nothing was sent" } else { "Done and read back from AWS" };
            format!("{done} {what}: {}.", title(request))
        }
        Event::ExecutionFailed { request, why } => {
            format!(":red_circle: Failed: {}. {} Its card has the command to run by hand.", title(request), escape(why))
        }
        Event::ExecutionUnknown { request, why } => {
            format!(
                ":grey_question: Not known whether it holds: {}. {} Nothing is repeated; AWS is read again.",
                title(request),
                escape(why)
            )
        }
        Event::CompromiseTimeSet { by, compromised_at, basis } => {
            format!("{} set the likely time of compromise to {}: {}", mention(by), time(*compromised_at), escape(basis))
        }
        Event::AlertReceived { alert: Alert { source: AlertSource::Person(by), note, .. } } => {
            let note = note.as_deref().map(|n| format!(": {}", escape(n))).unwrap_or_default();
            format!("{} reported the same credential{note}", mention(by))
        }
        Event::LogsSearchConfirmed { by, .. } => format!(":card_file_box: {} has the logs searched with Athena.", mention(by)),
        Event::LogsSearched { brought, .. } => format!(
            ":card_file_box: The logs were searched: {} call(s) that were not known before. Its card shows what it cost, the \
             *Hunt* card what follows.",
            brought.new
        ),
        Event::LogsSearchFailed { .. } => {
            ":card_file_box: :warning: The logs could not be searched: see their card.".to_owned()
        }
        Event::LeadTaken { by } => format!("{} leads this incident now.", mention(by)),
        Event::Closed { by, outcome, note } => {
            let note = if note.is_empty() { String::new() } else { format!(": {}", escape(note)) };
            format!(":white_check_mark: {} closed the incident as *{}*{note}", mention(by), outcome.label())
        }
        Event::Opened { .. }
        | Event::AlertReceived { .. }
        | Event::Identified { .. }
        | Event::BlastRadiusRead { .. }
        | Event::TrailHunted { .. }
        | Event::TrailPartlyRead { .. }
        | Event::TrailSwept { .. }
        | Event::InventoryTaken { .. }
        | Event::LogsSearchAsked { .. }
        | Event::LogsSearchEstimated { .. }
        | Event::LogsSearchStarted { .. }
        | Event::LogsSearchCancelled { .. }
        | Event::LogsSearchStopped { .. }
        | Event::IdentificationFailed { .. }
        | Event::LookedAgain { .. }
        | Event::IdentificationAsked { .. }
        | Event::PlanUploaded { .. }
        | Event::PlanNotUploaded { .. }
        | Event::ExecutionStarted { .. }
        | Event::ExecutionContinues { .. }
        | Event::CallAnswered { .. }
        | Event::AttemptRefused { .. } => return None,
    })
}

/// Somebody's name was behind it without them, and it is over: what it did stands, and nobody would look at it any more.
fn disputed_after_the_end(incident: &Incident, by: &UserId, request: RequestId, policy: &Policy) -> String {
    let title = incident.requests.get(&request).map(|found| escape(&found.plan.action.title())).unwrap_or_default();
    format!(
        ":rotating_light: *{} says that {request} was not them, and this incident is closed:* {title}. {}\nWhat was done in \
         their name stands. Look at it in AWS, and open an incident about the same credential (`/irp open`): that account may \
         be in other hands.",
        mention(by),
        called(incident, policy)
    )
}

/// Who leads, or is on call while nobody does, and those who have asked for or approved what is in place.
fn called(incident: &Incident, policy: &Policy) -> String {
    let requests = incident.requests.values();
    let mut people = calls::first_called(incident, policy);
    people.extend(requests.flat_map(behind));
    people.into_iter().collect::<Vec<_>>().join(" ")
}

/// The removal of what made a call, where that runs for the attacker and takes its role again and again.
pub(super) fn runs_on(incident: &Incident, call: &Call) -> Option<String> {
    let (_, _, session) = role_session(&call.principal)?;
    let runs = removals(incident).into_iter().find(|removal| removal.action.target() == session)?;
    Some(escape(&runs.action.title()))
}

/// The attacker is still in: everybody who is at work is called.
fn got_through(incident: &Incident, call: &Call, policy: &Policy) -> String {
    let key = call.access_key_id.as_deref().map(|key| format!(" with {}", code(key))).unwrap_or_default();
    let first = runs_on(incident, call).map(|first| format!(" It runs on by itself: first *{first}*."));
    let first = first.unwrap_or_default();
    format!(
        ":rotating_light: *Containment has failed: the attacker got through after it.* {}\n{} by {}{key} worked at {} \
         (event {}). Contain again before anything else: its step can be asked for again.{first}",
        called(incident, policy),
        code(&call.what),
        code(&call.principal),
        time(call.at),
        code(&call.event_id)
    )
}

/// What is no longer known to hold: those who put it in place are called.
fn cannot_be_read(incident: &Incident, unread: &[Lost], keys: Option<&str>, policy: &Policy) -> String {
    let mut call = calls::first_called(incident, policy);
    let mut lines = Vec::new();
    for Lost { request, why } in unread {
        let Some(found) = incident.requests.get(request) else { continue };
        call.extend(behind(found));
        lines.push(format!("• {request} {}: {}", escape(&found.plan.action.title()), escape(why)));
    }
    if let Some(why) = keys {
        lines.push(format!("• Whether the user has got new access keys: {}", escape(why)));
    }
    format!(
        ":rotating_light: *The bot cannot see any more whether the containment holds.* {}\n{}\nSomebody may have taken its \
         rights away to hide what they do: look in AWS yourself.",
        call.into_iter().collect::<Vec<_>>().join(" "),
        lines.join("\n")
    )
}

/// Who has asked for it and who has said yes.
fn behind(request: &Request) -> impl Iterator<Item = String> {
    [mention(&request.requested_by)].into_iter().chain(request.approvals.iter().map(|a| mention(&a.user)))
}

/// What somebody has taken away since, or made: those who put it in place are called.
fn alarm(incident: &Incident, lost: &[Lost], new_keys: &[AccessKeyId], policy: &Policy) -> Option<String> {
    if lost.is_empty() && new_keys.is_empty() {
        return None;
    }
    let mut call = calls::first_called(incident, policy);
    let mut lines = Vec::new();
    for Lost { request, why } in lost {
        let Some(found) = incident.requests.get(request) else { continue };
        call.extend(behind(found));
        lines.push(format!(
            "• {request} no longer holds: {}. Ask again: {}",
            escape(why),
            escape(&found.plan.action.title())
        ));
    }
    for key in new_keys {
        lines.push(format!("• a key that was not there before: {}. Its card is in the thread.", code(key.as_str())));
    }
    Some(format!(
        ":rotating_light: *Somebody is undoing the containment.* {}\n{}",
        call.into_iter().collect::<Vec<_>>().join(" "),
        lines.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::IncidentId;
    use crate::domain::incident::decide;
    use crate::domain::incident::evolve::fold;
    use crate::domain::incident::tests::case::{alert, policy, start};

    /// What is said of these changes of the rules, in an incident that was opened under these.
    fn said(opened_under: Option<&str>, changes: &[&str]) -> Vec<String> {
        let mut opened = decide::open(IncidentId::new(1), alert("d"), &policy(), start());
        if let Event::Opened { policy_version, .. } = &mut opened {
            *policy_version = opened_under.map(Into::into);
        }
        let as_event = |to: &&str| Event::RulesChanged { policy_version: (*to).into(), read_at: Some(start()) };
        let mut records: Vec<Record> = Vec::new();
        for event in [opened].into_iter().chain(changes.iter().map(as_event)) {
            let before = records.last().map(|record| record.hash().to_owned());
            records.push(Record::seal(before.as_deref(), start(), event));
        }
        let notes = notes(&fold(&records).unwrap(), &records, &policy());
        let texts = notes.into_iter().map(|note| note.message.text);
        texts.filter(|text| text.contains("rules in irp.toml have changed")).collect()
    }

    #[test]
    fn the_first_rules_that_an_older_log_names_are_no_change() {
        assert!(said(None, &["v2"]).is_empty());
        let later = said(None, &["v2", "v3"]);
        assert!(matches!(&later[..], [only] if only.contains("v3")), "{later:?}");
        assert_eq!(said(Some("v1"), &["v2"]).len(), 1);
    }
}
