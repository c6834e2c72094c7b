//! What CloudTrail says about a stolen credential: from records to what its thief did, reached and left behind.
//!
//! Reading goes in two steps, so that memory stays small whatever the size of the logs. [`reach`] goes through all
//! records and keeps the few that *may* matter: those of credentials that can be reached from the stolen one,
//! whatever the order in which they stand. [`analysis`] then works out exactly, over what was kept, who did what
//! ([`attribution`]), how each credential was reached ([`lineage`]) and what is left of it ([`footprint`]).

pub mod analysis;
pub mod attribution;
pub mod bots;
pub mod classify;
pub mod coverage;
pub mod deed;
pub mod entrance;
pub mod event;
pub mod footprint;
pub mod grant;
pub mod limits;
pub mod lineage;
pub mod log_bucket;
pub mod name;
pub mod named;
pub mod parameters;
pub mod passed;
pub mod reach;
pub mod record;
pub mod renamed;
pub mod resource;
pub mod selected;
pub mod skim;
pub mod switch;
pub mod token;
pub mod uploaded;
mod way;
pub mod within;

#[cfg(test)]
mod tests;
