//! Scenes that take their minutes: what people do by hand and take upon themselves, the logs, a call of which nobody knows
//! how it ended, a request that nobody decides, what no event explains and what the evidence says in the end.

use chrono::TimeDelta;
use futures_util::future::FutureExt;
use irp::domain::approval::RequestState;
use irp::domain::incident::logs::LogSearch;
use irp_sandbox::aws::Fault;
use serde_json::json;

use super::every::{KEY_STEP, SESSIONS, Scene, carry_out};
use super::points::KEY;
use super::scenes::deny;
use super::whole_way::{self, STEPS, Seen, fill, press};
use crate::hunt::rules_with_logs;
use crate::world::{ANA, BEN, ORGANISATION, World};

const LOGS: &str = "INC-1 logs";
const PROOF: &str = "Containment proof";
const INVENTORY: &str = "Inventory";
const CONTAINS: &str = "irp-contain";

pub(super) static LONG: [Scene; 6] = [
    Scene {
        kinds: &["HandDone", "HandTakenBack", "HandConfirmed", "RiskAgreed", "RiskAccepted"],
        rules: || ORGANISATION.to_owned(),
        before: |w| async move { deny(w, CONTAINS, "iam:PutUserPolicy", true) }.boxed(),
        press: |w, seen| by_hand(w, seen).boxed(),
        is_over: |seen| seen.has("RiskAccepted"),
        once: &["Verified", "ExecutionFailed", "HandTakenBack", "HandConfirmed", "RiskAccepted"],
        calls: |_| [1, 1, 0],
    },
    Scene {
        kinds: &[
            "LogsSearchAsked",
            "LogsSearchEstimated",
            "LogsSearchConfirmed",
            "LogsSearchStarted",
            "LogsSearched",
            "LogsSearchCancelled",
            "LogsSearchStopped",
            "LogsSearchFailed",
        ],
        rules: rules_with_logs,
        before: |_| async {}.boxed(),
        press: |w, seen| search_logs(w, seen).boxed(),
        is_over: |seen| ["LogsSearched", "LogsSearchStopped", "LogsSearchFailed"].iter().all(|of| seen.has(of)),
        once: &["LogsSearched", "LogsSearchCancelled", "LogsSearchStopped", "LogsSearchFailed"],
        calls: |_| [0, 0, 0],
    },
    Scene {
        kinds: &["ExecutionUnknown", "LookedAgain", "ExecutionFailed"],
        rules: || ORGANISATION.to_owned(),
        before: |w| async move { w.account.fail_next("UpdateAccessKey", Fault::HangBefore) }.boxed(),
        press: |w, seen| in_doubt(w, seen).boxed(),
        is_over: |seen| seen.is_in_force(KEY_STEP),
        once: &["Verified", "ExecutionFailed"],
        // Where AWS's refusal was not written down, nobody knows how the call ended, and it is asked for once more.
        calls: |seen| [seen.times("ExecutionStarted"), 0, 0],
    },
    Scene {
        kinds: &["RequestExpired"],
        rules: || ORGANISATION.replace("[people]", "contain.approve_within_minutes = 1\n[people]"),
        before: |_| async {}.boxed(),
        press: |w, seen| nobody_decides(w, seen).boxed(),
        is_over: |seen| seen.is_in_force(KEY_STEP),
        once: &["RequestExpired", "Verified"],
        calls: |_| [1, 0, 0],
    },
    Scene {
        kinds: &["InventoryTaken", "ThingsLookedAt", "VerdictReached"],
        rules: || ORGANISATION.to_owned(),
        before: |w| leaves_a_key_pair(w).boxed(),
        press: |w, seen| look_and_contain(w, seen).boxed(),
        is_over: |seen| seen.has("VerdictReached") && is_contained(seen),
        once: &["ThingsLookedAt"],
        calls: |_| [1, 1, 1],
    },
    Scene {
        kinds: &["TrailPartlyRead"],
        rules: || ORGANISATION.to_owned(),
        before: |w| w.attacker_takes("app-deploy").boxed(),
        press: |w, seen| contain_what_is_found(w, seen).boxed(),
        // Whoever takes the search over begins with all that was read, and need not say again how far it was.
        is_over: is_contained,
        once: &[],
        calls: |_| [1, 1, 1],
    },
];

