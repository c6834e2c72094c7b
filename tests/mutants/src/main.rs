//! Which changes in the rules would no test notice?
//!
//! `cargo mutants` says what to change; a build for each of its thousand changes would take a day. Here all of them
//! are compiled in at once, each behind a switch, and the tests are run with one switch on. A first run says which
//! changes a suite comes past at all: only those are tried with it.
//!
//! `mutants PACKAGE LIST` takes the folder of a package and what `cargo mutants --list --json` says of it, changes the
//! sources *in that folder*, and prints a table. It ends with 1 if the tests fail without any change.

mod weave;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// A change, as `cargo mutants --list --json` has it.
#[derive(Debug, Deserialize)]
pub struct Mutant {
    #[serde(skip)]
    number: usize,
    file: String,
    name: String,
    genre: String,
    replacement: String,
    span: Extent,
}

#[derive(Debug, Deserialize)]
struct Extent {
    start: Start,
}

#[derive(Debug, Deserialize)]
struct Start {
    line: usize,
    column: usize,
}

/// The switch, in the changed package. What a test comes past is appended to a file, once each.
const SWITCH: &str = r#"
#[doc(hidden)]
#[allow(missing_docs)]
pub mod mutant {
    use std::io::Write as _;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    static ON: LazyLock<usize> = LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX));
    static COVER: LazyLock<Option<std::path::PathBuf>> = LazyLock::new(|| std::env::var_os("MUTANTS_COVER").map(Into::into));
    static SEEN: [AtomicBool; 8192] = [const { AtomicBool::new(false) }; 8192];

    pub fn on(number: usize) -> bool {
        if let Some(cover) = &*COVER && !SEEN[number].swap(true, Ordering::Relaxed) {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(cover).unwrap();
            file.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        *ON == number
    }
}
"#;

/// How a test ends that has had its time: SIGXCPU, or SIGKILL.
const TOO_LONG: [i32; 2] = [24, 9];

/// Tests that are run together: the cheap ones first.
struct Suite {
    name: &'static str,
    program: PathBuf,
    filter: &'static [&'static str],
    passes: BTreeSet<usize>,
    took: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Caught,
    TimedOut,
    Missed,
    NotReached,
    NotBuilt,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [package, list] = arguments.as_slice() else { bail!("usage: mutants PACKAGE LIST") };
    let package = Path::new(package);
    let mut mutants: Vec<Mutant> = serde_json::from_str(&fs::read_to_string(list)?).with_context(|| list.clone())?;
    for (number, mutant) in mutants.iter_mut().enumerate() {
        mutant.number = number;
    }
    let built = build(package, &mutants)?;
    eprintln!("{} of {} changes are compiled in", built.len(), mutants.len());
    let mut suites = suites(package)?;
    for suite in &mut suites {
        suite.cover(package)?;
        eprintln!("{}: {:?}, comes past {} changes", suite.name, suite.took, suite.passes.len());
    }
    let outcomes = try_all(package, &mutants, &built, &suites);
    report(&mutants, &outcomes);
    Ok(())
}

/// Weaves all changes in, and takes out those that the compiler refuses, until it is content.
fn build(package: &Path, mutants: &[Mutant]) -> Result<BTreeSet<usize>> {
    let mut of: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        of.entry(&mutant.file).or_default().push(mutant);
    }
    let sources = of.keys().map(|file| Ok((*file, fs::read_to_string(package.join(file))?)));
    let sources: BTreeMap<&str, String> = sources.collect::<Result<_>>()?;
    let lib = package.join("src/rules.rs");
    fs::write(&lib, format!("{}{SWITCH}", fs::read_to_string(&lib)?))?;
    let mut left_in: BTreeSet<usize> = mutants.iter().map(|m| m.number).collect();
    loop {
        let mut placed = BTreeSet::new();
        for (file, source) in &sources {
            let (woven, found) = weave::weave(source, &of[file], &left_in).with_context(|| (*file).to_owned())?;
            fs::write(package.join(file), woven)?;
            placed.extend(found);
        }
        left_in = placed;
        let refused = refused(package)?;
        if refused.is_empty() {
            return Ok(left_in);
        }
        eprintln!("the compiler refuses {} changes", refused.len());
        left_in.retain(|number| !refused.contains(number));
    }
}

/// The changes at which the compiler's errors are.
fn refused(package: &Path) -> Result<BTreeSet<usize>> {
    let said = cargo(package, &["check", "--tests", "--message-format", "json"])?;
    let mut refused = BTreeSet::new();
    let mut errors = Vec::new();
    for message in said.iter().map(|line| &line["message"]).filter(|m| m["level"] == "error") {
        errors.push(message["rendered"].as_str().unwrap_or_default().to_owned());
        for span in message["spans"].as_array().into_iter().flatten() {
            let (Some(file), Some(line)) = (span["file_name"].as_str(), span["line_end"].as_u64()) else { continue };
            let text = fs::read_to_string(package.join(file)).unwrap_or_default();
            let before: String = text.lines().take(usize::try_from(line)?).collect::<Vec<_>>().join("\n");
            let switch = before.rfind("mutant::on(").map(|at| &before[at + "mutant::on(".len()..]);
            refused.extend(
                switch.and_then(|rest| rest.split(')').next()?.trim().trim_end_matches("usize").parse::<usize>().ok()),
            );
        }
    }
    ensure!(errors.is_empty() || !refused.is_empty(), "what is not a change does not compile:\n{}", errors.join("\n"));
    Ok(refused)
}

