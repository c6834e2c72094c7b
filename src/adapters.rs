//! One port each, and the only place that names an SDK.

pub mod aws;
pub mod clock;
pub mod memory;
pub mod redis;
pub mod slack;
pub mod vault;
