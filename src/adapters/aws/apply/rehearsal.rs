//! A plan that ends with the end of an instance changes things before that: snapshots are taken, protections lifted, and it
//! leaves its group. EC2 is asked first, with `DryRun`, whether it would take that last call, so that who lacks the permission
//! learns it before anything is changed. The reference says of `DryRun` that it looks at permissions; whether it looks at the
//! protection from termination too, it does not say, and nothing here depends on it.

use std::time::Instant;

use backon::Retryable;

use super::super::fault::says_missing;
use super::{Clients, NOT_TAKEN, ec2, waits};
use crate::domain::action::ApiCall;
use crate::domain::approval::CallAnswer;

/// The code of EC2's answer where the call would work.
const WOULD_WORK: &str = "DryRunOperation";
/// The code of its answer where the instance is protected.
const PROTECTED: &str = "OperationNotPermitted";

/// Why nothing of a plan is begun: AWS would turn its last call away. What cannot be asked, or gets no answer, stops nothing.
pub(super) async fn refused(clients: &Clients<'_>, calls: &[ApiCall], last_try_at: Instant) -> Option<CallAnswer> {
    let last = rehearsed(calls)?;
    let client = aws_sdk_ec2::Client::new(clients.config);
    let ask = || async {
        // The first call says that it is too late.
        if clients.term.is_over() {
            return Ok(None);
        }
        match Box::pin(ec2::rehearse(&client, last)).await {
            Some(CallAnswer::Refused { code, .. }) if code == NOT_TAKEN => Err(()),
            answer => Ok(answer),
        }
    };
    let answer = ask.retry(waits()).when(|()| Instant::now() < last_try_at).await.ok().flatten()?;
    stops(calls, last, answer)
}

/// The call that is asked about: one with others before it. One that stands alone says itself what is wrong.
fn rehearsed(calls: &[ApiCall]) -> Option<&ApiCall> {
    calls.iter().skip(1).find(|call| matches!(call, ApiCall::TerminateInstances { .. }))
}

/// What an answer means for the plan.
fn stops(calls: &[ApiCall], last: &ApiCall, answer: CallAnswer) -> Option<CallAnswer> {
    let CallAnswer::Refused { code, message } = answer else { return None };
    // It would find protected what the plan takes the protection from.
    let is_lifted = || calls.iter().any(|call| matches!(call, ApiCall::ModifyInstanceAttribute { .. }));
    let passes = code == WOULD_WORK || says_missing(&code) || (code == PROTECTED && is_lifted());
    (!passes).then(|| CallAnswer::Refused {
        message: format!("a dry run of {} says so, and nothing was changed: {message}", last.iam_action()),
        code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> ApiCall {
        ApiCall::TerminateInstances { instance_ids: "i-1".into() }
    }

    fn unprotect() -> ApiCall {
        let (instance_id, attribute) = ("i-1".into(), "disableApiTermination".into());
        ApiCall::ModifyInstanceAttribute { instance_id, attribute, value: "false".into() }
    }

    fn snapshot() -> ApiCall {
        let (volume_id, description) = ("vol-1".into(), "d".into());
        ApiCall::CreateSnapshot { volume_id, description, tag_specifications: String::new() }
    }

    #[test]
    fn only_what_others_come_before_is_asked_about() {
        assert_eq!(rehearsed(&[end()]), None);
        assert_eq!(rehearsed(&[snapshot(), unprotect()]), None);
        assert_eq!(rehearsed(&[snapshot(), end()]), Some(&end()));
    }

    #[test]
    fn a_refusal_stops_the_plan_unless_the_plan_itself_takes_its_reason_away() {
        let refused = |code: &str| CallAnswer::Refused { code: code.into(), message: "m.".into() };
        for (code, with_protection, stopped) in [
            ("DryRunOperation", false, false),
            ("UnauthorizedOperation", false, true),
            ("UnauthorizedOperation", true, true),
            ("OperationNotPermitted", false, true),
            ("OperationNotPermitted", true, false),
            ("InvalidInstanceID.NotFound", false, false),
        ] {
            let calls = if with_protection { vec![unprotect(), end()] } else { vec![snapshot(), end()] };
            let answer = stops(&calls, &end(), refused(code));
            assert_eq!(answer.is_some(), stopped, "{code}, {with_protection}");
            if let Some(answer) = answer {
                assert!(
                    matches!(&answer, CallAnswer::Refused { code: of, message }
                        if of == code && message.ends_with(": m.") && message.contains("ec2:TerminateInstances")),
                    "{answer:?}"
                );
            }
        }
        for answer in [CallAnswer::Accepted, CallAnswer::Unclear { message: "m".into() }] {
            assert_eq!(stops(&[snapshot(), end()], &end(), answer), None, "it says nothing about the calls");
        }
    }
}
