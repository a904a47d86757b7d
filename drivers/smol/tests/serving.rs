//! Clients that behave, in numbers and in odd rhythms.

mod common;

#[path = "../../common/tests/server/serving.rs"]
mod serving;
