//! Whoever from outside the account stays in a trust policy that the bot has put without whom the attacker has made, and
//! without knowing what there was before: the attacker can have let them in, so the door does not count as closed before
//! people have settled whose they are.

use super::doors::{UPDATE, is_by_bot, is_seen_to, put_command};
use super::eradication::traces;
use super::state::Incident;
use super::steps::{Offer, Step, in_force};
use crate::domain::action::{Action, RestoreTrustPolicy, shell_quoted};
use crate::domain::approval::Request;
use crate::domain::playbook::PlaybookStep;
use crate::domain::trail::token::bare_name;

/// Their steps, one for each role. They stay until people have said what was done, or somebody has put the policy anew.
pub(super) fn steps(incident: &Incident, of: &PlaybookStep) -> Vec<Step> {
    incident.requests.values().filter_map(|request| step(incident, of, request)).collect()
}

fn step(incident: &Incident, of: &PlaybookStep, request: &Request) -> Option<Step> {
    let Action::RestoreTrustPolicy(door) = &request.plan.action else { return None };
    let newest = in_force(incident, &request.plan.step)?;
    let who = door.leaves_in(&request.plan.before);
    if newest.id != request.id || who.is_empty() || is_put_anew(incident, door) {
        return None;
    }
    let (role, who) = (&door.role_name, Vec::from_iter(who).join(", "));
    let why = format!(
        "{} The event history does not have the trust policy of role {role} as it was before the attacker changed it (event {}), \
         so the bot has only taken out whom they have made. Whether these were in it before, nobody can say: {who}.",
        of.why, door.event_id
    );
    Some(Step {
        // The role comes last: a call that gets through by it is known by that.
        id: format!("{}-rest.{role}", of.id).parse().ok()?,
        title: format!("Settle whom from outside role {role} still trusts"),
        why: why.clone(),
        offer: Offer::Refused {
            why,
            instead: "Ask the role's owner whether each of them belongs there. Who does not is taken out of the policy, and the \
                      role's sessions are revoked after that. Then two people say what was done."
                .to_owned(),
            commands: vec![format!("aws iam get-role --role-name {}", shell_quoted(role)), put_command(role)],
        },
    })
}

/// Whether the trail shows that somebody has put the policy after the bot.
fn is_put_anew(incident: &Incident, door: &RestoreTrustPolicy) -> bool {
    let is = |id: &str| bare_name(id) == door.role_name;
    let roles = traces(incident).filter(|trace| trace.resource_type == "AWS::IAM::Role" && is(&trace.id));
    let mut since = roles.flat_map(|trace| trace.deeds.iter().skip_while(|deed| !is_by_bot(deed)));
    is_seen_to(incident, &door.role_name)
        && since.any(|deed| deed.operation == UPDATE && !deed.by_attacker && !is_by_bot(deed))
}
