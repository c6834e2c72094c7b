//! The people of the demonstration workspace, and what `users.info` says of them.

use serde_json::{Value, json};

/// The workspace's id.
pub(super) const TEAM: &str = "T0SANDBOX1";
/// The app's user.
/// In whose name Slack says that a message is gone.
pub(super) const SLACKBOT: &str = "USLACKBOT";
pub(super) const BOT_USER: &str = "U0IRPBOT01";
pub(super) const BOT_ID: &str = "B0IRPBOT01";
pub(super) const APP: &str = "A0IRPAPP01";
pub(super) const WAR_ROOM: &str = "C0WARROOM1";
pub(super) const GENERAL: &str = "C0GENERAL1";

/// One account.
#[allow(clippy::struct_excessive_bools, reason = "they are Slack's")]
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) real_name: &'static str,
    pub(super) role: &'static str,
    deleted: bool,
    bot: bool,
    admin: bool,
    restricted: bool,
    ultra_restricted: bool,
    stranger: bool,
}

/// What can be different about an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserFlag {
    /// Deactivated.
    Deleted,
    /// A bot.
    Bot,
    /// An administrator and owner of the workspace.
    Admin,
    /// A multi-channel guest.
    Restricted,
    /// A single-channel guest.
    UltraRestricted,
    /// From another organisation.
    Stranger,
}

impl Person {
    fn new(id: &'static str, name: &'static str, real_name: &'static str, role: &'static str) -> Self {
        Self {
            id,
            name,
            real_name,
            role,
            deleted: false,
            bot: role == "app",
            admin: false,
            restricted: role == "guest",
            ultra_restricted: false,
            stranger: false,
        }
    }

    /// One more member, besides those of the demonstration.
    pub(super) fn member(id: &'static str, name: &'static str) -> Self {
        Self::new(id, name, name, "member")
    }

    pub(super) fn set(&mut self, flag: UserFlag, on: bool) {
        *match flag {
            UserFlag::Deleted => &mut self.deleted,
            UserFlag::Bot => &mut self.bot,
            UserFlag::Admin => &mut self.admin,
            UserFlag::Restricted => &mut self.restricted,
            UserFlag::UltraRestricted => &mut self.ultra_restricted,
            UserFlag::Stranger => &mut self.stranger,
        } = on;
    }

    pub(super) fn is_guest(&self) -> bool {
        self.restricted || self.ultra_restricted
    }

    /// As the page shows them.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "real_name": self.real_name, "role": self.role,
            "is_bot": self.bot, "is_guest": self.is_guest(),
        })
    }

    /// As `users.info` gives them.
    pub(super) fn info(&self) -> Value {
        let mut user = json!({
            "id": self.id, "team_id": if self.stranger { "T0ELSEWHERE" } else { TEAM }, "name": self.name,
            "real_name": self.real_name, "deleted": self.deleted, "is_bot": self.bot, "is_app_user": false,
            "tz": "Europe/Zurich", "tz_label": "Central European Time", "tz_offset": 3600, "updated": 1_760_000_000,
            "profile": {
                "real_name": self.real_name, "display_name": self.name, "email": format!("{}@example.com", self.name),
                "team": TEAM,
            },
        });
        if !self.deleted {
            user["is_admin"] = json!(self.admin);
            user["is_owner"] = json!(self.admin);
            user["is_restricted"] = json!(self.restricted);
            user["is_ultra_restricted"] = json!(self.ultra_restricted);
        }
        if self.stranger {
            user["is_stranger"] = json!(true);
        }
        user
    }
}

pub(super) fn demo() -> Vec<Person> {
    vec![
        Person::new("U0RESPOND1", "ana", "Ana Ruiz", "responder"),
        Person::new("U0RESPOND2", "ben", "Ben Okafor", "responder and approver"),
        Person::new("U0APPROVE1", "chris", "Chris Lind", "approver"),
        Person::new("U0STAKEHO1", "dana", "Dana Weiss", "stakeholder"),
        Person::new("U0GUEST001", "gil", "Gil Moreau", "guest"),
        Person::new("U0KEYOWNR1", "kim", "Kim Park", "approver, and owner of the key"),
        Person::new(BOT_USER, "irp", "irp", "app"),
    ]
}
