//! The owner's own work with the key that has leaked: what it does goes on, from the owner's address.

use crate::aws::Account;

use super::means::{Means, Origin};

const ORIGIN: Origin = Origin { app: "nightly-export", ip: "203.0.113.10" };

pub(super) struct Workload {
    means: Means,
    role_arn: String,
    runs: u32,
}

impl Workload {
    pub(super) fn new(aws_url: &str, user: &str, account: &Account) -> anyhow::Result<Self> {
        let key = account.principal_credentials(user).ok_or_else(|| anyhow::anyhow!("{user} has no key"))?;
        let role_arn = format!("arn:aws:iam::{}:role/app-deploy", account.id());
        Ok(Self { means: Means::new(aws_url, key, ORIGIN)?, role_arn, runs: 0 })
    }

    /// Works once. A refusal is the owner's to notice.
    pub(super) async fn run(&mut self) {
        self.runs += 1;
        let sts = self.means.sts();
        let who = sts.get_caller_identity().send().await;
        let name = format!("export-{}", self.runs);
        let role = sts.assume_role().role_arn(&self.role_arn).role_session_name(name).send().await;
        tracing::debug!(known = who.is_ok(), role = role.is_ok(), "the owner's workload has run");
    }
}
