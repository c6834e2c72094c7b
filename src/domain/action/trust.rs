//! A role's trust policy that the attacker has changed: put back as it was, or without whom they have let in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{Change, Freshness, fresh_if, something_else};
use super::document::{say_the_same, whole_principal};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Observation, Probe, Trust};
use crate::domain::policy::{ActionClass, without_path};
use crate::domain::trail::token::account_of;

/// As a trust policy names whoever there is.
const EVERYBODY: &str = "*";

/// Puts a trust policy back. A door that the attacker has opened is closed by it; sessions that were taken through it
/// need their own revocation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoreTrustPolicy {
    /// The role.
    pub role_name: String,
    /// The attacker's newest change.
    pub event_id: String,
    /// Their others: what one of them has put is not what there was before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub earlier_event_ids: BTreeSet<String>,
    /// ARNs, without a path, of users and roles that the attacker has made: whoever is trusted among them is theirs for
    /// certain. In older logs their names alone stand here.
    pub attackers: BTreeSet<String>,
}

impl RestoreTrustPolicy {
    /// The document to put.
    fn wanted(&self, now: &Trust) -> Result<String, String> {
        if let Some(previous) = &now.previous {
            return checked(&previous.document).map(str::to_owned);
        }
        let mut document: Value = serde_json::from_str(checked(&now.document)?).map_err(|e| e.to_string())?;
        let before = document.to_string();
        let Some(statements) = document.get_mut("Statement") else { return Err(self.by_hand("it has no statement")) };
        if !statements.is_array() {
            *statements = Value::Array(vec![statements.take()]);
        }
        if let Some(statements) = statements.as_array_mut() {
            statements.retain_mut(|statement| !self.loses_all(statement));
        }
        if say_the_same(&document.to_string(), &before) {
            return Err(self.by_hand(
                "nobody in it is the attacker's for certain, and the event history does not have it as it was before",
            ));
        }
        if document["Statement"].as_array().is_none_or(Vec::is_empty) {
            return Err(self.by_hand("without the attacker nobody would be left in it"));
        }
        Ok(document.to_string())
    }

    /// Takes the attacker's principals out of a statement, and says whether none is left.
    fn loses_all(&self, statement: &mut Value) -> bool {
        let Some(principals) = statement.pointer_mut("/Principal/AWS") else { return false };
        let theirs = |value: &Value| value.as_str().is_some_and(|arn| self.is_theirs(arn));
        match &mut *principals {
            Value::Array(list) => list.retain(|value| !theirs(value)),
            one => {
                if theirs(one) {
                    *one = Value::Array(Vec::new());
                }
            }
        }
        let none_left = principals.as_array().is_some_and(Vec::is_empty);
        if none_left && let Some(of_all_kinds) = statement["Principal"].as_object_mut() {
            of_all_kinds.remove("AWS");
            return of_all_kinds.is_empty();
        }
        false
    }

    /// A user can be called what a role is, and somebody in another account too: neither is the other. A name is there once in
    /// an account, whatever the path.
    fn is_theirs(&self, arn: &str) -> bool {
        let Some(of @ (.., name)) = without_path(arn) else { return false };
        let is =
            |known: &String| if known.starts_with("arn:") { without_path(known) == Some(of) } else { known == name };
        self.attackers.iter().any(is)
    }

    /// Whoever from outside the account stays in what is put, where the event history does not have it as it was before: the
    /// attacker can have let them in.
    pub fn leaves_in(&self, before: &Observation) -> BTreeSet<String> {
        match before {
            Observation::Trust(now) if now.previous.is_none() => {
                self.wanted(now).map(|put| strangers(&put, account_of(&now.identity.arn))).unwrap_or_default()
            }
            _ => BTreeSet::new(),
        }
    }

    fn by_hand(&self, why: &str) -> String {
        let role = &self.role_name;
        format!(
            "The trust policy of role {role} cannot be put back by itself: {why}. By hand: look at it (aws iam get-role \
             --role-name {role}), and put it without whom the attacker has let in (aws iam update-assume-role-policy)."
        )
    }
}

impl Change for RestoreTrustPolicy {
    fn kind(&self) -> &'static str {
        "restore-trust-policy"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn target(&self) -> &str {
        &self.role_name
    }

    fn title(&self) -> String {
        format!("Put the trust policy of role {} back", self.role_name)
    }

