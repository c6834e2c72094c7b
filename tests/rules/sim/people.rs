//! The people, as they are: who is who, what Slack knows of them at each moment, and which lists they are on
//! by each version of the rules.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::TimeDelta;
use irp::domain::id::{GroupId, UserId};
use irp::domain::policy::{ActionClass, List, PersonId, Policy, Rules, Standing};
use irp::ports::{ChatError, Directory};

use super::schedule::{Chance, Port, SECOND_MS};

/// Accounts, each with its human. Ana and Ben have two.
pub(super) const ACCOUNTS: [(&str, usize); 9] = [
    ("U0ANA", 0),
    ("U0ANA2", 0),
    ("U0BEN", 1),
    ("U0BEN2", 1),
    ("U0CHRIS", 2),
    ("U0DANA", 3),
    ("U0KIM", 4),
    ("U0GUS", 5),
    ("U0MAL", 6),
];
pub(super) const HUMANS: usize = 7;
/// Owns what is stolen.
pub(super) const KIM: usize = 4;
/// A guest whom somebody has put on the lists.
pub(super) const GUS: usize = 5;
/// On no list.
pub(super) const MAL: usize = 6;
pub(super) const GUEST: &str = "U0GUS";
/// Members of the group, at times.
const COME_AND_GO: [&str; 2] = ["U0DANA", "U0CHRIS"];
pub(super) const GROUP: &str = "S0APPROVERS";
/// What tags and sessions say of their owner.
pub(super) const KIM_ADDRESS: &str = "kim@example.com";

pub(super) fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

/// The human behind an account; nobody, for an account that does not exist.
pub(super) fn human(user: &UserId) -> Option<usize> {
    ACCOUNTS.iter().find(|(id, _)| *id == user.as_str()).map(|(_, human)| *human)
}

/// One version of the organisation's file.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub(super) responders: BTreeSet<UserId>,
    pub(super) approvers: BTreeSet<UserId>,
    pub(super) by_group: bool,
    /// Who may let a containment run alone.
    pub(super) glass: BTreeSet<UserId>,
    pub(super) quorum: BTreeMap<ActionClass, u8>,
    approve_within_s: u64,
    execute_within_s: u64,
}

impl Roster {
    fn drawn(chance: &mut Chance) -> Self {
        let mut list = |always: &[&str], perhaps: &[&str]| {
            let drawn: Vec<_> = perhaps.iter().filter(|_| chance.happens(0.7)).collect();
            always.iter().chain(drawn).map(|id| user(id)).collect()
        };
        let responders = list(&["U0ANA"], &["U0BEN", "U0GUS"]);
        let approvers = list(&["U0BEN"], &["U0ANA2", "U0CHRIS", "U0KIM", "U0GUS"]);
        let glass = if chance.happens(0.6) {
            let named = ["U0ANA2", "U0BEN", "U0CHRIS", "U0KIM", "U0GUS", "U0MAL"];
            named.into_iter().filter(|_| chance.happens(0.6)).map(user).collect()
        } else {
            BTreeSet::new()
        };
        let quorum = ActionClass::ALL.into_iter().map(|class| (class, chance.weighed(&[(1, 2), (2, 1)]))).collect();
        Self {
            responders,
            approvers,
            glass,
            by_group: chance.happens(0.6),
            quorum,
            approve_within_s: chance.between(60, 600),
            execute_within_s: chance.between(30, 300),
        }
    }

