//! What the bot has no action for: people see to it, and the gate waits for them.

use std::collections::BTreeMap;

use super::case::Case;
use super::eradication::{accept, changed, contain, hunted, made, of};
use super::hunt::reached;
use crate::domain::hunt::{Hunted, Reached, Trace};
use crate::domain::incident::command::PersonCommand;
use crate::domain::incident::hands::{Hand, Said, said};
use crate::domain::incident::identity;
use crate::domain::incident::quiet::lacking;
use crate::domain::incident::remains::{by_hand, left};
use crate::domain::incident::steps::{Offer, Step, contained, steps};
use crate::domain::observation::{
    GroupTree, Identity, IdentityProvider, Launch, LaunchConfiguration, Observation, ScalingGroup, samples,
};
use crate::domain::refusal::Refusal;
use crate::domain::trail::footprint::{Made, State};

fn deleted(kind: &str, id: &str, by_attacker: bool, event_id: &str) -> Trace {
    let trace = of(kind, changed("-", id, &[]));
    Trace { state: State::Deleted, deleted_by_attacker: by_attacker, newest: Some(event_id.into()), ..trace }
}

fn topic(name: &str) -> Trace {
    of("SNS::Topic", made("-", &format!("arn:aws:sns:us-east-1:111122223333:{name}")))
}

pub(super) fn shown(case: &Case) -> Vec<Step> {
    let by_hand = |step: &Step| step.id.as_str().starts_with("by-hand.");
    steps(&case.incident, &case.playbook).into_iter().filter(by_hand).collect()
}

pub(super) fn settle(case: &mut Case, step: &Step) {
    let id = step.id.clone();
    case.act("U1", PersonCommand::SayDone { step: id.clone(), done: "made anew, ticket 7".into() }).unwrap();
    let shown = Hand::shown(&case.incident.hands[&id]);
    case.act("U2", PersonCommand::ConfirmDone { step: id, shown }).unwrap();
}

pub(super) fn lacks(case: &Case) -> bool {
    lacking(&case.incident, &case.playbook).iter().any(|lack| lack.contains("left to do by hand"))
}

#[test]
fn a_trail_that_was_deleted_is_made_anew_by_people_and_the_gate_waits_for_them() {
    let mut case = Case::new();
    contain(&mut case);
    accept(&mut case);
    let trail = |event: &str| deleted("CloudTrail::Trail", "it's main", true, event);
    let all = vec![
        topic("miner"),
        trail("e-1"),
        deleted("GuardDuty::Detector", "d-1", true, "e-2"),
        // Somebody else's doing, what guards nothing, and what was the attacker's own.
        deleted("GuardDuty::Detector", "d-2", false, "e-3"),
        deleted("EC2::Volume", "vol-1", true, "e-4"),
        Trace { made_by_attacker: true, ..deleted("CloudTrail::Trail", "decoy", true, "e-5") },
    ];
    hunted(&mut case, all.clone());
    let found = shown(&case);
    let titles: Vec<&str> = found.iter().map(|step| step.title.as_str()).collect();
    let topic_title = "Look whose it is: AWS::SNS::Topic arn:aws:sns:us-east-1:111122223333:miner in us-east-1";
    assert_eq!(
        titles,
        [
            topic_title,
            "Make anew by hand: AWS::CloudTrail::Trail it's main in us-east-1",
            "Make anew by hand: AWS::GuardDuty::Detector d-1 in us-east-1",
        ],
        "an SNS topic can be where alarms go"
    );
    let Offer::Refused { commands, .. } = &found[1].offer else { panic!("{found:?}") };
    assert_eq!(commands.len(), 2);
    assert!(commands[0].starts_with(r"aws cloudtrail create-trail --name 'it'\''s main' "), "{commands:?}");
    assert!(commands[1].ends_with(r"start-logging --name 'it'\''s main' --region us-east-1"), "{commands:?}");
    assert!(
        found[1].why.contains("made-it's main, e-1") || found[1].why.contains("e-1, made-it's main"),
        "{}",
        found[1].why
    );
    assert!(lacks(&case) && left(&case.incident).len() == 3);
    let since = case.incident.watch.unwrap().since;

    case.minutes(5);
    for step in &found {
        settle(&mut case, step);
    }
    assert!(!lacks(&case), "{:?}", lacking(&case.incident, &case.playbook));
    assert_eq!(shown(&case).len(), 3, "what was said stays to be read, and to be taken back");
    assert_eq!(case.incident.watch.unwrap().since, since, "it is no containment: the proof goes on");
    assert!(case.incident.risk.is_some() && contained(&case.incident, &case.playbook));
    // The owner's own calls to it say nothing new; the attacker's next one does.
    let seen = |trace: Trace| Trace { evidence: [trace.evidence.clone(), vec!["owner".into()]].concat(), ..trace };
    hunted(&mut case, all.into_iter().map(seen).collect());
    assert!(!lacks(&case));
    hunted(&mut case, vec![trail("e-9")]);
    assert!(lacks(&case) && matches!(said(&case.incident, &shown(&case)[0]), Said::Outdated(_)));
    settle(&mut case, &found[1]);
    let word = Hand::shown(&case.incident.hands[&found[1].id]);
    case.act("U1", PersonCommand::TakeBackDone { step: found[1].id.clone(), shown: word }).unwrap();
    assert!(lacks(&case) && case.incident.risk.is_some(), "that too leaves the containment as it was");
    // Made anew by its owner: the trail shows it, and nobody has to say so.
    hunted(&mut case, vec![Trace { state: State::Present, deleted_by_attacker: false, ..trail("e-9") }]);
    assert!(!lacks(&case) && shown(&case).is_empty());
}

