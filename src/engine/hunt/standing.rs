//! How that stands in AWS which a search has found: what is off or gone by now needs no containment.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::{Search, State};
use crate::domain::action::{REQUIRED, REVOKE_POLICY};
use crate::domain::hunt::Hunted;
use crate::domain::hunt::roles::RoleArns;
use crate::domain::incident::{reached, started};
use crate::domain::observation::{KeyStatus, Metadata, Observation, Probe};
use crate::domain::trail::analysis::Analysis;
use crate::domain::trail::renamed::Names;
use crate::domain::trail::token::bare_name;
use crate::engine::whereabouts::is_off;

/// Users and devices that are read after a search, each.
const USERS_READ_MAX: usize = 20;
/// Roles that are read at once.
const ROLES_AT_ONCE: usize = 10;
/// Instances that are.
const STARTED_READ_MAX: usize = 50;
/// Instances that are looked for in every Region.
const ROBBED_READ_MAX: usize = 10;

/// Which of the instances whose role was stolen are looked for. Of the others nobody knows whether they still give it out.
fn looked_for(robbed: &BTreeMap<&str, &str>, state: &mut State) -> Vec<String> {
    let beyond = robbed.len().saturating_sub(ROBBED_READ_MAX);
    if beyond > 0 {
        state.short = true;
        state.not_known.insert(format!(
            "Whether {beyond} more instances give out their role, whose sessions the attacker has had, without a token is \
             not looked at: one search looks at {ROBBED_READ_MAX}."
        ));
    }
    robbed.keys().take(ROBBED_READ_MAX).map(|id| (*id).to_owned()).collect()
}

