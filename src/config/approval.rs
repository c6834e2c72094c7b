//! `[approval]` of `irp.toml`: what each class of actions asks for.

use serde::{Deserialize, Serialize};

use crate::domain::policy::ActionClass;

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Approval {
    contain: Asked,
    loosen: Asked,
    eradicate: Asked,
}

/// What the file says of a class. A time that it leaves out has a value by the class; how many people stand behind a change
/// is for the organisation to say.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    quorum: Option<u8>,
    approve_within_minutes: Option<u32>,
    execute_within_minutes: Option<u32>,
}

pub(super) struct Class {
    pub(super) quorum: Option<u8>,
    pub(super) approve_within_minutes: u32,
    pub(super) execute_within_minutes: u32,
}

impl Asked {
    /// A removal can wait for somebody to read it; an attacker in the account cannot.
    fn class(self, approve_within_minutes: u32) -> Class {
        Class {
            quorum: self.quorum,
            approve_within_minutes: self.approve_within_minutes.unwrap_or(approve_within_minutes),
            execute_within_minutes: self.execute_within_minutes.unwrap_or(5),
        }
    }
}

impl Approval {
    pub(super) fn classes(&self) -> [(&'static str, ActionClass, Class); 3] {
        [
            ("contain", ActionClass::Contain, self.contain.class(15)),
            ("loosen", ActionClass::Loosen, self.loosen.class(15)),
            ("eradicate", ActionClass::Eradicate, self.eradicate.class(60)),
        ]
    }

    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, _, class) in self.classes() {
            match class.quorum {
                None => faults.push(format!(
                    "approval.{name}.quorum is missing: how many approvers besides the requester have to say yes? 1 is the \
                     least."
                )),
                Some(0) => faults.push(format!(
                    "approval.{name}.quorum is 0: every change needs a second person, so 1 is the least."
                )),
                Some(_) => {}
            }
            for (what, minutes, most) in [
                ("approve_within_minutes", class.approve_within_minutes, 24 * 60),
                ("execute_within_minutes", class.execute_within_minutes, 60),
            ] {
                if minutes == 0 || minutes > most {
                    faults.push(format!("approval.{name}.{what} is {minutes}: it has to be from 1 to {most}."));
                }
            }
        }
        faults
    }
}
