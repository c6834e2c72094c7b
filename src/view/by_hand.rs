//! The part of a step's card where people say what they have done, because the bot may not.

use serde_json::Value;

use super::blocks::{Look, actions, button, confirmed, escape, section, time};
use crate::domain::incident::hands::{Hand, Said, said};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::Step;
use crate::domain::refusal::mention;
use crate::intake::slack::button as name;

/// The mark, and how it stands in a few words.
pub(super) fn state(said: Said<'_>) -> (&'static str, String) {
    let (mark, state) = match said {
        Said::Nothing => (":no_entry:", "not for the bot"),
        Said::ByOne(_) => (":hourglass_flowing_sand:", "said to be done by hand, to be confirmed"),
        Said::ByTwo(_) => (":ballot_box_with_check:", "done by hand, on two people's word"),
        Said::Outdated(_) => (":rotating_light:", "what was said to be done no longer counts"),
    };
    (mark, state.to_owned())
}

/// Who says what, and the buttons for the next.
pub(super) fn blocks(incident: &Incident, step: &Step) -> Vec<Value> {
    let said = said(incident, step);
    let (words, hand) = match said {
        Said::Nothing => (None, None),
        Said::ByOne(hand) => (
            Some(format!(
                "{}\nSomebody else has to look and confirm it; one of the two has to be an approver.",
                word(hand)
            )),
            Some(hand),
        ),
        Said::ByTwo(hand) => {
            (Some(format!("{}\n*It is people's word: nothing was read back from AWS.*", word(hand))), Some(hand))
        }
        Said::Outdated(hand) => (
            Some(format!(
                "{}\n:rotating_light: *It no longer counts:* the attacker has got through since, or there is other evidence. \
                 See to it again, and say so.",
                word(hand)
            )),
            Some(hand),
        ),
    };
    let mut blocks: Vec<Value> = words.iter().map(|words| section(words)).collect();
    if !incident.is_open() || incident.sample {
        return blocks;
    }
    let of_step = format!("{} {}", incident.id, step.id);
    let say = (!matches!(said, Said::ByTwo(_))).then(|| button(name::SAY_DONE, "Done by hand…", &of_step, Look::Plain));
    let of_word = |hand: &Hand| format!("{of_step} {}", hand.shown());
    let confirm = match said {
        Said::ByOne(hand) if incident.freeze.is_none() => Some(confirmed(
            button(name::CONFIRM_DONE, "I have looked: it is done", &of_word(hand), Look::Primary),
            "You have looked yourself?",
            &format!("In your name: {}", hand.done),
            "It is done",
        )),
        _ => None,
    };
    let back = hand.map(|hand| button(name::TAKE_BACK_DONE, "Take it back", &of_word(hand), Look::Danger));
    let elements: Vec<Value> = confirm.into_iter().chain(say).chain(back).collect();
    if !elements.is_empty() {
        blocks.push(actions("by_hand", &elements));
    }
    blocks
}

fn word(hand: &Hand) -> String {
    let confirmed = match &hand.confirmed {
        Some((by, at)) => format!("\n*{} has looked and confirms it*, {}.", mention(by), time(*at)),
        None => String::new(),
    };
    format!(
        ":raised_hand: *{} says that it is done*, {}: {}{confirmed}",
        mention(&hand.by),
        time(hand.at),
        escape(&hand.done)
    )
}
