//! A search through the trail: ask, keep, work out, and ask for what that has shown, until a round shows nothing
//! new. All that it knows is in the store, a page at a time: whoever takes it up goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;

use super::{Engine, EngineError};
use crate::domain::credential::PrincipalKind;
use crate::domain::hunt::cover::{Cover, LATE_EVERY, Mark, PAGES_MAX, Reading, unkept};
use crate::domain::hunt::findings::{analyse, calls, hunted};
use crate::domain::hunt::pivot::{Asked, PIVOTS_MAX, Question, ROOT, pivots};
use crate::domain::hunt::redaction::{Kept, kept};
use crate::domain::hunt::roles::RoleArns;
use crate::domain::hunt::room::{BYTES_MAX, Left, RECORDS_MAX, Room};
use crate::domain::hunt::{Hunted, Swept, UNWATCHED, Watched};
use crate::domain::id::{AccountId, IncidentId};
use crate::domain::incident::command::Report;
use crate::domain::incident::hunting::{self, Sweep};
use crate::domain::incident::overruling;
use crate::domain::incident::owed::{Effect, owed};
use crate::domain::incident::renamed;
use crate::domain::incident::state::Incident;
use crate::domain::incident::verdict::QUIET;
use crate::domain::trail::analysis::Analysis;
use crate::domain::trail::attribution;
use crate::domain::trail::bots::Bots;
use crate::domain::trail::named::Named;
use crate::ports::{CloudError, Of, Page, PageRead, StoreError, Trail};

mod canary;
mod half_way;
mod standing;

/// So far back from when it was first seen: what the owner's calls look like is seen from what was before.
const LOOK_BACK: TimeDelta = TimeDelta::days(14);
/// The history has no more.
const HISTORY: TimeDelta = TimeDelta::days(90);
/// Rounds of one search; each follows what the one before has shown.
const ROUNDS_MAX: usize = 12;
/// Questions of one Region that are under way at once: an answer can take seconds, and the pace is kept all the same.
const QUESTIONS_AT_ONCE: usize = 4;
/// Waits before a page is asked for again.
const PAGE_WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];
/// Why no Region counts as covered when something was left out.
const FOLLOWED_SHORT: &str = "not all that was found could be followed";
/// Stands for the Regions that nobody knows of: they are covered by nothing.
const OTHER_REGIONS: &str = "other Regions";
/// Under this it is kept that there was no room for something.
const LEFT: &str = "left";

impl Engine {
    /// Searches the trail and takes the account's inventory, if that is due. Apart from all others: it takes minutes
    /// where there is much.
    pub async fn hunt(&self, id: IncidentId) -> Result<(), EngineError> {
        if let Some((incident, now)) = self.due(id, Effect::Hunt).await? {
            Box::pin(self.search(&incident, now)).await?;
        }
        if let Some((incident, now)) = self.due(id, Effect::Inventory).await? {
            Box::pin(self.take_inventory(&incident, now)).await?;
        }
        Ok(())
    }

    /// The incident, if a search or an inventory is due.
    pub async fn hunt_due(&self, id: IncidentId) -> Result<Option<Incident>, EngineError> {
        let now = self.now();
        let incident = self.load(id).await?;
        let hunts = |effect: &Effect| matches!(effect, Effect::Hunt | Effect::Inventory);
        Ok(incident.filter(|incident| owed(incident).iter().any(|o| o.due_at <= now && hunts(&o.effect))))
    }

    /// The incident, if that is owed by now.
    async fn due(&self, id: IncidentId, effect: Effect) -> Result<Option<(Incident, DateTime<Utc>)>, StoreError> {
        let now = self.now();
        let incident = self.load(id).await?;
        let due = |incident: &Incident| owed(incident).iter().any(|o| o.due_at <= now && o.effect == effect);
        Ok(incident.filter(due).map(|incident| (incident, now)))
    }

