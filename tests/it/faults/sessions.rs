//! What AWS would let the session of a change do, by the policy that the bot has opened it with: the approved calls on
//! what was approved, and nothing else. Every change of the catalogue is carried out, and taken back where it can be;
//! then each session is asked for all the others' calls and resources, and for some that lie beside its own.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{BoxFuture, FutureExt, join_all};
use irp::domain::action::{Action, ApiCall, Inverse};
use irp::domain::approval::RequestState;
use irp::domain::incident::evolve::fold;
use irp::domain::incident::state::Incident;
use irp_sandbox::aws::ConfinedSession;
use serde_json::json;

use super::{actions, estate, removals};
use crate::estate::{is_rehearsal, made};
use crate::identity_center::{CENTER, card, with_a_stolen_session_of};
use crate::organization::ORGANIZATION;
use crate::world::{ANA, CHRIS, ORGANISATION, World};

/// Worlds at once: each is a bot, a workspace and an account.
const AT_ONCE: usize = 6;
/// What no change needs.
const NEVER: [&str; 8] = [
    "ec2:RunInstances",
    "iam:CreateAccessKey",
    "iam:CreateUser",
    "iam:ListUsers",
    "iam:PassRole",
    "lambda:InvokeFunction",
    "s3:GetObject",
    "sts:AssumeRole",
];
/// What a call makes has no name before it is made. Where AWS asks the permission for that too, it is given for all of the
/// kind: in a session with the first call, the second action on what is called so.
const NAMELESS: [(&str, &str, &str); 4] = [
    ("ec2:CreateSnapshot", "ec2:CreateSnapshot", "::snapshot/"),
    ("identitystore:CreateGroupMembership", "identitystore:CreateGroupMembership", ":membership/"),
    ("organizations:CreatePolicy", "organizations:AttachPolicy", ":policy/"),
    ("organizations:CreatePolicy", "organizations:TagResource", ":policy/"),
];
/// Its permission is for no resource at all.
const OF_NOTHING: &str = "organizations:CreatePolicy";

/// A managed policy that nobody has approved anything of.
const OTHER_POLICY: &str = "arn:aws:iam::aws:policy/PowerUserAccess";

/// Whether a call attaches or detaches a managed policy of IAM.
fn is_about_a_policy(action: &str) -> bool {
    ["iam:Attach", "iam:Detach"].iter().any(|verb| action.starts_with(verb))
}

/// One session that has changed something.
struct Sent {
    what: String,
    session: ConfinedSession,
    /// What its calls needed a permission for: an action and an ARN.
    needed: BTreeSet<(String, String)>,
}

impl Sent {
    /// Whether it lies in the nature of the call.
    fn is_nameless(&self, action: &str, arn: &str) -> bool {
        let makes = |call: &str| self.needed.iter().any(|(needed, _)| needed == call);
        // Of the same kind, in the same place.
        let place = |arn: &str| arn.rsplit_once('/').map(|(place, _)| place.to_owned());
        let asked = || self.needed.iter().any(|(needed, on)| needed == action && place(on) == place(arn));
        (action == OF_NOTHING && makes(OF_NOTHING))
            || NAMELESS
                .iter()
                .any(|(call, known, kind)| *known == action && makes(call) && arn.contains(kind) && asked())
    }

    /// The first thing that it could do and nobody has approved.
    fn goes_beyond(&self, actions: &[&str], arns: &BTreeSet<String>) -> Option<String> {
        let own: BTreeSet<&String> = self.needed.iter().map(|(_, arn)| arn).collect();
        let beside = own.iter().flat_map(|arn| beside(arn)).collect::<BTreeSet<_>>();
        for action in actions {
            for arn in arns.iter().chain(&beside) {
                let is_needed = self.needed.contains(&((*action).to_owned(), arn.clone()));
                // Of another policy than the one that was approved it may do nothing either.
                if self.session.allows_with_policy(action, arn, OTHER_POLICY) && is_about_a_policy(action) {
                    return Some(format!("{} ({}): {action} of another policy", self.what, self.session.name));
                }
                if !is_needed && self.session.allows(action, arn) && !self.is_nameless(action, arn) {
                    return Some(format!("{} ({}): {action} on {arn}", self.what, self.session.name));
                }
            }
        }
        None
    }
}

/// Others of the same kind: a longer name, another name, in another account, in another Region.
fn beside(arn: &str) -> Vec<String> {
    let Some(at) = arn.rfind(['/', ':']) else { return Vec::new() };
    let (place, name) = arn.split_at(at + 1);
    let elsewhere = |of: &str, other: &str| arn.replace(of, other);
    let mut others = vec![format!("{arn}2"), format!("{place}x-{name}"), elsewhere("111122223333", "444455556666")];
    others.extend([elsewhere("us-east-1", "us-west-2"), elsewhere("us-west-2", "eu-west-1")]);
    others.retain(|other| other != arn);
    others
}

