//! A function that was there before and whose code the attacker has changed: the code of the newest version that was
//! published before that is put back.

use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, listed, something_else};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{ChangedFunction, Observation, Probe};
use crate::domain::policy::ActionClass;

/// What Lambda takes at once, packed. More has to come by way of S3, which the bot does not write to.
const UPLOAD_BYTES_MAX: u64 = 50 << 20;

/// Puts a function's code back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RestoreFunctionCode {
    /// Where it is.
    pub region: String,
    /// Its name.
    pub function_name: String,
    /// The attacker's calls.
    pub event_ids: Vec<String>,
}

impl RestoreFunctionCode {
    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a ChangedFunction> {
        match seen {
            Observation::ChangedFunction(changed) if changed.function.name == self.function_name => Some(changed),
            _ => None,
        }
    }

    fn by_hand(&self, why: &str) -> String {
        format!(
            "{why} Put it back by hand from where it is built: aws lambda update-function-code --region {} \
             --function-name {} --zip-file fileb://….",
            self.region, self.function_name
        )
    }

    /// What is more than Lambda takes at once goes by way of a bucket.
    fn by_way_of_s3(&self, version: &str, bytes: u64) -> String {
        let (Self { region, function_name: name, .. }, mb) = (self, bytes >> 20);
        format!(
            "The code of version {version} of {name} has {mb} MB, and Lambda takes at most {} MB at once. Put it back by hand: \
             aws lambda get-function --region {region} --function-name {name} --qualifier {version} --query Code.Location \
             says where it is; put it into a bucket in {region}, and then aws lambda update-function-code --region {region} \
             --function-name {name} --s3-bucket … --s3-key ….",
            UPLOAD_BYTES_MAX >> 20
        )
    }
}

