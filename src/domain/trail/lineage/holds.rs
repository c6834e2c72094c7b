//! By which of the ways that are open an event is reached.

use chrono::{DateTime, TimeDelta, Utc};

use super::Walk;
use super::ways::{Group, Same, Ways};
use crate::domain::trail::attribution::{Who, address_token};
use crate::domain::trail::entrance::Outsider;
use crate::domain::trail::event::Event;
use crate::domain::trail::token::Token;
use crate::domain::trail::way::{Kind, Way, strength};

/// A session that began this close to the call that minted one of its name is that session.
const SAME_SESSION: TimeDelta = TimeDelta::seconds(5);
/// For so long a sign-in token is good.
const SIGN_IN: TimeDelta = TimeDelta::minutes(15);
/// So soon after it was asked, a service takes the role for a piece of work.
const WORK_STARTS: TimeDelta = TimeDelta::minutes(15);

impl Walk<'_, '_> {
    /// The strongest way by which an event is reached.
    pub(super) fn way_to(&self, event: &Event) -> Option<Way> {
        let tokens = event.callers.iter().chain(&event.opened_by).enumerate();
        let ways = tokens.flat_map(|(number, token)| self.holding(*token, event).map(move |found| (number, found)));
        // Of several the first.
        let first = ways.min_by_key(|(number, (place, way))| (strength(&way.kind), *number, *place));
        first.map(|(_, (_, way))| way.clone())
    }

