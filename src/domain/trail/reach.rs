//! Finds the few records that may matter among all that there are, in whatever order they come and however many: those
//! of credentials that can be reached from the stolen ones, and those of whoever touched what these have made.
//!
//! A [`Scout`] goes through one file and remembers, for callers that it does not know, that they were there and what
//! they were handed. [`Hunt`] puts together what scouts have seen: who can be reached from whom. A file that a scout
//! went through before the [`Hunt`] knew somebody in it has to be gone through again. What can be reached is more than
//! what the attacker did; [`super::lineage`] is exact about that.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use foldhash::fast::RandomState;

use super::attribution::Question;
use super::classify::changes;
use super::coverage::Coverage;
use super::entrance;
use super::event::{Event, Texts, Traits, id_of};
use super::grant::{Grant, Hold, may_grant};
use super::limits::{Limit, Limits};
use super::named::Named;
use super::record::{Record, unversioned};
use super::resource::{Effect, Touch, is_call, touches_nothing};
use super::selected;
use super::skim::Skim;
use super::token::{Token, account_of, bare_name, bundle, caller_tokens, callers, machine_of, role_session};

mod names;

/// Strangers that are remembered at once, and how long what they are known by may be: some megabytes.
const STRANGERS_MAX: usize = 20_000;
const STRANGER_BYTES_MAX: usize = 1 << 10;

/// Why a record is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Its caller can be reached.
    Caller,
    /// Somebody else, who touched what a reachable caller had touched.
    Touch,
    /// Somebody from outside the account, who took a session that can be reached. Their others do not become so by it.
    Entrance,
}

/// Goes through one file.
#[derive(Debug)]
pub struct Scout {
    known: HashSet<Token>,
    learned: usize,
    first_time: bool,
    coverage: Coverage,
    edges: Vec<(Token, Token)>,
    bundles: HashSet<Token>,
    missed: HashSet<u32>,
    /// More was missed than there is room for.
    missed_more: bool,
    /// Callers that are known to nobody, by all that they are known by.
    strangers: HashSet<Box<[u8]>, RandomState>,
    /// The one that is looked at.
    caller: Vec<u8>,
    buffer: Vec<Token>,
    /// [`Limits::of_file`]
    of_file: usize,
}

/// What a scout brings back from one file.
#[derive(Debug, Default)]
pub struct Findings {
    /// What the file covers.
    pub coverage: Coverage,
    /// Fingerprints of all that the scout did not know when it saw it, sorted. `None` when that is too much to remember:
    /// then each news may be about this file.
    pub missed: Option<Box<[u32]>>,
    edges: Vec<(Token, Token)>,
}

impl Findings {
    /// Whether the file has to be gone through again, now that these are known too.
    pub fn has_any(&self, fingerprints: &[u32]) -> bool {
        has_any(self.missed.as_deref(), fingerprints)
    }
}

/// Whether two sorted lists have something in common; with a list that nobody has, whatever there is may be on it.
pub fn has_any(missed: Option<&[u32]>, fingerprints: &[u32]) -> bool {
    let Some(missed) = missed else { return !fingerprints.is_empty() };
    let (few, many) = if missed.len() < fingerprints.len() { (missed, fingerprints) } else { (fingerprints, missed) };
    few.iter().any(|one| many.binary_search(one).is_ok())
}

impl Scout {
    /// One that remembers so much of a file.
    pub fn new(limits: &Limits) -> Self {
        Self {
            known: HashSet::new(),
            learned: 0,
            first_time: true,
            coverage: Coverage::default(),
            edges: Vec::new(),
            bundles: HashSet::new(),
            missed: HashSet::new(),
            missed_more: false,
            strangers: HashSet::default(),
            caller: Vec::new(),
            buffer: Vec::new(),
            of_file: limits.of_file,
        }
    }

    /// How much of what the hunt has learned is known to this scout.
    pub const fn learned(&self) -> usize {
        self.learned
    }

    /// Takes over what the hunt has learned since [`Scout::learned`].
    pub fn learn(&mut self, news: &[Token]) {
        if !news.is_empty() {
            self.learned += news.len();
            self.known.extend(news);
            self.strangers.clear();
        }
    }

    /// Before files are gone through again: they have been counted, and who was handed what in them is known.
    pub const fn again(&mut self) {
        self.first_time = false;
    }