    async fn search(&self, incident: &Incident, now: DateTime<Utc>) -> Result<(), EngineError> {
        let sweep = match Search::begin(self, incident, now).await? {
            Ok(search) => Box::pin(search.run()).await?,
            Err(why) => {
                let known = incident.hunted.as_ref().map(|(found, _)| found);
                let mut sweep = nothing_but(known, incident.swept.as_ref().map(|(swept, _)| &**swept), why);
                sweep.swept.told_at = incident.told_at;
                sweep
            }
        };
        self.report(incident.id, || Report::Hunted(Box::new(sweep.clone()))).await?;
        if renamed::is_called_otherwise(incident, &sweep.found) {
            self.identify(incident).await?;
        }
        Ok(())
    }
}

/// What follows from a search that could not be made: what is known stays known, and no Region is read.
fn nothing_but(known: Option<&Hunted>, swept: Option<&Swept>, why: String) -> Sweep {
    let (known, swept) = (known.cloned().unwrap_or_default(), swept.cloned().unwrap_or_default());
    let regions = swept.regions.into_iter().map(|region| Watched { unread: Some(why.clone()), ..region }).collect();
    let found = Hunted { not_known: vec![why], ..known };
    Sweep { found, swept: Swept { regions, began_at: None, ..swept }, calls: Vec::new() }
}

/// One search.
struct Search<'a> {
    engine: &'a Engine,
    incident: &'a Incident,
    account: AccountId,
    regions: Vec<String>,
    /// Regions that are enabled and are not to be searched.
    unwatched: Vec<String>,
    /// Why there can be others that are not searched.
    gap: Option<String>,
    question: attribution::Question,
    /// What the history calls the victim.
    names: Vec<String>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trail: Trail,
    room: Room,
    /// More was found than fits, or than is followed.
    short: bool,
    unread: BTreeMap<String, String>,
    not_known: BTreeSet<String>,
    /// Questions that are still to be answered in this round, by Region.
    left: BTreeMap<String, usize>,
    /// The stolen credential's own calls are known: by them it is told what is its owner's.
    owner_known: bool,
    /// The time of the newest record.
    newest_at: Option<DateTime<Utc>>,
    /// When it was last said how far it is.
    said_at: Option<DateTime<Utc>>,
    /// What is known to have been found.
    told: Option<Hunted>,
}