#[test]
fn so_many_have_a_card_at_a_time_and_all_of_them_keep_the_gate_shut() {
    let mut case = Case::new();
    hunted(&mut case, (0..45).map(|n| topic(&format!("t{n:02}"))).collect());
    assert_eq!((shown(&case).len(), left(&case.incident).len(), by_hand(&case.incident).len()), (30, 45, 45));
    let first = shown(&case)[0].clone();
    settle(&mut case, &first);
    let now = shown(&case);
    assert!(now.len() == 31 && now.contains(&first) && left(&case.incident).len() == 44);
    assert!(
        lacking(&case.incident, &case.playbook).iter().any(|lack| lack.starts_with("44 thing(s) left to do by hand"))
    );
}

#[test]
fn things_that_are_called_alike_have_each_a_step_of_their_own() {
    let mut case = Case::new();
    let cluster = |kind: &str| of(kind, made("-", "prod"));
    let far = Trace { region: "eu-west-1".into(), ..cluster("ECS::Cluster") };
    hunted(&mut case, vec![cluster("ECS::Cluster"), cluster("EKS::Cluster"), far, cluster("S3::Bucket")]);
    let found = shown(&case);
    assert_eq!(found.len(), 4, "{found:?}");
    let no_command = found.iter().find(|step| step.title.contains("EKS")).unwrap();
    assert!(matches!(&no_command.offer, Offer::Refused { commands, .. } if commands.is_empty()));
    assert!(
        found.iter().any(|step| step.id.as_str() == "by-hand.s3-bucket.prod"),
        "a bucket is of no Region: {found:?}"
    );
}

fn cabal(id: &str) -> Observation {
    let arn = "arn:aws:iam::111122223333:group/cabal".to_owned();
    let identity = Identity { id: id.into(), arn, path: "/".into() };
    Observation::Group(GroupTree { identity, members: vec![], inline: [].into(), attached: vec![] })
}

