//! The footprint, made ready for what its removals ask it again and again: whose a thing is, and what goes with what. It is
//! gone through once, and not for each of thousands of resources.

use std::collections::{BTreeMap, BTreeSet};

use super::eradication::{is_theirs, traces};
use super::state::Incident;
use crate::domain::hunt::Trace;
use crate::domain::trail::token::bare_name;

/// What an incident's footprint says, by what it is asked for.
pub(super) struct Scene<'a> {
    /// Of this one.
    pub(super) incident: &'a Incident,
    /// Types and names of what is there and the attacker's alone.
    theirs: BTreeSet<(&'a str, &'a str)>,
    /// Names and Regions of functions that they have made.
    functions: BTreeSet<(&'a str, &'a str)>,
    /// All that they have made, by Region and id.
    made: BTreeMap<(&'a str, &'a str), &'a Trace>,
    /// Events that instances have come with.
    started: BTreeSet<&'a str>,
    /// Serial numbers of the MFA devices on users whom they have made.
    devices: BTreeSet<&'a str>,
    /// Whose the keys are that the search has reached.
    owners: BTreeMap<&'a str, &'a str>,
}

impl<'a> Scene<'a> {
    pub(super) fn of(incident: &'a Incident) -> Self {
        let (mut theirs, mut functions, mut started) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut devices = BTreeSet::new();
        let mut made: BTreeMap<(&str, &str), &Trace> = BTreeMap::new();
        for trace in traces(incident) {
            let (kind, name) = (trace.resource_type.as_str(), bare_name(&trace.id));
            if is_theirs(trace) {
                theirs.insert((kind, name));
            }
            if trace.made_by_attacker {
                made.entry((&trace.region, &trace.id)).or_insert(trace);
            }
            match kind {
                "AWS::Lambda::Function" if trace.made_by_attacker => _ = functions.insert((name, &*trace.region)),
                "AWS::IAM::User" if is_theirs(trace) => put_on(trace, &mut devices),
                "AWS::EC2::Instance" => started.extend(trace.evidence.first().map(String::as_str)),
                _ => {}
            }
        }
        let reached = incident.hunted.iter().flat_map(|(hunted, _)| &hunted.credentials);
        let owners = reached.filter_map(|of| {
            let arn = of.principal.as_deref().filter(|arn| arn.contains(":user/"))?;
            Some((of.access_key_id.as_deref()?, bare_name(arn)))
        });
        // The first one counts.
        let mut owned = BTreeMap::new();
        owners.for_each(|(key, user)| _ = owned.entry(key).or_insert(user));
        Self { incident, theirs, functions, made, started, devices, owners: owned }
    }

    /// Whether the attacker has made this and it is there.
    pub(super) fn is_theirs(&self, resource_type: &str, name: &str) -> bool {
        self.theirs.contains(&(resource_type, name))
    }

    /// Whether an MFA device is on a user whom they have made.
    pub(super) fn is_on_theirs(&self, serial_number: &str) -> bool {
        self.devices.contains(serial_number)
    }

    /// Whether a credential for one service is one of a user whom they have made: what the calls about it say, or the search.
    pub(super) fn goes_with_user(&self, credential: &Trace) -> bool {
        let named = credential.deeds.iter().map(|deed| deed.what.as_str());
        let mut users = named.chain(self.owners.get(credential.id.as_str()).copied());
        users.any(|user| self.is_theirs("AWS::IAM::User", user))
    }

    /// What they have made, by where it is and its id.
    pub(super) fn made_in(&self, region: &str, id: &str) -> Option<&'a Trace> {
        self.made.get(&(region, id)).copied()
    }

    /// Whether the function of an address, alias or event source is the attacker's: the one of this name in the same Region.
    pub(super) fn goes_with_function(&self, part: &Trace) -> bool {
        let mapped = part.deeds.iter().find(|deed| deed.operation == "CreateEventSourceMapping");
        let function = mapped.map_or(&part.id, |deed| &deed.what);
        let name = bare_name(function).split(':').next().unwrap_or_default();
        part.resource_type.starts_with("AWS::Lambda::") && self.functions.contains(&(name, &*part.region))
    }

    /// Whether the call that has made a fleet has answered with instances, as only one for an instant fleet does: the fleet
    /// goes after them.
    pub(super) fn has_answered_with_instances(&self, fleet: &Trace) -> bool {
        fleet.evidence.first().is_some_and(|made| self.started.contains(made.as_str()))
    }

    /// Whose a key is: what the call that made it says, else what the search says of the key.
    pub(super) fn owner_of(&self, key: &Trace) -> Option<String> {
        let made = key.deeds.iter().find(|deed| deed.operation == "CreateAccessKey").map(|deed| deed.what.clone());
        made.or_else(|| self.owners.get(key.id.as_str()).map(|user| (*user).to_owned()))
    }
}

/// The MFA devices that are on a user, as the calls about the user say.
fn put_on<'a>(user: &'a Trace, devices: &mut BTreeSet<&'a str>) {
    for deed in &user.deeds {
        match deed.operation.as_str() {
            "EnableMFADevice" => _ = devices.insert(deed.what.as_str()),
            "DeactivateMFADevice" => _ = devices.remove(deed.what.as_str()),
            _ => {}
        }
    }
}
