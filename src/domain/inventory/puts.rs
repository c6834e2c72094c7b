//! Who has put that of which AWS does not say when it was made. It can be put again and again, by somebody else each time: of
//! all the calls about it the attacker's go before the others', and the newest before the older ones.

use std::collections::{BTreeMap, BTreeSet};

use super::super::trail::record::Record;
use super::{Evidence, Thing, evidence, undated};

/// What the trail shows of the calls about one thing.
#[derive(Clone, Debug)]
pub struct Puts<'t> {
    thing: &'t Thing,
    /// ARNs by which it reaches outside the account, or to what the attacker has; whom a statement of an event bus lets in. A
    /// call that names none of them does not explain that it does.
    reaches: Vec<String>,
    best: Option<Evidence>,
    /// The best that names each of these.
    naming: BTreeMap<String, Evidence>,
}

impl<'t> Puts<'t> {
    /// Nothing is known of it yet.
    pub(super) const fn new(thing: &'t Thing, reaches: Vec<String>) -> Self {
        Self { thing, reaches, best: None, naming: BTreeMap::new() }
    }

    /// What the trail is asked about.
    pub const fn thing(&self) -> &'t Thing {
        self.thing
    }

    /// The call that explains it as it is; none where one thing that it reaches has come without a call that the trail shows.
    pub fn evidence(&self) -> Option<&Evidence> {
        let best = self.best.as_ref()?;
        if best.attackers || self.reaches.is_empty() {
            return Some(best);
        }
        let naming: Option<Vec<&Evidence>> = self.reaches.iter().map(|arn| self.naming.get(arn)).collect();
        naming?.into_iter().reduce(|known, other| if is_better(other, known) { other } else { known })
    }

    fn note(&mut self, found: &Evidence, aims: &[String]) {
        for arn in self.reaches.iter().filter(|arn| aims.contains(arn)) {
            let known = self.naming.get(arn);
            if known.is_none_or(|known| is_better(found, known)) {
                self.naming.insert(arn.clone(), found.clone());
            }
        }
        if self.best.as_ref().is_none_or(|known| is_better(found, known)) {
            self.best = Some(found.clone());
        }
    }
}

/// Of calls of the same second the first that was read stays.
fn is_better(one: &Evidence, than: &Evidence) -> bool {
    (one.attackers, one.at) > (than.attackers, than.at)
}

/// What more records show. None is read twice. `held` are the attacker's access keys.
pub fn read(puts: &mut [Puts<'_>], records: &[String], held: &BTreeSet<&str>) {
    for text in records {
        let Ok(element) = serde_json::from_str::<Record<'_>>(text) else { continue };
        // What is no record explains nothing.
        drop(Record::read(&element, |record| of_one(puts, record, held)));
    }
}

fn of_one(puts: &mut [Puts<'_>], record: &Record<'_>, held: &BTreeSet<&str>) {
    let (request, response) = (record.request(), record.response());
    let mut about = puts
        .iter_mut()
        .filter(|one| evidence::makes(record, one.thing) && evidence::is_it(one.thing, record, &request, &response))
        .peekable();
    if about.peek().is_none() {
        return;
    }
    let Some(found) = evidence::of(record, held) else { return };
    about.for_each(|one| {
        let aims = undated::put_aims(one.thing, record, &request);
        one.note(&found, &aims);
    });
}
