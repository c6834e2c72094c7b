//! An inline policy that the attacker has put on a user, role or group that is not theirs: what there was before under its
//! name is put back, and only where there was nothing is it deleted.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, something_else};
use super::revocation::same_documents;
use super::{ApiCall, HOME_REGION, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Earlier, Holder, Observation, Probe, PutPolicy};
use crate::domain::policy::ActionClass;

/// Takes back what the attacker has made of an inline policy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteInlinePolicy {
    /// Whose.
    pub holder: Holder,
    /// The policy.
    pub policy_name: String,
    /// The attacker's calls about it, the newest last: what one of them has put is not what there was before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_ids: Vec<String>,
}

impl DeleteInlinePolicy {
    fn delete(&self) -> ApiCall {
        let policy_name = self.policy_name.clone();
        match self.holder.clone() {
            Holder::User(user_name) => ApiCall::DeleteUserPolicy { user_name, policy_name },
            Holder::Role(role_name) => ApiCall::DeleteRolePolicy { role_name, policy_name },
            Holder::Group(group_name) => ApiCall::DeleteGroupPolicy { group_name, policy_name },
        }
    }

    fn put(&self, policy_document: String) -> ApiCall {
        let policy_name = self.policy_name.clone();
        match self.holder.clone() {
            Holder::User(user_name) => ApiCall::PutUserPolicy { user_name, policy_name, policy_document },
            Holder::Role(role_name) => ApiCall::PutRolePolicy { role_name, policy_name, policy_document },
            Holder::Group(group_name) => ApiCall::PutGroupPolicy { group_name, policy_name, policy_document },
        }
    }

