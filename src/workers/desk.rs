//! What people do in Slack: each act leads to a use case, and each gets an answer.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::forms::{answer, commanded};
use super::{BATCH_MAX, Workers, holding};
use crate::domain::alert::{Alert, AlertSource, Severity};
use crate::domain::approval::{Digest, RequestState};
use crate::domain::credential::Subject;
use crate::domain::id::{IncidentId, StepId, UserId};
use crate::domain::incident::command::{Attempt, PersonCommand};
use crate::domain::incident::state::Incident;
use crate::domain::incident::steps::undo_of;
use crate::domain::incident::together::open_burst;
use crate::domain::policy::ActionClass;
use crate::domain::refusal::{Refusal, mention};
use crate::engine::{EngineError, Taken};
use crate::intake::since::Since;
use crate::intake::slack::{Act, Click, Inbound};
use crate::intake::slash::Slash;
use crate::intake::submission::Submission;
use crate::ports::{Delivery, Lane, Message, StoreError};
use crate::view::blocks::escape;
use crate::view::{forms, replies};

mod card;
mod since;

/// An act that could not be handled for so long is told so, not carried out late.
const ACT_AGE_MAX: TimeDelta = TimeDelta::seconds(60);

/// Asking to close an incident, before it is known as what.
const CLOSE: Attempt<'_> = Attempt { name: "close", request: None, digest: None };

pub(super) async fn run(workers: Workers, shutdown: CancellationToken, tasks: TaskTracker) {
    while !shutdown.is_cancelled() {
        match workers.store.take(Lane::Slack, BATCH_MAX).await {
            Ok(batch) => {
                for delivery in batch {
                    let workers = workers.clone();
                    tasks.spawn(async move { workers.handle(delivery).await });
                }
            }
            Err(error) => workers.store_failed("desk", &error).await,
        }
    }
}

impl Workers {
    async fn handle(&self, delivery: Delivery) {
        let hold = || async {
            let _ = self.store.hold(Lane::Slack, &delivery.token).await;
        };
        holding(hold, self.work_off(&delivery)).await;
    }

    async fn work_off(&self, delivery: &Delivery) {
        match serde_json::from_str::<Inbound>(&delivery.body) {
            Ok(inbound) => {
                // Carrying it out again would end in the same way: the person is told instead.
                let broken = || Some(replies::said(replies::BROKEN));
                let answer = self.guarded("desk", Box::pin(self.answer(&inbound))).await.unwrap_or_else(broken);
                if let Some(message) = answer {
                    self.tell(&inbound.reply, &message).await;
                }
            }
            Err(error) => return self.set_aside(Lane::Slack, &delivery.token, &error.to_string()).await,
        }
        if let Err(error) = self.store.done(Lane::Slack, &delivery.token).await {
            tracing::warn!(%error, "a finished act could not be ticked off");
        }
    }

    /// Does what was asked and says how it went; `None` when a form has opened.
    async fn answer(&self, inbound: &Inbound) -> Option<Message> {
        let age = TimeDelta::milliseconds(self.wall.now().timestamp_millis() - inbound.received_at_ms);
        let elsewhere = self.is_from_elsewhere(&inbound.pressed).await;
        let outcome = match &inbound.act {
            act if elsewhere => Err(self.turn_away(&inbound.reply.user, act, Refusal::OtherWorkspace).await),
            // Refused, however old.
            Act::UnknownClick { .. } | Act::Repeated { .. } => self.act(inbound, age).await,
            act if age > ACT_AGE_MAX => Err(self.turn_away(&inbound.reply.user, act, Refusal::HandledTooLate).await),
            _ => self.act(inbound, age).await,
        };
        match outcome {
            Ok(answer) => answer,
            Err(EngineError::Refused(refusal)) => {
                self.metrics.refused(act_name(&inbound.act));
                let place = match &refusal {
                    Refusal::NotItsCard => Box::pin(self.its_card(&inbound.act)).await,
                    _ => None,
                };
                let place = place.map(|link| format!(" <{}|It is here.>", escape(&link))).unwrap_or_default();
                Some(replies::said(&match refusal {
                    // AWS's own words.
                    Refusal::AwsUnread(_) => format!(":warning: {}", escape(&refusal.to_string())),
                    _ => format!(":no_entry: {refusal}{place}"),
                }))
            }
            Err(EngineError::Store(StoreError::Unreadable(error))) => {
                tracing::error!(%error, "an act met something that cannot be read");
                Some(replies::said(replies::LEFT_ALONE))
            }
            Err(EngineError::Store(error)) => {
                tracing::error!(%error, "an act could not be recorded");
                Some(replies::said(replies::NOT_KNOWN_KEPT))
            }
            Err(
                error @ (EngineError::Cloud(_)
                | EngineError::Contended
                | EngineError::Directory(_)
                | EngineError::GroupsUnread
                | EngineError::OtherRules),
            ) => Some(replies::said(&format!(":warning: {}.", escape(&error.to_string())))),
        }
    }

