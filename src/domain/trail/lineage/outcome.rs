//! What the walk has come to: the credentials in order of their distance, and a verdict for every event.

use std::collections::{BTreeMap, HashMap};

use super::renamed::name_anew;
use super::{Credential, Edge, Lineage, Walk};
use crate::domain::trail::attribution::Verdict;
use crate::domain::trail::name::Name;

impl Walk<'_, '_> {
    pub(super) fn finish(mut self) -> Lineage {
        self.measure();
        let mut order: Vec<usize> =
            (0..self.credentials.len()).filter(|c| self.credentials[*c].depth != usize::MAX).collect();
        let proof = |c: usize| self.credentials[c].reached_by.as_ref().map(|edge| edge.event);
        order.sort_by_key(|c| (self.credentials[*c].depth, proof(*c), Name::clone(&self.credentials[*c].id)));
        let mut place = vec![None; self.credentials.len()];
        for (new, old) in order.iter().enumerate() {
            place[*old] = Some(new);
        }
        let credentials: Vec<Credential> = order
            .iter()
            .map(|old| {
                let mut credential = self.credentials[*old].clone();
                if let Some(edge) = &mut credential.reached_by {
                    edge.from = place[edge.from].unwrap_or(0);
                }
                credential
            })
            .collect();
        let used: Vec<Option<usize>> =
            self.used.iter().map(|used| used.and_then(|old| place.get(old).copied().flatten())).collect();
        let verdicts: Vec<Verdict> = self
            .verdicts
            .iter()
            .enumerate()
            .map(|(at, verdict)| {
                let event = &self.events[at];
                verdict.clone().or_else(|| self.judge.word(event)).unwrap_or_else(|| self.judge.bystander(event))
            })
            .collect();
        let mut first_of: BTreeMap<&str, usize> = BTreeMap::new();
        let mut twin_of = vec![None; self.events.len()];
        // The caller's own record says more than the one in the other account.
        let mut shared: Vec<usize> = (0..self.events.len()).filter(|at| self.events[*at].shared_id.is_some()).collect();
        shared.sort_by_key(|at| (self.events[*at].caller.key.is_empty(), *at));
        for at in shared {
            if let Some(id) = self.events[at].shared_id.as_deref() {
                let first = *first_of.entry(id).or_insert(at);
                twin_of[at] = (first != at).then_some(first);
            }
        }
        let mut credentials = credentials;
        let unique_ids = self.named_ids.iter().map(|(of, id)| (Name::clone(&self.credentials[*of].id), id.clone()));
        name_anew(&mut credentials, self.events, &unique_ids.collect());
        for (at, used) in used.iter().enumerate() {
            if let Some(used) = used.filter(|_| twin_of[at].is_none() && verdicts[at].who.is_attacker()) {
                credentials[used].events += 1;
            }
        }
        Lineage {
            credentials,
            verdicts,
            used,
            twin_of,
            trust_unknown: self.trust_unknown,
            in_doubt: self.in_doubt,
            trust_loosened: self.trust_loosened,
            cut: self.cut,
        }
    }

    /// The shortest way to each credential; of several, the one whose event is the first.
    fn measure(&mut self) {
        let mut edges: HashMap<usize, Vec<(usize, usize, Name)>> = HashMap::new();
        for (from, to, event, how) in std::mem::take(&mut self.edges) {
            edges.entry(from).or_default().push((event, to, how));
        }
        let mut level: Vec<usize> = (0..self.seeds).collect();
        let mut depth = 0;
        while !level.is_empty() {
            depth += 1;
            let mut next: BTreeMap<usize, Edge> = BTreeMap::new();
            for from in level {
                for (event, to, how) in edges.remove(&from).unwrap_or_default() {
                    if self.credentials[to].depth != usize::MAX {
                        continue;
                    }
                    let edge = Edge { from, how, event };
                    let best = next.entry(to).or_insert_with(|| edge.clone());
                    let key = |e: &Edge| (e.event, Name::clone(&e.how), Name::clone(&self.credentials[e.from].id));
                    if key(&edge) < key(best) {
                        *best = edge;
                    }
                }
            }
            level = next.keys().copied().collect();
            for (to, edge) in next {
                self.credentials[to].depth = depth;
                self.credentials[to].reached_by = Some(edge);
            }
        }
    }
}
