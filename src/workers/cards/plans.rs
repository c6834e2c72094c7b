//! Puts plans that no card can show whole into the thread as files, and says so in the log: only then can
//! they be approved. Where a file stands is written down before the log hears of it, so that a crash in
//! between uploads none twice; a crash before that may, and never leaves one out.

use std::time::Duration;

use chrono::TimeDelta;

use super::{Look, Unfinished, Workers, urgency};
use crate::domain::approval::{Digest, Request};
use crate::domain::incident::state::Incident;
use crate::domain::incident::{together, whole};
use crate::engine::EngineError;
use crate::ports::{ChatError, Posted, Turn};
use crate::view::{ANNOUNCEMENT, plan_file};

/// An upload that has failed is tried again after so long.
const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// A plan that is to be put into the thread.
pub(super) struct Upload<'a> {
    incident: &'a Incident,
    request: &'a Request,
    digest: Digest,
    thread_ts: &'a str,
    /// In so long.
    pub(super) wait: Duration,
}

impl Upload<'_> {
    fn slot(&self) -> String {
        format!("plan:{}", self.request.id)
    }
}

impl Workers {
    /// The plan that is to be uploaded next, once there is a thread.
    pub(super) fn next_upload<'a>(&self, look: &'a Look) -> Option<Upload<'a>> {
        let thread_ts = look.posted.get(ANNOUNCEMENT)?.ts.as_deref()?;
        let incident = look.incident.as_ref()?;
        let uploads = whole::to_upload(incident).into_iter().map(|request| {
            let digest = together::digest(incident, request);
            let mut upload = Upload { incident, request, digest, thread_ts, wait: Duration::ZERO };
            if let Some(Posted { ts: None, at, .. }) = look.posted.get(&upload.slot()) {
                upload.wait = (*at + AGAIN_AFTER - self.wall.now()).to_std().unwrap_or_default();
            }
            upload
        });
        uploads.min_by_key(|upload| upload.wait)
    }

    pub(super) async fn upload(&self, look: &Look, upload: &Upload<'_>) -> Result<(), Unfinished> {
        let id = upload.incident.id;
        let (slot, hash) = (upload.slot(), upload.digest.to_string());
        let there = look.posted.get(&slot).filter(|posted| posted.hash == hash).and_then(|posted| posted.ts.clone());
        let outcome = if let Some(file) = there {
            Ok(file)
        } else {
            self.chat.turn(Turn::Post(self.war_room.as_str()), urgency(look)).await;
            let file = plan_file::file(upload.incident, upload.request);
            let outcome = self.chat.upload(&self.war_room, upload.thread_ts, &file).await;
            let (channel, at) = (self.war_room.clone(), self.wall.now());
            let ts = outcome.as_ref().ok().cloned();
            let posted = Posted { channel, ts, hash, at, replaces: None, copies: Vec::new(), unnamed: None };
            self.store.put_card(id, &slot, &posted).await?;
            outcome
        };
        let outcome = match outcome {
            // Nothing is wrong: Slack only takes it later.
            Err(ChatError::RateLimited(_)) => return Ok(()),
            Err(error) => {
                tracing::warn!(incident.id = %id, slot = %slot, %error, "a plan could not be put into the thread; trying again");
                self.metrics.failed("plans");
                Err(error.to_string())
            }
            Ok(file) => Ok(file),
        };
        match self.engine.plan_file(upload.request.id, &upload.digest, &outcome).await {
            Ok(()) => Ok(()),
            Err(EngineError::Store(error)) => Err(error.into()),
            // The file is written down: the next look says so again.
            Err(_) => Err(Unfinished::Waiting(super::LOOK_EVERY)),
        }
    }
}
