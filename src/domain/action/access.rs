//! Who may call a function that was there before: permissions and an address that the attacker has added to it. The
//! function stays.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{Change, Freshness, fresh_if, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Function, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Takes statements out of a function's policy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RemovePermissions {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub function_name: String,
    /// The statements that the attacker's calls have added.
    pub statement_ids: BTreeSet<String>,
}

/// Takes the address away at which a function can be called from anywhere.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteFunctionUrl {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub function_name: String,
}

fn observed<'a>(seen: &'a Observation, name: &str) -> Option<&'a Function> {
    match seen {
        Observation::Function(function) if function.name == name => Some(function),
        _ => None,
    }
}

impl RemovePermissions {
    /// The attacker's statements that are there.
    fn theirs(&self, function: &Function) -> BTreeMap<String, Value> {
        let mut statements = function.statements();
        statements.retain(|id, _| self.statement_ids.contains(id));
        statements
    }
}

impl Change for RemovePermissions {
    fn kind(&self) -> &'static str {
        "remove-function-permission"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.function_name
    }

    fn title(&self) -> String {
        format!("Take the attacker's permissions off function {} in {}", self.function_name, self.region)
    }

    fn effect(&self) -> String {
        "Whoever the attacker has let call the function cannot call it any more; everybody else can as before."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Function { region: self.region.clone(), function_name: self.function_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(function) = observed(before, &self.function_name) else { return wrong_answer() };
        let theirs = self.theirs(function);
        if theirs.is_empty() {
            return Err(format!("Function {} has none of the attacker's permissions any more.", self.function_name));
        }
        let off = |statement_id: String| ApiCall::RemovePermission {
            function_name: self.function_name.clone(),
            statement_id,
        };
        let by_hand = "What each statement says stands in the plan: aws lambda add-permission puts it there again.";
        Ok(WorkedOut::plain(theirs.into_keys().map(off).collect(), Inverse::None(by_hand.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let name = &self.function_name;
        let (Some(was), Some(is)) = (observed(before, name), observed(now, name)) else { return something_else() };
        let (was, is) = (self.theirs(was), self.theirs(is));
        if is.is_empty() {
            return Freshness::AlreadyDone;
        }
        fresh_if(is.iter().all(|(id, statement)| was.get(id) == Some(statement)), "what the statements say")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        observed(now, &self.function_name).is_some_and(|function| self.theirs(function).is_empty())
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let function = observed(now, &self.function_name);
        function.into_iter().flat_map(|function| self.theirs(function).into_keys()).collect()
    }
}

impl Change for DeleteFunctionUrl {
    fn kind(&self) -> &'static str {
        "delete-function-url"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Eradicate
    }

    fn region(&self) -> &str {
        &self.region
    }

    fn target(&self) -> &str {
        &self.function_name
    }

    fn title(&self) -> String {
        format!("Delete the URL of function {} in {}", self.function_name, self.region)
    }

    fn effect(&self) -> String {
        "The attacker has made this address. Nobody can call the function there any more; the function stays, and what \
         else calls it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Function { region: self.region.clone(), function_name: self.function_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(function) = observed(before, &self.function_name) else { return wrong_answer() };
        if function.url.is_none() {
            return Err(format!("Function {} has no URL any more.", self.function_name));
        }
        let call = ApiCall::DeleteFunctionUrlConfig { function_name: self.function_name.clone() };
        let lost = "An address does not come back: AWS gives the function another one.";
        Ok(WorkedOut::plain(vec![call], Inverse::None(lost.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let name = &self.function_name;
        let (Some(was), Some(is)) = (observed(before, name), observed(now, name)) else { return something_else() };
        if is.url.is_none() {
            return Freshness::AlreadyDone;
        }
        fresh_if(was.url == is.url, "the function's URL")
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        observed(now, &self.function_name).is_some_and(|function| function.url.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::Url;

    fn function(statements: &[(&str, &str)], url: Option<&str>) -> Observation {
        let statement = |(id, who): &(&str, &str)| serde_json::json!({ "Sid": id, "Principal": who });
        let statements: Vec<Value> = statements.iter().map(statement).collect();
        Observation::Function(Function {
            name: "f".into(),
            arn: "arn:aws:lambda:us-east-1:111122223333:function:f".into(),
            role: "r".into(),
            runtime: "python3.12".into(),
            handler: "m.f".into(),
            code_sha256: "abc".into(),
            revision: "1".into(),
            changed_at: "2026-01-01".into(),
            variables: Vec::new(),
            policy: (!statements.is_empty()).then(|| serde_json::json!({ "Statement": statements }).to_string()),
            url: url.map(|address| Url { address: address.into(), auth: "NONE".into() }),
            sources: BTreeMap::new(),
            versions: BTreeMap::new(),
            rules: BTreeMap::new(),
            layers: Vec::new(),
        })
    }

    #[test]
    fn only_the_attackers_statements_come_off() {
        let statement_ids = BTreeSet::from(["theirs".to_owned(), "gone".to_owned()]);
        let action = Action::RemovePermissions(RemovePermissions {
            region: "us-east-1".into(),
            function_name: "f".into(),
            statement_ids,
        });
        let before = function(&[("own", "api"), ("theirs", "*")], None);
        let work = action.work_out(&before).unwrap();
        assert_eq!(work.calls.len(), 1);
        let command = "aws lambda remove-permission --function-name f --statement-id theirs --region us-east-1";
        assert_eq!(work.calls[0].cli("us-east-1"), command);
        let after = function(&[("own", "api")], None);
        assert!(action.holds(&before, &work.calls, &after) && !action.holds(&before, &work.calls, &before));
        assert_eq!(action.freshness(&before, &after), Freshness::AlreadyDone);
        let more = function(&[("new", "x"), ("own", "api"), ("theirs", "*")], None);
        assert_eq!(action.freshness(&before, &more), Freshness::AsApproved, "others' statements are not its matter");
        let other = function(&[("theirs", "444455556666")], None);
        assert!(matches!(action.freshness(&before, &other), Freshness::Changed(_)));
        assert_eq!(action.left(&before, &before), ["theirs"]);
        assert!(action.work_out(&after).is_err());
    }

    #[test]
    fn an_address_goes_and_the_function_stays() {
        let url = DeleteFunctionUrl { region: "us-east-1".into(), function_name: "f".into() };
        let action = Action::DeleteFunctionUrl(url);
        let before = function(&[], Some("https://a"));
        assert_eq!(action.work_out(&before).unwrap().calls.len(), 1);
        assert_eq!(action.freshness(&before, &function(&[], None)), Freshness::AlreadyDone);
        assert!(matches!(action.freshness(&before, &function(&[], Some("https://b"))), Freshness::Changed(_)));
        assert!(action.holds(&before, &[], &function(&[], None)) && !action.holds(&before, &[], &before));
        assert!(action.work_out(&function(&[], None)).is_err());
    }
}
