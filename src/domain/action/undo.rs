//! The undo of a change whose inverse says all: the calls that were part of the approved plan.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, Powers};
use super::document::whole_principal;
use super::trust::principals;
use super::{Action, ApiCall, Inverse, WorkedOut};
use crate::domain::id::RequestId;
use crate::domain::observation::{Observation, Probe};
use crate::domain::policy::ActionClass;

/// Puts back what a change has found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// The change that is taken back.
    pub of: Box<Action>,
    /// AWS as it was before that.
    pub before: Box<Observation>,
    /// The request that is undone.
    pub undoes: RequestId,
}

impl Undo {
    /// Of a change that was carried out; an error says why it cannot be taken back.
    pub(super) fn of(of: &Action, before: &Observation, undoes: RequestId) -> Result<Self, String> {
        match of.work_out(before)?.inverse {
            Inverse::None(why) => Err(why),
            Inverse::Calls(_) => Ok(Self { of: Box::new(of.clone()), before: Box::new(before.clone()), undoes }),
        }
    }

    fn planned(&self) -> Result<(Vec<ApiCall>, Vec<ApiCall>), String> {
        let done = self.of.work_out(&self.before)?;
        match done.inverse {
            Inverse::Calls(back) => Ok((done.calls, back)),
            Inverse::None(why) => Err(why),
        }
    }

    fn is_back(&self, now: &Observation) -> bool {
        self.of.is_back(&self.before, now)
    }
}

impl Change for Undo {
    fn kind(&self) -> &'static str {
        "undo"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Loosen
    }

    fn powers(&self) -> Powers {
        self.of.powers()
    }

    fn region(&self) -> &str {
        self.of.region()
    }

    fn target(&self) -> &str {
        self.of.target()
    }

    fn title(&self) -> String {
        format!("Undo {}: {}", self.undoes, self.of.title())
    }

    fn effect(&self) -> String {
        "Puts back what was there before: what the attacker had put there too. Whoever could use it can use it again."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        self.of.probe()
    }

    fn work_out(&self, now: &Observation) -> Result<WorkedOut, String> {
        let (done, back) = self.planned()?;
        if self.is_back(now) {
            return Err("AWS already is as it was before: nothing is left to undo.".to_owned());
        }
        if !self.of.holds(&self.before, &done, now) {
            return Err(format!(
                "AWS is no longer as {} has left it: somebody has changed it since. Look at it in AWS.",
                self.undoes
            ));
        }
        Ok(WorkedOut::plain(back, Inverse::Calls(done)))
    }

    fn freshness(&self, _before: &Observation, now: &Observation) -> Freshness {
        let holds = self.planned().is_ok_and(|(done, _)| self.of.holds(&self.before, &done, now));
        if self.is_back(now) {
            Freshness::AlreadyDone
        } else if holds {
            Freshness::AsApproved
        } else {
            Freshness::Changed("it has been changed since".to_owned())
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        self.is_back(now)
    }

    /// Of a trust policy's: those whom it names now and did not name as the attacker had left it.
    fn takes_access_from(&self, before: &Observation) -> Vec<String> {
        let (Observation::Trust(was), Observation::Trust(is)) = (&*self.before, before) else { return Vec::new() };
        let named: BTreeSet<String> = principals(&was.document).iter().map(|name| whole_principal(name)).collect();
        principals(&is.document).into_iter().filter(|name| !named.contains(&whole_principal(name))).collect()
    }

    fn undoes(&self) -> Option<RequestId> {
        Some(self.undoes)
    }

    fn undo(&self, _before: &Observation, _sent: &[ApiCall], _undoes: RequestId) -> Option<Result<Action, String>> {
        Some(Err("Ask for the step itself again instead.".to_owned()))
    }
}
