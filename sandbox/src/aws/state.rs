//! What the account holds: principals, sessions, the trail, findings, the estate of each Region.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::athena::Athena;
use super::autoscaling::Scaling;
use super::ec2::Ec2;
use super::events::{Buses, Rules};
use super::guardduty::Findings;
use super::guardduty::detectors::Suspended;
use super::iam::held::{Group, Held, Managed, Profile};
use super::iam::providers::{Oidc, Saml};
use super::iam::report::CredentialReport;
use super::identity_center::IdentityCenter;
use super::ids::{self, Entropy};
use super::lambda::Lambda;
use super::organizations::Organizations;
use super::policy::{Kind, Policy};
use super::roles_anywhere::RolesAnywhere;
use super::s3::Buckets;
use super::secrets::Secrets;
use super::trail::Trail;
use super::trail::trails::Delivery;
use super::{CallRecord, Fault};
use crate::clock::Clock;

/// Managed policies that exist in every account: name and document.
const MANAGED: [(&str, &str); 4] = [
    ("AdministratorAccess", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#),
    ("AWSDenyAll", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#),
    (
        "ReadOnlyAccess",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","iam:Simulate*","cloudtrail:Get*","cloudtrail:LookupEvents","guardduty:Get*","guardduty:List*","sts:GetAccessKeyInfo","sts:GetCallerIdentity"],"Resource":"*"}]}"#,
    ),
    (
        "SecurityAudit",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","cloudtrail:LookupEvents","guardduty:Get*","guardduty:List*"],"Resource":"*"}]}"#,
    ),
];

/// The document of the managed policy with this ARN.
pub(super) fn managed_policy(arn: &str) -> Option<&'static str> {
    let name = arn.strip_prefix("arn:aws:iam::aws:policy/")?;
    MANAGED.iter().find(|(known, _)| *known == name).map(|(_, document)| *document)
}

#[derive(Clone, Debug)]
pub(super) struct AccessKey {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) active: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_used: Option<LastUsed>,
}

impl AccessKey {
    /// One that nobody has used yet.
    pub(super) fn new(account: &str, created_at: DateTime<Utc>) -> Self {
        Self {
            id: ids::access_key_id("AKIA", account, Entropy::Random),
            secret: ids::secret(),
            active: true,
            created_at,
            last_used: None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct LastUsed {
    pub(super) at: DateTime<Utc>,
    pub(super) service: String,
    pub(super) region: String,
}

/// The policies of one user or role.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies {
    pub(super) inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub(super) attached: BTreeSet<String>,
}

impl Policies {
    /// Every policy that parses; only such are ever stored.
    pub(super) fn parsed(&self) -> Vec<Policy> {
        let attached = self.attached.iter().filter_map(|arn| managed_policy(arn));
        self.inline
            .values()
            .map(String::as_str)
            .chain(attached)
            .filter_map(|document| Policy::parse(document, Kind::Identity).ok())
            .collect()
    }
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) policies: Policies,
    pub(super) keys: Vec<AccessKey>,
    pub(super) held: Held,
    /// ARN of a managed policy.
    pub(super) boundary: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) description: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) policies: Policies,
    /// The trust policy; its principals are held as unique ids.
    pub(super) trust: String,
    pub(super) max_session_seconds: i64,
    /// Names of the instance profiles that hold the role.
    pub(super) instance_profiles: BTreeSet<String>,
    /// ARN of a managed policy.
    pub(super) boundary: Option<String>,
    pub(super) last_used: Option<LastUsed>,
}

impl Role {
    /// Whether only AWS may change it: service-linked roles and those of Identity Center.
    pub(super) fn is_reserved(&self) -> bool {
        self.path.starts_with("/aws-reserved/") || self.path.starts_with("/aws-service-role/")
    }
}

/// The principals, as one value: propagation keeps older ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Iam {
    pub(super) users: BTreeMap<String, User>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) groups: BTreeMap<String, Group>,
    /// The account's own managed policies, by ARN.
    pub(super) managed: BTreeMap<String, Managed>,
    pub(super) profiles: BTreeMap<String, Profile>,
    /// Serial numbers of all virtual MFA devices, in use or not.
    pub(super) virtual_mfa: BTreeSet<String>,
    /// Identity providers, by ARN.
    pub(super) saml: BTreeMap<String, Saml>,
    pub(super) oidc: BTreeMap<String, Oidc>,
}

impl Iam {
    /// The user with this unique id, whatever its name is by now.
    pub(super) fn user_of(&self, id: &str) -> Option<&User> {
        self.users.values().find(|user| user.id == id)
    }

    pub(super) fn key(&self, access_key_id: &str) -> Option<(&User, &AccessKey)> {
        self.users.values().find_map(|user| Some((user, user.keys.iter().find(|key| key.id == access_key_id)?)))
    }

    pub(super) fn key_mut(&mut self, access_key_id: &str) -> Option<&mut AccessKey> {
        self.users.values_mut().flat_map(|user| &mut user.keys).find(|key| key.id == access_key_id)
    }
}

/// A user, or a role as one session of it. Known by its unique id, so that a principal that was
/// deleted and created again has none of the old sessions.
#[derive(Clone, Debug)]
pub(super) enum Principal {
    User {
        name: String,
        id: String,
    },
    Role {
        name: String,
        id: String,
        session_name: String,
    },
    /// A role of the organization's management account, as one session of it.
    Manager {
        name: String,
        id: String,
        session_name: String,
    },
    Outsider(Outsider),
    /// The account's root user: no policy of the account restricts it.
    Root,
}

/// A user of another account, with the secret of their key.
#[derive(Clone, Debug)]
pub(super) struct Outsider {
    pub(super) account: &'static str,
    pub(super) name: String,
    /// `AIDA…`
    pub(super) id: String,
    pub(super) secret: String,
}

