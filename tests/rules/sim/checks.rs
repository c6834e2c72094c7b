//! The auditor: looks at every record that is appended, every answer that a replica gets and every call that
//! goes out, and works the rules out for itself, from the log and from who people really are. It uses the
//! bot's own folding only to compare what replicas think with what the log says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use irp::domain::approval::{CallAnswer, Digest, Plan, Warrant};
use irp::domain::id::{IncidentId, RequestId, UserId};
use irp::domain::incident::event::Event;
use irp::domain::incident::evolve::{evolve, fold};
use irp::domain::incident::state::Incident;
use irp::domain::observation::{Observation, Probe};
use irp::domain::policy::Standing;
use irp::domain::stored::{Chain, Record};

use super::people::{KIM, KIM_ADDRESS, People, Roster, human};
use super::schedule::{By, Replica};

pub(super) use words::in_words;
use words::{name, request_of};

mod aws;
mod counts;
mod eligible;
mod glass;
mod rules;
mod said;
mod together;
mod watch;
mod words;

/// What a replica's task was told last.
#[derive(Clone, Default)]
struct Heard {
    standing: BTreeMap<UserId, (Standing, u64)>,
    members: BTreeSet<UserId>,
    /// AWS has answered this task, and with a no.
    answered: bool,
    denied: bool,
    /// Newest last.
    reads: Vec<(Probe, Observation, u64)>,
}

/// Where a request stands, by the auditor's own count.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Waiting,
    Approved { since_ms: u64, until: DateTime<Utc> },
    Started { by: By, sent: Vec<irp::domain::action::ApiCall> },
    Ended(&'static str),
}

struct Held {
    plan: Plan,
    digest: Digest,
    /// The first of those that were asked for together with it.
    burst: Option<RequestId>,
    by: UserId,
    /// In the order in which they were given.
    yes: Vec<UserId>,
    phase: Phase,
    /// When each human last took a yes back.
    taken_back: BTreeMap<usize, DateTime<Utc>>,
    glass: Option<Glass>,
    sent: Vec<irp::domain::action::ApiCall>,
    /// Until when its call can be out, if it has no answer.
    out_until: Option<DateTime<Utc>>,
    /// AWS was seen not to hold it any more.
    lost: bool,
    /// Somebody behind it has said that they were not behind something.
    disputed: bool,
    sent_to_aws: u32,
    answer: Option<CallAnswer>,
}

/// One person has let it run alone.
struct Glass {
    by: UserId,
    /// Nobody has said whether it was right.
    owing: bool,
}

