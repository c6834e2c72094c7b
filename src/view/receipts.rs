//! Direct messages that tell people what is done in their name: who finds something there that they did not
//! do can stop everything with one press.

use super::blocks::{Look, actions, button, code, confirmed, context, escape, section, summary, time};
use super::{Card, To};
use crate::domain::approval::Request;
use crate::domain::id::UserId;
use crate::domain::incident::state::Incident;
use crate::intake::slack::button as name;
use crate::ports::Message;

/// One for each request and each approval, to the account that it came from. They stay as they were sent:
/// only the button goes when there is nothing left to stop.
pub fn receipts(incident: &Incident) -> Vec<Card> {
    let mut cards = Vec::new();
    for request in incident.requests.values() {
        let asked = format!("You asked for *{}*", escape(&request.plan.action.title()));
        cards.push(receipt(incident, request, "asked", &request.requested_by, &asked, request.requested_at));
        for approval in &request.approvals {
            // Each time anew: a yes after one that was taken back is news.
            let slot = format!("approved:{}:{}", approval.user, approval.at.timestamp_millis());
            let approved = format!("You approved *{}*", escape(&request.plan.action.title()));
            cards.push(receipt(incident, request, &slot, &approval.user, &approved, approval.at));
        }
    }
    cards
}

fn receipt(
    incident: &Incident,
    request: &Request,
    what: &str,
    user: &UserId,
    said: &str,
    at: chrono::DateTime<chrono::Utc>,
) -> Card {
    let facts = format!(
        "{} · account {} · digest {} · {}",
        request.id,
        code(request.plan.account.as_str()),
        code(request.digest.short()),
        time(at)
    );
    let mut blocks = vec![section(&format!("{said}.")), context(&facts)];
    let said_so = incident.freeze.as_ref().is_some_and(|freeze| freeze.disputed.contains_key(user));
    if incident.is_open() && !said_so {
        let not_me = confirmed(
            button(name::NOT_ME, "This was not me", &request.id.to_string(), Look::Danger),
            "Was this not you?",
            "All approvals of this incident stop until its lead and another approver go on. Everybody is told.",
            "It was not me",
        );
        blocks.push(actions("receipt", &[not_me]));
    }
    Card {
        slot: format!("receipt:{}:{what}", request.id),
        to: To::Person(user.clone()),
        message: Message { text: summary(&format!("{said}. {}", request.id)), blocks },
    }
}
