//! Users and groups under other names. A name is borne by one after the other, and one bears several: what stays is the
//! unique id, which not every record has. So names are followed in order of time, through the calls that change them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::event::Event;
use super::grant::Grant;
use super::name::Name;
use super::resource::at;
use super::token::{Token, account_of, bare_name};

/// Stands between the two names in what a call is said to have done. No name can have it.
const TO: &str = " → ";

/// What a call has done to a name, for people.
pub fn what(from: &str, to: &str) -> String {
    format!("{from}{TO}{to}")
}

/// The name that a call has taken away, of what it has done.
pub fn name_before(what: &str) -> Option<&str> {
    what.split_once(TO).map(|(from, _)| from)
}

/// The grant of a call that gives a name; none where it only changes a path.
pub(super) fn by(call: &str, account: String, request: &Value) -> Option<Grant> {
    let is_group = call == "UpdateGroup";
    let (old, new) = if is_group { ("groupName", "newGroupName") } else { ("userName", "newUserName") };
    let name = |path: &str| at(request, path).into_iter().next();
    let (from, to) = name(old).zip(name(new)).filter(|(from, to)| from != to)?;
    Some(Grant::Renamed { account, is_group, from, to })
}

/// The tokens by which what is renamed is known before and after: as a caller, and as a resource.
pub(super) fn tokens(grant: &Grant) -> Vec<(Token, Token)> {
    let Grant::Renamed { account, is_group, from, to } = grant else { return Vec::new() };
    let kind = kind(*is_group);
    let mut pairs = vec![(Token::resource(kind, account, from), Token::resource(kind, account, to))];
    if !is_group {
        pairs.push((Token::user(account, from), Token::user(account, to)));
    }
    pairs
}

/// As in `CloudFormation`.
pub(super) const fn kind(is_group: bool) -> &'static str {
    if is_group { "AWS::IAM::Group" } else { "AWS::IAM::User" }
}

/// A user who is called otherwise by now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Away {
    /// The name of now.
    pub to: String,
    /// Who has taken the old one away, as an ARN.
    pub by: Name,
    /// The event that shows it.
    pub event_id: Name,
}

/// Users' names as the events show them, an account and a name each.
#[derive(Debug, Default)]
pub struct Names {
    /// For each name: the events that have taken it away, in order, and what followed.
    hops: HashMap<(String, String), Vec<(usize, String)>>,
    /// The unique ids of those who bear a name at the end, as far as an event shows them.
    pub ids: BTreeMap<(String, String), String>,
    /// Names that nobody bears at the end, because their users are called otherwise.
    pub away: BTreeMap<(String, String), Away>,
}

impl Names {
    /// Follows them through events, which are in order of time.
    pub fn of(events: &[Event]) -> Self {
        let mut names = Self::default();
        for (at, event) in events.iter().enumerate() {
            let caller = &event.caller;
            if caller.arn.contains(":user/") && caller.principal_id.starts_with("AIDA") {
                let bearer = (account_of(&caller.arn).to_owned(), bare_name(&caller.arn).to_owned());
                names.shows(&bearer, &caller.principal_id);
                names.ids.insert(bearer, caller.principal_id.to_string());
            }
            event.grants.iter().for_each(|grant| names.take(at, event, grant));
        }
        let newest: Vec<_> = names.away.iter().map(|(old, away)| (old.clone(), names.end_of(old, away))).collect();
        for (old, to) in newest {
            if let Some(away) = names.away.get_mut(&old) {
                away.to = to;
            }
        }
        names
    }

    /// Somebody else than whoever lost a name calls by it: it is borne again, though no event shows who gave it.
    fn shows(&mut self, bearer: &(String, String), unique_id: &str) {
        let lost = self.away.get(bearer).and_then(|away| self.ids.get(&(bearer.0.clone(), away.to.clone())));
        if lost.is_some_and(|id| id != unique_id) {
            self.away.remove(bearer);
        }
    }

    fn take(&mut self, at: usize, event: &Event, grant: &Grant) {
        match grant {
            Grant::User { account, name, id } => {
                let named = (account.clone(), name.clone());
                self.away.remove(&named);
                match id {
                    Some(id) => _ = self.ids.insert(named, id.clone()),
                    None => _ = self.ids.remove(&named),
                }
            }
            Grant::Renamed { account, is_group: false, from, to } => {
                let (old, new) = ((account.clone(), from.clone()), (account.clone(), to.clone()));
                self.hops.entry(old.clone()).or_default().push((at, to.clone()));
                match self.ids.remove(&old) {
                    Some(id) => _ = self.ids.insert(new.clone(), id),
                    None => _ = self.ids.remove(&new),
                }
                self.away.remove(&new);
                let (by, event_id) = (Name::clone(&event.caller.arn), Name::clone(&event.id));
                self.away.insert(old, Away { to: to.clone(), by, event_id });
            }
            _ => {}
        }
    }

    /// What whoever lost a name last is called at the end.
    fn end_of(&self, old: &(String, String), away: &Away) -> String {
        let since = self.hops.get(old).and_then(|hops| hops.last()).map(|(at, _)| *at);
        self.newest(&old.0, &away.to, since).to_owned()
    }

    /// What the user is called at the end who bore this name at an event, or at first.
    pub fn newest<'a>(&'a self, account: &str, name: &'a str, since: Option<usize>) -> &'a str {
        let (mut now, mut since) = (name, since);
        // Each hop is later than the one before.
        while let Some((at, to)) = self.hop(account, now, since) {
            (now, since) = (to, Some(at));
        }
        now
    }

    fn hop(&self, account: &str, name: &str, since: Option<usize>) -> Option<(usize, &str)> {
        let hops = self.hops.get(&(account.to_owned(), name.to_owned()))?;
        let next = hops.partition_point(|(at, _)| since.is_some_and(|since| *at <= since));
        hops.get(next).map(|(at, to)| (*at, to.as_str()))
    }

    /// Who bears a unique id at the end, as far as an event shows it.
    pub fn bearer(&self, account: &str, unique_id: &str) -> Option<&str> {
        let borne = self.ids.iter().find(|((of, _), id)| of == account && *id == unique_id);
        borne.map(|((_, name), _)| name.as_str())
    }

    /// Whether somebody bears a name at the end that was taken away from somebody before, or nobody has taken it away.
    pub fn is_borne(&self, account: &str, name: &str) -> bool {
        !self.away.contains_key(&(account.to_owned(), name.to_owned()))
    }

    /// Whether nobody has another name.
    pub fn is_quiet(&self) -> bool {
        self.hops.is_empty()
    }
}
