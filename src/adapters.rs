//! One port each, and the only place that names an SDK.

pub mod clock;
pub mod memory;
pub mod slack;