/// One incident's log, as the auditor reads it.
#[derive(Default)]
struct Case {
    chain: Chain,
    /// The rules that the log names, and when they were read.
    rules: Option<(String, DateTime<Utc>)>,
    /// What the log folds to, at each length.
    versions: Vec<Incident>,
    requests: BTreeMap<RequestId, Held>,
    lead: Option<UserId>,
    /// Who says that it was not them, while it is frozen.
    disputed: BTreeSet<UserId>,
    agreed: BTreeSet<UserId>,
    /// Humans whom the incident is about.
    subjects: BTreeSet<usize>,
    closed: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Audit {
    cases: BTreeMap<IncidentId, Case>,
    heard: BTreeMap<u64, Heard>,
    /// Who has clicked on what, and when last: no record in a person's name without it.
    clicked: BTreeMap<(UserId, String), DateTime<Utc>>,
    /// A clock has been set so far ahead that leases mean nothing.
    pub(super) clocks_apart: bool,
    /// The first invariant that did not hold, and what broke it.
    pub(super) broken: Option<String>,
    /// What has happened in this run, so that it can be seen that all of it does.
    pub(super) seen: BTreeMap<&'static str, u64>,
}

/// Says no unless it holds.
fn must(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl Audit {
    pub(super) fn clicked(&mut self, by: &UserId, what: String, at: DateTime<Utc>) {
        self.clicked.insert((by.clone(), what), at);
    }

    pub(super) fn told(&mut self, by: By, user: &UserId, standing: Standing, now_ms: u64) {
        self.heard.entry(by.task).or_default().standing.insert(user.clone(), (standing, now_ms));
    }

    pub(super) fn told_members(&mut self, by: By, members: BTreeSet<UserId>) {
        self.heard.entry(by.task).or_default().members = members;
    }

    pub(super) fn read(&mut self, by: By, probe: &Probe, seen: &Observation, now_ms: u64) {
        self.not_read(by, probe);
        self.heard.entry(by.task).or_default().reads.push((probe.clone(), seen.clone(), now_ms));
    }

    /// AWS has answered: with a definite no, or not.
    pub(super) fn answered(&mut self, by: By, denied: bool) {
        let heard = self.heard.entry(by.task).or_default();
        heard.answered = true;
        heard.denied |= denied;
    }

    /// It was asked again, and has no answer: what it was told before counts no more.
    pub(super) fn not_read(&mut self, by: By, probe: &Probe) {
        self.heard.entry(by.task).or_default().reads.retain(|(of, ..)| of != probe);
    }

    /// For what comes in later than its sender goes on: as by somebody who has heard nothing since.
    pub(super) fn as_of_now(&mut self, by: By) -> By {
        let task = u64::MAX - self.heard.len() as u64;
        let heard = self.heard.entry(by.task).or_default().clone();
        self.heard.insert(task, heard);
        By { task, ..by }
    }

    pub(super) fn fail(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// What the log folds to, `behind` records ago.
    pub(super) fn view(&self, id: IncidentId, behind: usize) -> Option<&Incident> {
        let versions = &self.cases.get(&id)?.versions;
        versions.get(versions.len().saturating_sub(1 + behind))
    }

    /// A replica has been told, or tells, that this is how an incident stands.
    pub(super) fn agrees(&mut self, incident: &Incident) {
        let at = usize::try_from(incident.version).unwrap();
        let known = self.cases.get(&incident.id).and_then(|case| case.versions.get(at.wrapping_sub(1)));
        if known != Some(incident) {
            self.fail(format!(
                "{} at version {at}: a replica's state is not that of the log, or an acknowledged record is lost",
                incident.id
            ));
        }
    }

    /// A call goes out, with this warrant.
    pub(super) fn applied(&mut self, by: By, warrant: &Warrant) {
        let apart = self.clocks_apart;
        let outcome = match self.held(warrant.request()) {
            None => Err("an AWS call for a request that is not in the log".to_owned()),
            Some(held) => held.applied(by, warrant, apart),
        };
        if let Err(why) = outcome {
            self.fail(format!("{}: {why}", warrant.request()));
        }
        self.note("AWS calls");
    }

    fn held(&mut self, id: RequestId) -> Option<&mut Held> {
        self.cases.get_mut(&id.incident())?.requests.get_mut(&id)
    }

    /// One record has been appended.
    pub(super) fn take(
        &mut self,
        by: By,
        id: IncidentId,
        record: &Record,
        people: &People,
        replica: &Replica,
        now_ms: u64,
    ) {
        let Self { cases, heard, clicked, clocks_apart, .. } = self;
        let (heard, clocks_apart) = (&*heard.entry(by.task).or_default(), *clocks_apart);
        let scene = Scene { by, record, people, heard, clicked, replica, now_ms, clocks_apart };
        let case = cases.entry(id).or_default();
        if let Err(why) = case.take(&scene) {
            let event = name(&record.event);
            self.fail(format!("{id}, record {} ({event}): {why}", self.cases[&id].chain.records()));
        }
        self.note(name(&record.event));
        self.count(&record.event);
    }
}

/// What a record is looked at with.
struct Scene<'a> {
    by: By,
    record: &'a Record,
    people: &'a People,
    heard: &'a Heard,
    clicked: &'a BTreeMap<(UserId, String), DateTime<Utc>>,
    replica: &'a Replica,
    now_ms: u64,
    clocks_apart: bool,
}

impl Scene<'_> {
    fn has_clicked(&self, by: &UserId, what: String) -> Result<(), String> {
        must(self.clicked.contains_key(&(by.clone(), what)), "nobody has clicked that")
    }

    /// What AWS has shown to this very task, and when.
    fn read(&self, probe: &Probe) -> Option<(&Observation, u64)> {
        self.heard.reads.iter().find(|(of, ..)| of == probe).map(|(_, seen, at_ms)| (seen, *at_ms))
    }

    /// Slack has said to this very task that somebody is a member, after this moment.
    fn is_member(&self, user: &UserId, after_ms: u64) -> Result<(), String> {
        let told = self.heard.standing.get(user);
        let holds = told.is_some_and(|(standing, at_ms)| *standing == Standing::Member && *at_ms >= after_ms);
        must(holds, &format!("{user} was not looked up as a member: {told:?}"))
    }

    fn on(&self, list: &BTreeSet<UserId>, roster: &Roster, who: usize) -> bool {
        let group = self.heard.members.iter().filter(|_| roster.by_group);
        list.iter().chain(group).any(|user| human(user) == Some(who))
    }
}

impl Case {
    fn take(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let record = scene.record;
        let after = match self.versions.last() {
            Some(last) => {
                let mut next = last.clone();
                evolve(&mut next, record);
                Some(next)
            }
            None => fold([record]),
        };
        let followed = self.chain.follow(record.text()).map(drop).map_err(|e| e.to_string());
        let closed = self.closed;
        self.versions.push(after.ok_or("a log that does not begin with an opening")?);
        followed?;
        must(!closed || matches!(scene.record.event, Event::AttemptRefused { .. }), "a record after the closing")?;
        self.event(scene)
    }