    /// Turns an act away before anything else is looked at; on record where it names an incident.
    async fn turn_away(&self, user: &UserId, act: &Act, refusal: Refusal) -> EngineError {
        match act {
            Act::Click(click) => self.engine.turn_away(click.incident(), user, click.attempt(), refusal).await,
            Act::Submit(submission) => match commanded(submission, self.engine.now()) {
                Some((id, command)) => self.engine.turn_away(id, user, (&command).into(), refusal).await,
                None => refusal.into(),
            },
            Act::Command(Slash::Close { incident: Some(id), .. }) => {
                self.engine.turn_away(*id, user, CLOSE, refusal).await
            }
            Act::Command(Slash::Since { incident: Some(id), .. }) => {
                self.engine.turn_away(*id, user, Click::CompromiseTime { incident: *id }.attempt(), refusal).await
            }
            _ => refusal.into(),
        }
    }

    async fn act(&self, inbound: &Inbound, age: TimeDelta) -> Result<Option<Message>, EngineError> {
        let user = &inbound.reply.user;
        let clicked_at = || self.engine.now() - age;
        match &inbound.act {
            Act::Command(command) => self.command(inbound, user, command, clicked_at()).await,
            Act::Click(click) => self.click(inbound, user, click, clicked_at()).await,
            Act::UnknownClick { incident } => Err(self.unknown_click(inbound, *incident).await?),
            Act::Submit(submission) => self.submit(inbound, user, submission, clicked_at()).await,
            Act::Mention => {
                self.engine.may_read(user).await?;
                self.list().await.map(Some)
            }
            Act::Repeated { of } => Err(self.turn_away(user, of, Refusal::Repeated).await),
        }
    }

    async fn command(
        &self,
        inbound: &Inbound,
        user: &UserId,
        command: &Slash,
        sent_at: DateTime<Utc>,
    ) -> Result<Option<Message>, EngineError> {
        Ok(Some(match command {
            Slash::OpenForm => {
                self.engine.may_respond(user).await?;
                return Ok(self.show(inbound, &forms::open()).await);
            }
            Slash::Open { subject, since, note } => {
                let source = note.clone().unwrap_or_else(|| "Reported by a person".into());
                let alert = reported(inbound, subject, &source, Severity::High, note.as_deref());
                self.open(inbound, alert, *since, sent_at).await?
            }
            Slash::Since { incident, said } => {
                let said = said.as_ref().map(|(since, basis)| (*since, basis.as_str()));
                return self.since(inbound, *incident, said, sent_at).await;
            }
            Slash::Status { .. } | Slash::List => {
                self.engine.may_read(user).await?;
                return self.read(command).await.map(Some);
            }
            Slash::Close { incident, outcome, note } => {
                let id = match incident {
                    Some(id) => *id,
                    None => match self.only_open().await? {
                        Some(incident) => incident.id,
                        None => return Ok(Some(replies::help(Some("Say which incident, as in `/irp close INC-12`.")))),
                    },
                };
                let Some(outcome) = outcome else {
                    return self.show_close(inbound, id).await;
                };
                let command = PersonCommand::Close { outcome: *outcome, note: note.clone() };
                self.engine.act(id, user, command).await?;
                replies::said(&format!("Closed {id} as *{}*.", outcome.label()))
            }
            Slash::Help { because } => replies::help(because.as_deref().map(escape).as_deref()),
            Slash::SecretTyped { key } => replies::secret_typed(key.as_ref()),
        }))
    }

