//! `irp trail`: what CloudTrail's logs say about a stolen credential, offline.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use self::progress::Progress;
use crate::domain::credential::AccessKeyId;
use crate::domain::trail::analysis::Analysis;
use crate::domain::trail::attribution::{Question, Word};
use crate::domain::trail::named::Named;
use crate::view::trail::{html, text};

pub mod files;
pub mod progress;
pub mod records;
pub mod scan;

/// What to do with logs.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What.
    #[command(subcommand)]
    pub command: TrailCommand,
}

/// What to do with logs.
#[derive(Clone, Debug, Subcommand)]
pub enum TrailCommand {
    /// What a stolen credential did, how far its thief got, and what is left of it.
    Analyze(Analyze),
}

/// In which form the answer is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// For reading in a terminal.
    Text,
    /// For programs.
    Json,
    /// For reading in a browser, with a graph and a timeline.
    Html,
}

/// What to look for, and where.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("whose").required(true).multiple(true).args(["credentials", "principals"])))]
pub struct Analyze {
    /// A stolen access key; may be given more than once. This or --principal is needed.
    #[arg(long = "credential", value_name = "AKIA…")]
    pub credentials: Vec<AccessKeyId>,
    /// A user, a role or a session that is taken for stolen though no key is known, such as
    /// `arn:aws:iam::111122223333:user/ana` after a sign-in to the console; may be given more than once. All its calls
    /// count as the thief's, but for what --since and --attribute say.
    #[arg(long = "principal", value_name = "ARN")]
    pub principals: Vec<Named>,
    /// When it was stolen, such as 2026-01-31T12:00:00Z: what it did before is its owner's.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<DateTime<Utc>>,
    /// Who is who, such as 203.0.113.7=owner: an event's id, an access key, an address or an ARN, and attacker,
    /// owner, aws or responder. May be given more than once; the first that fits counts.
    #[arg(long = "attribute", value_name = "WHAT=WHO")]
    pub words: Vec<Word>,
    /// In which form the answer is written, to standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Log files, and folders of them: what CloudTrail writes to S3, NDJSON, the output of `LookupEvents`,
    /// EventBridge events; packed with gzip or not.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

fn time(typed: &str) -> Result<DateTime<Utc>, String> {
    let taken = "a time is a date, an hour and a zone, such as 2026-01-31T12:00:00Z or 2026-01-31T14:00:00+02:00";
    typed.parse().map_err(|_| taken.to_owned())
}

/// Runs it.
pub fn trail(options: Options) -> anyhow::Result<()> {
    let TrailCommand::Analyze(options) = options.command;
    let question = Question {
        credentials: options.credentials.iter().map(ToString::to_string).collect(),
        principals: options.principals,
        since: options.since,
        words: options.words,
        ..Question::default()
    }
    .with_words();
    let (files, mut problems) = files::find(&options.paths);
    ensure!(!files.is_empty(), "there are no files in {}{}", shown(&options.paths), said(&problems));
    let progress = Progress::new(&files);
    let (hunt, more) = scan::scan(&files, &question, &progress)?;
    problems.extend(more);
    let analysis = Analysis::of(&question, hunt, problems);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = match options.format {
        Format::Text => out.write_all(text::text(&analysis).as_bytes()),
        Format::Html => out.write_all(html::html(&analysis).as_bytes()),
        Format::Json => {
            serde_json::to_writer(&mut out, &analysis).map_err(std::io::Error::from).and_then(|()| out.write_all(b"\n"))
        }
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("the answer cannot be written"),
    }
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn said(problems: &[String]) -> String {
    problems.first().map(|problem| format!(" ({problem})")).unwrap_or_default()
}
