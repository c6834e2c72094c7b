//! The command line: one file for each sub-command.

use clap::{Parser, Subcommand};

pub mod check;
pub mod export;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod serve;
pub mod trail;
pub mod verify;

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
    /// Store an incident's evidence pack: its log, before-images, cards and report, with their hashes.
    Export(export::Options),
    /// Check an evidence pack, offline. Names the first thing that is not as it was written, or what the log refers to and is
    /// not there. Exits with 0 when the pack is whole, 1 when it is not or cannot be read, and 2 for a wrong argument.
    Verify(verify::Options),
    /// Read CloudTrail's logs, offline: what a stolen credential did and what is left of it.
    Trail(trail::Options),
    /// Play an incident in the browser, with no Slack workspace and no AWS account.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::Options),
}
