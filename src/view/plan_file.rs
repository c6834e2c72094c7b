//! A plan that no card can show whole: the file that says all of it, and what its card says of the file.

use serde_json::Value;

use super::blocks::{code, escape, section, time};
use crate::domain::action::Inverse;
use crate::domain::approval::{Request, RequestState};
use crate::domain::id::RequestId;
use crate::domain::incident::state::Incident;
use crate::domain::incident::together::{digest, members};
use crate::domain::incident::whole::{Whole, calls_text, changes_text, literal, shown};
use crate::domain::policy::ActionClass;
use crate::domain::refusal::moment;
use crate::ports::TextFile;

/// How the link to a plan's file ends.
const LINK_ENDS: &str = "|the whole plan>";

/// Whether a block says where the plan can be read.
pub(super) fn leads_to_file(block: &Value) -> bool {
    block.pointer("/text/text").and_then(Value::as_str).is_some_and(|text| text.contains(LINK_ENDS))
}

/// How the file is called.
pub(super) fn name(request: RequestId) -> String {
    format!("{request}-plan.txt")
}

/// The whole plan of a request and its fellows, every parameter uncut, under the digest that binds them.
pub fn file(incident: &Incident, request: &Request) -> TextFile {
    let members = members(incident, request);
    let digest = digest(incident, request);
    let ids = members.iter().map(|r| r.id.to_string()).collect::<Vec<_>>().join(" ");
    let mut text = format!("The whole plan of {ids}\nAn approval is bound to this digest: {digest}\n");
    for request in &members {
        text.push_str(&in_full(request));
    }
    TextFile { name: name(request.id), title: format!("The whole plan of {ids}, digest {}", digest.short()), text }
}

fn in_full(request: &Request) -> String {
    let plan = &request.plan;
    let undo = match &plan.work.inverse {
        Inverse::None(why) => format!("none. {why}"),
        Inverse::Calls(calls) => format!("\n{}", literal(calls)),
    };
    // What is deleted is made again by hand, if at all: from this.
    let before = match plan.action.class() {
        ActionClass::Eradicate => {
            let whole = serde_json::to_string_pretty(&plan.before).unwrap_or_default();
            format!("\nAs it is before:\n{whole}\n")
        }
        ActionClass::Contain | ActionClass::Loosen => String::new(),
    };
    let changes = changes_text(plan).map_or_else(String::new, |text| format!("{text}\n"));
    format!(
        "\n{}: {}\n{}\n\nTo {} in account {}, Region {}\nUnique id {}, before-image {}\nAsked for by {} at {}, to be decided by \
         {}\nDigest {}\n\n{changes}Calls:\n{}\n\nUndo: {undo}\n{before}",
        request.id,
        plan.action.title(),
        plan.action.effect(),
        plan.targets.join(", "),
        plan.account,
        plan.region,
        plan.before.owner_id().unwrap_or("none"),
        plan.before_hash,
        request.requested_by,
        moment(request.requested_at),
        moment(plan.approve_by),
        request.digest,
        calls_text(&plan.work.calls, plan),
    )
}

/// Where people read what the card cannot show, or why they cannot yet and how to go on.
pub(super) fn where_to_read(incident: &Incident, request: &Request) -> Value {
    let waits = request.state == RequestState::Pending;
    section(&match shown(incident, request) {
        Whole::InFile(address) => format!(
            ":page_facing_up: *All of it is in a file in this thread: <{address}{LINK_ENDS}*, too long for a card. It has \
             the digest {} at its top.",
            code(digest(incident, request).short())
        ),
        Whole::NotYet(Some(why)) if waits => format!(
            ":warning: *The plan is too long for a card, and Slack has not taken it as a file: {}.* That is tried again until \
             {}; it can be approved once the file is there. `irp check` names a scope that is missing. If it cannot wait, \
             withdraw it and do it by hand.",
            escape(why),
            time(request.plan.approve_by)
        ),
        Whole::NotYet(_) if waits => {
            ":hourglass_flowing_sand: The plan is too long for a card. It is being uploaded to this \
             thread as a file, and can be approved once that is there."
                .to_owned()
        }
        Whole::NotYet(_) | Whole::OnCard => "The plan was too long for a card, and was not uploaded.".to_owned(),
    })
}
