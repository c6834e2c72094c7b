//! Makes the calls of a warrant. For each warrant a session of its own, whose inline policy allows just
//! these calls on just these targets, named after the request, with the approver as source identity: AWS
//! enforces the approval too, and its trail shows who approved. Follows `AssumeRole` in the STS API
//! reference. What happens after an unclear answer is decided by reading back, never by a second attempt; only a call that
//! AWS has turned away as one too many, or because it is still at something else, and so has certainly not done, is made
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use backon::{ExponentialBuilder, Retryable};
use serde_json::json;

use super::fault::{fault, nothing_done, says_missing};
use super::observe::unique_id;
use super::{AccountClients, CHANGE_TIME_MAX, CONNECT_TIME_MAX};
use crate::domain::action::{ApiCall, advice};
use crate::domain::approval::{CallAnswer, Warrant};
use crate::domain::incident::execution::call_time_max;
use crate::ports::{CloudError, Session, TOO_LATE, Term};

mod anywhere;
mod ec2;
mod events;
mod iam;
mod identity_center;
mod lambda;
mod organizations;
mod scaling;
mod several;
mod watching;

/// The shortest session that STS gives.
pub(super) const SESSION_S: i32 = 900;
/// The code of an answer to a call that AWS has certainly not taken, and might take later.
const NOT_TAKEN: &str = "NotTaken";
/// The same in the services' own words: they are still at something else, and soon are not.
const STILL_AT_IT: [(&str, &str); 4] = [
    ("iam", "ConcurrentModification"),
    ("iam", "EntityTemporarilyUnmodifiable"),
    ("lambda", "ResourceConflictException"),
    ("lambda", "ResourceInUseException"),
];
/// IAM's word for something that cannot go because of what is in it: also for a while after that has been taken out.
const IN_THE_WAY: &str = "DeleteConflict";
/// Waits before such a call is made again, longer and longer, each cut at random so that not all come back at once.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_millis(900);
/// So long before the time for the calls is up no call is made again: it would have no time to be answered.
const LAST_TRY_BEFORE_END: Duration = Duration::from_secs(2);
/// For a function's code on its way to AWS.
const UPLOAD_TIME_MAX: Duration = Duration::from_mins(1);

/// Has STS give the session for a warrant.
pub(super) async fn session<'a>(
    base: &SdkConfig,
    account: &'a AccountClients,
    endpoint: Option<&'a str>,
    warrant: &Warrant,
) -> Result<ConfinedSession<'a>, CloudError> {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIME_MAX).operation_timeout(CHANGE_TIME_MAX).build();
    let one_attempt = base
        .to_builder()
        .region(aws_config::Region::new(warrant.region().to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let role = account.role_for(warrant.powers())?;
    let policy = session_policy(warrant.calls(), warrant.targets());
    let answer = aws_sdk_sts::Client::new(base)
        .assume_role()
        .role_arn(role)
        .role_session_name(warrant.request().to_string())
        .source_identity(warrant.approver().as_str())
        .duration_seconds(SESSION_S)
        .policy(policy)
        .send()
        .await
        .map_err(|e| fault(&format!("sts:AssumeRole {role}"), &e))?;
    let Some(given) = answer.credentials else {
        return Err(CloudError::Unavailable {
            operation: "sts:AssumeRole".into(),
            message: "no credentials came".into(),
        });
    };
    let credentials = Credentials::from_keys(given.access_key_id, given.secret_access_key, Some(given.session_token));
    let config = one_attempt.credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    Ok(ConfinedSession { config, account, endpoint })
}

/// See [`Session`].
pub(super) struct ConfinedSession<'a> {
    config: SdkConfig,
    account: &'a AccountClients,
    endpoint: Option<&'a str>,
}

#[async_trait]
impl Session for ConfinedSession<'_> {
    async fn apply(&self, warrant: &Warrant, term: &Term<'_>) -> CallAnswer {
        Box::pin(apply(self, warrant, term)).await
    }
}

