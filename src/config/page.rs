//! Whom a new incident calls: `page` of `[people]`.

use std::collections::BTreeSet;

use crate::domain::policy::Called;

/// Most that fit a message beside all else.
const CALLED_MAX: usize = 20;

/// Those who can be called. [`faults`] names the others.
pub(super) fn called(page: &BTreeSet<String>) -> BTreeSet<Called> {
    page.iter().filter_map(|entry| entry.parse().ok()).collect()
}

/// What nobody would be called by, and what to write instead.
pub(super) fn faults(page: &BTreeSet<String>) -> Vec<String> {
    let wrong = page.iter().filter(|entry| entry.parse::<Called>().is_err());
    let mut faults: Vec<String> = wrong
        .map(|entry| {
            format!(
                "people.page: “{entry}” is neither a Slack user id (U0123ABCD, W0123ABCD) nor the id of a user group \
                 (S0123ABCD), so nobody would be called by it: copy the id from the person's profile or the group's page."
            )
        })
        .collect();
    if page.len() > CALLED_MAX {
        faults.push(format!(
            "people.page names {}, and {CALLED_MAX} is the most: make a user group of them, and name that.",
            page.len()
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Organisation;

    const PEOPLE: &str = "[approval]\ncontain.quorum = 1\nloosen.quorum = 1\neradicate.quorum = 1\n\
                          [people]\nresponders = [\"U1A\"]\napprovers = [\"U2A\"]\n";

    #[test]
    fn as_many_as_fit_are_called() {
        let page = |n: usize| (0..n).map(|i| format!("U{i}A")).collect();
        assert_eq!(faults(&page(20)), [""; 0]);
        assert!(faults(&page(21))[0].contains("people.page names 21"));
    }

    #[test]
    fn who_is_called_is_an_account_or_a_group_and_no_rule() {
        let text = format!("{PEOPLE}page = [\"U1A\", \"W2A\", \"S3A\"]\n");
        let policy = Organisation::parse(&text, "irp.toml").unwrap().policy(None);
        let called: Vec<Called> = policy.page.iter().cloned().collect();
        let user = |id: &str| Called::User(id.parse().unwrap());
        assert_eq!(called, [user("U1A"), user("W2A"), Called::Group("S3A".parse().unwrap())]);
        let without = Organisation::parse(PEOPLE, "irp.toml").unwrap().policy(None);
        assert_eq!(policy.version, without.version, "no request is cancelled by it");
        assert!(policy.groups().is_empty(), "nobody gets a right by it");
    }
}
