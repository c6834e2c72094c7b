//! The ways to one token. Whoever takes a thousand sessions of one name opens a thousand, and each event of that name is looked
//! at again for each: so they are found by what they say, and not gone through.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};

use chrono::{DateTime, Utc};

use crate::domain::trail::way::{Kind, Way, most};

/// What tells a way from others of its kind.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Same {
    /// There is one of its kind.
    Alone,
    /// The event that has made or set it.
    Event(Option<usize>),
    /// Its time.
    Time(Option<DateTime<Utc>>),
    /// How many places a machine had come to before it.
    Places(Option<usize>),
    /// The event that has given a profile, and which.
    Profile(usize, Option<String>),
    /// The event that has asked for work, and whether it is begun at once.
    Work(usize, bool),
}

impl Same {
    /// That of a way. Only its places tell of a machine's.
    pub(super) fn of(way: &Way) -> Self {
        match &way.kind {
            Kind::Trust { .. } | Kind::Made | Kind::Provider | Kind::Vouched { .. } => Self::Event(way.event),
            Kind::Password { by } | Kind::Started { by, .. } => Self::Event(Some(*by)),
            Kind::Session { began_at: time } | Kind::Code { until: time } | Kind::SignIn { since: time } => {
                Self::Time(*time)
            }
            Kind::Profile { by, name } => Self::Profile(*by, name.clone()),
            Kind::Work { by, at_once } => Self::Work(*by, *at_once),
            Kind::Key
            | Kind::Owner
            | Kind::Named
            | Kind::Owned
            | Kind::Machine
            | Kind::Entered
            | Kind::Taken
            | Kind::Address
            | Kind::Shared
            | Kind::Service => Self::Alone,
        }
    }
}

/// What became of a way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opened {
    /// It is new, or from an earlier time on than before.
    New,
    /// It was known.
    Known,
    /// There is no room for it.
    Full,
}

/// Those to one token.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// In the order in which they were opened. An earlier one takes the place of the same.
    all: Vec<Way>,
    groups: Vec<Group>,
}

/// Those of one kind.
#[derive(Debug)]
pub(super) struct Group {
    kind: Discriminant<Kind>,
    /// Their places in the list, in order.
    order: Vec<usize>,
    /// Their places by what tells them apart.
    by_same: BTreeMap<Same, usize>,
    /// Each that is earlier than all before it: its time, and where it is in `order`.
    earliest: Vec<(Option<DateTime<Utc>>, usize)>,
}

impl Ways {
    /// Opens one, unless it is known.
    pub(super) fn open(&mut self, way: Way, same: Same) -> Opened {
        let kind = discriminant(&way.kind);
        let number = self.groups.iter().position(|group| group.kind == kind);
        let known = number.and_then(|number| self.groups[number].by_same.get(&same).copied());
        if let (Some(number), Some(place)) = (number, known) {
            if self.all[place].at <= way.at {
                return Opened::Known;
            }
            self.all[place] = way;
            self.groups[number].look_anew(&self.all);
            return Opened::New;
        }
        if self.all.len() >= most(&way.kind) {
            return Opened::Full;
        }
        let number = number.unwrap_or_else(|| {
            self.groups.push(Group { kind, order: Vec::new(), by_same: BTreeMap::new(), earliest: Vec::new() });
            self.groups.len() - 1
        });
        let (group, place) = (&mut self.groups[number], self.all.len());
        group.by_same.insert(same, place);
        group.note(way.at, group.order.len());
        group.order.push(place);
        self.all.push(way);
        Opened::New
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Way> {
        self.all.iter()
    }

    /// The one at a place.
    pub(super) fn at(&self, place: usize) -> &Way {
        &self.all[place]
    }

    /// By kinds, with one of each.
    pub(super) fn by_kind(&self) -> impl Iterator<Item = (&Kind, &Group)> {
        let first = |group: &Group| group.order.first().copied();
        self.groups.iter().filter_map(move |group| Some((&self.all[first(group)?].kind, group)))
    }
}

impl Group {
    fn note(&mut self, at: Option<DateTime<Utc>>, number: usize) {
        if self.earliest.last().is_none_or(|(earliest, _)| at < *earliest) {
            self.earliest.push((at, number));
        }
    }

    fn look_anew(&mut self, all: &[Way]) {
        self.earliest.clear();
        for number in 0..self.order.len() {
            self.note(all[self.order[number]].at, number);
        }
    }

    /// Their places, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.order.iter().copied()
    }

    /// The same, from the first on that counts at a time.
    pub(super) fn at_time(&self, time: Option<DateTime<Utc>>) -> impl Iterator<Item = usize> {
        let counts = self.earliest.partition_point(|(at, _)| time.is_some() && *at > time);
        let first = self.earliest.get(counts).map_or(self.order.len(), |(_, number)| *number);
        self.order[first..].iter().copied()
    }

    /// The places of those from one to another, in no order.
    pub(super) fn between(&self, first: Same, last: Same) -> impl Iterator<Item = usize> {
        self.by_same.range(first..=last).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(second, 0)
    }

    /// A session that began at a time, and counts from another on.
    fn session(began_at: i64, at: Option<DateTime<Utc>>) -> Way {
        Way { kind: Kind::Session { began_at: time(began_at) }, at, from: 0, event: None, how: "how".into() }
    }

    fn open(ways: &mut Ways, way: Way) -> Opened {
        let same = Same::of(&way);
        ways.open(way, same)
    }

    #[test]
    fn the_first_that_counts_at_a_time_is_the_one_that_is_first_in_the_list() {
        let mut ways = Ways::default();
        let times = [50, 70, 30, 40, 10, 60];
        for (number, at) in (0_i64..).zip(times) {
            assert_eq!(open(&mut ways, session(number, time(at))), Opened::New);
        }
        let first_at = |ways: &Ways, second: i64| {
            let (_, group) = ways.by_kind().next().unwrap();
            group.at_time(time(second)).find(|place| ways.at(*place).at <= time(second))
        };
        for second in 0..80 {
            let first = ways.iter().position(|way| way.at <= time(second));
            assert_eq!(first_at(&ways, second), first, "{second}");
        }
        // One that is there already keeps its place, and counts from the earlier time on.
        assert_eq!(open(&mut ways, session(1, time(70))), Opened::Known);
        assert_eq!(open(&mut ways, session(1, time(5))), Opened::New);
        assert_eq!(first_at(&ways, 5), Some(1));
        assert_eq!(open(&mut ways, session(3, None)), Opened::New);
        assert_eq!(first_at(&ways, 0), Some(3));
        assert_eq!(ways.iter().count(), times.len());
        let (_, group) = ways.by_kind().next().unwrap();
        // Of a call of which no time is known all count.
        assert_eq!(group.at_time(None).collect::<Vec<_>>(), group.places().collect::<Vec<_>>());
    }

    #[test]
    fn those_that_began_about_then_are_found_by_that() {
        let mut ways = Ways::default();
        for began_at in [30, 10, 20, 25, 40] {
            open(&mut ways, session(began_at, time(began_at)));
        }
        let (_, group) = ways.by_kind().next().unwrap();
        let found: Vec<usize> = group.between(Same::Time(time(20)), Same::Time(time(30))).collect();
        assert_eq!(found, [2, 3, 0]);
    }
}
