//! What is known of a user goes on under whatever name the user has by then, and says nothing of the next who bears the old
//! one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::ways::Ways;
use super::{Credential, Walk};
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::{Grant, user_arn};
use crate::domain::trail::name::Name;
use crate::domain::trail::renamed::{Names, tokens};
use crate::domain::trail::token::{Token, account_of, bare_name};
use crate::domain::trail::way::{Kind, Way};

/// For each user's name: the events that have taken it away, in order of time, and the names that followed.
pub(super) type Renamings = HashMap<Token, Vec<(usize, Token)>>;

/// Follows names through the events. From a renaming on, neither name is whose it was: what was made or set under it is
/// somebody else's, which `made` and `makers` say.
pub(super) fn renamings(
    events: &[Event],
    made: &mut HashMap<Token, Vec<usize>>,
    makers: &mut HashMap<Token, Vec<usize>>,
) -> Renamings {
    let mut renamings = Renamings::new();
    for (at, event) in events.iter().enumerate() {
        for grant in event.grants.iter().filter(|grant| matches!(grant, Grant::Renamed { is_group: false, .. })) {
            let Some((from, to)) = tokens(grant).pop() else { continue };
            renamings.entry(from).or_default().push((at, to));
            for token in [from, to] {
                for list in [&mut *made, &mut *makers] {
                    let list = list.entry(token).or_default();
                    list.insert(list.partition_point(|earlier| *earlier < at), at);
                }
            }
        }
    }
    renamings
}

impl Walk<'_, '_> {
    /// Makes a token the attacker's, and whatever its user is called after that.
    pub(super) fn open(&mut self, token: Token, way: Way) {
        let mut opened = vec![(token, way)];
        while let Some((token, way)) = opened.pop() {
            opened.extend(self.open_one(token, way));
        }
    }

    /// The same way under the names that a user is given after it was opened.
    pub(super) fn under_other_names(&self, token: Token, way: &Way) -> Vec<(Token, Way)> {
        let Some(renamings) = self.renamings.get(&token) else { return Vec::new() };
        // The next after an event takes the name away: those after that take it from somebody else.
        let since = way.event.map_or(0, |by| renamings.partition_point(|(at, _)| *at <= by));
        let next = renamings.get(since).filter(|_| way.event.is_some()).map(|(at, _)| *at);
        let can_be = renamings[since..].iter().take_while(|(at, _)| next.is_none_or(|next| *at == next));
        let theirs = can_be.filter(|(at, _)| self.is_still_theirs(token, way, *at));
        let carried = theirs.map(|(at, to)| {
            let kind = match &way.kind {
                Kind::Password { .. } => Kind::Password { by: *at },
                other => other.clone(),
            };
            let since = self.events[*at].at.max(way.at);
            (*to, Way { kind, at: since, event: Some(*at), how: Name::clone(&way.how), ..*way })
        });
        carried.collect()
    }

    /// Whether a renaming takes a name from the very user to whom a way was opened.
    fn is_still_theirs(&self, token: Token, way: &Way, renaming: usize) -> bool {
        let makers = self.made.get(&token).map(Vec::as_slice).unwrap_or_default();
        let before = |limit: usize| makers[..makers.partition_point(|maker| *maker < limit)].last();
        way.event.is_none_or(|by| by < renaming && before(by + 1) == before(renaming))
    }

