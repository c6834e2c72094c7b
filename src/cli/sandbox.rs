//! `irp sandbox`: the real bot, a Slack workspace and an AWS account in one process, to play in a browser.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use irp_sandbox::aws::Account as AwsAccount;
use irp_sandbox::clock::Clock as SandboxClock;
use irp_sandbox::scenario::Scenario;
use irp_sandbox::slack::{Delivery, Workspace, WorkspaceConfig};
use irp_sandbox::terminal::Terminal;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::serve::{MEMORY, open_store};
use crate::adapters::aws::{AwsCloud, StaticKey};
use crate::boot::{Parts, run};
use crate::config::{Organisation, Settings, Slack};
use crate::ports::Clock;
use crate::telemetry::start_logging;

/// The organisation of the demonstration workspace.
const ORGANISATION: &str = r#"
[people]
responders = ["U0RESPOND1", "U0RESPOND2"]
approvers = ["U0RESPOND2", "U0APPROVE1", "U0KEYOWNR1"]
escalation = ["U0APPROVE1"]
page = ["S0ONCALL01"]

[approval]
contain.quorum = 1
loosen.quorum = 1
eradicate.quorum = 1

# Kim approves, but not where her own credential is stolen.
[[person]]
name = "Kim Park"
slack = ["U0KEYOWNR1"]
aws = ["kim@example.com"]

[protected]
arns = ["arn:aws:iam::111122223333:user/irp-bot"]

[organization]
reader_role_arn = "arn:aws:iam::999988887777:role/irp-org-reader"
contain_role_arn = "arn:aws:iam::999988887777:role/irp-org-contain"
identity_center_region = "eu-west-1"

[[account]]
id = "111122223333"
name = "sandbox"
reader_role_arn = "arn:aws:iam::111122223333:role/irp-reader"
contain_role_arn = "arn:aws:iam::111122223333:role/irp-contain"
eradicate_role_arn = "arn:aws:iam::111122223333:role/irp-eradicate"

[account.athena]
region = "us-east-1"
database = "security"
table = "cloudtrail_logs"
region_column = "region"
output_location = "s3://athena-results-111122223333/irp/"
logs_location = "s3://trail-logs-111122223333/AWSLogs/111122223333/CloudTrail/"
"#;
/// Who is on call in the demonstration workspace.
const ON_CALL: (&str, &[&str]) = ("S0ONCALL01", &["U0RESPOND1", "U0APPROVE1"]);
/// The channel of the demonstration workspace.
const WAR_ROOM: &str = "C0WARROOM1";
/// The bot's own user in the demonstration account.
const BOT_USER: &str = "irp-bot";

/// How to play.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The page's port.
    #[arg(long, default_value_t = 3900)]
    pub port: u16,
    /// How many times as fast as real time the clocks run.
    #[arg(long, default_value_t = 1)]
    pub speed: u32,
    /// A real store instead of memory.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// Wait for a person to raise the alert instead of letting a key leak at once.
    #[arg(long)]
    pub quiet: bool,
    /// What is logged.
    #[arg(long, default_value = "warn")]
    pub log: String,
}

/// The sandbox's clock as the bot's.
#[derive(Clone, Debug)]
pub struct SharedClock(pub SandboxClock);

impl Clock for SharedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

