//! Arbitrary input, made from a seed.

pub mod script;
pub mod values;
pub mod wire;