async fn apply(session: &ConfinedSession<'_>, warrant: &Warrant, term: &Term<'_>) -> CallAnswer {
    let time = call_time_max(warrant.calls()).to_std().unwrap_or_default();
    let last_try_at = Instant::now() + time.saturating_sub(LAST_TRY_BEFORE_END);
    let ConfinedSession { config, account, endpoint } = session;
    let (region, owner) = (warrant.region(), warrant.owner());
    let clients = Clients { config, account, endpoint: *endpoint, region, owner, term, made: OnceLock::new() };
    for (done, call) in warrant.calls().iter().enumerate() {
        // For the first it has just been looked.
        let answer = clients.make_until(call, done > 0, last_try_at).await;
        // What was to go and is not there is gone: another removal of the same decision has taken it along.
        let gone = matches!(&answer, CallAnswer::Refused { code, .. } if says_missing(code) && call.removes());
        if gone || answer == CallAnswer::Accepted {
            continue;
        }
        return match answer {
            CallAnswer::Partly { message } if done > 0 => {
                CallAnswer::Partly { message: format!("{done} call(s) were accepted, then: {message}") }
            }
            CallAnswer::NotSent { message } if done > 0 => CallAnswer::Partly {
                message: format!("{done} call(s) were accepted, then {} was not sent: {message}", call.iam_action()),
            },
            CallAnswer::Refused { code, message } if done > 0 => {
                let advice = advice(&code).map(|advice| format!(" {advice}")).unwrap_or_default();
                CallAnswer::Partly {
                    message: format!(
                        "{done} call(s) were accepted, then {} was refused: {code}: {message}{advice}",
                        call.iam_action()
                    ),
                }
            }
            CallAnswer::Unclear { message } if done > 0 => CallAnswer::Unclear {
                message: format!("{done} call(s) were accepted, then {}: {message}", call.iam_action()),
            },
            other => other,
        };
    }
    CallAnswer::Accepted
}

/// Whether a refusal passes by itself. What is in the way of the first call of a plan was not taken out by this plan.
fn passes(call: &ApiCall, code: &str, after_others: bool) -> bool {
    STILL_AT_IT.contains(&(call.service(), code)) || (call.service() == "iam" && code == IN_THE_WAY && after_others)
}

fn waits() -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_delay(WAIT_MAX).with_jitter().without_max_times()
}

/// One session's clients, for each service that the catalogue changes: made for the calls that need them.
struct Clients<'a> {
    config: &'a SdkConfig,
    /// For what a call takes from AWS itself.
    account: &'a AccountClients,
    endpoint: Option<&'a str>,
    region: &'a str,
    /// The unique id and the ARN of what was approved, where IAM has given one.
    owner: Option<(&'a str, &'a str)>,
    /// How long they may still send something.
    term: &'a Term<'a>,
    /// The id of the policy that a call has made, for those that follow.
    made: OnceLock<String>,
}

