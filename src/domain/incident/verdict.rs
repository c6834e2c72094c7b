//! What the evidence says about a containment. AWS shows at once that a key is off; whether the attacker is locked
//! out shows only in the trail, which is minutes behind. So it goes by the time of events, and a Region counts as
//! far as a call of the bot's own has been seen in its trail.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::state::Incident;
use super::steps::contained;
use crate::domain::hunt::{Call, Watched};
use crate::domain::playbook::Playbook;

/// So long nothing of the attacker's may have worked, in every Region.
pub const QUIET: TimeDelta = TimeDelta::minutes(30);
/// So long IAM may take until a change counts everywhere: what works within it proves nothing.
pub const PROPAGATION: TimeDelta = TimeDelta::seconds(60);
/// Calls that AWS answers whatever any policy says.
const NEVER_DENIED: [&str; 1] = ["sts:GetCallerIdentity"];

/// What the evidence says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "snake_case")]
pub enum Verdict {
    /// A call of the attacker's has worked after the cut-off.
    Failed {
        /// The first of them.
        call: Call,
    },
    /// A call of the attacker's after the cut-off was not denied, and failed for another reason. What AWS looks at first it
    /// does not say: the call may have been let through.
    Unclear {
        /// The first of them.
        call: Call,
    },
    /// The attacker has tried, and was denied. It is not settled yet.
    Attempted,
    /// It is quiet. It is not settled yet.
    Provisional,
    /// Nothing of the attacker's has worked for half an hour, in every Region.
    Verified,
}

/// A verdict, and the containment that it is about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// It.
    pub verdict: Verdict,
    /// When the last of the containment was put in place.
    pub since: DateTime<Utc>,
}

/// The verdict on what was put in place at `since`, from the attacker's calls and how far each Region's trail is
/// known. A denied attempt does not break the quiet; one call that worked does, however late it shows, and one that failed
/// for another reason leaves it open.
pub fn judge(since: DateTime<Utc>, calls: &[Call], regions: &[Watched]) -> Verdict {
    let counts = |call: &&Call| !NEVER_DENIED.contains(&call.what.as_str());
    let after = || calls.iter().filter(counts).filter(|call| call.at > since + PROPAGATION);
    if let Some(call) = after().filter(|call| call.worked).min_by_key(|call| call.at) {
        return Verdict::Failed { call: call.clone() };
    }
    if let Some(call) = after().filter(|call| call.error.is_some()).min_by_key(|call| call.at) {
        return Verdict::Unclear { call: call.clone() };
    }
    let quiet = |region: &Watched| region.covered_until.is_some_and(|until| until >= since + QUIET);
    if !regions.is_empty() && regions.iter().all(quiet) {
        return Verdict::Verified;
    }
    let denied = |call: &Call| !call.worked && call.error.is_none() && call.at > since;
    if calls.iter().any(denied) { Verdict::Attempted } else { Verdict::Provisional }
}

/// Minutes of quiet that a Region's trail shows, of the thirty that are needed.
pub fn minutes_covered(since: DateTime<Utc>, region: &Watched) -> i64 {
    let covered = region.covered_until.map_or(TimeDelta::zero(), |until| until - since);
    covered.clamp(TimeDelta::zero(), QUIET).num_minutes()
}

/// The verdict on the containment as it is now; none while it is not complete, but for one that says why.
pub fn standing<'a>(incident: &'a Incident, playbook: &Playbook) -> Option<&'a Verdict> {
    let (judged, _) = incident.verdict.as_ref()?;
    let same = incident.watch.is_some_and(|watch| watch.since == judged.since);
    let failed = matches!(judged.verdict, Verdict::Failed { .. });
    (same && (failed || contained(incident, playbook))).then_some(&judged.verdict)
}

/// Whether the phase of containment is done, and by what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// It is not.
    Shut,
    /// The evidence says so.
    Verified,
    /// Two people have accepted that it does not.
    Accepted,
}