#[test]
fn what_somebody_else_has_made_anew_under_the_name_is_not_removed() {
    use crate::domain::incident::eradication::removals;
    let theirs = |kind: &str, id: &str, unique_id: Option<&str>| {
        let at = "2026-01-01T00:00:10Z".parse().ok();
        Trace { made: Some(Made { unique_id: unique_id.map(str::to_owned), at }), ..of(kind, made("-", id)) }
    };
    let mut case = Case::new();
    contain(&mut case);
    accept(&mut case);
    hunted(
        &mut case,
        vec![theirs("IAM::Group", "cabal", Some("AGPA1")), theirs("AutoScaling::LaunchConfiguration", "miners", None)],
    );
    let removals = removals(&case.incident);
    let ask = |case: &mut Case, id: &str| {
        let parts = vec![("remove.group.cabal".parse().unwrap(), cabal(id))];
        case.act("U1", PersonCommand::Request { parts, nonce: id.into() })
    };
    let Err(Refusal::NotApplicable(why)) = ask(&mut case, "AGPA2") else { panic!("another group") };
    assert!(why.contains("AGPA2") && why.contains("AGPA1") && why.contains("it stays"), "{why}");
    ask(&mut case, "AGPA1").unwrap();

    // Where there is no unique id, the time says it.
    let configuration = removals.iter().find(|of| of.action.target() == "miners").unwrap();
    let at = |created_at: &str| {
        Observation::LaunchConfiguration(LaunchConfiguration {
            arn: "arn:aws:autoscaling:us-east-1:111122223333:launchConfiguration:1:launchConfigurationName/miners"
                .into(),
            name: "miners".into(),
            created_at: created_at.into(),
            launch: Launch::default(),
        })
    };
    assert_eq!(identity::check(&removals, &configuration.action, &at("2026-01-01T00:00:12Z")), Ok(()));
    for other in ["2026-01-01T00:05:00Z", "2025-12-01T00:00:00Z"] {
        assert!(identity::check(&removals, &configuration.action, &at(other)).is_err(), "{other}");
    }
    assert_eq!(identity::check(&removals, &configuration.action, &at("no time")), Ok(()));
}

/// Title, commands, and what people do of the one step for people that this leads to.
fn only(trace: Trace) -> (String, Vec<String>, String) {
    let mut case = Case::new();
    hunted(&mut case, vec![trace]);
    let found = shown(&case);
    let [step] = &found[..] else { panic!("{found:?}") };
    let Offer::Refused { commands, instead, .. } = step.offer.clone() else { panic!("{step:?}") };
    (step.title.clone(), commands, instead)
}

#[test]
fn what_people_are_told_goes_by_what_the_attacker_has_done_to_it() {
    let call = of("Mystery::Call", changed("-", "DoThings", &[]));
    let region = "--region us-east-1";
    for (trace, title, first) in [
        (of("EKS::Cluster", made("-", "x")), "Remove by hand: AWS::EKS::Cluster x in us-east-1", None),
        (of("SQS::Queue", made("-", "x")), "Look whose it is: AWS::SQS::Queue x in us-east-1", None),
        (of("SQS::Queue", changed("-", "x", &[])), "Put back by hand: AWS::SQS::Queue x in us-east-1", None),
        (
            call,
            "See to by hand: what DoThings has done in us-east-1 (Mystery::Call)",
            Some(format!(
                "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DoThings {region}"
            )),
        ),
        // Where no one command removes it, what shows it.
        (
            of("RDS::DBInstance", made("-", "x")),
            "Remove by hand: AWS::RDS::DBInstance x in us-east-1",
            Some(format!("aws rds describe-db-instances --db-instance-identifier x {region}")),
        ),
        (
            of("DynamoDB::Table", made("-", "x")),
            "Remove by hand: AWS::DynamoDB::Table x in us-east-1",
            Some(format!("aws dynamodb delete-table --table-name x {region}")),
        ),
        // What stands in something else than all do by default is asked for there.
        (
            of("Scheduler::Schedule", made("-", "g/tick")),
            "Remove by hand: AWS::Scheduler::Schedule g/tick in us-east-1",
            Some(format!("aws scheduler delete-schedule --name tick --group-name g {region}")),
        ),
        (
            of("Events::Rule", changed("-", "alarms/tick", &[])),
            "Put back by hand: AWS::Events::Rule alarms/tick in us-east-1",
            Some(format!("aws events describe-rule --name tick --event-bus-name alarms {region}")),
        ),
        // What is of no Region is asked for without one.
        (
            changed("User", "x", &[]),
            "Put back by hand: AWS::IAM::User x",
            Some("aws iam get-user --user-name x".to_owned()),
        ),
    ] {
        let (is_titled, commands, _) = only(trace);
        assert_eq!(is_titled, title);
        if first.is_some() {
            assert_eq!(commands.first(), first.as_ref(), "{title}");
        }
    }
}

