//! Direct messages that tell people what is done in their name: who finds something there that they did not
//! do can stop everything with one press.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::blocks::{Look, actions, button, code, confirmed, context, escape, section, summary, time};
use super::{Card, To};
use crate::domain::approval::Request;
use crate::domain::id::{RequestId, StepId, UserId};
use crate::domain::incident::state::Incident;
use crate::domain::incident::together::{digest, members};
use crate::intake::slack::button as name;
use crate::ports::Message;

/// In the slot of whoever has asked.
pub(super) const ASKED: &str = "asked";

/// One for each request and each approval, to the account that it came from; requests that were asked for
/// together share one. They stay as they were sent: only the button is gone while the freeze stands that this account has
/// begun with it. It outlives the incident: whose account is in other hands may find out late. There a press is a refusal
/// and begins no freeze, so the button stays.
pub fn receipts(incident: &Incident) -> Vec<Card> {
    let mut cards = Vec::new();
    for fellows in bursts(incident) {
        let first = fellows[0];
        let asked = format!("You asked for {}", title(&fellows));
        cards.push(receipt(incident, first, ASKED, &first.requested_by, &asked, first.requested_at));
        // Each time anew: a yes after one that was taken back is news.
        for ((user, at), pressed) in presses(&fellows, |r| r.approvals.iter().map(|a| (&a.user, a.at)).collect()) {
            let slot = format!("approved:{user}:{}", at.timestamp_millis());
            let said = format!("You approved {}", title(&pressed));
            cards.push(receipt(incident, pressed[0], &slot, user, &said, at));
        }
        for ((user, at), pressed) in presses(&fellows, |r| r.glass.iter().map(|g| (&g.user, g.at)).collect()) {
            let alone = format!("You broke the glass for {}", title(&pressed));
            cards.push(receipt(incident, pressed[0], "alone", user, &alone, at));
        }
    }
    for (step, hand) in &incident.hands {
        let said = format!("You said that *{}* is done by hand", escape(&hand.title));
        cards.push(of_hand(incident, step, &hand.by, &said, hand.at));
        if let Some((by, at)) = &hand.confirmed {
            let said = format!("You confirmed that *{}* is done by hand", escape(&hand.title));
            cards.push(of_hand(incident, step, by, &said, *at));
        }
    }
    cards
}

/// The slot of one.
pub(super) fn slot(request: RequestId, what: &str) -> String {
    format!("receipt:{request}:{what}")
}

/// What a press was about, as the first of it.
pub(super) fn title(pressed: &[&Request]) -> String {
    let more = match pressed.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more that go with it"),
    };
    format!("*{}*{more}", escape(&pressed[0].plan.action.title()))
}

/// All requests: those that were asked for together, together.
pub(super) fn bursts(incident: &Incident) -> impl Iterator<Item = Vec<&Request>> {
    incident.requests.values().filter(|r| r.burst.is_none_or(|first| first == r.id)).map(move |r| members(incident, r))
}

/// Which of them each person decided on with one press: a press can be about some of them only.
pub(super) fn presses<'a>(
    fellows: &[&'a Request],
    of: impl Fn(&'a Request) -> Vec<(&'a UserId, DateTime<Utc>)>,
) -> BTreeMap<(&'a UserId, DateTime<Utc>), Vec<&'a Request>> {
    let mut presses: BTreeMap<_, Vec<&Request>> = BTreeMap::new();
    for request in fellows {
        for press in of(request) {
            presses.entry(press).or_default().push(request);
        }
    }
    presses
}

/// To whoever vouches for what AWS does not show. Anybody can take that back.
fn of_hand(incident: &Incident, step: &StepId, user: &UserId, said: &str, at: DateTime<Utc>) -> Card {
    let facts = format!(
        "{} · {} · Was this not you? Press *Take it back* on its card, or ask a responder to.",
        incident.id,
        time(at)
    );
    let blocks = vec![section(&format!("{said}.")), context(&facts)];
    Card {
        slot: format!("receipt:hand:{step}:{user}:{}", at.timestamp_millis()),
        to: To::Person(user.clone()),
        message: Message { text: summary(&format!("{said}. {}", incident.id)), blocks },
    }
}

fn receipt(incident: &Incident, request: &Request, what: &str, user: &UserId, said: &str, at: DateTime<Utc>) -> Card {
    let facts = format!(
        "{} · account {} · digest {} · {}",
        request.id,
        code(request.plan.account.as_str()),
        code(digest(incident, request).short()),
        time(at)
    );
    let mut blocks = vec![section(&format!("{said}.")), context(&facts)];
    let said_so = incident.freeze.as_ref().is_some_and(|freeze| freeze.disputed.contains_key(user));
    if !said_so {
        let follows = if incident.is_open() {
            "All approvals of this incident stop until its lead and another approver go on. Everybody is told."
        } else {
            "This incident is closed, so nothing of it is left to stop. Its thread is told."
        };
        let not_me = button(name::NOT_ME, "This was not me", &request.id.to_string(), Look::Danger);
        let not_me = confirmed(not_me, "Was this not you?", follows, "It was not me");
        blocks.push(actions("receipt", &[not_me]));
    }
    Card {
        slot: slot(request.id, what),
        to: To::Person(user.clone()),
        message: Message { text: summary(&format!("{said}. {}", request.id)), blocks },
    }
}
