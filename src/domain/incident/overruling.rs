//! A responder knows better than the analysis who made a call, and says so: the next search follows, and with it what
//! counts as reached, as left behind and as got through.

use chrono::{DateTime, Utc};

use super::decide::Context;
use super::event::Event;
use super::late;
use super::state::Incident;
use crate::domain::id::UserId;
use crate::domain::policy::Actor;
use crate::domain::recusal::check_impartial;
use crate::domain::refusal::Refusal;
use crate::domain::trail::attribution::Word;

/// So often in one incident.
const WORDS_MAX: usize = 100;

/// What a responder has said about who is who.
#[derive(Clone, Debug, PartialEq)]
pub struct Overruled {
    /// What.
    pub word: Word,
    /// Who.
    pub by: UserId,
    /// From what they know it.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What responders have said, the newest first: whoever speaks later of the same thing knows more.
pub fn words(incident: &Incident) -> Vec<Word> {
    incident.overruled.iter().rev().map(|overruled| overruled.word.clone()).collect()
}

/// Takes a responder's word. Whoever the incident is about may not say what counts as theirs.
pub(super) fn overrule(
    incident: &Incident,
    actor: &Actor,
    word: Word,
    reason: String,
    clicked_at: DateTime<Utc>,
    cx: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    check_impartial(incident, cx.policy, actor)?;
    if incident.sample {
        return Err(Refusal::Sample);
    }
    if incident.overruled.len() >= WORDS_MAX {
        return Err(Refusal::NotApplicable(format!(
            "{WORDS_MAX} have been said in this incident already. Use irp trail analyze with --attribute on the logs."
        )));
    }
    let of_it = incident.overruled.iter().filter(|said| said.word.about == word.about);
    late::check(clicked_at, of_it.map(|said| said.at).max(), cx.now)?;
    Ok(vec![Event::AttributionOverruled { word, by: actor.user.clone(), reason }])
}