    /// The same, as the bot has read it.
    fn policy(&self, version: usize) -> Policy {
        let mut firsts: BTreeMap<usize, UserId> = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        for (id, human) in ACCOUNTS {
            match firsts.get(&human) {
                None => drop(firsts.insert(human, user(id))),
                Some(first) => drop(aliases.insert(user(id), first.clone())),
            }
        }
        let groups: BTreeSet<GroupId> = self.by_group.then(|| GROUP.parse().unwrap()).into_iter().collect();
        let seconds = |s: u64| TimeDelta::seconds(i64::try_from(s).unwrap());
        let rules = |quorum: u8| Rules {
            quorum,
            approve_within: seconds(self.approve_within_s),
            execute_within: seconds(self.execute_within_s),
        };
        Policy {
            responders: List { users: self.responders.clone(), groups: BTreeSet::new() },
            approvers: List { users: self.approvers.clone(), groups },
            members: BTreeMap::new(),
            aliases,
            belongings: [(KIM_ADDRESS.to_owned(), PersonId(firsts[&KIM].clone()))].into(),
            protected_arns: BTreeSet::new(),
            bots: BTreeSet::new(),
            rules: self.quorum.iter().map(|(class, quorum)| (*class, rules(*quorum))).collect(),
            break_glass: self.glass.clone(),
            escalation: BTreeSet::new(),
            page: BTreeSet::new(),
            logs: BTreeSet::new(),
            version: format!("v{version}"),
        }
    }
}

/// Everybody.
pub(super) struct People {
    pub(super) standing: BTreeMap<UserId, Standing>,
    pub(super) group: BTreeSet<UserId>,
    pub(super) rosters: Vec<Roster>,
}

impl People {
    pub(super) fn drawn(chance: &mut Chance) -> Self {
        let of = |id: &str| if id == GUEST { Standing::Guest } else { Standing::Member };
        Self {
            standing: ACCOUNTS.iter().map(|(id, _)| (user(id), of(id))).collect(),
            group: [user("U0DANA")].into(),
            rosters: (0..3).map(|_| Roster::drawn(chance)).collect(),
        }
    }

    pub(super) fn policy(&self, rules: usize) -> Policy {
        self.rosters[rules].policy(rules)
    }

    /// The rules that a plan names.
    pub(super) fn roster(&self, version: &str) -> Option<&Roster> {
        self.rosters.get(version.strip_prefix('v')?.parse::<usize>().ok()?)
    }

    /// An account is switched off; a later change may bring it back.
    pub(super) fn lose(&mut self, user: &UserId) {
        self.standing.insert(user.clone(), Standing::Deactivated);
    }

    /// Somebody loses a right in Slack, or gets it back.
    pub(super) fn change(&mut self, chance: &mut Chance) -> String {
        if chance.happens(0.3) {
            let id: &&str = chance.one_of(&COME_AND_GO);
            let who = user(id);
            let went = self.group.remove(&who);
            if !went {
                self.group.insert(who.clone());
            }
            return format!("{who} {} the group", if went { "leaves" } else { "joins" });
        }
        let (id, _) = *chance.one_of(&ACCOUNTS);
        let base = if id == GUEST { Standing::Guest } else { Standing::Member };
        let lost = [Standing::Deactivated, Standing::Guest, Standing::External];
        let now = self.standing.get_mut(&user(id)).unwrap();
        *now = if *now == base { *chance.one_of(&lost) } else { base };
        format!("{id} is {now:?} from now on")
    }
}

#[async_trait]
impl Directory for Port {
    async fn standing(&self, user: &UserId) -> Result<Standing, ChatError> {
        self.travel().await;
        let away = {
            let mut state = self.sim.state();
            let odds = state.odds.slack_away;
            state.chance.happens(odds) || state.now_ms < state.outages.slack_until_ms
        };
        if away {
            self.pass(3 * SECOND_MS).await;
            return Err(ChatError::Unavailable("simulated".into()));
        }
        let standing = {
            let state = &mut *self.sim.state();
            let standing = state.people.standing.get(user).copied().unwrap_or(Standing::Unknown);
            state.audit.told(state.at_work, user, standing, state.now_ms);
            standing
        };
        self.travel().await;
        Ok(standing)
    }

    async fn members(&self, group: &GroupId) -> Result<BTreeSet<UserId>, ChatError> {
        self.travel().await;
        let state = &mut *self.sim.state();
        let odds = state.odds.slack_away / 3.0;
        let away = state.now_ms < state.outages.slack_until_ms;
        if group.as_str() != GROUP || away || state.chance.happens(odds) {
            return Err(ChatError::Unavailable("simulated".into()));
        }
        state.audit.told_members(state.at_work, state.people.group.clone());
        Ok(state.people.group.clone())
    }
}