impl Search<'_> {
    /// The ARNs of roles that records give by their name only. Each is read once in a search.
    pub(super) async fn read_roles(&self, roles: &mut RoleArns, analysis: &Analysis) {
        let unknown = roles.unknown(analysis);
        for some in unknown.chunks(ROLES_AT_ONCE) {
            let read = some.iter().map(|name| async move {
                let probe = Probe::RolePolicy { role_name: name.clone(), policy_name: REVOKE_POLICY.to_owned() };
                (name, self.engine.ports.cloud.observe(&self.account, &probe).await)
            });
            for (name, answer) in join_all(read).await {
                match answer {
                    Ok(seen) => roles.learn(name.clone(), seen.owner_arn().map(str::to_owned)),
                    Err(error) => {
                        roles.learn(name.clone(), None);
                        let state = &mut *self.state();
                        state.short = true;
                        state.not_known.insert(format!(
                            "The path of role {name} could not be read, so who takes it may not be found: {error}"
                        ));
                    }
                }
            }
        }
    }

    /// Whether those whose password the attacker knows still have one.
    pub(super) async fn read_passwords(&self, found: &mut Hunted, names: &Names) {
        let users: Vec<String> = reached::password_holders(found, &self.account)
            .into_iter()
            .take(USERS_READ_MAX)
            .map(str::to_owned)
            .collect();
        let read = users.into_iter().map(|user_name| async move {
            let probe = Probe::LoginProfile { user_name: user_name.clone() };
            let seen = self.engine.look(&self.account, &probe, self.unique_id(names, &user_name)).await;
            (user_name, seen)
        });
        for (user, answer) in join_all(read).await {
            match answer {
                Ok(Observation::OwnerMissing | Observation::Attached { present: false, .. }) => {
                    found.without_password.insert(user);
                }
                Ok(_) => {}
                Err(error) => {
                    found.not_known.push(format!("whether user {user} has a password for the console: {error}"));
                }
            }
        }
    }

    /// Whether the MFA devices that the attacker has added are still on their users.
    pub(super) async fn read_devices(&self, found: &mut Hunted, names: &Names) {
        let devices: Vec<(String, String)> = reached::added_devices(found, &self.account)
            .into_iter()
            .take(USERS_READ_MAX)
            .map(|(user, serial)| (user.to_owned(), serial.to_owned()))
            .collect();
        let read = devices.into_iter().map(|(user_name, serial_number)| async move {
            let unique_id = self.unique_id(names, &user_name);
            let probe = Probe::MfaDevice { user_name, serial_number: serial_number.clone() };
            (serial_number, self.engine.look(&self.account, &probe, unique_id).await)
        });
        for (serial, answer) in join_all(read).await {
            match answer {
                Ok(Observation::MfaDevice(device)) if device.enabled_at.is_some() => {}
                Ok(_) => _ = found.devices_off.insert(serial),
                Err(error) => {
                    found.not_known.push(format!("whether MFA device {serial} is still on its user: {error}"));
                }
            }
        }
    }

    /// Whether the service-specific credentials that the attacker has reached still work.
    pub(super) async fn read_service_credentials(&self, found: &mut Hunted, names: &Names) {
        let held: Vec<(String, String)> = reached::held_service_credentials(found, &self.account)
            .into_iter()
            .take(USERS_READ_MAX)
            .map(|(user, id)| (user.to_owned(), id.to_owned()))
            .collect();
        let read = held.into_iter().map(|(user_name, credential_id)| async move {
            let unique_id = self.unique_id(names, &user_name);
            let probe = Probe::ServiceCredential { user_name, credential_id: credential_id.clone() };
            (credential_id, self.engine.look(&self.account, &probe, unique_id).await)
        });
        for (id, answer) in join_all(read).await {
            match answer {
                Ok(Observation::ServiceCredential(of)) if of.status == Some(KeyStatus::Active) => {}
                Ok(_) => _ = found.off.insert(id),
                Err(error) => {
                    found.not_known.push(format!("whether service-specific credential {id} still works: {error}"));
                }
            }
        }
    }

    /// Whether instances that something of the attacker's had started have ended.
    pub(super) async fn read_started(&self, found: &mut Hunted) {
        // What has been terminated never runs again under its id.
        let known = self.incident.hunted.iter().flat_map(|(before, _)| before.ended.iter().cloned());
        found.ended.extend(known);
        let to_end = started::left(self.incident).into_keys().map(|(region, id)| (region.to_owned(), id));
        let to_end: BTreeSet<(String, String)> = to_end.collect();
        let more = to_end.len().saturating_sub(STARTED_READ_MAX);
        if more > 0 {
            found
                .not_known
                .push(format!("whether {more} more instance(s) that the attacker's things have started have ended"));
        }
        // Of what is not to be ended yet: once that is so, what has ended long ago is known.
        let others = found.started.iter().filter(|(id, _)| id.starts_with("i-") && !found.ended.contains(*id));
        let others = others.map(|(id, region)| (region.clone(), id.clone())).filter(|other| !to_end.contains(other));
        let all: Vec<(String, String)> = to_end.iter().cloned().chain(others).take(STARTED_READ_MAX).collect();
        let read = all.into_iter().map(|(region, instance_id)| async move {
            let probe = Probe::Instance { region, instance_id: instance_id.clone() };
            (instance_id, self.engine.ports.cloud.observe(&self.account, &probe).await)
        });
        for (instance_id, answer) in join_all(read).await {
            match answer {
                Ok(Observation::OwnerMissing) => _ = found.ended.insert(instance_id),
                Ok(_) => {}
                Err(error) => found.not_known.push(format!("whether instance {instance_id} has ended: {error}")),
            }
        }
    }

    /// Where the instances are whose role's session the attacker has had, as far as they give it out without a token. A
    /// session does not say in which Region its instance is.
    pub(super) async fn read_metadata(&self, found: &mut Hunted) {
        let robbed = looked_for(&reached::robbed(self.incident, found, &self.account), &mut self.state());
        let everywhere = robbed.iter().flat_map(|id| self.regions.iter().map(move |region| (id, region)));
        let read = everywhere.map(|(instance_id, region)| async move {
            let probe = Probe::Instance { region: region.clone(), instance_id: instance_id.clone() };
            (instance_id, region, self.engine.ports.cloud.observe(&self.account, &probe).await)
        });
        for (instance_id, region, answer) in join_all(read).await {
            match answer {
                Ok(Observation::Instance(instance)) => {
                    let open = |metadata: &Metadata| metadata.tokens != REQUIRED && metadata.endpoint != "disabled";
                    if instance.metadata.as_ref().is_some_and(open) {
                        found.without_token.insert(instance_id.clone(), region.clone());
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    // What was known to stand open does not close because it could not be looked at.
                    let before =
                        self.incident.hunted.as_ref().and_then(|(before, _)| before.without_token.get(instance_id));
                    if before == Some(region) {
                        found.without_token.insert(instance_id.clone(), region.clone());
                    }
                    found.not_known.push(format!("whether instance {instance_id} is in {region}: {error}"));
                }
            }
        }
    }

    /// Whether the keys of other users that were reached can still be used, and what these users are called by now. That is
    /// asked before all else of them. Where neither a key nor a unique id is known, the name is all that there is to go by.
    pub(super) async fn read_keys(&self, found: &mut Hunted, names: &Names) {
        let victim = self.names.first().map(String::as_str);
        let users: Vec<(String, Vec<String>)> = reached::users(found, &self.account)
            .into_iter()
            .filter(|name| Some(*name) != victim)
            .take(USERS_READ_MAX)
            .map(|name| (name.to_owned(), reached::keys_of(found, &self.account, name)))
            .collect();
        let read = users.iter().map(|(user, keys)| self.read_user(user, keys, names));
        let stands = join_all(read).await;
        for ((user, _), stands) in users.iter().zip(stands) {
            found.off.extend(stands.off);
            if !stands.is_there && stands.unread.is_empty() {
                found.users_off.insert(user.clone());
            }
            found.not_known.extend(stands.unread);
            if let Some(now) = stands.called {
                found.call_anew(self.account.as_str(), user, &now);
            }
        }
    }

    /// One user, wherever its name is by now, and these keys. A key that is not with whoever bears the name is looked for by
    /// itself.
    async fn read_user(&self, user: &str, keys: &[String], names: &Names) -> Stands {
        let mut stands = Stands::default();
        let unique_id = self.unique_id(names, user);
        let probe = Probe::UserKeys { user_name: user.to_owned() };
        let listed = match self.engine.look(&self.account, &probe, unique_id).await {
            Ok(seen) => {
                stands.note(user, &seen);
                if let Observation::UserKeys { keys, .. } = seen { keys } else { Vec::new() }
            }
            Err(error) => {
                stands.unread.push(format!("keys of user {user}: {error}"));
                return stands;
            }
        };
        for key in keys {
            let status = listed.iter().find(|(id, _)| id.as_str() == key).map(|(_, status)| *status);
            let (None, Ok(access_key_id)) = (status, key.parse()) else {
                stands.off.extend((status == Some(KeyStatus::Inactive)).then(|| key.clone()));
                continue;
            };
            let probe = Probe::AccessKey { user_name: user.to_owned(), access_key_id };
            match self.engine.look(&self.account, &probe, unique_id).await {
                Ok(seen) => {
                    stands.note(user, &seen);
                    stands.off.extend(is_off(&seen).then(|| key.clone()));
                }
                Err(error) => stands.unread.push(format!("key {key} of user {user}: {error}")),
            }
        }
        stands
    }

    /// The unique id of whoever bears a name at the end of what the trail shows, where it shows that.
    fn unique_id<'n>(&self, names: &'n Names, user: &str) -> Option<&'n str> {
        names.ids.get(&(self.account.as_str().to_owned(), user.to_owned())).map(String::as_str)
    }
}