/// Every change that there is, by the name that it is stored under.
pub(super) fn catalogue() -> BTreeSet<String> {
    let unknown = serde_json::from_value::<Action>(json!({"action": "?"})).unwrap_err().to_string();
    unknown.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

async fn incident(w: &World) -> Incident {
    fold(&w.store.load("INC-1".parse().unwrap()).await.unwrap()).unwrap()
}

/// What was carried out in a world: the sessions, and the changes that they were for.
async fn carried_out(w: &World, what: &str) -> (Vec<Sent>, BTreeSet<String>) {
    let incident = incident(w).await;
    let calls = w.account.calls();
    let opened = w.account.confined_sessions().into_iter().map(|session| (session.name.clone(), session));
    let mut opened: BTreeMap<String, ConfinedSession> = opened.collect();
    let (mut sessions, mut kinds) = (Vec::new(), BTreeSet::new());
    for request in incident.requests.values() {
        let RequestState::Verified { sent, .. } = &request.state else { panic!("{what}: {request:?}") };
        let session = opened.remove(&request.id.to_string()).unwrap_or_else(|| panic!("{what}: no session"));
        let made: Vec<_> = calls.iter().filter(|call| call.access_key_id == session.access_key_id).collect();
        let operations = made.iter().map(|call| call.operation.as_str());
        let operations: Vec<&str> = operations.filter(|operation| !is_rehearsal(operation)).collect();
        assert_eq!(operations, sent.iter().map(ApiCall::operation).collect::<Vec<_>>(), "{what}: what was approved");
        let approver = request.approvals.last().map(|approval| approval.user.to_string());
        assert_eq!(session.source_identity, approver, "{what}: on whose word");
        let needed = made.iter().flat_map(|call| call.asked.iter().cloned()).collect();
        kinds.insert(request.plan.action.kind().to_owned());
        sessions.push(Sent { what: format!("{what}, {}", request.plan.action.kind()), session, needed });
    }
    assert!(opened.is_empty(), "{what}: sessions that nobody has asked for: {opened:?}");
    (sessions, kinds)
}

/// Carries a step out, and takes it back where it can be.
async fn plays(w: World, what: String, step: &str) -> (Vec<Sent>, BTreeSet<String>) {
    w.carry_out(step, ANA, CHRIS).await;
    let incident = incident(&w).await;
    let (id, request) = incident.requests.last_key_value().unwrap();
    if matches!(request.plan.work.inverse, Inverse::Calls(_)) {
        w.until(&format!("{what} can be undone"), |w| w.offers(step, "irp.undo")).await;
        w.click(ANA, step, "irp.undo").await;
        let undo = format!("Undo {id}");
        w.until_card(&undo, "waiting for approval").await;
        w.click(CHRIS, &undo, "irp.approve").await;
        w.until_card(&undo, "carried out and verified").await;
    }
    let carried_out = carried_out(&w, &what).await;
    w.end().await;
    carried_out
}

type Played = (Vec<Sent>, BTreeSet<String>);

async fn of_removal(removal: removals::Removal) -> Played {
    let w = World::start().await;
    removal.is_ready(&w).await;
    plays(w, format!("{removal:?}"), removal.card_and_call().0).await
}

async fn of_change(change: estate::Change) -> Played {
    let w = World::start().await;
    change.is_ready(&w).await;
    plays(w, format!("{change:?}"), change.card_and_call().0).await
}

async fn of_containment(change: actions::Change) -> Played {
    let w = World::start_with_rules(&format!("{ORGANISATION}{ORGANIZATION}{CENTER}")).await;
    change.ready(&w).await;
    plays(w, format!("{change:?}"), change.step_card()).await
}

async fn of_assignment(user: &str) -> Played {
    let w = with_a_stolen_session_of(user).await;
    plays(w, format!("the assignment of {user}"), &card(user)).await
}

/// A key pair whose name would stand for every other in a policy.
async fn of_everybodys_key_pair() -> Played {
    let w = World::start().await;
    w.slack.set_rate_limits(false);
    let key = aws_sdk_ec2::primitives::Blob::new("ssh-ed25519 AAAA k");
    let import = w.hands().ec2("us-west-2").import_key_pair().key_name("*").public_key_material(key);
    import.send().await.unwrap();
    w.incident().await;
    w.hunted(vec![made("EC2::KeyPair", "*", "us-west-2")]).await;
    w.contained().await;
    w.until("it is offered", |w| w.offers("· Delete key pair", "irp.request")).await;
    plays(w, "a key pair called *".to_owned(), "· Delete key pair").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_do_what_was_approved_and_nothing_else() {
    let mut cases: Vec<BoxFuture<'static, Played>> = Vec::new();
    cases.extend(removals::REMOVALS.map(|removal| of_removal(removal).boxed()));
    cases.extend(estate::CHANGES.map(|change| of_change(change).boxed()));
    let contains = actions::CHANGES.into_iter().chain(actions::CHANGES_OF_PEOPLE).filter(|change| !change.is_undo());
    cases.extend(contains.map(|change| of_containment(change).boxed()));
    // Who has the same access in two ways.
    cases.push(of_assignment("max.berg").boxed());
    cases.push(of_everybodys_key_pair().boxed());
    let (mut sessions, mut kinds) = (Vec::new(), BTreeSet::new());
    let mut cases = cases.into_iter().peekable();
    while cases.peek().is_some() {
        for (sent, of) in join_all(cases.by_ref().take(AT_ONCE)).await {
            sessions.extend(sent);
            kinds.extend(of);
        }
    }
    assert_eq!(catalogue().difference(&kinds).collect::<Vec<_>>(), [""; 0], "changes that nothing here carries out");

    let needed = || sessions.iter().flat_map(|sent| &sent.needed);
    let made: BTreeSet<&str> = needed().map(|(action, _)| action.as_str()).collect();
    assert!(made.contains("iam:UpdateAccessKey") && made.contains("ec2:CreateTags"), "{made:?}");
    let arns: BTreeSet<String> = needed().map(|(_, arn)| arn.clone()).collect();
    let actions: Vec<&str> = ApiCall::ACTIONS.iter().chain(ApiCall::ALSO).chain(&NEVER).copied().collect();
    let beyond: Vec<String> = sessions.iter().filter_map(|sent| sent.goes_beyond(&actions, &arns)).collect();
    assert!(beyond.is_empty(), "{beyond:#?}");
}
