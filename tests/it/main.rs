//! Integration tests.

mod browser;
mod contract;
mod crash;
mod docs;
mod doors;
mod faults;
mod redis_server;
mod talk;
mod tidy;
mod world;
