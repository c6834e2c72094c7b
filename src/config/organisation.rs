//! `irp.toml`: who responds, who approves, which accounts there are and what is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Faults;
use crate::domain::approval::Digest;
use crate::domain::id::{AccountId, UserId};
use crate::domain::policy::Policy;

/// The whole file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    people: People,
    #[serde(default, rename = "person")]
    persons: Vec<Person>,
    #[serde(default)]
    approval: Approval,
    #[serde(default)]
    protected: Protected,
    /// The AWS accounts.
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    /// Another playbook than the one compiled in.
    pub playbook: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct People {
    responders: BTreeSet<UserId>,
    approvers: BTreeSet<UserId>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    slack: Vec<UserId>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Approval {
    contain_quorum: u8,
    loosen_quorum: u8,
    approve_within_minutes: u32,
    execute_within_minutes: u32,
}

impl Default for Approval {
    fn default() -> Self {
        Self { contain_quorum: 1, loosen_quorum: 1, approve_within_minutes: 15, execute_within_minutes: 5 }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Protected {
    arns: BTreeSet<String>,
}

/// One AWS account.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Twelve digits.
    pub id: AccountId,
    /// For people.
    pub name: String,
    /// Assumed for reading; the bot's own identity when absent.
    pub reader_role_arn: Option<String>,
    /// Assumed anew for every approved change; the bot's own identity when absent.
    pub contain_role_arn: Option<String>,
    /// Regions whose trail is read, besides us-east-1.
    #[serde(default)]
    pub regions: Vec<String>,
}

impl Organisation {
    /// Reads and checks a file. `path` names it in the faults.
    pub fn parse(text: &str, path: &str) -> Result<Self, Faults> {
        let organisation: Self =
            toml::from_str(text).map_err(|e| Faults(vec![format!("{path}: {}", e.to_string().trim_end())]))?;
        let faults = organisation.faults(path);
        if faults.is_empty() { Ok(organisation) } else { Err(Faults(faults)) }
    }

    fn faults(&self, path: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let policy = self.policy(None);
        let people = |list: &BTreeSet<UserId>| list.iter().map(|u| policy.person(u)).collect::<BTreeSet<_>>();
        let approvers = people(&policy.approvers);
        let everybody: BTreeSet<_> = people(&policy.responders).union(&approvers).cloned().collect();
        for (name, quorum) in
            [("contain_quorum", self.approval.contain_quorum), ("loosen_quorum", self.approval.loosen_quorum)]
        {
            let quorum_people = usize::from(quorum);
            if quorum == 0 {
                faults.push(format!(
                    "{path}: approval.{name} is 0: every change needs a second person, so 1 is the least."
                ));
            } else if approvers.len() < quorum_people || everybody.len() < quorum_people + 1 {
                faults.push(format!(
                    "{path}: approval.{name} is {quorum}, but people.approvers lists {} person(s) and {} in all can take part: \
                     nothing could ever be approved. List more people, or lower it.",
                    approvers.len(),
                    everybody.len()
                ));
            }
        }
        for (name, minutes, most) in [
            ("approve_within_minutes", self.approval.approve_within_minutes, 24 * 60),
            ("execute_within_minutes", self.approval.execute_within_minutes, 60),
        ] {
            if minutes == 0 || minutes > most {
                faults.push(format!("{path}: approval.{name} is {minutes}: it has to be from 1 to {most}."));
            }
        }
        let mut seen: BTreeMap<&UserId, &str> = BTreeMap::new();
        for person in &self.persons {
            if person.slack.is_empty() {
                faults.push(format!(
                    "{path}: person “{}” has no Slack account: give at least one id in slack.",
                    person.name
                ));
            }
            for user in &person.slack {
                if let Some(other) = seen.insert(user, &person.name) {
                    faults.push(format!("{path}: {user} is listed for both “{other}” and “{}”.", person.name));
                }
            }
        }
        for arn in self.protected.arns.iter().filter(|arn| !is_principal_arn(arn)) {
            faults.push(format!(
                "{path}: protected.arns: “{arn}” is not the ARN of one user or role (arn:aws:iam::123456789012:role/NAME), so \
                 nothing would be protected by it."
            ));
        }
        let mut ids = BTreeSet::new();
        for account in &self.accounts {
            if !ids.insert(&account.id) {
                faults.push(format!("{path}: account {} is listed twice.", account.id));
            }
            for (name, arn) in
                [("reader_role_arn", &account.reader_role_arn), ("contain_role_arn", &account.contain_role_arn)]
            {
                let wanted = format!(":iam::{}:role/", account.id);
                if let Some(arn) = arn.as_ref().filter(|arn| !arn.starts_with("arn:") || !arn.contains(&wanted)) {
                    faults.push(format!(
                        "{path}: account {}: {name} “{arn}” is not the ARN of a role in this account (arn:aws:iam::{}:role/NAME).",
                        account.id, account.id
                    ));
                }
            }
            for region in account.regions.iter().filter(|r| !is_region(r)) {
                faults.push(format!("{path}: account {}: “{region}” is not a Region such as eu-west-1.", account.id));
            }
        }
        faults
    }

    /// The rules. The bot's own roles, and `own` identity, are protected whether or not the file says so.
    pub fn policy(&self, own: Option<&str>) -> Policy {
        let mut protected_arns = self.protected.arns.clone();
        protected_arns.extend(own.and_then(principal_of));
        for account in &self.accounts {
            protected_arns.extend(account.reader_role_arn.clone());
            protected_arns.extend(account.contain_role_arn.clone());
        }
        let aliases = self
            .persons
            .iter()
            .filter_map(|p| p.slack.split_first())
            .flat_map(|(first, others)| others.iter().map(move |other| (other.clone(), first.clone())))
            .collect();
        Policy {
            responders: self.people.responders.clone(),
            approvers: self.people.approvers.clone(),
            aliases,
            protected_arns,
            contain_quorum: self.approval.contain_quorum,
            loosen_quorum: self.approval.loosen_quorum,
            approve_within: TimeDelta::minutes(self.approval.approve_within_minutes.into()),
            execute_within: TimeDelta::minutes(self.approval.execute_within_minutes.into()),
            version: Digest::of(&(&self.people, &self.persons, &self.approval, &self.protected)).short().to_owned(),
        }
    }
}

/// The user or role behind the ARN that `sts:GetCallerIdentity` gives. A session's ARN leaves out the
/// role's path: such a role is then protected by its name at the root path only.
fn principal_of(caller: &str) -> Option<String> {
    if is_principal_arn(caller) {
        return Some(caller.to_owned());
    }
    let (account, role) = caller.split_once(":sts::")?.1.split_once(":assumed-role/")?;
    Some(format!("arn:aws:iam::{account}:role/{}", role.split('/').next()?))
}

/// As IAM writes them: a session's ARN or a pattern never equals what is compared with it.
fn is_principal_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else { return false };
    let named = resource.strip_prefix("user/").or_else(|| resource.strip_prefix("role/"));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
    (arn, service, region) == ("arn", "iam", "")
        && partition.starts_with("aws")
        && account.parse::<AccountId>().is_ok()
        && named.is_some_and(|name| !name.is_empty() && name.bytes().all(plain))
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), [first, .., last]
        if parts.len() >= 3 && first.len() == 2 && last.bytes().all(|b| b.is_ascii_digit()) && !last.is_empty())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: &str = "[people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\n";

    fn faults(text: &str) -> String {
        Organisation::parse(text, "irp.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name() {
        for (text, names) in [
            (format!("{PEOPLE}[approval]\ncontain_quorum = 0\n"), "contain_quorum is 0"),
            (format!("{PEOPLE}[approval]\nloosen_quorum = 2\n"), "loosen_quorum is 2"),
            ("[people]\nresponders = []\napprovers = [\"U2A\"]\n".into(), "contain_quorum"),
            (format!("{PEOPLE}[[person]]\nname = \"Bo\"\nslack = [\"U1A\", \"U2A\"]\n"), "1 in all"),
            (format!("{PEOPLE}[approval]\napprove_within_minutes = 0\n"), "from 1 to"),
            (format!("{PEOPLE}[[account]]\nid = \"12\"\nname = \"x\"\n"), "12-digit"),
            (format!("{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\nregions = [\"mars\"]\n"), "mars"),
            (
                format!(
                    "{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\ncontain_role_arn = \"arn:aws:iam::999999999999:role/x\"\n"
                ),
                "contain_role_arn",
            ),
            (format!("{PEOPLE}typo = 1\n"), "typo"),
            (format!("{PEOPLE}[protected]\narns = [\"arn:aws:iam::111122223333:role/*\"]\n"), "protected.arns"),
            (
                format!("{PEOPLE}[protected]\narns = [\"arn:aws:sts::111122223333:assumed-role/a/b\"]\n"),
                "protected.arns",
            ),
            ("[people]\nresponders = [\"ana\"]\napprovers = [\"U2A\"]\n".into(), "Slack user id"),
        ] {
            let faults = faults(&text);
            assert!(faults.contains(names) && faults.starts_with("irp.toml"), "{text}: {faults}");
        }
    }

    #[test]
    fn the_bot_never_contains_itself() {
        let organisation = Organisation::parse(PEOPLE, "irp.toml").unwrap();
        let protected = |own| organisation.policy(Some(own)).protected_arns;
        for (own, arn) in [
            ("arn:aws:sts::111122223333:assumed-role/irp-bot/i-1", "arn:aws:iam::111122223333:role/irp-bot"),
            ("arn:aws:iam::111122223333:user/irp-bot", "arn:aws:iam::111122223333:user/irp-bot"),
        ] {
            assert!(protected(own).contains(arn), "{own}");
        }
    }

    #[test]
    fn two_accounts_of_one_human_are_one_person() {
        let text = format!("{PEOPLE}[[person]]\nname = \"Ana\"\nslack = [\"U1A\", \"U3A\"]\n");
        let policy = Organisation::parse(&text, "irp.toml").unwrap().policy(None);
        assert_eq!(policy.person(&"U3A".parse().unwrap()), policy.person(&"U1A".parse().unwrap()));
        assert!(policy.is_responder(&policy.person(&"U3A".parse().unwrap())));
    }
}
