//! Arbitrary input, made from a seed.

pub mod wire;
