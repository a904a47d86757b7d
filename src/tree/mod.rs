//! The data tree.
mod watches;
pub use watches::*;
