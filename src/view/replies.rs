//! What one person is told: answers to commands and clicks.

use chrono::{DateTime, Utc};

use super::announcement::{next_step, phase, severity, who};
use super::blocks::{code, escape, section, summary};
use crate::domain::approval::{Request, RequestState};
use crate::domain::credential::AccessKeyId;
use crate::domain::id::{IncidentId, RequestId, UserId};
use crate::domain::incident::state::Incident;
use crate::domain::incident::together::members;
use crate::domain::playbook::Playbook;
use crate::domain::policy::Policy;
use crate::domain::refusal::mention;
use crate::intake::submission::SECRET_TYPED;
use crate::ports::Message;

/// Said when the store did not answer in time: whether it was recorded is not known.
pub const NOT_KNOWN_KEPT: &str = ":warning: The bot's store does not answer, so it is *not known* whether this was recorded. Nothing runs until it answers again. Look at the card then, and do it again if it does not show.";

/// Said when a log is damaged, or not as it was written.
pub const LEFT_ALONE: &str = ":rotating_light: The bot's store holds a record of this that cannot be read, or that somebody has changed, or it lacks some that were there. The bot leaves it alone: *nothing was decided and nothing runs*. Contain by hand, and have whoever runs the bot look at once: its log names the record.";

/// When an act has met a fault of this program.
pub const BROKEN: &str = ":warning: This met a fault of the bot itself, and may not have been done. Look at the card before you try again, and tell those who run the bot: its log has the place.";

/// How many incidents a list shows.
pub const LISTED_MAX: usize = 20;
/// How many of them one section shows.
const LINES_MAX: usize = 5;

const NONE_OPEN: &str = "No incident is open.";

/// Plain words.
pub fn said(mrkdwn: &str) -> Message {
    let text = summary(mrkdwn);
    Message { blocks: vec![section(&text)], text }
}

/// What has come of stopping a request and those that were asked for with it. What had started goes on.
pub fn stopped(after: &Incident, request: RequestId, is: fn(&RequestState) -> bool, what: &str) -> Message {
    let members = after.requests.get(&request).map(|found| members(after, found)).unwrap_or_default();
    let (stopped, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| is(&member.state));
    let names = |of: &[&Request]| of.iter().map(|member| member.id.to_string()).collect::<Vec<_>>().join(", ");
    let verb = if stopped.len() == 1 { "is" } else { "are" };
    let rest = if others.is_empty() { String::new() } else { format!(" Not so {}: see the card.", names(&others)) };
    said(&format!("{} {verb} {what}.{rest}", names(&stopped)))
}

/// Whoever asks first leads, where nobody did: they are told, with the answer to what they have `asked`.
pub fn leads(after: &Incident, by: &UserId, asked: usize) -> String {
    if after.lead.as_ref() == Some(by) && after.requests.len() == asked {
        format!(" You lead {} until somebody else takes over the lead.", after.id)
    } else {
        String::new()
    }
}

/// A yes is on record: to how many steps, and what comes next.
pub fn approved(after: &Incident, request: RequestId, by: &UserId, policy: &Policy) -> Message {
    let found = after.requests.get(&request);
    let members = found.map(|found| members(after, found)).unwrap_or_default();
    let theirs = |member: &&&Request| member.approvals.iter().any(|approval| approval.user == *by);
    let (what, they) = match members.iter().filter(theirs).count() {
        0 | 1 => (request.to_string(), ("It runs", "its card shows")),
        steps => (
            format!("{request} and {} more that go with it ({steps} steps)", steps - 1),
            ("They run", "their cards show"),
        ),
    };
    let follows = match found.filter(|found| found.state == RequestState::Pending) {
        None => format!("{} now; {} the result.", they.0, they.1),
        Some(found) => {
            let quorum = usize::from(policy.rules(found.plan.action.class()).quorum);
            format!("It waits for {} more.", quorum.saturating_sub(found.approvals.len()))
        }
    };
    said(&format!("Your approval of {what} is recorded. {follows}"))
}

/// One incident.
pub fn status(incident: &Incident, playbook: &Playbook) -> Message {
    said(&format!("{}\n:arrow_right: {}", line(incident, playbook), next_step(incident, playbook)))
}

/// Asks which incident is meant, where several are open.
pub fn which(list: Message) -> Message {
    if list.text == NONE_OPEN {
        return list;
    }
    let which = "Which one? Type `/irp status INC-n`.";
    let blocks = [section(which)].into_iter().chain(list.blocks).collect();
    Message { text: summary(&format!("{which}\n{}", list.text)), blocks }
}

