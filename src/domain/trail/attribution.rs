//! Who is who among the calls of a credential that can be reached: the attacker, the owner at their own desk, AWS acting
//! as the victim, the responders. Each verdict says why, and a responder's word overrules it.

use super::name::Name;
use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bots::Bots;
use super::classify::Category;
use super::event::Event;
use super::named::{Named, known};
use super::parameters::is_quarantine;
use super::record::{address_of, is_private};
use super::token::{Token, is_key, machine_of};

mod doubt;
mod handed;

/// A place that has used the key this long before anything hostile came from elsewhere is its owner's.
const HABIT: TimeDelta = TimeDelta::hours(24);
/// The same for a place that has only looked around.
const HABIT_OF_LOOKING: TimeDelta = TimeDelta::hours(1);

/// Why an address is a machine's own.
const MACHINE: &str = "the machine called from this address before the time of the theft";
/// Why an address is the owner's whatever program calls from there.
const HOME: &str =
    "the owner had worked from this address for long before the theft, and nothing hostile came from it since";

/// Who made a call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Whoever stole the credential.
    Attacker,
    /// An AWS service that carried out what the attacker had asked of it.
    AttackerThroughAws,
    /// The one whose credential it is.
    Owner,
    /// AWS on its own account, in the victim's name.
    Aws,
    /// The team, or this bot.
    Responder,
    /// Somebody else, who touched what the attacker had touched.
    Other,
}

impl Who {
    /// Whether it counts as the attacker's.
    pub const fn is_attacker(self) -> bool {
        matches!(self, Self::Attacker | Self::AttackerThroughAws)
    }

    /// Those that a responder can say it was, by their short names.
    pub const SAID: [(&'static str, Self); 4] =
        [("attacker", Self::Attacker), ("owner", Self::Owner), ("aws", Self::Aws), ("responder", Self::Responder)];

    /// Whom a responder means.
    pub fn said(name: &str) -> Option<Self> {
        Self::SAID.into_iter().find(|(said, _)| *said == name).map(|(_, who)| who)
    }

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Attacker => "attacker",
            Self::AttackerThroughAws => "attacker, through AWS",
            Self::Owner => "owner",
            Self::Aws => "AWS",
            Self::Responder => "responder",
            Self::Other => "somebody else",
        }
    }
}

/// A verdict about one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Who.
    pub who: Who,
    /// Why, in a sentence's part.
    pub why: Name,
}

/// What a responder says: `203.0.113.7=owner`. What is before the sign is an event's id, an access key, an address, or
/// a principal's ARN or unique id.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// What it is about.
    pub about: String,
    /// Whose it is.
    pub who: Who,
}

impl Word {
    /// Whether this is something that calls are told apart by: an address, an access key, an event's id, an ARN or a
    /// unique id. Anything else would fit no call, and nobody would notice.
    pub fn can_be_about(text: &str) -> bool {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let unique_id =
            |id: &str| id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let id = text.split(':').next().unwrap_or_default();
        let event_id =
            text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') && text.contains('-');
        let (address, endpoint) = address_of(text);
        (address.parse::<IpAddr>().is_ok() && endpoint.is_none_or(|id| id.starts_with("vpce-") && plain(id)))
            || event_id
            || (text.starts_with("arn:") && text.matches(':').count() >= 5 && plain(text))
            || (["AKIA", "ASIA", "AIDA", "AROA"].iter().any(|prefix| id.starts_with(prefix))
                && unique_id(id)
                && plain(text))
    }
}

/// Not a word that can be understood.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "“{0}” is not like 203.0.113.7=owner: say an event's id, an access key, an address or an ARN, and attacker, owner, aws or responder"
)]
pub struct NotAWord(String);

impl FromStr for Word {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, NotAWord> {
        let wrong = || NotAWord(text.chars().take(80).collect());
        let (about, who) = text.rsplit_once('=').ok_or_else(wrong)?;
        let who = Who::said(who.trim()).ok_or_else(wrong)?;
        let about = about.trim();
        if about.is_empty() { Err(wrong()) } else { Ok(Self { about: about.to_owned(), who }) }
    }
}

