//! A function that the attacker has made.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{Function, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Cuts a function off from what calls it, and deletes it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeleteFunction {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub function_name: String,
}

impl DeleteFunction {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a Function> {
        match seen {
            Observation::Function(function) if function.name == self.function_name => Some(function),
            _ => None,
        }
    }
}

/// Why it cannot be undone, and what besides its own code can be the attacker's.
fn lost(function: &Function) -> String {
    let lost = "A deleted function cannot be brought back: AWS keeps neither its code nor its URL.";
    if function.layers.is_empty() {
        return lost.to_owned();
    }
    let (layers, foreign) = (function.layers.join(", "), function.foreign_layers());
    if foreign.is_empty() {
        return format!("{lost} The code of these layers runs with its own: {layers}.");
    }
    format!(
        "{lost} The code of these layers runs with its own: {layers}. Of another account, whose code may not be given \
         out: {}.",
        foreign.join(", ")
    )
}

impl Change for DeleteFunction {
    fn kind(&self) -> &'static str {
        "delete-function"
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
        format!("Delete function {} in {}", self.function_name, self.region)
    }

    fn effect(&self) -> String {
        "What calls it and who may is taken off first, then the function goes with all its versions. The plan has its \
         configuration, its policy, its layers and the SHA-256 of its code. The code itself, and what AWS says of the \
         function and its versions, what their variables hold included, is put into the vault first (IRP_VAULT; where \
         that is not set, the bot's working directory), and nothing is called if that fails. What AWS does not let the \
         bot read besides stands there in manifest.json, under not_kept; the code of its versions and of its layers is in \
         packs of its own, which are named there under packs."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::Function { region: self.region.clone(), function_name: self.function_name.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(function) = self.observed(before) else { return wrong_answer() };
        let name = || self.function_name.clone();
        let sources = function.sources.keys().map(|id| ApiCall::DeleteEventSourceMapping { uuid: id.clone() });
        let url = function.url.as_ref().map(|_| ApiCall::DeleteFunctionUrlConfig { function_name: name() });
        let allowed = function.statements().into_keys();
        let allowed = allowed.map(|statement_id| ApiCall::RemovePermission { function_name: name(), statement_id });
        let rules = function.rules.iter().flat_map(|(rule, by)| by.target_ids.iter().map(move |id| (rule, id)));
        let rules = rules.map(|(rule, id)| ApiCall::RemoveTargets { rule: rule.clone(), ids: id.clone() });
        let itself = ApiCall::DeleteFunction { function_name: name() };
        let calls = sources.chain(url).chain(allowed).chain(rules).chain([itself]).collect();
        Ok(WorkedOut::plain(calls, Inverse::None(lost(function))))
    }

    /// A function has no unique id: one that was made again under its name has another revision.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if was.code_sha256 != is.code_sha256 {
            return Freshness::Changed(format!(
                "its code has been changed since: SHA-256 was {} and is {}",
                was.code_sha256, is.code_sha256
            ));
        }
        if was.revision != is.revision {
            return Freshness::Changed("it has been changed or made again since".to_owned());
        }
        // A layer cannot change without the revision, and a plan of an earlier version of the bot names none.
        if *was != (Function { layers: was.layers.clone(), ..is.clone() }) {
            return Freshness::Changed("what calls it, or who may, has been changed since".to_owned());
        }
        Freshness::AsApproved
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], _now: &Observation) -> bool {
        false
    }

    fn removes_target(&self) -> bool {
        true
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let Some(function) = self.observed(now) else { return Vec::new() };
        let sources = (!function.sources.is_empty()).then(|| format!("{} event source(s)", function.sources.len()));
        let url = function.url.as_ref().map(|_| "its URL".to_owned());
        let rules = (!function.rules.is_empty()).then(|| format!("{} rule(s) that call it", function.rules.len()));
        sources.into_iter().chain(url).chain(rules).chain(["the function".to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{CalledBy, Source, Url};

    fn action() -> DeleteFunction {
        DeleteFunction { region: "us-east-1".into(), function_name: "f".into() }
    }

    fn function() -> Function {
        let source = Source { arn: "arn:aws:lambda:us-east-1:1:event-source-mapping:u".into(), from: "q".into() };
        Function {
            name: "f".into(),
            arn: "arn:aws:lambda:us-east-1:111122223333:function:f".into(),
            role: "r".into(),
            runtime: "python3.12".into(),
            handler: "m.f".into(),
            code_sha256: "abc".into(),
            revision: "1".into(),
            changed_at: "2026-01-01".into(),
            variables: Vec::new(),
            policy: None,
            url: Some(Url { address: "https://x".into(), auth: "NONE".into() }),
            sources: BTreeMap::from([("u".to_owned(), source)]),
            versions: BTreeMap::new(),
            rules: BTreeMap::new(),
            layers: Vec::new(),
        }
    }

    #[test]
    fn what_calls_it_goes_before_it() {
        let work = action().work_out(&Observation::Function(function())).unwrap();
        let names: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
        assert_eq!(names, ["DeleteEventSourceMapping", "DeleteFunctionUrlConfig", "DeleteFunction"]);
        let command = work.calls[0].cli("us-east-1");
        assert_eq!(command, "aws lambda delete-event-source-mapping --uuid u --region us-east-1");
    }

    #[test]
    fn whoever_may_call_it_and_the_rules_that_do_are_taken_off_it() {
        let by =
            CalledBy { arn: "arn:aws:events:us-east-1:111122223333:rule/tick".into(), target_ids: vec!["1".into()] };
        let called = Function {
            policy: Some(r#"{"Statement":[{"Sid":"url","Effect":"Allow","Principal":"*"}]}"#.into()),
            rules: BTreeMap::from([("tick".to_owned(), by)]),
            url: None,
            sources: BTreeMap::new(),
            ..function()
        };
        let before = Observation::Function(called);
        let work = action().work_out(&before).unwrap();
        let names: Vec<&str> = work.calls.iter().map(ApiCall::operation).collect();
        assert_eq!(names, ["RemovePermission", "RemoveTargets", "DeleteFunction"]);
        assert!(work.calls.iter().all(|call| call.removes() && call.resource_in(&before.arns()).is_some()));
        assert_eq!(action().left(&before), ["1 rule(s) that call it", "the function"]);
    }

    #[test]
    fn approvers_see_the_layers_and_which_are_of_another_account() {
        let why = |layers: &[&str]| {
            let layers = layers.iter().map(|layer| (*layer).to_owned()).collect();
            match action().work_out(&Observation::Function(Function { layers, ..function() })).unwrap().inverse {
                Inverse::None(why) => why,
                Inverse::Calls(calls) => panic!("{calls:?}"),
            }
        };
        let own = "arn:aws:lambda:us-east-1:111122223333:layer:tools:2";
        let foreign = "arn:aws:lambda:us-east-1:444455556666:layer:payload:1";
        assert!(!why(&[]).contains("layer"));
        assert!(why(&[own]).contains(own) && !why(&[own]).contains("another account"));
        assert!(why(&[own, foreign]).ends_with(&format!("may not be given out: {foreign}.")));
    }

    #[test]
    fn a_plan_from_before_the_layers_were_read_is_still_the_function() {
        let mut text = serde_json::to_value(function()).unwrap();
        assert!(text.as_object_mut().unwrap().remove("layers").is_none(), "none is written where there are none");
        let before = Observation::Function(serde_json::from_value(text).unwrap());
        let now = Function { layers: vec!["arn:aws:lambda:us-east-1:111122223333:layer:tools:2".into()], ..function() };
        assert_eq!(action().freshness(&before, &Observation::Function(now)), Freshness::AsApproved);
    }

    #[test]
    fn a_function_with_other_code_is_not_what_was_approved() {
        let action = Action::DeleteFunction(action());
        let before = Observation::Function(function());
        let fresh = |now: Function| action.freshness(&before, &Observation::Function(now));
        assert_eq!(fresh(function()), Freshness::AsApproved);
        assert!(matches!(fresh(Function { code_sha256: "x".into(), ..function() }), Freshness::Changed(_)));
        assert!(matches!(fresh(Function { revision: "2".into(), ..function() }), Freshness::Changed(_)));
        assert!(matches!(fresh(Function { url: None, ..function() }), Freshness::Changed(_)));
        assert_eq!(action.freshness(&before, &Observation::OwnerMissing), Freshness::AlreadyDone);
        assert!(action.holds(&before, &[], &Observation::OwnerMissing));
        assert_eq!(action.left(&before, &before), ["1 event source(s)", "its URL", "the function"]);
    }
}
