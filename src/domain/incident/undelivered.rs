//! Trails that the bot has switched on again, and of which AWS said before that nothing gets into their bucket: on is not
//! enough. The bot changes no bucket, so they are for people.

use super::eradication::step_suffix;
use super::state::Incident;
use super::steps::{Offer, Step, in_force};
use crate::domain::action::{Action, SEE_TO, StartLogging, fails_to_deliver, shell_quoted};

/// A step for each such trail. What AWS said of it is in the before-image of the change that has switched it on.
pub(super) fn steps<'a>(incident: &'a Incident, by_hand: &'a str) -> impl Iterator<Item = Step> + 'a {
    incident.requests.values().filter_map(move |request| match &request.plan.action {
        Action::StartLogging(of) => {
            // Asked for again, AWS has been asked again.
            in_force(incident, &request.plan.step).filter(|newest| newest.id == request.id)?;
            step(of, fails_to_deliver(&request.plan.before)?, by_hand)
        }
        _ => None,
    })
}

fn step(of: &StartLogging, error: &str, by_hand: &str) -> Option<Step> {
    let StartLogging { region, name } = of;
    let why = format!(
        "The trail is on again, and before that AWS said of its newest files that they did not get into its bucket: {error}. \
         While that is so, it records nothing."
    );
    let quoted = [name, region].map(|text| shell_quoted(text));
    let [trail, place] = &quoted;
    let look = |call: &str, option: &str| format!("aws cloudtrail {call} {option} {trail} --region {place}");
    Some(Step {
        id: format!("{by_hand}undelivered.{}", step_suffix(&format!("{region}.{name}"))).parse().ok()?,
        title: format!("Have trail {name} in {region} deliver again"),
        why: why.clone(),
        offer: Offer::Refused {
            why,
            instead: SEE_TO.to_owned(),
            commands: vec![look("describe-trails", "--trail-name-list"), look("get-trail-status", "--name")],
        },
    })
}
