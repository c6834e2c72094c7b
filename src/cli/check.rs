//! `irp check`: tries everything that `irp serve` will need, and changes nothing.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::export::open_vault;
use super::serve::{aws_settings, open_store, unsealed};
use crate::adapters::aws::AwsCloud;
use crate::adapters::redis::UNREADABLE;
use crate::adapters::slack::SlackChat;
use crate::adapters::slack::scopes::missing;
use crate::boot::playbook;
use crate::config::{ProcessEnvironment, Settings};
use crate::domain::id::{GroupId, UserId};
use crate::domain::policy::{Called, Policy, Standing};
use crate::ports::{Chat, Cloud, Directory, Store, VaultError};

/// Prints a line for each thing tried. `true` when all is well.
pub async fn check() -> bool {
    let mut report = Report { well: true };
    let settings = match Settings::read(&ProcessEnvironment) {
        Ok(settings) => settings,
        Err(faults) => {
            for fault in faults.0 {
                report.wrong("settings", &fault);
            }
            return false;
        }
    };
    report.right("settings", "read");
    if settings.alert_keys.is_empty() {
        report.wrong("alerts", "IRP_ALERT_KEYS is not set: every alert webhook is turned away with 401");
    }
    match playbook(&settings.organisation) {
        Ok(playbook) => report.right("playbook", &format!("{} phases", playbook.phases.len())),
        Err(error) => report.wrong("playbook", &format!("{error:#}")),
    }
    slack(&settings, &mut report).await;
    store(&settings, &mut report).await;
    aws(&settings, &mut report).await;
    let vault = open_vault(settings.vault.as_ref(), settings.aws_endpoint_url.as_deref()).await.inspect().await;
    report.note("vault", vault.map_err(|e| if settings.vault.is_none() { unset_vault(&e) } else { e.to_string() }));
    report.well
}

/// Where nothing is set the working directory counts, which in a container can rarely be written to.
fn unset_vault(error: &VaultError) -> String {
    format!(
        "{error}. IRP_VAULT is not set, so the working directory has to take evidence packs and what AWS does not keep of \
         what is removed: without it no function and no instance with user data can be removed. Set IRP_VAULT"
    )
}

struct Report {
    well: bool,
}

impl Report {
    #[allow(clippy::unused_self, reason = "reads like its counterpart")]
    fn right(&self, what: &str, how: &str) {
        println!("ok    {what}: {how}");
    }

    fn wrong(&mut self, what: &str, why: &str) {
        self.well = false;
        println!("WRONG {what}: {why}");
    }

    /// Works, but not for everybody.
    #[allow(clippy::unused_self, reason = "reads like its counterparts")]
    fn warn(&self, what: &str, why: &str) {
        println!("warn  {what}: {why}");
    }

    fn note(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(how) => self.right(what, &how),
            Err(why) => self.wrong(what, &why),
        }
    }
}

async fn slack(settings: &Settings, report: &mut Report) {
    let slack = match SlackChat::new(&settings.slack.bot_token, &settings.slack.api_url) {
        Ok(slack) => slack,
        Err(error) => return report.wrong("slack", &error.to_string()),
    };
    match slack.identity().await {
        Ok(identity) => {
            report.right("slack token", &format!("{} in {} ({})", identity.user, identity.team, identity.url));
        }
        Err(error) => return report.wrong("slack token", &error.to_string()),
    }
    match slack.scopes().await {
        Ok(Some(granted)) => match missing(&granted).as_slice() {
            [] => report.right("slack scopes", "all that are needed"),
            missing => report.wrong(
                "slack scopes",
                &format!("the token lacks {}: add them to the app and install it again", missing.join(", ")),
            ),
        },
        Ok(None) => report.wrong("slack scopes", "Slack did not say which the token has"),
        Err(error) => report.wrong("slack scopes", &error.to_string()),
    }
    match slack.channel(&settings.slack.war_room).await {
        Ok(room) => match room.fault() {
            Some(why) => report.wrong("slack channel", &why),
            None if room.is_member => report.right("slack channel", &format!("#{}, the bot is a member", room.name)),
            None => {
                let why = format!("the bot is not a member of #{}: type /invite @irp there", room.name);
                report.wrong("slack channel", &why);
            }
        },
        Err(error) => report.wrong("slack channel", &format!("IRP_WAR_ROOM {}: {error}", settings.slack.war_room)),
    }
    let mut policy = settings.organisation.policy(None);
    let groups: Vec<GroupId> = policy.groups().into_iter().cloned().collect();
    for group in groups {
        match slack.members(&group).await {
            Ok(members) => {
                report.right("slack group", &format!("{group} has {} member(s)", members.len()));
                policy.members.insert(group, members);
            }
            Err(error) => report.wrong("slack group", &format!("{group} in irp.toml: {error}")),
        }
    }
    for why in settings.organisation.shortages(&policy) {
        report.wrong("people", &why);
    }
    if !policy.has_unread_groups() {
        settings.organisation.powerless(&policy).for_each(|why| report.wrong("people", &why));
        if let Some(why) = settings.organisation.unaided(&policy) {
            report.warn("people", &why);
        }
    }
    for user in policy.responders.users.union(&policy.approvers.users) {
        match slack.standing(user).await {
            Ok(Standing::Member) => report.right("slack person", &format!("{user} is a member")),
            Ok(standing) => report
                .wrong("slack person", &format!("{user} in irp.toml is {standing:?} to Slack and could do nothing")),
            Err(error) => report.wrong("slack person", &format!("{user} in irp.toml: {error}")),
        }
    }
    absent(&slack, settings, &policy, report).await;
    if let Some(token) = &settings.slack.app_token {
        match slack.open_socket(token).await {
            Ok(socket) => {
                socket.close().await;
                report.right("slack socket", "opens");
            }
            Err(error) => report.wrong("slack socket", &error.to_string()),
        }
    }
}

