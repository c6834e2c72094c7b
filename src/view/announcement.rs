//! The message in the war room: who, what, since when, how bad, who leads, and the one thing to do next.

use super::blocks::{Look, actions, button, code, context, escape, fields, header, section, summary, time};
use super::burst::title;
use super::early::too_early;
use super::{again, calls, eradication, hunt, proof};
use crate::domain::action::Action;
use crate::domain::alert::{AlertSource, Severity};
use crate::domain::approval::{Debt, Request, RequestState};
use crate::domain::credential::PrincipalKind;
use crate::domain::incident::eradication::removals;
use crate::domain::incident::hands::{Said, said};
use crate::domain::incident::quiet::{lacking, secrets_left};
use crate::domain::incident::state::{Freeze, Incident, Search};
use crate::domain::incident::steps::{Missing, Offer, Step, contained, missing, steps};
use crate::domain::incident::together::{class_now, open_steps, together};
use crate::domain::incident::verdict::{Gate, Verdict, gate, standing};
use crate::domain::playbook::Playbook;
use crate::domain::policy::{ActionClass, Policy};
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// Steps that are named in a line.
const TITLES_MAX: usize = 6;

/// Severity as emoji and word: colour alone says nothing to many.
pub fn severity(severity: Severity) -> String {
    let emoji = match severity {
        Severity::Low => ":large_blue_circle:",
        Severity::Medium => ":large_yellow_circle:",
        Severity::High => ":large_orange_circle:",
        Severity::Critical => ":red_circle:",
    };
    format!("{emoji} {}", severity.label())
}

/// The phase in a word. That AWS shows every step in force is one thing, that the attacker is locked out another.
pub fn phase(incident: &Incident, playbook: &Playbook) -> &'static str {
    if !incident.is_open() {
        "Closed"
    } else if incident.principal_kind() == PrincipalKind::Unknown {
        "Evidence"
    } else if contained(incident, playbook) {
        match (gate(incident, playbook), standing(incident, playbook)) {
            (Gate::Verified, _) => "Contained and verified",
            (Gate::Accepted, _) => "Contained, risk accepted",
            (Gate::Shut, Some(Verdict::Failed { .. })) => "Containment",
            (Gate::Shut, _) => "Contained as far as known, not proven",
        }
    } else {
        "Containment"
    }
}

/// The one thing to do next.
pub fn next_step(incident: &Incident, playbook: &Playbook) -> String {
    if let Some(closing) = &incident.closing {
        return format!("Nothing: {} closed it as *{}*.", mention(&closing.by), closing.outcome.label());
    }
    if incident.sample {
        return "Nothing: this is a *sample finding*. Close it with `/irp close`.".into();
    }
    if let Some(freeze) = &incident.freeze {
        return while_frozen(freeze);
    }
    let Some(found) = incident.identification() else {
        return match &incident.search {
            Search::Wanted { last_error: Some(_), .. } => "Wait: AWS could not be asked yet, and is being asked again.",
            Search::Wanted { .. } | Search::Done => "Wait a moment: finding out whose credential it is.",
            Search::GivenUp { .. } => "Find out whose credential it is: see the *Evidence* card in the thread.",
        }
        .into();
    };
    let all = steps(incident, playbook);
    if all.is_empty() {
        return "The bot has no containment step for this kind of principal. See the *Evidence* card in the thread."
            .into();
    }
    let owes = |r: &&Request| !r.state.is_open() && r.glass.as_ref().is_some_and(|glass| glass.debt == Debt::Open);
    if let Some(alone) = incident.requests.values().find(owes) {
        return format!(
            ":rotating_light: ratify or contest *{}*, which one person alone has run: {}.",
            alone.id,
            escape(&alone.plan.action.title())
        );
    }
    if let Some(open) = all.iter().flat_map(|step| incident.requests_for(&step.id)).find(|r| r.state.is_open()) {
        return while_open(incident, open);
    }
    let (left, missed) = (open_steps(incident, playbook), missing(incident, playbook));
    if left.len() > 1 {
        return while_several_are_left(incident, &left, &missed);
    }
    if let Some((step, why)) = missed.first() {
        return while_owed(incident, step, *why);
    }
    if let Some((step, _)) = left.first() {
        return format!("request *{}* with the button on its card in the thread.", escape(&step.title));
    }
    if !found.keys_read && matches!(found.kind, PrincipalKind::IamUser | PrincipalKind::FederatedUser) {
        return "The user's keys could not be read, so there may be more to switch off: see *Evidence*.".into();
    }
    if incident.reach().is_none_or(|reach| !reach.is_whole()) && found.kind != PrincipalKind::AssumedRole {
        return "Which roles it has assumed could not be read, so a session of one may live on: see *Evidence*.".into();
    }
    while_in_force(incident, playbook)
}

