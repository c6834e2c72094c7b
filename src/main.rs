//! irp
fn main() {}
