//! The rules themselves: every order of events in a model, whole incidents from seeds, and the engine step by step.

#![allow(clippy::unwrap_used, reason = "in a test, a panic that names the line is the report")]

extern crate irp_rules as irp;

mod engine;
mod model;
mod search;
mod sim;