fn is_contained(seen: &Seen) -> bool {
    STEPS.iter().all(|(_, begins)| seen.is_in_force(begins))
}

/// AWS refuses what the bot tries. It is done by hand, taken back, done again and confirmed, and nobody waits for the proof.
async fn by_hand(w: &World, seen: &Seen) {
    if !seen.is_in_force(KEY_STEP) {
        return carry_out(w, KEY).await;
    }
    if !seen.has("ExecutionFailed") {
        return carry_out(w, SESSIONS).await;
    }
    match seen.incident.hands.values().next() {
        None => fill(w, ANA, SESSIONS, "irp.say_done", &json!({"reason": {"reason": "in the console"}})).await,
        Some(_) if !seen.has("HandTakenBack") => press(w, ANA, SESSIONS, "irp.take_back_done").await,
        Some(hand) if hand.confirmed.is_none() => press(w, BEN, SESSIONS, "irp.confirm_done").await,
        Some(_) => accept(w, seen).await,
    }
}

async fn accept(w: &World, seen: &Seen) {
    let agreed = seen.incident.risk.iter().flat_map(|risk| risk.agreed.values());
    let agreed: Vec<&str> = agreed.map(|(user, _)| user.as_str()).collect();
    for person in [ANA, BEN] {
        if !agreed.contains(&person) {
            let filled = json!({"reason": {"reason": "the shop opens at six"}});
            return fill(w, person, PROOF, "irp.accept_risk", &filled).await;
        }
    }
}

/// One search comes to its end, one is cancelled while it runs, and one may not read so much.
async fn search_logs(w: &World, seen: &Seen) {
    let is_endless = seen.has("LogsSearched") && !seen.has("LogsSearchStopped");
    match seen.incident.logs.last() {
        Some(LogSearch { end: None, run: None, estimate: Some(_), .. }) => {
            w.account.set_query_time(if is_endless { TimeDelta::hours(1) } else { TimeDelta::seconds(2) });
            w.account.set_query_cutoff(seen.has("LogsSearchStopped").then_some(10));
            press(w, ANA, LOGS, "irp.logs_run").await;
        }
        Some(LogSearch { end: None, execution: Some(_), .. }) if is_endless => {
            press(w, BEN, LOGS, "irp.logs_cancel").await;
        }
        Some(LogSearch { end: None, .. }) => {}
        _ => press(w, ANA, LOGS, "irp.logs_ask").await,
    }
}

/// The first call has no answer, the second is refused, and the third is carried out.
async fn in_doubt(w: &World, seen: &Seen) {
    let is_unknown = |state: &RequestState| matches!(state, RequestState::Unknown { .. });
    let waits = seen.incident.requests.values().any(|request| is_unknown(&request.state));
    if seen.has("LookedAgain") || !waits {
        let is_refused = seen.has("LookedAgain") && !seen.has("ExecutionFailed");
        deny(w, CONTAINS, "iam:UpdateAccessKey", is_refused);
        carry_out(w, KEY).await;
    }
}

async fn nobody_decides(w: &World, seen: &Seen) {
    if seen.has("RequestExpired") {
        carry_out(w, KEY).await;
    } else if !seen.is_anything_open() {
        press(w, ANA, KEY, "irp.request").await;
    }
}

async fn leaves_a_key_pair(w: &World) {
    w.account.make_key_pair_unlogged("us-east-1", "debug", w.clock.now() - TimeDelta::minutes(25));
    w.attacker_takes("app-deploy").await;
}

async fn look_and_contain(w: &World, seen: &Seen) {
    if seen.has("ThingsLookedAt") {
        whole_way::carry_out(w, seen).await;
    } else {
        press(w, ANA, INVENTORY, "irp.look_at").await;
    }
}

async fn contain_what_is_found(w: &World, seen: &Seen) {
    if seen.has("TrailSwept") {
        whole_way::carry_out(w, seen).await;
    }
}