impl Change for RestoreFunctionCode {
    fn kind(&self) -> &'static str {
        "restore-function-code"
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
        format!("Put the code of function {} in {} back", self.function_name, self.region)
    }

    fn effect(&self) -> String {
        "The function runs the code of the newest version that was published before the attacker changed it. What was \
         changed between that and the attacker is lost with it; configuration stays as it is. The file in the call is that \
         version's code, as aws lambda get-function --qualifier gives it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        let (region, function_name) = (self.region.clone(), self.function_name.clone());
        Probe::FunctionCode { region, function_name, event_ids: self.event_ids.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Some(changed) = self.observed(before) else { return wrong_answer() };
        let name = &self.function_name;
        let Some(at) = &changed.first_changed_at else {
            return Err(self.by_hand(&format!(
                "The event history of {} does not show the attacker's calls ({}), so it is not known which code was there \
                 before.",
                self.region,
                listed(&self.event_ids)
            )));
        };
        let Some(previous) = &changed.previous else {
            return Err(
                self.by_hand(&format!("No version of {name} was published before the attacker changed it at {at}."))
            );
        };
        if previous.code_sha256 == changed.function.code_sha256 {
            return Err(format!("Function {name} has the code of version {} already.", previous.version));
        }
        if let Some(bytes) = previous.bytes.filter(|bytes| *bytes > UPLOAD_BYTES_MAX) {
            return Err(self.by_way_of_s3(&previous.version, bytes));
        }
        let call = ApiCall::UpdateFunctionCode {
            function_name: name.clone(),
            zip_file: format!("fileb://{name}.{}.zip", previous.version),
            revision_id: changed.function.revision.clone(),
        };
        let gone = "The attacker's code is not put back: it is in the vault, where there is one.";
        Ok(WorkedOut::plain(vec![call], Inverse::None(gone.to_owned())))
    }

    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return something_else();
        };
        if was.previous.as_ref().is_some_and(|previous| previous.code_sha256 == is.function.code_sha256) {
            return Freshness::AlreadyDone;
        }
        if was.function.revision != is.function.revision || was.previous != is.previous {
            return Freshness::Changed("the function or its versions have been changed since".to_owned());
        }
        Freshness::AsApproved
    }

    fn holds(&self, before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else { return false };
        was.previous.as_ref().is_some_and(|previous| previous.code_sha256 == is.function.code_sha256)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::{Function, PublishedCode};

    fn seen(code: &str, revision: &str, first_changed_at: Option<&str>, previous: Option<&str>) -> Observation {
        let published = |version: &str| PublishedCode {
            version: version.into(),
            code_sha256: format!("code {version}"),
            bytes: Some(1_000),
            changed_at: "2026-01-01".into(),
        };
        Observation::ChangedFunction(ChangedFunction {
            function: Function {
                name: "f".into(),
                arn: "arn:aws:lambda:us-east-1:111122223333:function:f".into(),
                role: "r".into(),
                runtime: "python3.12".into(),
                handler: "m.f".into(),
                code_sha256: code.into(),
                revision: revision.into(),
                changed_at: "2026-01-02".into(),
                variables: Vec::new(),
                policy: None,
                url: None,
                sources: BTreeMap::new(),
                versions: BTreeMap::new(),
                rules: BTreeMap::new(),
                layers: Vec::new(),
            },
            first_changed_at: first_changed_at.map(str::to_owned),
            previous: previous.map(published),
        })
    }

    fn action() -> Action {
        let event_ids = vec!["e-1".to_owned()];
        Action::RestoreFunctionCode(RestoreFunctionCode {
            region: "us-east-1".into(),
            function_name: "f".into(),
            event_ids,
        })
    }

    #[test]
    fn the_code_of_the_version_before_comes_back_at_the_revision_that_was_seen() {
        let before = seen("theirs", "r-1", Some("2026-01-02"), Some("3"));
        let work = action().work_out(&before).unwrap();
        let command = "aws lambda update-function-code --function-name f --zip-file fileb://f.3.zip --revision-id r-1 \
                       --region us-east-1";
        assert_eq!(work.calls[0].cli("us-east-1"), command);
        assert!(work.calls[0].resource_in(&before.arns()).is_some());
        let after = seen("code 3", "r-2", Some("2026-01-02"), Some("3"));
        assert!(action().holds(&before, &work.calls, &after) && !action().holds(&before, &work.calls, &before));
        assert_eq!(action().freshness(&before, &after), Freshness::AlreadyDone);
        assert_eq!(action().freshness(&before, &before), Freshness::AsApproved);
        let again = seen("theirs", "r-2", Some("2026-01-02"), Some("3"));
        assert!(matches!(action().freshness(&before, &again), Freshness::Changed(_)));
        assert!(action().work_out(&after).unwrap_err().contains("already"));
    }

    #[test]
    fn code_that_lambda_does_not_take_at_once_is_for_people() {
        let of = |bytes| {
            let mut before = seen("theirs", "r-1", Some("2026-01-02"), Some("3"));
            let Observation::ChangedFunction(changed) = &mut before else { unreachable!() };
            changed.previous.as_mut().unwrap().bytes = bytes;
            action().work_out(&before)
        };
        assert!(of(Some(50 << 20)).is_ok() && of(None).is_ok());
        let by_hand = of(Some(61 << 20)).unwrap_err();
        for part in ["has 61 MB", "at most 50 MB", "--qualifier 3", "--s3-bucket"] {
            assert!(by_hand.contains(part), "{part}: {by_hand}");
        }
    }

    #[test]
    fn without_a_version_or_the_event_nobody_guesses() {
        let none = action().work_out(&seen("theirs", "r-1", Some("2026-01-02"), None)).unwrap_err();
        assert!(none.contains("No version of f was published") && none.contains("by hand"), "{none}");
        let unproven = action().work_out(&seen("theirs", "r-1", None, None)).unwrap_err();
        assert!(unproven.contains("does not show the attacker's calls (e-1)"), "{unproven}");
    }
}
