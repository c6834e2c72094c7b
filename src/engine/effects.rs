//! What is owed, run one at a time: identify, execute, read back, note that a limit has passed.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{Either, join_all, select, try_join_all};

use super::{CONFLICT_ATTEMPTS_MAX, Engine, EngineError};
use crate::domain::approval::{CallAnswer, Digest, Request, RequestState, Warrant};
use crate::domain::blast_radius::BlastRadius;
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::incident::command::Report;
use crate::domain::incident::decide;
use crate::domain::incident::event::Event;
use crate::domain::incident::execution::call_time_max;
use crate::domain::incident::owed::{Effect, owed};
use crate::domain::incident::state::Incident;
use crate::domain::incident::watch::{keys_probe, watched};
use crate::domain::incident::{renamed, rules};
use crate::domain::observation::Observation;
use crate::domain::policy::{Actor, Policy};
use crate::domain::recusal::recused_from;
use crate::ports::{AppendError, CloudError, Session, TOO_LATE, Term};

/// More effects than this in one go would mean that two undo each other.
const EFFECTS_MAX: u32 = 1_000;

/// For so long a reading of AWS is put off while AWS does not answer; after that it is said that nothing is known.
const AWAY_MAX: TimeDelta = TimeDelta::minutes(5);

/// While calls are out, the lease is renewed so long before nothing more might be sent; and if that did not succeed, again
/// after a wait.
const RENEWED_BEFORE_END: Duration = Duration::from_secs(5);
const RENEWED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A request whose calls are this process's to make.
struct Claimed<'a> {
    /// The incident with that on record.
    after: Incident,
    warrant: Warrant,
    session: Box<dyn Session + 'a>,
}

impl Engine {
    /// Runs all that is due for an incident, until nothing is: all that changes or decides something.
    /// What fails does not hold up the rest. An error means that something is left undone: ask again.
    pub async fn advance(&self, id: IncidentId) -> Result<(), EngineError> {
        let mut failed: Vec<Effect> = Vec::new();
        let mut first_error = None;
        for _ in 0..EFFECTS_MAX {
            let Some(incident) = self.load(id).await? else { return Ok(()) };
            let now = self.now();
            let due = owed(&incident)
                .into_iter()
                .find(|o| o.due_at <= now && !o.effect.informs() && !failed.contains(&o.effect));
            let Some(due) = due else { return first_error.map_or(Ok(()), Err) };
            let outcome = match due.effect {
                Effect::Identify | Effect::Reach | Effect::Hunt | Effect::Inventory | Effect::Logs | Effect::Watch => {
                    Ok(())
                }
                Effect::Execute(request) => Box::pin(self.execute(incident, request)).await,
                Effect::ReadBack(request) => self.read_back(&incident, request).await,
                Effect::Clock(request) => self.report(id, || Report::ClockPassed { request }).await.map(|_| ()),
            };
            if let Err(error) = outcome {
                failed.push(due.effect);
                first_error.get_or_insert(error);
            }
        }
        Err(EngineError::Contended)
    }

    /// Finds out whose credential it is, if that is due. Apart from [`Self::advance`], because it can take
    /// long and an approved change must not wait for it.
    pub async fn inform(&self, id: IncidentId) -> Result<(), EngineError> {
        let Some(incident) = self.load(id).await? else { return Ok(()) };
        let now = self.now();
        if owed(&incident).iter().any(|o| o.due_at <= now && o.effect == Effect::Identify) {
            self.identify(&incident).await?;
        }
        Ok(())
    }

    /// Reads what the credential was used for, if that is due. Apart from all others: it takes seconds, and a
    /// storm of alerts makes it wait for its turn with CloudTrail.
    pub async fn reach(&self, id: IncidentId) -> Result<(), EngineError> {
        let Some(incident) = self.load(id).await? else { return Ok(()) };
        let now = self.now();
        let due = owed(&incident).iter().any(|o| o.due_at <= now && o.effect == Effect::Reach);
        let Some(found) = incident.identification().filter(|_| due) else { return Ok(()) };
        let answer = match self.ports.cloud.blast_radius(&incident.subject, found, now).await {
            Ok(found) => found,
            Err(error) if error.can_retry() => return Err(error.into()),
            Err(error) => BlastRadius { not_known: vec![error.to_string()], ..BlastRadius::default() },
        };
        self.report(id, || Report::Reached(answer.clone())).await?;
        Ok(())
    }

