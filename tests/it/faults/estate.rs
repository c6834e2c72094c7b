//! Every change outside IAM, and what can go wrong with its last call.

use std::time::Duration;

use aws_sdk_ec2::types::{FleetType, SpotInstanceType};
use futures_util::future::join_all;
use irp::domain::hunt::{Hunted, Trace};
use irp::domain::trail::entrance::{Entrance, Outsider};
use irp_sandbox::aws::Fault;

use super::actions::NOT_KNOWN;
use super::table::{asked_for_many_times, over, server, undone_many_times};
use crate::entrances::opened;
use crate::estate::{Hands, THIEF, changed, made};
use crate::fleets::{HOME, changed_template};
use crate::scaling::STOP;
use crate::world::{ANA, CHRIS, World};

/// A hung call is given up after 8 s and read back for 16 more.
const LIMIT: Duration = Duration::from_mins(2);
/// Worlds at once: each is a bot, a workspace and an account.
const AT_ONCE: usize = 6;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Instance,
    Function,
    KeyPair,
    Ingress,
    Egress,
    Source,
    Snapshot,
    Trail,
    Detector,
    Provider,
    Anchor,
    Profile,
    Rule,
    Permissions,
    Url,
    Image,
    Code,
    Group,
    Template,
    Configuration,
    Spot,
    Fleet,
    SpotFleet,
    Version,
    Pool,
    EmptyGroup,
    Trust,
    Door,
}

pub(super) const CHANGES: [Change; 28] = [
    Change::Instance,
    Change::Function,
    Change::KeyPair,
    Change::Ingress,
    Change::Egress,
    Change::Source,
    Change::Snapshot,
    Change::Trail,
    Change::Detector,
    Change::Provider,
    Change::Anchor,
    Change::Profile,
    Change::Rule,
    Change::Permissions,
    Change::Url,
    Change::Image,
    Change::Code,
    Change::Group,
    Change::Template,
    Change::Configuration,
    Change::Spot,
    Change::Fleet,
    Change::SpotFleet,
    Change::Version,
    Change::Pool,
    Change::EmptyGroup,
    Change::Trust,
    Change::Door,
];

impl Change {
    /// What the attacker does; what the search says of it.
    async fn is_needed(self, hands: &Hands<'_>) -> Trace {
        match self {
            Self::Instance => made("EC2::Instance", &hands.runs_an_instance(true).await, "us-west-2"),
            Self::Function => {
                hands.makes_a_function().await;
                made("Lambda::Function", "sync", "us-east-1")
            }
            Self::KeyPair => {
                hands.makes_a_key_pair().await;
                made("EC2::KeyPair", "k", "us-west-2")
            }
            Self::Ingress => {
                let (group, event) = hands.opens_a_group().await;
                changed("EC2::SecurityGroup", &group, "AuthorizeSecurityGroupIngress", &event)
            }
            Self::Egress => {
                let (group, event) = hands.opens_a_group_outwards().await;
                changed("EC2::SecurityGroup", &group, "AuthorizeSecurityGroupEgress", &event)
            }
            Self::Source => made("Lambda::EventSourceMapping", &hands.feeds_a_function().await, HOME),
            Self::Snapshot => {
                let (snapshot, event) = hands.shares_a_snapshot().await;
                changed("EC2::Snapshot", &snapshot, "ModifySnapshotAttribute", &event)
            }
            Self::Trail => {
                hands.stops_the_trail().await;
                changed("CloudTrail::Trail", "management-events", "StopLogging", "e")
            }
            Self::Detector => {
                changed("GuardDuty::Detector", &hands.suspends_the_detector().await, "UpdateDetector", "e")
            }
            Self::Provider => made("IAM::OIDCProvider", &hands.makes_a_provider().await, "us-east-1"),
            Self::Anchor => made("RolesAnywhere::TrustAnchor", &hands.makes_an_anchor().await, "eu-west-1"),
            Self::Profile => made("RolesAnywhere::Profile", &hands.makes_a_profile().await, "eu-west-1"),
            Self::Rule => hands.puts_a_new_rule("tick", "metrics").await,
            Self::Permissions => {
                hands.opens_a_function().await;
                opened("sync")
            }
            Self::Url => {
                hands.opens_a_function().await;
                made("Lambda::Url", "sync", "us-east-1")
            }
            Self::Group => {
                let template = hands.makes_a_template().await;
                hands.keeps_up("miners", &template, (1, 1)).await;
                made("AutoScaling::AutoScalingGroup", "miners", "us-west-2")
            }
            Self::Template => made("EC2::LaunchTemplate", &hands.makes_a_template().await, "us-west-2"),
            Self::Configuration => {
                hands.makes_a_configuration("c").await;
                made("AutoScaling::LaunchConfiguration", "c", "us-west-2")
            }
            Self::Spot => {
                let (request, _) = hands.asks_for_spot(SpotInstanceType::Persistent).await;
                made("EC2::SpotInstanceRequest", &request, "us-west-2")
            }
            Self::Fleet => {
                let template = hands.makes_a_template().await;
                let fleet = hands.makes_a_fleet(&template, FleetType::Maintain, 1).await;
                made("EC2::EC2Fleet", &fleet, "us-west-2")
            }
            Self::SpotFleet => made("EC2::SpotFleet", &hands.asks_for_a_spot_fleet(1).await, "us-west-2"),
            Self::Version => {
                let template = hands.makes_a_template_in(HOME).await;
                changed_template(hands, &template).await
            }
            Self::Pool => {
                let template = hands.makes_a_template().await;
                hands.keeps_up("miners", &template, (0, 0)).await;
                hands.keeps_ready("miners", 0, 0).await;
                made("AutoScaling::AutoScalingGroup", "miners", "us-west-2")
            }
            Self::EmptyGroup => {
                let template = hands.makes_a_template().await;
                hands.keeps_up("miners", &template, (0, 0)).await;
                made("AutoScaling::AutoScalingGroup", "miners", "us-west-2")
            }
            // Here the door is as it always was.
            Self::Trust | Self::Door => {
                let event = hands.opens_a_role("app-deploy").await;
                changed("IAM::Role", "app-deploy", "UpdateAssumeRolePolicy", &event)
            }
            Self::Code => changed("Lambda::Function", "sync", "UpdateFunctionCode", &hands.changes_code().await),
            Self::Image => {
                let (image, event) = hands.shares_an_image().await;
                changed("EC2::Image", &image, "ModifyImageAttribute", &event)
            }
        }
    }

