//! Which sessions are the bot's own: what it does to a role that the attacker has touched is not somebody else's work, and
//! whoever calls a role of theirs like one of the bot's is not the bot.

use std::collections::BTreeSet;

/// The roles that the bot's templates make.
const TEMPLATE: [&str; 4] = ["irp-bot", "irp-contain", "irp-eradicate", "irp-reader"];

/// The roles and the user as which the bot calls AWS. By default the roles of its templates, in any account: whoever reads
/// logs offline knows no others.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bots {
    /// ARNs of users; of a role how its sessions' ARNs go on after the service.
    own: BTreeSet<String>,
}

impl Bots {
    /// By the ARNs of roles and users. Without any, the default.
    pub fn of<'a>(arns: impl IntoIterator<Item = &'a str>) -> Self {
        let own = |arn: &str| match arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/")) {
            Some((account, role)) => {
                let name = role.rsplit('/').next().unwrap_or(role);
                format!("{account}:assumed-role/{name}/")
            }
            None => arn.to_owned(),
        };
        Self { own: arns.into_iter().map(own).collect() }
    }

    /// Whether a call's caller, by its ARN, is the bot.
    pub fn has(&self, caller: &str) -> bool {
        let Some(session) = caller.strip_prefix("arn:aws:sts::") else { return self.own.contains(caller) };
        if self.own.is_empty() {
            let role = session.split_once(":assumed-role/").and_then(|(_, role)| role.split('/').next());
            return role.is_some_and(|role| TEMPLATE.contains(&role));
        }
        self.own.iter().any(|own| session.starts_with(own.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(account: &str, role: &str) -> String {
        format!("arn:aws:sts::{account}:assumed-role/{role}/INC-1.2")
    }

    #[test]
    fn a_role_is_the_bots_in_its_own_account_and_under_its_own_name() {
        let bots = Bots::of(["arn:aws:iam::111122223333:role/security/acme-irp", "arn:aws:iam::111122223333:user/irp"]);
        assert!(bots.has(&session("111122223333", "acme-irp")) && bots.has("arn:aws:iam::111122223333:user/irp"));
        for other in [
            session("999999999999", "acme-irp"),
            session("111122223333", "acme-irp-2"),
            session("111122223333", "irp-contain"),
            "arn:aws:iam::111122223333:user/irp2".into(),
            "arn:aws:iam::111122223333:role/security/acme-irp".into(),
            String::new(),
        ] {
            assert!(!bots.has(&other), "{other}");
        }
    }

    #[test]
    fn who_knows_none_goes_by_the_templates_names() {
        let bots = Bots::of([]);
        assert!(bots == Bots::default() && bots.has(&session("111122223333", "irp-contain")));
        for other in [session("111122223333", "irp-contain-2"), "arn:aws:iam::1:user/irp-bot".into(), String::new()] {
            assert!(!bots.has(&other), "{other}");
        }
    }
}
