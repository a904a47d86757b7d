//! A transaction log.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::log(data));
