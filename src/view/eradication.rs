//! The card of the third phase: what is left of the attacker, and who removes it.

use super::blocks::{context, cut, escape, header, section, summary, time};
use super::step::mark;
use crate::domain::action::Action;
use crate::domain::incident::doors::opened_doors;
use crate::domain::incident::eradication::{left, removals, waiting};
use crate::domain::incident::hands::{Said, is_for_people, said};
use crate::domain::incident::inventory::to_look_at;
use crate::domain::incident::quiet::lacking;
use crate::domain::incident::remains::{self, by_hand};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::{Offer, Step, contained, is_undo, steps};
use crate::domain::incident::verdict::{Gate, gate};
use crate::domain::playbook::Playbook;
use crate::domain::policy::ActionClass;
use crate::ports::Message;

/// How many of a list are shown.
const SHOWN_MAX: usize = 12;
const LINE_CHARS_MAX: usize = 200;

/// Whether the search has found anything of the attacker's to remove.
pub fn is_shown(incident: &Incident) -> bool {
    !removals(incident).is_empty()
        || !by_hand(incident).is_empty()
        || !opened_doors(incident).is_empty()
        || !to_look_at(incident).is_empty()
}

/// The card; absent while the search has found nothing.
pub fn message(incident: &Incident, playbook: &Playbook) -> Option<Message> {
    let (hunted, at) = incident.hunted.as_ref()?;
    if incident.sample || !(is_shown(incident) || any_asked(incident)) {
        return None;
    }
    let (left, hands, unexplained) = (left(incident, playbook), remains::left(incident), to_look_at(incident).len());
    let (all, waiting) = (removals(incident).len(), waiting(incident, playbook));
    let contained = contained(incident, playbook);
    let left = left.len();
    let lacking = lacking(incident, playbook);
    let open = lacking.is_empty();
    let (emoji, state) = match (contained, left, hands.len(), unexplained) {
        (false, ..) => (":white_circle:", "containment comes first".to_owned()),
        (true, 0, ..) if waiting > 0 => {
            (":hourglass_flowing_sand:", format!("{waiting} wait for the proof of containment"))
        }
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
    if !contained {
        blocks.push(section(&format!(
            "*{all} thing(s) to remove or put back.* Each gets its card here once containment is proven: while the attacker can \
             still act, they would make them again. What runs for the attacker can be ended at once, and what \
             was put on users and roles that are not theirs be taken off."
        )));
    }
    if contained && waiting > 0 && gate(incident, playbook) == Gate::Shut {
        blocks.push(section(&format!(
            "*{waiting} thing(s) wait until containment is verified.* To delete them now would tell the attacker while they can \
             still be in, and take away what shows how they came. What runs for them, what lets them in anew and what was put \
             on others need not wait. Who cannot wait goes on without proof: two people, one of them an approver, with the \
             button on *{}*.",
            super::proof::TITLE
        )));
    }
    let lines = lines_of_steps(incident, playbook);
    if !lines.is_empty() {
        blocks.push(section(&list(&lines)));
    }
    let more = removals(incident).len().saturating_sub(lines.len());
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
        blocks.push(section(&format!(
            "*To look at: {unexplained} thing(s) exist that no event explains.* Somebody has to say whose they are: see \
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

/// Whether it is of this phase: a removal, or what has the account watched again.
fn is_of_this_phase(action: &Action) -> bool {
    action.class() == ActionClass::Eradicate || matches!(action, Action::StartLogging(_) | Action::EnableDetector(_))
}

/// Each removal and how it stands.
fn lines_of_steps(incident: &Incident, playbook: &Playbook) -> Vec<String> {
    let removal = |offer: &Offer| matches!(offer, Offer::Action(action) if is_of_this_phase(action));
    let steps = steps(incident, playbook).into_iter().filter(|step| removal(&step.offer) && !is_undo(&step.id));
    let line = |step: Step| match incident.requests_for(&step.id).next() {
        _ if is_for_people(incident, &step) && said(incident, &step) != Said::Nothing => {
            let (mark, state) = super::by_hand::state(said(incident, &step));
            format!("{mark} {}: {state}", escape(&step.title))
        }
        Some(request) => {
            format!("{} *{}* {}: {}", mark(&request.state), request.id, escape(&step.title), request.state.in_words())
        }
        None => format!(":white_circle: {}", escape(&step.title)),
    };
    steps.map(line).collect()
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
