//! A snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::snapshot(data));
