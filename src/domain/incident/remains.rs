//! What of the attacker's the bot has no action for: each is a step for people, with what they run for it. It counts as done
//! on the word of two (`hands`), or once the trail shows that somebody has seen to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::eradication::{Removal, is_theirs, is_unanswered, of_trace, step_suffix, traces};
use super::hands::{Said, said};
use super::scene::Scene;
use super::state::Incident;
use super::steps::{Offer, Step};
use super::{estate, outlived, overwritten, reached, renamed, rotation, started, undelivered, uploaded};
use crate::domain::action::{Action, shell_quoted};
use crate::domain::hunt::Trace;
use crate::domain::id::StepId;
use crate::domain::policy::ActionClass;
use crate::domain::trail::footprint::{State, is_everywhere};
use crate::domain::trail::resource::is_call;
use crate::domain::trail::within;

/// What such a step's name begins with.
pub(super) const BY_HAND: &str = "by-hand.";
/// Those that have a card of their own at a time, and as many secrets: as they are settled, the next ones get theirs.
const STEPS_MAX: usize = 30;
/// Calls that a card names.
const DEEDS_SHOWN_MAX: usize = 8;

/// The calls that make these answer the same where they are there already: what the attacker is said to have made can be the
/// owner's.
const ENSURED: [&str; 6] = [
    "AWS::ECS::Cluster",
    "AWS::S3::Bucket",
    "AWS::SES::EmailIdentity",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
];

/// What trails deliver to. Which of them do does not stand in every log, so each that was deleted is looked at.
const BUCKET: &str = "AWS::S3::Bucket";

/// The records of all calls of one name.
const LOOK_UP: &str = "cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue={}";

/// Commands by type; the table's head says what the columns are.
static COMMANDS: LazyLock<BTreeMap<&str, [&str; 3]>> = LazyLock::new(|| {
    let rows = include_str!("by_hand.tsv").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap_or("-");
        (column(), [column(), column(), column()])
    };
    rows.map(row).collect()
});

/// What the attacker has done to a thing that is for people to see to.
#[derive(Clone, Copy)]
enum Done {
    Made,
    /// Or it was there before.
    Ensured,
    Changed,
    /// Nobody can say to what.
    Called,
    /// It was there before, and recorded, watched or guarded.
    Deleted,
}

impl Done {
    fn to(trace: &Trace) -> Option<Self> {
        let is_ensured = ENSURED.contains(&trace.resource_type.as_str());
        match trace.state {
            _ if is_theirs(trace) && is_ensured => Some(Self::Ensured),
            _ if is_theirs(trace) => Some(Self::Made),
            _ if is_call(&trace.resource_type) => Some(Self::Called),
            State::Modified if !trace.made_by_attacker => Some(Self::Changed),
            // Whoever calls what makes it first does not make the owner's thing theirs.
            State::Deleted if trace.deleted_by_attacker && guards(trace) && (!trace.made_by_attacker || is_ensured) => {
                Some(Self::Deleted)
            }
            _ => None,
        }
    }

    /// The command for it, as the table has it.
    fn command(self, resource_type: &str) -> Option<&'static str> {
        let [delete, look, anew] = match self {
            Self::Called => &["-", LOOK_UP, "-"],
            _ => COMMANDS.get(resource_type)?,
        };
        let command = match self {
            Self::Made if *delete == "-" => look,
            Self::Made => delete,
            Self::Ensured | Self::Changed | Self::Called => look,
            Self::Deleted => anew,
        };
        (*command != "-").then_some(command)
    }
}

/// Whether it is of a kind that records, watches or guards.
fn guards(trace: &Trace) -> bool {
    COMMANDS.get(trace.resource_type.as_str()).is_some_and(|[.., anew]| *anew != "-")
}

/// Whether a step is one of these.
pub(super) fn is_by_hand(step: &StepId) -> bool {
    step.as_str().starts_with(BY_HAND)
}

/// The things themselves: what the attacker has made or changed that nothing here removes or puts back, and what they have
/// deleted that recorded, watched or guarded.
pub fn by_hand(incident: &Incident) -> Vec<&Trace> {
    let scene = Scene::of(incident);
    traces(incident).filter(|trace| trace.in_doubt.is_none() && is_open(&scene, trace)).collect()
}

/// What would be removed, put back or seen to, were it proved to be the attacker's: nobody knows when the credential was
/// stolen, and it can be the owner's own.
pub fn in_doubt(incident: &Incident) -> Vec<Trace> {
    let scene = Scene::of(incident);
    let removes =
        |trace: &Trace| of_trace(&scene, trace).iter().any(|removal| removal.action.class() == ActionClass::Eradicate);
    let doubtful = traces(incident).filter(|trace| trace.in_doubt.is_some());
    let doubtful = doubtful.filter(|trace| removes(trace) || is_open(&scene, trace)).cloned();
    doubtful.chain(started::in_doubt(incident)).collect()
}

