//! Who may not decide, and by what.

use std::collections::BTreeMap;

use super::blocks::{code, cut};
use crate::domain::incident::state::Incident;
use crate::domain::policy::{PersonId, Policy};
use crate::domain::recusal::{Recused, Why, whose};
use crate::domain::refusal::mention;

/// How much of a tag or of the name of a session is shown.
const SIGN_CHARS_MAX: usize = 60;
/// How many of them are shown for one person.
const SIGNS_MAX: usize = 2;

/// All of them; those with the same reason together, because one tag can name many.
pub(super) fn recused_in_words(incident: &Incident, policy: &Policy, recused: &Recused) -> String {
    let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (person, why) in recused {
        people.entry(reason(incident, policy, person, *why)).or_default().push(mention(&person.0));
    }
    let people: Vec<String> = people.iter().map(|(reason, of)| format!("{} ({reason})", of.join(", "))).collect();
    if people.is_empty() { String::new() } else { format!("\nCannot decide: {}.", people.join("; ")) }
}

/// With what it rests on: whoever has the credential may have set its tags, and has named its session, so people have to see
/// by what somebody is kept from deciding.
fn reason(incident: &Incident, policy: &Policy, person: &PersonId, why: Why) -> String {
    let points = |sign: &&String| why == Why::Owner && whose(sign, policy).contains(person);
    let signs = incident.owner_signs.iter().filter(points).take(SIGNS_MAX).map(|sign| by(incident, sign));
    let signs: Vec<String> = signs.collect();
    if signs.is_empty() { why.label().to_owned() } else { format!("{}, by {}", why.label(), signs.join(" and ")) }
}

fn by(incident: &Incident, sign: &str) -> String {
    let known = incident.identification_so_far();
    let [session, arn, name] =
        [&known.session_name, &known.arn, &known.name].map(|known| known.as_deref() == Some(sign));
    let taken_by = known.taken_by.iter().any(|name| name == sign);
    let what = match (session, arn || name, taken_by) {
        (true, ..) => "the name of its session",
        (_, true, _) => "irp.toml for",
        (.., true) => "who took its session:",
        (false, false, false) => "its tag",
    };
    format!("{what} {}", code(&cut(sign, SIGN_CHARS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identification::Identification;
    use crate::domain::incident::command::PersonCommand;
    use crate::domain::incident::event::Event;
    use crate::domain::incident::tests::case::{Case, identified, user};
    use crate::domain::recusal::recused;

    #[test]
    fn whoever_took_the_session_is_said_to_be_recused_by_that() {
        let mut case = Case::new();
        case.policy.belongings.insert("ana@example.com".to_owned(), PersonId(user("U2")));
        case.incident.owner_signs.clear();
        let taken_by = vec!["ana@example.com".to_owned()];
        case.apply(vec![Event::Identified { found: Identification { taken_by, ..identified(&[]) } }]);
        let recused = recused(&case.incident, &case.policy);
        assert_eq!(
            recused_in_words(&case.incident, &case.policy, &recused),
            "\nCannot decide: <@U2> (the credential is theirs, by who took its session: `ana@example.com`)."
        );
    }

    #[test]
    fn it_is_said_by_what_somebody_is_recused() {
        let mut case = Case::new();
        let words = |case: &Case| {
            let recused = recused(&case.incident, &case.policy);
            recused_in_words(&case.incident, &case.policy, &recused)
        };
        assert_eq!(words(&case), "\nCannot decide: <@U4> (the credential is theirs, by its tag `kim`).");
        case.act("U1", PersonCommand::NameSubject { user: user("U8") }).unwrap();
        let arn = "arn:aws:iam::111122223333:user/ci";
        case.policy.belongings.insert(arn.to_owned(), PersonId(user("U2")));
        case.incident.owner_signs.insert("U0123ABCD U0123EFGH".to_owned());
        assert_eq!(
            words(&case),
            "\nCannot decide: <@U2> (the credential is theirs, by irp.toml for `arn:aws:iam::111122223333:user/ci`); \
             <@U0123ABCD>, <@U0123EFGH> (the credential is theirs, by its tag `U0123ABCD U0123EFGH`); \
             <@U4> (the credential is theirs, by its tag `kim`); <@U8> (they are named in this incident)."
        );
    }
}