/// Plays until Ctrl-C.
pub async fn sandbox(options: Options) -> anyhow::Result<()> {
    start_logging(&options.log, false).map_err(|e| anyhow::anyhow!("--log: {e}"))?;
    let shutdown = CancellationToken::new();
    let clock = SandboxClock::new(options.speed);
    let terminal = Terminal::default();

    let account = AwsAccount::demo(clock.clone());
    let (aws, aws_url) = listen(0).await?;
    let (bot, bot_url) = listen(0).await?;
    let (page, page_url) = listen(options.port).await?;
    let (signing_secret, alert_key) = (random(), random());
    let workspace = Workspace::demo(WorkspaceConfig {
        clock: clock.clone(),
        terminal: terminal.clone(),
        signing_secret: signing_secret.clone(),
        bot_token: format!("xoxb-{}", random()),
        app_token: format!("xapp-{}", random()),
        delivery: Delivery::Http { base_url: bot_url.clone() },
    });
    workspace.set_own_url(page_url.clone());
    workspace.set_group(ON_CALL.0, Some(ON_CALL.1));
    let pages = workspace.router().merge(irp_sandbox::page::router());

    let settings = settings(&workspace, &page_url, &signing_secret, &alert_key, &aws_url)?;
    let bot_key =
        account.principal_credentials(BOT_USER).context("the demonstration account has no key for the bot")?;
    let cloud = AwsCloud::new(crate::adapters::aws::AwsSettings {
        credentials: Some(StaticKey {
            access_key_id: bot_key.access_key_id,
            secret_access_key: bot_key.secret_access_key.into(),
        }),
        ..super::serve::aws_settings(&settings)
    })
    .await;
    let store_url = options.redis.as_deref().unwrap_or(MEMORY);
    let store = open_store(store_url, &[]).await?;
    // Nobody edits the demonstration's rules while it runs.
    let (_no_reloads, reloads) = tokio::sync::mpsc::channel(1);
    let parts = Parts {
        settings,
        read_at: clock.now(),
        clock: Arc::new(SharedClock(clock.clone())),
        store,
        cloud: Arc::new(cloud.by_clock(Arc::new(SharedClock(clock.clone())))),
        listener: bot,
        reloads,
    };

    println!("The war room is open: {page_url}");
    println!("Act as any of the people there. Ctrl-C ends it, and {}.", at_the_end(store_url));
    let ended = shutdown.clone();
    let play = async {
        if options.quiet {
            std::future::pending::<()>().await;
        }
        Scenario {
            alert_url: format!("{bot_url}/alerts/eventbridge"),
            alert_key,
            aws_url,
            account: account.clone(),
            clock,
            terminal,
            shutdown: shutdown.clone(),
        }
        .run()
        .await
    };
    tokio::select! {
        outcome = axum::serve(aws, account.router()).into_future() => outcome.context("the AWS account ended"),
        outcome = axum::serve(page, pages).into_future() => outcome.context("the Slack workspace ended"),
        outcome = run(parts, ended) => outcome,
        outcome = async { play.await?; std::future::pending().await } => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn settings(
    workspace: &Workspace,
    page_url: &str,
    signing_secret: &str,
    alert_key: &str,
    aws_url: &str,
) -> anyhow::Result<Settings> {
    Ok(Settings {
        slack: Slack {
            bot_token: workspace.bot_token().into(),
            signing_secret: Some(SecretString::from(signing_secret)),
            app_token: None,
            api_url: format!("{page_url}/api"),
            war_room: WAR_ROOM.parse()?,
        },
        alert_keys: vec![SecretString::from(alert_key)],
        redis_url: MEMORY.into(),
        seal_keys: Vec::new(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        log: "warn".into(),
        aws_endpoint_url: Some(aws_url.to_owned()),
        vault: None,
        organisation: Organisation::parse(ORGANISATION, "the sandbox's organisation")?,
    })
}

/// What becomes of everything.
fn at_the_end(store_url: &str) -> &'static str {
    if store_url == MEMORY {
        "everything is forgotten"
    } else {
        "the workspace and the account are forgotten: the incidents stay in the store"
    }
}

async fn listen(port: u16) -> anyhow::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("port {port} is taken; choose another with --port"))?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

fn random() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;

    #[test]
    fn what_stays_in_a_store_is_not_said_to_be_forgotten() {
        assert!(at_the_end(MEMORY).contains("everything is forgotten"));
        assert!(at_the_end("redis://127.0.0.1").contains("the incidents stay"));
    }

    #[test]
    fn the_page_says_who_may_do_what() {
        let workspace = Workspace::demo(WorkspaceConfig {
            clock: SandboxClock::new(1),
            terminal: Terminal::default(),
            signing_secret: random(),
            bot_token: random(),
            app_token: random(),
            delivery: Delivery::Http { base_url: "http://127.0.0.1".to_owned() },
        });
        let rules = Organisation::parse(ORGANISATION, "irp.toml").unwrap().policy(None);
        for shown in workspace.state("U0RESPOND1")["people"].as_array().unwrap() {
            let user: UserId = shown["id"].as_str().unwrap().parse().unwrap();
            let (person, role) = (rules.person(&user), shown["role"].as_str().unwrap());
            assert_eq!(rules.is_approver(&person), role.contains("approver"), "{shown}");
            assert_eq!(rules.people(&rules.responders).contains(&person), role.contains("responder"), "{shown}");
        }
    }
}
