//! Since when a credential is stolen, as people say it with a command or as they open an incident.

use chrono::{DateTime, Utc};

use crate::domain::id::IncidentId;
use crate::domain::incident::command::PersonCommand;
use crate::domain::refusal::{Refusal, moment};
use crate::engine::EngineError;
use crate::intake::since::Since;
use crate::intake::slack::{Click, Inbound};
use crate::ports::Message;
use crate::view::blocks::escape;
use crate::view::{forms, replies};
use crate::workers::Workers;

/// How it is known, where whoever opens an incident says no more.
const AS_OPENED: &str = "said as the incident was opened";

impl Workers {
    /// Sets it, or shows the form for that. `sent_at` is when the person said it.
    pub(super) async fn since(
        &self,
        inbound: &Inbound,
        incident: Option<IncidentId>,
        said: Option<(Since, &str)>,
        sent_at: DateTime<Utc>,
    ) -> Result<Option<Message>, EngineError> {
        let id = match incident {
            Some(id) => id,
            None => match self.only_open().await? {
                Some(incident) => incident.id,
                None => return Ok(Some(replies::help(Some("Say which incident, as in `/irp since INC-12 3h`.")))),
            },
        };
        let Some((since, basis)) = said else { return self.ask_since(inbound, id).await };
        let at = since.time(sent_at);
        let command = PersonCommand::SetCompromiseTime { at, basis: basis.to_owned(), clicked_at: sent_at };
        self.engine.act(id, &inbound.reply.user, command).await?;
        Ok(Some(replies::said(&format!(
            "The likely compromise time of {id} is set to {}. The trail is searched anew with it.",
            moment(at)
        ))))
    }

    /// The form that sets it.
    pub(super) async fn ask_since(&self, inbound: &Inbound, id: IncidentId) -> Result<Option<Message>, EngineError> {
        let click = Click::CompromiseTime { incident: id };
        self.engine.may_work(id, &inbound.reply.user, click.attempt()).await?;
        let incident = self.engine.load(id).await?.ok_or(Refusal::UnknownIncident(id))?;
        let known = incident.compromise.as_ref().map(|c| c.at).or(incident.first_seen_at());
        Ok(self.show(inbound, &forms::compromise_time(id, self.engine.now(), known)).await)
    }

    /// Sets it for an incident that somebody has just opened or added to, and says what has come of that. What was set
    /// before is not changed in passing.
    pub(super) async fn opened_since(
        &self,
        inbound: &Inbound,
        id: IncidentId,
        (since, note): (Option<Since>, Option<&str>),
        sent_at: DateTime<Utc>,
    ) -> Result<String, EngineError> {
        let Some(since) = since else { return Ok(String::new()) };
        let known = self.engine.load(id).await?.and_then(|incident| incident.compromise);
        let at = since.time(sent_at);
        if let Some(known) = known {
            // The same again is a delivery that is handled twice.
            let differs = (known.at - at).num_minutes() != 0;
            let told = format!(
                "\nIts likely compromise time was set before, to {}, and stays: `/irp since {id}` changes it.",
                moment(known.at)
            );
            return Ok(if differs { told } else { String::new() });
        }
        let basis = note.unwrap_or(AS_OPENED).to_owned();
        let command = PersonCommand::SetCompromiseTime { at, basis, clicked_at: sent_at };
        match self.engine.act(id, &inbound.reply.user, command).await {
            Ok(_) => Ok(format!("\nIts likely compromise time is set to {}.", moment(at))),
            Err(EngineError::Refused(refusal)) => {
                Ok(format!("\n:warning: *Its likely compromise time is not set:* {}", escape(&refusal.to_string())))
            }
            Err(error) => Err(error),
        }
    }
}
