//! A server's lives: clients, faults of the disk and power cuts as a list of steps.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zookeeper_sim::fuzz::crash(data));
