//! How much of a log is kept, so that memory stays bounded whatever its size; and what is said of the rest.

use std::collections::BTreeSet;

/// Resources, or credentials, that are taken from one call.
pub const OF_ONE_CALL_MAX: usize = 1_000;

/// Ways to one session, machine or role that are followed: one for each call that has led there.
pub const WAYS_MAX: usize = 1_000;
/// The same of what was made or set.
pub const MAKERS_MAX: usize = 5_000;

/// What fits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls that are kept one by one; a kilobyte or so each, until the answer is written.
    pub events: usize,
    /// Of them, calls that only read.
    pub reads: usize,
    /// Of them, calls that hand something out: four kilobytes each, with all that hangs on it.
    pub granting: usize,
    /// Things that can be reached: three or so for each session.
    pub tokens: usize,
    /// Who was handed what, by all principals; 16 bytes each.
    pub edges: usize,
    /// The same while a file is gone through, until it is handed over; and what in that file was known to nobody: 16 and 8
    /// bytes each.
    pub of_file: usize,
    /// Calls whose ids are remembered, so that none counts twice.
    pub ids: usize,
    /// Credentials and places whose calls are only counted.
    pub counted: usize,
    /// Calls of others that are listed beside the attacker's.
    pub others: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events: 80_000,
            reads: 60_000,
            granting: 20_000,
            tokens: 100_000,
            edges: 4_000_000,
            of_file: 1_000_000,
            ids: 600_000,
            counted: 50_000,
            others: 10_000,
        }
    }
}

/// A limit that was met.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Limit {
    /// More could be reached than is followed.
    Tokens,
    /// More was handed out than is remembered: files are gone through more often instead.
    Edges,
    /// There are more calls than ids are remembered of.
    Ids,
    /// There are more credentials and places than calls are counted of.
    Counted,
    /// One call names more things than are looked at.
    Things,
    /// There are more calls of others than are kept or listed.
    Others,
    /// More calls lead to one thing than are followed.
    Ways,
    /// Each time the records were gone through there was something new.
    Rounds,
}

impl Limits {
    /// What is said of the limits that were met, and of calls that are only counted.
    pub fn in_words(&self, met: &BTreeSet<Limit>, counted: u64) -> Vec<String> {
        let mut cut: Vec<String> = met.iter().map(|limit| self.sentence(*limit)).collect();
        if counted > 0 {
            let Self { events, reads, granting, .. } = self;
            cut.push(format!(
                "{counted} calls are only counted, by their credential: {events} calls are looked at one by one, of \
                 them {reads} that only read and {granting} that hand out credentials"
            ));
        }
        cut
    }

    fn sentence(&self, limit: Limit) -> String {
        match limit {
            Limit::Tokens => format!(
                "more can be reached from the stolen credentials than is followed ({} keys, sessions and names): \
                 the lineage and the footprint end there",
                self.tokens
            ),
            Limit::Edges => {
                format!("the logs hand out more credentials than are remembered ({}): some may be missing", self.edges)
            }
            Limit::Ids => format!("copies of a call are known among {} calls only: later ones count again", self.ids),
            Limit::Counted => format!(
                "calls that are only counted come from more than {} credentials and addresses: the others' are missing \
                 in the numbers",
                self.counted
            ),
            Limit::Things => format!(
                "some call names more resources or credentials than are looked at ({OF_ONE_CALL_MAX} each): the rest \
                 is missing"
            ),
            Limit::Others => {
                format!("calls of others to what the attacker touched are listed up to {}: there are more", self.others)
            }
            Limit::Ways => format!(
                "more calls of the attacker's lead to one session, machine, role or other thing than are followed \
                 ({WAYS_MAX}, or {MAKERS_MAX} that have made or set it): what was done by it since may be missing"
            ),
            Limit::Rounds => "each time that the records were gone through there was something new, and they are gone \
                              through so often only: some of what can be reached may be missing"
                .to_owned(),
        }
    }
}
