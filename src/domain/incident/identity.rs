//! Whether what bears a name is what the attacker has made under it: somebody else can have made another one since, and the
//! trail shows that only minutes later.

use chrono::{DateTime, TimeDelta, Utc};

use super::eradication::Removal;
use crate::domain::action::Action;
use crate::domain::observation::Observation;
use crate::domain::refusal::{Refusal, moment};

/// The event and the thing itself are dated by two clocks, each to the second.
const APART_MAX: TimeDelta = TimeDelta::minutes(1);

/// Compares what AWS shows with what the call said that made it: the unique id, else the time. A function has neither.
pub(super) fn check(removals: &[Removal], action: &Action, now: &Observation) -> Result<(), Refusal> {
    let Some(made) = removals.iter().find(|of| of.action == *action).and_then(|of| of.made.as_ref()) else {
        return Ok(());
    };
    let other = match (&made.unique_id, now.owner_id(), made.at, created_at(now)) {
        (Some(theirs), Some(is), ..) if theirs != is => format!("its unique id is {is}, and theirs was {theirs}"),
        (None, _, Some(made_at), Some(created_at)) if (created_at - made_at).abs() > APART_MAX => {
            format!("it was made {}, and theirs {}", moment(created_at), moment(made_at))
        }
        _ => return Ok(()),
    };
    Err(Refusal::NotApplicable(format!(
        "{} bears the name of what the attacker made and is another one: {other}. Somebody has made it anew, and it stays. \
         Look whose it is; once the trail shows it too, this step goes.",
        action.target()
    )))
}

/// When it was made, of those that AWS gives no other id than their name.
fn created_at(now: &Observation) -> Option<DateTime<Utc>> {
    let text = match now {
        Observation::IdentityProvider(provider) => &provider.created_at,
        Observation::LaunchConfiguration(configuration) => &configuration.created_at,
        Observation::ScalingGroup(group) => &group.created_at,
        _ => return None,
    };
    text.parse().ok()
}