    /// An incident in which it can be asked for; what the search has shown.
    pub(super) async fn is_ready(self, w: &World) -> Trace {
        w.slack.set_rate_limits(false);
        let trace = self.is_needed(&w.hands()).await;
        w.incident().await;
        if self == Self::Door {
            w.found(Hunted { entrances: vec![came_in(&trace)], ..Hunted::default() }).await;
        } else {
            w.hunted(vec![trace.clone()]).await;
        }
        // What is containment itself would be done with it.
        if !matches!(self, Self::Trail | Self::Detector | Self::Trust | Self::Door) {
            w.contained().await;
        }
        if matches!(self, Self::Pool | Self::EmptyGroup) {
            w.carry_out(STOP, ANA, CHRIS).await;
        }
        let (card, _) = self.card_and_call();
        w.until_within(LIMIT, &format!("{self:?} is offered"), |w| w.offers(card, "irp.request")).await;
        trace
    }

    /// The words of its card, and its last call.
    pub(super) const fn card_and_call(self) -> (&'static str, &'static str) {
        match self {
            Self::Instance => ("· Terminate instance", "TerminateInstances"),
            Self::Function => ("· Delete function", "DeleteFunction"),
            Self::KeyPair => ("· Delete key pair", "DeleteKeyPair"),
            Self::Ingress => ("· Close what the attacker opened in", "RevokeSecurityGroupIngress"),
            Self::Egress => ("· Close what the attacker opened for what goes out", "RevokeSecurityGroupEgress"),
            Self::Source => ("· Delete event source mapping", "DeleteEventSourceMapping"),
            Self::Snapshot => ("· Take snapshot", "ModifySnapshotAttribute"),
            Self::Trail => ("· Start trail", "StartLogging"),
            Self::Detector => ("· Switch GuardDuty", "UpdateDetector"),
            Self::Provider => ("· Delete identity provider", "DeleteOpenIDConnectProvider"),
            Self::Anchor => ("· Delete trust anchor", "DeleteTrustAnchor"),
            Self::Profile => ("· Delete profile", "DeleteProfile"),
            Self::Rule => ("· Remove EventBridge rule", "DeleteRule"),
            Self::Permissions => ("· Take the attacker's permissions off", "RemovePermission"),
            Self::Url => ("· Delete the URL", "DeleteFunctionUrlConfig"),
            Self::Image => ("· Take image", "ModifyImageAttribute"),
            Self::Code => ("· Put the code of function", "UpdateFunctionCode"),
            Self::Group => ("· Stop Auto Scaling group", "DetachInstances"),
            Self::Template => ("· Delete launch template", "DeleteLaunchTemplate"),
            Self::Configuration => ("· Delete launch configuration", "DeleteLaunchConfiguration"),
            Self::Spot => ("· Cancel spot request", "CancelSpotInstanceRequests"),
            Self::Fleet => ("· Delete EC2 Fleet", "DeleteFleets"),
            Self::SpotFleet => ("· Cancel Spot Fleet request", "CancelSpotFleetRequests"),
            Self::Version => ("· Put launch template", "DeleteLaunchTemplateVersions"),
            Self::Pool => ("· Delete the warm pool", "DeleteWarmPool"),
            Self::EmptyGroup => ("· Delete Auto Scaling group", "DeleteAutoScalingGroup"),
            Self::Trust => ("· Put the trust policy of role", "UpdateAssumeRolePolicy"),
            Self::Door => ("· Deny account 444455556666 that they take role", "UpdateAssumeRolePolicy"),
        }
    }