    /// Reads AWS again for what was put in place, if that is due. Apart from [`Self::advance`] too.
    pub async fn watch(&self, id: IncidentId) -> Result<(), EngineError> {
        let Some(incident) = self.load(id).await? else { return Ok(()) };
        let now = self.now();
        let due = owed(&incident).into_iter().find(|o| o.due_at <= now && o.effect == Effect::Watch);
        let Some(due) = due else { return Ok(()) };
        let looks = watched(&incident).map(|request| async move { (request.id, self.look_at(request).await) });
        let keys = async {
            let (account, probe) = (incident.account()?, keys_probe(&incident)?);
            Some(self.look(&account, &probe, renamed::unique_id(&incident, &probe)).await)
        };
        let (looked, keys) = tokio::join!(join_all(looks), keys);
        let mut answers = looked.iter().map(|(_, answer)| answer).chain(&keys);
        let away = answers.all(|answer| answer.as_ref().is_err_and(CloudError::can_retry));
        if away && now - due.due_at < AWAY_MAX {
            // There is nothing to write down, and it is tried again.
            let first = looked.into_iter().find_map(|(_, answer)| answer.err());
            return first.map_or(Ok(()), |error| Err(error.into()));
        }
        let said = |answer: &Result<Observation, CloudError>| answer.as_ref().cloned().map_err(ToString::to_string);
        let seen: Vec<&Observation> = looked.iter().map(|(_, answer)| answer).chain(&keys).flatten().collect();
        self.identify_renamed(&incident, &seen).await?;
        let looked: Vec<_> = looked.iter().map(|(request, answer)| (*request, said(answer))).collect();
        let keys = keys.as_ref().map(said);
        self.report(id, || Report::Checked { looked: looked.clone(), keys: keys.clone() }).await?;
        Ok(())
    }

    /// Notes that the whole text of a plan is in the thread, or why it could not be put there.
    pub async fn plan_file(
        &self,
        request: RequestId,
        digest: &Digest,
        outcome: &Result<String, String>,
    ) -> Result<(), EngineError> {
        let report = || Report::PlanFile { request, digest: digest.clone(), outcome: outcome.clone() };
        self.report(request.incident(), report).await.map(|_| ())
    }

    /// Finds out whose credential it is. A user that is known goes by its unique id, which no renaming changes.
    pub(super) async fn identify(&self, incident: &Incident) -> Result<(), EngineError> {
        let mut subject = incident.subject.clone();
        let known = || incident.identification().and_then(|found| found.unique_id.clone());
        subject.principal_id = subject.principal_id.or_else(|| known().filter(|id| id.starts_with("AIDA")));
        let answer = self.ports.cloud.identify(&subject, self.now()).await;
        self.report(incident.id, || match &answer {
            Ok(found) => Report::Identified(found.clone()),
            Err(error) => Report::IdentificationFailed { error: error.to_string(), retry: error.can_retry() },
        })
        .await?;
        Ok(())
    }