fn while_frozen(freeze: &Freeze) -> String {
    let agreed: Vec<String> = freeze.agreed.values().map(mention).collect();
    let agreed = if agreed.is_empty() { String::new() } else { format!(" {} agreed.", agreed.join(", ")) };
    let disputes =
        freeze.disputed.iter().map(|(user, request)| format!("{} says that {request} was not them.", mention(user)));
    format!(
        ":rotating_light: *frozen*. {} Find out, then the lead and another approver lift it.{agreed}",
        disputes.collect::<Vec<_>>().join(" ")
    )
}

/// One that is asked for and not at its end.
fn while_open(incident: &Incident, open: &Request) -> String {
    let more = together(incident, open).len() - 1;
    let more = if more == 0 { String::new() } else { format!(" and {more} more that go with it") };
    let title = escape(&open.plan.action.title());
    match &open.state {
        RequestState::Pending => format!(
            "decide on *{}*, asked for by {}: {title}{more}. Its card is in the thread.",
            open.id,
            mention(&open.requested_by)
        ),
        _ => format!("wait for the result of {}: {title}{more}.", open.id),
    }
}

/// Several that can be asked for with one press.
fn while_several_are_left(incident: &Incident, left: &[(Step, Action)], owed: &[(Step, Missing)]) -> String {
    let title_of = |step: &Step| match again::briefly(incident, owed, &step.id) {
        Some(why) => format!("{} ({why})", escape(&step.title)),
        None => escape(&step.title),
    };
    let titles: Vec<String> = left.iter().take(TITLES_MAX).map(|(step, _)| title_of(step)).collect();
    let any = |wanted: Missing| left.iter().any(|(step, _)| again::why(owed, &step.id) == Some(wanted));
    let through = if any(Missing::GotThrough) {
        let first = again::comes_first(incident).map(|first| format!("{first}; then ")).unwrap_or_default();
        format!(":rotating_light: the attacker got through: {first}")
    } else {
        String::new()
    };
    let early =
        if any(Missing::RevokedTooEarly) { format!(" Revoked too early: {}", again::TOO_EARLY) } else { String::new() };
    let more = if left.len() > TITLES_MAX { format!("; and {} more", left.len() - TITLES_MAX) } else { String::new() };
    format!(
        "{through}request all {} with one press, on *{}* in the thread, or one by one: {}{more}.{early}",
        left.len(),
        title(class_now(left).unwrap_or(ActionClass::Contain)),
        titles.join("; ")
    )
}

/// One step of containment that is missing.
fn while_owed(incident: &Incident, step: &Step, why: Missing) -> String {
    match (why, &step.offer) {
        (Missing::ByHand, Offer::Refused { instead, .. }) => match said(incident, step) {
            Said::ByOne(hand) => format!(
                "look whether it is done, and confirm it on its card: {}. {} says so.",
                escape(&step.title),
                mention(&hand.by)
            ),
            _ => format!("By hand: {} Then press *Done by hand…* on its card.", escape(instead)),
        },
        (Missing::RevokedTooEarly, _) => {
            format!("request again: {}. {}", escape(&step.title), again::TOO_EARLY)
        }
        (Missing::GotThrough, _) => {
            let first = again::comes_first(incident).map(|first| format!("{first}; then "));
            let (first, again) = (first.unwrap_or_default(), escape(&step.title));
            format!(":rotating_light: the attacker got through after it: {first}request again: {again}.")
        }
        (Missing::NotInForce, _) if incident.requests_for(&step.id).next().is_some_and(|r| r.lost.is_some()) => {
            format!(":rotating_light: somebody has undone it: request again: {}.", escape(&step.title))
        }
        _ => format!("request *{}* with the button on its card in the thread.", escape(&step.title)),
    }
}

/// All that is known to be needed for containment is in force.
fn while_in_force(incident: &Incident, playbook: &Playbook) -> String {
    let held = "Every containment step of the playbook is in force, and AWS is read again for it while this is open.";
    let left = what_is_left(incident);
    match (gate(incident, playbook), standing(incident, playbook)) {
        (Gate::Shut, Some(Verdict::Failed { .. })) => proof::in_words(incident, playbook),
        (Gate::Shut, _) => match too_early(incident) {
            Some(why) => format!(
                "Every containment step that is known so far is in force. *Too early to say that there are no more:* {why}. Wait \
                 for that, and for the proof: see *{}* in the thread. Meanwhile {left}.",
                proof::TITLE
            ),
            None => format!("{held} Wait for its proof: see *{}* in the thread. Meanwhile {left}.", proof::TITLE),
        },
        (Gate::Verified | Gate::Accepted, _) => match lacking(incident, playbook).first() {
            None => format!("{held} Nothing is left of the attacker, and nothing new is found: `/irp close` it."),
            Some(lack) => format!("{held} Now {left}, before `/irp close`. Eradication is not done: {}.", escape(lack)),
        },
    }
}

