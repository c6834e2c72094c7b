//! Integration tests.

#![allow(clippy::unwrap_used, reason = "in a test, a panic that names the line is the report")]

mod approvals;
mod browser;
mod calls;
mod cases;
mod check;
mod containment;
mod contract;
mod crash;
mod default_version;
mod docs;
mod doors;
mod entrances;
mod eradication;
mod estate;
mod faults;
mod fleets;
mod forged;
mod forms;
mod groups;
mod hands;
mod hangup;
mod hunt;
mod identity_center;
mod inventory;
mod long_plans;
mod manifests;
mod many;
mod organization;
mod outsiders;
mod pack;
mod peers;
mod permission_sets;
mod port;
mod program;
mod redis_proxy;
mod redis_server;
mod renamed;
mod scaling;
mod talk;
mod tampered;
mod tidy;
mod trail;
mod whereabouts;
mod world;
