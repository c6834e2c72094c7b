//! Forms, opened as people open them: again where the bot came too late for Slack, which gives it three seconds.

use serde_json::Value;

use crate::world::{ROOM, World};

/// What the bot says then.
const TOO_LATE: &str = "could not be opened in time";
/// How often somebody tries.
const TRIES_MAX: usize = 5;

impl World {
    /// The form that a button of a card opens.
    pub(crate) async fn form(&self, person: &str, card: &str, button: &str) -> Value {
        self.form_by(person, || self.press(person, card, button)).await
    }

    /// The form that a command opens.
    pub(crate) async fn form_of_command(&self, person: &str, text: &str) -> Value {
        self.form_by(person, || async { self.slack.command(person, ROOM, text).await.unwrap() }).await
    }

    async fn form_by<F: Future<Output = ()>>(&self, person: &str, opens: impl Fn() -> F) -> Value {
        for _ in 0..TRIES_MAX {
            let before = self.told(person).len();
            opens().await;
            let too_late = |w: &Self| w.told(person)[before..].iter().any(|text| text.contains(TOO_LATE));
            let form = |w: &Self| w.slack.state(person)["modal"].clone();
            self.until("a form opens", |w| !form(w).is_null() || too_late(w)).await;
            let form = form(self);
            if !form.is_null() {
                return form;
            }
        }
        panic!("no form opens for {person}: {:#?}", self.told(person));
    }
}
