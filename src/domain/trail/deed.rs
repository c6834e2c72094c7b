//! What a call has put on a resource that was there before: as much as is needed to take it off again. A document is
//! never part of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Record;
use super::renamed;
use super::resource::{at, cut, items, member};
use super::uploaded;
use super::within::event_bus;

/// Longest text that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// One thing that was done to a resource that the attacker has touched.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// The call: `AttachUserPolicy`.
    pub operation: String,
    /// What was put there or taken off: a policy's ARN or name, a version, a user, as the call has it. Empty where the
    /// call says all.
    pub what: String,
    /// The event that proves it.
    pub event_id: String,
    /// Whether the attacker did it: others take back what they did.
    pub by_attacker: bool,
    /// Whether the version of a policy that it has made came into force with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_default: bool,
}

/// As much of a deed as its record says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// See [`Deed::what`].
    pub what: String,
    /// See [`Deed::made_default`].
    pub made_default: bool,
}

/// What a change of a trust policy says that is the bot's own: it can be a deny beside what the attacker has put there.
pub const BY_BOT: &str = "irp";

/// In the place of a call, for all those of which there were too many to be kept.
const LEFT_OUT: &str = "(more than is kept)";

impl Deed {
    /// Stands for deeds that are left out, the first of them with this event. They count as the attacker's: nobody can
    /// say that they are not.
    pub fn left_out(event_id: &str) -> Self {
        let event_id = event_id.to_owned();
        let operation = LEFT_OUT.to_owned();
        Self { operation, what: String::new(), event_id, by_attacker: true, made_default: false }
    }

    /// Whether it is about what this other one is about. One call deletes several versions of a launch template.
    pub fn is_about(&self, other: &Self) -> bool {
        let is_list = self.operation == "DeleteLaunchTemplateVersions";
        self.what == other.what || (is_list && self.what.split(' ').any(|version| version == other.what))
    }

    /// Whether it stands for others.
    pub fn is_left_out(&self) -> bool {
        self.operation == LEFT_OUT
    }
}

/// What a call that worked has put there or taken off, or that it has changed something that only people put back; none
/// where that does not matter.
pub fn said(record: &Record<'_>, request: &Value, response: &Value) -> Option<Said> {
    let what = what(record, request, response)?;
    let makes_version = (record.source(), record.name()) == ("iam", "CreatePolicyVersion");
    Some(Said { what, made_default: makes_version && made_default(request, response) })
}

/// Whether a `CreatePolicyVersion` has put its version in force.
pub fn made_default(request: &Value, response: &Value) -> bool {
    let is = |tree, name| member(tree, name) == Some(&Value::Bool(true));
    is(request, "setAsDefault") || member(response, "policyVersion").is_some_and(|made| is(made, "isDefaultVersion"))
}

