//! What the auditor asks of a freeze, and of its end.

use std::collections::BTreeSet;

use super::{Case, human, must};

impl Case {
    pub(super) fn frozen(&self) -> bool {
        !self.disputed.is_empty()
    }

    pub(super) fn unfrozen(&mut self) -> Result<(), String> {
        let disputing: BTreeSet<_> = self.disputed.iter().map(human).collect();
        let sound = |who: &usize| !disputing.contains(&Some(*who)) && !self.subjects.contains(who);
        let agreed: BTreeSet<usize> = self.agreed.iter().filter_map(human).filter(sound).collect();
        must(agreed.len() >= 2, "a freeze lifted by fewer than two sound people")?;
        let lead = self.lead.as_ref().and_then(human);
        must(lead.is_some_and(|lead| agreed.contains(&lead)), "a freeze lifted without the lead")?;
        self.disputed.clear();
        self.agreed.clear();
        Ok(())
    }
}
