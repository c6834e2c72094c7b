//! How the attacker got from the stolen credentials to others: a least fixpoint over what calls have handed out. A call
//! counts once anything by which its caller is known has been reached, in whatever order the calls stand; what was
//! reached by a call counts from that call's time on.

use super::name::Name;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use chrono::TimeDelta;

use super::attribution::{Judge, Question, Verdict, Who, address_token};
use super::classify::Outcome;
use super::event::Event;
use super::grant::{Grant, Hold, Vouch};
use super::named::known;
use super::token::{Token, is_key, machine_of, role_session};
use super::way::{Kind, Way, service_token};

mod anew;
mod answers;
mod handed;
mod holds;
mod machines;
mod outcome;
mod renamed;
mod trusts;
mod waiting;
mod ways;

use holds::subject_token;
use machines::Places;
use renamed::Renamings;
use ways::{Opened, Same, Ways};

/// For so long a service is at work for whoever was the last to begin something: a stack, a job or an export takes hours,
/// and what it does is done in the name of whoever has asked for it.
const ON_BEHALF: TimeDelta = TimeDelta::hours(24);

/// A credential that the attacker has held.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The key; for a console session or a role without one, what it is.
    pub id: Name,
    /// Whether `id` is an access key's.
    pub is_key: bool,
    /// Whose, as an ARN, where that is known.
    pub principal: Option<Name>,
    /// How it was reached; `None` for those that were asked about.
    pub reached_by: Option<Edge>,
    /// Calls from it that are the attacker's.
    pub events: u64,
    /// Its distance from a stolen credential.
    pub depth: usize,
}

/// How one credential was reached from another.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The place of the other in the list.
    pub from: usize,
    /// The call, and what it did.
    pub how: Name,
    /// The place of the event that proves it.
    pub event: usize,
}

/// Who did what, and how the credentials hang together.
#[derive(Debug, Default)]
pub struct Lineage {
    /// The stolen ones first, then by distance.
    pub credentials: Vec<Credential>,
    /// For each event: whose it is.
    pub verdicts: Vec<Verdict>,
    /// For each event: the credential that it was made with, where it is the attacker's.
    pub used: Vec<Option<usize>>,
    /// For each event: the call across accounts that it is the other record of.
    pub twin_of: Vec<Option<usize>>,
    /// Changes of whom a role trusts, where the logs do not show whom it did before.
    pub trust_unknown: BTreeSet<usize>,
    /// For each event: whether it can be the owner's all the same, because nobody knows when the credential was stolen.
    pub in_doubt: Vec<bool>,
    /// Those that have taken away what kept somebody out, or have changed on what terms somebody comes in.
    pub trust_loosened: BTreeSet<usize>,
    /// Whether more calls lead to one thing than are followed.
    pub cut: bool,
}