    fn event(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        match &scene.record.event {
            // Whoever is only away is asked again.
            Event::RequestLapsed { why, .. }
                if ["AWS could not be read", "AWS gave no session"].iter().any(|of| why.starts_with(of)) =>
            {
                must(scene.heard.denied, "given up because AWS was away")?;
                self.moved(scene)?;
            }
            Event::IdentificationFailed { retry_at: None, attempt, .. } if *attempt < 9 => {
                must(scene.heard.denied, "no more asked whose it is because AWS was away")?;
            }
            Event::BlastRadiusRead { .. } | Event::InventoryTaken { .. } => {
                must(scene.heard.answered, "read of an AWS that was away")?;
                self.moved(scene)?;
            }
            Event::Identified { found } => {
                let signs = found.owners.iter().chain(&found.session_name);
                self.subjects.extend(signs.filter(|s| *s == KIM_ADDRESS).map(|_| KIM));
            }
            Event::Opened { policy_version: Some(version), rules_read_at, .. } => {
                self.ruled(scene, version, *rules_read_at)?;
            }
            Event::RulesChanged { policy_version, read_at } => self.ruled(scene, policy_version, *read_at)?,
            Event::SubjectNamed { .. }
            | Event::LeadTaken { .. }
            | Event::Frozen { .. }
            | Event::UnfreezeAgreed { .. }
            | Event::Unfrozen => self.said(scene)?,
            Event::Closed { by, outcome, note } => {
                scene.has_clicked(by, "close".into())?;
                self.may_work(scene, by)?;
                let open = self.requests.values().any(|held| !matches!(held.phase, Phase::Ended(_)));
                must(!open, "closed over an open request")?;
                self.may_close(*outcome, note)?;
                self.closed = true;
            }
            Event::ContainmentChecked { held, lost, new_keys, .. } => self.checked(scene, held, lost, new_keys)?,
            Event::GlassRatified { request, by } => self.settled(scene, "ratify", *request, by)?,
            Event::GlassContested { request, by, .. } => self.settled(scene, "contest", *request, by)?,
            Event::ApprovalRequested { request, plan, digest, by, burst, .. } => {
                self.requested(scene, (*request, *burst), plan, digest, by)?;
            }
            _ => self.moved(scene)?,
        }
        Ok(())
    }