/// What is asked of the logs.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The access keys that are known to be stolen.
    pub credentials: Vec<String>,
    /// Who is taken for stolen though no key is known.
    pub principals: Vec<Named>,
    /// When they were stolen, if that is known.
    pub since: Option<DateTime<Utc>>,
    /// Whether nobody has said so, and that time only follows from when it was noticed.
    pub presumed: bool,
    /// Addresses that an alert names: not the owner's until a responder says so.
    pub suspects: Vec<String>,
    /// What responders say about who is who. The first that fits counts.
    pub words: Vec<Word>,
    /// Which sessions are the bot's own.
    pub bots: Bots,
}

impl Question {
    /// With what responders call the attacker's: keys, users and roles that nothing else leads to are followed too.
    #[must_use]
    pub fn with_words(mut self) -> Self {
        for word in self.words.iter().filter(|word| word.who.is_attacker()) {
            if is_key(&word.about) && !self.credentials.contains(&word.about) {
                self.credentials.push(word.about.clone());
            } else if let Ok(named) = word.about.parse::<Named>()
                && self.principals.iter().all(|known| known.arn() != named.arn())
            {
                self.principals.push(named);
            }
        }
        self
    }
}

/// The verdicts' rules, for one set of events.
#[derive(Debug)]
pub struct Judge<'q> {
    question: &'q Question,
    words: HashMap<&'q str, Who>,
    /// Places of the owner, and why.
    owner: BTreeMap<(Name, String), Name>,
    /// Addresses that are the owner's whatever program calls from there, and why.
    homes: BTreeMap<Name, Name>,
    /// Machines whose credentials were stolen.
    robbed: HashSet<Token>,
    /// Addresses of theirs, and why.
    machines: BTreeMap<Name, Name>,
    /// Addresses that are not the owner's, even if they called before the time of the theft.
    strange: BTreeSet<Name>,
    texts: HashMap<&'static str, Name>,
}

impl<'q> Judge<'q> {
    /// Looks at how the stolen keys were used, to tell their owner's places.
    pub fn new(question: &'q Question, events: &[Event]) -> Self {
        let mut words = HashMap::new();
        for word in &question.words {
            words.entry(word.about.as_str()).or_insert(word.who);
        }
        let named: HashSet<Token> = known(&question.principals, events).into_iter().map(|(token, ..)| token).collect();
        let credentials: HashSet<&str> = question.credentials.iter().map(String::as_str).collect();
        let is_stolen = |event: &Event| {
            credentials.contains(event.caller.key.as_ref()) || event.callers.iter().any(|token| named.contains(token))
        };
        // A user's other keys are the same person's or program's; sessions of one role are anybody's.
        let users: BTreeSet<&str> = events
            .iter()
            .filter(|event| is_stolen(event) && event.caller.principal_id.starts_with("AIDA"))
            .map(|event| event.caller.principal_id.as_ref())
            .collect();
        let is_users = |event: &Event| is_stolen(event) || users.contains(event.caller.principal_id.as_ref());
        let of_the_user: Vec<&Event> = events.iter().filter(|event| is_users(event)).collect();
        let by_stolen = events.iter().filter(|event| is_stolen(event));
        let robbed: HashSet<Token> = by_stolen.filter_map(|event| machine_of(&event.caller.arn)).collect();
        let (mut owner, mut homes, mut machines) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut strange = BTreeSet::new();
        if let Some(since) = question.since {
            let turned = turned(events, is_users, since, &question.bots);
            let long_before = since - HABIT;
            // A machine that was robbed goes on from where it has always called.
            let is_robbed = |event: &&Event| event.callers.iter().any(|token| robbed.contains(token));
            let of_machines: Vec<&Event> = events.iter().filter(is_robbed).collect();
            for (address, first_at) in first_calls(&of_machines) {
                // A time that only follows from an alert can be hours late.
                let before = if question.presumed { long_before } else { since };
                if first_at < before && !is_suspect(question, address) && !turned.contains(address.as_ref()) {
                    machines.insert(Name::clone(address), MACHINE.into());
                }
            }
            for (address, first_at) in first_calls(&of_the_user) {
                let hostile = turned.contains(address.as_ref());
                let suspect = is_suspect(question, address);
                if suspect || (hostile && first_at > long_before) {
                    strange.insert(Name::clone(address));
                } else if !hostile && first_at <= long_before {
                    homes.insert(Name::clone(address), HOME.into());
                }
            }
        } else {
            owner = habits(&of_the_user);
            owner.retain(|(address, _), _| !is_suspect(question, address));
            strange = doubt::strangers(&owner, &of_the_user);
        }
        Self { question, words, owner, homes, robbed, machines, strange, texts: HashMap::new() }
    }

