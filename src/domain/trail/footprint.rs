//! What the attacker has left: every resource that was made, changed, read or deleted, with its state as far as the log
//! shows it, and the events that prove it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::attribution::Who;
use super::bots::Bots;
use super::classify::{Category, Outcome};
use super::deed::{BY_BOT, Deed};
use super::event::Event;
use super::grant::Grant;
use super::lineage::Lineage;
use super::name::Name;
use super::renamed::kind;
use super::resource::{Effect, is_call};
use super::token::Token;

/// Events that are named for one resource: the first ones, and those that decide about its state.
const EVIDENCE_MAX: usize = 100;
/// Deeds on one resource that are kept: the first and the newest, and one that stands for what is between.
const DEEDS_MAX: usize = 300;
/// Kinds whose names are the whole account's, through whatever Region a call went; all others are of one Region each.
const EVERYWHERE: [&str; 2] = ["AWS::IAM::", "AWS::S3::"];

/// Whether a thing of this type is of no one Region.
pub fn is_everywhere(resource_type: &str) -> bool {
    // A call is looked up where it was recorded.
    EVERYWHERE.iter().any(|kinds| resource_type.starts_with(kinds)) && !is_call(resource_type)
}

/// What the call that made a thing says of it: a name alone can be another's by now.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Its unique id, where AWS gives one besides the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

/// How a resource stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is there: the attacker made it, or only read it.
    Present,
    /// It was there before, and has been changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One resource.
#[derive(Clone, Debug, Serialize)]
pub struct Resource {
    /// As in `CloudFormation`.
    pub resource_type: String,
    /// As the calls have it; an ARN where one of them does.
    pub id: String,
    /// What it was called when it was first touched, where it has been given another name since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,
    /// The account whose log shows it.
    pub account: String,
    /// The Region of the last call.
    pub region: String,
    /// How it stands.
    pub state: State,
    /// The gravest that the attacker did to it.
    pub effect: Effect,
    /// Whether the attacker made it.
    pub made_by_attacker: bool,
    /// Who decided how it stands.
    pub state_by: Who,
    /// Whether the attacker has changed it, whatever became of it since.
    #[serde(skip)]
    pub altered: bool,
    /// Event ids, in order of time.
    pub evidence: Vec<String>,
    /// More events touched it than are named.
    pub evidence_cut: bool,
    /// What was put there or taken off since the attacker first touched it, in order of time.
    #[serde(skip)]
    pub deeds: Vec<Deed>,
    /// How the attacker has made it.
    #[serde(skip)]
    pub made: Option<Made>,
    /// The attacker's newest call that has made, changed or deleted it, by its event.
    #[serde(skip)]
    pub newest: Option<String>,
    /// The first call that has made it, or of those on what was there before the first that has changed or deleted it, which
    /// can be the owner's all the same: nobody knows when the credential was stolen.
    #[serde(skip)]
    pub in_doubt: Option<String>,
}

/// Works out the footprint. Events are in order of time.
pub fn footprint(events: &[Event], lineage: &Lineage, bots: &Bots) -> Vec<Resource> {
    let mut places: HashMap<(Token, Option<&Name>), usize> = HashMap::new();
    let mut resources: Vec<Resource> = Vec::new();
    let mut of_users = OfUsers::new();
    let worked = |event: &Event| event.outcome == Outcome::Succeeded && !event.touches.is_empty();
    for (at, event) in events.iter().enumerate().filter(|(_, event)| worked(event)) {
        let who = lineage.verdicts[at].who;
        let in_doubt = who.is_attacker() && lineage.in_doubt[at];
        for touch in &event.touches {
            let token = Token::resource(&touch.kind, &event.account, &touch.id);
            let named = (token, (!is_everywhere(&touch.kind)).then_some(&event.region));
            let known = places.get(&named).copied();
            // What others do counts only for what the attacker had touched before, and where it is the same.
            let counts = known.is_some() && touch.effect != Effect::Read && !is_call(&touch.kind);
            if !who.is_attacker() && !counts {
                continue;
            }
            let place = known.unwrap_or_else(|| {
                places.insert(named, resources.len());
                resources.push(Resource {
                    resource_type: touch.kind.clone(),
                    id: touch.id.clone(),
                    formerly: None,
                    account: event.account.to_string(),
                    region: event.region.to_string(),
                    state: State::Present,
                    effect: touch.effect.at_least(),
                    made_by_attacker: false,
                    state_by: who,
                    altered: false,
                    evidence: Vec::new(),
                    evidence_cut: false,
                    deeds: Vec::new(),
                    made: None,
                    newest: None,
                    in_doubt: None,
                });
                resources.len() - 1
            });
            resources[place].add(event, touch.effect, &touch.id, (who, in_doubt), bots);
            if let Some(said) = event.deed.as_deref().filter(|_| OF_A_USER.contains(&event.name.as_ref())) {
                let named = (resources[place].account.clone(), said.what.clone());
                of_users.entry(named).or_default().insert(place);
            }
        }
        for grant in &event.grants {
            rename(grant, &mut places, &mut resources, &mut of_users);
        }
    }
    let order = |of: &Resource| (of.resource_type.clone(), of.id.clone(), of.account.clone(), of.region.clone());
    resources.sort_by_cached_key(order);
    resources
}

