//! The card of the third phase: what is left of the attacker, and who removes it.

use super::beginning;
use super::blocks::{context, cut, escape, header, section, summary, time};
use super::step::mark;
use crate::domain::action::Action;
use crate::domain::incident::doors::opened_doors;
use crate::domain::incident::eradication::{Removal, left, waiting};
use crate::domain::incident::hands::{Said, is_for_people, said};
use crate::domain::incident::inventory::{by_attackers, to_look_at};
use crate::domain::incident::quiet::{lacking, secrets_left};
use crate::domain::incident::remains::{self, by_hand, in_doubt};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Offer, Step, contained, in_force, is_undo};
use crate::domain::playbook::{Playbook, REMOVE_FOOTPRINT};
use crate::domain::policy::ActionClass;
use crate::ports::Message;

/// How many of a list are shown.
const SHOWN_MAX: usize = 12;
const LINE_CHARS_MAX: usize = 200;
/// Longest name where only names are listed.
const NAME_CHARS_MAX: usize = 120;

/// Whether the search has found anything of the attacker's to remove: `removals` are all that it shows.
pub fn is_shown(incident: &Incident, removals: &[Removal]) -> bool {
    !removals.is_empty()
        || !by_hand(incident).is_empty()
        || !in_doubt(incident).is_empty()
        || secrets_left(incident).is_some()
        || !opened_doors(incident).is_empty()
        || !to_look_at(incident).is_empty()
}

/// The card; absent while the search has found nothing. `steps` and `removals` are all that the incident has.
pub fn message(incident: &Incident, playbook: &Playbook, steps: &[Step], removals: &[Removal]) -> Option<Message> {
    let (hunted, at) = incident.hunted.as_ref()?;
    if incident.sample || !(is_shown(incident, removals) || any_asked(incident)) {
        return None;
    }
    let (undone, hands, unexplained) = (left(incident, playbook), remains::left(incident), to_look_at(incident).len());
    let (all, waits) = (removals.len(), waiting(incident, playbook));
    let waiting = waits.len();
    let contained = contained(incident, playbook);
    let left = undone.len();
    let lacking = lacking(incident, playbook);
    let open = lacking.is_empty();
    let doubtful = doubtful(incident);
    let (emoji, state) = match (contained, left, hands.len(), unexplained) {
        (false, ..) => (":white_circle:", "containment comes first".to_owned()),
        (true, 0, ..) if waiting > 0 => {
            (":hourglass_flowing_sand:", format!("{waiting} wait for the proof of containment"))
        }
        (true, 0, 0, 0) if doubtful.is_some() => (":warning:", "some of it can be the owner's own".to_owned()),
        (true, 0, 0, 0) if incident.inventory.found.is_none() => (
            ":hourglass_flowing_sand:",
            "nothing is left that the search has found, and the inventory is to come".to_owned(),
        ),
        (true, 0, 0, 0) if open => (":large_green_circle:", "nothing is left, and nothing new is found".to_owned()),
        (true, 0, 0, 0) => (
            ":hourglass_flowing_sand:",
            "nothing is left that the search has found, and that is to be confirmed".to_owned(),
        ),
        (true, 0, 0, unexplained) => (":warning:", format!("{unexplained} left to look at")),
        (true, 0, hands, _) => (":warning:", format!("{hands} left to do by hand")),
        (true, left, ..) => (":white_circle:", format!("{left} left")),
    };
    let mut blocks = vec![header(&format!("{emoji} Eradication: {state}"))];
    blocks.extend(beginning::warning(incident).iter().chain(&doubtful).map(|text| section(text)));
    if !contained {
        blocks.push(section(&format!(
            "*{all} thing(s) to remove or put back.* Each gets its card here once containment is proven: while the attacker can \
             still act, they would make them again. What runs for the attacker can be ended at once, and what \
             was put on users and roles that are not theirs be taken off."
        )));
    }
    let of_phase = of_this_phase(steps);
    if contained && !(of_phase.is_empty() && waits.is_empty()) {
        let is_settled = |step: &&Step| is_settled(incident, &undone, step);
        let done = of_phase.iter().copied().filter(is_settled).count();
        let is_shown = |removal: &Removal| of_phase.iter().any(|step| is_offered(step, &removal.action));
        let total = of_phase.len() + removals.iter().filter(|removal| !is_shown(removal)).count();
        let wait = if waits.is_empty() { "*".to_owned() } else { waiting_in_words(&waits) };
        blocks.push(section(&format!("*{done} of {total} done{wait}")));
    }
    let lines: Vec<String> = of_phase.iter().map(|step| line(incident, step)).collect();
    if !lines.is_empty() {
        blocks.push(section(&list(&lines)));
        blocks.extend(order(incident, playbook).map(|why| context(&escape(why))));
    }
    let more = removals.len().saturating_sub(lines.len());
    if contained && more > waiting {
        blocks.push(context(&format!("{} more get their cards as these are done.", more - waiting)));
    }
    if !hands.is_empty() {
        let line = |step: &Step| {
            let (mark, state) = super::by_hand::state(said(incident, step));
            format!("{mark} {}: {state}", escape(&step.title))
        };
        let lines: Vec<String> = hands.iter().map(line).collect();
        blocks.push(section(&format!(
            "*By hand: the bot has no action for these.* Each has its card here, as far as there is room; it is done when two \
             people say so there, or the trail shows it.\n{}",
            list(&lines)
        )));
    }
    if unexplained > 0 {
        let or = if by_attackers(incident).is_empty() {
            ""
        } else {
            ", or that a credential of the attacker's has made and no step sees to"
        };
        blocks.push(section(&format!(
            "*To look at: {unexplained} thing(s) exist that no event explains{or}.* Somebody has to say whose they are: see \
             *{}* in the thread. The bot deletes none of them.",
            super::inventory::TITLE
        )));
    }
    if !hunted.not_known.is_empty() {
        let lines: Vec<String> = hunted.not_known.iter().map(|why| format!("• {}", escape(why))).collect();
        blocks
            .push(section(&format!(":warning: *There can be more: what the search could not read*\n{}", list(&lines))));
    }
    if contained && !open {
        let lines: Vec<String> = lacking.iter().map(|lack| format!("• {}", escape(lack))).collect();
        blocks.push(section(&format!("*Not done yet*\n{}", list(&lines))));
    }
    let gate = playbook.phases.iter().find(|phase| phase.id == "eradicate").map_or("", |phase| phase.gate.as_str());
    let again = if open { "A later search that finds more opens it again. " } else { "" };
    blocks.push(context(&format!("Done when: {} {again}Searched {}.", escape(gate), time(*at))));
    Some(Message { text: summary(&format!("{} · Eradication: {state}", incident.id)), blocks })
}

