//! Who is called by a message: Slack notifies the members of a channel of what mentions them, and of nothing else; of an
//! edit not at all.

use std::collections::BTreeSet;

use crate::domain::incident::state::Incident;
use crate::domain::policy::{Called, Policy};
use crate::domain::refusal::mention;

/// Whom a new incident calls by the rules, as Slack writes it.
pub(super) fn on_call(policy: &Policy) -> impl Iterator<Item = String> {
    policy.page.iter().map(|called| match called {
        Called::User(user) => mention(user),
        Called::Group(group) => format!("<!subteam^{group}>"),
    })
}

/// Whom an alarm calls first: who leads, and while nobody does, whom a new incident calls.
pub(super) fn first_called(incident: &Incident, policy: &Policy) -> BTreeSet<String> {
    match &incident.lead {
        Some(lead) => [mention(lead)].into(),
        None => on_call(policy).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Organisation;
    use crate::domain::id::IncidentId;
    use crate::domain::incident::decide;
    use crate::domain::incident::event::Event;
    use crate::domain::incident::evolve::fold;
    use crate::domain::incident::tests::case::alert;
    use crate::domain::stored::Record;
    use crate::view::notes::notes;

    const RULES: &str = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                         [people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\npage = [\"S1A\", \"U3A\"]\n";

    #[test]
    fn an_alarm_calls_who_is_on_call_until_somebody_leads() {
        let policy = Organisation::parse(RULES, "irp.toml").unwrap().policy(None);
        let new_keys = vec!["AKIAIOSFODNN7EXAMPLE".parse().unwrap()];
        let (held, lost, unread) = (vec![], vec![], vec![]);
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut records: Vec<Record> = Vec::new();
        let mut alarm = |event: Event| {
            let before = records.last().map(|record| record.hash().to_owned());
            records.push(Record::seal(before.as_deref(), at, event));
            let said = notes(&fold(&records).unwrap(), &records, &policy);
            said.into_iter().map(|note| note.message.text).find(|text| text.contains("Somebody is undoing"))
        };
        alarm(decide::open(IncidentId::new(1), alert("d"), &policy, at));
        let called = alarm(Event::ContainmentChecked { held, lost, new_keys, unread, keys_unread: None }).unwrap();
        assert!(called.contains("<!subteam^S1A>") && called.contains("<@U3A>"), "{called}");
        let called = alarm(Event::LeadTaken { by: "U1A".parse().unwrap() }).unwrap();
        assert!(called.contains("<@U1A>") && !called.contains("S1A") && !called.contains("U3A"), "{called}");
    }
}