struct Walk<'e, 'q> {
    events: &'e [Event],
    judge: Judge<'q>,
    by_token: HashMap<Token, Vec<usize>>,
    /// For each key and service that has acted in its name: the calls to that service that change or begin something, in
    /// order of time.
    asked: HashMap<Token, Vec<usize>>,
    /// All calls to that service, those that only look as well.
    called: HashMap<Token, Vec<usize>>,
    /// Those that change or begin something and are known to be the attacker's.
    asked_by_attacker: HashMap<Token, Vec<usize>>,
    /// The events that have made what starts instances or acts with a role, have told it what to do, or have set a password or
    /// an instance's profile: in order of time.
    makers: HashMap<Token, Vec<usize>>,
    /// The events that have made users, roles and providers, by their names and in order of time: another can be called the
    /// same later.
    made: HashMap<Token, Vec<usize>>,
    /// The events that have changed whom a provider vouches for, in order of time.
    vouched: HashMap<Token, Vec<usize>>,
    /// For each of those for whom a provider has vouched, or who have taken a role from another account, the first event by
    /// which they did.
    came_in: HashMap<Token, usize>,
    /// When users were given other names.
    renamings: Renamings,
    /// The unique ids of users who are taken for stolen, by their credentials.
    named_ids: HashMap<usize, String>,
    /// Keys that a call in the logs has handed out.
    handed_out: HashSet<Name>,
    /// The events that have made a role or changed whom it trusts, in order of time.
    trusts: HashMap<Token, Vec<usize>>,
    /// Those before which the logs do not show whom it trusted.
    trust_unknown: BTreeSet<usize>,
    /// Those that have let in on other terms than before.
    trust_loosened: BTreeSet<usize>,
    /// More ways lead to one token than are kept.
    cut: bool,
    ways: HashMap<Token, Ways>,
    /// Keys of sessions that somebody has taken who nothing says is the attacker: where they call from tells nothing.
    looked: HashSet<Token>,
    /// When a machine that the attacker has come into first called, from each address.
    places: HashMap<Token, Places>,
    credentials: Vec<Credential>,
    by_id: HashMap<Name, usize>,
    edges: Vec<(usize, usize, usize, Name)>,
    verdicts: Vec<Option<Verdict>>,
    used: Vec<Option<usize>>,
    in_doubt: Vec<bool>,
    /// Events that a responder calls the attacker's, whatever they are reached by.
    said: HashMap<usize, Way>,
    queue: VecDeque<usize>,
    queued: Vec<bool>,
    /// For each token that has been opened: events of it that have left the queue since it last was.
    waiting: HashMap<Token, Vec<usize>>,
    owner_addresses: HashSet<Name>,
    seeds: usize,
}

/// Follows the stolen credentials through these events, which are sorted by [`Event::order`] and have no duplicates.
pub fn follow(question: &Question, events: &[Event]) -> Lineage {
    let judge = Judge::new(question, events);
    let mut by_token: HashMap<Token, Vec<usize>> = HashMap::new();
    let mut makers: HashMap<Token, Vec<usize>> = HashMap::new();
    let mut trusts: HashMap<Token, Vec<usize>> = HashMap::new();
    let mut made: HashMap<Token, Vec<usize>> = HashMap::new();
    let mut vouched: HashMap<Token, Vec<usize>> = HashMap::new();
    let mut came_in: HashMap<Token, usize> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        for grant in &event.grants {
            match grant {
                Grant::User { account, name, .. } => made.entry(Token::user(account, name)).or_default().push(at),
                Grant::Role { account, name, .. } => made.entry(Token::role(account, name)).or_default().push(at),
                Grant::Provider { arn, vouch } if event.source.as_ref() == "iam" => {
                    vouched.entry(Token::provider(arn)).or_default().push(at);
                    if *vouch == Vouch::Made {
                        made.entry(Token::provider(arn)).or_default().push(at);
                    }
                }
                _ => {}
            }
            match grant {
                Grant::Starter { token, .. } => makers.entry(*token).or_default().push(at),
                Grant::Compute {
                    hold: Hold::Made | Hold::Set(_) | Hold::Work { .. } | Hold::Profile(_) | Hold::NoProfile,
                    sessions,
                    ..
                } => {
                    for token in sessions {
                        makers.entry(*token).or_default().push(at);
                    }
                }
                Grant::Password { .. } => {
                    for token in grant.tokens() {
                        makers.entry(token).or_default().push(at);
                    }
                }
                Grant::Trust { account, name, .. } | Grant::Role { account, name, .. } => {
                    trusts.entry(Token::role(account, name)).or_default().push(at);
                }
                _ => {}
            }
        }
        let subject = event.outsider.as_deref().and_then(subject_token);
        for came in subject.into_iter().chain(trusts::takers(event)) {
            came_in.entry(came).or_insert(at);
        }
        let address = address_token(event);
        let service = service_token(event);
        for token in event.callers.iter().chain(&event.opened_by).chain(&address).chain(&service) {
            by_token.entry(*token).or_default().push(at);
        }
    }
    let mut asked: HashMap<Token, Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate().filter(|(_, event)| asks_for_work(event)) {
        let token = Token::on_behalf(&event.caller.key, &event.source);
        if by_token.contains_key(&token) {
            asked.entry(token).or_default().push(at);
        }
    }
    let called = answers::called(events, &by_token);
    let renamings = renamed::renamings(events, &mut made, &mut makers);
    let owner_addresses = judge.owner_addresses().into_iter().map(Name::from).collect();
    let mut walk = Walk {
        events,
        judge,
        by_token,
        asked,
        called,
        asked_by_attacker: HashMap::new(),
        makers,
        made,
        vouched,
        came_in,
        renamings,
        named_ids: HashMap::new(),
        handed_out: anew::handed_out(events),
        trusts,
        trust_unknown: BTreeSet::new(),
        trust_loosened: BTreeSet::new(),
        cut: false,
        ways: HashMap::new(),
        looked: HashSet::new(),
        places: HashMap::new(),
        credentials: Vec::new(),
        by_id: HashMap::new(),
        edges: Vec::new(),
        verdicts: vec![None; events.len()],
        used: vec![None; events.len()],
        in_doubt: vec![false; events.len()],
        said: HashMap::new(),
        queue: VecDeque::new(),
        queued: vec![false; events.len()],
        waiting: HashMap::new(),
        owner_addresses,
        seeds: 0,
    };
    walk.start(question);
    while let Some(at) = walk.next_event() {
        walk.visit(at);
    }
    walk.finish()
}