    fn why(&mut self, text: &'static str) -> Name {
        Name::clone(self.texts.entry(text).or_insert_with(|| text.into()))
    }

    /// What a responder says about a call.
    pub fn word(&mut self, event: &Event) -> Option<Verdict> {
        let (_, who) = self.said(event)?;
        Some(Verdict { who, why: self.why("a responder says so") })
    }

    /// What a responder calls the attacker's that this call is by: it counts, whether it is reached or not.
    pub fn called_attackers<'e>(&self, event: &'e Event) -> Option<&'e str> {
        self.said(event).filter(|(_, who)| who.is_attacker()).map(|(about, _)| about)
    }

    fn said<'e>(&self, event: &'e Event) -> Option<(&'e str, Who)> {
        if self.words.is_empty() {
            return None;
        }
        let caller = &event.caller;
        let about = [event.id.as_ref(), &caller.key, &event.address, caller.arn.as_ref(), &caller.principal_id];
        let word = |about: &'e str| Some((about, self.words.get(about).copied()?));
        about.into_iter().filter(|about| !about.is_empty()).find_map(word).or_else(|| self.of_address(&event.address))
    }

    /// What a responder says about an address without the VPC endpoint behind it. That a public one is the owner's says
    /// nothing about who gives it to themselves in a VPC.
    fn of_address<'e>(&self, place: &'e str) -> Option<(&'e str, Who)> {
        let (address, endpoint) = address_of(place);
        let who = endpoint.and_then(|_| self.words.get(address).copied())?;
        (who.is_attacker() || address.parse().is_ok_and(is_private)).then_some((address, who))
    }

    /// Whether AWS itself did something in the name of a credential that nobody but the attacker has, and not to it.
    pub fn is_internal_only(event: &Event) -> bool {
        is_internal(&event.address)
            && !event.by_service
            && !event.caller.service_linked
            && event.caller.kind.as_ref() != "AWSService"
            && !quarantines(event)
    }

    /// Whether a call by a stolen key, or by its owner's other sessions, is its owner's.
    pub fn owners(&mut self, event: &Event) -> Option<Verdict> {
        let before = self.question.since.is_some_and(|since| event.at.is_some_and(|at| at < since));
        // Somebody who has said when it was stolen knows. Otherwise a thief can have been there for a while.
        if before && !(self.question.presumed && self.strange.contains(&event.address)) {
            return Some(Verdict { who: Who::Owner, why: self.why("before the time of the theft") });
        }
        let place = (Name::clone(&event.address), event.product().to_owned());
        let by_robbed = || event.callers.iter().any(|token| self.robbed.contains(token));
        let why = self.owner.get(&place).or_else(|| self.homes.get(&event.address));
        let why = why.or_else(|| self.machines.get(&event.address).filter(|_| by_robbed()))?;
        Some(Verdict { who: Who::Owner, why: Name::clone(why) })
    }

    /// Whether nothing but the time could say that a call by a stolen key is not its owner's, and nobody knows it.
    pub fn is_in_doubt(&self, event: &Event) -> bool {
        let strange = self.strange.contains(&event.address) || is_suspect(self.question, &event.address);
        self.question.since.is_none() && !strange
    }

    /// Whether AWS acted on its own account.
    pub fn aws(&mut self, event: &Event) -> Option<Verdict> {
        // AWS writes the address; the agent is what the caller says of itself, and an attacker says what helps.
        let internal = is_internal(&event.address);
        let why = if event.by_service {
            "an event of the service itself"
        } else if event.caller.service_linked {
            "a service-linked role"
        } else if (internal || is_internal(&event.agent)) && quarantines(event) {
            "AWS's quarantine of a leaked key"
        } else if internal {
            "AWS itself, in the caller's name"
        } else {
            return None;
        };
        Some(Verdict { who: Who::Aws, why: self.why(why) })
    }

    /// Why a call that touches what the attacker touched is a responder's or somebody else's.
    pub fn bystander(&self, event: &Event) -> Verdict {
        if self.question.bots.has(&event.caller.arn) {
            return Verdict { who: Who::Responder, why: "a session of this bot".into() };
        }
        Verdict { who: Who::Other, why: "a credential that cannot be reached from the stolen one".into() }
    }

    /// Addresses from which the owner works.
    pub fn owner_addresses(&self) -> BTreeSet<&str> {
        let owners = self.owner.keys().map(|(address, _)| address);
        owners.chain(self.homes.keys()).chain(self.machines.keys()).map(AsRef::as_ref).collect()
    }
}

