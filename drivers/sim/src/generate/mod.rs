//! Arbitrary input, made from a seed.

pub mod requests;
pub mod script;
pub mod values;
pub mod wire;
