//! The playbook as data: which steps there are, when each applies, and what must be shown before a
//! phase counts as done.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;

use super::credential::PrincipalKind;

/// The playbook that is compiled in.
pub const BUILT_IN: &str = include_str!("../../playbooks/credential-compromise.toml");

/// A playbook.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// In order.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
    /// Whether the bot may deny from the organization: as the settings say, and not the file.
    #[serde(skip)]
    pub reaches_organization: bool,
    /// Where IAM Identity Center is, if the bot may change it: as the settings say too.
    #[serde(skip)]
    pub identity_center_region: Option<String>,
}

/// One phase.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// `evidence`, `contain`, …
    pub id: String,
    /// For people.
    pub title: String,
    /// What must be shown before it counts as done.
    pub gate: String,
    /// In order.
    #[serde(rename = "step", default)]
    pub steps: Vec<PlaybookStep>,
}

/// One step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookStep {
    /// Unique in the playbook.
    pub id: String,
    /// For people.
    pub title: String,
    /// What it is.
    pub kind: StepKind,
    /// The catalogue's action, for steps of kind `action`.
    pub action: Option<String>,
    /// The kinds of principal that it applies to; all when empty.
    #[serde(default)]
    pub applies_to: Vec<PrincipalKind>,
    /// Why it is done, in a sentence.
    pub why: String,
}

/// What a step is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// The bot reads it.
    Evidence,
    /// The bot does it, with two people behind it.
    Action,
    /// The bot watches until it holds.
    Watch,
    /// People do it.
    Checklist,
    /// The bot asks the trail.
    Query,
}

/// A playbook that cannot be used.
#[derive(Debug, Error)]
pub enum PlaybookError {
    /// Not TOML, or not of this shape. The message names the place.
    #[error("{0}")]
    Syntax(String),
    /// A step of kind `action` whose action is not in the catalogue.
    #[error("step {step}: “{action}” is no action of the catalogue; there are {known}")]
    UnknownAction {
        /// The step.
        step: String,
        /// What it names.
        action: String,
        /// What there is.
        known: String,
    },
    /// An id that two steps have, or that cannot be one.
    #[error("step “{0}”: a step's id is unique, has letters, digits and hyphens only, and does not begin with undo")]
    BadId(String),
    /// An action on a kind of principal that it is not made for.
    #[error("step {step}: {action} is for {right}; say so in applies_to")]
    WrongKind {
        /// The step.
        step: String,
        /// Its action.
        action: String,
        /// What the action is for.
        right: String,
    },
}

/// The kinds of principal that an action of the catalogue is made for.
fn made_for(action: &str) -> &'static [PrincipalKind] {
    match action {
        "revoke-role-sessions" => &[PrincipalKind::AssumedRole],
        DENY_BY_SCP | DELETE_ASSIGNMENT | DENY_IN_PERMISSION_SET => &[
            PrincipalKind::IamUser,
            PrincipalKind::FederatedUser,
            PrincipalKind::AssumedRole,
            PrincipalKind::IdentityCenterRole,
        ],
        // Of whatever it is: the attacker can have reached users, roles and things by it.
        _ => &[
            PrincipalKind::IamUser,
            PrincipalKind::FederatedUser,
            PrincipalKind::AssumedRole,
            PrincipalKind::Root,
            PrincipalKind::ServiceLinkedRole,
            PrincipalKind::IdentityCenterRole,
            PrincipalKind::Unknown,
        ],
    }
}

/// Puts trust policies back that the attacker has changed: a step for each role.
pub const RESTORE_TRUST: &str = "restore-trust";
/// Denies whoever has come in from outside the account that they take the role again: a step for each of them and role.
pub const CLOSE_TRUST: &str = "close-trust";
/// Denies users of IAM Identity Center what they can do with a permission set: a step for each user and set.
pub const DENY_IN_PERMISSION_SET: &str = "deny-in-permission-set";
/// Takes their access from them: the same.
pub const DELETE_ASSIGNMENT: &str = "delete-account-assignment";
/// Denies from the organization: a step for the credential's user or role, and one for each that was reached.
pub const DENY_BY_SCP: &str = "deny-by-scp";
/// Switches trails and detectors on again that the attacker has switched off: a step for each.
pub const RESTORE_LOGGING: &str = "restore-logging";
/// Removes what the attacker has made and puts back what they have changed: a step for each thing.
pub const REMOVE_FOOTPRINT: &str = "remove-footprint";