/// Calls that say a user's name of something else than the user.
const OF_A_USER: [&str; 5] = [
    "AddUserToGroup",
    "CreateAccessKey",
    "CreateServiceSpecificCredential",
    "RemoveUserFromGroup",
    "UpdateServiceSpecificCredential",
];

/// By account and name of a user: the places of the resources of which a deed can say that name.
type OfUsers = HashMap<(String, String), BTreeSet<usize>>;

/// What has another name from a call on is the same under that, and what was done with the old name was done with this one.
/// What is made under the old name is another.
fn rename(
    grant: &Grant,
    places: &mut HashMap<(Token, Option<&Name>), usize>,
    resources: &mut [Resource],
    of_users: &mut OfUsers,
) {
    let Grant::Renamed { account, is_group, from, to } = grant else { return };
    let kind = kind(*is_group);
    let place = places.remove(&(Token::resource(kind, account, from), None));
    if let Some(place) = place {
        places.insert((Token::resource(kind, account, to), None), place);
        let resource = &mut resources[place];
        resource.formerly.get_or_insert_with(|| from.clone());
        to.clone_into(&mut resource.id);
    }
    if *is_group {
        return;
    }
    let Some(theirs) = of_users.remove(&(account.clone(), from.clone())) else { return };
    for place in &theirs {
        for deed in &mut resources[*place].deeds {
            if deed.what == *from && OF_A_USER.contains(&deed.operation.as_str()) {
                to.clone_into(&mut deed.what);
            }
        }
    }
    of_users.entry((account.clone(), to.clone())).or_default().extend(theirs);
}

impl Resource {
    fn add(&mut self, event: &Event, effect: Effect, id: &str, (who, in_doubt): (Who, bool), bots: &Bots) {
        if id.starts_with("arn:") && !self.id.starts_with("arn:") && self.resource_type.ends_with("::Secret") {
            id.clone_into(&mut self.id);
        }
        let before = self.state;
        // What is theirs by its making stays theirs, whoever has changed it since.
        let is_theirs = self.made_by_attacker && self.state != State::Deleted;
        self.altered |= who.is_attacker() && matches!(effect, Effect::Changed | Effect::Put | Effect::Restored);
        match effect {
            Effect::Created => {
                if self.state == State::Deleted {
                    // Made anew it is another one, and whose it is shows anew too.
                    self.made_by_attacker = false;
                    self.deeds.clear();
                    self.in_doubt = None;
                }
                self.state = State::Present;
                self.made_by_attacker |= who.is_attacker();
                if who.is_attacker() {
                    self.made = Some(made_by(event));
                }
            }
            Effect::Put if self.state == State::Deleted => self.put_anew(event, who),
            // Somebody else's stays theirs, however often its deletion is taken back, and what was done to it stays done.
            Effect::Restored => {
                let changed = self.altered && !self.made_by_attacker;
                self.state = if changed { State::Modified } else { State::Present };
            }
            Effect::Deleted => self.state = State::Deleted,
            Effect::Changed | Effect::Put if !self.made_by_attacker && self.state != State::Deleted => {
                self.state = State::Modified;
            }
            Effect::Changed | Effect::Put | Effect::Read => {}
        }
        if who.is_attacker() {
            self.effect = self.effect.max(effect.at_least());
            if effect != Effect::Read {
                self.newest = Some(event.id.to_string());
                if in_doubt && !is_theirs && self.in_doubt.is_none() {
                    self.in_doubt = Some(event.id.to_string());
                }
            }
        }
        if let Some(said) = event.deed.as_deref().filter(|_| effect != Effect::Read) {
            let of_bot = event.name.as_ref() == "UpdateAssumeRolePolicy" && bots.has(&event.caller.arn);
            self.note(Deed {
                operation: event.name.to_string(),
                what: if of_bot { BY_BOT } else { &said.what }.to_owned(),
                event_id: event.id.to_string(),
                by_attacker: who.is_attacker(),
                made_default: said.made_default,
            });
        }
        if self.state != before || effect != Effect::Read {
            self.state_by = who;
        }
        event.region.as_ref().clone_into(&mut self.region);
        if self.evidence.len() < EVIDENCE_MAX || self.state != before {
            if self.evidence.last().map(String::as_str) != Some(&event.id) {
                self.evidence.push(event.id.to_string());
            }
        } else {
            self.evidence_cut = true;
        }
    }

