//! A reply's frame, behind the code of its operation.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::response_decode(data));