    /// Looks at a record's first impression. `true` when it cannot matter: it has been counted, and that is all. `false`
    /// when it has to be parsed and given to [`Scout::look`].
    pub fn glance(&mut self, skim: &Skim<'_>) -> bool {
        let source = skim.source.strip_suffix(".amazonaws.com").unwrap_or(skim.source);
        let name = unversioned(skim.name);
        let harmless = skim.data || skim.read_only == Some(true) || touches_nothing(source, name);
        let [key, principal, arn, _] = skim.caller;
        if !harmless || arn.is_empty() || may_grant(source, name) {
            return false;
        }
        self.caller.clear();
        for part in skim.caller.into_iter().chain([skim.shared_id, skim.on_behalf_of]) {
            self.caller.extend_from_slice(part);
            // None of them has a quote in it.
            self.caller.push(b'"');
        }
        if !self.strangers.contains(&*self.caller) {
            let texts = [key, principal, arn, skim.shared_id, skim.on_behalf_of].map(str::from_utf8);
            let [Ok(key), Ok(principal), Ok(arn), Ok(shared_id), Ok(behind)] = texts else { return false };
            self.buffer.clear();
            caller_tokens(key, principal, arn, shared_id, &mut self.buffer);
            if !behind.is_empty() {
                self.buffer.push(Token::directory_id(behind));
            }
            if self.buffer.iter().any(|token| self.known.contains(token)) {
                return false;
            }
            self.miss_callers();
            // Only spares looking again.
            if self.strangers.len() >= STRANGERS_MAX {
                self.strangers.clear();
            }
            if self.caller.len() <= STRANGER_BYTES_MAX {
                self.strangers.insert(self.caller.as_slice().into());
            }
        }
        if self.first_time {
            self.coverage.count(skim.region, skim.account, skim.data.then_some(source), skim.time);
        }
        true
    }

    /// Looks at one record. What comes back is to be given to [`Hunt::keep`].
    pub fn look(&mut self, record: &Record<'_>) -> Option<(Traits, By)> {
        if self.first_time {
            let data_source = record.is_data_event().then(|| record.source());
            let [region, account, at] = [&record.aws_region, &record.recipient_account_id, &record.event_time]
                .map(|text| text.as_deref().unwrap_or("").as_bytes());
            self.coverage.count(region, account, data_source, at);
            selected::note(record, &mut self.coverage.selections);
            self.coverage.log_buckets.note(record);
        }
        if record.is_insight() {
            return None;
        }
        let granting = may_grant(record.source(), record.name());
        let changing = !record.is_data_event() && changes(record);
        self.buffer.clear();
        callers(record, &mut self.buffer);
        if self.buffer.iter().any(|token| self.known.contains(token)) {
            let traits = Traits::of(record, true);
            self.remember_names(&traits);
            return Some((traits, By::Caller));
        }
        self.miss_callers();
        if !granting && !changing {
            return None;
        }
        let traits = Traits::of(record, false);
        let renames = self.remember_names(&traits);
        if traits.opened_by.iter().any(|token| self.known.contains(token)) {
            return Some((traits, By::Caller));
        }
        for token in &traits.opened_by {
            self.miss(*token);
        }
        if self.first_time && !traits.grants.is_empty() {
            self.remember(record, &traits);
        }
        if entrance::may_be(record, traits.outsider.as_deref()) && self.hands_out_what_is_known(&traits) {
            return Some((traits, By::Entrance));
        }
        if changing {
            let mut touched = renames;
            let work =
                traits.grants.iter().filter(|grant| matches!(grant, Grant::Compute { hold: Hold::Work { .. }, .. }));
            // Whoever asks a service for work with the same role tells whose the next session is.
            for token in touched_by(record, &traits.touches).into_iter().chain(work.flat_map(Grant::tokens)) {
                touched |= self.known.contains(&token);
                self.miss(token);
            }
            if touched {
                return Some((traits, By::Touch));
            }
        }
        None
    }

    fn miss(&mut self, token: Token) {
        if self.missed.len() < self.of_file {
            self.missed.insert(token.fingerprint());
        } else {
            self.missed_more |= !self.missed.contains(&token.fingerprint());
        }
    }

    fn miss_callers(&mut self) {
        let callers = std::mem::take(&mut self.buffer);
        for token in &callers {
            self.miss(*token);
        }
        self.buffer = callers;
    }

    /// Whether a call has handed out a key that is known.
    fn hands_out_what_is_known(&mut self, traits: &Traits) -> bool {
        let mut known = false;
        for grant in &traits.grants {
            if let Grant::Key { id, .. } = grant {
                let token = Token::key(id);
                known |= self.known.contains(&token);
                self.miss(token);
            }
        }
        known
    }

    /// A record that cannot be read.
    pub const fn unreadable(&mut self) {
        if self.first_time {
            self.coverage.unreadable += 1;
        }
    }