/// Whether people have to see to it.
fn is_open(scene: &Scene<'_>, trace: &Trace) -> bool {
    match Done::to(trace) {
        None => false,
        Some(Done::Deleted) => true,
        Some(_) if trace.deeds.is_empty() || trace.made_by_attacker => {
            // Taken away from others it still is there.
            let removes = |of: &Removal| !matches!(of.action, Action::UnshareSnapshot(_) | Action::UnshareImage(_));
            !of_trace(scene, trace).iter().any(removes) && !is_part(scene, trace)
        }
        Some(_) => {
            // A rule without targets of theirs has no removal any more.
            let open = if estate::put_back(trace).is_empty() && trace.resource_type != overwritten::RULE {
                is_unanswered(scene, trace)
            } else {
                estate::leaves_more(trace) || !overwritten::targets(scene.incident, trace).is_empty()
            };
            open && !scene.goes_with_function(trace) && !is_part(scene, trace)
        }
    }
}

/// Whether it goes with something else that is removed: a key or device of a user that the attacker has made.
fn is_part(scene: &Scene<'_>, trace: &Trace) -> bool {
    match trace.resource_type.as_str() {
        "AWS::IAM::AccessKey" => scene.owner_of(trace).is_some_and(|user| scene.is_theirs("AWS::IAM::User", &user)),
        // It is taken off whom it is on, and then deleted, as containment.
        "AWS::IAM::VirtualMFADevice" if is_added(scene.incident, &trace.id) => true,
        // It hangs on a user or on nobody: with one of the attacker's it goes, and with no other one.
        "AWS::IAM::VirtualMFADevice" => scene.is_on_theirs(&trace.id),
        "AWS::IAM::ServiceSpecificCredential" => scene.goes_with_user(trace),
        // A function's address goes with the function, and what calls it for a queue.
        "AWS::Lambda::Url" | "AWS::Lambda::EventSourceMapping" => scene.goes_with_function(trace),
        _ => false,
    }
}

/// Whether the attacker has put an MFA device on somebody.
fn is_added(incident: &Incident, serial_number: &str) -> bool {
    let found = incident.hunted.as_ref().zip(incident.account());
    found.is_some_and(|((found, _), account)| {
        reached::added_devices(found, &account).iter().any(|(_, serial)| *serial == serial_number)
    })
}

/// Its step. What stands for the evidence names the attacker's calls alone, so that what people do about it changes nothing.
fn step(incident: &Incident, trace: &Trace) -> Option<Step> {
    let done = Done::to(trace)?;
    let (kind, id) = (trace.resource_type.as_str(), trace.id.as_str());
    let place = if is_everywhere(kind) { String::new() } else { format!(" in {}", trace.region) };
    let (title, why, instead) = match done {
        Done::Made => (
            format!("Remove by hand: {kind} {id}{place}"),
            "The attacker has made it, and the bot has no action that removes it.",
            "Look whether anything of yours uses it, keep what is evidence, and delete it.".to_owned(),
        ),
        Done::Ensured => (
            format!("Look whose it is: {kind} {id}{place}"),
            "The attacker has made it, or has called what makes it while it was there already: AWS answers both alike, and \
             the bot has no action that removes it.",
            "Look when it was made and who uses it. If it is the attacker's alone, keep what is evidence, and delete it."
                .to_owned(),
        ),
        Done::Changed => (
            format!("Put back by hand: {kind} {id}{place}"),
            "The attacker has changed it, and the bot has no action that puts all of that back.",
            format!(
                "Compare it with how you keep it as code, and put back what differs.{}{}{}",
                calls(trace),
                uploaded::in_words(trace),
                overwritten::in_words(incident, trace)
            ),
        ),
        Done::Called => (
            format!("See to by hand: what {id} has done{place} ({})", kind.trim_start_matches("AWS::")),
            "The attacker has made this call, and what it has made or changed has no name in its record that the bot knows.",
            "Read the records of these events, take back what they have made or changed, and look whether it is gone."
                .to_owned(),
        ),
        Done::Deleted if kind == BUCKET => (
            format!("Make anew by hand: {kind} {id}{place}"),
            "The attacker has deleted it with what was in it. Where a trail delivered to it, nothing is recorded now, though the \
             trail is on.",
            "Look whether it was yours and which trail delivers to it. Make it anew in your own account with its policy and its \
             versions before somebody else takes its name, who would get what is sent there; then look whether the trail has no \
             LatestDeliveryError any more."
                .to_owned(),
        ),
        Done::Deleted => (
            format!("Make anew by hand: {kind} {id}{place}"),
            "The attacker has deleted it, and what it recorded, watched or guarded, nothing does now.",
            "Make it as you keep it as code, and look whether it works.".to_owned(),
        ),
    };
    let evidence: BTreeSet<&String> = trace.evidence.first().into_iter().chain(&trace.newest).collect();
    let evidence = evidence.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let why = format!("{why} Events that show that it was the attacker: {evidence}.");
    let region = if is_everywhere(kind) { String::new() } else { format!("{}.", trace.region) };
    let name = format!("{}.{region}{id}", kind.trim_start_matches("AWS::").replace("::", "-").to_ascii_lowercase());
    Some(Step {
        id: format!("{BY_HAND}{}", step_suffix(&name)).parse().ok()?,
        title,
        why: why.clone(),
        offer: Offer::Refused { why, instead, commands: commands(trace, done) },
    })
}

