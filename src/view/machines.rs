//! Instances of a role whose sessions are revoked: when they get new credentials by themselves, and how at once. The bot
//! changes no instance for that: which of them may stand still, and for how long, only its owner knows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blocks::{code, preformatted, section};
use crate::domain::action::CUT_OFF_LEAD_S;
use crate::domain::blast_radius::RoleUse;
use crate::domain::incident::state::Incident;
use crate::domain::trail::token::{is_machine, role_session};

/// Instances that are named with their commands.
const SHOWN_MAX: usize = 3;
/// How the use of a role names an instance that runs as it.
const RUNS: &str = "EC2 instance ";

/// What its instances go without from the revocation on, and until when; nothing for a role that no instance can have.
pub(super) fn new_credentials(incident: &Incident, role_name: &str, role_use: Option<&RoleUse>) -> Vec<Value> {
    let instances = instances(incident, role_name, role_use);
    let profiles = role_use.map(|of| of.instance_profiles.as_slice()).unwrap_or_default();
    if instances.is_empty() && profiles.is_empty() {
        return Vec::new();
    }
    let mut which: Vec<String> = instances.iter().take(SHOWN_MAX).map(|id| code(id)).collect();
    if instances.len() > SHOWN_MAX {
        which.push(format!("and {} more, for which the commands are the same", instances.len() - SHOWN_MAX));
    }
    if which.is_empty() {
        which.push("none is known; put the id of each that has the profile into the commands".to_owned());
    }
    let role = code(&format!("…/latest/meta-data/iam/security-credentials/{role_name}"));
    let text = format!(
        ":arrows_counterclockwise: *Instances of this role need new credentials:* {}.\n\
         • *By themselves:* what they hold is denied until their metadata service hands out what was issued more than \
         {CUT_OFF_LEAD_S} s after the call. The revocation lets that through. It comes with the next refresh, within about 6 \
         hours; restarting the application alone brings the same old ones.\n\
         • *At once, by hand:* the bot does not do it. After this is done, and once nobody else can have the instance give \
         them out (*Require IMDSv2*, or the hole closed), replace the association of its instance profile with a new one, or \
         stop and start it: then its public address changes, and what is on its instance store is gone. Restart the \
         application after that: it may hold the old ones for hours.\n\
         • *Done when* `LastUpdated` at {role} on the instance is later than the cut-off.",
        which.join(", ")
    );
    vec![section(&text), preformatted(&commands(&instances, profiles))]
}

/// Instances that are known to have had a session of the role: what they hold is named after them.
fn instances(incident: &Incident, role_name: &str, role_use: Option<&RoleUse>) -> BTreeSet<String> {
    let running = role_use.into_iter().flat_map(|of| &of.runs_as).filter_map(|runs| runs.strip_prefix(RUNS));
    let found = incident.identification().filter(|found| found.name.as_deref() == Some(role_name));
    let stolen = found.and_then(|found| found.session_name.as_deref());
    let here = incident.account();
    let is_here = |account: &str| here.as_ref().is_some_and(|here| here.as_str() == account);
    let hunted = incident.hunted.as_ref().map(|(hunted, _)| hunted);
    // Whoever takes the role by hand gives the session a name of their own, and that can be an instance's.
    let called_so = |key: &str| hunted.is_some_and(|hunted| hunted.called_like_instances.contains(key));
    let stolen = stolen.filter(|_| !incident.subject.access_key.as_ref().is_some_and(|key| called_so(key.as_str())));
    let reached = hunted.into_iter().flat_map(|hunted| &hunted.credentials);
    let reached = reached.filter(|held| !held.access_key_id.as_deref().is_some_and(called_so));
    let reached = reached.filter_map(|held| role_session(held.principal.as_deref()?));
    let reached = reached.filter(|(account, role, _)| *role == role_name && is_here(account)).map(|(.., name)| name);
    let names = running.chain(stolen).chain(reached);
    names.filter(|name| name.starts_with("i-") && is_machine(name)).map(str::to_owned).collect()
}

