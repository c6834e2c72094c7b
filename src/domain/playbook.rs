//! The playbook as data: which steps there are, when each applies, and what must be shown before a
//! phase counts as done.

use serde::Deserialize;
use thiserror::Error;

use super::credential::PrincipalKind;

/// The playbook that is compiled in.
pub const BUILT_IN: &str = include_str!("../../playbooks/credential-compromise.toml");

/// A playbook.
#[derive(Clone, Debug, Deserialize)]
pub struct Playbook {
    /// In order.
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
}

/// One phase.
#[derive(Clone, Debug, Deserialize)]
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
}

/// Actions that a playbook can name.
pub const CATALOGUE: [&str; 3] = ["deactivate-access-key", "revoke-user-sessions", "revoke-role-sessions"];

impl Playbook {
    /// Reads one, and checks that its actions exist.
    pub fn parse(text: &str) -> Result<Self, PlaybookError> {
        let playbook: Self = toml::from_str(text).map_err(|e| PlaybookError::Syntax(e.to_string()))?;
        for step in playbook.phases.iter().flat_map(|p| &p.steps).filter(|s| s.kind == StepKind::Action) {
            let action = step.action.as_deref().unwrap_or("");
            if !CATALOGUE.contains(&action) {
                return Err(PlaybookError::UnknownAction {
                    step: step.id.clone(),
                    action: action.to_owned(),
                    known: CATALOGUE.join(", "),
                });
            }
        }
        Ok(playbook)
    }

    /// The steps that the bot carries out for this kind of principal, in order.
    pub fn actions_for(&self, kind: PrincipalKind) -> impl Iterator<Item = &PlaybookStep> {
        self.phases
            .iter()
            .flat_map(|p| &p.steps)
            .filter(move |s| s.kind == StepKind::Action && (s.applies_to.is_empty() || s.applies_to.contains(&kind)))
    }
}
