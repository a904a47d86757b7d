//! A process without a free descriptor. Alone in its file, because it takes all of them.
#![cfg(unix)]

mod common;

#[path = "../../common/tests/server/descriptors.rs"]
mod descriptors;