/// The open incidents, newest first, and those whose logs cannot be read. `more` says that there are others.
pub fn list(
    incidents: &[Incident],
    damaged: &[IncidentId],
    playbook: &Playbook,
    now: DateTime<Utc>,
    more: bool,
) -> Message {
    if incidents.is_empty() && damaged.is_empty() {
        return said(NONE_OPEN);
    }
    let of_one = |incident: &Incident| format!("• {} · {}", line(incident, playbook), at_work(incident, now));
    let mut lines: Vec<String> = incidents.iter().map(of_one).collect();
    lines
        .extend(damaged.iter().map(|id| format!("• *{id}* :rotating_light: its log cannot be read: it is left alone")));
    if more {
        lines.push(format!("There are more; these are the newest {LISTED_MAX}."));
    }
    // One section does not hold them all.
    let blocks = lines.chunks(LINES_MAX).map(|lines| section(&lines.join("\n"))).collect();
    Message { text: summary(&lines.join("\n")), blocks }
}

/// For how long it has been open, who leads, and what waits for somebody.
fn at_work(incident: &Incident, now: DateTime<Utc>) -> String {
    let minutes = (now - incident.opened_at).num_minutes().max(0);
    let age = match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    };
    let lead = incident.lead.as_ref().map_or_else(|| "no lead".to_owned(), |by| format!("led by {}", mention(by)));
    let waiting = incident.requests.values().filter(|request| request.state == RequestState::Pending).count();
    let waiting = match waiting {
        0 => String::new(),
        1 => " · *1 request waits for an approver*".to_owned(),
        more => format!(" · *{more} requests wait for an approver*"),
    };
    format!("open for {age} · {lead}{waiting}")
}

fn line(incident: &Incident, playbook: &Playbook) -> String {
    let id = incident.id;
    format!(
        "*{id}* {} · {} · {} · {}{}",
        severity(incident.severity),
        phase(incident, playbook),
        code(&incident.subject.headline()),
        who(incident),
        if incident.sample { " · SAMPLE" } else { "" }
    )
}

/// What there is to type.
pub fn help(because: Option<&str>) -> Message {
    // A slip does not need the whole list.
    if let Some(because) = because {
        return said(&format!("{because} `/irp help` shows all there is."));
    }
    said(
        "*Stolen AWS credential? This is what you can type:*\n\
         • `/irp open` fill in a form; `/irp open AKIA… [since 3h] [what is known]` opens at once, with an ARN too\n\
         • `/irp since [INC-12] [3h|2d|2026-01-31T10:00Z] [from what you know it]` since when it is stolen; set it anew to correct it\n\
         • `/irp status [INC-12]` how it stands and what comes next\n\
         • `/irp list` the open incidents\n\
         • `/irp close [INC-12] [resolved|false-positive|duplicate|exercise] [note]`\n\
         • `/irp help` this text\n\
         Everything else is done with the buttons in an incident's thread. Every change in AWS needs a second person.",
    )
}