impl Walk<'_, '_> {
    fn start(&mut self, question: &Question) {
        for key in &question.credentials {
            let credential = self.credential(key, true, None);
            self.credentials[credential].depth = 0;
            let way = Way { kind: Kind::Key, at: None, from: credential, event: None, how: "stolen".into() };
            self.open(Token::key(key), way);
        }
        let named: Vec<usize> = question
            .principals
            .iter()
            .map(|named| {
                let credential = self.credential(named.arn(), false, Some(named.arn()));
                self.credentials[credential].depth = 0;
                self.named_ids.extend(named.unique_id().map(|id| (credential, id.to_owned())));
                credential
            })
            .collect();
        for at in 0..self.events.len() {
            let Some(about) = self.judge.called_attackers(&self.events[at]).map(str::to_owned) else { continue };
            let from =
                self.credential(&about, is_key(&about), Some(about.as_str()).filter(|id| id.starts_with("arn:")));
            self.credentials[from].depth = 0;
            let how = "a responder says so".into();
            self.said.insert(at, Way { kind: Kind::Named, at: None, from, event: None, how });
            self.queued[at] = true;
            self.queue.push_back(at);
        }
        self.seeds = self.credentials.len();
        for (token, place, event) in known(&question.principals, self.events) {
            let how: Name = match event {
                Some(at) => format!("{}: session of a role that is taken for stolen", self.events[at].name).into(),
                None => "a call as whoever is taken for stolen".into(),
            };
            self.open(token, Way { kind: Kind::Named, at: None, from: named[place], event, how });
        }
    }

    fn credential(&mut self, id: &str, is_key: bool, principal: Option<&str>) -> usize {
        let place = self.by_id.get(id).copied().unwrap_or_else(|| {
            let id: Name = id.into();
            let place = self.credentials.len();
            self.by_id.insert(Name::clone(&id), place);
            let credential = Credential { id, is_key, principal: None, reached_by: None, events: 0, depth: usize::MAX };
            self.credentials.push(credential);
            place
        });
        let known = &mut self.credentials[place].principal;
        if let Some(principal) = principal.filter(|p| !p.is_empty())
            && known.as_deref().is_none_or(|known| !known.starts_with("arn:"))
        {
            *known = Some(principal.into());
        }
        place
    }

    /// Makes a token the attacker's, and has all events that it speaks of looked at again. Gives what else is theirs by that.
    fn open_one(&mut self, token: Token, way: Way) -> Vec<(Token, Way)> {
        let carried = self.under_other_names(token, &way);
        if way.kind == Kind::Machine {
            self.learn_places(token);
        }
        let same = match (&way.kind, self.places.get(&token)) {
            // Each call on stolen credentials of a machine, or into it, is a way: the earliest tells what the later ones do.
            (Kind::Machine, Some(places)) => Same::Places(places.before(way.at)),
            _ => Same::of(&way),
        };
        match self.ways.entry(token).or_default().open(way, same) {
            Opened::New => {}
            Opened::Known => return Vec::new(),
            Opened::Full => {
                self.cut = true;
                return Vec::new();
            }
        }
        self.look_at_all(token);
        carried
    }

