//! One port each, and the only place that names an SDK.

pub mod memory;
