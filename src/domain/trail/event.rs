//! A record of which is kept what the analysis needs, and nothing secret: no session token, no document, no user data.

use super::name::Name;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};

use super::classify::{Meaning, Outcome, by_name, changes};
use super::deed::{self, Said};
use super::entrance::{self, Outsider};
use super::grant::{Grant, grants, may_grant, opened_by};
use super::limits::OF_ONE_CALL_MAX;
use super::log_bucket::{self, Harm};
use super::parameters::with_parameters;
use super::passed;
use super::record::{Identity, Record, moment};
use super::resource::{Touch, touches};
use super::token::{Token, callers};

/// Longest text that is kept of anything, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// Texts that many events have in common, each kept once.
#[derive(Debug, Default)]
pub struct Texts {
    kept: HashSet<Name>,
}

impl Texts {
    /// The text, cut to 512 bytes.
    pub fn keep(&mut self, text: &str) -> Name {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        if let Some(kept) = self.kept.get(text) {
            return Name::clone(kept);
        }
        let new: Name = text.into();
        self.kept.insert(Name::clone(&new));
        new
    }
}

/// Who called.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `IAMUser`, `AssumedRole`, …
    pub kind: Name,
    /// `AIDA…`, `AROA…:session`
    pub principal_id: Name,
    /// The ARN; empty when the record has none.
    pub arn: Name,
    /// The account that the caller belongs to.
    pub account: Name,
    /// The key that signed; empty for sign-ins to the console.
    pub key: Name,
    /// The AWS service that called for the caller; empty when it called itself.
    pub invoked_by: Name,
    /// Whether it is a session of a role that AWS alone can make and take.
    pub service_linked: bool,
    /// When the session began.
    pub session_began_at: Option<DateTime<Utc>>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Event {
    /// Unique; for a record without one, a hash of what it says.
    pub id: Name,
    /// The same in the records of both accounts.
    pub shared_id: Option<Name>,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// `iam`
    pub source: Name,
    /// `CreateUser`, without a version.
    pub name: Name,
    /// As the record has it.
    pub region: Name,
    /// The account whose log this is.
    pub account: Name,
    /// Where it came from; an address in a VPC has the VPC endpoint behind it.
    pub address: Name,
    /// What it says it is.
    pub agent: Name,
    /// Who.
    pub caller: Caller,
    /// How it went.
    pub outcome: Outcome,
    /// Why not; empty when it succeeded.
    pub error: Name,
    /// Whether it is a call that changes something.
    pub changes: bool,
    /// Whether AWS itself did it: `AwsServiceEvent`.
    pub by_service: bool,
    /// What it means.
    pub meaning: Meaning,
    /// What else a person has to know.
    pub note: Option<Name>,
    /// All by which the caller can be known.
    pub callers: Box<[Token]>,
    /// By what else it can be reached.
    pub opened_by: Box<[Token]>,
    /// What it has handed out.
    pub grants: Box<[Grant]>,
    /// Roles that it has handed to its service, where what comes of them is not followed: by ARN or name.
    pub passes: Box<[Box<str>]>,
    /// Which resources it has touched.
    pub touches: Box<[Touch]>,
    /// What it has put there or taken off; absent where that is nothing that can be taken back.
    pub deed: Option<Box<Said>>,
    /// The unique id of what it has made.
    pub unique_id: Option<Box<str>>,
    /// Who has taken a role by it from outside the account.
    pub outsider: Option<Box<Outsider>>,
    /// What it does to a bucket that a trail can deliver to.
    pub harm: Option<Box<Harm>>,
}

/// A record's tokens and what it does, worked out once and used both for following and for keeping it.
#[derive(Debug, Default)]
pub struct Traits {
    /// All by which the caller can be known.
    pub callers: Vec<Token>,
    /// By what else it can be reached.
    pub opened_by: Vec<Token>,
    /// What it hands out.
    pub grants: Vec<Grant>,
    /// What it touches.
    pub touches: Vec<Touch>,
    /// What it puts there or takes off.
    pub deed: Option<Box<Said>>,
    /// The unique id of what it makes.
    pub unique_id: Option<Box<str>>,
    /// Who takes a role by it from outside the account.
    pub outsider: Option<Box<Outsider>>,
    /// Whether it hands out or touches more than is in these lists.
    pub cut: bool,
}