/// Names those of the file who are not in the war room: Slack notifies nobody else of what mentions them there, and a bot's
/// message is not followed by the question whether to invite them.
async fn absent(slack: &SlackChat, settings: &Settings, policy: &Policy, report: &Report) {
    let present = match slack.present(&settings.slack.war_room).await {
        Ok(present) => present,
        Err(error) => return report.warn("slack channel", &format!("who is in it is not known: {error}")),
    };
    let approvers = policy.accounts(&policy.approvers);
    let mut others = policy.accounts(&policy.responders);
    for called in &policy.page {
        match called {
            Called::User(user) => drop(others.insert(user.clone())),
            Called::Group(group) => match slack.members(group).await {
                Ok(members) => others.extend(members),
                Err(error) => {
                    let why = format!("who of {group} in people.page is in the war room is not known: {error}");
                    report.warn("slack group", &why);
                }
            },
        }
    }
    let in_room: BTreeSet<_> = present.iter().map(|user| policy.person(user)).collect();
    let is_absent = |user: &&UserId| !in_room.contains(&policy.person(user));
    for user in approvers.union(&others).filter(is_absent) {
        let why = if approvers.contains(user) {
            "Slack does not notify them of a request there; the bot sends them a direct message instead"
        } else {
            "Slack does not notify them of anything there"
        };
        report.warn("slack channel", &format!("{user} in irp.toml is not in the war room: {why}. Invite them there"));
    }
}

async fn store(settings: &Settings, report: &mut Report) {
    if let Some(why) = unsealed(settings) {
        report.wrong("store", why);
    }
    match open_store(settings.redis_url.expose_secret(), &settings.seal_keys).await {
        Err(error) => report.wrong("store", &format!("{error:#}")),
        Ok(store) => {
            match store.durability_faults().await {
                Ok(faults) if faults.is_empty() => report.right("store", "answers, and keeps what it is given"),
                Ok(faults) => faults.iter().for_each(|fault| report.wrong("store", fault)),
                Err(error) => report.wrong("store", &error.to_string()),
            }
            aside(&*store, report).await;
        }
    }
}

/// An alert or a click that nobody could read, and that may still be wanted.
async fn aside(store: &dyn Store, report: &mut Report) {
    match store.aside().await {
        Ok(0) => {}
        Ok(count) => report.warn(
            "store",
            &format!(
                "{count} delivery(s) that could not be read are set aside, each with why: XRANGE {UNREADABLE} - + shows \
                 them. What can be read by now goes back with XADD, to the stream in its field lane, with its field e; \
                 DEL {UNREADABLE} once all are looked at"
            ),
        ),
        Err(error) => report.wrong("store", &error.to_string()),
    }
}

async fn aws(settings: &Settings, report: &mut Report) {
    let cloud = AwsCloud::new(aws_settings(settings)).await;
    report.note("aws identity", cloud.caller().await.map_err(|e| e.to_string()));
    if settings.organisation.accounts.is_empty() {
        report.wrong("aws accounts", "irp.toml has no [[account]]: the bot could not read or contain anything");
    }
    for account in &settings.organisation.accounts {
        for (what, outcome) in cloud.check_account(&account.id).await {
            report.note(&format!("aws {} {what}", account.name), outcome);
        }
    }
    for (what, outcome) in cloud.check_organization().await {
        report.note(&format!("aws organization: {what}"), outcome);
    }
}