    async fn click(
        &self,
        inbound: &Inbound,
        user: &UserId,
        click: &Click,
        clicked_at: DateTime<Utc>,
    ) -> Result<Option<Message>, EngineError> {
        let id = click.incident();
        if !self.is_on_its_card(inbound, id).await? {
            return Err(self.engine.turn_away(id, user, click.attempt(), Refusal::NotItsCard).await);
        }
        Ok(Some(match click {
            Click::Request { step, .. } => self.request(inbound, id, step).await?,
            Click::RequestAll { class, .. } => self.request_all(inbound, id, *class).await?,
            Click::BreakGlass { request, digest } => {
                let found = self.engine.may_break_glass(*request, user, digest).await?;
                return Ok(self.show(inbound, &forms::break_glass(&format!("{request} {digest}"), &found)).await);
            }
            Click::Ratify { request } => {
                self.engine.act(id, user, PersonCommand::Ratify { request: *request }).await?;
                replies::said(&format!("You ratified {request}: it was right to run it."))
            }
            Click::Contest { request } => {
                self.engine.may_work(id, user, click.attempt()).await?;
                return Ok(self.show(inbound, &forms::contest(*request)).await);
            }
            Click::Undo { step, .. } => {
                let undo = undo_of(step).ok_or_else(|| Refusal::NotApplicable("This cannot be undone here.".into()))?;
                self.request(inbound, id, &undo).await?
            }
            Click::Approve { request, digest } => {
                let command = PersonCommand::Approve { request: *request, digest_shown: digest.clone(), clicked_at };
                let after = self.engine.act(id, user, command).await?;
                replies::approved(&after, *request, user, &self.engine.rules())
            }
            Click::Deny { request, digest } => {
                self.engine.may_work(id, user, click.attempt()).await?;
                let incident = self.engine.load(id).await?;
                return Ok(self.show(inbound, &forms::deny(incident.as_ref(), *request, digest)).await);
            }
            Click::Withdraw { request } => {
                let after = self.engine.act(id, user, PersonCommand::Withdraw { request: *request }).await?;
                replies::stopped(&after, *request, |state| matches!(state, RequestState::Withdrawn), "withdrawn")
            }
            Click::Cancel { request } => {
                let after = self.engine.act(id, user, PersonCommand::Cancel { request: *request }).await?;
                replies::stopped(&after, *request, |state| matches!(state, RequestState::Cancelled { .. }), "cancelled")
            }
            Click::Retract { request } => {
                let command = PersonCommand::Retract { request: *request, clicked_at };
                let after = self.engine.act(id, user, command).await?;
                let waits = |state: &RequestState| *state == RequestState::Pending;
                replies::stopped(&after, *request, waits, "taken back for you, and waiting for an approver again")
            }
            Click::NotMe { request } => {
                self.engine.act(id, user, PersonCommand::NotMe { request: *request }).await?;
                replies::said(&format!(
                    "Approvals of {id} are frozen, and everybody there is told. Change your password and end your Slack \
                     sessions now: somebody may be using your account."
                ))
            }
            Click::Unfreeze { shown, .. } => {
                let after =
                    self.engine.act(id, user, PersonCommand::Unfreeze { shown: shown.unwrap_or_default() }).await?;
                replies::said(if after.freeze.is_none() {
                    "The freeze is lifted."
                } else {
                    "You agree to lift the freeze. It takes the lead and another approver."
                })
            }
            Click::AcceptRisk { shown, .. } => {
                self.engine.may_accept_risk(id, user, *shown).await?;
                return Ok(self.show(inbound, &forms::accept_risk(id, *shown)).await);
            }
            Click::SayDone { step, .. } => {
                let step = self.engine.may_say_done(id, user, step).await?;
                return Ok(self.show(inbound, &forms::say_done(id, &step)).await);
            }
            Click::ConfirmDone { step, shown, .. } => {
                let command = PersonCommand::ConfirmDone { step: step.clone(), shown: shown.clone() };
                self.engine.act(id, user, command).await?;
                replies::said(
                    "It counts as done now, in your name and that of another. Nothing was read back from AWS.",
                )
            }
            Click::TakeBackDone { step, shown, .. } => {
                let command = PersonCommand::TakeBackDone { step: step.clone(), shown: shown.clone() };
                self.engine.act(id, user, command).await?;
                replies::said("It is taken back: the step counts as not done.")
            }
            Click::LookAt { shown, .. } => {
                self.engine.act(id, user, PersonCommand::LookAt { shown: shown.clone() }).await?;
                replies::said("It is on record in your name that you have looked at these. Nothing was changed in AWS.")
            }
            Click::NameSubject { .. } => {
                self.engine.may_work(id, user, click.attempt()).await?;
                return Ok(self.show(inbound, &forms::name_subject(id)).await);
            }
            Click::Overrule { .. } => {
                self.engine.may_work(id, user, click.attempt()).await?;
                return Ok(self.show(inbound, &forms::overrule(id)).await);
            }
            Click::LookAgain { .. } => {
                self.engine.act(id, user, PersonCommand::LookAgain).await?;
                replies::said("Looking again whose credential it is, and at what is not known to hold.")
            }
            Click::CompromiseTime { .. } => return self.ask_since(inbound, id).await,
            Click::LogsAsk { .. } => {
                self.engine.act(id, user, PersonCommand::AskLogs).await?;
                replies::said(
                    "What the search would read is being worked out. It runs only when somebody says so on its card.",
                )
            }
            Click::LogsRun { number, .. } => {
                self.engine.act(id, user, PersonCommand::RunLogs { number: *number }).await?;
                replies::said("The logs are being searched. The card shows what comes of it.")
            }
            Click::LogsCancel { number, .. } => {
                self.engine.act(id, user, PersonCommand::CancelLogs { number: *number }).await?;
                replies::said("The search is cancelled.")
            }
            Click::Lead { .. } => {
                self.engine.act(id, user, PersonCommand::TakeLead { clicked_at }).await?;
                replies::said(&format!("You lead {id} now."))
            }
            Click::Close { .. } => return self.show_close(inbound, id).await,
        }))
    }