/// Whether an alert names the address, through whatever VPC endpoint it called.
fn is_suspect(question: &Question, address: &str) -> bool {
    question.suspects.iter().any(|suspect| suspect == address_of(address).0)
}

/// Whether this is AWS's own network and not an address that somebody calls from.
pub fn is_internal(address: &str) -> bool {
    // Some services add a number: `AWS Internal/12`.
    let name = address.split('/').next().unwrap_or(address);
    name.eq_ignore_ascii_case("AWS Internal") || name.eq_ignore_ascii_case("aws-internal")
}

/// Whether somebody calls from there: neither AWS itself nor nothing.
pub fn is_address(address: &str) -> bool {
    !address.is_empty() && !is_internal(address) && !address.ends_with(".amazonaws.com")
}

/// Whether a call attaches the policy of AWS's quarantine: whoever does that takes rights away.
fn quarantines(event: &Event) -> bool {
    let attaches = event.source.as_ref() == "iam" && event.name.starts_with("Attach");
    attaches && event.deed.as_deref().is_some_and(|said| is_quarantine(&said.what))
}

/// Calls that the owner of a leaked key makes to be rid of it, or to work on: none of them shows whose place it is.
const DEFENDS: [&str; 4] = ["ChangePassword", "DeleteAccessKey", "GetSessionToken", "UpdateAccessKey"];

/// Whether a call is one that its owner would hardly make.
fn is_hostile(event: &Event) -> bool {
    if event.source.as_ref() == "signin" || DEFENDS.contains(&event.name.as_ref()) {
        return false;
    }
    let grave = !matches!(
        event.meaning.category,
        Category::Discovery | Category::Modification | Category::ResourceCreation | Category::DataAccess
    );
    // Taking on a role is what most keys are for.
    grave && event.meaning.named && !(event.source.as_ref() == "sts" && event.name.starts_with("Assume"))
}

/// When each address was first called from.
fn first_calls<'e>(events: &[&'e Event]) -> BTreeMap<&'e Name, DateTime<Utc>> {
    let mut first_at: BTreeMap<&Name, DateTime<Utc>> = BTreeMap::new();
    for event in events.iter().filter(|event| is_address(&event.address)) {
        let Some(at) = event.at else { continue };
        let first = first_at.entry(&event.address).or_insert(at);
        *first = at.min(*first);
    }
    first_at
}

