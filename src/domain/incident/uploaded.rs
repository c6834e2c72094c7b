//! SSH keys and signing certificates that the attacker has put on users who were there before, or switched on again. No
//! revocation of sessions touches them: people switch them off.

use crate::domain::action::shell_quoted;
use crate::domain::hunt::Trace;
use crate::domain::trail::token::bare_name;
use crate::domain::trail::uploaded::{Done, Uploaded};

/// Whether what a deed has done to one harms nobody any more.
pub(super) fn is_answered(trace: &Trace, at: usize) -> bool {
    let Some(one) = Uploaded::of(&trace.deeds[at]) else { return false };
    let later = trace.deeds[at + 1..].iter().filter_map(Uploaded::of).filter(|other| other.is_same(&one));
    let mut later = later.map(|other| other.done);
    let closes = |done: Done| matches!(done, Done::Off | Done::Deleted);
    match one.done {
        // Whoever switches the attacker's own on again lets them in.
        Done::Uploaded => later.next_back().is_some_and(closes),
        Done::On => later.any(closes),
        // The owner's: it is for them to have it again, or not.
        Done::Off => later.next().is_some(),
        Done::Deleted => true,
    }
}

/// Those that still let the attacker in, each once.
fn left(trace: &Trace) -> Vec<Uploaded<'_>> {
    let mut left: Vec<Uploaded<'_>> = Vec::new();
    for (at, deed) in trace.deeds.iter().enumerate().filter(|(_, deed)| deed.by_attacker) {
        let opens = |one: &Uploaded<'_>| matches!(one.done, Done::Uploaded | Done::On);
        let Some(one) = Uploaded::of(deed).filter(opens) else { continue };
        let is_known = left.iter().any(|known| known.is_ssh_key == one.is_ssh_key && known.id == one.id);
        if !is_known && !is_answered(trace, at) {
            left.push(one);
        }
    }
    left
}

/// What people have to know of them.
pub(super) fn in_words(trace: &Trace) -> &'static str {
    if left(trace).is_empty() {
        return "";
    }
    " An SSH key or signing certificate lets in whoever has it also after the user's sessions are revoked: switch off what is \
     not yours."
}

/// What switches them off; where an id is not known, what lists them.
pub(super) fn commands(trace: &Trace) -> Vec<String> {
    let user = shell_quoted(bare_name(&trace.id));
    let command = |one: Uploaded<'_>| match (one.is_ssh_key, one.id) {
        (true, "") => format!("aws iam list-ssh-public-keys --user-name {user}"),
        (false, "") => format!("aws iam list-signing-certificates --user-name {user}"),
        (true, id) => {
            let id = shell_quoted(id);
            format!("aws iam update-ssh-public-key --user-name {user} --ssh-public-key-id {id} --status Inactive")
        }
        (false, id) => {
            let id = shell_quoted(id);
            format!("aws iam update-signing-certificate --user-name {user} --certificate-id {id} --status Inactive")
        }
    };
    left(trace).into_iter().map(command).collect()
}
