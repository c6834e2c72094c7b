//! Makes the calls of a warrant. For each warrant a session of its own, whose inline policy allows just
//! these calls on just these targets, named after the request, with the approver as source identity: AWS
//! enforces the approval too, and its trail shows who approved. Follows `AssumeRole` in the STS API
//! reference. What happens after an unclear answer is decided by reading back, never by a second attempt; only a call that
//! AWS has turned away as one too many, or because it is still at something else, and so has certainly not done, is made
//! again.

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
mod powers;
mod rehearsal;
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
    let policy = powers::session_policy(warrant.calls(), warrant.targets());
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
    if let Some(refused) = rehearsal::refused(&clients, warrant.calls(), last_try_at).await {
        return refused;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
