//! What a test or the scenario looks at and does in the estate, outside the journal and the trail.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::iam::held::LoginProfile;
use super::iam::trust;
use super::ids::{self, Entropy};
use super::state::{AccessKey, Outsider, Principal, Session};
use super::trail::Entry;
use super::{Account, KeyPair, ec2, lambda, regions};

/// How long a session of the console lasts.
const CONSOLE_SECONDS: i64 = 12 * 3_600;
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// A function's code, at the address that `GetFunction` hands out.
pub(super) async fn code(State(account): State<Account>, Path(token): Path<String>) -> Response {
    let mut world = account.world();
    let now = world.clock.now();
    match world.lambda.code_at(&token, now) {
        Some(code) => ([(header::CONTENT_TYPE, "application/zip")], code).into_response(),
        None => (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>").into_response(),
    }
}

fn pair(session: &Session) -> KeyPair {
    KeyPair {
        access_key_id: session.access_key_id.clone(),
        secret_access_key: session.secret.clone(),
        session_token: Some(session.token.clone()),
    }
}

impl Account {
    /// The key of a user of another account: what trust policies let in from there is theirs too.
    pub fn outsider(&self, account: &'static str, name: &str) -> KeyPair {
        let outsider = Outsider {
            account,
            name: name.to_owned(),
            id: ids::unique_id("AIDA", Entropy::Named(&format!("{account}/{name}"))),
            secret: ids::secret(),
        };
        let access_key_id = ids::access_key_id("AKIA", account, Entropy::Named(&format!("{account}/{name}")));
        let secret_access_key = outsider.secret.clone();
        self.world().outsiders.insert(access_key_id.clone(), outsider);
        KeyPair { access_key_id, secret_access_key, session_token: None }
    }

    /// Gives the root user an access key, as nobody should.
    pub fn give_root_key_directly(&self) -> KeyPair {
        let key = AccessKey::new(self.id, self.world().clock.now());
        let pair =
            KeyPair { access_key_id: key.id.clone(), secret_access_key: key.secret.clone(), session_token: None };
        self.world().root_key = Some(key);
        pair
    }

    /// Regions that can be used without opting in.
    pub fn regions() -> &'static [&'static str] {
        &regions::ENABLED
    }

    /// Has EC2 name only these as the account's Regions, as in a smaller partition. What is in others stays within reach.
    pub fn list_regions(&self, names: &[&'static str]) {
        self.world().enabled = names.to_vec();
    }

    /// Replaces a role's trust policy, outside the journal and the trail.
    ///
    /// # Panics
    /// When the role does not exist or the document is none that IAM would take: a wrong test.
    pub fn set_trust_directly(&self, role: &str, document: &str) {
        self.change(|world| {
            let document = trust::bound(world, document).expect("the document is a trust policy");
            world.iam.roles.get_mut(role).expect("the role exists").trust = document;
        });
    }

    /// A role's trust policy; its principals are unique ids. `None` for a role that is not there.
    pub fn trust(&self, role: &str) -> Option<String> {
        self.world().iam.roles.get(role).map(|role| role.trust.clone())
    }

    /// An instance's state, as `pending` or `terminated`; `None` when there is none of this id.
    pub fn instance_state(&self, region: &str, id: &str) -> Option<&'static str> {
        let world = self.world();
        let instance = world.ec2.region(region)?.instances.get(id)?;
        Some(instance.state(world.clock.now()).1)
    }

    /// The ids of a Region's instances, those that have ended not long ago included.
    pub fn instances(&self, region: &str) -> Vec<String> {
        let mut world = self.world();
        let now = world.clock.now();
        ec2::settle(&mut world, region, now);
        world.ec2.region(region).map(|region| region.instances.keys().cloned().collect()).unwrap_or_default()
    }

    /// The ids of a Region's fleets, each with AWS's word for its state.
    pub fn fleets(&self, region: &str) -> Vec<(String, &'static str)> {
        let world = self.world();
        world.ec2.region(region).map(ec2::fleets).unwrap_or_default()
    }

    /// Whether a spot request can still start something.
    pub fn has_open_spot_request(&self, region: &str, id: &str) -> bool {
        let world = self.world();
        let request = world.ec2.region(region).and_then(|region| region.spot.get(id));
        request.is_some_and(ec2::is_open)
    }

    /// What the metadata service of a running instance hands out for its role.
    pub fn instance_credentials(&self, region: &str, id: &str) -> Option<KeyPair> {
        let mut world = self.world();
        let now = world.clock.now();
        let instance = world.ec2.region(region)?.instances.get(id)?;
        if instance.state(now).1 != "running" {
            return None;
        }
        let held = instance.session.clone().filter(|session| session.expires_at > now);
        let session = held.or_else(|| ec2::take_role(&mut world, region, id, now))?;
        Some(pair(&session))
    }

    /// The same to somebody who can have the instance send a plain request, and nothing else: none once a token is asked
    /// for.
    pub fn forged_request_credentials(&self, region: &str, id: &str) -> Option<KeyPair> {
        let asks = self.world().ec2.region(region)?.instances.get(id)?.token_required;
        if asks { None } else { self.instance_credentials(region, id) }
    }

    /// What a function acts with: Lambda takes its role anew, as for a function that has not run for a while.
    pub fn function_credentials(&self, region: &str, name: &str) -> Option<KeyPair> {
        let mut world = self.world();
        let now = world.clock.now();
        lambda::take_role(&mut world, region, name, now).map(|session| pair(&session))
    }

    /// Signs a user in to the console with their password, and gives what the console then calls with. `None` for a
    /// user who has none.
    pub fn console_session(&self, user: &str, source_ip: &str) -> Option<KeyPair> {
        let mut world = self.world();
        let user = world.iam.users.get(user).filter(|user| user.held.login_profile.is_some())?;
        let (name, id, arn) = (user.name.clone(), user.id.clone(), world.user_arn(user));
        let (now, account) = (world.clock.now(), world.account);
        world.trail.record(&Entry {
            at: now,
            account,
            region: "us-east-1",
            identity: json!({
                "type": "IAMUser", "principalId": id, "arn": arn, "accountId": account, "userName": name,
            }),
            access_key_id: None,
            user_name: Some(&name),
            source: "signin.amazonaws.com",
            name: "ConsoleLogin",
            read_only: false,
            source_ip,
            user_agent: BROWSER,
            request: serde_json::Value::Null,
            response: json!({ "ConsoleLogin": "Success" }),
            error: None,
            data: false,
            request_id: &ids::uuid(),
        });
        let session = world.open_session(Principal::User { name, id }, CONSOLE_SECONDS, None, None);
        world.sessions.get_mut(&session.access_key_id)?.from_console = true;
        Some(pair(&session))
    }

    /// Gives a user a password for the console, outside the journal and the trail. Nothing happens when there is no such
    /// user.
    pub fn give_password_directly(&self, user: &str) {
        self.change(|world| {
            let created_at = world.clock.now();
            if let Some(user) = world.iam.users.get_mut(user) {
                user.held.login_profile = Some(LoginProfile { created_at, reset_required: false });
            }
        });
    }

    /// Takes a user's password away, outside the journal and the trail. Nothing happens when there is none.
    pub fn delete_password_directly(&self, user: &str) {
        self.change(|world| {
            if let Some(user) = world.iam.users.get_mut(user) {
                user.held.login_profile = None;
            }
        });
    }

    /// Whether a user can sign in to the console.
    pub fn has_password(&self, user: &str) -> bool {
        self.world().iam.users.get(user).is_some_and(|user| user.held.login_profile.is_some())
    }

    /// Serial numbers of the MFA devices that are on a user.
    pub fn mfa_devices(&self, user: &str) -> Vec<String> {
        let world = self.world();
        world.iam.users.get(user).map(|user| user.held.mfa.keys().cloned().collect()).unwrap_or_default()
    }

    /// The service-specific credentials of a user, and whether each works.
    pub fn service_credentials(&self, user: &str) -> Vec<(String, bool)> {
        let world = self.world();
        let held = world.iam.users.get(user).map(|user| &user.held.service_credentials);
        held.into_iter().flatten().map(|(id, credential)| (id.clone(), credential.active)).collect()
    }

    /// Whether a Region has a function of this name.
    pub fn has_function(&self, region: &str, name: &str) -> bool {
        self.world().lambda.functions.contains_key(&(region.to_owned(), name.to_owned()))
    }

    /// The ids of the statements of a function's policy.
    pub fn statements(&self, region: &str, function: &str) -> Vec<String> {
        let world = self.world();
        let found = world.lambda.functions.get(&(region.to_owned(), function.to_owned()));
        found.into_iter().flat_map(|function| function.statements.keys().cloned()).collect()
    }

    /// Whether a function's newest published version has the code that it runs.
    pub fn runs_published_code(&self, region: &str, function: &str) -> bool {
        let world = self.world();
        let found = world.lambda.functions.get(&(region.to_owned(), function.to_owned()));
        let same = |function: &lambda::Function| {
            function.published.values().next_back().is_some_and(|code| code.zip == function.latest.zip)
        };
        found.is_some_and(same)
    }

    /// Makes a Region one of those in which Lambda has no URLs.
    pub fn take_function_urls_from(&self, region: &str) {
        self.world().lambda.without_urls.insert(region.to_owned());
    }

    /// Whether a function can be called at an address of its own.
    pub fn has_function_url(&self, region: &str, function: &str) -> bool {
        let world = self.world();
        let found = world.lambda.functions.get(&(region.to_owned(), function.to_owned()));
        found.is_some_and(|function| function.url.is_some())
    }

    /// Whether a queue or stream feeds a function by this mapping.
    pub fn has_event_source(&self, region: &str, uuid: &str) -> bool {
        let world = self.world();
        let mapping = world.lambda.mappings.get(&(region.to_owned(), uuid.to_owned()));
        mapping.is_some_and(|mapping| mapping.deleted_at.is_none())
    }

    /// The ARNs of all identity providers, SAML and `OpenID` Connect.
    pub fn identity_providers(&self) -> Vec<String> {
        let world = self.world();
        world.iam.saml.keys().chain(world.iam.oidc.keys()).cloned().collect()
    }

    /// The names of a Region's trust anchors, with whether each lets anybody in.
    pub fn trust_anchors(&self, region: &str) -> Vec<(String, bool)> {
        self.world().roles_anywhere.anchors(region)
    }

    /// The names of a Region's profiles of Roles Anywhere.
    pub fn roles_anywhere_profiles(&self, region: &str) -> Vec<String> {
        self.world().roles_anywhere.profiles(region)
    }

    /// The ids of a Region's rules (`bus/name`, and on the default bus the name alone), each with the ids of its targets.
    pub fn rules(&self, region: &str) -> Vec<(String, Vec<String>)> {
        let world = self.world();
        let here = world.rules.iter().filter(|((of, _), _)| of == region);
        here.map(|(_, rule)| (rule.id(), rule.targets.keys().cloned().collect())).collect()
    }

    /// The snapshots of a Region by their id, each with the accounts that may use it (`all` for everybody).
    pub fn snapshots(&self, region: &str) -> Vec<(String, BTreeSet<String>)> {
        let world = self.world();
        let snapshots = world.ec2.region(region).into_iter().flat_map(|region| region.snapshots.values());
        snapshots.map(|snapshot| (snapshot.id.clone(), snapshot.shared_with.clone())).collect()
    }

    /// The images of a Region by their id, each with the accounts that may use it (`all` for everybody).
    pub fn images(&self, region: &str) -> Vec<(String, BTreeSet<String>)> {
        let world = self.world();
        let images = world.ec2.region(region).into_iter().flat_map(|region| region.images.values());
        images.map(|image| (image.id.clone(), image.shared_with.clone())).collect()
    }

    /// The names of a Region's key pairs.
    pub fn key_pairs(&self, region: &str) -> Vec<String> {
        let world = self.world();
        let pairs = world.ec2.region(region).into_iter().flat_map(|region| region.pairs.values());
        pairs.map(|pair| pair.name.clone()).collect()
    }

    /// The id of the security group of this name.
    pub fn security_group(&self, region: &str, name: &str) -> Option<String> {
        let world = self.world();
        let group = world.ec2.region(region)?.groups.values().find(|group| group.name == name)?;
        Some(group.id.clone())
    }

    /// Where the rules of a security group let traffic in from.
    pub fn ingress(&self, region: &str, group: &str) -> Vec<String> {
        self.peers(region, group, false)
    }

    /// Where they let it out to.
    pub fn egress(&self, region: &str, group: &str) -> Vec<String> {
        self.peers(region, group, true)
    }

    fn peers(&self, region: &str, group: &str, egress: bool) -> Vec<String> {
        let world = self.world();
        let group = world.ec2.region(region).and_then(|region| region.groups.get(group));
        let rules = group.into_iter().flat_map(|group| &group.rules).filter(|rule| rule.egress == egress);
        rules.map(|rule| rule.peer.clone()).collect()
    }

    /// Whether a trail delivers; `None` when there is none of this name.
    pub fn is_logging(&self, trail: &str) -> Option<bool> {
        let world = self.world();
        let trail = world.deliveries.iter().find(|known| known.name == trail)?;
        Some(trail.stopped_at.is_none())
    }

    /// Whether the detector of a Region works; `None` where there is none.
    pub fn detector_works(&self, region: &str) -> Option<bool> {
        self.detector_id(region).map(|_| !self.world().suspended_detectors.contains_key(region))
    }
}