    /// Whether a user's name is another's in an event than where a way to it was opened. Unique ids say it where both are
    /// known, and else whether the name was given to somebody in between.
    pub(super) fn is_another_user(&self, token: Token, way: &Way, event: &Event) -> bool {
        let caller = &event.caller;
        let is_name =
            caller.arn.contains(":user/") && token == Token::user(account_of(&caller.arn), bare_name(&caller.arn));
        if !is_name {
            return false;
        }
        let shown = Some(&*caller.principal_id).filter(|id| id.starts_with("AIDA"));
        // Whoever is taken for stolen is the same under every name.
        let named = self.named_ids.get(&way.from).filter(|_| way.kind == Kind::Named);
        if let Some((named, shown)) = named.zip(shown) {
            return named != shown;
        }
        let Some(opened) = way.event.map(|by| &self.events[by]) else { return false };
        let of_opened = Some(&*opened.caller.principal_id).filter(|id| id.starts_with("AIDA"));
        if let Some((theirs, shown)) = of_opened.filter(|_| opened.caller.arn == caller.arn).zip(shown) {
            return theirs != shown;
        }
        let Some(makers) = self.made.get(&token) else { return false };
        let last = |until: &Event| makers[..makers.partition_point(|maker| self.events[*maker].at <= until.at)].last();
        opened.at.is_some() && event.at.is_some() && last(opened) != last(event)
    }

    /// Whether a password that the attacker has set was the last when a session began, under whatever name the user had then.
    /// A session goes on when its user is renamed.
    pub(super) fn is_last_password(&self, token: Token, by: usize, began_at: Option<DateTime<Utc>>) -> bool {
        let (mut token, mut by) = (token, by);
        loop {
            if self.is_last(token, by, began_at) {
                return true;
            }
            let grants = self.events[by].grants.iter();
            let renamed = grants.filter_map(|grant| tokens(grant).pop()).find(|(_, to)| *to == token);
            let Some((from, _)) = renamed else { return false };
            let ways = self.ways.get(&from).into_iter().flat_map(Ways::iter);
            let set = ways.filter_map(|way| match way.kind {
                Kind::Password { by: set } => Some(set).filter(|set| *set < by),
                _ => None,
            });
            let Some(set) = set.max() else { return false };
            (token, by) = (from, set);
        }
    }
}

/// Gives the credentials of users the names that these have by now.
pub(super) fn name_anew(credentials: &mut [Credential], events: &[Event], unique_ids: &HashMap<Name, String>) {
    let names = Names::of(events);
    if names.is_quiet() {
        return;
    }
    // Where a credential was last seen, and whose it was there.
    let mut seen: HashMap<String, (usize, &str)> = HashMap::new();
    let mut granted: HashMap<String, (usize, String)> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        let caller = &event.caller;
        if caller.arn.contains(":user/") {
            let login = || format!("console login of {}", caller.arn);
            let id = if caller.key.is_empty() { login() } else { caller.key.to_string() };
            seen.insert(id, (at, &*caller.arn));
        }
        for grant in &event.grants {
            match grant {
                Grant::Key { id, holder: Some(holder), .. } | Grant::Opened { id, holder, .. } => {
                    granted.insert(id.clone(), (at, holder.clone()));
                }
                Grant::Password { account, name: Some(name) } => {
                    let arn = user_arn(account, name);
                    granted.insert(format!("password of {arn}"), (at, arn));
                }
                _ => {}
            }
        }
    }
    for credential in credentials {
        let Some(known) = credential.principal.as_deref().filter(|arn| arn.contains(":user/")) else { continue };
        // Whoever calls has the name still that their call takes away.
        let by_call = seen.get(&*credential.id).map(|(at, arn)| (at.checked_sub(1), *arn));
        let by_grant = || granted.get(&*credential.id).map(|(at, arn)| (Some(*at), arn.as_str()));
        let shown = by_call.or_else(by_grant);
        let (since, arn) = shown.unwrap_or((None, known));
        let (account, name) = (account_of(arn), bare_name(arn));
        // Of somebody who is only named, no event says which of those who have borne the name it is: the unique id does.
        let of_id = unique_ids.get(&credential.id).filter(|_| shown.is_none());
        let of_id = of_id.and_then(|id| names.bearer(account, id));
        let is_unsure = || shown.is_none() && names.is_borne(account, name);
        let now = match of_id {
            Some(now) => now,
            None if is_unsure() => continue,
            None => names.newest(account, name, since),
        };
        let anew = arn.rsplit_once('/').map(|(before, _)| format!("{before}/{now}"));
        credential.principal = anew.map(Name::from);
    }
}