    /// Looks whether an event is the attacker's by now.
    fn visit(&mut self, at: usize) {
        let event = &self.events[at];
        let Some(way) = self.way_to(event).or_else(|| self.said.get(&at).cloned()) else { return };
        let stolen = matches!(way.kind, Kind::Owner | Kind::Named) || (way.kind == Kind::Key && way.event.is_none());
        let started = matches!(way.kind, Kind::Started { .. });
        let looks = self.only_takes(event, &way);
        let word = self.judge.word(event);
        // What a call that can be the owner's has handed out, its owner can have used as well.
        let by_doubt = stolen || way.event.is_some_and(|by| self.in_doubt[by]);
        self.in_doubt[at] = word.is_none() && by_doubt && self.judge.is_in_doubt(event);
        let verdict = if let Some(word) = word {
            word
        } else if started {
            Verdict { who: Who::Aws, why: Name::clone(&way.how) }
        } else if looks {
            Verdict { who: Who::Other, why: Name::clone(&way.how) }
        } else if theirs_alone(&way) && Judge::is_internal_only(event) {
            Verdict { who: Who::AttackerThroughAws, why: Name::clone(&way.how) }
        } else if let Some(aws) = self.judge.aws(event) {
            aws
        } else if let Some(verdict) = self.for_the_attacker(at, &way) {
            verdict
        } else if let Some(owner) = stolen.then(|| self.judge.owners(event)).flatten() {
            owner
        } else if event.caller.kind.as_ref() == "AWSService" {
            Verdict { who: Who::Aws, why: "AWS takes the role on for what the attacker made".into() }
        } else {
            Verdict { who: Who::Attacker, why: Name::clone(&way.how) }
        };
        let who = verdict.who;
        let before = self.verdicts[at].replace(verdict).map(|verdict| verdict.who);
        if who.is_attacker() {
            self.look_at_subject(at);
            self.look_at_taker(at);
        }
        let by_aws = started || event.caller.kind.as_ref() == "AWSService";
        let hands_over = who.is_attacker() || (by_aws && who == Who::Aws) || who == Who::Other;
        // What was taken is followed from the first, and whoever took it only once they are known.
        let is_new = before.is_none() || (before == Some(Who::Other) && who != Who::Other);
        if !hands_over || (!is_new && self.used[at].is_some()) {
            return;
        }
        let from = if who == Who::Other { way.from } else { self.holder(event, &way, at) };
        self.used[at] = Some(from);
        self.look_at_session(at);
        self.spread(at, from, (who, &way.kind));
    }

    /// The credential that a call was made with.
    fn holder(&mut self, event: &Event, way: &Way, at: usize) -> usize {
        let key = &event.caller.key;
        let signs_in = event.source.as_ref() == "signin";
        // The session that starts instances is AWS's.
        if (key.is_empty() && !signs_in) || matches!(way.kind, Kind::Started { .. }) {
            return way.from;
        }
        let id: Name =
            if key.is_empty() { format!("console login of {}", event.caller.arn).into() } else { Name::clone(key) };
        let credential = self.credential(&id, !key.is_empty(), Some(&event.caller.arn));
        if credential >= self.seeds && credential != way.from {
            self.edges.push((way.from, credential, way.event.unwrap_or(at), Name::clone(&way.how)));
        }
        credential
    }

