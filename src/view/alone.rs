//! Direct messages to those who could have decided on what one person alone has let run, in the war room or not: what
//! nobody was asked about, everybody hears of.

use std::collections::BTreeSet;

use super::blocks::{context, escape, section, summary, time};
use super::receipts::{bursts, presses, title};
use super::{Card, To};
use crate::domain::approval::{Debt, Glass, Request};
use crate::domain::id::UserId;
use crate::domain::incident::state::Incident;
use crate::domain::policy::{PersonId, Policy};
use crate::domain::refusal::mention;
use crate::ports::{Message, Slot};

/// Somebody who hears of it.
#[derive(Debug)]
pub struct Tell<'a> {
    request: &'a Request,
    glass: &'a Glass,
    title: String,
    person: PersonId,
    /// Their accounts: the first that is still a member's is told.
    pub accounts: Vec<UserId>,
}

/// Everybody who is told of everything that was run alone.
pub fn tells<'a>(incident: &'a Incident, policy: &Policy) -> Vec<Tell<'a>> {
    let mut tells = Vec::new();
    for fellows in bursts(incident) {
        let alone = presses(&fellows, |r| r.glass.iter().map(|glass| (&glass.user, glass.at)).collect());
        for pressed in alone.into_values() {
            let request = pressed[0];
            let Some(glass) = &request.glass else { continue };
            tells.extend(told(request, glass, policy).into_iter().map(|person| Tell {
                request,
                glass,
                title: title(&pressed),
                accounts: policy.accounts_of(&person),
                person,
            }));
        }
    }
    tells
}

/// Whether every approver is told, whoever they are by now.
pub fn tells_all(request: &Request) -> bool {
    request.asked.is_empty() && request.glass.as_ref().is_some_and(|glass| glass.debt == Debt::Open)
}

/// Those who were asked, and those to ask where nobody can decide. Where nobody could when it was asked for, nobody was: then
/// every approver, until one of them has said whether it was right.
fn told(request: &Request, glass: &Glass, policy: &Policy) -> BTreeSet<PersonId> {
    let asked = request.asked.iter().map(|person| policy.person(&person.0));
    let all = tells_all(request).then(|| policy.people(&policy.approvers)).into_iter().flatten();
    let escalation = policy.escalation.iter().map(|user| policy.person(user));
    asked.chain(all).chain(escalation).filter(|person| *person != glass.person).collect()
}

impl Tell<'_> {
    /// Each is told once.
    pub fn slot(&self) -> Slot {
        format!("glass:{}:{}", self.request.id, self.person.0)
    }

    /// What this account of theirs is sent.
    pub fn card(&self, user: &UserId) -> Card {
        let said = format!(
            ":rotating_light: {} broke the glass: {} runs on one person's word. {} An approver has to ratify or contest it on \
             its card in the war room.",
            mention(&self.glass.user),
            self.title,
            escape(&self.glass.reason)
        );
        let blocks = vec![section(&said), context(&format!("{} · {}", self.request.id, time(self.glass.at)))];
        let message = Message { text: summary(&said), blocks };
        Card { slot: self.slot(), to: To::Person(user.clone()), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::command::PersonCommand;
    use crate::domain::incident::tests::case::{Case, KEY, request, user};

    fn alone(mut case: Case) -> Case {
        case.policy.break_glass = [user("U1")].into();
        case.ask("U1", &["deactivate"]).unwrap();
        let (target, reason) = (KEY.into(), "nobody answers".into());
        let digest_shown = case.shown(1);
        case.act("U1", PersonCommand::BreakGlass { request: request(1), digest_shown, target, reason }).unwrap();
        case
    }

    fn who(case: &Case) -> Vec<String> {
        tells(&case.incident, &case.policy).iter().map(|tell| tell.person.0.to_string()).collect()
    }

    #[test]
    fn those_who_were_asked_hear_of_it_and_whoever_is_to_be_asked_where_nobody_can_decide() {
        let mut case = alone(Case::new());
        assert_eq!(who(&case), ["U2", "U3"], "the key is U4's, and nobody has asked them");
        case.policy.escalation = [user("U1"), user("U2"), user("U8")].into();
        assert_eq!(who(&case), ["U2", "U3", "U8"], "each once, and not who did it");
    }

    #[test]
    fn where_nobody_could_be_asked_every_approver_hears_of_it_until_one_has_judged_it() {
        let mut case = Case::new();
        case.policy.approvers.users = [user("U4")].into();
        let mut case = alone(case);
        assert!(case.incident.requests[&request(1)].asked.is_empty());
        assert_eq!(who(&case), ["U4"]);
        case.policy.approvers.users = [user("U3"), user("U4")].into();
        assert_eq!(who(&case), ["U3", "U4"], "whoever is put on the list can judge it");
        case.run();
        case.act("U3", PersonCommand::Ratify { request: request(1) }).unwrap();
        assert!(who(&case).is_empty());
    }

    #[test]
    fn somebody_with_several_accounts_can_be_told_at_each_of_them() {
        let mut case = Case::new();
        case.policy.aliases = [(user("U7"), user("U3")), (user("U6"), user("U5"))].into();
        let case = alone(case);
        let tells = tells(&case.incident, &case.policy);
        let of = |id: &str| tells.iter().find(|tell| tell.person.0 == user(id)).unwrap();
        assert_eq!(of("U3").accounts, [user("U3"), user("U7")]);
        assert_eq!(of("U2").accounts, [user("U2")]);
        let card = of("U3").card(&user("U7"));
        assert_eq!((card.slot, card.to), ("glass:INC-1.1:U3".to_owned(), To::Person(user("U7"))));
        assert!(card.message.text.contains("broke the glass") && card.message.text.contains("nobody answers"));
    }
}