    /// What was gone is there again. Put by others it is another one. Put by the attacker it is theirs where the one before was
    /// that for certain, and else something in the place of what others may want back.
    fn put_anew(&mut self, event: &Event, who: Who) {
        if !who.is_attacker() {
            self.state = State::Present;
            self.made_by_attacker = false;
            self.altered = false;
            self.deeds.clear();
        } else if self.made_by_attacker {
            self.state = State::Present;
            self.made = Some(made_by(event));
        } else {
            self.state = State::Modified;
        }
    }

    /// Keeps a deed. Whoever does much must not make what they did before be forgotten: that some are left out is kept.
    fn note(&mut self, deed: Deed) {
        if self.deeds.len() == DEEDS_MAX {
            let middle = DEEDS_MAX / 2;
            if !self.deeds[middle].is_left_out() {
                self.deeds[middle] = Deed::left_out(&self.deeds[middle].event_id);
            }
            self.deeds.remove(middle + 1);
        }
        self.deeds.push(deed);
    }
}

/// What a call says of what it has made.
fn made_by(event: &Event) -> Made {
    Made { unique_id: event.unique_id.as_deref().map(str::to_owned), at: event.at }
}

/// A secret or parameter that was read: it has to be changed.
#[derive(Clone, Debug, Serialize)]
pub struct Read {
    /// As in `CloudFormation`.
    pub resource_type: String,
    /// As the call has it.
    pub id: String,
    /// Event ids.
    pub evidence: Vec<String>,
}

/// The rotation list: from the calls and not from the footprint, whose evidence is cut.
pub fn rotation(resources: &[Resource], events: &[Event], lineage: &Lineage) -> Vec<Read> {
    let secret = |kind: &str| matches!(kind, "AWS::SecretsManager::Secret" | "AWS::SSM::Parameter");
    let mut reads: HashMap<(Token, &str), Vec<String>> = HashMap::new();
    for (event, verdict) in events.iter().zip(&lineage.verdicts) {
        let worked = verdict.who.is_attacker() && event.outcome == Outcome::Succeeded;
        let touches = event.touches.iter().filter(|touch| touch.effect == Effect::Read && secret(&touch.kind));
        for touch in touches.filter(|_| worked) {
            let token = Token::resource(&touch.kind, &event.account, &touch.id);
            let evidence = reads.entry((token, &event.region)).or_default();
            // The newest is always there: what was read again has to be changed again.
            if evidence.len() == EVIDENCE_MAX {
                evidence.pop();
            }
            evidence.push(event.id.to_string());
        }
    }
    let read = |resource: &Resource| {
        let token = Token::resource(&resource.resource_type, &resource.account, &resource.id);
        let evidence = reads.get(&(token, resource.region.as_str()))?.clone();
        Some(Read { resource_type: resource.resource_type.clone(), id: resource.id.clone(), evidence })
    };
    resources.iter().filter(|resource| secret(&resource.resource_type)).filter_map(read).collect()
}

/// Services where switching something off hides what happens, or lets it happen again: the quarantine of a leaked key.
const WATCHING: [&str; 16] = [
    "accessanalyzer",
    "bedrock",
    "cloudtrail",
    "config",
    "detective",
    "ec2",
    "events",
    "guardduty",
    "iam",
    "inspector2",
    "logs",
    "macie2",
    "monitoring",
    "route53resolver",
    "s3",
    "securityhub",
];

/// Whether a call has switched off, or tried to, what would show the attacker.
pub fn tampers(event: &Event) -> bool {
    // One that worked, and changes nothing, only says by which way another went.
    event.meaning.category == Category::DefenseEvasion
        && (event.changes || event.outcome != Outcome::Succeeded)
        && WATCHING.contains(&event.source.as_ref())
        && !event.meaning.attack_v18.contains("T1562.007")
}
