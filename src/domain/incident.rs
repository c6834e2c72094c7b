//! One compromise: what has happened (`event`), how it stands (`state`), what people and the engine
//! ask of it (`command`), what the rules answer (`decide`), and what the outside still owes it (`owed`).

mod assignment;
pub mod command;
pub mod decide;
mod default_version;
pub mod doors;
pub mod doubt;
pub mod eradication;
mod estate;
pub mod event;
pub mod evolve;
pub mod execution;
mod freeze;
pub mod hands;
pub mod hunting;
mod identity;
pub mod inventory;
mod late;
pub mod logs;
pub mod others;
pub mod outcome;
mod outlived;
pub mod overruling;
mod overwritten;
pub mod owed;
pub mod quiet;
pub mod reached;
pub mod remains;
pub mod renamed;
pub mod risk;
pub mod rotation;
pub mod rules;
mod scene;
mod scp;
pub mod started;
pub mod state;
pub mod steps;
mod strangers;
pub mod together;
mod undelivered;
mod uploaded;
pub mod verdict;
pub mod watch;
pub mod whole;

#[cfg(test)]
pub(crate) mod tests;
