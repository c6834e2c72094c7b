//! What a user signs in with besides keys and a password: MFA devices, credentials for one service.

use super::case::Case;
use super::hunt::{made, reached, titles};
use crate::domain::hunt::{Hunted, Trace};
use crate::domain::incident::remains::by_hand;
use crate::domain::incident::steps::missing;
use crate::domain::trail::deed::Deed;
use crate::domain::trail::footprint::State;

#[test]
fn an_mfa_device_that_the_attacker_has_added_is_taken_off_and_one_of_the_owners_is_not() {
    let phone = "arn:aws:iam::111122223333:mfa/team/phone";
    let on = |user: &str, deeds: &[(&str, &str, bool)]| Trace {
        made_by_attacker: false,
        state: State::Modified,
        deeds: deeds
            .iter()
            .map(|(operation, what, by_attacker)| Deed {
                operation: (*operation).into(),
                what: (*what).into(),
                event_id: "e".into(),
                by_attacker: *by_attacker,
                made_default: false,
            })
            .collect(),
        ..made("AWS::IAM::User", user)
    };
    let mut case = Case::new();
    let footprint = vec![
        made("AWS::IAM::VirtualMFADevice", phone),
        on("ci", &[("EnableMFADevice", phone, true)]),
        on("release", &[("EnableMFADevice", "GAHT1", true), ("DeactivateMFADevice", "GAHT1", false)]),
        // Taken off by the attacker and put on again by the owner.
        on("ana", &[("DeactivateMFADevice", "GAHT2", true), ("EnableMFADevice", "GAHT2", false)]),
        on("ben", &[("DeactivateMFADevice", "GAHT3", true)]),
    ];
    case.found(Hunted { footprint, ..Hunted::default() });
    let step = "deactivate-mfa-device.ci.team-phone";
    let devices = |case: &Case| -> Vec<String> {
        titles(case).into_iter().filter(|id| id.starts_with("deactivate-mfa-device")).collect()
    };
    assert_eq!(devices(&case), [step]);
    let all = titles(&case);
    let place = |id: &str| all.iter().position(|of| of == id).unwrap();
    assert!(place(step) < place("revoke-user-sessions"), "{all:?}");
    let lacks =
        |case: &Case| missing(&case.incident, &case.playbook).iter().any(|(lacking, _)| lacking.id.as_str() == step);
    assert!(lacks(&case));
    // What the attacker has taken off is for its owner to put on again.
    let by_hand: Vec<&str> = by_hand(&case.incident).iter().map(|trace| trace.id.as_str()).collect();
    assert_eq!(by_hand, ["ben"]);
    // Somebody has taken it off by hand.
    let (mut found, _) = case.incident.hunted.clone().unwrap();
    found.devices_off.insert(phone.into());
    case.found(found);
    assert_eq!(devices(&case), [""; 0]);
    assert!(!lacks(&case));
    // One on a user of theirs goes with the user.
    let theirs = Trace { made_by_attacker: true, ..on("backdoor", &[("EnableMFADevice", "GAHT4", true)]) };
    case.found(Hunted { footprint: vec![theirs], ..Hunted::default() });
    assert_eq!(devices(&case), [""; 0]);
}

#[test]
fn a_credential_for_one_service_on_a_user_who_was_there_before_is_switched_off() {
    let mut case = Case::new();
    let of_ci = reached("ACCAEXAMPLE0000000001", "arn:aws:iam::111122223333:user/ci");
    let elsewhere = reached("ACCAEXAMPLE0000000002", "arn:aws:iam::999988887777:user/ci");
    let found = Hunted { credentials: vec![of_ci, elsewhere], ..Hunted::default() };
    case.found(found.clone());
    let step = "deactivate-service-credential.ci.ACCAEXAMPLE0000000001";
    let credentials = |case: &Case| -> Vec<String> {
        titles(case).into_iter().filter(|id| id.starts_with("deactivate-service-credential")).collect()
    };
    assert_eq!(credentials(&case), [step], "the other account is not this incident's");
    let lacks =
        |case: &Case| missing(&case.incident, &case.playbook).iter().any(|(lacking, _)| lacking.id.as_str() == step);
    assert!(lacks(&case));
    case.found(Hunted { off: ["ACCAEXAMPLE0000000001".to_owned()].into(), ..found });
    assert_eq!(credentials(&case), [""; 0], "somebody has switched it off by hand");
    assert!(!lacks(&case));
}
