//! What the event history is asked: it takes one attribute for each question, in each Region.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::super::trail::analysis::Analysis;
use super::super::trail::footprint::Resource;
use super::super::trail::resource::{Effect, is_call};
use super::super::trail::token::{bare_name, role_session};
use super::super::trail::within;
use super::roles::{Forms, RoleArns};

/// IAM, and STS by its global endpoint, are recorded here only.
pub const HOME_REGION: &str = "us-east-1";
/// What the history calls the root user.
pub const ROOT: &str = "root";
/// Attributes that are asked about in one Region: two a second, where each has one page.
pub const PIVOTS_MAX: usize = 200;
/// The call by which AWS starts what a group, fleet or request asks for.
const LAUNCH: &str = "RunInstances";
/// In the ARN of a session of `GetFederationToken`. In the console it has other keys for each service, and its name.
const FEDERATED: &str = ":federated-user/";
/// Kinds of things by which somebody comes in: however much else there is, they are asked about.
const LETS_IN: [&str; 4] = ["AWS::IAM::OIDCProvider", "AWS::IAM::Role", "AWS::IAM::SAMLProvider", "AWS::IAM::User"];

/// One attribute of `LookupEvents`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Pivot {
    /// The access key that signed.
    AccessKey(String),
    /// The user's name, or the session's.
    Username(String),
    /// What the call names: by name, by id or by ARN. The history knows the names of some kinds only.
    Resource(String),
    /// The call itself.
    Call(String),
}

/// One question to the history of one Region.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Question {
    /// The Region.
    pub region: String,
    /// The attribute.
    pub pivot: Pivot,
}

impl fmt::Display for Pivot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey(value) => write!(f, "access key {value}"),
            Self::Username(value) => write!(f, "user name {value}"),
            Self::Resource(value) => write!(f, "resource {value}"),
            Self::Call(value) => write!(f, "call {value}"),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.region, self.pivot)
    }
}

/// A pivot, and the one Region in which it says anything; absent for all.
pub type Asked = (Pivot, Option<String>);

/// Attributes to ask about, each once, the ones that matter most first.
#[derive(Default)]
struct Asking(Vec<Asked>, HashSet<Asked>);

impl Asking {
    fn add(&mut self, pivot: Pivot, region: Option<&str>) {
        let asked = (pivot.clone(), region.map(str::to_owned));
        if !self.1.contains(&(pivot, None)) && self.1.insert(asked.clone()) {
            self.0.push(asked);
        }
    }

    /// What names its sessions, or the calls that name it, in any Region.
    fn everywhere(&mut self, pivots: impl IntoIterator<Item = Pivot>) {
        pivots.into_iter().for_each(|pivot| self.add(pivot, None));
    }
}

