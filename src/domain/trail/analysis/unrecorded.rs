//! What no record that was read can show.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{NotRecorded, roles};
use crate::domain::trail::attribution::{Question, Who};
use crate::domain::trail::classify::Outcome;
use crate::domain::trail::coverage::Coverage;
use crate::domain::trail::event::Event;
use crate::domain::trail::grant::{Grant, Hold, Vouch};
use crate::domain::trail::lineage::Lineage;
use crate::domain::trail::record::moment;
use crate::domain::trail::resource::{Effect, Touch};
use crate::domain::trail::selected::Selected;
use crate::domain::trail::token::bare_name;

pub(super) fn not_recorded(what: impl Into<String>, why: impl Into<String>) -> NotRecorded {
    NotRecorded { what: what.into(), why: why.into() }
}

/// What cannot be known, so that nobody takes silence for innocence.
pub(super) fn missing(
    question: &Question,
    coverage: &Coverage,
    events: &[Event],
    lineage: &Lineage,
) -> Vec<NotRecorded> {
    const DATA: [(&str, &str, &str); 4] = [
        ("s3", "whether objects in S3 were read, written or deleted", "buckets"),
        ("dynamodb", "whether items in DynamoDB tables were read or written", "tables"),
        ("lambda", "whether Lambda functions were invoked", "functions"),
        ("ebs", "whether blocks of EBS snapshots were read", "snapshots"),
    ];
    let data = |(source, what, things): &(&str, &str, &str)| {
        if coverage.data_sources.contains(*source) {
            // One event of one of them says nothing about the others.
            let is_said = *source == "s3" && !coverage.selections.is_empty();
            let which = if is_said { ": which, is said by trail" } else { ", and these logs do not say which" };
            let why = format!("a trail has data events of the {things} that it was told to record{which}");
            return not_recorded(format!("{what}, beyond the calls in these logs"), why);
        }
        not_recorded(*what, format!("these logs have no data events of {source}"))
    };
    let mut missing: Vec<NotRecorded> = DATA.iter().map(data).collect();
    missing.extend(coverage.selections.iter().map(|(trail, selected)| by_bucket(trail, selected)));
    if let (Some(since), Some(first)) = (question.since, coverage.first.as_deref().and_then(moment))
        && first > since
    {
        missing
            .push(not_recorded(format!("what happened from {since} to {first}"), "these logs begin after the theft"));
    }
    let theirs = |at: usize| lineage.verdicts[at].who.is_attacker() && events[at].outcome == Outcome::Succeeded;
    missing.extend(roles::missing(events, lineage));
    missing.extend(takers(events, lineage));
    missing.extend(vouched(events.iter().enumerate().filter(|(at, _)| theirs(*at)).map(|(_, event)| event)));
    let mut seen = std::collections::BTreeSet::new();
    let starts: Vec<usize> = (0..events.len()).filter(|at| starts_logging(&events[*at])).collect();
    for (at, event) in events.iter().enumerate().filter(|(at, _)| theirs(*at)) {
        let id = &event.id;
        let entry = match (event.source.as_ref(), event.name.as_ref()) {
            ("cloudtrail", "StopLogging" | "DeleteTrail" | "PutEventSelectors" | "UpdateTrail") if event.changes => {
                Some(gap(event, starts.get(starts.partition_point(|start| *start < at)).map(|start| &events[*start])))
            }
            ("secretsmanager", "BatchGetSecretValue") if event.touches.is_empty() => Some(not_recorded(
                "which secrets were read at once",
                format!("event {id} has the filter and not the secrets: take all that it fits for read"),
            )),
            ("ssm", "GetParametersByPath") => Some(not_recorded(
                "which parameters were read at once",
                format!("event {id} has the path and not the parameters: take all below it for read"),
            )),
            ("ssm", "SendCommand" | "StartSession") | ("ecs", "ExecuteCommand") if seen.insert("commands") => {
                Some(not_recorded(
                    "what was run on instances",
                    format!("CloudTrail hides commands and what is typed in sessions (event {id} and others like it)"),
                ))
            }
            ("ecs", "CreateService" | "UpdateService") if seen.insert("tasks") => Some(not_recorded(
                "which tasks the attacker's ECS services have started",
                format!(
                    "the call names none (event {id}): unless the attacker registered their definition, look at the \
                     sessions of its task role"
                ),
            )),
            ("batch", "SubmitJob") if seen.insert("jobs") => Some(not_recorded(
                "with which role the attacker's Batch jobs ran",
                format!(
                    "the call names none (event {id}): unless the attacker registered their definition, look at the \
                     sessions of its job role"
                ),
            )),
            ("ssm", "CreateActivation") if seen.insert("activations") => Some(not_recorded(
                "which machines have registered with the attacker's activation",
                format!(
                    "the call names none (event {id}): sessions of its role that are called mi-… and began since are \
                     theirs, or the owner's"
                ),
            )),
            ("elasticmapreduce", "RunJobFlow") if seen.insert("clusters") => Some(not_recorded(
                "which instances the attacker's EMR clusters have",
                format!(
                    "the call names none (event {id}): look at the sessions called i-… of the role in its instance profile"
                ),
            )),
            ("sagemaker", "CreatePresignedNotebookInstanceUrl" | "CreatePresignedDomainUrl")
                if seen.insert("notebooks") =>
            {
                Some(not_recorded(
                    "with which role the attacker works in SageMaker",
                    format!(
                        "the call names none (event {id}): look at the sessions called SageMaker of the execution role of \
                         the notebook, or of the user profile"
                    ),
                ))
            }
            ("states", "UpdateStateMachine") if event.grants.is_empty() => {
                let machine = event.touches.first().map_or("a state machine", |touch| touch.id.as_str());
                Some(not_recorded(
                    format!("with which role {machine} runs what the attacker has put into it"),
                    format!(
                        "the call names none (event {id}): look which role it has, and at all that the role did since"
                    ),
                ))
            }
            ("ec2", "RunInstances") if seen.insert("instances") => Some(not_recorded(
                "what the attacker's instances did",
                format!("only their calls to AWS are in these logs, not what runs on them (event {id})"),
            )),
            _ => None,
        };
        missing.extend(entry);
        missing.extend(event.grants.iter().filter_map(|grant| served(grant, event)));
    }
    missing.extend(started(events.iter().enumerate().filter(|(at, _)| theirs(*at)).map(|(_, event)| event)));
    if coverage.unreadable > 0 {
        missing.push(not_recorded(
            format!("what {} records say", coverage.unreadable),
            "they could not be read; they are named under unreadable",
        ));
    }
    missing
}