/// What is not proposed for removal, because it can be the owner's.
fn doubtful(incident: &Incident) -> Option<String> {
    let lines: Vec<String> = in_doubt(incident).iter().map(beginning::in_doubt).collect();
    (!lines.is_empty()).then(|| {
        format!(
            "*Not proposed for removal: {} thing(s) that can be the owner's own.* Once it is said since when it is stolen, or whose \
             these calls were, what is the attacker's gets its card.\n{}",
            lines.len(),
            list(&lines)
        )
    })
}

/// Whether it is of this phase: a removal, or what has the account watched again.
fn is_of_this_phase(action: &Action) -> bool {
    action.class() == ActionClass::Eradicate || matches!(action, Action::StartLogging(_) | Action::EnableDetector(_))
}

/// The steps of this phase that have come to their turn, and those that were ever asked for.
fn of_this_phase(steps: &[Step]) -> Vec<&Step> {
    let removal = |offer: &Offer| matches!(offer, Offer::Action(action) if is_of_this_phase(action));
    steps.iter().filter(|step| removal(&step.offer) && !is_undo(&step.id)).collect()
}

fn is_offered(step: &Step, action: &Action) -> bool {
    matches!(&step.offer, Offer::Action(offered) if offered == action)
}

/// Whether nothing is left to do of it.
fn is_settled(incident: &Incident, undone: &[(Step, Action)], step: &Step) -> bool {
    let removes = matches!(&step.offer, Offer::Action(action) if action.class() == ActionClass::Eradicate);
    let holds = || in_force(incident, &step.id).is_some() || matches!(said(incident, step), Said::ByTwo(_));
    !undone.iter().any(|(left, _)| left.id == step.id) && (removes || holds())
}

/// What waits, by name, and what for: the end of a sentence in bold, and more.
fn waiting_in_words(waits: &[Removal]) -> String {
    let name = |removal: &Removal| cut(&format!("• {}", escape(&removal.action.title())), NAME_CHARS_MAX);
    format!(
        ", {} wait until containment is verified:*\n{}\nTo delete them now would tell the attacker while they can still be in, \
         and take away what shows how they came. What runs for them, what lets them in anew and what was put on others need \
         not wait. Who cannot wait goes on without proof: two people, one of them an approver, with the button on *{}*.",
        waits.len(),
        list(&waits.iter().map(name).collect::<Vec<_>>()),
        super::proof::TITLE
    )
}

/// In which order it goes, as the playbook has it.
fn order<'a>(incident: &Incident, playbook: &'a Playbook) -> Option<&'a str> {
    let mut actions = playbook.actions_for(incident.principal_kind());
    actions.find(|step| step.action.as_deref() == Some(REMOVE_FOOTPRINT)).map(|step| step.why.as_str())
}

/// A removal and how it stands.
fn line(incident: &Incident, step: &Step) -> String {
    match incident.requests_for(&step.id).next() {
        _ if is_for_people(incident, step) && said(incident, step) != Said::Nothing => {
            let (mark, state) = super::by_hand::state(said(incident, step));
            format!("{mark} {}: {state}", escape(&step.title))
        }
        Some(request) => {
            format!("{} *{}* {}: {}", mark(&request.state), request.id, escape(&step.title), request.state.in_words())
        }
        None => format!(":white_circle: {}", escape(&step.title)),
    }
}

fn any_asked(incident: &Incident) -> bool {
    incident.requests.values().any(|request| is_of_this_phase(&request.plan.action))
}

/// So many of them, each of bounded length, and how many more there are.
fn list(lines: &[String]) -> String {
    let mut shown: Vec<String> = lines.iter().take(SHOWN_MAX).map(|line| cut(line, LINE_CHARS_MAX)).collect();
    if lines.len() > SHOWN_MAX {
        shown.push(format!("and {} more", lines.len() - SHOWN_MAX));
    }
    shown.join("\n")
}
