//! A whole connection from its first byte, cut up in several ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::handshake(data));
