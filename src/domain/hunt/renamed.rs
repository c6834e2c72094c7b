//! Users who have another name than when the attacker had to do with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::trail::analysis::Analysis;
use super::super::trail::token::{account_of, bare_name};
use super::Hunted;

/// Names that are remembered. Whoever plays with more of them is found by what AWS says of the keys all the same.
const RENAMED_MAX: usize = 500;

/// What became of a name.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Renaming {
    /// What its user is called by now.
    pub to: String,
    /// Who has taken it from the user, as an ARN; absent while only AWS shows it, and the trail does not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The event that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

/// Those that the trail shows.
pub(super) fn renamed(analysis: &Analysis) -> BTreeMap<String, Renaming> {
    let away = analysis.names.away.iter().take(RENAMED_MAX);
    let one = away.map(|((account, name), away)| {
        let by = Some(away.by.to_string()).filter(|by| !by.is_empty());
        let renaming = Renaming { to: away.to.clone(), by, event_id: Some(away.event_id.to_string()) };
        (format!("{account}/{name}"), renaming)
    });
    one.collect()
}

impl Hunted {
    /// What a user of this name is called by now, where that is another.
    pub fn called_now(&self, account: &str, name: &str) -> Option<&Renaming> {
        self.renamed.get(&format!("{account}/{name}"))
    }

    /// Takes over that a user has another name, which AWS shows and the trail may not yet.
    pub fn call_anew(&mut self, account: &str, from: &str, to: &str) {
        let is_theirs = |arn: &str| arn.contains(":user/") && account_of(arn) == account && bare_name(arn) == from;
        for reached in &mut self.credentials {
            let theirs = reached.principal.as_deref().filter(|arn| is_theirs(arn));
            let named = theirs.and_then(|arn| Some(format!("{}/{to}", arn.rsplit_once('/')?.0)));
            if named.is_some() {
                reached.principal = named;
            }
        }
        for trace in &mut self.footprint {
            let here = trace.account.as_ref().is_none_or(|of| of.as_str() == account);
            if here && trace.resource_type == "AWS::IAM::User" && bare_name(&trace.id) == from {
                to.clone_into(&mut trace.id);
            }
        }
        let renaming = Renaming { to: to.to_owned(), by: None, event_id: None };
        self.renamed.entry(format!("{account}/{from}")).or_insert(renaming);
    }

    /// Keeps what AWS has shown of names, until it is asked again.
    pub(super) fn keep_names(&mut self, before: &Self) {
        for (old, renaming) in before.renamed.iter().filter(|(_, renaming)| renaming.event_id.is_none()) {
            if let (None, Some((account, from))) = (self.renamed.get(old), old.split_once('/')) {
                self.call_anew(account, from, &renaming.to);
            }
        }
    }
}
