//! What follows from what a call of the attacker's has handed out.

use super::Walk;
use crate::domain::trail::grant::{Grant, Hold, Vouch, root_arn, user_arn};
use crate::domain::trail::name::Name;
use crate::domain::trail::token::{Token, bare_name};
use crate::domain::trail::way::{Kind, Way};

impl Walk<'_, '_> {
    /// Opens what a call has handed out.
    pub(super) fn grant(
        &mut self,
        (at, by): (usize, &Kind),
        from: usize,
        grant: &Grant,
        opened: &mut Vec<(Token, Way)>,
    ) {
        let event = &self.events[at];
        let how = |what: String| -> Name { format!("{}: {what}", event.name).into() };
        let way = |kind, how: Name| Way { kind, at: event.at, from, event: Some(at), how };
        match grant {
            Grant::Key { id, holder, .. } => {
                let principal = holder.as_deref().unwrap_or(&event.caller.arn);
                let credential = self.credential(id, true, Some(principal));
                let how = how(match principal.rsplit_once([':', '/']) {
                    Some((_, name)) if principal.contains(":user/") => format!("key of user {name}"),
                    Some(_) if principal.contains(":assumed-role/") => {
                        let role = principal.split('/').nth(1).unwrap_or("");
                        format!("session of role {role}")
                    }
                    _ => format!("session of {principal}"),
                });
                if credential >= self.seeds && credential != from {
                    self.edges.push((from, credential, at, Name::clone(&how)));
                }
                // It can be for somebody else that the service has it: what is done with it is looked at for itself.
                let (as_key, as_session) = match by {
                    Kind::Taken => (Kind::Entered, Kind::Entered),
                    Kind::Profile { .. } | Kind::Work { .. } => {
                        (Kind::Code { until: None }, Kind::Session { began_at: event.at })
                    }
                    _ => (Kind::Key, Kind::Session { began_at: event.at }),
                };
                let key = Way { from: credential, at: None, ..way(as_key, Name::clone(&how)) };
                opened.push((Token::key(id), key));
                let session = Way { from: credential, ..way(as_session, how) };
                for token in grant.tokens().into_iter().skip(1) {
                    opened.push((token, session.clone()));
                }
            }
            Grant::Opened { id, holder, alone } => {
                let credential = self.credential(id, true, Some(holder));
                let how = how(format!("key of user {}", bare_name(holder)));
                if credential >= self.seeds && credential != from {
                    self.edges.push((from, credential, at, Name::clone(&how)));
                }
                // Its user, or whoever else had it, may still have its secret.
                let kind = if *alone { Kind::Made } else { Kind::Entered };
                opened.push((Token::key(id), Way { from: credential, ..way(kind, how) }));
            }
            Grant::DirectoryUser { name, .. } => {
                let name = name.as_deref().unwrap_or("whose name is hidden");
                let how = how(format!("user of IAM Identity Center {name}, made by the attacker"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(Kind::Made, Name::clone(&how)))));
            }
            Grant::Assignment { id } => {
                let how = how(format!("access for user {id} of IAM Identity Center"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(Kind::Entered, Name::clone(&how)))));
            }
            Grant::Session { arn, .. } => {
                let how = how(format!("session {arn}"));
                opened.extend(
                    grant
                        .tokens()
                        .into_iter()
                        .map(|t| (t, way(Kind::Session { began_at: event.at }, Name::clone(&how)))),
                );
            }
            Grant::SignIn { arn, .. } => {
                let how = how(format!("sign-in as {arn}"));
                let kind = Kind::SignIn { since: event.at };
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(kind.clone(), Name::clone(&how)))));
            }
            Grant::User { name, .. } => {
                let how = how(format!("user {name}, made by the attacker"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(Kind::Made, Name::clone(&how)))));
            }
            Grant::Renamed { .. } => {}
            Grant::Password { account, name } => {
                let (arn, whose) = match name {
                    Some(name) => (user_arn(account, name), format!("user {name}")),
                    None => (root_arn(account), "root".to_owned()),
                };
                let how = how(format!("password of {whose}"));
                let password = self.credential(&format!("password of {arn}"), false, Some(&arn));
                self.edges.push((from, password, at, Name::clone(&how)));
                let sessions = Way { from: password, ..way(Kind::Password { by: at }, how) };
                opened.extend(grant.tokens().into_iter().map(|t| (t, sessions.clone())));
            }
            Grant::Role { name, .. } => {
                let how = how(format!("role {name}, made by the attacker"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(Kind::Made, Name::clone(&how)))));
            }
            Grant::Trust { account, name, trusted } => {
                let before = self.trusted_before(at, account, name);
                match &before {
                    None => _ = self.trust_unknown.insert(at),
                    Some(before) if trusted.is_looser_than(before) => _ = self.trust_loosened.insert(at),
                    Some(_) => {}
                }
                let kind = Kind::Trust { now: trusted.clone(), before };
                let how = how(format!("role {name}, whose trust the attacker changed"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(kind.clone(), Name::clone(&how)))));
            }
            Grant::Compute { label, hold, name, role, .. } => {
                let is_function = name.is_some() && role.is_some();
                let code = || {
                    let token = grant.tokens().first().copied();
                    Kind::Code { until: token.and_then(|token| self.undone_at(token, at)) }
                };
                let kind = match hold {
                    // Of nothing, nothing follows.
                    Hold::Set(parts) if parts.is_empty() => return,
                    Hold::Set(_) => code(),
                    Hold::Made if is_function => code(),
                    Hold::Made => Kind::Owned,
                    Hold::WayIn => Kind::Machine,
                    Hold::Profile(name) => Kind::Profile { by: at, name: name.clone() },
                    Hold::NoProfile => return,
                    Hold::Taken => Kind::Taken,
                    Hold::Work { at_once } => Kind::Work { by: at, at_once: *at_once },
                };
                let how = how(format!("session of {label}"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(kind.clone(), Name::clone(&how)))));
            }
            Grant::Starter { token, label } => {
                let kind = Kind::Started { token: *token, by: at };
                opened.push((*token, way(kind, how(format!("{label} starts it, which the attacker made")))));
            }
            Grant::Provider { arn, vouch } => {
                let kind = match vouch {
                    Vouch::Made => Kind::Provider,
                    Vouch::Client(_) | Vouch::Set => Kind::Vouched { until: self.vouched_until(arn, at) },
                    Vouch::NotClient(_) | Vouch::Gone => return,
                };
                let how = how(format!("whoever {arn} vouches for"));
                opened.extend(grant.tokens().into_iter().map(|t| (t, way(kind.clone(), Name::clone(&how)))));
            }
        }
    }
}