/// How a user stands.
#[derive(Default)]
struct Stands {
    /// Keys that are of no use any more.
    off: Vec<String>,
    /// AWS knows the user, or somebody of the name.
    is_there: bool,
    /// What the user is called, where that is something else.
    called: Option<String>,
    /// What could not be read, a sentence each.
    unread: Vec<String>,
}

impl Stands {
    fn note(&mut self, user: &str, seen: &Observation) {
        let Some(arn) = seen.owner_arn() else { return };
        self.is_there = true;
        let now = bare_name(arn);
        if now != user {
            self.called = Some(now.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_that_are_not_looked_for_are_said_and_leave_the_search_short() {
        let ids: Vec<String> = (0..=ROBBED_READ_MAX).map(|n| format!("i-{n:02}")).collect();
        let robbed: BTreeMap<&str, &str> = ids.iter().map(|id| (id.as_str(), "web")).collect();
        let mut fewer = robbed.clone();
        fewer.pop_last();
        let mut state = State::default();
        assert_eq!(looked_for(&fewer, &mut state), ids[..ROBBED_READ_MAX]);
        assert!(!state.short && state.not_known.is_empty());
        assert_eq!(looked_for(&robbed, &mut state), ids[..ROBBED_READ_MAX]);
        assert!(state.short);
        let said: Vec<&String> = state.not_known.iter().collect();
        assert!(said.len() == 1 && said[0].contains("Whether 1 more"), "{said:?}");
    }
}
