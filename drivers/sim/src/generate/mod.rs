//! Arbitrary input, made from a seed.

pub mod values;
pub mod wire;
