//! `irp.toml`: who responds, who approves, which accounts there are and what is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Faults;
use super::approval::Approval;
use super::athena::Athena;
use super::management::Management;
use super::page;
use crate::domain::approval::Digest;
use crate::domain::id::{AccountId, GroupId, UserId};
use crate::domain::policy::{List, PersonId, Policy, Rules};
use crate::domain::recusal::plain;

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
    break_glass: BreakGlass,
    #[serde(default)]
    protected: Protected,
    /// The AWS accounts.
    #[serde(default, rename = "account")]
    pub accounts: Vec<Account>,
    /// The management account of their organization, where the bot may deny from outside.
    pub organization: Option<Management>,
    /// Another playbook than the one compiled in.
    pub playbook: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct People {
    #[serde(default)]
    responders: BTreeSet<UserId>,
    #[serde(default)]
    approvers: BTreeSet<UserId>,
    #[serde(default)]
    responder_groups: BTreeSet<GroupId>,
    #[serde(default)]
    approver_groups: BTreeSet<GroupId>,
    #[serde(default)]
    escalation: BTreeSet<UserId>,
    /// Not written into the version of the rules: who is called decides nothing, and changing it cancels no request.
    #[serde(default, skip_serializing)]
    page: BTreeSet<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    slack: Vec<UserId>,
    #[serde(default)]
    aws: BTreeSet<String>,
}