#[test]
fn what_was_done_to_it_is_named_up_to_eight_calls() {
    let done = |count: usize| {
        let deeds = vec![("TagQueue", "q", true); count];
        let more = [("SetQueueAttributes", "", true), ("TagQueue", "owner", false)];
        let deeds: Vec<_> = if count == 0 { deeds } else { [&deeds[1..], &more[..]].concat() };
        let (_, _, instead) = only(of("SQS::Queue", changed("-", "x", &deeds)));
        instead.strip_prefix("Compare it with how you keep it as code, and put back what differs.").unwrap().to_owned()
    };
    assert_eq!(done(0), "");
    assert_eq!(done(2), " What was done to it: TagQueue q (event e0), SetQueueAttributes (event e1).");
    assert!(done(8).ends_with(", SetQueueAttributes (event e7)."), "{}", done(8));
    assert!(done(9).ends_with(", TagQueue q (event e7) and 1 more."), "{}", done(9));
}

#[test]
fn a_device_or_credential_goes_with_the_very_user_of_the_attackers_that_it_is_on() {
    const PHONE: &str = "arn:aws:iam::111122223333:mfa/phone";
    let device = || made("VirtualMFADevice", PHONE);
    let credential = || made("ServiceSpecificCredential", "ACCA1");
    let mallory = |deeds: &[(&str, &str, bool)]| {
        let deeds = changed("-", "-", deeds).deeds;
        Trace { deeds, ..made("User", "mallory") }
    };
    let left = |traces: Vec<Trace>, credentials: Vec<Reached>| -> Vec<String> {
        let mut case = Case::new();
        case.found(Hunted { footprint: traces, credentials, ..Hunted::default() });
        by_hand(&case.incident).iter().map(|trace| trace.id.clone()).collect()
    };
    let both = [PHONE, "ACCA1"];
    assert_eq!(left(vec![device(), credential()], Vec::new()), both);
    assert_eq!(
        left(vec![device(), credential(), mallory(&[])], Vec::new()),
        both,
        "nothing says that they are on mallory"
    );
    let (on, off) = (("EnableMFADevice", PHONE, true), ("DeactivateMFADevice", PHONE, true));
    assert_eq!(left(vec![device(), credential(), mallory(&[on])], Vec::new()), ["ACCA1"]);
    assert_eq!(left(vec![device(), credential(), mallory(&[on, off])], Vec::new()), both);
    let held_by = |user: &str| vec![reached("ACCA1", &format!("arn:aws:iam::111122223333:user/{user}"))];
    assert_eq!(left(vec![credential(), mallory(&[])], held_by("mallory")), [""; 0]);
    assert_eq!(left(vec![credential(), mallory(&[])], held_by("ci")), ["ACCA1"]);
    // What the attacker has made and others have changed since is nobody's to put back.
    assert_eq!(left(vec![Trace { made_by_attacker: true, ..changed("User", "mallory", &[]) }], Vec::new()), [""; 0]);
}