    /// Who was handed what. Not by all that caller and credential are known by: what is missing here is learned when
    /// the file is gone through again.
    fn remember(&mut self, record: &Record<'_>, traits: &Traits) {
        let identity = &record.user_identity;
        let role = identity.principal_id.as_deref().and_then(|id| id.split_once(':')).map(|(role, _)| role);
        let mut from: Vec<Token> = match identity.access_key_id.as_deref() {
            Some(key) if !key.is_empty() => vec![Token::key(key)],
            _ => traits.callers.clone(),
        };
        from.extend(role.filter(|role| role.starts_with("AROA")).map(Token::principal));
        from.extend(&traits.opened_by);
        let to: Vec<Token> = traits
            .grants
            .iter()
            .flat_map(|grant| {
                let mut tokens = grant.tokens();
                tokens.truncate(if matches!(grant, Grant::Key { .. }) { 1 } else { tokens.len() });
                tokens
            })
            .collect();
        if to.len() == 1 {
            self.edges.extend(from.into_iter().map(|token| (token, to[0])));
            return;
        }
        from.sort_unstable();
        from.dedup();
        let all = bundle(&from);
        if self.bundles.insert(all) {
            self.edges.extend(from.into_iter().map(|token| (token, all)));
        }
        self.edges.extend(to.into_iter().map(|token| (all, token)));
    }

    /// Who was handed what, as far as it has been seen, once that is so much that it must not wait for the end of a file.
    pub fn hand_over(&mut self) -> Option<Findings> {
        if self.edges.len() < self.of_file {
            return None;
        }
        self.bundles.clear();
        Some(Findings { edges: std::mem::take(&mut self.edges), ..Findings::default() })
    }

    /// What was found in the file that is now at its end.
    pub fn bring_back(&mut self) -> Findings {
        let mut missed: Vec<u32> = self.missed.drain().collect();
        missed.sort_unstable();
        let missed = (!std::mem::take(&mut self.missed_more)).then(|| missed.into());
        self.strangers.clear();
        self.bundles.clear();
        Findings { coverage: std::mem::take(&mut self.coverage), missed, edges: std::mem::take(&mut self.edges) }
    }
}

/// The resources of a call, as what others can touch too. What only the call stands for is nobody else's.
fn touched_by(record: &Record<'_>, touches: &[Touch]) -> Vec<Token> {
    let account = record.recipient_account_id.as_deref().unwrap_or("");
    let touches = touches.iter().filter(|touch| touch.effect != Effect::Read && !is_call(&touch.kind));
    touches.map(|touch| Token::resource(&touch.kind, account, &touch.id)).collect()
}

/// Calls of one credential from one place that are only counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counted {
    /// All of them.
    pub events: u64,
    /// Those that changed something.
    pub succeeded_mutations: u64,
    /// Those that AWS refused.
    pub denied: u64,
}

/// What all scouts have seen together.
#[derive(Debug, Default)]
pub struct Hunt {
    seeds: HashSet<String>,
    named: Vec<Named>,
    known: HashSet<Token>,
    /// What is known, in the order in which it was learned.
    learned: Vec<Token>,
    edges: Vec<(Token, Token)>,
    texts: Texts,
    places: HashMap<u64, (u32, u64)>,
    twice: HashSet<(u32, u64)>,
    reads: usize,
    granting: usize,
    /// What was kept, in no order.
    pub events: Vec<Event>,
    /// Calls that did not fit: by access key, and the address.
    pub counted: BTreeMap<(String, String), Counted>,
    /// Records that stand in the logs twice, of those that were kept.
    pub duplicates: u64,
    /// What the logs cover.
    pub coverage: Coverage,
    /// How much is kept.
    pub limits: Limits,
    /// What of that was not enough.
    pub met: BTreeSet<Limit>,
}

impl Hunt {
    /// A hunt for what can be reached from what is asked about.
    pub fn new(question: &Question, limits: Limits) -> Self {
        let Question { credentials, principals, .. } = question;
        let seeds = credentials.iter().cloned().collect();
        let mut hunt = Self { seeds, named: principals.clone(), limits, ..Self::default() };
        hunt.reach(credentials.iter().map(|key| Token::key(key)));
        hunt.reach(principals.iter().flat_map(Named::tokens));
        hunt
    }

    /// What has been learned after the first `count`.
    pub fn news(&self, count: usize) -> &[Token] {
        self.learned.get(count..).unwrap_or_default()
    }

    /// How much has been learned.
    pub const fn learned(&self) -> usize {
        self.learned.len()
    }

    fn reach(&mut self, tokens: impl IntoIterator<Item = Token>) {
        for token in tokens {
            if self.known.contains(&token) {
                continue;
            }
            if self.known.len() >= self.limits.tokens {
                self.met.insert(Limit::Tokens);
                return;
            }
            self.known.insert(token);
            self.learned.push(token);
        }
    }

