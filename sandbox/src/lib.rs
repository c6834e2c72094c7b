//! A Slack workspace and an AWS account to play and test against: strict where the real ones are,
//! stateful, on loopback only. This crate knows nothing of the bot that it is used with, and so
//! cannot flatter it.

pub mod aws;
pub mod clock;
pub mod page;
pub mod scenario;
pub mod slack;
pub mod terminal;