    /// A button that this version does not know is on record where it can be told whose card it was on.
    async fn unknown_click(&self, inbound: &Inbound, incident: Option<IncidentId>) -> Result<EngineError, StoreError> {
        let Some(id) = incident else { return Ok(Refusal::UnknownButton.into()) };
        let refusal =
            if self.is_on_its_card(inbound, id).await? { Refusal::UnknownButton } else { Refusal::NotItsCard };
        let attempt = Attempt { name: "press a button that is not known", request: None, digest: None };
        Ok(self.engine.turn_away(id, &inbound.reply.user, attempt, refusal).await)
    }

    async fn request(&self, inbound: &Inbound, id: IncidentId, step: &StepId) -> Result<Message, EngineError> {
        let incident = self.engine.request(id, &inbound.reply.user, step, &press(inbound)).await?;
        let request = incident.requests_for(step).next().map(|r| r.id.to_string()).unwrap_or_default();
        let leads = replies::leads(&incident, &inbound.reply.user, 1);
        Ok(replies::said(&format!(
            "{request} is recorded in your name. Somebody else has to approve it on its card.{leads}"
        )))
    }

    async fn request_all(
        &self,
        inbound: &Inbound,
        id: IncidentId,
        class: Option<ActionClass>,
    ) -> Result<Message, EngineError> {
        let user = &inbound.reply.user;
        let after = self.engine.request_all(id, user, class, &press(inbound)).await?;
        let asked = open_burst(&after).map_or(1, |members| members.len());
        let left_out: Vec<String> =
            self.engine.left_out(&after).iter().map(|step| format!("\n• {}", escape(&step.title))).collect();
        let left_out = if left_out.is_empty() {
            String::new()
        } else {
            format!(
                "\n:warning: *Left out*, because it cannot be done as AWS is now; *Request* on its own card says why:{}",
                left_out.concat()
            )
        };
        let leads = replies::leads(&after, user, asked);
        Ok(replies::said(&format!(
            "{asked} step(s) are asked for in your name, as one thing to decide on. Somebody else has to approve \
             them.{leads}{left_out}"
        )))
    }

    async fn submit(
        &self,
        inbound: &Inbound,
        user: &UserId,
        submission: &Submission,
        clicked_at: DateTime<Utc>,
    ) -> Result<Option<Message>, EngineError> {
        if let Submission::Open { subject, source, severity, since, note } = submission {
            let alert = reported(inbound, subject, source, *severity, note.as_deref());
            return self.open(inbound, alert, *since, clicked_at).await.map(Some);
        }
        let Some((id, command)) = commanded(submission, clicked_at) else { return Ok(None) };
        let after = self.engine.act(id, user, command).await?;
        Ok(Some(replies::said(&answer(submission, &after))))
    }