/// Off unless it names somebody.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct BreakGlass {
    people: BTreeSet<UserId>,
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
    /// Assumed anew for every approved change; without it the bot changes nothing here.
    pub contain_role_arn: Option<String>,
    /// Assumed anew for every approved removal; without it the bot removes nothing here.
    pub eradicate_role_arn: Option<String>,
    /// Regions that are looked at and searched, besides us-east-1; all that are enabled when absent.
    pub regions: Option<Vec<String>>,
    /// Where its logs can be searched, for what the event history does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub athena: Option<Athena>,
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
        // Groups are only known to Slack: who is in them is checked at the start and by `irp check`.
        if self.people.responder_groups.is_empty() && self.people.approver_groups.is_empty() {
            faults.extend(self.shortages(&self.policy(None)).into_iter().map(|why| format!("{path}: {why}")));
        }
        faults.extend(page::faults(&self.people.page).into_iter().map(|why| format!("{path}: {why}")));
        faults.extend(self.approval.faults().into_iter().map(|why| format!("{path}: {why}")));
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
        let own = self.organization.iter().flat_map(Management::roles).chain(&self.protected.arns);
        let roles =
            |a: &'_ Account| [a.reader_role_arn.clone(), a.contain_role_arn.clone(), a.eradicate_role_arn.clone()];
        let of_accounts: Vec<String> = self.accounts.iter().flat_map(roles).flatten().collect();
        for arn in own.chain(&of_accounts).filter(|arn| is_of_another_partition(arn)) {
            faults.push(format!(
                "{path}: “{arn}” is not in the partition aws: the bot does not work in AWS's Regions in China, in GovCloud or \
                 in any other partition yet."
            ));
        }
        for arn in self.protected.arns.iter().filter(|arn| !is_of_another_partition(arn) && !is_principal_arn(arn)) {
            faults.push(format!(
                "{path}: protected.arns: “{arn}” is not the ARN of one user or role (arn:aws:iam::123456789012:role/NAME), so \
                 nothing would be protected by it."
            ));
        }
        let mut owned: BTreeMap<&str, &str> = BTreeMap::new();
        for person in &self.persons {
            for thing in &person.aws {
                if let Some(other) = owned.insert(thing, &person.name) {
                    faults.push(format!("{path}: “{thing}” belongs to both “{other}” and “{}”.", person.name));
                }
            }
        }
        if self.people.responder_groups.is_empty() && self.people.approver_groups.is_empty() {
            faults.extend(self.powerless(&self.policy(None)).map(|fault| format!("{path}: {fault}")));
        }
        let mut ids = BTreeSet::new();
        for account in &self.accounts {
            if !ids.insert(&account.id) {
                faults.push(format!("{path}: account {} is listed twice.", account.id));
            }
            for (name, arn) in [
                ("reader_role_arn", &account.reader_role_arn),
                ("contain_role_arn", &account.contain_role_arn),
                ("eradicate_role_arn", &account.eradicate_role_arn),
            ] {
                let wanted = format!(":iam::{}:role/", account.id);
                if let Some(arn) = arn.as_ref().filter(|arn| !arn.starts_with("arn:") || !arn.contains(&wanted)) {
                    faults.push(format!(
                        "{path}: account {}: {name} “{arn}” is not the ARN of a role in this account (arn:aws:iam::{}:role/NAME).",
                        account.id, account.id
                    ));
                }
            }
            for region in account.regions.iter().flatten().filter(|r| !is_region(r)) {
                faults.push(format!("{path}: account {}: “{region}” is not a Region such as eu-west-1.", account.id));
            }
            let wrong = account.athena.iter().flat_map(Athena::faults);
            faults.extend(wrong.map(|why| format!("{path}: account {}: {why}", account.id)));
        }
        let wrong = self.organization.iter().flat_map(Management::faults);
        faults.extend(wrong.map(|why| format!("{path}: {why}")));
        faults
    }

    /// Why some class of actions could never be approved, with the people that a policy knows.
    pub fn shortages(&self, policy: &Policy) -> Vec<String> {
        let approvers = policy.people(&policy.approvers);
        let everybody: BTreeSet<_> = policy.people(&policy.responders).union(&approvers).cloned().collect();
        let short = |quorum: usize| approvers.len() < quorum || everybody.len() < quorum + 1;
        let quorums = self.approval.classes().into_iter().filter_map(|(name, _, class)| Some((name, class.quorum?)));
        quorums
            .filter(|(_, quorum)| short(usize::from(*quorum)))
            .map(|(name, quorum)| {
                format!(
                    "approval.{name}.quorum is {quorum}, but there are {} approver(s), and {} in all can take part: nothing \
                     could ever be approved. List more people, or lower it.",
                    approvers.len(),
                    everybody.len()
                )
            })
            .collect()
    }

    /// Who may break the glass by the file and could not, as people stand in these rules: they would find out in the emergency.
    /// And who could, but with nobody to say afterwards whether it was right: they would find out when it is to be closed.
    pub fn powerless(&self, policy: &Policy) -> impl Iterator<Item = String> {
        let approvers = policy.people(&policy.approvers);
        self.break_glass.people.iter().filter_map(move |user| {
            let person = policy.person(user);
            if !policy.is_responder(&person) {
                return Some(format!(
                    "break_glass.people: {user} is no responder and no approver, so they could not use it."
                ));
            }
            approvers.iter().all(|approver| *approver == person).then(|| {
                format!(
                    "break_glass.people: beside {user} there is no approver who could say whether it was right, and until \
                     then no incident is closed in which they have used it. List another approver."
                )
            })
        })
    }

    /// Those who have nobody to approve what they ask for themselves. It works for all others: it is said, and refuses nothing.
    pub fn unaided(&self, policy: &Policy) -> Option<String> {
        let approvers = policy.people(&policy.approvers);
        let quorums = self.approval.classes().into_iter().filter_map(|(name, _, class)| Some((name, class.quorum?)));
        let scarce = quorums.filter(|(_, quorum)| approvers.len() <= usize::from(*quorum));
        let scarce: Vec<String> = scarce.map(|(name, quorum)| format!("approval.{name}.quorum is {quorum}")).collect();
        let named: Vec<&str> = approvers.iter().map(|person| person.0.as_str()).collect();
        let (scarce, named) = (scarce.join(", "), named.join(", "));
        (!scarce.is_empty()).then(|| {
            format!(
                "{scarce}, and there are no more approvers than that: what any of them ({named}) asks for could never be \
                 approved, only what others ask for. List another approver."
            )
        })
    }

    /// The rules. The bot's own roles, and `own` identity, are protected whether or not the file says so.
    pub fn policy(&self, own: Option<&str>) -> Policy {
        let mut bots: BTreeSet<String> = own.and_then(principal_of).into_iter().collect();
        for account in &self.accounts {
            bots.extend(account.reader_role_arn.clone());
            bots.extend(account.contain_role_arn.clone());
            bots.extend(account.eradicate_role_arn.clone());
        }
        bots.extend(self.organization.iter().flat_map(Management::roles).cloned());
        let protected_arns = self.protected.arns.union(&bots).cloned().collect();
        let aliases = self
            .persons
            .iter()
            .filter_map(|p| p.slack.split_first())
            .flat_map(|(first, others)| others.iter().map(move |other| (other.clone(), first.clone())))
            .collect();
        let belongings = self
            .persons
            .iter()
            .filter_map(|p| Some((p, PersonId(p.slack.first()?.clone()))))
            .flat_map(|(p, id)| p.aws.iter().map(move |thing| (plain(thing), id.clone())))
            .collect();
        let minutes = |n: u32| TimeDelta::minutes(n.into());
        let rules = self.approval.classes().into_iter().filter_map(|(_, class, asked)| {
            let rules = Rules {
                quorum: asked.quorum?,
                approve_within: minutes(asked.approve_within_minutes),
                execute_within: minutes(asked.execute_within_minutes),
            };
            Some((class, rules))
        });
        Policy {
            responders: List { users: self.people.responders.clone(), groups: self.people.responder_groups.clone() },
            approvers: List { users: self.people.approvers.clone(), groups: self.people.approver_groups.clone() },
            members: BTreeMap::new(),
            aliases,
            belongings,
            protected_arns,
            bots,
            rules: rules.collect(),
            break_glass: self.break_glass.people.clone(),
            escalation: self.people.escalation.clone(),
            page: page::called(&self.people.page),
            logs: self.accounts.iter().filter(|a| a.athena.is_some()).map(|a| a.id.clone()).collect(),
            version: self.version(),
        }
    }

    /// Rules without an organization keep the version that they had before there could be one.
    fn version(&self) -> String {
        let Self { people, persons, approval, break_glass, protected, accounts, .. } = self;
        let rules = (people, persons, approval, break_glass, protected, accounts);
        let digest = self.organization.as_ref().map_or_else(|| Digest::of(&rules), |of| Digest::of(&(&rules, of)));
        digest.short().to_owned()
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
        && partition == "aws"
        && account.parse::<AccountId>().is_ok()
        && named.is_some_and(|name| !name.is_empty() && name.bytes().all(plain))
}

