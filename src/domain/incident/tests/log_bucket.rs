//! A trail's bucket that is gone, and a trail that is on and delivers nothing: people see to both, and the gate waits.

use super::case::Case;
use super::eradication::{accept, changed, contain, hunted, made, of};
use super::remains::{lacks, settle, shown};
use crate::domain::hunt::Trace;
use crate::domain::incident::quiet::lacking;
use crate::domain::incident::remains::left;
use crate::domain::incident::steps::{Offer, contained};
use crate::domain::trail::footprint::State;

fn bucket(name: &str) -> Trace {
    let trace = of("S3::Bucket", changed("-", name, &[]));
    Trace { state: State::Deleted, deleted_by_attacker: true, newest: Some("e-1".into()), ..trace }
}

#[test]
fn a_bucket_that_was_deleted_keeps_the_gate_shut_until_two_people_or_the_trail_say_otherwise() {
    let mut case = Case::new();
    contain(&mut case);
    accept(&mut case);
    hunted(&mut case, vec![bucket("logs")]);
    let found = shown(&case);
    let [step] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (step.id.as_str(), step.title.as_str()),
        ("by-hand.s3-bucket.logs", "Make anew by hand: AWS::S3::Bucket logs")
    );
    let Offer::Refused { commands, .. } = &step.offer else { panic!("{step:?}") };
    for command in ["aws s3api list-buckets", "aws s3api create-bucket --bucket logs …"] {
        assert!(commands.iter().any(|one| one == command), "{commands:?}");
    }
    assert!(lacks(&case));
    let step = step.clone();
    settle(&mut case, &step);
    assert!(!lacks(&case), "{:?}", lacking(&case.incident, &case.playbook));
    hunted(&mut case, vec![Trace { newest: Some("e-2".into()), ..bucket("logs") }]);
    assert!(lacks(&case), "they have deleted it once more");
    // Others have made it anew.
    hunted(&mut case, vec![Trace { state: State::Present, deleted_by_attacker: false, ..bucket("logs") }]);
    assert!(!lacks(&case) && shown(&case).is_empty());
    hunted(&mut case, vec![Trace { deleted_by_attacker: false, ..bucket("logs") }]);
    assert!(shown(&case).is_empty(), "others have deleted it");
}

#[test]
fn to_call_what_makes_it_first_hides_no_deletion() {
    let mut case = Case::new();
    let said_theirs = |trace: Trace| Trace { made_by_attacker: true, ..trace };
    hunted(&mut case, vec![said_theirs(bucket("logs"))]);
    assert_eq!(shown(&case).len(), 1, "AWS answers alike where it was there already");
    let trail = Trace { resource_type: "AWS::CloudTrail::Trail".into(), ..bucket("decoy") };
    hunted(&mut case, vec![said_theirs(trail)]);
    assert!(shown(&case).is_empty(), "of a trail it does not");
}

#[test]
fn buckets_of_the_attackers_own_push_out_nothing_that_watches() {
    let mut case = Case::new();
    let own = |n: usize| of("S3::Bucket", made("-", &format!("b{n:02}")));
    hunted(&mut case, (0..40).map(own).chain([bucket("logs")]).collect());
    assert_eq!(shown(&case)[0].id.as_str(), "by-hand.s3-bucket.logs");
    // Made and deleted again they stand behind what was there before.
    let decoy = |n: usize| Trace { made_by_attacker: true, ..bucket(&format!("b{n:02}")) };
    hunted(&mut case, (0..40).map(decoy).chain([bucket("logs")]).collect());
    assert_eq!(shown(&case)[0].id.as_str(), "by-hand.s3-bucket.logs");
}

#[test]
fn a_trail_that_is_on_again_and_did_not_deliver_is_left_for_people() {
    let restored = |error: Option<&str>| {
        let mut case = Case::new();
        case.trail_fails = error.map(str::to_owned);
        hunted(&mut case, vec![of("CloudTrail::Trail", changed("-", "main", &[("StopLogging", "", true)]))]);
        case.ask("U1", &["restore-logging", "deactivate", "revoke-user", "revoke-assumed"]).unwrap();
        assert!(left(&case.incident).is_empty(), "it is not on yet");
        case.approve("U2", 1).unwrap();
        case.run();
        assert!(contained(&case.incident, &case.playbook) && !case.trail_off);
        case
    };
    assert!(shown(&restored(None)).is_empty());
    let mut case = restored(Some("NoSuchBucket"));
    let found = shown(&case);
    let [step] = &found[..] else { panic!("{found:?}") };
    assert_eq!(step.id.as_str(), "by-hand.undelivered.us-east-1.main");
    assert!(step.why.contains("NoSuchBucket"), "{}", step.why);
    let Offer::Refused { commands, .. } = &step.offer else { panic!("{step:?}") };
    assert_eq!(commands[1], "aws cloudtrail get-trail-status --name main --region us-east-1");
    assert!(lacks(&case) && left(&case.incident).len() == 1);
    let step = step.clone();
    settle(&mut case, &step);
    assert!(!lacks(&case) && left(&case.incident).is_empty());
}