/// What to ask for, given what is known: the first ones matter most. Also says whether some are left out.
pub fn pivots(names: &[String], analysis: &Analysis, roles: &RoleArns) -> (Vec<Asked>, bool) {
    let mut asking = Asking::default();
    let stolen = &analysis.asked.credentials;
    asking.everywhere(stolen.iter().cloned().map(Pivot::AccessKey));
    // Whoever has taken a session may be nobody that is known: the call names its key.
    asking.everywhere(stolen.iter().filter(|key| key.starts_with("ASIA")).cloned().map(Pivot::Resource));
    asking.everywhere(names.iter().chain(&analysis.sessions).cloned().map(Pivot::Username));
    let called = analysis.asked.principals.iter().filter_map(|arn| name_of(arn));
    asking.everywhere(called.map(|name| Pivot::Username(name.to_owned())));
    // Whoever takes a role names it by its ARN, in any Region.
    let asked_for = analysis.asked.principals.iter().filter(|arn| arn.contains(":role/"));
    asking.everywhere(asked_for.cloned().map(Pivot::Resource));
    // The history knows a session by its name too, and whoever mints one after the other keeps to one name: hundreds of
    // sessions are one question. A long-term key is asked about by itself: its user may have others.
    for held in &analysis.credentials {
        let name = held.principal.as_deref().and_then(name_of);
        // Anybody can get a federated session of any name, in any account.
        let is_federated = held.principal.as_deref().is_some_and(|arn| arn.contains(FEDERATED));
        match (&held.access_key_id, name) {
            (Some(key), Some(_)) if key.starts_with("ASIA") && !is_federated => {}
            (Some(key), _) => asking.add(Pivot::AccessKey(key.to_string()), None),
            (None, _) => {}
        }
        asking.everywhere(name.map(|name| Pivot::Username(name.to_owned())));
    }
    // What runs there takes its role in its name, and calls from wherever it likes.
    asking.everywhere(analysis.acting.iter().cloned().map(Pivot::Username));
    let forms = roles.with(analysis);
    for role in &analysis.taken_roles {
        asking.everywhere(forms.of(role).into_iter().map(Pivot::Resource));
    }
    // Whoever it vouches for names it by its ARN. A provider of IAM's is asked in any Region, and an anchor in its own.
    for arn in &analysis.providers {
        asking.add(Pivot::Resource(arn.clone()), arn.split(':').nth(3).filter(|region| !region.is_empty()));
    }
    for region in &analysis.starting_in {
        asking.add(Pivot::Call(LAUNCH.to_owned()), Some(region));
    }
    let mut touched: Vec<&Resource> = analysis.footprint.iter().filter(|found| found.effect != Effect::Read).collect();
    touched.sort_by_key(|found| (!LETS_IN.contains(&found.resource_type.as_str()), !found.made_by_attacker));
    for found in touched {
        add_touched(&mut asking, found, &forms);
    }
    // What somebody did in the console before they were called otherwise stands under the name of then. Whoever plays with names
    // pushes nothing else out.
    let earlier = analysis.names.away.keys().map(|(_, name)| Pivot::Username(name.clone()));
    asking.everywhere(earlier);
    within(asking.0)
}

/// What is to be asked about one thing that the attacker has made, changed or deleted.
fn add_touched(asking: &mut Asking, found: &Resource, forms: &Forms<'_>) {
    let home = found.resource_type.starts_with("AWS::IAM::");
    let region = if home { HOME_REGION } else { found.region.as_str() };
    let (_, name) = within::parts(&found.resource_type, &found.id);
    match found.resource_type.as_str() {
        "AWS::IAM::User" => asking.add(Pivot::Username(name.to_owned()), None),
        "AWS::EC2::Instance" | "AWS::Lambda::Function" | "AWS::ECS::Task" if found.made_by_attacker => {
            asking.add(Pivot::Username(name.to_owned()), None);
        }
        "AWS::IAM::Role" => asking.everywhere(forms.of(&found.id).into_iter().map(Pivot::Resource)),
        "AWS::IAM::SAMLProvider" | "AWS::IAM::OIDCProvider" if found.id.starts_with("arn:") => {
            asking.add(Pivot::Resource(found.id.clone()), None);
        }
        _ => {}
    }
    if !is_call(&found.resource_type) {
        asking.add(Pivot::Resource(name.to_owned()), Some(region));
    }
}

/// As many as there is room for in each Region.
fn within(mut asked: Vec<Asked>) -> (Vec<Asked>, bool) {
    let all = asked.len();
    let (mut everywhere, mut only): (usize, BTreeMap<String, usize>) = (0, BTreeMap::new());
    asked.retain(|(_, region)| {
        let here = match region {
            None => only.values().max().copied().unwrap_or_default(),
            Some(region) => only.get(region).copied().unwrap_or_default(),
        };
        let room = everywhere + here < PIVOTS_MAX;
        if room {
            let count = match region {
                None => &mut everywhere,
                Some(region) => only.entry(region.clone()).or_default(),
            };
            *count += 1;
        }
        room
    });
    let cut = asked.len() < all;
    (asked, cut)
}

/// What the history calls a principal: a user's name, a session's.
pub fn name_of(arn: &str) -> Option<&str> {
    if let Some((_, _, session)) = role_session(arn) {
        return Some(session);
    }
    if arn.ends_with(":root") {
        return Some(ROOT);
    }
    if let Some((_, name)) = arn.split_once(FEDERATED) {
        return Some(name);
    }
    arn.contains(":user/").then(|| bare_name(arn))
}

#[cfg(test)]
mod tests;