    /// Checks people and AWS once more, writes down that the call goes out, makes it, and writes down
    /// the answer. Only the process whose `ExecutionStarted` is in the log makes the call.
    async fn execute(&self, incident: Incident, id: RequestId) -> Result<(), EngineError> {
        let Some(request) = incident.requests.get(&id) else { return Ok(()) };
        let plan = &request.plan;
        if plan.policy_version != self.rules().version || !rules::has_these(&incident, &self.rules()) {
            return Err(EngineError::OtherRules);
        }
        // What is put into the vault stays there for good: not once for each time that Slack does not answer.
        self.ports.directory.standing(&request.requested_by).await.map_err(EngineError::Directory)?;
        if self.policy().await.has_unread_groups() {
            return Err(EngineError::GroupsUnread);
        }
        // It can take a minute: people and AWS are asked after it, right before the call.
        let kept = self.ports.cloud.keep(&plan.account, id, &plan.action, self.now()).await;
        // A Slack that does not answer is asked again until the time to execute has passed; only a
        // definite no ends the request.
        let requester = self.actor_now(&request.requested_by).await.map_err(EngineError::Directory)?;
        let alone = request.glass.iter().map(|glass| &glass.user);
        let approvers = request.approvals.iter().map(|approval| &approval.user).chain(alone);
        let approvers = approvers.map(|user| self.actor_now(user));
        let approvers = try_join_all(approvers).await.map_err(EngineError::Directory)?;
        let policy = self.policy().await;
        if plan.policy_version != policy.version {
            // This process has not read the newest rules, or has read newer ones and is about to end what was
            // asked under the old: not for it to say that an approval has lapsed.
            return Err(EngineError::OtherRules);
        }
        if policy.has_unread_groups() {
            // Nobody loses a right because a question has no answer; it is asked again.
            return Err(EngineError::GroupsUnread);
        }
        let (now, not_done) = match kept {
            Ok(()) => {
                let now = self.look_at(request).await;
                (now, "AWS could not be read just before the call")
            }
            Err(error) => (Err(error), "what AWS does not keep of it could not be put into the vault"),
        };
        let now = match now {
            Ok(now) => now,
            // Waits for its clock: within the time to execute it is tried again, after that it lapses.
            Err(error) if error.can_retry() => return Err(error.into()),
            Err(error) => return self.lapse(incident, id, format!("{not_done}: {error}")).await,
        };
        self.identify_renamed(&incident, &[&now]).await?;
        let people = (&requester, &*approvers);
        let Some(Claimed { after, warrant, session }) = self.claim(incident, id, &policy, people, &now).await? else {
            return Ok(());
        };
        let Some(RequestState::Executing(execution)) = after.requests.get(&id).map(|r| &r.state) else {
            return Ok(());
        };
        let time_max = call_time_max(&execution.sent);
        let latest = self.now() + time_max;
        let term = Term::new(&*self.ports.clock, execution.calls_until().min(latest));
        let answer = if term.is_over() {
            // So late that another could take it for dead while the call is still out.
            CallAnswer::NotSent { message: TOO_LATE.into() }
        } else {
            let call = session.apply(&warrant, &term);
            let over = self.ports.clock.wait(time_max.to_std().unwrap_or_default());
            match select(call, select(pin!(self.hold(id, &term, latest)), over)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => CallAnswer::Unclear { message: "AWS did not answer in time".into() },
            }
        };
        self.report(after.id, || Report::CallAnswered { request: id, answer: answer.clone() }).await?;
        Ok(())
    }

    /// Writes down again and again that this process is at its calls, as long as they are out, so that one that has died is
    /// known by its silence. Ends when they have to: with their time, or earlier when that could not be written.
    async fn hold(&self, id: RequestId, term: &Term<'_>, latest: DateTime<Utc>) {
        let clock = &self.ports.clock;
        while self.now() < term.until() {
            let left = (term.until() - self.now()).to_std().unwrap_or_default();
            let renewal = async {
                if term.until() >= latest {
                    return pending().await;
                }
                clock.wait(left.saturating_sub(RENEWED_BEFORE_END)).await;
                let after = self.report(id.incident(), || Report::StillExecuting { request: id }).await.ok().flatten();
                match after.as_ref().and_then(|after| Some(&after.requests.get(&id)?.state)) {
                    Some(RequestState::Executing(execution)) if execution.calls_until() > term.until() => {
                        term.extend(execution.calls_until().min(latest));
                    }
                    _ => clock.wait(RENEWED_AGAIN_AFTER).await,
                }
            };
            select(pin!(renewal), clock.wait(left)).await;
        }
    }