/// Said when a secret was typed. The key id that stood beside it is none: with it they can go on.
pub fn secret_typed(key: Option<&AccessKeyId>) -> Message {
    let go_on = key.map(|key| format!("\nTo open an incident for the key: `/irp open {key}`")).unwrap_or_default();
    said(&format!(":warning: {}{go_on}", escape(SECRET_TYPED)))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::config::Organisation;
    use crate::domain::action::{Action, DeactivateAccessKey};
    use crate::domain::alert::{Alert, AlertSource, Severity};
    use crate::domain::approval::{Asked, Execution, Plan};
    use crate::domain::credential::Subject;
    use crate::domain::incident::decide::open;
    use crate::domain::incident::evolve::fold;
    use crate::domain::observation::{KeyStatus, Observation};
    use crate::domain::playbook::BUILT_IN;
    use crate::domain::stored::Record;

    type Is = fn(&RequestState) -> bool;

    const INCIDENT: IncidentId = IncidentId::new(1);

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn alert() -> Alert {
        Alert::new((AlertSource::GuardDuty, "d"), ("t", "t"), Severity::High, Subject::default())
    }

    /// Requests that were asked for together, and how each stands.
    fn together(states: [RequestState; 3]) -> Incident {
        let rules = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                     [people]\nresponders = [\"U1\"]\napprovers = [\"U2\"]\n";
        let policy = Organisation::parse(rules, "irp.toml").unwrap().policy(None);
        let mut incident = fold([&Record::seal(None, now(), open(INCIDENT, alert(), &policy, now()))]).unwrap();
        let by: UserId = "U1".parse().unwrap();
        let action = Action::DeactivateAccessKey(DeactivateAccessKey {
            user_name: "ci".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
        });
        let before = Observation::AccessKey {
            owner_id: "AIDA1".into(),
            owner_arn: "arn:aws:iam::111122223333:user/ci".into(),
            status: Some(KeyStatus::Active),
        };
        let asked = Asked {
            incident: INCIDENT,
            step: &"deactivate".parse().unwrap(),
            account: &"111122223333".parse().unwrap(),
            requester: &policy.person(&by),
            nonce: "n",
            now: now(),
        };
        let plan = Plan::make(action, before, &asked, &policy).unwrap();
        for (number, state) in (1..).zip(states) {
            let id = RequestId::new(INCIDENT, number);
            let request = Request::new(id, plan.clone(), plan.digest(), by.clone(), now());
            let burst = Some(RequestId::new(INCIDENT, 1));
            incident.requests.insert(id, Request { burst, state, ..request });
        }
        incident
    }

    #[test]
    fn a_list_says_how_long_each_is_open_who_leads_and_what_waits() {
        let playbook = Playbook::parse(BUILT_IN).unwrap();
        let listed = |incident: Incident, minutes| {
            let later = now() + TimeDelta::minutes(minutes);
            list(&[incident], &[], &playbook, later, false)
        };
        let mut incident = together([RequestState::Pending, RequestState::Pending, RequestState::Withdrawn]);
        let text = listed(incident.clone(), 119).text;
        assert!(text.ends_with("open for 119 min · no lead · *2 requests wait for an approver*"), "{text}");
        incident.lead = "U1".parse().ok();
        incident.requests.clear();
        let text = listed(incident.clone(), 121).text;
        assert!(text.ends_with("open for 2 h · led by <@U1>"), "{text}");
        let asked = which(listed(incident, 2_880));
        assert!(asked.text.starts_with("Which one?") && asked.text.contains("open for 2 days"), "{}", asked.text);
        let none = list(&[], &[], &playbook, now(), false);
        assert_eq!(which(none.clone()), none, "nothing to choose from");
    }

    #[test]
    fn whoever_asks_first_is_told_that_they_lead() {
        let mut incident = together([RequestState::Pending, RequestState::Pending, RequestState::Pending]);
        let (ana, ben): (UserId, UserId) = ("U1".parse().unwrap(), "U2".parse().unwrap());
        incident.lead = Some(ana.clone());
        assert!(leads(&incident, &ana, 3).contains("You lead INC-1"));
        assert_eq!(leads(&incident, &ana, 1), "", "it was not the first that was asked for");
        assert_eq!(leads(&incident, &ben, 3), "", "somebody else leads");
    }

    #[test]
    fn whoever_stops_several_is_told_which_were_stopped_and_which_had_started() {
        let at = now();
        let calling =
            RequestState::Executing(Execution { started_at: at, lease_until: at, sent: Vec::new(), answer: None });
        let done = RequestState::Verified { at, called_at: at, sent: Vec::new() };
        let cancelled = RequestState::Cancelled { why: "the lead ended it".into() };
        let ends: [(RequestState, Is, &str); 3] = [
            (RequestState::Withdrawn, |state| matches!(state, RequestState::Withdrawn), "withdrawn"),
            (cancelled, |state| matches!(state, RequestState::Cancelled { .. }), "cancelled"),
            (RequestState::Pending, |state| *state == RequestState::Pending, "taken back"),
        ];
        for (end, is, what) in ends {
            let answer = |states| stopped(&together(states), RequestId::new(INCIDENT, 2), is, what).text;
            assert_eq!(
                answer([calling.clone(), end.clone(), end.clone()]),
                format!("INC-1.2, INC-1.3 are {what}. Not so INC-1.1: see the card.")
            );
            assert_eq!(
                answer([calling.clone(), done.clone(), end.clone()]),
                format!("INC-1.3 is {what}. Not so INC-1.1, INC-1.2: see the card.")
            );
            assert_eq!(answer([end.clone(), end.clone(), end]), format!("INC-1.1, INC-1.2, INC-1.3 are {what}."));
        }
    }
}