    /// Keeps a record that a scout has found at this place: a file's number, and the record's in it.
    pub fn keep(&mut self, record: &Record<'_>, traits: Traits, by: By, place: (u32, u64)) {
        self.coverage.log_buckets.note_key(record);
        if by == By::Caller {
            // A session that is known by its name: whoever has taken it names its key.
            let session = record.user_identity.access_key_id.as_deref().filter(|key| key.starts_with("ASIA"));
            self.reach(session.map(Token::key));
            let owner = record.user_identity.access_key_id.as_deref().filter(|key| self.seeds.contains(*key));
            if let Some(key) = owner {
                self.reach(owner_of(record, key));
            }
            self.reach(traits.grants.iter().flat_map(Grant::tokens));
            let handed = |grant| self.named.iter().flat_map(move |named| named.handed(grant));
            let handed: Vec<Token> = traits.grants.iter().flat_map(handed).collect();
            self.reach(handed);
            self.reach(record.shared_event_id.as_deref().map(Token::shared));
            if !record.is_data_event() {
                self.reach(touched_by(record, &traits.touches));
            }
        }
        let mut hasher = DefaultHasher::new();
        id_of(record).hash(&mut hasher);
        let id = hasher.finish();
        if let Some(first) = self.places.get(&id) {
            if *first != place && self.twice.len() < self.limits.ids && self.twice.insert(place) {
                self.duplicates += 1;
            }
            return;
        }
        if self.places.len() < self.limits.ids {
            self.places.insert(id, place);
        } else {
            self.met.insert(Limit::Ids);
        }
        if traits.cut {
            self.met.insert(Limit::Things);
        }
        let grants = !traits.grants.is_empty();
        let reads = !changes(record) && !grants;
        let room = self.events.len() < self.limits.events
            && (!reads || self.reads < self.limits.reads)
            && (!grants || self.granting < self.limits.granting);
        if !room {
            match by {
                By::Caller => self.count(record),
                By::Touch | By::Entrance => drop(self.met.insert(Limit::Others)),
            }
            return;
        }
        self.reads += usize::from(reads);
        self.granting += usize::from(grants);
        self.events.push(Event::of(record, traits, &mut self.texts));
    }

    fn count(&mut self, record: &Record<'_>) {
        use super::classify::Outcome;
        let text = |text: &super::record::Text<'_>| text.as_deref().unwrap_or("").chars().take(64).collect::<String>();
        let key = (text(&record.user_identity.access_key_id), text(&record.source_ip_address));
        if self.counted.len() >= self.limits.counted && !self.counted.contains_key(&key) {
            self.met.insert(Limit::Counted);
            return;
        }
        let counted = self.counted.entry(key).or_default();
        let outcome = Outcome::of(record);
        counted.events += 1;
        counted.denied += u64::from(outcome == Outcome::Denied);
        counted.succeeded_mutations += u64::from(outcome == Outcome::Succeeded && changes(record));
    }

    /// Takes over what a scout has brought back.
    pub fn absorb(&mut self, findings: &mut Findings) {
        self.coverage.add(std::mem::take(&mut findings.coverage));
        let room = self.limits.edges.saturating_sub(self.edges.len());
        if findings.edges.len() > room {
            self.met.insert(Limit::Edges);
        }
        self.edges.extend(findings.edges.drain(..).take(room));
    }

    /// Follows who was handed what to its end. Returns the fingerprints of what was learned after the first `count`,
    /// sorted: files whose scouts have missed one of them have to be gone through again.
    pub fn follow(&mut self, count: usize) -> Vec<u32> {
        self.edges.sort_unstable();
        self.edges.dedup();
        let mut at = 0;
        while let Some(from) = self.learned.get(at).copied() {
            at += 1;
            let start = self.edges.partition_point(|(token, _)| *token < from);
            let reached: Vec<Token> =
                self.edges[start..].iter().take_while(|(token, _)| *token == from).map(|(_, to)| *to).collect();
            self.reach(reached);
        }
        let mut fingerprints: Vec<u32> = self.news(count).iter().map(|token| token.fingerprint()).collect();
        fingerprints.sort_unstable();
        fingerprints
    }
}

/// By what else the holder of a stolen key is known: other sessions of the same user may be the thief's too, and what
/// is done to the user and the key is containment.
fn owner_of(record: &Record<'_>, key: &str) -> Vec<Token> {
    let identity = &record.user_identity;
    let account = record.recipient_account_id.as_deref().unwrap_or("");
    let mut tokens = vec![Token::resource("AWS::IAM::AccessKey", account, key)];
    tokens.extend(identity.principal_id.as_deref().map(Token::principal));
    if let Some(arn) = identity.arn.as_deref() {
        if let Some((account, role, session)) = role_session(arn) {
            tokens.push(Token::session(account, role, session));
            tokens.extend(machine_of(arn));
            tokens.push(Token::resource("AWS::IAM::Role", account, role));
        } else if arn.contains(":user/") {
            tokens.push(Token::user(account_of(arn), bare_name(arn)));
            tokens.push(Token::resource("AWS::IAM::User", account_of(arn), bare_name(arn)));
        }
    }
    tokens
}
