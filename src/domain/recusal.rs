//! Who may not decide in an incident although they are on the list: the owner of the stolen credential, and
//! whoever is named in it. They may be the one who took it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::approval::check_responder;
use super::id::UserId;
use super::incident::state::Incident;
use super::policy::{Actor, PersonId, Policy};
use super::refusal::Refusal;

/// Why somebody is recused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The credential is theirs, by a tag of its owner, by `irp.toml`, or by the name of its session.
    Owner,
    /// A responder has named them as somebody whom the incident is about.
    Named,
}

impl Why {
    /// In a few words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Owner => "the credential is theirs",
            Self::Named => "they are named in this incident",
        }
    }
}

/// Everybody who is recused in one incident.
pub type Recused = BTreeMap<PersonId, Why>;

/// Who is recused, as far as is known by now.
pub fn recused(incident: &Incident, policy: &Policy) -> Recused {
    let mut recused: Recused = incident.named.iter().map(|user| (policy.person(user), Why::Named)).collect();
    for sign in &incident.owner_signs {
        let person = match policy.belongings.get(&plain(sign)) {
            Some(person) => Some(person.clone()),
            // A tag can hold the Slack id itself.
            None => sign.trim().parse::<UserId>().ok().map(|user| policy.person(&user)),
        };
        if let Some(person) = person {
            recused.insert(person, Why::Owner);
        }
    }
    recused
}

/// Checks that somebody is a responder, and not one whom the incident is about: they neither lead nor end it, and say
/// nothing that others go by.
pub fn check_impartial(incident: &Incident, policy: &Policy, actor: &Actor) -> Result<(), Refusal> {
    check_responder(policy, actor)?;
    recused(incident, policy).get(&actor.person).map_or(Ok(()), |why| Err(Refusal::Recused(*why)))
}

/// As signs are compared: people write the same address in many ways.
pub fn plain(sign: &str) -> String {
    sign.trim().to_lowercase()
}
