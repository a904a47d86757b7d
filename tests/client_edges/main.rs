//! A client's session at its edges: drivers that break the contract, ends that nobody confirms, and
//! limits that are reached or make no sense.

mod closing;
mod limits;
mod misuse;