    fn effect(&self) -> String {
        "The attacker has changed who may take this role. From then on only those in the new document may. Where the event \
         history does not have it as it was before, only whom the attacker has made is taken out, and whoever else from outside \
         the account is in it is a step for people. Sessions that were taken before live on: revoke them after this."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Trust {
            role_name: self.role_name.clone(),
            event_id: self.event_id.clone(),
            earlier_event_ids: self.earlier_event_ids.clone(),
        }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Observation::Trust(now) = before else { return wrong_answer() };
        let wanted = self.wanted(now)?;
        if say_the_same(&wanted, &now.document) {
            return Err(format!("The trust policy of role {} already is as it was before.", self.role_name));
        }
        if now.put.as_deref().is_some_and(|put| now.previous.is_some() && !say_the_same(put, &now.document)) {
            return Err(self.by_hand("somebody else has changed it after the attacker"));
        }
        let put =
            |policy_document| ApiCall::UpdateAssumeRolePolicy { role_name: self.role_name.clone(), policy_document };
        Ok(WorkedOut::plain(vec![put(wanted)], Inverse::Calls(vec![put(now.document.clone())])))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Observation::Trust(was), Observation::Trust(is)) = (before, now) else {
            return something_else();
        };
        if !say_the_same(&was.document, &is.document)
            && self.wanted(was).is_ok_and(|wanted| say_the_same(&wanted, &is.document))
        {
            return Freshness::AlreadyDone;
        }
        fresh_if(say_the_same(&was.document, &is.document), "the trust policy")
    }

    fn holds(&self, _before: &Observation, sent: &[ApiCall], now: &Observation) -> bool {
        let wanted = sent.iter().find_map(ApiCall::document);
        matches!((wanted, now), (Some(wanted), Observation::Trust(is)) if say_the_same(wanted, &is.document))
    }

    fn takes_access_from(&self, before: &Observation) -> Vec<String> {
        let Observation::Trust(now) = before else { return Vec::new() };
        let Ok(wanted) = self.wanted(now) else { return Vec::new() };
        let stays: BTreeSet<String> = principals(&wanted).iter().map(|name| whole_principal(name)).collect();
        principals(&now.document).into_iter().filter(|name| !stays.contains(&whole_principal(name))).collect()
    }

    fn still_holds(&self, sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match (sent.iter().find_map(ApiCall::document), now) {
            (Some(put), Observation::Trust(is)) if !say_the_same(put, &is.document) => {
                Err(format!("the trust policy of role {} has been changed again", self.role_name))
            }
            _ => Ok(()),
        }
    }
}

/// A document that a role can have: with a statement, and somebody in each.
fn checked(document: &str) -> Result<&str, String> {
    let whole: Value = serde_json::from_str(document).map_err(|_| "The trust policy is no JSON.".to_owned())?;
    let statements = one_or_many(&whole["Statement"]);
    let somebody = |statement: &&Value| !statement["Principal"].is_null();
    if statements.is_empty() || !statements.iter().all(somebody) {
        return Err("The trust policy that it would be put back to trusts nobody: look at it by hand.".to_owned());
    }
    Ok(document)
}

pub(super) fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// Everybody whom a trust policy names.
pub(super) fn principals(document: &str) -> BTreeSet<String> {
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for statement in one_or_many(&whole["Statement"]) {
        let principal = &statement["Principal"];
        let kinds = principal.as_object().into_iter().flat_map(|kinds| kinds.values()).chain([principal]);
        found.extend(kinds.flat_map(one_or_many).filter_map(Value::as_str).map(str::to_owned));
    }
    found
}

