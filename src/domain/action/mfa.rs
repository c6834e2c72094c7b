//! An MFA device that the attacker has put on a user who was there before: with its codes they pass for the user wherever a
//! second factor is asked for.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::change::{Change, Freshness, counted};
use super::{ApiCall, Inverse, WorkedOut, wrong_answer};
use crate::domain::observation::{MfaDevice, Observation, Probe};
use crate::domain::policy::ActionClass;

/// Takes a device off its user. A virtual one is deleted as well: the attacker has its secret, and it could be put on
/// again. Of one that people hold in their hands only the link to the user goes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeactivateMfaDevice {
    /// The user.
    pub user_name: String,
    /// The device: an ARN, or what is printed on a hardware token.
    pub serial_number: String,
    /// From when on the attacker is taken to have been there: a device from before is the owner's.
    pub since: Option<DateTime<Utc>>,
}

/// Whether AWS makes and deletes it: such a one is known by its ARN.
pub fn is_virtual(serial_number: &str) -> bool {
    serial_number.starts_with("arn:") && serial_number.contains(":mfa/")
}

fn in_words(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl DeactivateMfaDevice {
    /// Its name without what all devices of an account begin with; a path stays, because a name is given once in each.
    pub fn device(&self) -> &str {
        let serial = self.serial_number.as_str();
        [":mfa/", ":u2f/"].iter().find_map(|kind| serial.split_once(kind)).map_or(serial, |(_, name)| name)
    }

    fn observed<'a>(&self, seen: &'a Observation) -> Option<&'a MfaDevice> {
        match seen {
            Observation::MfaDevice(device) if device.serial_number == self.serial_number => Some(device),
            _ => None,
        }
    }
}

