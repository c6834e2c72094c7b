//! Scenes in which nobody waits long: a request that AWS overtakes or that nobody can carry out, a plan that Slack does not
//! take, an approver who leaves, one person alone who is contested, a credential of which AWS does not say whose it is.

use futures_util::future::FutureExt;
use irp_sandbox::aws::Fault;
use irp_sandbox::slack::UserFlag;
use serde_json::json;

use super::every::{KEY_STEP, SESSIONS, SESSIONS_STEP, Scene, carry_out};
use super::points::KEY;
use super::whole_way::{Seen, fill, long_policy, press};
use crate::world::{ANA, BEN, CHRIS, ORGANISATION, World};

const READER: &str = "irp-reader";
/// More than one question is asked again before it is given up.
const FAULTS: usize = 9;

pub(super) static SHORT: [Scene; 5] = [
    Scene {
        kinds: &["RequestStale", "RequestLapsed", "ContainmentUnread"],
        rules: || ORGANISATION.to_owned(),
        before: |_| async {}.boxed(),
        press: |w, seen| overtaken(w, seen).boxed(),
        is_over: |seen| seen.has("ContainmentUnread"),
        once: &["RequestStale", "RequestLapsed", "ContainmentUnread", "Verified"],
        calls: |_| [1, 0, 0],
    },
    Scene {
        kinds: &["PlanNotUploaded"],
        rules: || ORGANISATION.to_owned(),
        before: |w| async { takes_no_files(w) }.boxed(),
        press: |w, seen| shows_whole(w, seen).boxed(),
        is_over: |seen| seen.is_in_force(SESSIONS_STEP),
        once: &["PlanNotUploaded", "PlanUploaded", "Verified"],
        calls: |_| [0, 1, 0],
    },
    Scene {
        kinds: &["ApprovalVoided"],
        rules: || ORGANISATION.replace("contain.quorum = 1", "contain.quorum = 2"),
        before: |_| async {}.boxed(),
        press: |w, seen| leaves(w, seen).boxed(),
        is_over: |seen| seen.is_in_force(KEY_STEP),
        once: &["ApprovalVoided", "Verified"],
        calls: |_| [1, 0, 0],
    },
    Scene {
        kinds: &["GlassContested"],
        rules: || format!("{ORGANISATION}[break_glass]\npeople = [\"{ANA}\"]\n"),
        before: |_| async {}.boxed(),
        press: |w, seen| contested(w, seen).boxed(),
        is_over: |seen| seen.has("GlassContested") && seen.is_in_force(KEY_STEP),
        once: &["GlassBroken", "GlassContested", "Verified"],
        calls: |_| [1, 0, 0],
    },
    Scene {
        kinds: &["IdentificationFailed"],
        rules: || ORGANISATION.to_owned(),
        before: |w| async { nobody_says_whose(w) }.boxed(),
        press: |w, _| carry_out(w, KEY).boxed(),
        is_over: |seen| seen.has("Identified") && seen.is_in_force(KEY_STEP),
        once: &["Verified"],
        calls: |_| [1, 0, 0],
    },
];

/// Takes from a role what its own policy allows, or gives it back.
pub(super) fn deny(w: &World, role: &str, action: &str, denied: bool) {
    let statement = json!({"Effect": "Deny", "Action": action, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    w.account.put_role_policy_directly(role, "denied", denied.then_some(policy.as_str()));
}

/// Somebody else changes what is asked for, each time into something else.
fn meddles(w: &World, seen: &Seen) {
    let statement = json!({"Sid": format!("Number{}", seen.events.len()), "Effect": "Deny",
                           "Action": ["s3:DeleteObject"], "Resource": ["arn:aws:s3:::b/*"]});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(&policy));
}

/// What was approved has changed by the time of the call, then it cannot be read, and in the end what holds cannot be.
async fn overtaken(w: &World, seen: &Seen) {
    if !seen.has("RequestStale") {
        if w.offers(SESSIONS, "irp.approve") {
            meddles(w, seen);
        }
        carry_out(w, SESSIONS).await;
    } else if !seen.has("RequestLapsed") {
        // Whoever asks has it read.
        deny(w, READER, "iam:*", seen.is_anything_open());
        carry_out(w, SESSIONS).await;
    } else if seen.is_in_force(KEY_STEP) {
        deny(w, READER, "iam:*", true);
    } else {
        deny(w, READER, "iam:*", false);
        carry_out(w, KEY).await;
    }
}

fn takes_no_files(w: &World) {
    w.account.put_user_policy_directly("deploy-bot", "AWSRevokeOlderSessions", Some(&long_policy()));
    w.slack.set_scope("files:write", false);
}

async fn shows_whole(w: &World, seen: &Seen) {
    w.slack.set_scope("files:write", seen.has("PlanNotUploaded"));
    carry_out(w, SESSIONS).await;
}

/// Ben says yes and is gone before the second yes; by the time that it is asked for anew he is back.
async fn leaves(w: &World, seen: &Seen) {
    let (is_over, is_open, by_ben) = (seen.has("ApprovalVoided"), seen.is_anything_open(), seen.is_approved_by(BEN));
    w.slack.set_user_flag(BEN, UserFlag::Deleted, by_ben && !is_over);
    let voided = seen.incident.requests.values().any(|request| request.state.is_open() && !request.voided.is_empty());
    if !is_open {
        press(w, ANA, KEY, "irp.request").await;
    } else if voided {
        press(w, ANA, KEY, "irp.withdraw").await;
    } else if by_ben {
        press(w, CHRIS, KEY, "irp.approve").await;
    } else {
        press(w, BEN, KEY, "irp.approve").await;
    }
}

async fn contested(w: &World, seen: &Seen) {
    if seen.has("GlassBroken") {
        fill(w, CHRIS, KEY, "irp.contest", &json!({"reason": {"reason": "I was there all the time"}})).await;
    } else if seen.is_anything_open() {
        let filled = json!({"target": {"target": w.stolen_key()}, "reason": {"reason": "nobody answers"}});
        fill(w, ANA, KEY, "irp.break_glass", &filled).await;
    } else {
        press(w, ANA, KEY, "irp.request").await;
    }
}

fn nobody_says_whose(w: &World) {
    for _ in 0..FAULTS {
        w.account.fail_next("GetAccessKeyLastUsed", Fault::InternalError);
    }
}