/// What is known of a change: the attacker's calls.
fn calls(trace: &Trace) -> String {
    let theirs: Vec<&_> = trace.deeds.iter().filter(|deed| deed.by_attacker).collect();
    let call = |what: &str, operation: &str, event_id: &str| {
        let what = if what.is_empty() { String::new() } else { format!(" {what}") };
        format!("{operation}{what} (event {event_id})")
    };
    let named = theirs.iter().take(DEEDS_SHOWN_MAX).map(|deed| call(&deed.what, &deed.operation, &deed.event_id));
    let named = named.collect::<Vec<_>>().join(", ");
    match theirs.len().saturating_sub(DEEDS_SHOWN_MAX) {
        _ if theirs.is_empty() => String::new(),
        0 => format!(" What was done to it: {named}."),
        more => format!(" What was done to it: {named} and {more} more."),
    }
}

/// What people run, quoted for a POSIX shell.
fn commands(trace: &Trace, done: Done) -> Vec<String> {
    let commands = done.command(&trace.resource_type);
    let renames = renamed::command(trace).filter(|_| matches!(done, Done::Changed));
    let (place, name) = within::parts(&trace.resource_type, &trace.id);
    let id = if place.is_some() { name } else { trace.id.as_str() };
    let (id, name) = (shell_quoted(id), shell_quoted(name));
    let place = within::option(&trace.resource_type, &trace.id)
        .map(|(option, place)| format!(" {option} {}", shell_quoted(&place)))
        .unwrap_or_default();
    let region = match trace.resource_type.as_str() {
        everywhere if is_everywhere(everywhere) => String::new(),
        _ => format!(" --region {}", shell_quoted(&trace.region)),
    };
    // What was only switched off is on again with one command, and what shows it tells whether that is all.
    let switches = if matches!(done, Done::Changed) { estate::switched_on_by(trace) } else { Vec::new() };
    let looks = switches
        .into_iter()
        .chain(commands)
        .flat_map(|commands| commands.split("; "))
        .map(|command| format!("aws {}{place}{region}", command.replace("{name}", &name).replace("{}", &id)));
    let off = if matches!(done, Done::Changed) { uploaded::commands(trace) } else { Vec::new() };
    // The name comes last: what looks goes by the one of now.
    looks.chain(off).chain(renames).collect()
}

/// All that are there, what watches first: without it nobody sees what comes. What the attacker has read comes last.
fn all(incident: &Incident) -> Vec<Step> {
    let mut traces = by_hand(incident);
    // However many buckets the attacker makes, or makes and deletes, they push nothing else out.
    let turn = |trace: &Trace| match (trace.resource_type == BUCKET, trace.state) {
        (true, State::Deleted) => u8::from(trace.made_by_attacker),
        (false, _) if guards(trace) => 0,
        _ => 2,
    };
    // A service starts its tasks anew: it goes before them.
    traces.sort_by_key(|trace| (turn(trace), trace.resource_type == "AWS::ECS::Task"));
    let mut shown = BTreeSet::new();
    let things = undelivered::steps(incident, BY_HAND)
        .chain(traces.into_iter().filter_map(|trace| step(incident, trace)))
        .chain(outlived::steps(incident, BY_HAND));
    things.filter(|step| shown.insert(step.id.clone())).chain(rotation::steps(incident)).collect()
}

fn is_settled(incident: &Incident, step: &Step) -> bool {
    matches!(said(incident, step), Said::ByTwo(_))
}

/// Those that are not done.
pub fn left(incident: &Incident) -> Vec<Step> {
    all(incident).into_iter().filter(|step| !is_settled(incident, step)).collect()
}

/// Those that have a card: so many open ones, and all that are done on people's word.
pub(super) fn steps(incident: &Incident) -> Vec<Step> {
    let mut open = [0; 2];
    let has_card = |step: &Step| {
        let settled = is_settled(incident, step);
        // However many secrets there are, they push nothing else out.
        let alike = &mut open[usize::from(rotation::is_rotation(&step.id))];
        *alike += usize::from(!settled);
        settled || *alike <= STEPS_MAX
    };
    all(incident).into_iter().filter(has_card).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_its_commands_name_the_thing() {
        assert!(COMMANDS.len() > 60);
        for (kind, commands) in COMMANDS.iter() {
            assert!(kind.starts_with("AWS::") && kind.split("::").count() == 3, "{kind}");
            for command in commands.iter().filter(|command| **command != "-").flat_map(|commands| commands.split("; "))
            {
                let mut words = command.split(' ');
                let plain = |word: Option<&str>| {
                    word.is_some_and(|word| {
                        !word.is_empty()
                            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())
                    })
                };
                assert!(plain(words.next()) && plain(words.next()), "{kind}: {command}");
                assert!(!command.starts_with("aws "), "{kind}: {command}");
            }
        }
    }
}