    /// Writes down that the call goes out, or why it does not, unless another process was faster. Others write too: what
    /// people and AWS have just said goes for as long as the request is as it was, so that a crowd that presses buttons does
    /// not hold the call up. Nothing is written down as sent before AWS has given the session for it.
    async fn claim(
        &self,
        mut incident: Incident,
        id: RequestId,
        policy: &Policy,
        (requester, approvers): (&Actor, &[Actor]),
        now: &Observation,
    ) -> Result<Option<Claimed<'_>>, EngineError> {
        let Some(request) = incident.requests.get(&id).cloned() else { return Ok(None) };
        let mut session = None;
        for _ in 0..CONFLICT_ATTEMPTS_MAX {
            if self.rules().version != policy.version || !rules::has_these(&incident, policy) {
                // They were read anew while AWS was asked, here or elsewhere, and end what was asked for under the others.
                return Err(EngineError::OtherRules);
            }
            let recused = recused_from(&incident, &request, policy);
            let latest = incident.latest(self.now());
            let issued = Warrant::issue(&request, policy, &recused, requester, approvers, latest);
            let warranted = issued.as_ref().map(|warrant| warrant.calls().to_vec()).map_err(Clone::clone);
            let (now, replica) = (now.clone(), self.replica.to_string());
            let report = Report::ReadyToExecute { warranted, now, request: id, replica };
            let events = decide::take_report(&incident, report, self.context(policy));
            let starts = events.iter().any(|event| matches!(event, Event::ExecutionStarted { .. }));
            let warrant = issued.ok().filter(|_| starts);
            if let (Some(warrant), None) = (&warrant, &session) {
                match self.ports.cloud.session(warrant).await {
                    // It took its time: all is judged again.
                    Ok(given) => session = Some(given),
                    // Waits for its clock, as for AWS's other answers.
                    Err(error) if error.can_retry() => return Err(error.into()),
                    Err(error) => {
                        let why = format!("AWS gave no session for this change: {error}");
                        return self.lapse(incident, id, why).await.map(|()| None);
                    }
                }
            } else {
                match self.append(incident.id, Some(incident), events).await {
                    Ok(after) => {
                        let claimed = warrant.zip(session);
                        return Ok(claimed.map(|(warrant, session)| Claimed { after, warrant, session }));
                    }
                    Err(AppendError::Conflict) => {}
                    Err(AppendError::Store(error)) => return Err(error.into()),
                }
            }
            match self.load(id.incident()).await? {
                Some(later) if later.requests.get(&id) == Some(&request) => incident = later,
                _ => return Ok(None),
            }
        }
        Err(EngineError::Contended)
    }

    /// Ends an approved request of which nothing was sent. Whoever has written meanwhile has looked at it too.
    async fn lapse(&self, incident: Incident, request: RequestId, why: String) -> Result<(), EngineError> {
        let lapsed = vec![Event::RequestLapsed { request, why }];
        match self.append(incident.id, Some(incident), lapsed).await {
            Ok(_) | Err(AppendError::Conflict) => Ok(()),
            Err(AppendError::Store(error)) => Err(error.into()),
        }
    }

    /// Reads the target of a request, whatever its user is called by now.
    async fn look_at(&self, request: &Request) -> Result<Observation, CloudError> {
        let (plan, probe) = (&request.plan, request.plan.action.probe());
        self.look(&plan.account, &probe, plan.before.owner_id()).await
    }

    /// Reads AWS until it shows the change, or the waits are used up; once, where it has been waited for before.
    async fn read_back(&self, incident: &Incident, id: RequestId) -> Result<(), EngineError> {
        let Some(request) = incident.requests.get(&id) else { return Ok(()) };
        if matches!(request.state, RequestState::Unknown { .. }) {
            let now = self.look_at(request).await;
            let report = || match &now {
                Ok(now) => Report::ReadBack { request: id, now: now.clone(), last: true },
                Err(error) => Report::NotReadable { request: id, error: error.to_string() },
            };
            return self.report(incident.id, report).await.map(|_| ());
        }
        let waits = self.read_back_waits.len();
        for (i, wait) in self.read_back_waits.iter().enumerate() {
            self.ports.clock.wait(*wait).await;
            let last = i + 1 == waits;
            match self.look_at(request).await {
                Ok(now) => {
                    let after =
                        self.report(incident.id, || Report::ReadBack { request: id, now: now.clone(), last }).await?;
                    let open = after.and_then(|i| i.requests.get(&id).map(|r| r.state.is_open())).unwrap_or(false);
                    if !open {
                        return Ok(());
                    }
                }
                Err(error) if last || !error.can_retry() => {
                    self.report(incident.id, || Report::NotReadable { request: id, error: error.to_string() }).await?;
                    return Ok(());
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Brings a report into the log, whatever others write meanwhile.
    pub(super) async fn report(
        &self,
        id: IncidentId,
        report: impl Fn() -> Report,
    ) -> Result<Option<Incident>, EngineError> {
        for _ in 0..CONFLICT_ATTEMPTS_MAX {
            let Some(incident) = self.load(id).await? else { return Ok(None) };
            let events = decide::take_report(&incident, report(), self.context(&self.rules()));
            match self.append(id, Some(incident), events).await {
                Ok(after) => return Ok(Some(after)),
                Err(AppendError::Conflict) => {}
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
        Err(EngineError::Contended)
    }
}
