//! `irp` carries a team through an AWS credential compromise in Slack, with two people behind every
//! change. `ARCHITECTURE.md` has the map.

pub mod adapters;
pub mod boot;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod http;
pub mod intake;
pub mod ports;
pub mod telemetry;
pub mod view;
pub mod workers;
