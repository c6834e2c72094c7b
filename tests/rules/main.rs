//! The rules themselves: every order of events in a model, and whole incidents from seeds.

#![allow(clippy::unwrap_used, reason = "in a test, a panic that names the line is the report")]

extern crate irp_rules as irp;

mod model;
mod search;
mod sim;
