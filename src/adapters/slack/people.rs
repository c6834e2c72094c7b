//! Who people are, from `users.info`. Follows Slack's “User type” reference.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{SlackChat, once_more};
use crate::domain::id::{GroupId, UserId};
use crate::domain::policy::Standing;
use crate::ports::{ChatError, Directory};

/// How old the word about somebody who clicks may be: Slack takes about a hundred questions a minute, and whoever clicks
/// without end must not use them up for the others.
pub(super) const STANDING_FRESH_FOR: Duration = Duration::from_secs(5);
/// How old the members of a group may be.
pub(super) const MEMBERS_FRESH_FOR: Duration = Duration::from_secs(45);
/// Longest wait for Slack when it asks to wait before it says who somebody is: a no would turn approvers away.
const ASK_WAIT_MAX: Duration = Duration::from_secs(2);

/// Whose people are members: the workspace that the bot's token belongs to, and its organisation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Home {
    pub(super) team: String,
    pub(super) enterprise: Option<String>,
}

impl Home {
    /// Whether something can have been pressed here, as far as both sides name where. In an organisation of several
    /// workspaces it can be another of them; where the app is installed for all of it, Slack can leave the workspace out.
    pub(super) fn takes(&self, team: Option<&str>, enterprise: Option<&str>) -> bool {
        match (self.enterprise.as_deref(), enterprise) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => self.team.is_empty() || team.is_none_or(|team| team == self.team),
        }
    }
}

#[async_trait]
impl Directory for SlackChat {
    async fn standing(&self, user: &UserId) -> Result<Standing, ChatError> {
        self.standings.get(user, || self.read_standing(user)).await
    }

    async fn standing_now(&self, user: &UserId) -> Result<Standing, ChatError> {
        let standing = self.read_standing(user).await?;
        self.standings.put(user, standing);
        Ok(standing)
    }

    async fn members(&self, group: &GroupId) -> Result<BTreeSet<UserId>, ChatError> {
        self.groups.get(group, || self.read_members(group)).await
    }
}

impl SlackChat {
    async fn read_standing(&self, user: &UserId) -> Result<Standing, ChatError> {
        let home = self.home().await?;
        let params = [("user", user.as_str())];
        match once_more(ASK_WAIT_MAX, || self.get("users.info", &params)).await {
            Ok(answer) => Ok(standing(&answer["user"], home)),
            Err(ChatError::Refused(code)) if code.starts_with("user_not") => Ok(Standing::Unknown),
            Err(error) => Err(error),
        }
    }

    async fn read_members(&self, group: &GroupId) -> Result<BTreeSet<UserId>, ChatError> {
        let params = [("usergroup", group.as_str())];
        let answer = once_more(ASK_WAIT_MAX, || self.get("usergroups.users.list", &params)).await?;
        let users =
            answer["users"].as_array().ok_or_else(|| ChatError::Unavailable("a group without a list".into()))?;
        Ok(users.iter().filter_map(|u| u.as_str()?.parse().ok()).collect())
    }

    /// Asked once: a token never changes its workspace.
    pub(super) async fn home(&self) -> Result<&Home, ChatError> {
        self.home
            .get_or_try_init(|| async {
                let answer = self.get("auth.test", &[]).await?;
                let text = |name: &str| answer[name].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
                Ok(Home { team: text("team_id").unwrap_or_default(), enterprise: text("enterprise_id") })
            })
            .await
    }
}

/// A missing member means no: rights are never guessed.
fn standing(user: &Value, home: &Home) -> Standing {
    let flag = |name: &str| user[name].as_bool();
    match (flag("deleted"), flag("is_bot"), user["id"].as_str()) {
        (Some(true), _, _) => Standing::Deactivated,
        (_, Some(true), _) | (_, _, Some("USLACKBOT")) => Standing::Bot,
        (Some(false), Some(false), Some(_)) => match (flag("is_restricted"), flag("is_ultra_restricted")) {
            (Some(_), Some(_)) if flag("is_stranger") == Some(true) || !is_at_home(user, home) => Standing::External,
            (Some(false), Some(false)) => Standing::Member,
            (Some(_), Some(_)) => Standing::Guest,
            _ => Standing::Unknown,
        },
        _ => Standing::Unknown,
    }
}

/// In a shared channel people of other workspaces are no strangers to Slack: their home tells them apart.
fn is_at_home(user: &Value, home: &Home) -> bool {
    let enterprise = user.pointer("/enterprise_user/enterprise_id").and_then(Value::as_str);
    let same_organisation = home.enterprise.is_some() && enterprise == home.enterprise.as_deref();
    user["team_id"].as_str() == Some(home.team.as_str()) || same_organisation
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn home() -> Home {
        Home { team: "T1".into(), enterprise: None }
    }

    fn user(changes: &[(&str, Value)]) -> Value {
        let mut user = json!({
            "id": "U1", "team_id": "T1", "deleted": false, "is_bot": false, "is_restricted": false,
            "is_ultra_restricted": false,
        });
        for (name, value) in changes {
            user[*name] = value.clone();
        }
        user
    }

    #[test]
    fn only_a_plain_member_is_a_member() {
        assert_eq!(standing(&user(&[]), &home()), Standing::Member);
        for (name, expected) in [
            ("deleted", Standing::Deactivated),
            ("is_bot", Standing::Bot),
            ("is_restricted", Standing::Guest),
            ("is_ultra_restricted", Standing::Guest),
            ("is_stranger", Standing::External),
        ] {
            assert_eq!(standing(&user(&[(name, json!(true))]), &home()), expected, "{name}");
        }
        for name in ["deleted", "is_bot", "is_restricted", "is_ultra_restricted", "id"] {
            assert_eq!(standing(&user(&[(name, Value::Null)]), &home()), Standing::Unknown, "{name}");
        }
    }

    #[test]
    fn what_is_pressed_in_another_workspace_is_not_taken_unless_the_organisation_is_the_same() {
        let (alone, grid) = (home(), Home { team: "T1".into(), enterprise: Some("E1".into()) });
        for (team, enterprise, [by_alone, by_grid]) in [
            (Some("T1"), None, [true, true]),
            (Some("T2"), None, [false, false]),
            (Some("T2"), Some("E1"), [false, true]),
            (Some("T1"), Some("E2"), [true, false]),
            (None, Some("E1"), [true, true]),
            (None, Some("E2"), [true, false]),
            (None, None, [true, true]),
        ] {
            let taken = [alone.takes(team, enterprise), grid.takes(team, enterprise)];
            assert_eq!(taken, [by_alone, by_grid], "{team:?} {enterprise:?}");
        }
        assert!(Home::default().takes(Some("T2"), None), "Slack has not said which it is");
    }

    #[test]
    fn people_of_another_workspace_are_external_unless_the_organisation_is_the_same() {
        let other = user(&[("team_id", json!("T2")), ("enterprise_user", json!({"enterprise_id": "E1"}))]);
        assert_eq!(standing(&other, &home()), Standing::External);
        assert_eq!(standing(&user(&[("team_id", Value::Null)]), &home()), Standing::External);
        let grid = Home { team: "T1".into(), enterprise: Some("E1".into()) };
        assert_eq!(standing(&other, &grid), Standing::Member);
        let elsewhere = user(&[("team_id", json!("T2")), ("enterprise_user", json!({"enterprise_id": "E2"}))]);
        assert_eq!(standing(&elsewhere, &grid), Standing::External);
    }
}
