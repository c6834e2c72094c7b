//! The rules: what an incident is, who may do what, what an action means. Pure: no clock, no
//! randomness, no network, no SDK type. Time and identities come in as values.

pub mod action;
pub mod alert;
pub mod approval;
pub mod blast_radius;
pub mod credential;
pub mod hunt;
pub mod id;
pub mod identification;
pub mod incident;
pub mod inventory;
pub mod observation;
pub mod playbook;
pub mod policy;
pub mod recusal;
pub mod refusal;
pub mod secret;
pub mod stored;
pub mod trail;