    fn requested(
        &mut self,
        scene: &Scene<'_>,
        (request, burst): (RequestId, Option<RequestId>),
        plan: &Plan,
        digest: &Digest,
        by: &UserId,
    ) -> Result<(), String> {
        let alone =
            burst.map_or_else(|| scene.has_clicked(by, format!("request {}", plan.step)), |_| Err(String::new()));
        alone.or_else(|_| scene.has_clicked(by, "request all".into()))?;
        self.belongs(request, burst, by)?;
        scene.is_member(by, 0)?;
        let who = human(by);
        must(who.is_some() && human(&plan.requester.0) == who, "a request in another person's name")?;
        must(plan.digest() == *digest, "a digest of something else")?;
        must(!self.frozen(), "a request while frozen")?;
        must(!self.requests.contains_key(&request), "a request's number used twice")?;
        let pressed = |held: &Held| held.plan.nonce == plan.nonce;
        must(!self.requests.values().any(pressed), "one press makes two requests")?;
        let roster = self.roster(scene, plan)?;
        let listed =
            who.is_some_and(|w| scene.on(&roster.responders, roster, w) || scene.on(&roster.approvers, roster, w));
        must(listed, "a request by nobody on the list")?;
        self.lead.get_or_insert_with(|| by.clone());
        let held = Held {
            plan: plan.clone(),
            digest: digest.clone(),
            burst,
            by: by.clone(),
            yes: Vec::new(),
            phase: Phase::Waiting,
            taken_back: BTreeMap::new(),
            glass: None,
            sent: Vec::new(),
            out_until: None,
            lost: false,
            disputed: false,
            sent_to_aws: 0,
            answer: None,
        };
        self.requests.insert(request, held);
        Ok(())
    }

    fn moved(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let event = &scene.record.event;
        if matches!(event, Event::AttemptRefused { .. }) {
            return Ok(());
        }
        let Some(id) = request_of(event) else { return Ok(()) };
        let Some(mut held) = self.requests.remove(&id) else { return Err("a request that nobody made".into()) };
        let outcome = self.move_request(scene, &mut held, id);
        self.requests.insert(id, held);
        outcome
    }

