//! The command line: one file for each sub-command.

use clap::{Parser, Subcommand};

pub mod check;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod serve;

/// Incident response for stolen AWS credentials, in Slack, with two people behind every change.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bot.
    Serve,
    /// Try every setting and connection, a line each. Exits with 1 when something is wrong.
    Check,
    /// Play an incident in the browser, with no Slack workspace and no AWS account.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Options),
}