/// How the gate at the end of containment stands.
pub fn gate(incident: &Incident, playbook: &Playbook) -> Gate {
    if !contained(incident, playbook) {
        return Gate::Shut;
    }
    match standing(incident, playbook) {
        Some(Verdict::Verified) => Gate::Verified,
        Some(Verdict::Failed { .. }) => Gate::Shut,
        _ if incident.risk.as_ref().is_some_and(|risk| risk.accepted_at.is_some()) => Gate::Accepted,
        _ => Gate::Shut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn call(seconds: i64, what: &str, worked: bool) -> Call {
        Call {
            at: at(seconds),
            event_id: format!("e-{seconds}"),
            what: what.into(),
            access_key_id: Some("ASIAIOSFODNN7EXAMPLE".into()),
            principal: "arn:aws:sts::111122223333:assumed-role/app/s".into(),
            region: "us-east-1".into(),
            worked,
            error: None,
        }
    }

    fn region(covered_s: Option<i64>) -> Watched {
        Watched { region: "us-east-1".into(), covered_until: covered_s.map(at), unread: None }
    }

    const QUIET_S: i64 = 30 * 60;

    #[test]
    fn half_an_hour_of_covered_quiet_in_every_region_verifies_and_not_a_second_less() {
        let of = |covered: &[Option<i64>]| {
            let regions: Vec<Watched> = covered.iter().copied().map(region).collect();
            judge(at(0), &[], &regions)
        };
        assert_eq!(of(&[Some(QUIET_S)]), Verdict::Verified);
        assert_eq!(of(&[Some(QUIET_S - 1)]), Verdict::Provisional);
        assert_eq!(of(&[Some(QUIET_S), Some(QUIET_S - 1)]), Verdict::Provisional);
        assert_eq!(of(&[Some(QUIET_S), None]), Verdict::Provisional, "a Region that nothing is known of");
        assert_eq!(of(&[]), Verdict::Provisional, "no Region at all proves nothing");
    }

    #[test]
    fn what_works_after_the_allowance_fails_it_however_late_it_shows() {
        let covered = [region(Some(QUIET_S + 600))];
        let allowed = [call(60, "s3:ListBuckets", true)];
        assert_eq!(judge(at(0), &allowed, &covered), Verdict::Verified, "IAM takes a moment");
        let through = [call(62, "iam:ListUsers", true), call(61, "s3:ListBuckets", true)];
        let Verdict::Failed { call: first } = judge(at(0), &through, &covered) else { panic!("it failed") };
        assert_eq!(first.event_id, "e-61", "the first of them");
    }

    #[test]
    fn denied_attempts_are_told_and_do_not_break_the_quiet() {
        let tried = [call(1, "iam:ListUsers", false)];
        assert_eq!(judge(at(0), &tried, &[region(Some(QUIET_S - 1))]), Verdict::Attempted);
        assert_eq!(judge(at(0), &tried, &[region(Some(QUIET_S))]), Verdict::Verified);
        let before = [call(0, "iam:ListUsers", false)];
        assert_eq!(judge(at(0), &before, &[region(None)]), Verdict::Provisional, "from before the cut-off");
    }

    #[test]
    fn what_failed_without_a_denial_keeps_the_proof_away_and_does_not_hide_what_worked() {
        let covered = [region(Some(QUIET_S))];
        let failed = Call { error: Some("NoSuchEntity".into()), ..call(61, "iam:DeleteUser", false) };
        let Verdict::Unclear { call: first } = judge(at(0), std::slice::from_ref(&failed), &covered) else {
            panic!("it may have been let through")
        };
        assert_eq!(first, failed);
        let worked = [failed.clone(), call(90, "iam:ListUsers", true)];
        assert!(matches!(judge(at(0), &worked, &covered), Verdict::Failed { .. }));
        assert_eq!(judge(at(1), &[failed], &covered[..]), Verdict::Provisional, "IAM takes a moment");
    }

    #[test]
    fn a_call_that_no_policy_can_deny_proves_nothing() {
        let asks = [call(600, "sts:GetCallerIdentity", true)];
        assert_eq!(judge(at(0), &asks, &[region(None)]), Verdict::Provisional);
    }

    #[test]
    fn minutes_are_counted_up_to_the_half_hour() {
        let minutes = |covered| minutes_covered(at(0), &region(covered));
        assert_eq!([None, Some(-60), Some(119), Some(QUIET_S + 1)].map(minutes), [0, 0, 1, 30]);
    }
}
