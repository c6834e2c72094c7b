//! The files that a pack has to have because of what its log says. Whoever takes one away together with its line in the list
//! leaves a list that fits, but not the record that speaks of it.

use std::collections::BTreeMap;
use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::domain::approval::Digest;
use crate::domain::id::RequestId;
use crate::domain::incident::event::Event;
use crate::domain::observation::Observation;
use crate::domain::stored::event;
use crate::view::pack::{ALWAYS, LOG, MANIFEST, Manifest, asked_receipt, before_image, plan_file};

/// How many missing files one answer names.
const NAMED_MAX: usize = 20;

/// A record by its number, and what it says that a file is.
#[derive(Debug)]
struct Said {
    number: usize,
    digest: Digest,
}

/// What the records of a log, or of a part of it, refer to.
#[derive(Debug, Default)]
pub(super) struct Referred {
    /// What AWS showed before each request, with its digest.
    before: BTreeMap<RequestId, Said>,
    /// Who has asked was told; once for all that was asked for together.
    asked: BTreeMap<RequestId, usize>,
    /// Plans that approvers read in a file, with the digest that binds them.
    plans: BTreeMap<RequestId, Said>,
}

impl Referred {
    /// Something was asked for; with others, if `first` is another one.
    pub(super) fn requested(&mut self, number: usize, request: RequestId, first: RequestId, before_hash: Digest) {
        self.before.insert(request, Said { number, digest: before_hash });
        if first == request {
            self.asked.insert(request, number);
        }
    }

    /// A plan was put into the thread.
    pub(super) fn uploaded(&mut self, number: usize, request: RequestId, digest: Digest) {
        self.plans.insert(request, Said { number, digest });
    }

    /// Adds what another part of the log refers to.
    pub(super) fn join(&mut self, other: Self) {
        self.before.extend(other.before);
        self.asked.extend(other.asked);
        self.plans.extend(other.plans);
    }

    /// Checks that all of it is in the list, and is what the log says. That the files are as the list has them is known.
    pub(super) fn check(&self, pack: &Path, manifest: &Manifest) -> anyhow::Result<()> {
        let missing = self.missing(manifest);
        if !missing.is_empty() {
            let more = missing.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            let named = missing[..missing.len().min(NAMED_MAX)].join(", ");
            bail!(
                "{named}{more}: missing, and {MANIFEST} does not list it: either it was taken away, or an irp before this version, \
                 which left out some plans, has exported the pack"
            );
        }
        for (request, said) in &self.before {
            let path = before_image(*request);
            let text = read_to_string(pack.join(&path)).with_context(|| path.clone())?;
            let number = said.number;
            ensure!(said.is_of_before(&text, &pack.join(LOG))?, "{path}: is not what record {number} of {LOG} has");
        }
        for (request, Said { number, digest }) in &self.plans {
            let path = plan_file(*request);
            let text = read_to_string(pack.join(&path)).with_context(|| path.clone())?;
            let fits = text.contains(&digest.to_string());
            ensure!(fits, "{path}: is not the plan of record {number} of {LOG}, which has the digest {digest}");
        }
        Ok(())
    }

    /// Each file that should be there, with the record that says so.
    fn missing(&self, manifest: &Manifest) -> Vec<String> {
        let numbered = |path: String, number: usize| (path, format!(" (record {number} of {LOG})"));
        let always = ALWAYS.iter().map(|path| ((*path).to_owned(), String::new()));
        let before = self.before.iter().map(|(request, said)| numbered(before_image(*request), said.number));
        let asked = self.asked.iter().map(|(request, number)| numbered(asked_receipt(*request), *number));
        let plans = self.plans.iter().map(|(request, said)| numbered(plan_file(*request), said.number));
        let all = always.chain(before).chain(asked).chain(plans);
        all.filter(|(path, _)| !manifest.files.contains_key(path)).map(|(path, by)| format!("{path}{by}")).collect()
    }
}

impl Said {
    /// Whether a file is what AWS showed before the request of this record.
    fn is_of_before(&self, text: &str, log: &Path) -> anyhow::Result<bool> {
        if Digest::of_text(text).is_ok_and(|digest| digest == self.digest) {
            return Ok(true);
        }
        // An older record can be without what a newer program, which wrote the file, says of the same.
        let mut lines = BufReader::new(File::open(log).context(LOG)?).split(b'\n').skip(self.number - 1);
        let line = lines.next().transpose().context(LOG)?.unwrap_or_default();
        let Ok(Event::ApprovalRequested { plan, .. }) = event(&String::from_utf8_lossy(&line)) else {
            return Ok(false);
        };
        Ok(serde_json::from_str::<Observation>(text).is_ok_and(|shown| shown == plan.before))
    }
}
