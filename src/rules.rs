//! The rules and the engine as a crate of their own, for tests that run them some million times: without the AWS SDK it
//! is built in seconds and can be optimised. Its manifest is `tests/rules/Cargo.toml`.

pub mod adapters {
    //! The store in memory.
    pub mod memory;
}
pub mod config;
pub mod domain;
pub mod engine;
pub mod ports;