impl Traits {
    /// Of this record. The parameters are read only when they can matter; `data` says whether data that a call only
    /// reads counts too.
    pub fn of(record: &Record<'_>, data: bool) -> Self {
        let mut traits = Self::default();
        callers(record, &mut traits.callers);
        let granting = may_grant(record.source(), record.name());
        let changing = changes(record);
        if record.is_network_activity() || !(granting || changing || data) {
            return traits;
        }
        let request = record.request();
        if granting {
            traits.opened_by = opened_by(record, &request);
        }
        if record.succeeded() {
            let response = record.response();
            if granting {
                traits.grants = grants(record, &request, &response);
                traits.outsider = entrance::outsider(record, &request, &response).map(Box::new);
            }
            traits.touches = touches(record, changing, &request, &response);
            traits.cut = traits.grants.len() > OF_ONE_CALL_MAX || traits.touches.len() > OF_ONE_CALL_MAX;
            traits.grants.truncate(OF_ONE_CALL_MAX);
            traits.touches.truncate(OF_ONE_CALL_MAX);
            traits.deed = deed::said(record, &request, &response).map(Box::new);
            traits.unique_id = deed::unique_id(record, &response).map(Into::into);
        }
        traits
    }
}

/// A record's id, or a hash of what it says.
pub fn id_of(record: &Record<'_>) -> String {
    if let Some(id) = record.event_id.as_deref().filter(|id| !id.is_empty()) {
        return id.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    let identity = &record.user_identity;
    (&record.event_time, &record.event_source, &record.event_name, &record.source_ip_address, &record.error_code)
        .hash(&mut hasher);
    (&identity.access_key_id, &identity.principal_id, &identity.arn, &record.aws_region).hash(&mut hasher);
    record.request_parameters.map(serde_json::value::RawValue::get).hash(&mut hasher);
    format!("no-id-{:016x}", hasher.finish())
}

/// Whether a session is of a service-linked role. Anybody can make a role with such a name, and nobody but AWS one at such a
/// path, which the session's own ARN does not say. Where the record has no more, the name counts.
fn is_service_linked(identity: &Identity<'_>) -> bool {
    let is_called_so = identity.arn.as_deref().is_some_and(|arn| arn.contains(":assumed-role/AWSServiceRoleFor"));
    let role = identity.session_context.session_issuer.arn.as_deref().filter(|arn| !arn.is_empty());
    // A path can have colons too: it begins after the fifth.
    let is_aws = |arn: &str| arn.splitn(6, ':').nth(5).is_some_and(|name| name.starts_with("role/aws-service-role/"));
    is_called_so && role.is_none_or(is_aws)
}

impl Event {
    /// What is kept of a record.
    pub fn of(record: &Record<'_>, traits: Traits, texts: &mut Texts) -> Self {
        let identity = &record.user_identity;
        let request = record.request();
        let meaning = by_name(record.source(), record.name(), record.read_only);
        let (meaning, note) = with_parameters(record, &request, meaning);
        let address = texts.keep(&record.place());
        let mut keep = |text: &super::record::Text<'_>| texts.keep(text.as_deref().unwrap_or(""));
        let session = &identity.session_context;
        let outcome = Outcome::of(record);
        let works = changes(record) && outcome == Outcome::Succeeded;
        let passes = if works { passed::roles(record, &request, &traits.grants) } else { Box::default() };
        Self {
            id: id_of(record).into(),
            shared_id: record.shared_event_id.as_deref().map(Into::into),
            at: record.at(),
            region: keep(&record.aws_region),
            account: keep(&record.recipient_account_id),
            address,
            agent: keep(&record.user_agent),
            caller: Caller {
                kind: keep(&identity.kind),
                principal_id: keep(&identity.principal_id),
                arn: keep(&identity.arn),
                account: keep(&identity.account_id),
                key: keep(&identity.access_key_id),
                invoked_by: keep(&identity.invoked_by),
                service_linked: is_service_linked(identity),
                session_began_at: session.attributes.creation_date.as_deref().and_then(moment),
            },
            error: match (outcome, &record.error_code) {
                (Outcome::Succeeded, _) => texts.keep(""),
                (_, Some(code)) => texts.keep(code),
                (_, None) => texts.keep(record.error_message.as_deref().unwrap_or("")),
            },
            outcome,
            source: texts.keep(record.source()),
            name: texts.keep(record.name()),
            changes: changes(record),
            by_service: record.event_type.as_deref() == Some("AwsServiceEvent"),
            meaning,
            note: note.map(|note| texts.keep(&note)),
            callers: traits.callers.into(),
            opened_by: traits.opened_by.into(),
            grants: traits.grants.into(),
            passes,
            touches: traits.touches.into(),
            deed: traits.deed,
            unique_id: traits.unique_id,
            outsider: traits.outsider,
            harm: log_bucket::harm(record, &request).map(Box::new),
        }
    }

    /// The product that the user agent names: `aws-cli`, `Boto3`, `console.amazonaws.com`.
    pub fn product(&self) -> &str {
        let agent = self.agent.trim_start_matches('[');
        agent.split(['/', ' ', ']']).next().unwrap_or(agent)
    }

    /// For sorting: by time, and by id where the time is the same.
    pub fn order(&self) -> (Option<DateTime<Utc>>, &str) {
        (self.at, &self.id)
    }
}