/// Where to see what is left of the attacker; what they have read and nobody has changed yet is named.
fn what_is_left(incident: &Incident) -> String {
    let left = if eradication::is_shown(incident, &removals(incident)) {
        "see *Eradication* in the thread for what is left of the attacker"
    } else {
        "look at what the credential has made: see *Hunt*"
    };
    match secrets_left(incident) {
        Some(secrets) => format!("{left} ({})", escape(&secrets)),
        None => left.to_owned(),
    }
}

/// The credential in a headline: its key, else whose it is.
fn subject(incident: &Incident) -> String {
    match (&incident.subject.access_key, incident.subject.kind) {
        (None, Some(kind)) => format!("{} {}", kind.label(), incident.subject.headline()),
        _ => incident.subject.headline(),
    }
}

/// Whose credential, in a line.
pub fn who(incident: &Incident) -> String {
    match incident.identification() {
        Some(found) => {
            let name = found.name.as_deref().map(|n| format!(" {}", code(n))).unwrap_or_default();
            format!("{}{name}", found.kind.label())
        }
        None => match (&incident.subject.name, incident.subject.kind) {
            (Some(name), kind) => {
                let kind = kind.unwrap_or(PrincipalKind::Unknown);
                format!("{} {} (not confirmed yet)", kind.label(), code(name))
            }
            (None, _) => "not known yet".into(),
        },
    }
}

/// The whole message. It is posted once and edited from then on: whom it calls hears of the incident as it is opened.
pub fn message(incident: &Incident, playbook: &Playbook, policy: &Policy) -> Message {
    let headline = subject(incident);
    let sample = if incident.sample { "SAMPLE · " } else { "" };
    let next = next_step(incident, playbook);
    let phase = phase(incident, playbook);
    let mark = if incident.is_open() { ":rotating_light:" } else { ":white_check_mark:" };
    let account = incident.account().map_or_else(|| "not known".to_owned(), |a| code(a.as_str()));
    let lead = incident.lead.as_ref().map_or_else(|| "nobody yet".to_owned(), mention);
    let first_seen = incident.first_seen_at().map_or_else(|| "not known".to_owned(), time);
    let count: u32 = incident.findings.values().map(|f| f.count).fold(0, u32::saturating_add);
    let mut blocks = vec![
        header(&format!("{mark} {} · {sample}stolen AWS credential: {headline}", incident.id)),
        section(&format!("*{}*", escape(&incident.title))),
        fields(&[
            ("Severity", severity(incident.severity)),
            ("Phase", phase.to_owned()),
            ("Whose", who(incident)),
            ("Account", account),
            ("First seen", first_seen),
            ("Lead", lead),
        ]),
        section(&format!(":arrow_right: *Next:* {next}")),
    ];
    let called = calls::on_call(policy).collect::<Vec<_>>().join(" ");
    if !called.is_empty() {
        blocks.push(section(&format!(":bell: {called}")));
    }
    if incident.is_open() {
        let id = incident.id.to_string();
        let lead = if incident.lead.is_none() { "Take the lead" } else { "Take over the lead" };
        let lift = incident
            .freeze
            .as_ref()
            .map(|freeze| button(name::UNFREEZE, "Lift the freeze", &format!("{id} {}", freeze.number), Look::Danger));
        let others = [button(name::LEAD, lead, &id, Look::Plain), button(name::CLOSE, "Close…", &id, Look::Plain)];
        blocks.push(actions("incident", &lift.into_iter().chain(others).collect::<Vec<_>>()));
    }
    let source = match &incident.source {
        AlertSource::GuardDuty => "GuardDuty".to_owned(),
        AlertSource::Person(user) => mention(user),
    };
    let findings = incident.findings.len();
    let plural = if findings == 1 { "" } else { "s" };
    let seen = match incident.source {
        AlertSource::Person(_) if findings == 1 => String::new(),
        _ => format!(" · {findings} finding{plural}, seen {count}×"),
    };
    blocks.push(context(&format!(
        "Raised by {source}{seen} · opened {} · last change {}{}",
        time(incident.opened_at),
        time(incident.updated_at),
        hunt::brief(incident).map(|brief| format!(" · {brief}")).unwrap_or_default()
    )));
    let text = summary(&format!(
        "{} {sample}{} severity, {phase}: stolen AWS credential: {}, {}. {}Next: {next}",
        incident.id,
        incident.severity.label(),
        escape(&headline),
        who(incident),
        // Before what can be long: what does not fit is cut off at the end.
        if called.is_empty() { called } else { called + " " },
    ));
    Message { text, blocks }
}
