//! Where evidence packs go: a folder, or a bucket that nobody can delete from.

pub mod directory;
pub mod s3;
