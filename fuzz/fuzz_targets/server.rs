//! A whole server: clients, their bytes, the store and time as a list of operations.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::server(data));