fn what(record: &Record<'_>, request: &Value, response: &Value) -> Option<String> {
    match (record.source(), record.name()) {
        ("iam", _) => {}
        ("events", name) => return of_rule(record, name, request),
        (
            "ec2",
            "AuthorizeSecurityGroupIngress"
            | "AuthorizeSecurityGroupEgress"
            | "ModifySecurityGroupRules"
            | "ModifySnapshotAttribute"
            | "ModifyImageAttribute"
            | "ModifyLaunchTemplate",
        )
        | ("lambda", "UpdateFunctionCode" | "UpdateFunctionConfiguration" | "UpdateAlias" | "PutFunctionConcurrency")
        | (
            "cloudtrail",
            "StopLogging" | "StartLogging" | "UpdateTrail" | "PutEventSelectors" | "PutInsightSelectors",
        )
        | ("guardduty", "ArchiveFindings") => return Some(String::new()),
        _ if is_switched(record) => return Some(String::new()),
        // Of these, whose queries are logged.
        ("route53resolver", "AssociateResolverQueryLogConfig" | "DisassociateResolverQueryLogConfig") => {
            let mut of = at(request, "resourceId").into_iter().next()?;
            cut(&mut of, TEXT_BYTES_MAX);
            return Some(of);
        }
        // Whether it was switched on or off; empty where something else of it was changed.
        ("guardduty", "UpdateDetector") => {
            let on = member(request, "enable").and_then(Value::as_bool);
            return Some(on.map(|on| on.to_string()).unwrap_or_default());
        }
        ("ec2", "CreateLaunchTemplateVersion") => {
            return word(response, "CreateLaunchTemplateVersionResponse.launchTemplateVersion.versionNumber");
        }
        ("ec2", "DeleteLaunchTemplateVersions") => {
            let list = member(request, "DeleteLaunchTemplateVersionsRequest");
            let list = list.and_then(|asked| member(asked, "LaunchTemplateVersion"))?;
            let numbers: Vec<String> = items(list).iter().filter_map(|one| word(one, "content")).collect();
            let mut text = numbers.join(" ");
            cut(&mut text, TEXT_BYTES_MAX);
            return Some(text);
        }
        // The function that it feeds: with one of the attacker's own it goes.
        ("lambda", "CreateEventSourceMapping") => {
            let mut function = at(request, "functionName").into_iter().next()?;
            cut(&mut function, TEXT_BYTES_MAX);
            return Some(function);
        }
        ("lambda", "AddPermission" | "RemovePermission") => {
            let mut id = at(request, "statementId").into_iter().next()?;
            cut(&mut id, TEXT_BYTES_MAX);
            return Some(id);
        }
        _ => return None,
    }
    if let Some(mut said) = uploaded::what(record.name(), request, response) {
        cut(&mut said, TEXT_BYTES_MAX);
        return Some(said);
    }
    let (tree, path) = match record.name() {
        "AttachUserPolicy" | "AttachRolePolicy" | "AttachGroupPolicy" | "DetachUserPolicy" | "DetachRolePolicy"
        | "DetachGroupPolicy" => (request, "policyArn"),
        "PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy" | "DeleteUserPolicy" | "DeleteRolePolicy"
        | "DeleteGroupPolicy" => (request, "policyName"),
        "CreatePolicyVersion" => (response, "policyVersion.versionId"),
        "DeletePolicyVersion" | "SetDefaultPolicyVersion" => (request, "versionId"),
        "AddUserToGroup" | "RemoveUserFromGroup" => (request, "userName"),
        "EnableMFADevice" | "DeactivateMFADevice" => (request, "serialNumber"),
        "CreateAccessKey" => (response, "accessKey.userName"),
        "CreateServiceSpecificCredential" => (response, "serviceSpecificCredential.userName"),
        // Where it names nobody, it is about the caller's own.
        "UpdateServiceSpecificCredential" => {
            let asked = at(request, "userName").into_iter().next();
            let own = || record.user_identity.user_name.as_deref().map(str::to_owned);
            let mut user = asked.or_else(own).unwrap_or_default();
            cut(&mut user, TEXT_BYTES_MAX);
            return Some(user);
        }
        "CreateLoginProfile"
        | "UpdateLoginProfile"
        | "DeleteLoginProfile"
        | "UpdateAssumeRolePolicy"
        | "PutUserPermissionsBoundary"
        | "DeleteUserPermissionsBoundary"
        | "PutRolePermissionsBoundary"
        | "DeleteRolePermissionsBoundary" => return Some(String::new()),
        name @ ("UpdateUser" | "UpdateGroup") => {
            let asked = |parameter: &str| at(request, parameter).into_iter().next();
            let names = asked(if name == "UpdateUser" { "userName" } else { "groupName" })
                .zip(asked(if name == "UpdateUser" { "newUserName" } else { "newGroupName" }));
            return Some(names.map(|(from, to)| renamed::what(&from, &to)).unwrap_or_default());
        }
        _ => return None,
    };
    let mut text = at(tree, path).into_iter().next()?;
    cut(&mut text, TEXT_BYTES_MAX);
    Some(text)
}

