//! Which Regions the account has.

/// Regions that the account can use.
pub(super) const ENABLED: [&str; 5] = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"];

/// Regions that have to be opted in to, and are not.
pub(super) const NOT_OPTED_IN: [&str; 2] = ["af-south-1", "ap-east-1"];

/// An enabled Region by its name.
pub(super) fn enabled(name: &str) -> Option<&'static str> {
    ENABLED.into_iter().find(|known| *known == name)
}