    fn move_request(&self, scene: &Scene<'_>, held: &mut Held, id: RequestId) -> Result<(), String> {
        let in_doubt = held.phase == Phase::Ended("not known");
        let settles = matches!(scene.record.event, Event::Verified { no_op: false, .. } | Event::LookedAgain { .. });
        match held.phase {
            Phase::Ended(how) if !(in_doubt && settles) => {
                return Err(format!("a final state was left: it was {how}"));
            }
            _ => {}
        }
        let started = matches!(held.phase, Phase::Started { .. });
        let at = scene.record.at;
        match &scene.record.event {
            Event::ApprovalGiven { by, execute_by, .. } => {
                let clicked_at = self.pressed(scene, by, "approve", id, held)?;
                let back_at = human(by).and_then(|who| held.taken_back.get(&who));
                must(back_at.is_none_or(|at| *at <= clicked_at), "a yes that was taken back is given again")?;
                must(!self.frozen(), "an approval while frozen")?;
                must(held.phase == Phase::Waiting, "an approval of what does not wait for one")?;
                must(at <= held.plan.approve_by, "an approval after the time to decide")?;
                must(!held.yes.iter().any(|u| human(u) == human(by)), "one person approves twice")?;
                self.may_decide(scene, held, by, 0)?;
                held.yes.push(by.clone());
                if let Some(until) = execute_by {
                    held.phase = Phase::Approved { since_ms: scene.now_ms, until: *until };
                }
            }
            Event::GlassBroken { by, execute_by, .. } => self.broken(scene, held, (id, by), *execute_by)?,
            Event::ApprovalRetracted { by, .. } | Event::ApprovalVoided { by, .. } => {
                must(!started, "a yes taken back after the start")?;
                must(held.yes.contains(by), "a yes taken back that was never given")?;
                held.yes.retain(|user| user != by);
                if let (Event::ApprovalRetracted { .. }, Some(who)) = (&scene.record.event, human(by)) {
                    let clicked_at = self.on_one_of(scene, who, "retract", id, held)?;
                    let back_at = held.taken_back.insert(who, at);
                    must(back_at.is_none_or(|at| at <= clicked_at), "a press takes back what was given anew after it")?;
                }
                // What one person alone lets run does not hang on the yeses of others.
                if held.glass.is_none() {
                    held.phase = Phase::Waiting;
                }
            }
            Event::RequestDenied { by, .. } => {
                self.pressed(scene, by, "deny", id, held)?;
                must(held.phase == Phase::Waiting, "a denial of what does not wait for a decision")?;
                self.may_decide(scene, held, by, 0)?;
                held.phase = Phase::Ended("denied");
            }
            Event::RequestWithdrawn { by, .. } => {
                must(!started && human(by) == human(&held.by), "withdrawn too late, or by somebody else")?;
                self.on_one_of(scene, human(by).ok_or("nobody")?, "withdraw", id, held)?;
                held.phase = Phase::Ended("withdrawn");
            }
            Event::RequestExpired { .. } => {
                must(held.phase == Phase::Waiting && at > held.plan.approve_by, "expired too early")?;
                held.phase = Phase::Ended("expired");
            }
            Event::ExecutionStarted { sent, lease_until, .. } => {
                self.stands(scene, held)?;
                self.has_its_turn(id, held, at)?;
                held.as_planned(scene, sent)?;
                held.sent.clone_from(sent);
                held.out_until = Some(*lease_until);
                held.phase = Phase::Started { by: scene.by, sent: sent.clone() };
            }
            Event::ExecutionContinues { lease_until, .. } => {
                must(started && held.answer.is_none(), "calls go on that nobody has started")?;
                must(*lease_until > at, "a lease that is over from the beginning")?;
                held.out_until = Some(*lease_until);
            }
            Event::CallAnswered { answer, .. } => {
                must(started && held.answer.is_none(), "an answer to what was not started")?;
                held.answer = Some(answer.clone());
            }
            Event::Verified { no_op: true, .. } => {
                self.stands(scene, held)?;
                held.shows(scene, &held.plan.work.calls)?;
                held.phase = Phase::Ended("no-op");
            }
            Event::Verified { no_op: false, .. } => {
                must(started || in_doubt, "verified before it was started")?;
                held.shows(scene, &held.sent)?;
                held.phase = Phase::Ended(if in_doubt { "verified after a doubt" } else { "verified" });
            }
            Event::ExecutionFailed { .. } => {
                must(started, "an outcome of what was not started")?;
                let certain = matches!(held.answer, Some(CallAnswer::Refused { .. } | CallAnswer::NotSent { .. }));
                must(certain, "called failed, and nobody knows")?;
                held.phase = Phase::Ended("failed");
            }
            Event::ExecutionUnknown { .. } => {
                must(started, "an outcome of what was not started")?;
                held.phase = Phase::Ended("not known");
            }
            Event::LookedAgain { .. } => must(in_doubt, "looked again for what is known")?,
            Event::RequestLapsed { .. } | Event::RequestStale { .. } => {
                must(matches!(held.phase, Phase::Approved { .. }), "lapsed or stale without being approved")?;
                held.phase = Phase::Ended("lapsed or stale");
            }
            Event::RequestCancelled { .. } | Event::RequestSuperseded { .. } => {
                must(!started, "cancelled after the start")?;
                if let Event::RequestCancelled { why, .. } = &scene.record.event {
                    self.cancelled(scene, why, id, held)?;
                }
                held.phase = Phase::Ended("cancelled or superseded");
            }
            _ => {}
        }
        Ok(())
    }
}