#[test]
fn a_credential_for_one_service_that_was_switched_on_again_is_for_people_until_somebody_has_seen_to_it() {
    let on = |user: &'static str| ("UpdateServiceSpecificCredential", user, true);
    let left = |deeds: &[(&str, &str, bool)]| {
        let mut case = Case::new();
        hunted(&mut case, vec![changed("ServiceSpecificCredential", "ACCA1", deeds), made("User", "mallory")]);
        by_hand(&case.incident).len()
    };
    assert_eq!(left(&[on("ci")]), 1, "a user of the attacker's hides nothing of somebody else's");
    assert_eq!(left(&[on("mallory")]), 0, "it goes with its user");
    assert_eq!(left(&[on("ci"), ("UpdateServiceSpecificCredential", "ci", false)]), 0, "it was switched off");
}

#[test]
fn what_the_attacker_has_uploaded_for_a_user_is_switched_off_by_hand_each_by_its_id() {
    let (ssh, certificate) = (("UploadSSHPublicKey", "APKA1", true), ("UploadSigningCertificate", "ASCA1", true));
    let commands = |deeds: &[(&str, &str, bool)]| -> Vec<String> {
        let mut case = Case::new();
        hunted(&mut case, vec![changed("User", "ci", deeds)]);
        let found = shown(&case);
        let Some(step) = found.first() else { return Vec::new() };
        let Offer::Refused { instead, commands, .. } = &step.offer else { panic!("{step:?}") };
        let of_these = |command: &&String| command.contains("ssh-public-key") || command.contains("signing-cert");
        let commands: Vec<String> = commands.iter().filter(of_these).cloned().collect();
        assert_eq!(instead.contains("after the user's sessions are revoked"), !commands.is_empty(), "{instead}");
        commands
    };
    let key =
        |id: &str| format!("aws iam update-ssh-public-key --user-name ci --ssh-public-key-id {id} --status Inactive");
    let off = "aws iam update-signing-certificate --user-name ci --certificate-id ASCA1 --status Inactive";
    let second = ("UploadSSHPublicKey", "APKA2", true);
    assert_eq!(commands(&[ssh, certificate, second]), [key("APKA1"), off.to_owned(), key("APKA2")]);
    // Somebody has seen to one of them, in whatever way.
    for seen_to in [("DeleteSSHPublicKey", "APKA1", false), ("UpdateSSHPublicKey", "APKA1 Inactive", false)] {
        assert_eq!(commands(&[ssh, certificate, seen_to]), [off]);
        assert_eq!(commands(&[ssh, seen_to]), [""; 0]);
        assert_eq!(commands(&[ssh, second, seen_to]), [key("APKA2")]);
        let again = ("UpdateSSHPublicKey", "APKA1", false);
        assert_eq!(
            commands(&[ssh, seen_to, again]),
            [key("APKA1")],
            "the attacker's own lets them in, whoever does that"
        );
    }
    // One of the owner's that the attacker has switched on again, and its owner's word on that.
    let on = ("UpdateSigningCertificate", "ASCA1", true);
    assert_eq!(commands(&[on]), [off]);
    let (away, back) =
        (("UpdateSigningCertificate", "ASCA1 Inactive", false), ("UpdateSigningCertificate", "ASCA1", false));
    assert_eq!(commands(&[on, away, back]), [""; 0]);
    // A log of an older version does not have the id.
    assert_eq!(commands(&[("UploadSSHPublicKey", "", true)]), ["aws iam list-ssh-public-keys --user-name ci"]);
    // With both seen to nothing is left, and what the attacker has switched off is for its owner.
    let left = |deeds: &[(&str, &str, bool)]| {
        let mut case = Case::new();
        hunted(&mut case, vec![changed("User", "ci", deeds)]);
        by_hand(&case.incident).len()
    };
    assert_eq!(left(&[ssh, ("DeleteSSHPublicKey", "APKA1", true)]), 0);
    assert_eq!(left(&[("UpdateSSHPublicKey", "APKA1 Inactive", true)]), 1);
    assert_eq!(left(&[("UpdateSSHPublicKey", "APKA1 Inactive", true), ("UpdateSSHPublicKey", "APKA1", false)]), 0);
}