impl Clients<'_> {
    /// Makes a call until AWS takes it or says no, and no longer than until then.
    async fn make_until(&self, call: &ApiCall, looks_first: bool, last_try_at: Instant) -> CallAnswer {
        let tries = || async {
            let another = if looks_first { self.another().await } else { None };
            let answer = match another {
                Some(refused) => refused,
                None => Box::pin(self.make(call)).await,
            };
            match answer {
                CallAnswer::Refused { code, message } if code == NOT_TAKEN || passes(call, &code, looks_first) => {
                    Err(CallAnswer::Refused { code, message })
                }
                answer => Ok(answer),
            }
        };
        let mut said = None;
        let keep = |refused: &CallAnswer, _: Duration| {
            if !matches!(refused, CallAnswer::Refused { code, .. } if code == NOT_TAKEN) {
                said = Some(refused.clone());
            }
        };
        let made = tries.retry(waits()).when(|_| Instant::now() < last_try_at).notify(keep).await;
        let (Ok(answer) | Err(answer)) = made;
        match (answer, said) {
            // What AWS has said of it says more than that there was no time to try again.
            (CallAnswer::NotSent { .. }, Some(said)) => said,
            (answer, _) => answer,
        }
    }

    /// Why no more calls go out: the name is somebody else's by now, or nobody can say whose.
    async fn another(&self) -> Option<CallAnswer> {
        let (id, arn) = self.owner?;
        let refused = |code: &str, message| Some(CallAnswer::Refused { code: code.into(), message });
        match Box::pin(unique_id(&self.account.iam, arn)).await {
            Ok(Some(now)) if now != id => refused(
                "TargetReplaced",
                format!(
                    "{arn} was {id}, and is {now} by now: somebody has made another under the same name. It is untouched."
                ),
            ),
            Ok(_) => None,
            Err(error) if error.can_retry() => refused(NOT_TAKEN, error.to_string()),
            Err(error) => refused("NotCompared", format!("whether it still is {id} could not be read: {error}")),
        }
    }

    async fn make(&self, call: &ApiCall) -> CallAnswer {
        if self.term.is_over() {
            return too_late();
        }
        match call.service() {
            "iam" => iam::make(&aws_sdk_iam::Client::new(self.config), call).await,
            "ec2" => ec2::make(&aws_sdk_ec2::Client::new(self.config), call).await,
            "autoscaling" => scaling::make(&aws_sdk_autoscaling::Client::new(self.config), call).await,
            "events" => events::make(&aws_sdk_eventbridge::Client::new(self.config), call).await,
            "rolesanywhere" => anywhere::make(&aws_sdk_rolesanywhere::Client::new(self.config), call).await,
            "lambda" if matches!(call, ApiCall::UpdateFunctionCode { .. }) => self.put_code_back(call).await,
            "lambda" => lambda::make(&aws_sdk_lambda::Client::new(self.config), call).await,
            "cloudtrail" => watching::trail(&aws_sdk_cloudtrail::Client::new(self.config), call).await,
            "sso" => {
                let reader = self.account.identity_center().ok();
                identity_center::make(&aws_sdk_ssoadmin::Client::new(self.config), call, reader).await
            }
            "identitystore" => identity_center::store(&aws_sdk_identitystore::Client::new(self.config), call).await,
            "organizations" => {
                organizations::make(&aws_sdk_organizations::Client::new(self.config), call, &self.made).await
            }
            "guardduty" => watching::detector(&aws_sdk_guardduty::Client::new(self.config), call).await,
            _ => unknown(call),
        }
    }

    /// The file that the call names is the code of a published version: AWS has it.
    async fn put_code_back(&self, call: &ApiCall) -> CallAnswer {
        let ApiCall::UpdateFunctionCode { function_name, zip_file, revision_id } = call else { return unknown(call) };
        let version = zip_file.strip_suffix(".zip").and_then(|file| file.rsplit('.').next()).unwrap_or_default();
        let code = super::keep::code_of(self.account, self.endpoint, self.region, (function_name, version)).await;
        match code {
            // It can be large.
            Ok(_) if self.term.is_over() => too_late(),
            Ok(zip) => {
                let timeouts =
                    TimeoutConfig::builder().connect_timeout(CONNECT_TIME_MAX).operation_timeout(UPLOAD_TIME_MAX);
                let config = aws_sdk_lambda::config::Builder::from(self.config).timeout_config(timeouts.build());
                let lambda = aws_sdk_lambda::Client::from_conf(config.build());
                let request = lambda.update_function_code().function_name(function_name).revision_id(revision_id);
                sent(call, request.zip_file(zip.into()).send()).await
            }
            Err(error) => CallAnswer::Refused { code: "NoCode".into(), message: error.to_string() },
        }
    }
}

fn too_late() -> CallAnswer {
    CallAnswer::NotSent { message: TOO_LATE.into() }
}

/// A call of the catalogue that nothing here makes: a fault of this program, and certainly not done.
fn unknown(call: &ApiCall) -> CallAnswer {
    CallAnswer::Refused { code: "NoClient".into(), message: format!("{} is not called from here", call.iam_action()) }
}

/// Waits for a call, and says how it ended. The SDK's futures are large.
async fn sent<T, E>(
    call: &ApiCall,
    answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
) -> CallAnswer
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match Box::pin(answer).await {
        Ok(_) => CallAnswer::Accepted,
        Err(error) => failed(call.iam_action(), &error),
    }
}

/// A refusal only when it is certain that nothing was done; otherwise AWS has to be read back.
fn failed<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CallAnswer
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let said = fault(operation, error);
    match said {
        CloudError::Refused { code, message, .. } if nothing_done(error) => CallAnswer::Refused { code, message },
        CloudError::Unavailable { message, .. } if nothing_done(error) => {
            CallAnswer::Refused { code: NOT_TAKEN.into(), message }
        }
        said => CallAnswer::Unclear { message: said.to_string() },
    }
}

/// What a permission to put tags must be for, or it could be used on what is there already.
const TAGGED_BY: (&str, &str) = ("StringEquals", "ec2:CreateAction");
/// The policy that a permission to attach or detach one must be for.
const POLICY: (&str, &str) = ("ArnEquals", "iam:PolicyARN");
/// The longest policy that STS takes for a session, in characters.
const POLICY_CHARS_MAX: usize = 2_048;

/// What a permission is for alone: a condition's operator and key, and its values.
type Bound = Option<((&'static str, &'static str), BTreeSet<String>)>;

