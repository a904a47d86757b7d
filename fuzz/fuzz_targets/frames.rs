//! A connection behind its handshake, cut up in several ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::frames(data));
