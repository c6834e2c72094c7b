//! Integration tests.

mod contract;
mod redis_server;
