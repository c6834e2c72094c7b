//! Goes through the files on all cores, some of them more than once: until nothing new can be reached.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::bail;

use super::files::{LogFile, Unpacked};
use super::progress::Progress;
use super::records::{Element, Records, Visitor};
use crate::domain::trail::attribution::Question;
use crate::domain::trail::limits::{Limit, Limits};
use crate::domain::trail::reach::{Hunt, Scout, has_any};
use crate::domain::trail::record::Record;
use crate::domain::trail::skim::Skim;

/// Times that files are gone through again, at most.
const ROUNDS_MAX: usize = 32;
/// The same when more is handed out than is remembered, and each round may find only one more step.
const ROUNDS_CUT_MAX: usize = 8;
/// For all files' lists of what was missed in them, in bytes; files without a list are always gone through again.
const MISSED_BYTES_MAX: usize = 64 << 20;
/// Problems that are told one by one.
const PROBLEMS_MAX: usize = 200;
/// Of them, from one file.
const PROBLEMS_OF_FILE_MAX: usize = 5;
/// Between two drawings of the progress bar.
const REFRESH: Duration = Duration::from_millis(100);
/// Records between two counts for the progress bar.
const TICK: u64 = 4096;

/// What was not known to the scout in a file; `None` where that is too much to remember.
type Missed = Option<Box<[u32]>>;

struct Shared<'s> {
    hunt: Mutex<Hunt>,
    /// How much the hunt has learned: looked at for each record, without the lock.
    learned: AtomicUsize,
    /// Of each file, and the bytes of all that.
    missed: Mutex<(Vec<Missed>, usize)>,
    problems: Mutex<(Vec<String>, usize)>,
    files: &'s [LogFile],
    progress: &'s Progress,
}

/// No panic leaves these half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Goes through all files. Also returns what could not be read, a sentence each.
pub fn scan(files: &[LogFile], question: &Question, progress: &Progress) -> anyhow::Result<(Hunt, Vec<String>)> {
    let hunt = Hunt::new(question, Limits::default());
    let shared = Shared {
        learned: AtomicUsize::new(hunt.learned()),
        hunt: Mutex::new(hunt),
        missed: Mutex::new((vec![None; files.len()], 0)),
        problems: Mutex::new((Vec::new(), 0)),
        files,
        progress,
    };
    let mut queue: Vec<usize> = (0..files.len()).collect();
    let (mut known, mut rounds) = (0, 0);
    for round in 0..ROUNDS_MAX {
        go_through(&shared, &queue, round)?;
        let mut hunt = locked(&shared.hunt);
        let fingerprints = hunt.follow(known);
        known = hunt.learned();
        shared.learned.store(known, Ordering::Release);
        // Going on would not find more than fits.
        let full = round > 0 && hunt.met.contains(&Limit::Tokens);
        let last = hunt.met.contains(&Limit::Edges) && round + 1 >= ROUNDS_CUT_MAX;
        drop(hunt);
        if full {
            queue.clear();
            break;
        }
        let missed = locked(&shared.missed);
        queue = (0..files.len()).filter(|file| has_any(missed.0[*file].as_deref(), &fingerprints)).collect();
        rounds = round + 1;
        if queue.is_empty() || last {
            break;
        }
    }
    progress.clear();
    let (mut problems, more) = shared.problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    problems.sort();
    if more > 0 {
        problems.push(format!("and {more} more like these"));
    }
    if !queue.is_empty() {
        problems.push(format!(
            "after going through the files {rounds} times, {} of them may still have something to say",
            queue.len()
        ));
    }
    Ok((shared.hunt.into_inner().unwrap_or_else(PoisonError::into_inner), problems))
}