/// Allows just these calls, each on just its target, and with no other policy than its own as long as there is room to say so.
fn session_policy(calls: &[ApiCall], targets: &[String]) -> String {
    let bound = policy_for(calls, targets, true);
    if bound.len() <= POLICY_CHARS_MAX { bound } else { policy_for(calls, targets, false) }
}

fn policy_for(calls: &[ApiCall], targets: &[String], by_policy: bool) -> String {
    /// A resource, and the operator and key of a condition.
    type On<'a> = (String, Option<(&'a str, &'a str)>);
    /// What is allowed there, and for what values alone.
    type Allowed<'a> = (BTreeSet<&'a str>, BTreeSet<String>);
    let mut allowed: BTreeMap<On<'_>, Allowed<'_>> = BTreeMap::new();
    for call in calls {
        let policy = call.policy_bound().filter(|_| by_policy);
        // A call on something that was not approved is left out: AWS then refuses it.
        for target in call.resources_in(targets) {
            let (actions, values) = allowed.entry((target, policy.map(|_| POLICY))).or_default();
            actions.insert(call.iam_action());
            values.extend(policy.cloned());
        }
        let Some(to_be_made) = call.makes_in(targets) else { continue };
        for action in call.also() {
            let within = (*action == "ec2:CreateTags").then_some(TAGGED_BY);
            let (actions, values) = allowed.entry((to_be_made.to_owned(), within)).or_default();
            actions.insert(action);
            values.extend(within.map(|_| call.operation().to_owned()));
        }
    }
    // Targets with the same calls share a statement: there is not much room.
    let mut statements: BTreeMap<(BTreeSet<&str>, Bound), Vec<String>> = BTreeMap::new();
    for ((target, key), (actions, values)) in allowed {
        statements.entry((actions, key.map(|key| (key, values)))).or_default().push(target);
    }
    let statement = |((actions, bound), targets): ((BTreeSet<&str>, Bound), Vec<String>)| {
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": targets});
        if let Some(((operator, key), values)) = bound {
            statement["Condition"] = json!({operator: {key: values}});
        }
        statement
    };
    let statements: Vec<_> = statements.into_iter().map(statement).collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::NEW_POLICY;

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let user = ApiCall::DeleteUser { user_name: "m".into() };
        let function = ApiCall::DeleteFunction { function_name: "f".into() };
        for (call, code, first, later) in [
            (&user, "DeleteConflict", false, true),
            (&user, "ConcurrentModification", true, true),
            (&user, "EntityTemporarilyUnmodifiable", true, true),
            (&user, "LimitExceeded", false, false),
            (&user, "NoSuchEntity", false, false),
            (&user, "ResourceConflictException", false, false),
            (&function, "ResourceConflictException", true, true),
            (&function, "ResourceInUseException", true, true),
            (&function, "DeleteConflict", false, false),
        ] {
            assert_eq!((passes(call, code, false), passes(call, code, true)), (first, later), "{code}");
        }
    }

    #[test]
    fn a_session_may_do_each_call_on_its_own_target_only() {
        let targets = ["user/m", "group/g", "group/h"].map(|name| format!("arn:aws:iam::111122223333:{name}"));
        let remove = |group: &str| ApiCall::RemoveUserFromGroup { group_name: group.into(), user_name: "m".into() };
        let calls = [remove("g"), remove("h"), ApiCall::DeleteUser { user_name: "m".into() }, remove("other")];
        let policy: serde_json::Value = serde_json::from_str(&session_policy(&calls, &targets)).unwrap();
        let allowed = |action: &str, on: &[&String]| json!({"Effect": "Allow", "Action": [action], "Resource": on});
        assert_eq!(
            policy["Statement"],
            json!([
                allowed("iam:DeleteUser", &[&targets[0]]),
                allowed("iam:RemoveUserFromGroup", &[&targets[1], &targets[2]]),
            ])
        );
    }

    #[test]
    fn what_is_detached_from_somebody_is_that_policy_and_no_other() {
        let holders = ["user/m", "role/r"].map(|name| format!("arn:aws:iam::111122223333:{name}"));
        let policy = |n: usize| format!("arn:aws:iam::111122223333:policy/{}{n:02}", "p".repeat(90));
        let detach = |n: usize| ApiCall::DetachUserPolicy { policy_arn: policy(n), user_name: "m".into() };
        let of_role = ApiCall::DetachRolePolicy { policy_arn: policy(1), role_name: "r".into() };
        let document = |calls: &[ApiCall]| -> serde_json::Value {
            let text = session_policy(calls, &holders);
            assert!(text.len() <= POLICY_CHARS_MAX, "{}", text.len());
            serde_json::from_str(&text).unwrap()
        };
        let only = |policies: &[usize]| json!({"ArnEquals": {"iam:PolicyARN": policies.iter().map(|n| policy(*n)).collect::<Vec<_>>()}});
        assert_eq!(
            document(&[detach(2), detach(1), of_role])["Statement"],
            json!([
                {"Effect": "Allow", "Action": ["iam:DetachRolePolicy"], "Resource": [holders[1]], "Condition": only(&[1])},
                {"Effect": "Allow", "Action": ["iam:DetachUserPolicy"], "Resource": [holders[0]], "Condition": only(&[1, 2])},
            ])
        );
        // More than there is room for: then on that user alone.
        let many: Vec<ApiCall> = (0..20).map(detach).collect();
        assert!(document(&many)["Statement"][0]["Condition"].is_null());
    }

    #[test]
    fn a_policy_that_has_no_name_yet_is_attached_to_the_one_account_only() {
        let organization = "arn:aws:organizations::999988887777";
        let account = format!("{organization}:account/o-1/111122223333");
        let policies = format!("{organization}:policy/o-1/service_control_policy/*");
        let targets = ["arn:aws:iam::111122223333:user/m".to_owned(), account.clone(), policies.clone()];
        let text = || "t".to_owned();
        let create =
            ApiCall::CreatePolicy { content: text(), description: text(), name: text(), r#type: text(), tags: text() };
        let attach = |target: &str| ApiCall::AttachPolicy { policy_id: NEW_POLICY.into(), target_id: target.into() };
        let policy: serde_json::Value =
            serde_json::from_str(&session_policy(&[create, attach("111122223333")], &targets)).unwrap();
        let allowed = |actions: &[&str], on: &[&str]| json!({"Effect": "Allow", "Action": actions, "Resource": on});
        assert_eq!(
            policy["Statement"],
            json!([
                allowed(&["organizations:AttachPolicy"], &[&account]),
                allowed(&["organizations:AttachPolicy", "organizations:TagResource"], &[&policies]),
                allowed(&["organizations:CreatePolicy"], &["*"]),
            ])
        );
        let elsewhere = session_policy(&[attach("444455556666")], &targets);
        assert!(!elsewhere.contains("account/"), "{elsewhere}");
    }

    #[test]
    fn a_name_of_the_attackers_choosing_stands_for_itself_alone() {
        let targets = ["*", "a?$b"].map(|name| format!("arn:aws:ec2:us-west-2:111122223333:key-pair/{name}"));
        let delete = |name: &str| ApiCall::DeleteKeyPair { key_name: name.into() };
        let policy: serde_json::Value =
            serde_json::from_str(&session_policy(&[delete("*"), delete("a?$b")], &targets)).unwrap();
        let named = ["${*}", "a${?}${$}b"].map(|name| format!("arn:aws:ec2:us-west-2:111122223333:key-pair/{name}"));
        assert_eq!(policy["Statement"][0]["Resource"], json!(named));
    }

    #[test]
    fn tags_are_put_only_on_what_the_session_itself_makes() {
        let arn = |rest: &str| format!("arn:aws:{rest}");
        // A group whose name ends like the ARN of what is to be made.
        let group = arn("autoscaling:us-west-2:111122223333:autoScalingGroup:u:autoScalingGroupName/x/*");
        let volume = arn("ec2:us-west-2:111122223333:volume/vol-1");
        let snapshots = arn("ec2:us-west-2::snapshot/*");
        let text = || "t".to_owned();
        let call =
            ApiCall::CreateSnapshot { volume_id: "vol-1".into(), description: text(), tag_specifications: text() };
        let policy: serde_json::Value =
            serde_json::from_str(&session_policy(&[call], &[group, volume.clone(), snapshots.clone()])).unwrap();
        assert_eq!(
            policy["Statement"],
            json!([
                {"Effect": "Allow", "Action": ["ec2:CreateSnapshot"], "Resource": [volume, snapshots]},
                {
                    "Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": [snapshots],
                    "Condition": {"StringEquals": {"ec2:CreateAction": ["CreateSnapshot"]}},
                },
            ])
        );
    }
}
