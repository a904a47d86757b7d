//! A client's whole session: requests, servers' answers and time as a list of steps.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::client(data));