/// Addresses from which something hostile has come since the theft. What the key's user had done from there long before
/// it is their work, and what others do with credentials that the key's user has not handed out says nothing: responders
/// clean up from the office.
fn turned<'e>(
    events: &'e [Event],
    is_users: impl Fn(&Event) -> bool,
    since: DateTime<Utc>,
    bots: &Bots,
) -> BTreeSet<&'e str> {
    let handed = handed::handed_on(events, &is_users);
    let others = |event: &Event| {
        !is_users(event) && (bots.has(&event.caller.arn) || !handed.contains(event.caller.key.as_ref()))
    };
    let hostile: Vec<&Event> = events.iter().filter(|event| is_hostile(event)).collect();
    let call = |event: &&'e Event| (event.address.as_ref(), event.source.as_ref(), event.name.as_ref());
    let of_old = |event: &&&'e Event| is_users(event) && event.at.is_some_and(|at| at <= since - HABIT);
    let usual: HashSet<(&str, &str, &str)> = hostile.iter().filter(of_old).map(call).collect();
    let turn =
        |event: &&&'e Event| event.at.is_none_or(|at| at >= since) && !others(event) && !usual.contains(&call(event));
    hostile.iter().filter(turn).map(|event| event.address.as_ref()).collect()
}

/// Places that did nothing hostile and were there long before the first place that did.
fn habits(events: &[&Event]) -> BTreeMap<(Name, String), Name> {
    #[derive(Default)]
    struct Place {
        first_at: Option<DateTime<Utc>>,
        hostile: bool,
        more_than_looks: bool,
    }
    let mut places: BTreeMap<(Name, String), Place> = BTreeMap::new();
    for event in events.iter().filter(|e| is_address(&e.address)) {
        let place = places.entry((Name::clone(&event.address), event.product().to_owned())).or_default();
        place.first_at = match (place.first_at, event.at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        place.hostile |= is_hostile(event);
        place.more_than_looks |= event.meaning.category != Category::Discovery;
    }
    let arrived = places.values().filter(|place| place.hostile).filter_map(|place| place.first_at).min();
    let Some(arrived) = arrived else { return BTreeMap::new() };
    let why: Name =
        "this address and program used the key long before the first hostile call, and made none itself".into();
    let mut owner = BTreeMap::new();
    for (key, place) in places {
        let enough = if place.more_than_looks { HABIT } else { HABIT_OF_LOOKING };
        if !place.hostile && place.first_at.is_some_and(|first| arrived - first >= enough) {
            owner.insert(key, Name::clone(&why));
        }
    }
    owner
}

/// The address's token, where there is one.
pub fn address_token(event: &Event) -> Option<Token> {
    is_address(&event.address).then(|| Token::address(&event.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_people_type_it() {
        let word: Word = "203.0.113.7=owner".parse().unwrap();
        assert_eq!((word.about.as_str(), word.who), ("203.0.113.7", Who::Owner));
        for wrong in ["", "owner", "=owner", "x=nobody", "x="] {
            assert!(wrong.parse::<Word>().is_err(), "{wrong}");
        }
        for right in [
            "203.0.113.7",
            "2001:db8::1",
            "10.0.0.7 through vpce-0123456789abcdef0",
            "AKIAIOSFODNN7EXAMPLE",
            "AROADBQP57FF2AEXAMPLE:export-1",
            "arn:aws:sts::111122223333:assumed-role/app/s",
            "11e77424-d1c8-40fd-96e3-4aedd1366f50",
        ] {
            assert!(Word::can_be_about(right), "{right}");
        }
        for wrong in
            ["", "owner", "203.0.113", "AKIA", "arn:aws", "svc-backup", "AKIAIOSFODNN7EXAMPLE x", "10.0.0.7 through x"]
        {
            assert!(!Word::can_be_about(wrong), "{wrong}");
        }
    }
}
