//! What one person is told: answers to commands and clicks.

use super::announcement::{next_step, phase, severity, who};
use super::blocks::{code, escape, section, summary};
use crate::domain::credential::AccessKeyId;
use crate::domain::incident::state::Incident;
use crate::domain::playbook::Playbook;
use crate::intake::submission::SECRET_TYPED;
use crate::ports::Message;

/// Said when the store did not answer in time: whether it was recorded is not known.
pub const NOT_KNOWN_KEPT: &str = ":warning: The bot's store does not answer, so it is *not known* whether this was recorded. Nothing runs until it answers again. Look at the card then, and do it again if it does not show.";

/// Said when a log is damaged, or not as it was written.
pub const LEFT_ALONE: &str = ":rotating_light: The bot's store holds a record of this that cannot be read, or that somebody has changed. The bot leaves it alone: *nothing was decided and nothing runs*. Contain by hand, and have whoever runs the bot look at once: its log names the record.";

/// How many incidents a list shows.
pub const LISTED_MAX: usize = 20;

/// Plain words.
pub fn said(mrkdwn: &str) -> Message {
    let text = summary(mrkdwn);
    Message { blocks: vec![section(&text)], text }
}

/// One incident.
pub fn status(incident: &Incident, playbook: &Playbook) -> Message {
    said(&format!("{}\n:arrow_right: {}", line(incident, playbook), next_step(incident, playbook)))
}

/// The open incidents, newest first. `more` says that there are others.
pub fn list(incidents: &[Incident], playbook: &Playbook, more: bool) -> Message {
    if incidents.is_empty() {
        return said("No incident is open.");
    }
    let mut lines: Vec<String> = incidents.iter().map(|incident| format!("• {}", line(incident, playbook))).collect();
    if more {
        lines.push(format!("There are more; these are the newest {LISTED_MAX}."));
    }
    said(&lines.join("\n"))
}

fn line(incident: &Incident, playbook: &Playbook) -> String {
    let id = incident.id;
    format!(
        "*{id}* {} · {} · {} · {}{}",
        severity(incident.severity),
        phase(incident, playbook),
        code(&incident.subject.headline()),
        who(incident),
        if incident.sample { " · SAMPLE" } else { "" }
    )
}

/// What there is to type.
pub fn help(because: Option<&str>) -> Message {
    // A slip does not need the whole list.
    if let Some(because) = because {
        return said(&format!("{because} `/irp help` shows all there is."));
    }
    said(
        "*Stolen AWS credential? This is what you can type:*\n\
         • `/irp open` fill in a form; `/irp open AKIA… [what is known]` opens at once, with an ARN too\n\
         • `/irp status [INC-12]` how it stands and what comes next\n\
         • `/irp list` the open incidents\n\
         • `/irp close [INC-12] [resolved|false-positive|duplicate|exercise] [note]`\n\
         • `/irp help` this text\n\
         Everything else is done with the buttons in an incident's thread. Every change in AWS needs a second person.",
    )
}

/// Said when a secret was typed. The key id that stood beside it is none: with it they can go on.
pub fn secret_typed(key: Option<&AccessKeyId>) -> Message {
    let go_on = key.map(|key| format!("\nTo open an incident for the key: `/irp open {key}`")).unwrap_or_default();
    said(&format!(":warning: {}{go_on}", escape(SECRET_TYPED)))
}
