//! Containment in one go, the watch over it, and what one person may do alone, at the level of the rules.

mod assignment;
pub(crate) mod case;
mod containment;
mod doors;
mod eradication;
mod evolve;
mod execution;
mod followed;
mod freeze;
mod glass;
mod hands;
mod hunt;
mod inventory;
mod logs;
mod once;
mod outsiders;
mod quiet;
mod recusal;
mod remains;
mod removal;
mod scaling;
mod signs_in;
mod together;
mod watch;
mod whole;
mod whose;
