//! Direct messages to those who can decide and are not in the war room: Slack notifies only its members of a mention there.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::{code, context, escape, section, summary};
use super::{ANNOUNCEMENT, Card, To, burst};
use crate::domain::approval::{Request, RequestState};
use crate::domain::id::{ChannelId, RequestId, UserId};
use crate::domain::incident::state::Incident;
use crate::domain::incident::together::{digest, members};
use crate::domain::incident::whole::{Whole, shown};
use crate::domain::policy::{PersonId, Policy};
use crate::domain::recusal::{Recused, recused_from};
use crate::domain::refusal::mention;
use crate::ports::{Message, Slot};

/// Somebody who was asked to decide on what waits.
#[derive(Debug)]
pub struct Ask<'a> {
    request: &'a Request,
    person: &'a PersonId,
    /// Their accounts that may decide.
    pub accounts: Vec<UserId>,
}

/// All who can still decide on something that waits. What was asked for together is one thing, and who is recused from one
/// of it cannot decide on the whole. Of a plan whose file is not in the thread yet nobody is asked: there is nothing to read.
pub fn asks<'a>(incident: &'a Incident, policy: &Policy) -> Vec<Ask<'a>> {
    let mut waiting: BTreeMap<RequestId, &Request> = BTreeMap::new();
    for request in incident.requests.values().filter(|r| matches!(r.state, RequestState::Pending)) {
        waiting.entry(request.burst.unwrap_or(request.id)).or_insert(request);
    }
    waiting.retain(|_, request| !matches!(shown(incident, request), Whole::NotYet(_)));
    let approvers = policy.accounts(&policy.approvers);
    let of = |person: &PersonId| -> Vec<UserId> {
        approvers.iter().filter(|user| policy.person(user) == *person).cloned().collect()
    };
    let recused = |request: &Request| -> Recused {
        let pending = members(incident, request).into_iter().filter(|r| matches!(r.state, RequestState::Pending));
        pending.flat_map(|r| recused_from(incident, r, policy)).collect()
    };
    let all = waiting.into_values().flat_map(|request| {
        let recused = recused(request);
        request.asked.iter().filter(move |person| !recused.contains_key(*person)).map(move |person| (request, person))
    });
    all.filter(|(request, person)| request.approvals.iter().all(|approval| approval.person != **person))
        .map(|(request, person)| Ask { request, person, accounts: of(person) })
        .collect()
}

/// The card on which people decide about a request, and where to look if there is none.
pub fn card_of(incident: &Incident, request: &Request) -> [Slot; 2] {
    [burst::slot(incident, request), ANNOUNCEMENT.to_owned()]
}

impl Ask<'_> {
    /// Each is asked once: by the number of the request, or of the first of those that were asked for together.
    pub fn slot(&self) -> Slot {
        format!("ask:{}:{}", self.request.burst.unwrap_or(self.request.id), self.person.0)
    }

    /// The card to decide on, and where to look if there is none.
    pub fn cards(&self, incident: &Incident) -> [Slot; 2] {
        card_of(incident, self.request)
    }

    /// Whether any account of theirs is in the room, and so is notified of the mention.
    pub fn is_among(&self, present: &BTreeSet<UserId>, policy: &Policy) -> bool {
        present.iter().any(|user| policy.person(user) == *self.person)
    }

    /// What this account of theirs is sent.
    pub fn card(&self, incident: &Incident, user: &UserId, room: &ChannelId, link: Option<&str>) -> Card {
        let Request { id, requested_by, plan, .. } = self.request;
        let more = match members(incident, self.request).len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more that go with it"),
        };
        let place = link.map_or_else(|| "its card".to_owned(), |link| format!("<{}|its card>", escape(link)));
        let said = format!(
            ":hourglass_flowing_sand: {} asks for *{}*{more}. You can decide on it, on {place} in <#{room}>.\nYou are not a \
             member of that channel, so that Slack does not notify you of it: have somebody there invite you.",
            mention(requested_by),
            escape(&plan.action.title()),
        );
        let digest = digest(incident, self.request);
        let facts = format!("{id} · account {} · digest {}", code(plan.account.as_str()), code(digest.short()));
        let message = Message { text: summary(&said), blocks: vec![section(&said), context(&facts)] };
        Card { slot: self.slot(), to: To::Person(user.clone()), message }
    }
}