impl<'a> Search<'a> {
    /// Takes up what is kept. The inner error says why there is nothing to search.
    async fn begin(
        engine: &'a Engine,
        incident: &'a Incident,
        now: DateTime<Utc>,
    ) -> Result<Result<Self, String>, EngineError> {
        let Some(account) = incident.account() else {
            return Ok(Err("The account of the credential is not known.".into()));
        };
        // Whose a key is, its own calls say.
        let found = incident.identification_so_far();
        let stolen: Vec<String> = match &incident.subject.access_key {
            Some(key) => vec![key.to_string()],
            // Any of them can be the one.
            None => found.keys.iter().map(|key| key.id.to_string()).collect(),
        };
        let principals: Vec<Named> = hunting::assumed(incident).into_iter().collect();
        if stolen.is_empty() && principals.is_empty() {
            return Ok(Err(
                "Neither an access key nor a user or role is known, so the trail could not be searched.".into()
            ));
        }
        let searched = match engine.ports.cloud.regions(&account).await {
            Ok(searched) => searched,
            Err(error) if error.can_retry() => return Err(error.into()),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let name = match found.kind {
            PrincipalKind::Root => Some(ROOT.to_owned()),
            kind if hunting::is_role(kind) => found.session_name.clone(),
            _ => found.name.clone(),
        };
        let stolen_at = incident.compromise.as_ref().map(|set| set.at);
        let seen_at = stolen_at.or_else(|| incident.first_seen_at()).unwrap_or(incident.opened_at);
        let trail = match engine.ports.store.trail(incident.id).await {
            // The log can be read, and people have to know why the search stands still.
            Err(StoreError::Unreadable(why)) => {
                return Ok(Err(format!("what was read of the trail before cannot be read any more: {why}")));
            }
            read => read?,
        };
        let left = match trail.marks.get(LEFT) {
            Some(Mark::Left(left)) => *left,
            _ => Left::default(),
        };
        let room = Room::of(&trail.records, incident.watch.map(|watch| watch.since), left);
        Ok(Ok(Self {
            engine,
            incident,
            account,
            regions: searched.regions,
            unwatched: searched.unwatched,
            gap: searched.gap,
            question: attribution::Question {
                credentials: stolen,
                principals,
                since: hunting::since(incident),
                presumed: incident.compromise.is_none(),
                suspects: hunting::suspects(incident),
                words: overruling::words(incident),
                bots: Bots::of(engine.rules().bots.iter().map(String::as_str)),
            }
            .with_words(),
            names: name.into_iter().collect(),
            since: (seen_at.min(now) - LOOK_BACK).max(now - HISTORY),
            now,
            state: Mutex::new(State {
                trail,
                room,
                owner_known: half_way::is_asked_again(incident),
                newest_at: incident.hunted.as_ref().and_then(|(found, _)| found.newest_at),
                said_at: Some(now),
                told: incident.hunted.as_ref().map(|(found, _)| found.clone()),
                ..State::default()
            }),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self) -> Result<Sweep, EngineError> {
        // First how far the trail has come, then what is in it: so that nothing comes in between.
        try_join_all(self.regions.iter().map(|region| self.canary(region))).await?;
        let mut asked: BTreeSet<Question> = BTreeSet::new();
        let mut analysis = self.analysis().await;
        let mut roles = RoleArns::of(self.account.as_str());
        for round in 0..=ROUNDS_MAX {
            self.read_roles(&mut roles, &analysis).await;
            let (wanted, cut) = pivots(&self.names, &analysis, &roles);
            if cut {
                self.state().short = true;
                let why = format!("More can be asked about than is asked ({PIVOTS_MAX} keys, names and resources).");
                self.state().not_known.insert(why);
            }
            let new = self.regions.iter().map(|region| (region, Self::questions(region, &wanted, &asked)));
            let new: Vec<(&String, Vec<Question>)> = new.filter(|(_, questions)| !questions.is_empty()).collect();
            if new.is_empty() {
                break;
            }
            if round == ROUNDS_MAX {
                self.state().short = true;
                let why = "There may be more: each round of the search has shown something new.";
                self.state().not_known.insert(why.into());
                break;
            }
            let left = new.iter().map(|(region, questions)| ((*region).clone(), questions.len())).collect();
            self.state().left = left;
            if round > 0 {
                self.state().owner_known = true;
                Box::pin(self.say_news(&analysis)).await?;
            }
            asked.extend(new.iter().flat_map(|(_, questions)| questions.clone()));
            try_join_all(new.iter().map(|(_, questions)| self.ask_all(questions))).await?;
            analysis = self.analysis().await;
        }
        self.finish(&analysis).await
    }

    /// What is to be asked in a Region and has not been yet.
    fn questions(region: &str, wanted: &[Asked], asked: &BTreeSet<Question>) -> Vec<Question> {
        let here = wanted.iter().filter(|(_, only)| only.as_deref().is_none_or(|only| only == region));
        let questions = here.map(|(pivot, _)| Question { region: region.to_owned(), pivot: pivot.clone() });
        questions.filter(|question| !asked.contains(question)).collect()
    }

    /// Asks so many of them at once.
    async fn ask_all(&self, questions: &[Question]) -> Result<(), EngineError> {
        let next = AtomicUsize::new(0);
        let at_once = (0..QUESTIONS_AT_ONCE).map(|_| async {
            while let Some(question) = questions.get(next.fetch_add(1, Ordering::Relaxed)) {
                Box::pin(self.ask(question)).await?;
                if let Some(left) = self.state().left.get_mut(&question.region) {
                    *left -= 1;
                }
            }
            Ok(())
        });
        try_join_all(at_once).await.map(|_| ())
    }

    /// Reads all that is not known of one question's answer. A Region that does not answer is left to the next
    /// search, which goes on from here.
    async fn ask(&self, question: &Question) -> Result<(), EngineError> {
        let name = question.to_string();
        let mut cover = match self.state().trail.marks.get(&name) {
            Some(Mark::Cover(cover)) => cover.clone(),
            _ => Cover::default(),
        };
        let mut pages = 0;
        let next = |cover: &Cover| cover.next(self.since, self.now, self.late_since());
        while pages < PAGES_MAX
            && let Some(reading) = next(&cover)
        {
            let mut after: Option<String> = None;
            loop {
                if self.state().unread.contains_key(&question.region) {
                    return Ok(());
                }
                let Some(read) = self.page(question, &reading, after.as_deref()).await else { return Ok(()) };
                let (records, lost): (Vec<_>, Vec<_>) =
                    read.records.iter().map(|text| kept(text)).partition(Result::is_ok);
                let records: Vec<Kept> = records.into_iter().flatten().collect();
                lost.into_iter().filter_map(Result::err).for_each(|what| cover.lost(what));
                let oldest = records.iter().filter_map(|record| record.at).min();
                let newest = records.iter().filter_map(|record| record.at).max();
                cover.page(&reading, oldest, read.next.is_none());
                let texts = records.into_iter().map(|record| (record.id, record.text)).collect();
                self.keep(&name, texts, Mark::Cover(cover.clone())).await?;
                self.has_read(newest);
                Box::pin(self.say_now_and_then()).await?;
                after = read.next;
                pages += 1;
                if cover.open.is_none() {
                    break;
                }
            }
        }
        let left = cover.cut.or_else(|| next(&cover).map(|reading| (reading.from, reading.until)));
        if let Some((from, until)) = left {
            let state = &mut *self.state();
            state.short = true;
            let why =
                format!("{name}: too much for one search; what was from {from} until {until} is read by the next ones");
            state.not_known.insert(why);
        }
        Ok(())
    }

    /// Calls that come very late are asked for unless they were since then: now and then, and before a containment
    /// counts as verified.
    fn late_since(&self) -> DateTime<Utc> {
        let settled_at = self.incident.watch.map(|watch| watch.since + QUIET).filter(|at| *at <= self.now);
        settled_at.max(Some(self.now - LATE_EVERY)).unwrap_or(self.now)
    }

    /// One page; `None` once the Region is given up for this time.
    async fn page(&self, question: &Question, reading: &Reading, after: Option<&str>) -> Option<PageRead> {
        // Within one reading its own token goes on; after a crash, the time does.
        let page = Page {
            region: &question.region,
            of: Of::Pivot(&question.pivot),
            from: reading.from,
            until: reading.down_to,
            after,
        };
        let read = self.patiently(page).await;
        read.inspect_err(|error| self.give_up(&question.region, error)).ok()
    }

    fn give_up(&self, region: &str, error: &CloudError) {
        self.state().unread.entry(region.to_owned()).or_insert_with(|| error.to_string());
    }

    /// Asks again for a while: whoever is too fast waits, and is not turned away for it.
    async fn patiently(&self, page: Page<'_>) -> Result<PageRead, CloudError> {
        for wait in PAGE_WAITS {
            match self.engine.ports.cloud.page(&self.account, page).await {
                Err(error) if error.can_retry() => self.engine.ports.clock.wait(wait).await,
                other => return other,
            }
        }
        self.engine.ports.cloud.page(&self.account, page).await
    }

    /// Keeps what fits, and how far it has been read.
    async fn keep(&self, name: &str, records: BTreeMap<String, String>, mark: Mark) -> Result<(), StoreError> {
        let (mut new, mut gone) = (BTreeMap::new(), BTreeSet::new());
        let left = {
            let State { trail, room, .. } = &mut *self.state();
            let before = room.left;
            for (id, text) in records {
                if trail.records.contains_key(&id) {
                    continue;
                }
                for id in room.take(&mut trail.records, &id, &text) {
                    if new.remove(&id).is_none() {
                        gone.insert(id);
                    }
                }
                if trail.records.contains_key(&id) {
                    new.insert(id, text);
                }
            }
            trail.marks.insert(name.to_owned(), mark.clone());
            (room.left != before).then_some(Mark::Left(room.left))
        };
        let marks: Vec<(&str, &Mark)> =
            [(name, &mark)].into_iter().chain(left.iter().map(|left| (LEFT, left))).collect();
        self.engine.ports.store.keep_page(self.incident.id, &new, &gone, &marks).await
    }

    /// What the records say by now. It takes a moment where there are many: not on a thread that others wait for.
    async fn analysis(&self) -> Analysis {
        let (records, question) = (self.state().trail.records.clone(), self.question.clone());
        let work = move || analyse(&question, &records);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => match runtime.spawn_blocking(work).await {
                Ok(analysis) => analysis,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The process is ending, and this with it.
                    Err(_) => std::future::pending().await,
                },
            },
            // Nobody waits for the thread of a simulation.
            Err(_) => work(),
        }
    }

    async fn finish(self, analysis: &Analysis) -> Result<Sweep, EngineError> {
        let (mut found, left_out) = hunted(analysis, &self.state().trail.records);
        self.read_keys(&mut found, &analysis.names).await;
        self.read_passwords(&mut found, &analysis.names).await;
        self.read_devices(&mut found, &analysis.names).await;
        self.read_service_credentials(&mut found, &analysis.names).await;
        self.read_started(&mut found).await;
        self.read_metadata(&mut found).await;
        let State { trail, short, unread, not_known, room, .. } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let lost = |mark: &Mark| matches!(mark, Mark::Cover(cover) if !cover.unkept.is_empty());
        let short = short || left_out || room.left.lost || trail.marks.values().any(lost);
        found.not_known.extend(unread.iter().map(|(region, why)| format!("{region} could not be searched: {why}")));
        found.not_known.extend(not_known);
        found.not_known.extend(unkept(&trail.marks));
        let limits = format!("{RECORDS_MAX} records, {} MiB", BYTES_MAX >> 20);
        if room.left.lost {
            found.not_known.push(format!(
                "The trail has more than is kept ({limits}), calls that did something among it: use irp trail analyze on \
                 the logs."
            ));
        } else if room.left.lesser {
            found.not_known.push(format!(
                "The trail has more than is kept ({limits}): of calls that were refused or only looked around, some are \
                 left out."
            ));
        }
        let before = self.incident.swept.iter().flat_map(|(swept, _)| &swept.regions);
        let before: BTreeMap<&str, &Watched> = before.map(|region| (region.region.as_str(), region)).collect();
        let regions = self.regions.iter().map(|region| {
            let seen = canary::of(&trail, region).seen_until;
            let unread = unread.get(region).cloned().or_else(|| short.then(|| FOLLOWED_SHORT.to_owned()));
            // What was not read through counts only as far as it did before.
            let known = before.get(region.as_str()).and_then(|region| region.covered_until);
            let covered_until = if unread.is_some() { known } else { seen };
            Watched { region: region.clone(), covered_until, unread }
        });
        let mut regions: Vec<Watched> = regions.collect();
        for region in &self.unwatched {
            found.not_known.push(format!("{region} was not searched: {UNWATCHED}."));
            regions.push(Watched { region: region.clone(), covered_until: None, unread: Some(UNWATCHED.to_owned()) });
        }
        if let Some(why) = &self.gap {
            found.not_known.push(format!("Other Regions were not searched: {why}"));
            let region = OTHER_REGIONS.to_owned();
            regions.push(Watched { region, covered_until: None, unread: Some(why.clone()) });
        }
        let calls = calls(analysis);
        let last_denied = calls.iter().rev().find(|call| !call.worked && call.error.is_none()).cloned();
        let (began_at, told_at) = (Some(self.now), self.incident.told_at);
        let swept = Swept { regions, last_denied, began_at, told_at };
        Ok(Sweep { found, swept, calls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_cannot_be_made_takes_back_nothing_that_is_known() {
        let known = Hunted { addresses: vec!["203.0.113.7".into()], ..Hunted::default() };
        let covered_until = DateTime::from_timestamp(1, 0);
        let read = Watched { region: "us-east-1".into(), covered_until, unread: None };
        let swept = Swept { regions: vec![read.clone()], ..Swept::default() };
        let sweep = nothing_but(Some(&known), Some(&swept), "no key is known".into());
        assert_eq!(sweep.found.addresses, known.addresses);
        assert_eq!(sweep.found.not_known, ["no key is known"]);
        assert_eq!(sweep.swept.regions, [Watched { unread: Some("no key is known".into()), ..read }]);
        assert!(nothing_but(None, None, "x".into()).swept.regions.is_empty());
    }
}
