//! All files of a store.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::recovery(data));