fn commands(instances: &BTreeSet<String>, profiles: &[String]) -> String {
    let profile = if let [one] = profiles { one.as_str() } else { "…" };
    let of = |id: &str| {
        format!(
            "aws ec2 describe-iam-instance-profile-associations --filters Name=instance-id,Values={id} \
             Name=state,Values=associated --region …\n\
             aws ec2 replace-iam-instance-profile-association --association-id … --iam-instance-profile Name={profile} \
             --region …\n\
             # or\n\
             aws ec2 stop-instances --instance-ids {id} --region …\n\
             aws ec2 wait instance-stopped --instance-ids {id} --region …\n\
             aws ec2 start-instances --instance-ids {id} --region …"
        )
    };
    if instances.is_empty() {
        return of("…");
    }
    instances.iter().take(SHOWN_MAX).map(|id| of(id)).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::new_credentials;
    use crate::domain::action::{Action, RevokeRoleSessions};
    use crate::domain::blast_radius::{AssumedRole, RoleUse};
    use crate::domain::credential::PrincipalKind;
    use crate::domain::hunt::{Hunted, Reached};
    use crate::domain::incident::event::Event;
    use crate::domain::incident::steps::{Offer, steps};
    use crate::domain::incident::tests::case::{Case, role};
    use crate::view::step;

    fn used(runs_as: &[&str], profiles: &[&str]) -> AssumedRole {
        let all = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
        let role_use = RoleUse {
            trusted: vec![],
            assumed_by: vec![],
            instance_profiles: all(profiles),
            runs_as: all(runs_as),
            days_read: 14,
            cut: false,
        };
        AssumedRole { role_use: Some(role_use), ..role("app", "111122223333") }
    }

    fn card(case: &Case) -> String {
        let wanted = Action::RevokeRoleSessions(RevokeRoleSessions { role_name: "app".into() });
        let all = steps(&case.incident, &case.playbook);
        let step = all.iter().find(|step| matches!(&step.offer, Offer::Action(action) if *action == wanted)).unwrap();
        Value::Array(step::message(&case.incident, step, None, &[], &case.policy).blocks).to_string()
    }

    #[test]
    fn a_revocation_says_when_instances_get_new_credentials_and_how_at_once() {
        let mut case = Case::new();
        assert!(!card(&case).contains("new credentials"), "no instance has this role");
        case.reached(vec![used(&["EC2 instance i-0aaaaaaaaaaaaaaa1", "Lambda function sync"], &["web"])]);
        let card = card(&case);
        for says in [
            "within about 6 hours",
            "issued more than 30 s after the call",
            "The revocation lets that through",
            "restarting the application alone brings the same old ones",
            "the bot does not do it",
            "--filters Name=instance-id,Values=i-0aaaaaaaaaaaaaaa1",
            "replace-iam-instance-profile-association --association-id … --iam-instance-profile Name=web ",
            "stop-instances --instance-ids i-0aaaaaaaaaaaaaaa1",
            "start-instances --instance-ids i-0aaaaaaaaaaaaaaa1",
            "security-credentials/app",
        ] {
            assert!(card.contains(says), "{says}: {card}");
        }
        assert!(!card.contains("Values=sync"), "{card}");
    }

    #[test]
    fn a_profile_that_nothing_is_known_to_run_with_has_the_commands_without_an_id() {
        let mut case = Case::new();
        case.reached(vec![used(&[], &["web", "web-2"])]);
        let card = card(&case);
        assert!(card.contains("none is known") && card.contains("--instance-ids …"), "{card}");
        assert!(card.contains("Name=… --region"), "which of the two it has is to be looked up: {card}");
        let mut case = Case::new();
        case.reached(vec![used(&["Lambda function sync"], &[])]);
        assert!(!self::card(&case).contains("new credentials"));
    }

    #[test]
    fn an_instance_whose_session_the_search_has_shown_is_named_and_a_name_that_somebody_chose_is_not() {
        let mut case = Case::new();
        let session = |account: &str, name: &str| Reached {
            access_key_id: Some("ASIAIOSFODNN7EXAMPLE".into()),
            principal: Some(format!("arn:aws:sts::{account}:assumed-role/app/{name}")),
            how: Some("AssumeRole".into()),
            event_id: Some("e-1".into()),
            last_worked_at: None,
        };
        let credentials = [
            session("111122223333", "i-0bbbbbbbbbbbbbbb1"),
            session("111122223333", "i-0b;reboot"),
            session("999988887777", "i-0bbbbbbbbbbbbbbb2"),
        ];
        let found = Box::new(Hunted { credentials: credentials.into(), ..Hunted::default() });
        case.apply(vec![Event::TrailHunted { found }]);
        let card = card(&case);
        assert!(card.contains("stop-instances --instance-ids i-0bbbbbbbbbbbbbbb1"), "{card}");
        assert!(
            !card.contains("--instance-ids i-0b;reboot") && !card.contains("--instance-ids i-0bbbbbbbbbbbbbbb2"),
            "{card}"
        );
    }

    #[test]
    fn an_instance_by_whose_name_somebody_has_taken_the_role_is_not_to_be_stopped() {
        let mut case = Case::new();
        let held = |key: &str, name: &str| Reached {
            access_key_id: Some(key.into()),
            principal: Some(format!("arn:aws:sts::111122223333:assumed-role/app/{name}")),
            how: Some("AssumeRole".into()),
            event_id: Some("e-1".into()),
            last_worked_at: None,
        };
        let (by_hand, own) = ("ASIAI44QH8DHBTAKENBY", "ASIAIOSFODNN7EXAMPLE");
        let found = Hunted {
            credentials: vec![held(by_hand, "i-0ddddddddddddddd1"), held(own, "i-0ddddddddddddddd2")],
            called_like_instances: [by_hand.to_owned()].into(),
            ..Hunted::default()
        };
        case.apply(vec![Event::TrailHunted { found: Box::new(found) }]);
        let shown = card(&case);
        assert!(shown.contains("Values=i-0ddddddddddddddd2"), "{shown}");
        assert!(!shown.contains("Values=i-0ddddddddddddddd1"), "{shown}");
        // And the stolen credential itself.
        let identified = &mut case.incident.identified.as_mut().unwrap().found;
        (identified.kind, identified.name, identified.session_name) =
            (PrincipalKind::AssumedRole, Some("app".into()), Some("i-0ddddddddddddddd3".into()));
        let of_subject = |case: &mut Case, key: &str| {
            case.incident.subject.access_key = Some(key.parse().unwrap());
            new_credentials(&case.incident, "app", None)
        };
        let named = |blocks: Vec<Value>| Value::Array(blocks).to_string().contains("i-0ddddddddddddddd3");
        assert!(named(of_subject(&mut case, own)) && !named(of_subject(&mut case, by_hand)));
    }

    #[test]
    fn of_many_instances_the_others_are_counted() {
        let mut case = Case::new();
        let ids: Vec<String> = (0..5).map(|n| format!("EC2 instance i-0cccccccccccccc{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        case.reached(vec![used(&ids, &["web"])]);
        let card = card(&case);
        assert!(card.contains("and 2 more, for which the commands are the same"), "{card}");
        assert_eq!(card.matches("aws ec2 start-instances").count(), 3, "{card}");
    }
}