/// Kinds of things that start instances, or say what those are.
const STARTERS: [&str; 4] =
    ["AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::EC2Fleet", "AWS::EC2::SpotFleet", "AWS::EC2::LaunchTemplate"];

/// Instances that something of the account's own has started since the attacker changed it: which of them are for the
/// attacker, no record says. What the attacker has made is followed. `theirs` are the attacker's calls that worked.
fn started<'e>(theirs: impl Iterator<Item = &'e Event>) -> Option<NotRecorded> {
    let touches = theirs.flat_map(|event| event.touches.iter().map(move |touch| (event, touch)));
    let (made, changed): (Vec<_>, Vec<_>) = touches
        .filter(|(_, touch)| STARTERS.contains(&touch.kind.as_str()))
        .filter(|(_, touch)| matches!(touch.effect, Effect::Created | Effect::Changed))
        .partition(|(_, touch)| touch.effect == Effect::Created);
    let made: HashSet<(&str, &str)> = made.iter().map(|(_, made)| (made.kind.as_str(), made.id.as_str())).collect();
    let own = |(_, touch): &&(&Event, &Touch)| !made.contains(&(touch.kind.as_str(), touch.id.as_str()));
    let (event, touch) = changed.iter().find(own)?;
    Some(not_recorded(
        format!("which instances were started because the attacker changed {} {}", touch.kind, touch.id),
        format!(
            "it was there before (event {}), and starts its owner's instances too: their sessions are not taken for the \
             attacker's",
            event.id
        ),
    ))
}