/// Whether it is an ARN, but of `aws-cn`, `aws-us-gov` or the like.
fn is_of_another_partition(text: &str) -> bool {
    text.strip_prefix("arn:").and_then(|rest| rest.split_once(':')).is_some_and(|(partition, _)| partition != "aws")
}

/// A Region of the partition `aws`: those of the others begin with `cn-`, or have a part more.
pub(super) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), [first, _, last]
        if first.len() == 2 && *first != "cn" && last.bytes().all(|b| b.is_ascii_digit()) && !last.is_empty())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::ActionClass;

    const QUORUMS: &str = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n";
    const PEOPLE: &str = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                          [people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\n";

    fn faults(text: &str) -> String {
        Organisation::parse(text, "irp.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name() {
        for (text, names) in [
            (PEOPLE.replace("contain.quorum = 1", "contain.quorum = 0"), "contain.quorum is 0"),
            (PEOPLE.replace("loosen.quorum = 1", "loosen.quorum = 2"), "loosen.quorum is 2, but there are 1"),
            (PEOPLE.replace("eradicate.quorum = 1", "eradicate.quorum = 2"), "eradicate.quorum is 2, but there are 1"),
            (PEOPLE.replace("contain.quorum = 1\n", ""), "approval.contain.quorum is missing"),
            (PEOPLE.replace("loosen.quorum = 1\n", ""), "approval.loosen.quorum is missing"),
            (PEOPLE.replace("eradicate.quorum = 1\n", ""), "approval.eradicate.quorum is missing"),
            (PEOPLE.replace("\"U1A\"", ""), "contain.quorum"),
            (format!("{PEOPLE}[[person]]\nname = \"Bo\"\nslack = [\"U1A\", \"U2A\"]\n"), "1 in all"),
            (PEOPLE.replace("[people]", "contain.approve_within_minutes = 0\n[people]"), "from 1 to"),
            (format!("{PEOPLE}[[account]]\nid = \"12\"\nname = \"x\"\n"), "12-digit"),
            (format!("{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\nregions = [\"mars\"]\n"), "mars"),
            (
                format!(
                    "{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\ncontain_role_arn = \"arn:aws:iam::999999999999:role/x\"\n"
                ),
                "contain_role_arn",
            ),
            (format!("{PEOPLE}typo = 1\n"), "typo"),
            (format!("{PEOPLE}page = [\"U1A\", \"@oncall\"]\n"), "people.page: “@oncall” is neither a Slack user id"),
            (format!("{PEOPLE}page = [\"C0WARROOM1\"]\n"), "“C0WARROOM1” is neither"),
            (format!("{PEOPLE}[break_glass]\npeople = [\"U1A\", \"U9A\"]\n"), "break_glass.people: U9A is no"),
            (format!("{PEOPLE}[break_glass]\npeople = [\"U2A\"]\n"), "beside U2A there is no approver"),
            (
                format!(
                    "{PEOPLE}[[person]]\nname = \"Bo\"\nslack = [\"U2A\", \"U3A\"]\n[break_glass]\npeople = [\"U3A\"]\n"
                ),
                "beside U3A there is no approver",
            ),
            (format!("{PEOPLE}[protected]\narns = [\"arn:aws:iam::111122223333:role/*\"]\n"), "protected.arns"),
            (
                format!("{PEOPLE}[protected]\narns = [\"arn:aws:sts::111122223333:assumed-role/a/b\"]\n"),
                "protected.arns",
            ),
            (PEOPLE.replace("approvers = [\"U2A\"]", "approver_groups = [\"security\"]"), "user group id"),
            (
                format!(
                    "{PEOPLE}[[person]]\nname = \"A\"\nslack = [\"U5\"]\naws = [\"x\"]\n[[person]]\nname = \"B\"\nslack = [\"U6\"]\naws = [\"x\"]\n"
                ),
                "belongs to both",
            ),
            (PEOPLE.replace("U1A", "ana"), "Slack user id"),
            (
                format!("{PEOPLE}[organization]\nreader_role_arn = \"irp-org-reader\"\n"),
                "organization: reader_role_arn",
            ),
            (
                format!(
                    "{PEOPLE}[organization]\nreader_role_arn = \"arn:aws:iam::111122223333:role/r\"\ncontain_role_arn = \"arn:aws:iam::444455556666:role/c\"\n"
                ),
                "two accounts",
            ),
            (format!("{PEOPLE}[organization]\nidentity_center_region = \"mars\"\n"), "mars"),
            (
                format!("{PEOPLE}[protected]\narns = [\"arn:aws-cn:iam::111122223333:role/x\"]\n"),
                "arn:aws-cn:iam::111122223333:role/x” is not in the partition aws",
            ),
            (
                format!(
                    "{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\nreader_role_arn = \"arn:aws-us-gov:iam::111122223333:role/x\"\n"
                ),
                "is not in the partition aws",
            ),
            (
                format!("{PEOPLE}[organization]\nreader_role_arn = \"arn:aws-us-gov:iam::111122223333:role/x\"\n"),
                "is not in the partition aws",
            ),
            (
                format!("{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\nregions = [\"us-gov-west-1\"]\n"),
                "us-gov-west-1",
            ),
            (
                format!("{PEOPLE}[[account]]\nid = \"111122223333\"\nname = \"x\"\nregions = [\"cn-north-1\"]\n"),
                "cn-north-1",
            ),
        ] {
            let faults = faults(&text);
            assert!(faults.contains(names) && faults.starts_with("irp.toml"), "{text}: {faults}");
        }
    }

    #[test]
    fn the_bot_never_contains_itself() {
        let organisation = Organisation::parse(PEOPLE, "irp.toml").unwrap();
        let policy = |own| organisation.policy(Some(own));
        for (own, arn) in [
            ("arn:aws:sts::111122223333:assumed-role/irp-bot/i-1", "arn:aws:iam::111122223333:role/irp-bot"),
            ("arn:aws:iam::111122223333:user/irp-bot", "arn:aws:iam::111122223333:user/irp-bot"),
        ] {
            assert!(policy(own).protected_arns.contains(arn) && policy(own).bots.contains(arn), "{own}");
        }
    }

    #[test]
    fn an_organization_changes_the_rules_and_its_roles_are_protected() {
        let role = "arn:aws:iam::999988887777:role/irp-org-contain";
        let text = format!("{PEOPLE}[organization]\ncontain_role_arn = \"{role}\"\n");
        let with = Organisation::parse(&text, "irp.toml").unwrap().policy(None);
        let without = Organisation::parse(PEOPLE, "irp.toml").unwrap().policy(None);
        assert!(with.protected_arns.contains(role) && with.bots.contains(role));
        assert_ne!(with.version, without.version);
    }

    #[test]
    fn whoever_breaks_the_glass_needs_another_approver_beside_them() {
        let more = PEOPLE.replace("approvers = [\"U2A\"]", "approvers = [\"U2A\", \"U4A\"]");
        for (people, named) in [(PEOPLE, "U1A"), (more.as_str(), "U2A")] {
            assert!(
                Organisation::parse(&format!("{people}[break_glass]\npeople = [\"{named}\"]\n"), "irp.toml").is_ok()
            );
        }
    }

    #[test]
    fn two_accounts_of_one_human_are_one_person() {
        let text = format!("{PEOPLE}[[person]]\nname = \"Ana\"\nslack = [\"U1A\", \"U3A\"]\n");
        let policy = Organisation::parse(&text, "irp.toml").unwrap().policy(None);
        assert_eq!(policy.person(&"U3A".parse().unwrap()), policy.person(&"U1A".parse().unwrap()));
        assert!(policy.is_responder(&policy.person(&"U3A".parse().unwrap())));
        let accounts = policy.accounts_of(&policy.person(&"U3A".parse().unwrap()));
        let accounts: Vec<&str> = accounts.iter().map(UserId::as_str).collect();
        assert_eq!(accounts, ["U1A", "U3A"]);
        assert_eq!(policy.accounts_of(&policy.person(&"U2A".parse().unwrap())).len(), 1, "nobody else has them");
    }

    #[test]
    fn who_may_break_the_glass_and_is_in_none_of_the_groups_is_named() {
        let groups = "[people]\nresponder_groups = [\"S1A\"]\napprover_groups = [\"S2A\"]\n";
        let text = format!("{QUORUMS}{groups}[break_glass]\npeople = [\"U1A\", \"U2A\", \"U9A\"]\n");
        let organisation = Organisation::parse(&text, "irp.toml").unwrap();
        let mut policy = organisation.policy(None);
        policy.members.insert("S1A".parse().unwrap(), ["U1A".parse().unwrap()].into());
        policy.members.insert("S2A".parse().unwrap(), ["U2A", "U3A"].map(|id| id.parse().unwrap()).into());
        let named: Vec<String> = organisation.powerless(&policy).collect();
        assert!(matches!(&named[..], [why] if why.contains("U9A is no responder and no approver")), "{named:?}");
        policy.members.insert("S2A".parse().unwrap(), ["U2A".parse().unwrap()].into());
        let named: Vec<String> = organisation.powerless(&policy).collect();
        assert!(matches!(&named[..], [alone, _] if alone.contains("beside U2A there is no approver")), "{named:?}");
        policy.members.insert("S2A".parse().unwrap(), ["U2A", "U9A"].map(|id| id.parse().unwrap()).into());
        assert_eq!(organisation.powerless(&policy).next(), None);
    }

    #[test]
    fn who_could_have_nothing_of_their_own_approved_is_named() {
        let unaided = |text: &str| {
            let organisation = Organisation::parse(text, "irp.toml").unwrap();
            organisation.unaided(&organisation.policy(None))
        };
        let said = unaided(PEOPLE).unwrap();
        assert!(said.contains("contain.quorum is 1, approval.loosen.quorum is 1") && said.contains("(U2A)"), "{said}");
        let two = PEOPLE.replace("\"U2A\"", "\"U2A\", \"U3A\"");
        assert_eq!(unaided(&two), None);
        let said = unaided(&two.replace("loosen.quorum = 1", "loosen.quorum = 2")).unwrap();
        assert!(said.starts_with("approval.loosen.quorum is 2, and") && said.contains("(U2A, U3A)"), "{said}");
    }

    #[test]
    fn a_class_that_is_given_in_part_keeps_the_rest_of_its_own() {
        let rules = |text: &str, class| Organisation::parse(text, "irp.toml").unwrap().policy(None).rules(class);
        let (contain, eradicate) = (rules(PEOPLE, ActionClass::Contain), rules(PEOPLE, ActionClass::Eradicate));
        assert_eq!(
            (contain.approve_within, eradicate.approve_within),
            (TimeDelta::minutes(15), TimeDelta::minutes(60))
        );
        let part = PEOPLE.replace("[people]", "eradicate.execute_within_minutes = 9\n[people]");
        let given = rules(&part, ActionClass::Eradicate);
        assert_eq!((given.approve_within, given.execute_within), (TimeDelta::minutes(60), TimeDelta::minutes(9)));
        assert_eq!(rules(&part, ActionClass::Contain), contain);
    }
}