/// Whether it is a call on what can be switched off (`switch`). All that changes such a thing is among them: once somebody has
/// switched it on again, nothing else of the attacker's may be forgotten with that.
fn is_switched(record: &Record<'_>) -> bool {
    matches!(
        (record.source(), record.name()),
        ("cloudtrail", "StartEventDataStoreIngestion" | "StopEventDataStoreIngestion" | "UpdateEventDataStore")
            | ("config", "PutConfigurationRecorder" | "StartConfigurationRecorder" | "StopConfigurationRecorder")
            | (
                "ec2",
                "DisableEbsEncryptionByDefault"
                    | "DisableSerialConsoleAccess"
                    | "EnableEbsEncryptionByDefault"
                    | "EnableSerialConsoleAccess"
            )
            | (
                "kms",
                "CreateGrant"
                    | "DeleteImportedKeyMaterial"
                    | "DisableKey"
                    | "EnableKey"
                    | "ImportKeyMaterial"
                    | "PutKeyPolicy"
            )
            | ("macie2", "UpdateMacieSession")
            | ("monitoring", "DisableAlarmActions" | "EnableAlarmActions" | "PutCompositeAlarm" | "PutMetricAlarm")
            | ("rolesanywhere", "DisableTrustAnchor" | "EnableTrustAnchor" | "UpdateTrustAnchor")
    )
}

/// The unique id that AWS has given to what a call has made: of two things that bear the same name one after the other, it
/// says which. None where AWS gives none besides the name.
pub fn unique_id(record: &Record<'_>, response: &Value) -> Option<String> {
    let path = match (record.source(), record.name()) {
        ("iam", "CreateUser") => "user.userId",
        ("iam", "CreateRole") => "role.roleId",
        ("iam", "CreateGroup") => "group.groupId",
        ("iam", "CreatePolicy") => "policy.policyId",
        ("iam", "CreateInstanceProfile") => "instanceProfile.instanceProfileId",
        ("ec2", "CreateKeyPair" | "ImportKeyPair") => "keyPairId",
        _ => return None,
    };
    let mut id = at(response, path).into_iter().next()?;
    cut(&mut id, TEXT_BYTES_MAX);
    Some(id)
}

