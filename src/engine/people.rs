//! Who somebody is by Slack's word, and what the rules let them do.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::{Engine, EngineError};
use crate::domain::approval::check_responder;
use crate::domain::id::UserId;
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::state::Incident;
use crate::domain::policy::{Actor, Policy, Standing};
use crate::domain::refusal::Refusal;
use crate::ports::ChatError;

/// How many approvers are looked up at most when something is asked for.
const PRESENCE_ASKED_MAX: usize = 30;

impl Engine {
    /// The rules in force, with the members of groups as Slack says now. A group that it does not say has
    /// none.
    pub async fn policy(&self) -> Arc<Policy> {
        self.with_members(self.rules()).await
    }

    /// The same of any rules.
    pub async fn with_members(&self, rules: Arc<Policy>) -> Arc<Policy> {
        let groups = rules.groups();
        if groups.is_empty() {
            return rules;
        }
        let asked = groups.into_iter().map(|group| async move {
            match self.ports.directory.members(group).await {
                Ok(members) => Some((group.clone(), members)),
                Err(error) => {
                    tracing::warn!(slack.group = %group, %error, "Slack could not say who is in a group; nobody is");
                    None
                }
            }
        });
        let members = join_all(asked).await.into_iter().flatten().collect();
        Arc::new(Policy { members, ..(*rules).clone() })
    }

    /// Who acts, as Slack sees them. When it cannot be asked, nobody: the answer is no.
    pub(super) async fn actor(&self, user: &UserId) -> Actor {
        let standing = self.ports.directory.standing(user).await.unwrap_or_else(|error| {
            tracing::warn!(slack.user = %user, %error, "Slack could not say who somebody is; the answer is no");
            Standing::Unknown
        });
        Actor { user: user.clone(), person: self.rules().person(user), standing }
    }

    /// The rules without approvers who are no members of the workspace any more: a request must not wait for somebody
    /// who has left. Asked until enough others are found; of whom Slack says nothing, they stay.
    pub(super) async fn with_present_approvers(&self, policy: &Policy, besides: &Actor) -> Policy {
        let mut present = policy.clone();
        let wanted = policy.rules.values().map(|rules| usize::from(rules.quorum)).max().unwrap_or_default();
        let listed = policy.accounts(&policy.approvers).into_iter();
        let others = listed.filter(|user| policy.person(user) != besides.person);
        let mut found = BTreeSet::new();
        for user in others.take(PRESENCE_ASKED_MAX) {
            match self.ports.directory.standing(&user).await {
                Ok(Standing::Member) => drop(found.insert(policy.person(&user))),
                // Somebody with several accounts can decide with another.
                Ok(_) if policy.aliases.values().any(|first| *first == policy.person(&user).0) => {}
                Ok(_) => present.forget(&user),
                Err(_) => break,
            }
            // One of them may turn out to be recused.
            if found.len() > wanted {
                break;
            }
        }
        present
    }

    /// The same at this very moment, for what a change in AWS hangs on.
    pub(super) async fn actor_now(&self, user: &UserId) -> Result<Actor, ChatError> {
        let standing = self.ports.directory.standing_now(user).await?;
        Ok(Actor { user: user.clone(), person: self.rules().person(user), standing })
    }

    /// The incident as a press is judged by. To lift a freeze it takes two: who has agreed before counts only if they still are
    /// a member of the workspace, at this very moment.
    pub(super) async fn with_present_agreed<'a>(
        &self,
        incident: &'a Incident,
        command: &PersonCommand,
    ) -> Result<Cow<'a, Incident>, EngineError> {
        let freeze = incident.freeze.as_ref().filter(|_| matches!(command, PersonCommand::Unfreeze { .. }));
        let Some(freeze) = freeze else { return Ok(Cow::Borrowed(incident)) };
        let mut present = freeze.clone();
        for (person, user) in &freeze.agreed {
            if self.actor_now(user).await.map_err(EngineError::Directory)?.standing != Standing::Member {
                present.agreed.remove(person);
            }
        }
        Ok(Cow::Owned(Incident { freeze: Some(present), ..incident.clone() }))
    }

    /// What Slack says of an account, and not a no where it does not answer.
    pub async fn standing(&self, user: &UserId) -> Result<Standing, ChatError> {
        self.ports.directory.standing(user).await
    }

    /// Why these rules do not name everybody, where looking again can help: Slack did not say who is in a group. One that it
    /// refuses to tell of stays without members.
    pub async fn unread_groups(&self, policy: &Policy) -> Option<ChatError> {
        for group in policy.groups() {
            if policy.members.contains_key(group) {
                continue;
            }
            match self.ports.directory.members(group).await {
                Ok(_) => return Some(ChatError::Unavailable(format!("who is in {group} was not known a moment ago"))),
                Err(ChatError::Refused(_)) => {}
                Err(error) => return Some(error),
            }
        }
        None
    }

    /// Whether somebody may read about incidents: members of the workspace, and nobody else.
    pub async fn may_read(&self, user: &UserId) -> Result<(), Refusal> {
        match self.actor(user).await.standing {
            Standing::Member => Ok(()),
            other => Err(Refusal::NotAMember(other)),
        }
    }

    /// Whether somebody may work incidents, before they are shown a form.
    pub async fn may_respond(&self, user: &UserId) -> Result<(), Refusal> {
        check_responder(&*self.policy().await, &self.actor(user).await)
    }
}
