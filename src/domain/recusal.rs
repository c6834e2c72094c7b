//! Who may not decide in an incident although they are on the list: the owner of the stolen credential, and
//! whoever is named in it. They may be the one who took it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::approval::{Request, check_responder};
use super::id::UserId;
use super::identification::Identification;
use super::incident::state::Incident;
use super::observation::Observation;
use super::policy::{Actor, PersonId, Policy};
use super::refusal::Refusal;

/// Slack's ids have at least as many characters.
const ID_CHARS_MIN: usize = 9;

/// Why somebody is recused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The credential is theirs, by a tag of its owner, by `irp.toml`, by the name of its session, or by who took that.
    Owner,
    /// A responder has named them as somebody whom the incident is about.
    Named,
}

impl Why {
    /// In a few words, for others.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Owner => "the credential is theirs",
            Self::Named => "they are named in this incident",
        }
    }

    /// In a few words, for themselves.
    pub const fn to_themselves(self) -> &'static str {
        match self {
            Self::Owner => "the credential is yours",
            Self::Named => "you are named in it",
        }
    }
}

/// Everybody who is recused in one incident.
pub type Recused = BTreeMap<PersonId, Why>;

/// Who is recused, as far as is known by now.
pub fn recused(incident: &Incident, policy: &Policy) -> Recused {
    let mut recused: Recused = incident.named.iter().map(|user| (policy.person(user), Why::Named)).collect();
    let owners = incident.owner_signs.iter().flat_map(|sign| whose(sign, policy));
    recused.extend(owners.map(|person| (person, Why::Owner)));
    recused
}

/// Who is recused from one request: also whoever the credential is that it is about. The attacker can have come to it by
/// their hand, or have made a key in their name: so they are recused from that alone.
pub fn recused_from(incident: &Incident, request: &Request, policy: &Policy) -> Recused {
    recused_by(&request.plan.before, recused(incident, policy), policy)
}

/// Those, and whoever the credential is that AWS shows here.
pub fn recused_by(shown: &Observation, mut recused: Recused, policy: &Policy) -> Recused {
    for person in shown.owner_arn().into_iter().flat_map(|arn| whose(arn, policy)) {
        recused.entry(person).or_insert(Why::Owner);
    }
    recused
}

/// What a look at the credential says about whose it is. The tags and the name of its user or role count as they were when they
/// could first be read: whoever has the credential may be able to change them, and could recuse every approver while they wait.
/// What a tag says later is for people to judge: it is on the evidence card, and a responder can name whom they know to be meant.
/// The name of a session, and who took it, stay as they are. In an older log every look counts: nobody who was recused there may
/// decide all at once.
pub fn signs(incident: &Incident, found: &Identification) -> Vec<String> {
    let is_same = |known: &Identification| known.unique_id == found.unique_id || known.name == found.name;
    // Its ARN comes with the tags; its unique id can be known without them.
    let known = incident.identification().filter(|known| known.arn.is_some() && is_same(known));
    let counts = known.is_none() || incident.every_look_counts;
    let first_seen = found.owners.iter().chain(&found.arn).chain(&found.name).filter(|_| counts);
    first_seen.chain(&found.session_name).chain(&found.taken_by).cloned().collect()
}

/// Everybody whom a sign points to: a tag can hold several people, and each of them in their own way of writing.
pub fn whose(sign: &str, policy: &Policy) -> BTreeSet<PersonId> {
    let person_of = |piece: &str| {
        let known = policy.owner(piece).cloned();
        // A tag can hold the Slack id itself; as a word among others, what is short is none.
        let may_be_id = piece.len() >= ID_CHARS_MIN || piece == sign.trim();
        known.or_else(|| Some(policy.person(&piece.parse::<UserId>().ok().filter(|_| may_be_id)?)))
    };
    pieces(sign).into_iter().filter_map(person_of).collect()
}

/// The sign itself, and its pieces by every way to separate people: a name can have a space in it, and an ARN slashes.
fn pieces(sign: &str) -> BTreeSet<&str> {
    let by = |separates: fn(char) -> bool| sign.split(separates);
    let lists = by(is_list).chain(by(|c| is_list(c) || c == '/'));
    let words = by(|c| is_list(c) || c.is_whitespace()).chain(by(|c| is_list(c) || c.is_whitespace() || c == '/'));
    lists.chain(words).chain([sign]).map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

const fn is_list(c: char) -> bool {
    matches!(c, ',' | ';' | '|')
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
