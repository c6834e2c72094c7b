//! What people are told to run for what the bot has no action for.

use std::collections::BTreeSet;

use super::case::Case;
use super::eradication::{changed, hunted, made, of};
use crate::domain::hunt::Trace;
use crate::domain::incident::eradication::removals;
use crate::domain::incident::remains::{by_hand, left};
use crate::domain::incident::steps::Offer;
use crate::domain::trail::footprint::State;

fn looking_at(traces: Vec<Trace>) -> Case {
    let mut case = Case::new();
    hunted(&mut case, traces);
    case
}

/// The commands of all steps that are left, in order.
fn commands(case: &Case) -> Vec<String> {
    let of_step = |offer: Offer| match offer {
        Offer::Refused { commands, .. } => commands,
        Offer::Action(action) => panic!("{action:?}"),
    };
    left(&case.incident).into_iter().flat_map(|step| of_step(step.offer)).collect()
}

#[test]
fn whatever_the_attacker_can_make_is_removed_or_has_a_command() {
    let rows = include_str!("../../trail/resources.tsv").lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let makes = |row: &Vec<&str>| row.len() == 5 && matches!(row[2], "created" | "put");
    let kinds: BTreeSet<String> = rows.filter(makes).map(|row| row[3].trim_start_matches("AWS::").to_owned()).collect();
    assert!(kinds.len() > 60, "{}", kinds.len());
    let is_lacking = |kind: &&String| {
        let case = looking_at(vec![of(kind, made("-", "x"))]);
        removals(&case.incident).is_empty() && commands(&case).is_empty()
    };
    let lacking: Vec<&String> = kinds.iter().filter(is_lacking).collect();
    assert!(lacking.is_empty(), "made by a call that is known, and neither removed nor with a command: {lacking:?}");
}

#[test]
fn a_service_goes_before_its_tasks_and_each_in_its_cluster() {
    let arn = "arn:aws:ecs:us-east-1:111122223333:task/prod/0a1b";
    let case = looking_at(vec![of("ECS::Task", made("-", arn)), of("ECS::Service", made("-", "prod/miner"))]);
    let found = commands(&case);
    let starts = ["ecs update-service --service miner --desired-count 0", "ecs delete-service --service miner --force"];
    let starts = starts.into_iter().chain(["ecs stop-task --task "]);
    assert_eq!(found.len(), 3, "{found:?}");
    for (command, start) in found.iter().zip(starts) {
        assert!(command.starts_with(&format!("aws {start}")), "{found:?}");
        assert!(command.ends_with(" --cluster prod --region us-east-1"), "{found:?}");
    }
}

const STOP: (&str, &str, bool) = ("StopConfigurationRecorder", "", true);
const START: (&str, &str, bool) = ("StartConfigurationRecorder", "", true);

#[test]
fn a_stopped_recorder_is_started_again_by_people_and_done_once_somebody_else_has() {
    let start =
        "aws configservice start-configuration-recorder --configuration-recorder-name default --region us-east-1";
    let by_owner = ("StartConfigurationRecorder", "", false);
    let narrowed = ("PutConfigurationRecorder", "", true);
    for (deeds, open, told) in [
        (vec![STOP], 1, 1),
        (vec![STOP, STOP], 1, 1),
        (vec![STOP, by_owner], 0, 0),
        (vec![STOP, STOP, by_owner], 0, 0),
        (vec![STOP, by_owner, STOP], 1, 1),
        (vec![STOP, START], 0, 0),
        (vec![STOP, START, STOP], 1, 1),
        // That it runs again does not say that it records all.
        (vec![narrowed, STOP, by_owner], 1, 0),
        (vec![narrowed, STOP, by_owner, ("PutConfigurationRecorder", "", false)], 0, 0),
        // Of a search from before these calls were kept.
        (vec![], 1, 0),
    ] {
        let case = looking_at(vec![of("Config::ConfigurationRecorder", changed("-", "default", &deeds))]);
        let found = commands(&case);
        let starts = found.iter().filter(|command| *command == start).count();
        assert_eq!((by_hand(&case.incident).len(), starts), (open, told), "{deeds:?}");
        assert_eq!(found.is_empty(), open == 0, "{deeds:?}");
    }
}

#[test]
fn what_is_switched_off_has_the_command_that_switches_it_on() {
    for (kind, id, operation, command) in [
        ("CloudWatch::Alarm", "cpu", "DisableAlarmActions", "cloudwatch enable-alarm-actions --alarm-names cpu"),
        ("Events::Rule", "tick", "DisableRule", "events enable-rule --name tick"),
        ("KMS::Key", "0a1b", "DisableKey", "kms enable-key --key-id 0a1b"),
        ("Macie::Session", "account", "UpdateMacieSession", "macie2 update-macie-session --status ENABLED"),
    ] {
        // However often it was switched off.
        let deeds = [(operation, "", true), (operation, "", true)];
        let found = commands(&looking_at(vec![of(kind, changed("-", id, &deeds))]));
        assert_eq!(found.first(), Some(&format!("aws {command} --region us-east-1")), "{kind}");
        assert!(found.len() > 1, "and what shows it: {found:?}");
    }
    for (kind, command) in [
        ("SecurityHub::Hub", "aws securityhub enable-security-hub"),
        ("Macie::Session", "aws macie2 enable-macie"),
        ("AccessAnalyzer::Analyzer", "aws accessanalyzer create-analyzer"),
        ("EC2::FlowLog", "aws ec2 create-flow-logs"),
        ("Config::DeliveryChannel", "aws configservice put-delivery-channel"),
    ] {
        let gone = Trace { state: State::Deleted, deleted_by_attacker: true, ..of(kind, changed("-", "x", &[])) };
        let found = commands(&looking_at(vec![gone]));
        assert!(found.first().is_some_and(|first| first.starts_with(command)), "{kind}: {found:?}");
    }
}