    /// What follows from a call of the attacker's.
    fn spread(&mut self, at: usize, from: usize, (who, by): (Who, &Kind)) {
        let event = &self.events[at];
        let way = |kind, how: Name| Way { kind, at: event.at, from, event: Some(at), how };
        let mut opened: Vec<(Token, Way)> = Vec::new();
        if who == Who::Attacker {
            opened.extend(self.here(at, from, by));
            self.look_at_answers(at);
            if asks_for_work(event) {
                let token = Token::on_behalf(&event.caller.key, &event.source);
                if self.by_token.contains_key(&token) {
                    let calls = self.asked_by_attacker.entry(token).or_default();
                    calls.insert(calls.partition_point(|call| *call < at), at);
                    self.look_at_work(token, at);
                }
                opened.push((token, way(Kind::Service, format!("carried out for {}", event.name).into())));
            }
        }
        let is_theirs = who != Who::Other;
        if let Some(shared) = event.shared_id.as_ref().filter(|_| is_theirs) {
            opened.push((Token::shared(shared), way(Kind::Shared, "the same call in another account's log".into())));
        }
        let by_owner = is_theirs && !matches!(by, Kind::Started { .. });
        if by_owner && from < self.seeds && !event.caller.key.is_empty() {
            // Whoever has the key may have its owner's other sessions too.
            let kind = event.caller.session_began_at.map_or(Kind::Owner, |at| Kind::Session { began_at: Some(at) });
            let shared = event.shared_id.as_deref().map(Token::shared);
            let role = event.caller.principal_id.split_once(':').map(|(role, _)| Token::principal(role));
            for token in event.callers.iter().filter(|t| Some(**t) != shared && Some(**t) != role) {
                if *token != Token::key(&event.caller.key) {
                    let mut own = way(kind.clone(), "another session of the stolen key's owner".into());
                    own.at = None;
                    opened.push((*token, own));
                }
            }
            // An instance or task gets new credentials every few hours, and so does whoever has robbed it.
            if let (Who::Attacker, Some(machine)) = (who, machine_of(&event.caller.arn)) {
                let session = role_session(&event.caller.arn).map_or("", |(.., session)| session);
                let how = format!("credentials of {session}, whose others were stolen");
                opened.push((machine, way(Kind::Machine, how.into())));
            }
        }
        for grant in &event.grants {
            match grant {
                Grant::Key { id, .. } if is_theirs => self.make_known(Token::key(id), &mut opened),
                Grant::Key { id, .. } => _ = self.looked.insert(Token::key(id)),
                _ => {}
            }
            self.grant((at, by), from, grant, &mut opened);
        }
        for (token, way) in opened {
            self.open(token, way);
        }
    }

    /// A call that a service made in the attacker's name: one that the attacker has called, or that works with what is
    /// the attacker's alone. What the attacker shares with its owner, services use for the owner too.
    fn for_the_attacker(&self, at: usize, by: &Way) -> Option<Verdict> {
        let event = &self.events[at];
        if event.caller.invoked_by.is_empty() || event.caller.kind.as_ref() == "AWSService" {
            return None;
        }
        let why = if theirs_alone(by) {
            Some(Name::clone(&by.how))
        } else {
            self.answered(at).or_else(|| self.asked_for(at))
        };
        Some(match why {
            Some(why) => Verdict { who: Who::AttackerThroughAws, why },
            None => Verdict { who: Who::Aws, why: "a service that the attacker has not called before".into() },
        })
    }

    /// The attacker's call that a service carries out by an event: the last by which anybody has begun anything before it.
    /// Where that was the owner's, nothing proves that the service still works for the attacker.
    fn asked_for(&self, at: usize) -> Option<Name> {
        let token = service_token(&self.events[at])?;
        let calls = self.asked.get(&token)?;
        let asked = *calls[..calls.partition_point(|call| *call < at)].last()?;
        let since = self.events[at].at.zip(self.events[asked].at).map(|(at, asked)| at - asked);
        let theirs = self.asked_by_attacker.get(&token)?.binary_search(&asked).is_ok();
        let soon = since.is_none_or(|since| since <= ON_BEHALF);
        (theirs && soon).then(|| format!("carried out for {}", self.events[asked].name).into())
    }
}

/// Whether it is a call that a service may carry out in its caller's name from then on. Who only looks asks for nothing.
fn asks_for_work(event: &Event) -> bool {
    event.changes
        && event.outcome == Outcome::Succeeded
        && !event.caller.key.is_empty()
        && event.caller.invoked_by.is_empty()
}

/// Whether nobody but the attacker acts in this way.
fn theirs_alone(way: &Way) -> bool {
    match way.kind {
        Kind::Owned | Kind::Code { .. } | Kind::Made | Kind::Provider => true,
        Kind::Key => way.event.is_some(),
        _ => false,
    }
}