fn go_through(shared: &Shared<'_>, queue: &[usize], round: usize) -> anyhow::Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(queue.len()).max(1);
    let next = AtomicUsize::new(0);
    let (done, all_done) = channel::<()>();
    let panicked = thread::scope(|scope| {
        let running: Vec<_> = (0..workers)
            .map(|_| {
                let (done, next) = (done.clone(), &next);
                scope.spawn(move || {
                    let _done = done;
                    let mut scout = Scout::new(&Limits::default());
                    if round > 0 {
                        scout.again();
                    }
                    while let Some(file) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                        one(shared, &mut scout, *file, round);
                    }
                })
            })
            .collect();
        drop(done);
        while all_done.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
            let what = if round == 0 { "reading" } else { "reading again what has to be" };
            shared.progress.show(what);
        }
        running.into_iter().any(|worker| worker.join().is_err())
    });
    if panicked {
        bail!("reading has failed; the lines above say where");
    }
    Ok(())
}

/// Looks at one file for the hunt.
struct Look<'l, 's> {
    shared: &'l Shared<'s>,
    scout: &'l mut Scout,
    file: &'l LogFile,
    number: u32,
    ordinal: u64,
    told: usize,
    first_time: bool,
}

impl Look<'_, '_> {
    fn next(&mut self) {
        self.ordinal += 1;
        if self.ordinal.is_multiple_of(TICK) {
            self.shared.progress.records.fetch_add(TICK, Ordering::Relaxed);
        }
    }

    /// Takes over what others have learned meanwhile.
    fn learn(&mut self) {
        if self.shared.learned.load(Ordering::Acquire) != self.scout.learned() {
            self.scout.learn(locked(&self.shared.hunt).news(self.scout.learned()));
        }
    }

    fn tell(&mut self, what: &str) {
        if !self.first_time {
            return;
        }
        self.told += 1;
        let mut problems = locked(&self.shared.problems);
        if self.told <= PROBLEMS_OF_FILE_MAX && problems.0.len() < PROBLEMS_MAX {
            problems.0.push(format!("{}: {what}", self.file.path.display()));
        } else {
            problems.1 += 1;
        }
    }
}

impl Visitor for Look<'_, '_> {
    fn glance(&mut self, skim: &Skim<'_>) -> bool {
        self.learn();
        let enough = self.scout.glance(skim);
        if enough {
            self.next();
        }
        enough
    }

    fn see(&mut self, element: Element<'_>) {
        self.next();
        self.learn();
        let problem = match element {
            Element::Record(element) => Record::read(&element, |record| {
                if let Some((traits, by)) = self.scout.look(record) {
                    let mut hunt = locked(&self.shared.hunt);
                    hunt.keep(record, traits, by, (self.number, self.ordinal));
                    self.shared.learned.store(hunt.learned(), Ordering::Release);
                }
            })
            .err()
            .map(|problem| problem.to_string()),
            Element::Unreadable(at, what) => Some(format!("{what} (at byte {at})")),
        };
        if let Some(mut so_far) = self.scout.hand_over() {
            locked(&self.shared.hunt).absorb(&mut so_far);
        }
        if let Some(problem) = problem {
            self.scout.unreadable();
            self.tell(&format!("record {} {problem}", self.ordinal));
        }
    }
}

fn one(shared: &Shared<'_>, scout: &mut Scout, at: usize, round: usize) {
    let file = &shared.files[at];
    let number = u32::try_from(at).unwrap_or(u32::MAX);
    let mut look = Look { shared, scout, file, number, ordinal: 0, told: 0, first_time: round == 0 };
    match Unpacked::open(&file.path, &shared.progress.bytes) {
        Ok(unpacked) => {
            if let Err(error) = Records::new(unpacked).each(&mut look) {
                look.tell(&format!("damaged or cut off after {} records: {error}", look.ordinal));
            }
        }
        Err(error) => look.tell(&format!("cannot be read: {error}")),
    }
    let mut findings = scout.bring_back();
    locked(&shared.hunt).absorb(&mut findings);
    let mut missed = locked(&shared.missed);
    let bytes = findings.missed.as_ref().map_or(0, |missed| missed.len() * size_of::<u32>());
    if missed.1 + bytes <= MISSED_BYTES_MAX {
        missed.1 += bytes;
        missed.0[at] = findings.missed;
    }
}