    const fn observed(seen: &Observation) -> Option<&PutPolicy> {
        match seen {
            Observation::PutPolicy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The document that is to be there; nothing, where nothing was. An error is a sentence: why nobody can say.
    fn wanted(&self, now: &PutPolicy) -> Result<Option<String>, String> {
        match (&now.put, &now.before) {
            (None, _) => Err(self.by_hand(
                "the event history does not have the attacker's call any more, so nobody can say whether what is there is theirs",
            )),
            (Some(put), _) if now.document.is_some() && !same_documents(Some(put), now.document.as_deref()) => {
                Err(self.by_hand("what is there is not what the attacker has put: somebody has changed it since"))
            }
            (_, Earlier::Document(previous)) => Ok(Some(previous.document.clone())),
            (_, Earlier::Nothing { .. }) => Ok(None),
            (_, Earlier::NotKnown) => Err(self.by_hand(
                "the event history does not say whether there was one of this name before it, and a policy of yours would be \
                 deleted with the attacker's document",
            )),
        }
    }

    fn by_hand(&self, why: &str) -> String {
        format!(
            "Inline policy {} of {} is not taken back by the bot: {why}. By hand: look in your code whether it is yours. If it is, \
             put it ({}); if not, delete it ({}).",
            self.policy_name,
            self.holder.in_words(),
            self.put("file://…".to_owned()).cli(HOME_REGION),
            self.delete().cli(HOME_REGION),
        )
    }
}

impl Change for DeleteInlinePolicy {
    fn kind(&self) -> &'static str {
        "delete-inline-policy"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn target(&self) -> &str {
        self.holder.name()
    }

    fn title(&self) -> String {
        format!("Take back inline policy {} of {}", self.policy_name, self.holder.in_words())
    }

    fn effect(&self) -> String {
        "The attacker has written it. Where the event history has the document that it was put over, that is put back; where it \
         shows that there was none, the policy is deleted. What the attacker's document lets its holder do, the holder cannot do \
         from then on, unless another policy lets it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        let (holder, policy_name) = (self.holder.clone(), self.policy_name.clone());
        Probe::PutPolicy { holder, policy_name, event_ids: self.event_ids.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(now) = Self::observed(before) else { return wrong_answer() };
        let Some(document) = now.document.clone() else {
            return Err(format!("{} has no policy {} any more.", self.holder.in_words(), self.policy_name));
        };
        let call = match self.wanted(now)? {
            Some(wanted) if same_documents(Some(&wanted), Some(&document)) => {
                return Err(format!("Policy {} already says what it said before.", self.policy_name));
            }
            Some(wanted) => self.put(wanted),
            None => self.delete(),
        };
        Ok(WorkedOut::plain(vec![call], Inverse::Calls(vec![self.put(document)])))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (Self::observed(before), Self::observed(now)) else { return something_else() };
        if same_documents(was.document.as_deref(), is.document.as_deref()) {
            return Freshness::AsApproved;
        }
        match self.wanted(was) {
            Ok(wanted) if same_documents(wanted.as_deref(), is.document.as_deref()) => Freshness::AlreadyDone,
            _ => Freshness::Changed(format!("policy {} has been changed since", self.policy_name)),
        }
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let wanted = sent.iter().find_map(ApiCall::document);
        Self::observed(now).is_some_and(|is| same_documents(wanted, is.document.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{Identity, Previous};

    const THEIRS: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    const OURS: &str = r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

    fn seen(document: Option<&str>, put: Option<&str>, before: Earlier) -> Observation {
        let arn = "arn:aws:iam::111122223333:user/ci".to_owned();
        Observation::PutPolicy(PutPolicy {
            identity: Identity { id: "AIDA1".into(), arn, path: "/".into() },
            document: document.map(str::to_owned),
            put: put.map(str::to_owned),
            before,
            members: Vec::new(),
        })
    }

    fn ours() -> Earlier {
        Earlier::Document(Previous { document: OURS.into(), event_id: "e-0".into() })
    }

    fn nothing() -> Earlier {
        Earlier::Nothing { event_id: "e-0".into() }
    }

    fn action() -> Action {
        Action::DeleteInlinePolicy(DeleteInlinePolicy {
            holder: Holder::User("ci".into()),
            policy_name: "p".into(),
            event_ids: vec!["e-1".into()],
        })
    }

    #[test]
    fn the_owners_document_is_put_back_and_undone_it_is_the_attackers_again() {
        let (action, before) = (action(), seen(Some(THEIRS), Some(THEIRS), ours()));
        let work = action.work_out(&before).unwrap();
        assert_eq!(work.calls[0].operation(), "PutUserPolicy");
        assert_eq!(work.calls[0].document(), Some(OURS));
        assert!(matches!(&work.inverse, Inverse::Calls(back) if back[0].document() == Some(THEIRS)));
        let after = seen(Some(OURS), Some(THEIRS), ours());
        assert!(action.holds(&before, &work.calls, &after) && !action.holds(&before, &work.calls, &before));
        assert!(!action.holds(&before, &work.calls, &seen(None, Some(THEIRS), ours())), "gone is not put back");
        assert_eq!(action.freshness(&before, &after), Freshness::AlreadyDone);
        assert_eq!(action.freshness(&before, &before), Freshness::AsApproved);
        let undo = action.undo(&before, &work.calls, "INC-1.1".parse().unwrap()).unwrap();
        assert_eq!(undo.work_out(&after).unwrap().calls[0].document(), Some(THEIRS));
    }

    #[test]
    fn where_there_was_none_it_is_deleted() {
        let (action, before) = (action(), seen(Some(THEIRS), Some(THEIRS), nothing()));
        let work = action.work_out(&before).unwrap();
        assert!(matches!(&work.calls[..], [ApiCall::DeleteUserPolicy { .. }]));
        let gone = seen(None, Some(THEIRS), nothing());
        assert!(action.holds(&before, &work.calls, &gone) && !action.holds(&before, &work.calls, &before));
        assert_eq!(action.freshness(&before, &gone), Freshness::AlreadyDone);
        let other = seen(Some(OURS), Some(THEIRS), nothing());
        assert!(matches!(action.freshness(&before, &other), Freshness::Changed(_)));
        assert!(action.work_out(&gone).is_err());
    }

    #[test]
    fn what_nobody_can_tell_from_the_owners_stays_and_the_sentence_says_what_is_known() {
        for (now, says) in [
            (seen(Some(THEIRS), Some(THEIRS), Earlier::NotKnown), "does not say whether there was one"),
            (seen(Some(OURS), Some(THEIRS), nothing()), "not what the attacker has put"),
            (seen(Some(THEIRS), None, nothing()), "does not have the attacker's call"),
        ] {
            let why = action().work_out(&now).unwrap_err();
            assert!(
                why.contains(says) && why.contains("aws iam delete-user-policy --user-name ci --policy-name p"),
                "{why}"
            );
        }
        assert!(action().work_out(&seen(Some(OURS), Some(OURS), ours())).unwrap_err().contains("already says"));
    }
}