#[test]
fn what_outlives_an_instance_that_the_bot_has_ended_is_for_people() {
    let mut case = Case::new();
    contain(&mut case);
    hunted(&mut case, vec![of("EC2::Instance", made("-", "i-1"))]);
    let mut instance = samples::instance("i-1");
    instance.kept_interfaces = vec!["eni-1".into()];
    case.estate = [Observation::Instance(instance), Observation::OwnerMissing];
    case.ask("U1", &["remove.instance"]).unwrap();
    let number = u32::try_from(case.incident.requests.len()).unwrap();
    assert!(shown(&case).is_empty(), "it has not ended");
    case.approve("U2", number).unwrap();
    case.run();
    let found = shown(&case);
    let [step] = &found[..] else { panic!("{found:?}") };
    assert_eq!(step.id.as_str(), "by-hand.ec2-outlived.us-east-1.i-1");
    let Offer::Refused { commands, .. } = &step.offer else { panic!("{step:?}") };
    let delete = "aws ec2 delete-network-interface --region us-east-1 --network-interface-id eni-1";
    assert_eq!(commands, &[delete]);
    assert!(lacks(&case) && left(&case.incident).len() == 1);
    let step = step.clone();
    settle(&mut case, &step);
    assert!(!lacks(&case) && shown(&case).len() == 1);
}

#[test]
fn what_watches_comes_first() {
    let mut case = Case::new();
    hunted(&mut case, vec![of("DynamoDB::Table", made("-", "t")), deleted("CloudTrail::Trail", "main", true, "e-1")]);
    let kinds = shown(&case).into_iter().map(|step| step.title.split(' ').next().unwrap().to_owned());
    assert_eq!(kinds.collect::<Vec<_>>(), ["Make", "Remove"]);
}

#[test]
fn what_was_made_a_minute_apart_is_the_same_whatever_it_is() {
    use crate::domain::incident::eradication::removals;
    let arn = "arn:aws:iam::111122223333:saml-provider/theirs";
    let provider = |created_at: &str| {
        Observation::IdentityProvider(IdentityProvider {
            arn: arn.into(),
            created_at: created_at.into(),
            url: None,
            clients: Vec::new(),
            thumbprints: Vec::new(),
            metadata: None,
            metadata_sha256: None,
            tags: BTreeMap::new(),
        })
    };
    let group = |created_at: &str| {
        Observation::ScalingGroup(ScalingGroup {
            arn: "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:1:autoScalingGroupName/miners".into(),
            name: "miners".into(),
            created_at: created_at.into(),
            min_size: 0,
            max_size: 4,
            desired: 2,
            launches_from: Vec::new(),
            places: Vec::new(),
            behind: Vec::new(),
            suspended: [].into(),
            deletion_protection: None,
            warm_pool: false,
            warm_pool_leaves: false,
            warm: BTreeMap::new(),
            members: BTreeMap::new(),
            tags: BTreeMap::new(),
        })
    };
    let made_at =
        |trace: Trace| Trace { made: Some(Made { unique_id: None, at: "2026-01-01T00:00:10Z".parse().ok() }), ..trace };
    let times = ["2026-01-01T00:01:10Z", "2026-01-01T00:01:11Z", "2025-12-31T23:59:09Z"];
    for (trace, seen) in [
        (made("SAMLProvider", arn), times.map(provider)),
        (of("AutoScaling::AutoScalingGroup", made("-", "miners")), times.map(group)),
    ] {
        let mut case = Case::new();
        hunted(&mut case, vec![made_at(trace)]);
        let found = removals(&case.incident);
        let [removal] = &found[..] else { panic!("{found:?}") };
        let are_theirs = seen.map(|now| identity::check(&found, &removal.action, &now).is_ok());
        assert_eq!(are_theirs, [true, false, false], "{removal:?}");
    }
}