/// Temporary credentials.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) access_key_id: String,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) of: Principal,
    /// Whole seconds, as `aws:TokenIssueTime` is.
    pub(super) issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    /// The inline session policy.
    pub(super) policy: Option<String>,
    pub(super) source_identity: Option<String>,
    /// Whether the console calls with it, for whoever has signed in there.
    pub(super) from_console: bool,
}

pub(super) struct World {
    pub(super) account: &'static str,
    pub(super) clock: Clock,
    pub(super) iam: Iam,
    /// Older states of `iam` with the time that each was replaced, oldest first.
    superseded: VecDeque<(DateTime<Utc>, Arc<Iam>)>,
    pub(super) propagation: TimeDelta,
    pub(super) sessions: BTreeMap<String, Session>,
    /// Roles whose sessions do not end: see [`Account::lasts`](super::Account::lasts).
    pub(super) lasting: BTreeSet<String>,
    /// The root user's access key, if it has one.
    pub(super) root_key: Option<AccessKey>,
    /// The newest credential report, once one was asked for.
    pub(super) credential_report: Option<CredentialReport>,
    /// Regions that the account can use, as EC2 says.
    pub(super) enabled: Vec<&'static str>,
    /// People of other accounts, by their key.
    pub(super) outsiders: BTreeMap<String, Outsider>,
    pub(super) trail: Trail,
    /// The trails that deliver to a bucket.
    pub(super) deliveries: Vec<Delivery>,
    pub(super) findings: Findings,
    pub(super) suspended_detectors: Suspended,
    pub(super) ec2: Ec2,
    pub(super) scaling: Scaling,
    pub(super) lambda: Lambda,
    pub(super) rules: Rules,
    pub(super) buses: Buses,
    pub(super) roles_anywhere: RolesAnywhere,
    pub(super) organizations: Organizations,
    pub(super) identity_center: IdentityCenter,
    pub(super) secrets: Secrets,
    pub(super) buckets: Buckets,
    pub(super) athena: Athena,
    pub(super) calls: VecDeque<CallRecord>,
    pub(super) faults: BTreeMap<String, VecDeque<Fault>>,
    pub(super) region_faults: BTreeMap<String, Fault>,
}

impl World {
    pub(super) fn new(account: &'static str, clock: Clock) -> Self {
        Self {
            account,
            clock,
            iam: Iam::default(),
            superseded: VecDeque::new(),
            propagation: TimeDelta::zero(),
            sessions: BTreeMap::new(),
            lasting: BTreeSet::new(),
            root_key: None,
            credential_report: None,
            enabled: super::regions::ENABLED.to_vec(),
            outsiders: BTreeMap::new(),
            trail: Trail::default(),
            deliveries: Vec::new(),
            findings: Findings::default(),
            suspended_detectors: Suspended::new(),
            ec2: Ec2::new(account),
            scaling: Scaling::default(),
            lambda: Lambda::default(),
            rules: Rules::new(),
            buses: Buses::new(),
            roles_anywhere: RolesAnywhere::default(),
            organizations: Organizations::new(account),
            identity_center: IdentityCenter::seeded(account),
            secrets: Secrets::new(),
            buckets: Buckets::new(),
            athena: Athena::default(),
            calls: VecDeque::new(),
            faults: BTreeMap::new(),
            region_faults: BTreeMap::new(),
        }
    }

    /// The principals as authentication and authorisation see them at `now`: changes younger than
    /// the propagation time have not arrived yet.
    pub(super) fn effective_iam(&mut self, now: DateTime<Utc>) -> Arc<Iam> {
        while self.superseded.front().is_some_and(|(at, _)| *at + self.propagation <= now) {
            self.superseded.pop_front();
        }
        self.superseded.front().map_or_else(|| Arc::new(self.iam.clone()), |(_, iam)| Arc::clone(iam))
    }

    /// To be called before a change of `iam`, so that it takes its time to arrive.
    pub(super) fn remember_iam(&mut self, now: DateTime<Utc>) {
        if self.propagation > TimeDelta::zero() {
            self.superseded.push_back((now, Arc::new(self.iam.clone())));
        }
    }

    /// Opens a session of `of` from now on.
    pub(super) fn open_session(
        &mut self,
        of: Principal,
        seconds: i64,
        policy: Option<String>,
        source_identity: Option<String>,
    ) -> Session {
        let issued_at = self.clock.now().trunc_subsecs(0);
        let session = Session {
            access_key_id: ids::access_key_id("ASIA", self.account, Entropy::Random),
            secret: ids::secret(),
            token: ids::session_token(),
            of,
            issued_at,
            expires_at: issued_at + TimeDelta::seconds(seconds),
            policy,
            source_identity,
            from_console: false,
        };
        self.sessions.insert(session.access_key_id.clone(), session.clone());
        session
    }

    pub(super) fn user_arn(&self, user: &User) -> String {
        format!("arn:aws:iam::{}:user{}{}", self.account, user.path, user.name)
    }

    pub(super) fn group_arn(&self, group: &Group) -> String {
        format!("arn:aws:iam::{}:group{}{}", self.account, group.path, group.name)
    }

    pub(super) fn policy_arn(&self, policy: &Managed) -> String {
        format!("arn:aws:iam::{}:policy{}{}", self.account, policy.path, policy.name)
    }

    pub(super) fn profile_arn(&self, profile: &Profile) -> String {
        format!("arn:aws:iam::{}:instance-profile{}{}", self.account, profile.path, profile.name)
    }

    pub(super) fn role_arn(&self, role: &Role) -> String {
        format!("arn:aws:iam::{}:role{}{}", self.account, role.path, role.name)
    }
}
