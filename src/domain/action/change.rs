//! What every change of the catalogue says of itself.

use std::collections::BTreeMap;

use super::{Action, ApiCall, HOME_REGION, WorkedOut};
use crate::domain::id::RequestId;
use crate::domain::observation::{Observation, Probe};
use crate::domain::policy::ActionClass;

/// How AWS, read just before the call, compares with what the approver saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// The same.
    AsApproved,
    /// The change is already in force.
    AlreadyDone,
    /// Something else: the approval no longer fits.
    Changed(String),
}

/// Which of an account's roles makes a call. Each may do what its kind of change needs, and no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Powers {
    /// To contain, and to take that back.
    Contain,
    /// To remove and put back what an attacker has made and changed.
    Eradicate,
    /// To contain from outside the account, and to take that back: a role of the organization's management account.
    ContainFromOrganization,
}

/// Why what was deleted does not come back.
pub(super) const REMOVED: &str = "Made again under the same name it would be another one, with another unique id. What it was is in the log, \
     to be made anew by hand.";

/// Events that one sentence names.
const EVENTS_NAMED_MAX: usize = 6;

/// As approved, or changed since in this.
pub(super) fn fresh_if(same: bool, what: &str) -> Freshness {
    if same { Freshness::AsApproved } else { Freshness::Changed(format!("{what} has changed since")) }
}

/// AWS was asked about the target, and said something that is not about it.
pub(super) fn something_else() -> Freshness {
    Freshness::Changed("AWS answered about something else".to_owned())
}

/// Some events for people, and how many more there are.
pub(super) fn listed(event_ids: &[String]) -> String {
    let named = event_ids[..event_ids.len().min(EVENTS_NAMED_MAX)].join(", ");
    match event_ids.len().saturating_sub(EVENTS_NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Whether nothing has come to what was there: what has gone needs no call.
pub(super) fn no_more<T: PartialEq>(was: &[T], is: &[T]) -> bool {
    is.iter().all(|item| was.contains(item))
}

/// The same of things with names.
pub(super) fn no_more_named<K: Ord, V: PartialEq>(was: &BTreeMap<K, V>, is: &BTreeMap<K, V>) -> bool {
    is.iter().all(|(name, item)| was.get(name) == Some(item))
}

/// So many of each, where there are any.
pub(super) fn counted(of: &[(usize, &str)]) -> Vec<String> {
    let there = of.iter().filter(|(count, _)| *count > 0);
    there
        .map(|(count, what)| if what.ends_with("itself") { format!("the {what}") } else { format!("{count} {what}") })
        .collect()
}

/// What all changes to a thing in a Region that the attacker has made say alike: the catalogue's name, what to ask AWS,
/// and the field that names the target, in both.
macro_rules! regional {
    ($kind:literal, $probe:ident { $target:ident }) => {
        $crate::domain::action::change::regional!($kind, $target);

        fn probe(&self) -> $crate::domain::observation::Probe {
            $crate::domain::observation::Probe::$probe { region: self.region.clone(), $target: self.$target.clone() }
        }
    };
    // Of one that asks for more than that.
    ($kind:literal, $target:ident) => {
        fn kind(&self) -> &'static str {
            $kind
        }

        fn class(&self) -> $crate::domain::policy::ActionClass {
            $crate::domain::policy::ActionClass::Eradicate
        }

        fn region(&self) -> &str {
            &self.region
        }

        fn target(&self) -> &str {
            &self.$target
        }
    };
}
pub(super) use regional;

/// The same of those that remove it.
macro_rules! removal {
    ($kind:literal, $probe:ident { $target:ident }) => {
        $crate::domain::action::change::regional!($kind, $probe { $target });

        fn removes_target(&self) -> bool {
            true
        }

        fn holds(&self, _: &Observation, _: &[ApiCall], _: &Observation) -> bool {
            false
        }
    };
}
pub(super) use removal;

/// One change. What all have in common is in [`Action`]: targets that are gone, or made again under the same name,
/// never get here but for [`Change::work_out`].
pub(super) trait Change {
    /// See [`Action::kind`].
    fn kind(&self) -> &'static str;

    /// See [`Action::class`].
    fn class(&self) -> ActionClass;

    /// See [`Action::target`].
    fn target(&self) -> &str;

    /// See [`Action::title`].
    fn title(&self) -> String;

    /// See [`Action::effect`].
    fn effect(&self) -> String;

    /// See [`Action::probe`].
    fn probe(&self) -> Probe;

    /// See [`Action::work_out`].
    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String>;

    /// Compares the content; the unique ids are the same.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness;

    /// Whether what has changed is nothing but what putting it back changes, such as an id that AWS gives anew.
    fn is_put_back(&self, _before: &Observation, _now: &Observation) -> bool {
        false
    }

    /// Whether AWS shows what the calls wanted. Not asked of a change that removes its target.
    fn holds(&self, before: &Observation, sent: &[ApiCall], now: &Observation) -> bool;

    /// See [`Action::powers`].
    fn powers(&self) -> Powers {
        match self.class() {
            ActionClass::Contain | ActionClass::Loosen => Powers::Contain,
            ActionClass::Eradicate => Powers::Eradicate,
        }
    }

    /// See [`Action::region`]: IAM is reached in one only.
    fn region(&self) -> &str {
        HOME_REGION
    }

    /// Whether it is done once AWS knows the target no more.
    fn removes_target(&self) -> bool {
        false
    }

    /// See [`Action::is_repeatable`].
    fn is_repeatable(&self) -> bool {
        false
    }

    /// See [`Action::destroys`].
    fn destroys(&self) -> bool {
        false
    }

    /// See [`Action::undoes`].
    fn undoes(&self) -> Option<RequestId> {
        None
    }

    /// Another undo than [`super::Undo`], or why there is none.
    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        None
    }

    /// See [`Action::takes_access_from`].
    fn takes_access_from(&self, _before: &Observation) -> Vec<String> {
        Vec::new()
    }

    /// See [`Action::left`].
    fn left(&self, _now: &Observation) -> Vec<String> {
        Vec::new()
    }

    /// See [`Action::leaves_running`].
    fn leaves_running(&self, _before: &Observation) -> Vec<String> {
        Vec::new()
    }

    /// See [`Action::still_holds`]. What loosens or is gone is nothing to watch.
    fn still_holds(&self, _sent: &[ApiCall], _now: &Observation) -> Result<(), String> {
        Ok(())
    }
}