/// A number or text at a path.
fn word(tree: &Value, path: &str) -> Option<String> {
    match path.split('.').try_fold(tree, member)? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// What a call has put on a rule of the default bus: the ids of targets, with a space between two. A name on another bus
/// is another rule's.
fn of_rule(record: &Record<'_>, name: &str, request: &Value) -> Option<String> {
    let account = record.recipient_account_id.as_deref().unwrap_or("");
    if at(request, "eventBusName").first().is_some_and(|bus| event_bus(account, bus).is_some()) {
        return None;
    }
    let mut text = match name {
        "PutRule" | "DeleteRule" | "DisableRule" | "EnableRule" => String::new(),
        "PutTargets" => at(request, "targets[].id").join(" "),
        "RemoveTargets" => at(request, "ids[]").join(" "),
        _ => return None,
    };
    cut(&mut text, TEXT_BYTES_MAX);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Said> {
        let record: Record<'_> = serde_json::from_str(json).unwrap();
        said(&record, &record.request(), &record.response())
    }

    fn of(json: &str) -> Option<String> {
        read(json).map(|said| said.what)
    }

    fn makes_default(json: &str) -> bool {
        read(json).unwrap().made_default
    }

    #[test]
    fn what_was_put_there_is_kept_and_no_document() {
        let put = r#"{"eventSource":"iam.amazonaws.com","eventName":"PutUserPolicy",
            "requestParameters":{"userName":"ci","policyName":"p","policyDocument":"{}"}}"#;
        assert_eq!(of(put).as_deref(), Some("p"));
        let version = r#"{"eventSource":"iam.amazonaws.com","eventName":"CreatePolicyVersion",
            "responseElements":{"policyVersion":{"versionId":"v3"}}}"#;
        assert_eq!(of(version).as_deref(), Some("v3"));
        assert!(!makes_default(version));
        assert!(makes_default(&version.replace(r#""v3""#, r#""v3","isDefaultVersion":true"#)));
        assert!(makes_default(
            &version.replace(r#""responseE"#, r#""requestParameters":{"setAsDefault":true},"responseE"#)
        ));
        // Of a call that says so and is another.
        let chosen = r#"{"eventSource":"iam.amazonaws.com","eventName":"SetDefaultPolicyVersion",
            "requestParameters":{"versionId":"v3","setAsDefault":true}}"#;
        assert_eq!((of(chosen).as_deref(), makes_default(chosen)), (Some("v3"), false));
        let trust = r#"{"eventSource":"iam.amazonaws.com","eventName":"UpdateAssumeRolePolicy"}"#;
        assert_eq!(of(trust).as_deref(), Some(""));
        assert_eq!(of(&version.replace("iam.", "ec2.")), None);
        let targets = r#"{"eventSource":"events.amazonaws.com","eventName":"PutTargets",
            "requestParameters":{"rule":"r","targets":[{"id":"1","arn":"a"},{"id":"two","arn":"b"}]}}"#;
        assert_eq!(of(targets).as_deref(), Some("1 two"));
        assert_eq!(of(&targets.replace(r#""rule":"r""#, r#""rule":"r","eventBusName":"other""#)), None);
        assert_eq!(of(r#"{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"}"#), None);
        let template = |call: &str, rest: &str| {
            of(&format!(r#"{{"eventSource":"ec2.amazonaws.com","eventName":"{call}",{rest}}}"#))
        };
        let added = r#""responseElements":{"CreateLaunchTemplateVersionResponse":{"launchTemplateVersion":{"versionNumber":2}}}"#;
        assert_eq!(template("CreateLaunchTemplateVersion", added).as_deref(), Some("2"));
        let gone = |list: &str| {
            let asked = format!(
                r#""requestParameters":{{"DeleteLaunchTemplateVersionsRequest":{{"LaunchTemplateVersion":{list}}}}}"#
            );
            template("DeleteLaunchTemplateVersions", &asked)
        };
        assert_eq!(gone(r#"{"content":2,"tag":1}"#).as_deref(), Some("2"));
        assert_eq!(gone(r#"[{"content":"2","tag":1},{"content":"3","tag":2}]"#).as_deref(), Some("2 3"));
        let recorder = |call: &str| {
            let named = r#""requestParameters":{"configurationRecorderName":"default"}"#;
            of(&format!(r#"{{"eventSource":"config.amazonaws.com","eventName":"{call}",{named}}}"#))
        };
        for call in ["StopConfigurationRecorder", "StartConfigurationRecorder"] {
            assert_eq!(recorder(call).as_deref(), Some(""), "{call}");
        }
        assert_eq!(recorder("DescribeConfigurationRecorders"), None);
        let queries = r#"{"eventSource":"route53resolver.amazonaws.com","eventName":"DisassociateResolverQueryLogConfig",
            "requestParameters":{"resolverQueryLogConfigId":"rqlc-1","resourceId":"vpc-1"}}"#;
        assert_eq!(of(queries).as_deref(), Some("vpc-1"));
        let device = r#"{"eventSource":"iam.amazonaws.com","eventName":"EnableMFADevice",
            "requestParameters":{"userName":"ci","serialNumber":"arn:aws:iam::111122223333:mfa/phone"}}"#;
        assert_eq!(of(device).as_deref(), Some("arn:aws:iam::111122223333:mfa/phone"));
        let again = r#"{"eventSource":"iam.amazonaws.com","eventName":"UpdateServiceSpecificCredential",
            "userIdentity":{"type":"IAMUser","userName":"ana"},"requestParameters":{"userName":"ci","status":"Active"}}"#;
        assert_eq!(of(again).as_deref(), Some("ci"));
        assert_eq!(of(&again.replace(r#""userName":"ci","#, "")).as_deref(), Some("ana"), "the caller's own");
    }
}