    pub(super) fn is_done(self, w: &World, trace: &Trace) -> bool {
        match self {
            Self::Instance => {
                matches!(w.account.instance_state(&trace.region, &trace.id), Some("shutting-down" | "terminated"))
            }
            Self::Function => !w.account.has_function(&trace.region, &trace.id),
            Self::KeyPair => w.account.key_pairs(&trace.region).is_empty(),
            Self::Ingress => w.account.ingress(&trace.region, &trace.id).len() == 1,
            Self::Egress => w.account.egress(&trace.region, &trace.id) == ["0.0.0.0/0"],
            Self::Source => !w.account.has_event_source(&trace.region, &trace.id),
            Self::Snapshot => {
                w.account.snapshots(&trace.region).into_iter().find(|(id, _)| *id == trace.id).unwrap().1.len() == 1
            }
            Self::Trail => w.account.is_logging("management-events") == Some(true),
            Self::Detector => w.account.detector_works(&trace.region) == Some(true),
            Self::Provider => !w.account.identity_providers().contains(&trace.id),
            Self::Anchor => w.account.trust_anchors(&trace.region).is_empty(),
            Self::Profile => w.account.roles_anywhere_profiles(&trace.region).is_empty(),
            Self::Permissions => w.account.statements(&trace.region, &trace.id) == ["api"],
            Self::Url => !w.account.has_function_url(&trace.region, &trace.id),
            Self::Group => w.account.scaling_groups(&trace.region)[0].1 == 0,
            Self::Template => w.account.launch_templates(&trace.region).is_empty(),
            Self::Configuration => w.account.launch_configurations(&trace.region).is_empty(),
            Self::Spot => !w.account.has_open_spot_request(&trace.region, &trace.id),
            Self::Fleet | Self::SpotFleet => w.account.fleets(&trace.region)[0].1.ends_with("_running"),
            Self::Version => w.account.template_versions(&trace.region, &trace.id) == (1, vec![1]),
            Self::Pool => !w.account.keeps_ready(&trace.region, &trace.id),
            Self::EmptyGroup => w.account.scaling_groups(&trace.region).is_empty(),
            Self::Door => w.account.trust(&trace.id).unwrap().contains("IrpDeny"),
            Self::Trust => !w.account.trust(&trace.id).unwrap().contains(THIEF),
            Self::Code => w.account.runs_published_code(&trace.region, &trace.id),
            Self::Image => w.account.images(&trace.region)[0].1.is_empty(),
            Self::Rule => !w.account.rules(&trace.region).iter().any(|(name, _)| *name == trace.id),
        }
    }
}

/// Somebody from outside has taken this role for the attacker.
fn came_in(role: &Trace) -> Entrance {
    Entrance {
        role_arn: format!("arn:aws:iam::111122223333:role/{}", role.id),
        outsider: Outsider::Account { account: THIEF.parse().unwrap() },
        event_id: role.deeds[0].event_id.clone(),
    }
}

async fn approved(w: &World, card: &str) {
    w.click(ANA, card, "irp.request").await;
    w.until_card(card, "waiting for approval").await;
    w.click(CHRIS, card, "irp.approve").await;
}

async fn goes_wrong(w: World, change: Change, fault: Fault) {
    let trace = change.is_ready(&w).await;
    let (card, call) = change.card_and_call();
    let before = w.account.count(call);
    w.account.fail_next(call, fault);
    approved(&w, card).await;
    let done = matches!(fault, Fault::DropAfter);
    let says = match fault {
        _ if done => "carried out and verified",
        Fault::AccessDenied => "it failed",
        _ => NOT_KNOWN,
    };
    w.until_within(LIMIT, &format!("{change:?}, {fault:?}: {says}"), |w| w.says(card, says)).await;
    assert_eq!(w.account.count(call), before + 1, "{change:?}, {fault:?}: calls of {call}");
    assert_eq!(change.is_done(&w, &trace), done, "{change:?}, {fault:?}: in AWS");
    if !done {
        // What has gone wrong is asked for again, over what is left, and finished: once, whoever presses what.
        w.until_within(LIMIT, "it can be asked for again", |w| w.offers(card, "irp.request")).await;
        let refused = matches!(fault, Fault::AccessDenied);
        if refused {
            asked_for_many_times(&w, (card, call)).await;
        } else {
            approved(&w, card).await;
            w.until_within(LIMIT, "it is finished", |w| w.says(card, "carried out and verified")).await;
        }
        assert!(change.is_done(&w, &trace), "{change:?}, {fault:?}: in AWS at last");
        if refused {
            undone_many_times(&w, card).await;
        }
    }
    w.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_outside_iam_the_card_says_how_it_stands_and_it_can_be_finished() {
    let cases = [Fault::AccessDenied, Fault::HangBefore, Fault::DropAfter];
    let cases: Vec<_> = cases.iter().flat_map(|fault| CHANGES.map(|change| (change, *fault))).enumerate().collect();
    let server = &server(cases.len());
    for some in cases.chunks(AT_ONCE) {
        join_all(some.iter().map(|(database, (change, fault))| async move {
            goes_wrong(over(server, *database).await, *change, *fault).await;
        }))
        .await;
    }
}
