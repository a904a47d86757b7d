//! A standalone server.