impl Change for DeactivateMfaDevice {
    fn kind(&self) -> &'static str {
        "deactivate-mfa-device"
    }

    fn class(&self) -> ActionClass {
        ActionClass::Contain
    }

    fn destroys(&self) -> bool {
        true
    }

    fn target(&self) -> &str {
        &self.serial_number
    }

    fn title(&self) -> String {
        format!("Take MFA device {} off user {}", self.device(), self.user_name)
    }

    fn effect(&self) -> String {
        "The attacker has added this device. Its codes no longer pass for this user's second factor; other devices of the \
         user stay. Without another one the user signs in without a second factor. A session that was opened with it \
         lives on: revoke the user's sessions after it."
            .to_owned()
    }

    fn probe(&self) -> Probe {
        Probe::MfaDevice { user_name: self.user_name.clone(), serial_number: self.serial_number.clone() }
    }

    fn work_out(&self, before: &Observation) -> Result<WorkedOut, String> {
        let Self { user_name, serial_number, since } = self.clone();
        let Some(device) = self.observed(before) else { return wrong_answer() };
        let Some(enabled_at) = device.enabled_at else {
            return Err(format!("User {user_name} has no MFA device {} any more.", self.device()));
        };
        if let Some(since) = since.filter(|since| enabled_at < *since) {
            return Err(format!(
                "MFA device {} was enabled at {}, before the time of compromise ({}): it is taken for the owner's. If it is \
                 the attacker's, set the time of compromise earlier; else ask the owner.",
                self.device(),
                in_words(enabled_at),
                in_words(since),
            ));
        }
        let mut calls = vec![ApiCall::DeactivateMFADevice { user_name, serial_number: serial_number.clone() }];
        calls.extend(is_virtual(&serial_number).then_some(ApiCall::DeleteVirtualMFADevice { serial_number }));
        let why = "To enable a device takes two of its codes, and nobody here has its secret: whoever it belongs to enrols \
                   a device anew.";
        Ok(WorkedOut::plain(calls, Inverse::None(why.to_owned())))
    }

    /// Taken off and enabled again it can be in other hands.
    fn freshness(&self, before: &Observation, now: &Observation) -> Freshness {
        let (Some(was), Some(is)) = (self.observed(before), self.observed(now)) else {
            return Freshness::Changed("AWS answered about something else".to_owned());
        };
        match is.enabled_at {
            None => Freshness::AlreadyDone,
            at if at == was.enabled_at => Freshness::AsApproved,
            Some(at) => Freshness::Changed(format!("the device was enabled anew at {}", in_words(at))),
        }
    }

    fn holds(&self, _before: &Observation, _sent: &[ApiCall], now: &Observation) -> bool {
        self.observed(now).is_some_and(|device| device.enabled_at.is_none())
    }

    fn left(&self, now: &Observation) -> Vec<String> {
        let on = self.observed(now).is_some_and(|device| device.enabled_at.is_some());
        counted(&[(usize::from(on), "MFA device")])
    }

    fn still_holds(&self, _sent: &[ApiCall], now: &Observation) -> Result<(), String> {
        match self.observed(now).and_then(|device| device.enabled_at) {
            Some(_) => Err(format!("MFA device {} is on user {} again", self.device(), self.user_name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Action;
    use crate::domain::observation::Identity;

    const VIRTUAL: &str = "arn:aws:iam::111122223333:mfa/team/phone";
    const TOKEN: &str = "GAHT12345678";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn off(serial_number: &str) -> DeactivateMfaDevice {
        let since = Some(at("2026-01-01T00:00:00Z"));
        DeactivateMfaDevice { user_name: "ci".into(), serial_number: serial_number.into(), since }
    }

    fn seen(serial_number: &str, enabled_at: Option<&str>) -> Observation {
        let owner = Identity { id: "AIDA1".into(), arn: "arn:aws:iam::111122223333:user/ci".into(), path: "/".into() };
        let enabled_at = enabled_at.map(at);
        Observation::MfaDevice(MfaDevice { owner, serial_number: serial_number.into(), enabled_at })
    }

    #[test]
    fn a_virtual_device_is_deleted_and_one_of_hardware_only_taken_off() {
        for (serial, calls) in [
            (VIRTUAL, &["DeactivateMFADevice", "DeleteVirtualMFADevice"][..]),
            (TOKEN, &["DeactivateMFADevice"]),
            ("arn:aws:iam::111122223333:u2f/user/ci/key-ABC", &["DeactivateMFADevice"]),
        ] {
            let before = seen(serial, Some("2026-01-01T00:05:00Z"));
            let work = off(serial).work_out(&before).unwrap();
            assert_eq!(work.calls.iter().map(ApiCall::operation).collect::<Vec<_>>(), calls);
            assert!(work.calls.iter().all(|call| call.resource_in(&before.arns()).is_some()), "{:?}", before.arns());
            assert!(matches!(&work.inverse, Inverse::None(why) if why.contains("enrols a device anew")));
        }
        assert_eq!(off(VIRTUAL).title(), "Take MFA device team/phone off user ci");
    }

    #[test]
    fn a_device_from_before_the_compromise_is_the_owners() {
        let refused = off(TOKEN).work_out(&seen(TOKEN, Some("2025-12-31T23:59:59Z"))).unwrap_err();
        assert!(refused.contains("taken for the owner's") && refused.contains("2025-12-31T23:59:59Z"), "{refused}");
        assert!(off(TOKEN).work_out(&seen(TOKEN, None)).unwrap_err().contains("no MFA device"));
        assert!(off(TOKEN).work_out(&seen("GAHT00000000", Some("2026-01-02T00:00:00Z"))).is_err());
    }

    #[test]
    fn enabled_anew_it_is_another_approval_and_an_alarm() {
        let action = Action::DeactivateMfaDevice(off(VIRTUAL));
        let before = seen(VIRTUAL, Some("2026-01-01T00:05:00Z"));
        let (again, gone) = (seen(VIRTUAL, Some("2026-01-01T00:09:00Z")), seen(VIRTUAL, None));
        assert_eq!(action.freshness(&before, &before), Freshness::AsApproved);
        assert_eq!(action.freshness(&before, &gone), Freshness::AlreadyDone);
        assert!(matches!(action.freshness(&before, &again), Freshness::Changed(why) if why.contains("00:09:00")));
        assert!(action.holds(&before, &[], &gone) && !action.holds(&before, &[], &before));
        assert_eq!(action.left(&before, &before), ["1 MFA device"]);
        assert!(action.still_holds(&before, &[], &gone).is_ok());
        assert!(action.still_holds(&before, &[], &again).unwrap_err().contains("is on user ci again"));
    }
}
