//! Doors that the attacker has opened: a key pair, a rule of a security group.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change::{Change, Freshness, listed, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{KeyPair, Observation, Opened, Probe, Rule};
use crate::domain::policy::ActionClass;

/// Deletes a key pair that the attacker has made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteKeyPair {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub key_name: String,
}

/// Takes the rules for what comes in away that the attacker has put into a security group.
pub type RevokeIngress = RevokeRules<false>;
/// The same of the rules for what goes out.
pub type RevokeEgress = RevokeRules<true>;

/// Takes away what the attacker has opened in one direction. AWS has other calls for each.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RevokeRules<const EGRESS: bool> {
    /// Where it is.
    pub region: String,
    /// `sg-…`
    pub group_id: String,
    /// The attacker's calls.
    pub event_ids: Vec<String>,
}

impl DeleteKeyPair {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a KeyPair> {
        match seen {
            Observation::KeyPair(pair) if pair.name == self.key_name => Some(pair),
            _ => None,
        }
    }
}

impl Change for DeleteKeyPair {
    fn kind(&self) -> &'static str {
        "delete-key-pair"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.key_name
    }

    fn title(&self) -> String {
        format!("Delete key pair {} in {}", self.key_name, self.region)
    }

    fn effect(&self) -> String {
        "No new instance can be started with it. Instances that already have it let its holder in as before: they need \
         their own removal."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::KeyPair { region: self.region.clone(), key_name: self.key_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(pair) = self.observed(before) else { return wrong_answer() };
        let calls = vec![ApiCall::DeleteKeyPair { key_name: pair.name.clone() }];
        let by_hand = "The public key stands in the plan: whoever needs it can import it again, under a new id.";
        Ok(WorkedOut::plain(calls, Inverse::None(by_hand.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        match (self.observed(before), self.observed(now)) {
            (Some(was), Some(is)) if was.fingerprint == is.fingerprint => Freshness::AsApproved,
            _ => something_else(),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }
}

impl<const EGRESS: bool> RevokeRules<EGRESS> {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a Opened> {
        match seen {
            Observation::Opened(group) if group.group_id == self.group_id && group.egress == EGRESS => Some(group),
            _ => None,
        }
    }

    fn close(&self, rule: &Rule) -> ApiCall {
        let (group_id, security_group_rule_ids) = (self.group_id.clone(), rule.id.clone());
        if EGRESS {
            ApiCall::RevokeSecurityGroupEgress { group_id, security_group_rule_ids }
        } else {
            ApiCall::RevokeSecurityGroupIngress { group_id, security_group_rule_ids }
        }
    }

    /// What is known of rules that let the same through and are not the attacker's own.
    fn alike(&self, group: &Opened) -> String {
        let one =
            |rule: &Rule| format!(" {}: {} ({}).", rule.id, rule.in_words(EGRESS), self.close(rule).cli(&self.region));
        let all: String = group.alike.iter().map(one).collect();
        if all.is_empty() {
            return all;
        }
        format!(
            " It has others that let the same through, which somebody has added since, or which an undo has put back. Ask the \
             owner whose they are, and close by hand what is nobody's.{all}"
        )
    }

    fn open(&self, rule: &Rule) -> ApiCall {
        let (group_id, ip_permissions) = (self.group_id.clone(), rule.permission());
        if EGRESS {
            ApiCall::AuthorizeSecurityGroupEgress { group_id, ip_permissions }
        } else {
            ApiCall::AuthorizeSecurityGroupIngress { group_id, ip_permissions }
        }
    }
}

impl Rule {
    /// The same for people.
    fn in_words(&self, egress: bool) -> String {
        let ports = match (self.from_port, self.to_port) {
            (-1, _) => "all ports".to_owned(),
            (from, to) if from == to => format!("port {from}"),
            (from, to) => format!("ports {from} to {to}"),
        };
        let protocol = if self.protocol == "-1" { "anything" } else { &self.protocol };
        format!("{protocol} on {ports} {} {}", if egress { "to" } else { "from" }, self.source)
    }

    /// Whether it lets the same through: put back, a rule has another id.
    fn lets_the_same(&self, other: &Self) -> bool {
        let said = |rule: &Self| (rule.protocol.clone(), rule.from_port, rule.to_port, rule.source.clone());
        said(self) == said(other)
    }

    fn permission(&self) -> String {
        let source = match self.source.split_once('-') {
            Some(("sg", _)) => json!({ "UserIdGroupPairs": [{ "GroupId": self.source }] }),
            Some(("pl", _)) => json!({ "PrefixListIds": [{ "PrefixListId": self.source }] }),
            _ if self.source.contains(':') => json!({ "Ipv6Ranges": [{ "CidrIpv6": self.source }] }),
            _ => json!({ "IpRanges": [{ "CidrIp": self.source }] }),
        };
        let mut permission = json!({ "IpProtocol": self.protocol });
        if self.protocol != "-1" {
            permission["FromPort"] = json!(self.from_port);
            permission["ToPort"] = json!(self.to_port);
        }
        if let (Some(all), Some(more)) = (permission.as_object_mut(), source.as_object()) {
            all.extend(more.clone());
        }
        json!([permission]).to_string()
    }
}

impl<const EGRESS: bool> Change for RevokeRules<EGRESS> {
    fn kind(&self) -> &'static str {
        if EGRESS { "revoke-security-group-egress" } else { "revoke-security-group-ingress" }
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.group_id
    }

    fn title(&self) -> String {
        let (group_id, region) = (&self.group_id, &self.region);
        let way = if EGRESS { " for what goes out" } else { "" };
        format!("Close what the attacker opened{way} in security group {group_id} in {region}")
    }

    fn effect(&self) -> String {
        "Only the rules that the attacker's calls have added go, by the ids that they were given. Connections that are open stay \
         open until they end."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        let (region, group_id) = (self.region.clone(), self.group_id.clone());
        Probe::Opened { region, group_id, egress: EGRESS, event_ids: self.event_ids.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(group) = self.observed(before) else { return wrong_answer() };
        if !group.proven {
            return Err(format!(
                "The event history of {} shows no rule that the attacker's calls ({}) added, or not all of those calls. Look \
                 at {} in EC2.",
                self.region,
                listed(&self.event_ids),
                self.group_id
            ));
        }
        if group.rules.is_empty() {
            let none = format!("Security group {} has none of the rules that the attacker added.", self.group_id);
            return Err(format!("{none}{}", self.alike(group)));
        }
        let back = Inverse::Calls(group.rules.iter().map(|rule| self.open(rule)).collect());
        Ok(WorkedOut::plain(group.rules.iter().map(|rule| self.close(rule)).collect(), back))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else { return something_else() };
        // By their ids too: the calls name them, and one that was put back since has another.
        let same = was.rules.len() == is.rules.len() && was.rules.iter().all(|rule| is.rules.contains(rule));
        if same {
            Freshness::AsApproved
        } else if is.proven && is.rules.is_empty() {
            Freshness::AlreadyDone
        } else {
            Freshness::Changed("the group's rules have been changed since".to_owned())
        }
    }

    fn is_put_back(&self, before: &Observation, now: &Observation) -> bool {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else { return false };
        // What lets the same through is there again, whatever its id.
        let there = is.rules.iter().chain(&is.alike);
        was.rules.iter().all(|rule| there.clone().any(|other| other.lets_the_same(rule)))
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        self.observed(now).is_some_and(|group| group.proven && group.rules.is_empty())
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        self.observed(now).into_iter().flat_map(|group| &group.rules).map(|rule| rule.in_words(EGRESS)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::id::{IncidentId, RequestId};

    fn rule(id: &str, source: &str) -> Rule {
        Rule { id: id.into(), protocol: "tcp".into(), from_port: 22, to_port: 22, source: source.into() }
    }

    fn ingress(rules: Vec<Rule>) -> Observation {
        let arn = "arn:aws:ec2:us-west-2:111122223333:security-group/sg-1".to_owned();
        Observation::Opened(Opened {
            group_id: "sg-1".into(),
            arn,
            egress: false,
            rules,
            alike: Vec::new(),
            proven: true,
        })
    }

    fn revoke() -> RevokeIngress {
        RevokeIngress { region: "us-west-2".into(), group_id: "sg-1".into(), event_ids: vec!["e".into()] }
    }

    #[test]
    fn the_attackers_rules_go_by_their_ids_and_come_back_by_what_they_say() {
        let action = Action::RevokeIngress(revoke());
        let before = ingress(vec![rule("sgr-1", "198.51.100.77/32"), rule("sgr-2", "2001:db8::/32")]);
        let work = action.work_out(&before).unwrap();
        assert_eq!(work.calls.len(), 2);
        let Inverse::Calls(back) = &work.inverse else { panic!() };
        assert!(back[0].cli("us-west-2").contains(r#""IpRanges":[{"CidrIp":"198.51.100.77/32"}]"#), "{back:?}");
        assert!(back[1].cli("us-west-2").contains("CidrIpv6"));
        assert!(action.holds(&before, &work.calls, &ingress(Vec::new())));
        assert_eq!(action.freshness(&before, &ingress(Vec::new())), Freshness::AlreadyDone);
        let again = ingress(vec![rule("sgr-8", "198.51.100.77/32"), rule("sgr-9", "2001:db8::/32")]);
        assert!(
            matches!(action.freshness(&before, &again), Freshness::Changed(_)),
            "the calls name the ids that are gone"
        );
        let turned = ingress(vec![rule("sgr-2", "2001:db8::/32"), rule("sgr-1", "198.51.100.77/32")]);
        assert_eq!(action.freshness(&before, &turned), Freshness::AsApproved, "AWS lists them in any order");
        let undo = action.undo(&before, &work.calls, RequestId::new(IncidentId::new(1), 1)).unwrap();
        let closed = ingress(Vec::new());
        assert_eq!(undo.freshness(&closed, &closed), Freshness::AsApproved);
        assert_eq!(undo.freshness(&closed, &again), Freshness::AlreadyDone, "put back they have new ids");
        assert!(undo.holds(&closed, back, &again));
        let half = ingress(vec![rule("sgr-1", "198.51.100.77/32")]);
        assert!(matches!(action.freshness(&before, &half), Freshness::Changed(_)));
        assert_eq!(action.left(&before, &half), ["tcp on port 22 from 198.51.100.77/32"]);
    }

    #[test]
    fn what_lets_the_same_through_and_was_added_since_stays_and_counts_as_put_back() {
        let action = Action::RevokeIngress(revoke());
        let before = ingress(vec![rule("sgr-1", "198.51.100.77/32")]);
        let Observation::Opened(closed) = ingress(Vec::new()) else { panic!() };
        let own = vec![rule("sgr-9", "198.51.100.77/32")];
        let now = Observation::Opened(Opened { alike: own, ..closed });
        let work = action.work_out(&before).unwrap();
        assert!(action.holds(&before, &work.calls, &now) && action.left(&before, &now).is_empty());
        assert_eq!(action.freshness(&before, &now), Freshness::AlreadyDone);
        let why = action.work_out(&now).unwrap_err();
        assert!(why.contains("sgr-9: tcp on port 22 from 198.51.100.77/32") && why.contains("Ask the owner"), "{why}");
        assert!(!action.work_out(&ingress(Vec::new())).unwrap_err().contains("Ask the owner"));
        // The attacker's and one of the owner's of other content: only theirs is closed.
        let Observation::Opened(both) = before.clone() else { panic!() };
        let both = Observation::Opened(Opened { alike: vec![rule("sgr-9", "203.0.113.0/24")], ..both });
        assert_eq!(action.work_out(&both).unwrap().calls, work.calls);
        // An undo gives the rules back with new ids: none of them is one that the attacker's calls have added.
        let undo = action.undo(&before, &work.calls, RequestId::new(IncidentId::new(1), 1)).unwrap();
        assert_eq!(undo.freshness(&ingress(Vec::new()), &now), Freshness::AlreadyDone);
        let Inverse::Calls(back) = &work.inverse else { panic!() };
        assert!(undo.holds(&ingress(Vec::new()), back, &now) && !undo.holds(&now, back, &ingress(Vec::new())));
    }

    #[test]
    fn without_the_event_nobody_guesses() {
        let Observation::Opened(group) = ingress(vec![rule("sgr-1", "0.0.0.0/0")]) else { panic!() };
        let unproven = Observation::Opened(Opened { proven: false, ..group });
        assert!(revoke().work_out(&unproven).unwrap_err().contains("shows no rule"));
    }

    #[test]
    fn what_goes_out_is_closed_by_calls_of_its_own() {
        let of = RevokeEgress { region: "us-west-2".into(), group_id: "sg-1".into(), event_ids: vec!["e".into()] };
        let action = Action::RevokeEgress(of);
        let Observation::Opened(group) = ingress(vec![rule("sgr-1", "198.51.100.77/32")]) else { panic!() };
        assert!(action.work_out(&Observation::Opened(group.clone())).is_err(), "that is about what comes in");
        let before = Observation::Opened(Opened { egress: true, ..group });
        let work = action.work_out(&before).unwrap();
        assert_eq!(
            work.calls[0].cli("us-west-2"),
            "aws ec2 revoke-security-group-egress --group-id sg-1 --security-group-rule-ids sgr-1 --region us-west-2"
        );
        let Inverse::Calls(back) = &work.inverse else { panic!() };
        assert_eq!(back[0].operation(), "AuthorizeSecurityGroupEgress");
        assert_eq!(action.left(&before, &before), ["tcp on port 22 to 198.51.100.77/32"]);
        let read = |text: &str| serde_json::from_str::<Action>(text).unwrap();
        let stored = serde_json::to_string(&action).unwrap();
        assert!(stored.contains("revoke-security-group-egress") && read(&stored) == action, "{stored}");
    }
}
