//! The sandbox's page in a real browser, played as two people.