    async fn open(
        &self,
        inbound: &Inbound,
        alert: Alert,
        since: Option<Since>,
        sent_at: DateTime<Utc>,
    ) -> Result<Message, EngineError> {
        let taken = self.engine.open(&inbound.reply.user, &alert).await?;
        let room = format!("<#{}>", self.war_room);
        let since = self.opened_since(inbound, taken.incident(), (since, alert.note.as_deref()), sent_at).await?;
        Ok(replies::said(&match taken {
            Taken::Opened(id) => format!(":rotating_light: {id} is open. Its thread is in {room}.{since}"),
            Taken::Joined(id) | Taken::Known(id) => {
                format!(
                    "{id} is already open for this credential; your report was added to it. Its thread is in {room}.{since}"
                )
            }
        }))
    }

    async fn show_close(&self, inbound: &Inbound, id: IncidentId) -> Result<Option<Message>, EngineError> {
        self.engine.may_work(id, &inbound.reply.user, CLOSE).await?;
        let incident = self.engine.load(id).await?.ok_or(Refusal::UnknownIncident(id))?;
        if !incident.is_open() {
            return Err(self.engine.turn_away(id, &inbound.reply.user, CLOSE, Refusal::Closed(id)).await);
        }
        Ok(self.show(inbound, &forms::close(&incident, self.engine.playbook())).await)
    }

    async fn read(&self, command: &Slash) -> Result<Message, EngineError> {
        let incident = match command {
            Slash::Status { incident: Some(id) } => {
                Some(self.engine.load(*id).await?.ok_or(Refusal::UnknownIncident(*id))?)
            }
            Slash::Status { incident: None } => self.only_open().await?,
            _ => None,
        };
        match incident {
            Some(incident) => Ok(replies::status(&incident, self.engine.playbook())),
            None if matches!(command, Slash::Status { .. }) => self.list().await.map(replies::which),
            None => self.list().await,
        }
    }

    /// Opens a form. Slack gives three seconds for it: what comes too late is told.
    async fn show(&self, inbound: &Inbound, form: &serde_json::Value) -> Option<Message> {
        let Some(trigger) = &inbound.trigger_id else {
            return Some(replies::said("A form can only be opened by a click or a command."));
        };
        match self.chat.open_view(trigger, form).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(slack.user = %inbound.reply.user, %error, "a form could not be opened");
                Some(replies::said(&format!(
                    "{} the form could not be opened in time. Try again.",
                    mention(&inbound.reply.user)
                )))
            }
        }
    }

    async fn list(&self) -> Result<Message, EngineError> {
        let ids = self.store.open_incidents(replies::LISTED_MAX + 1).await?;
        let more = ids.len() > replies::LISTED_MAX;
        let (mut incidents, mut damaged) = (Vec::new(), Vec::new());
        for id in ids.into_iter().take(replies::LISTED_MAX) {
            match self.engine.load(id).await {
                Ok(found) => incidents.extend(found.filter(Incident::is_open)),
                // One that cannot be read hides none of the others.
                Err(StoreError::Unreadable(error)) => {
                    tracing::error!(incident.id = %id, %error, "an incident cannot be read");
                    damaged.push(id);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(replies::list(&incidents, &damaged, self.engine.playbook(), self.engine.now(), more))
    }

    async fn only_open(&self) -> Result<Option<Incident>, EngineError> {
        match self.store.open_incidents(2).await?.as_slice() {
            [id] => Ok(self.engine.load(*id).await?.filter(Incident::is_open)),
            _ => Ok(None),
        }
    }
}

/// What somebody reports, as an alert.
fn reported(inbound: &Inbound, subject: &Subject, title: &str, severity: Severity, note: Option<&str>) -> Alert {
    let user = &inbound.reply.user;
    let from = (AlertSource::Person(user.clone()), format!("slack:{user}:{}", inbound.received_at_ms));
    let alert = Alert::new(from, ("Report", title), severity, subject.clone());
    Alert { note: note.map(str::to_owned), ..alert }
}

/// Names a press of a button: Slack gives each an address of its own for the answer.
fn press(inbound: &Inbound) -> String {
    Digest::of(inbound).to_string()
}

const fn act_name(act: &Act) -> &'static str {
    match act {
        Act::Command(_) => "command",
        Act::Click(_) | Act::UnknownClick { .. } => "click",
        Act::Submit(_) => "form",
        Act::Mention => "mention",
        Act::Repeated { .. } => "repeated",
    }
}