/// What a trail does not record of objects in S3, by the call that told it what to.
fn by_bucket(trail: &str, selected: &Selected) -> NotRecorded {
    let Selected { since, event_id, buckets, all } = selected;
    let buckets: Vec<&str> = buckets.iter().map(String::as_str).collect();
    let what = match (all, buckets.is_empty()) {
        (true, _) => format!("what happened to objects in S3 before {since}, by trail {trail}"),
        (false, true) => format!("what happened to objects in S3 since {since}, by trail {trail}"),
        (false, false) => {
            format!("what happened to objects in S3 outside of {} since {since}, by trail {trail}", buckets.join(", "))
        }
    };
    not_recorded(what, format!("that is what it was told to record (event {event_id})"))
}

/// Keys with which somebody has taken a role that the attacker made, and to which nothing else leads: each once.
fn takers(events: &[Event], lineage: &Lineage) -> Vec<NotRecorded> {
    let mut seen = std::collections::BTreeSet::new();
    let took = |(at, _): &(usize, &Event)| lineage.verdicts[*at].who == Who::Other && lineage.used[*at].is_some();
    let taken = events.iter().enumerate().filter(took).map(|(_, event)| event);
    taken
        .filter(|event| seen.insert(&event.caller.key))
        .map(|event| {
            not_recorded(
                format!("whether the attacker has {} too, which has taken a role that they made", event.caller.key),
                format!(
                    "nothing else leads there (event {}): what the session does counts as the attacker's, and what else is \
                     done with the key does not. Ask whose it is",
                    event.id
                ),
            )
        })
        .collect()
}

/// Providers of somebody else's that the attacker has changed: whoever came in by one before is taken for its owner's, and
/// the attacker can have given themselves out for them. `theirs` are the attacker's calls that worked.
fn vouched<'e>(theirs: impl Iterator<Item = &'e Event>) -> Vec<NotRecorded> {
    let grants = theirs.flat_map(|event| event.grants.iter().map(move |grant| (event, grant)));
    let of = |(event, grant): (&'e Event, &'e Grant)| match grant {
        Grant::Provider { arn, vouch } if vouch.lets_in() => Some((event, arn, vouch)),
        _ => None,
    };
    let (made, changed): (Vec<_>, Vec<_>) = grants.filter_map(of).partition(|(.., vouch)| **vouch == Vouch::Made);
    let made: HashSet<&String> = made.iter().map(|(_, made, _)| *made).collect();
    let mut seen = std::collections::BTreeSet::new();
    changed
        .into_iter()
        .filter(|(_, arn, _)| !made.contains(arn) && seen.insert(*arn))
        .map(|(event, arn, _)| {
            not_recorded(
                format!("whether the attacker has come in by {arn} as somebody for whom it had vouched before"),
                format!(
                    "they changed it (event {}): who comes in by it for the first time since counts as the attacker, until \
                     that is taken back, and nobody else does. Look at all who came in by it",
                    event.id
                ),
            )
        })
        .collect()
}

/// What a service does with a role that it takes for the owner too.
fn served(grant: &Grant, event: &Event) -> Option<NotRecorded> {
    let Grant::Compute { role: Some(role), hold: hold @ (Hold::Taken | Hold::Work { .. }), .. } = grant else {
        return None;
    };
    let counts = match hold {
        Hold::Work { .. } => "those count that were taken after it and before anybody else's like it",
        _ => "only what they do from the attacker's addresses counts",
    };
    Some(not_recorded(
        format!("which sessions of role {} {} has taken for the attacker", bare_name(role), event.source),
        format!("no call says for whom (event {}): {counts}. Look at all that the role did since", event.id),
    ))
}

fn starts_logging(event: &Event) -> bool {
    let is_start = event.source.as_ref() == "cloudtrail" && event.name.as_ref() == "StartLogging";
    is_start && event.outcome == Outcome::Succeeded
}

/// The time in which a trail did not record all, to where logging was started again.
fn gap(event: &Event, again: Option<&Event>) -> NotRecorded {
    let trail = event.touches.first().map_or("a trail", |touch| touch.id.as_str());
    let time = |at: Option<DateTime<Utc>>| at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
    let until = again.map_or_else(|| "the end of these logs".to_owned(), |e| time(e.at));
    not_recorded(
        format!("what {trail} would have recorded from {} to {until}", time(event.at)),
        format!(
            "{} (event {}); CloudTrail's event history still has management events of 90 days",
            event.name, event.id
        ),
    )
}