    /// The ways through a token by which an event is reached: of each kind the first, with its place among all.
    fn holding<'w>(&'w self, token: Token, event: &'w Event) -> impl Iterator<Item = (usize, &'w Way)> {
        let of = move |ways: &'w Ways| {
            let first = move |(kind, group)| self.first_of(token, ways, (kind, group), event);
            ways.by_kind().filter_map(first).map(move |place| (place, ways.at(place)))
        };
        self.ways.get(&token).into_iter().flat_map(of)
    }

    /// Of the ways of one kind the first by which an event is reached. Only those are looked at that can be it.
    fn first_of(&self, token: Token, ways: &Ways, (kind, group): (&Kind, &Group), event: &Event) -> Option<usize> {
        let holds = |place: &usize| self.holds(token, ways.at(*place), event);
        let began_at = event.caller.session_began_at;
        let of_maker = |by: usize| group.between(Same::Event(Some(by)), Same::Event(Some(by))).find(holds);
        match kind {
            Kind::Session { .. } => {
                let about = |at: DateTime<Utc>| {
                    let since = at.checked_sub_signed(SAME_SESSION).unwrap_or(at);
                    let until = at.checked_add_signed(SAME_SESSION).unwrap_or(at);
                    group.between(Same::Time(Some(since)), Same::Time(Some(until))).filter(holds).min()
                };
                let here = self.is_from_attacker(event).then(|| group.at_time(event.at).find(holds)).flatten();
                began_at.and_then(about).into_iter().chain(here).min()
            }
            // Without a time of its own an event is about whoever was made at any.
            Kind::Made | Kind::Provider => match self.made.get(&token).filter(|_| event.at.is_some()) {
                Some(makers) => {
                    let known = group.between(Same::Event(None), Same::Event(None)).find(holds);
                    self.last_by(makers, event.at).and_then(of_maker).into_iter().chain(known).min()
                }
                None => group.at_time(event.at).find(holds),
            },
            // Under another name it is not the last that has set it.
            Kind::Password { .. } if self.renamings.is_empty() => {
                self.last_maker(token, began_at.or(event.at)).and_then(of_maker)
            }
            Kind::Started { .. } => self.last_maker(token, event.at).and_then(of_maker),
            Kind::Work { .. } => {
                let by = self.last_maker(token, event.at)?;
                group.between(Same::Work(by, false), Same::Work(by, true)).filter(holds).min()
            }
            Kind::Profile { .. } => {
                let by = self.last_maker(token, began_at.or(event.at))?;
                group.between(Same::Profile(by, None), Same::Profile(by + 1, None)).filter(holds).min()
            }
            Kind::Machine if !self.is_from_attacker(event) => {
                let here = self.was_here(event, token)?;
                let by_then = event.at.map_or(here, |at| at.min(here));
                group.at_time(Some(by_then)).find(holds)
            }
            Kind::Trust { .. } if event.source.as_ref() != "sts" => None,
            Kind::Key | Kind::Named | Kind::Shared => group.places().find(holds),
            _ => group.at_time(event.at).find(holds),
        }
    }

    fn holds(&self, token: Token, way: &Way, event: &Event) -> bool {
        let later = way.at.zip(event.at).is_none_or(|(from, at)| at >= from);
        let from_attacker = || self.is_from_attacker(event);
        let key = event.caller.key.as_ref();
        let temporary = !key.starts_with("AKIA");
        if self.is_another_user(token, way, event) {
            return false;
        }
        match &way.kind {
            Kind::Key | Kind::Named | Kind::Shared => true,
            Kind::Made | Kind::Provider => later && self.is_the_one(token, way, event),
            Kind::Owned => later,
            Kind::Vouched { until } => {
                let in_time = until.zip(event.at).is_none_or(|(until, at)| at < until);
                later && in_time && !self.has_come_before(event, way.at)
            }
            // A session that began with it can be in the attacker's hands for as long as it lives.
            Kind::Code { until } => {
                let began_at = event.caller.session_began_at.or(event.at);
                later && until.zip(began_at).is_none_or(|(until, began_at)| began_at < until)
            }
            Kind::Password { by } => {
                let has_one = matches!(event.caller.kind.as_ref(), "IAMUser" | "Root");
                let by_password = temporary && has_one && !self.handed_out.contains(key);
                let began_at = event.caller.session_began_at.or(event.at);
                later && by_password && self.is_last_password(token, *by, began_at)
            }
            Kind::Taken => later && event.caller.kind.as_ref() == "AWSService",
            Kind::Work { by, at_once } => {
                let soon = !at_once || way.at.zip(event.at).is_none_or(|(asked, at)| at - asked <= WORK_STARTS);
                later && soon && event.caller.kind.as_ref() == "AWSService" && self.is_last(token, *by, event.at)
            }
            Kind::Owner | Kind::Entered => later && from_attacker(),
            Kind::Profile { by, name } => later && self.is_given(event, token, *by, name.as_deref()),
            Kind::Machine => later && (from_attacker() || self.is_elsewhere(event, token, way.at)),
            Kind::Session { began_at } => {
                let same =
                    began_at.zip(event.caller.session_began_at).is_some_and(|(a, b)| (a - b).abs() <= SAME_SESSION);
                same || (later && from_attacker())
            }
            // Its owner signs in too, from where they have always been.
            Kind::SignIn { since } => {
                let soon = since.zip(event.at).is_none_or(|(since, at)| at - since <= SIGN_IN);
                later && soon && !self.owner_addresses.contains(&event.address)
            }
            Kind::Trust { now, before } => later && self.is_let_in(token, (now, before.as_ref()), way.at, event),
            // Another may have made one of the same name since.
            Kind::Started { token, by } => later && self.is_last(*token, *by, event.at),
            Kind::Address | Kind::Service => false,
        }
    }

    /// Whether an event comes from an address of the attacker's.
    fn is_from_attacker(&self, event: &Event) -> bool {
        address_token(event).is_some_and(|token| self.ways.contains_key(&token))
    }

    /// Whether a provider vouches for somebody for whom it had vouched before a time, and not as the attacker.
    fn has_come_before(&self, event: &Event, time: Option<DateTime<Utc>>) -> bool {
        let subject = event.outsider.as_deref().and_then(subject_token);
        let Some(first) = subject.and_then(|subject| self.came_in.get(&subject)) else { return false };
        let theirs = self.verdicts[*first].as_ref().is_some_and(|verdict| verdict.who.is_attacker());
        let earlier = time.zip(self.events[*first].at).is_some_and(|(time, at)| at < time);
        earlier && !theirs
    }

    /// That a call of the attacker's shows where they are, where it does.
    pub(super) fn here(&self, at: usize, from: usize, by: &Kind) -> Option<(Token, Way)> {
        let event = &self.events[at];
        // A machine's address is shared by whatever stands behind the same gateway, and a function's by other functions.
        let tells = !matches!(by, Kind::Machine | Kind::Code { .. } | Kind::Profile { .. })
            && !self.owner_addresses.contains(&event.address)
            && !self.looked.contains(&Token::key(&event.caller.key))
            && (self.said.contains_key(&at) || !self.is_anybodys(event, by));
        let token = address_token(event).filter(|_| tells)?;
        let how = "from the attacker's address".into();
        Some((token, Way { kind: Kind::Address, at: None, from, event: Some(at), how }))
    }

    /// Whoever has taken a session is known to be the attacker by now: where its calls have come from tells, too.
    pub(super) fn make_known(&mut self, session: Token, opened: &mut Vec<(Token, Way)>) {
        if !self.looked.remove(&session) {
            return;
        }
        for at in self.by_token.get(&session).map(Vec::as_slice).unwrap_or_default() {
            let theirs = self.verdicts[*at].as_ref().is_some_and(|verdict| verdict.who == Who::Attacker);
            let way = self.way_to(&self.events[*at]).filter(|_| theirs);
            opened.extend(way.and_then(|way| self.here(*at, self.used[*at].unwrap_or(way.from), &way.kind)));
        }
    }

    /// Whether a call is reached by nothing but a provider that the attacker has changed, and shows nobody for whom that
    /// vouches, as none does that was turned away: it can be its owner's.
    pub(super) fn is_anybodys(&self, event: &Event, by: &Kind) -> bool {
        let is_vouched = |kind: &Kind| matches!(kind, Kind::Vouched { .. });
        if !is_vouched(by) || event.outsider.as_deref().and_then(subject_token).is_some() {
            return false;
        }
        let mut tokens = event.callers.iter().chain(&event.opened_by);
        !tokens.any(|token| self.holding(*token, event).any(|(_, way)| !is_vouched(&way.kind)))
    }

    /// Has whomever a provider vouches for looked at again, where the first who had come in as that turns out to be the
    /// attacker.
    pub(super) fn look_at_subject(&mut self, first: usize) {
        let event = &self.events[first];
        let Some(outsider) = event.outsider.as_deref() else { return };
        let is_first = subject_token(outsider).is_some_and(|subject| self.came_in.get(&subject) == Some(&first));
        let Some(provider) = outsider.provider().filter(|_| is_first).map(Token::provider) else { return };
        let is_later = |way: &Way| matches!(way.kind, Kind::Vouched { .. }) && way.at > event.at;
        if !self.ways.get(&provider).is_some_and(|ways| ways.iter().any(is_later)) {
            return;
        }
        let events = self.by_token.get(&provider).into_iter().flatten().copied();
        let same: Vec<usize> = events.filter(|at| self.events[*at].outsider.as_deref() == Some(outsider)).collect();
        for at in same {
            self.look_again(at);
        }
    }

    /// Whether somebody takes a role that the attacker has made, of whom nothing else says that they are the attacker: a
    /// responder looks at what the role can do. The session is the role's all the same.
    pub(super) fn only_takes(&self, event: &Event, way: &Way) -> bool {
        let is_callers = |token: &Token| self.holding(*token, event).next().is_some();
        let own = !event.caller.key.is_empty() && event.caller.account == event.account;
        let takes = way.kind == Kind::Made && event.source.as_ref() == "sts";
        own && takes && !self.is_from_attacker(event) && !event.callers.iter().any(is_callers)
    }
}

/// Whom a provider vouches for, where that is known.
pub(super) fn subject_token(outsider: &Outsider) -> Option<Token> {
    Some(Token::subject(outsider.provider()?, outsider.subject()?))
}