fn cargo(package: &Path, arguments: &[&str]) -> Result<Vec<serde_json::Value>> {
    let mut command = Command::new("cargo");
    // Its own: whoever else builds these rules meanwhile would put a program without changes in the place of this one.
    command.args(arguments).current_dir(package).env("CARGO_TARGET_DIR", package.join("target"));
    let output = command.stderr(Stdio::inherit()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn suites(package: &Path) -> Result<Vec<Suite>> {
    let said = cargo(package, &["test", "--no-run", "--message-format", "json"])?;
    let program = |kind: &str| {
        let found = said.iter().find(|m| m["target"]["kind"][0] == kind && m["executable"].is_string());
        found
            .and_then(|m| m["executable"].as_str())
            .map(PathBuf::from)
            .with_context(|| format!("no tests of kind {kind}"))
    };
    let (unit, it) = (program("lib")?, program("test")?);
    let suite = |name, program: &PathBuf, filter| Suite {
        name,
        program: program.clone(),
        filter,
        passes: BTreeSet::new(),
        took: Duration::ZERO,
    };
    Ok(vec![
        suite("unit tests", &unit, &[]),
        suite("engine", &it, &["engine::"]),
        suite("simulation", &it, &["sim::"]),
        suite("model", &it, &["model::"]),
    ])
}

impl Suite {
    /// Whether it passes; none when it takes too long. What counts is its own time: others may keep the machine busy.
    fn run(&self, package: &Path, variable: (&str, &str), limit: Duration) -> Result<Option<bool>> {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -t \"$0\"; exec \"$@\""]).arg(limit.as_secs().to_string()).arg(&self.program);
        command.args(self.filter).current_dir(package).env(variable.0, variable.1).env("RUST_TEST_THREADS", "1");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(if status.signal().is_some_and(|signal| TOO_LONG.contains(&signal)) {
                    None
                } else {
                    Some(status.success())
                });
            }
            // One that waits for ever takes no time.
            if begun.elapsed() > limit * 5 {
                child.kill()?;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs it without a change: which ones does it come past, and how long does it take?
    fn cover(&mut self, package: &Path) -> Result<()> {
        let seen = package.join("passed");
        let _ = fs::remove_file(&seen);
        let begun = Instant::now();
        let passed = self.run(package, ("MUTANTS_COVER", &seen.to_string_lossy()), Duration::from_mins(15))?;
        ensure!(passed == Some(true), "{} fail without any change", self.name);
        self.took = begun.elapsed();
        self.passes = fs::read_to_string(&seen)?.lines().filter_map(|line| line.parse().ok()).collect();
        Ok(())
    }
}

fn try_all(
    package: &Path,
    mutants: &[Mutant],
    built: &BTreeSet<usize>,
    suites: &[Suite],
) -> Vec<(Outcome, &'static str)> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![(Outcome::NotBuilt, ""); mutants.len()]);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mutant) = mutants.get(number) else { return };
                    if built.contains(&number) {
                        let outcome = try_one(package, number, suites);
                        eprintln!("{:?} {} {}", outcome.0, outcome.1, mutant.name);
                        outcomes.lock().unwrap()[number] = outcome;
                    }
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

fn try_one(package: &Path, number: usize, suites: &[Suite]) -> (Outcome, &'static str) {
    let mut outcome = (Outcome::NotReached, "");
    for suite in suites.iter().filter(|suite| suite.passes.contains(&number)) {
        outcome = match suite.run(package, ("MUTANT", &number.to_string()), suite.took * 5 + Duration::from_secs(10)) {
            Ok(Some(true)) => (Outcome::Missed, ""),
            Ok(Some(false)) => (Outcome::Caught, suite.name),
            Ok(None) => (Outcome::TimedOut, suite.name),
            Err(error) => panic!("{} cannot be run: {error}", suite.name),
        };
        if outcome.0 != Outcome::Missed {
            break;
        }
    }
    outcome
}

fn report(mutants: &[Mutant], outcomes: &[(Outcome, &'static str)]) {
    const ALL: [Outcome; 5] =
        [Outcome::Caught, Outcome::TimedOut, Outcome::Missed, Outcome::NotReached, Outcome::NotBuilt];
    let mut files: BTreeMap<&str, BTreeMap<Outcome, usize>> = BTreeMap::new();
    for (mutant, (outcome, _)) in mutants.iter().zip(outcomes) {
        *files.entry(&mutant.file).or_default().entry(*outcome).or_default() += 1;
    }
    println!(
        "| file | caught | by time-out | missed | not reached | not built |\n| --- | --- | --- | --- | --- | --- |"
    );
    for (file, counts) in &files {
        let counts = ALL.map(|outcome| counts.get(&outcome).copied().unwrap_or(0).to_string());
        println!("| `{file}` | {} |", counts.join(" | "));
    }
    for (mutant, (outcome, _)) in mutants.iter().zip(outcomes) {
        if matches!(outcome, Outcome::Missed | Outcome::NotReached) {
            println!("{outcome:?}: {}", mutant.name);
        }
    }
}