/// Whom a trust policy lets in from outside this account: others, everybody, and those for whom a provider vouches.
fn strangers(document: &str, account: &str) -> BTreeSet<String> {
    let Ok(whole) = serde_json::from_str::<Value>(document) else { return BTreeSet::new() };
    let named = |value: &Value| -> Vec<String> {
        one_or_many(value).into_iter().filter_map(Value::as_str).map(whole_principal).collect()
    };
    // One of AWS's ids is a user or role that is gone.
    let is_outside = |name: &String| name == EVERYBODY || (name.starts_with("arn:") && account_of(name) != account);
    let mut found = BTreeSet::new();
    for statement in one_or_many(&whole["Statement"]).into_iter().filter(|statement| statement["Effect"] != "Deny") {
        let principal = &statement["Principal"];
        found.extend(named(&principal["Federated"]));
        found.extend(named(&principal["AWS"]).into_iter().chain(named(principal)).filter(is_outside));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::observation::{Identity, Previous};

    const OLD: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"AWS":["arn:aws:iam::111122223333:user/ci"]}}]}"#;

    fn restore() -> RestoreTrustPolicy {
        RestoreTrustPolicy {
            role_name: "app".into(),
            event_id: "e2".into(),
            earlier_event_ids: BTreeSet::new(),
            attackers: ["arn:aws:iam::111122223333:user/mallory".to_owned()].into(),
        }
    }

    fn trusting(principals: &Value, previous: Option<&str>) -> Observation {
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principals}]});
        Observation::Trust(Trust {
            identity: Identity {
                id: "AROA1".into(),
                arn: "arn:aws:iam::111122223333:role/app".into(),
                path: "/".into(),
            },
            document: document.to_string(),
            put: Some(document.to_string()),
            previous: previous.map(|document| Previous { document: document.into(), event_id: "e1".into() }),
        })
    }

    fn put(work: &WorkedOut) -> BTreeSet<String> {
        principals(work.calls[0].document().unwrap())
    }

    #[test]
    fn the_document_from_before_is_put_back_and_the_undo_puts_the_attackers() {
        let before = trusting(&json!({"AWS": ["arn:aws:iam::111122223333:user/ci", "999999999999"]}), Some(OLD));
        let work = restore().work_out(&before).unwrap();
        assert_eq!(put(&work), ["arn:aws:iam::111122223333:user/ci".to_owned()].into());
        assert_eq!(restore().takes_access_from(&before), ["999999999999"]);
        let Inverse::Calls(back) = &work.inverse else { panic!("no undo") };
        assert!(back[0].document().unwrap().contains("999999999999"));
        let now = trusting(&json!({"AWS": "arn:aws:iam::111122223333:user/ci"}), Some(OLD));
        assert!(restore().holds(&before, &work.calls, &now), "a list of one is the one");
        assert_eq!(restore().freshness(&before, &now), Freshness::AlreadyDone);
        assert!(restore().work_out(&now).unwrap_err().contains("already"));
        assert!(restore().still_holds(&work.calls, &before).is_err());
    }

    #[test]
    fn an_account_that_the_trail_has_by_its_number_is_the_one_that_iam_keeps_as_an_arn() {
        let (number, arn) = ("999999999999", "arn:aws:iam::999999999999:root");
        let old = OLD.replace("arn:aws:iam::111122223333:user/ci", "444455556666");
        let Observation::Trust(mut trust) =
            trusting(&json!({"AWS": [arn, "arn:aws:iam::444455556666:root"]}), Some(&old))
        else {
            panic!()
        };
        trust.put =
            Some(OLD.replace(r#""arn:aws:iam::111122223333:user/ci""#, &format!(r#""{number}","444455556666""#)));
        let before = Observation::Trust(trust);
        let work = restore().work_out(&before).expect("it is still what the attacker has put");
        assert_eq!(put(&work), ["444455556666".to_owned()].into());
        assert_eq!(restore().takes_access_from(&before), [arn]);
        let now = trusting(&json!({"AWS": "arn:aws:iam::444455556666:root"}), Some(&old));
        assert!(restore().holds(&before, &work.calls, &now) && restore().still_holds(&work.calls, &now).is_ok());
        assert!(restore().work_out(&now).unwrap_err().contains("already"));
    }

    #[test]
    fn without_the_document_from_before_only_who_is_the_attackers_for_certain_goes() {
        let (ci, mallory) = ("arn:aws:iam::111122223333:user/ci", "arn:aws:iam::111122223333:user/mallory");
        let work = restore().work_out(&trusting(&json!({"AWS": [ci, mallory]}), None)).unwrap();
        assert_eq!(put(&work), [ci.to_owned()].into());
        let service = json!({"AWS": mallory, "Service": "ec2.amazonaws.com"});
        assert_eq!(
            put(&restore().work_out(&trusting(&service, None)).unwrap()),
            ["ec2.amazonaws.com".to_owned()].into()
        );
        for (principals, why) in [
            (json!({"AWS": mallory}), "nobody would be left"),
            (json!({"AWS": [ci, "999999999999"]}), "for certain"),
            (json!({"AWS": "arn:aws:iam::111122223333:user/not-mallory"}), "for certain"),
        ] {
            let no = restore().work_out(&trusting(&principals, None)).unwrap_err();
            assert!(no.contains(why) && no.contains("aws iam update-assume-role-policy"), "{no}");
        }
    }

    #[test]
    fn whoever_only_bears_the_name_of_one_of_the_attackers_stays() {
        let arn = |of: &str| format!("arn:aws:iam::111122223333:{of}");
        let theirs = arn("user/mallory");
        for (other, stays) in [
            (arn("role/mallory"), true),
            ("arn:aws:iam::444455556666:user/mallory".to_owned(), true),
            (arn("role/ci/user/mallory"), true),
            (arn("user/mallory2"), true),
            (arn("user/a:role/mallory"), false),
            (arn("user/team/mallory"), false),
        ] {
            let before = trusting(&json!({"AWS": [arn("user/ci"), other, theirs]}), None);
            assert_eq!(put(&restore().work_out(&before).unwrap()).contains(&other), stays, "{other}");
        }
        // As logs of an earlier version of the bot have it.
        let of_name = RestoreTrustPolicy { attackers: ["mallory".to_owned()].into(), ..restore() };
        let before = trusting(&json!({"AWS": [arn("user/ci"), arn("role/mallory")]}), None);
        assert_eq!(put(&of_name.work_out(&before).unwrap()), [arn("user/ci")].into());
    }

    #[test]
    fn whoever_stays_from_outside_is_known_where_the_document_from_before_is_not() {
        let (ci, theirs) = ("arn:aws:iam::111122223333:user/ci", "arn:aws:iam::111122223333:user/mallory");
        let provider = "arn:aws:iam::111122223333:oidc-provider/token.example.com";
        let left = |principals: &Value, previous: Option<&str>| -> Vec<String> {
            restore().leaves_in(&trusting(principals, previous)).into_iter().collect()
        };
        for (principals, who) in [
            (json!({"AWS": [ci, theirs]}), vec![]),
            (json!({"AWS": [ci, theirs, "111122223333"]}), vec![]),
            (json!({"AWS": [ci, theirs, "AIDACKCEVSQ6C2EXAMPLE"]}), vec![]),
            (json!({"AWS": [ci, theirs, "999999999999"]}), vec!["arn:aws:iam::999999999999:root"]),
            (json!({"AWS": [theirs, "arn:aws:iam::999999999999:role/ci"]}), vec!["arn:aws:iam::999999999999:role/ci"]),
            (json!({"AWS": [ci, theirs, "*"]}), vec!["*"]),
            (json!({"AWS": theirs, "Federated": provider}), vec![provider]),
            (json!({"AWS": theirs, "Service": "ec2.amazonaws.com"}), vec![]),
        ] {
            assert_eq!(left(&principals, None), who, "{principals}");
            assert!(left(&principals, Some(OLD)).is_empty(), "what was there before is put back: {principals}");
        }
        assert!(left(&json!({"AWS": [ci, "999999999999"]}), None).is_empty(), "then nothing is put");
        let document = |effect: &str, principal: &Value| {
            json!({"Statement": {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}}).to_string()
        };
        assert_eq!(strangers(&document("Allow", &json!("*")), "111122223333"), ["*".to_owned()].into());
        assert!(strangers(&document("Deny", &json!("*")), "111122223333").is_empty());
        assert!(strangers("{", "111122223333").is_empty());
    }

    #[test]
    fn what_others_have_written_since_is_not_overwritten() {
        let Observation::Trust(mut trust) = trusting(&json!({"AWS": "999999999999"}), Some(OLD)) else { panic!() };
        trust.put = Some(OLD.replace("user/ci", "user/other"));
        assert!(restore().work_out(&Observation::Trust(trust)).unwrap_err().contains("somebody else"));
        let Observation::Trust(mut empty) = trusting(&json!({"AWS": "999999999999"}), Some("{}")) else { panic!() };
        assert!(restore().work_out(&Observation::Trust(empty.clone())).unwrap_err().contains("trusts nobody"));
        empty.document = "{".into();
        empty.previous = None;
        assert!(restore().work_out(&Observation::Trust(empty)).is_err());
    }
}
