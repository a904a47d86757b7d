//! Arbitrary input, made from a seed.

pub mod requests;
pub mod values;
pub mod wire;