/// Actions that a playbook can name.
pub const CATALOGUE: [&str; 15] = [
    "deactivate-access-key",
    "delete-login-profile",
    "deactivate-mfa-device",
    "deactivate-service-credential",
    "require-imdsv2",
    "revoke-user-sessions",
    "revoke-role-sessions",
    "revoke-assumed-roles",
    RESTORE_TRUST,
    CLOSE_TRUST,
    RESTORE_LOGGING,
    DENY_IN_PERMISSION_SET,
    DELETE_ASSIGNMENT,
    DENY_BY_SCP,
    REMOVE_FOOTPRINT,
];

impl Playbook {
    /// Reads one, and checks that its actions exist.
    pub fn parse(text: &str) -> Result<Self, PlaybookError> {
        let playbook: Self = toml::from_str(text).map_err(|e| PlaybookError::Syntax(e.to_string()))?;
        let mut ids = BTreeSet::new();
        for step in playbook.phases.iter().flat_map(|p| &p.steps) {
            let plain = !step.id.is_empty() && step.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !plain || step.id.starts_with("undo") || !ids.insert(&step.id) {
                return Err(PlaybookError::BadId(step.id.clone()));
            }
        }
        for step in playbook.phases.iter().flat_map(|p| &p.steps).filter(|s| s.kind == StepKind::Action) {
            let action = step.action.as_deref().unwrap_or("");
            if !CATALOGUE.contains(&action) {
                return Err(PlaybookError::UnknownAction {
                    step: step.id.clone(),
                    action: action.to_owned(),
                    known: CATALOGUE.join(", "),
                });
            }
            let right = made_for(action);
            if step.applies_to.is_empty() || step.applies_to.iter().any(|kind| !right.contains(kind)) {
                let right = right.iter().map(|k| k.label()).collect::<Vec<_>>().join(" and ");
                return Err(PlaybookError::WrongKind { step: step.id.clone(), action: action.to_owned(), right });
            }
        }
        Ok(playbook)
    }

    /// The steps that the bot carries out for this kind of principal, in order. What it does not reach is none.
    pub fn actions_for(&self, kind: PrincipalKind) -> impl Iterator<Item = &PlaybookStep> {
        let reached = move |s: &&PlaybookStep| self.reaches_organization || s.action.as_deref() != Some(DENY_BY_SCP);
        self.phases
            .iter()
            .flat_map(|p| &p.steps)
            .filter(move |s| s.kind == StepKind::Action && (s.applies_to.is_empty() || s.applies_to.contains(&kind)))
            .filter(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(step: &str) -> Result<Playbook, PlaybookError> {
        Playbook::parse(&format!("[[phase]]\nid = \"contain\"\ntitle = \"Contain\"\ngate = \"g\"\n{step}"))
    }

    fn step(id: &str, more: &str) -> String {
        format!("[[phase.step]]\nid = \"{id}\"\ntitle = \"t\"\nwhy = \"w\"\n{more}\n")
    }

    #[test]
    fn a_playbook_that_cannot_work_is_refused_with_its_step() {
        let action =
            |name: &str, kinds: &str| format!("kind = \"action\"\naction = \"{name}\"\napplies_to = [{kinds}]");
        let good = action("revoke-role-sessions", "\"assumed-role\"");
        assert!(with(&step("a", &good)).is_ok());
        for (text, says) in [
            (step("a", &action("delete-everything", "\"iam-user\"")), "delete-everything"),
            (step("a", &action("revoke-role-sessions", "\"iam-user\"")), "assumed role"),
            (step("a", &action("deactivate-access-key", "")), "IAM user"),
            (step("undo.a", &good), "undo.a"),
            (step("a", &good) + &step("a", &good), "unique"),
            (step("a", &(good.clone() + "\nappliesto = []")), "appliesto"),
        ] {
            let error = with(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{says}: {error}");
        }
        assert!(Playbook::parse(BUILT_IN).is_ok());
    }
}
