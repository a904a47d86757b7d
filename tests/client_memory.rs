//! What an operation of the client costs in memory, byte for byte: a counting allocator is this
//! program's own.
//!
//! There is one test, since the allocator counts whatever runs at the same time.

use peak_alloc::PeakAlloc;
use zookeeper_core::{
    client::{
        Chroot,
        operation::{Data, Exists, GetData, Operation, SetData},
    },
    wire::{Encode, Measure, Op, Reader, Request, Response, Stat},
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most that `work` held at one time beyond what was held before.
fn held<T>(work: impl FnOnce() -> T) -> (usize, T) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let output = work();
    (ALLOCATOR.peak_usage() - before, output)
}

fn request_length(operation: &impl Operation, chroot: &Chroot) -> usize {
    let measure = |request: &Request<'_>| {
        let mut length = Measure::default();
        request.encode(&mut length);
        length.0
    };
    operation.with_request(chroot, measure).unwrap()
}

fn reply(data: &[u8]) -> Vec<u8> {
    Response::Data { data: Some(data.into()), stat: Stat::default() }.to_vec()
}

fn read(bytes: &[u8]) -> Data {
    let response = Response::decode(Op::GetData, &mut Reader::new(bytes)).unwrap();
    GetData::output(&Chroot::none(), Ok(response)).unwrap()
}

#[test]
fn a_read_costs_its_data_alone() {
    let data = vec![7; 1_000];
    let (full, empty) = (reply(&data), reply(&[]));

    let none = Chroot::none();
    assert_eq!(held(|| request_length(&GetData::new("/app/znode"), &none)), (0, 15));
    assert_eq!(held(|| request_length(&Exists::new("/app/znode"), &none)), (0, 15));
    let set = SetData::new("/app/znode", &data, Some(1));
    assert_eq!(held(|| request_length(&set, &none)), (0, 1_022));
    let (bytes, output) = held(|| read(&full));
    assert_eq!((bytes, output.data.len()), (1_000, 1_000));
    assert_eq!(held(|| read(&empty)).0, 0);

    // With a chroot: the server's path, once.
    let app = Chroot::new("/app").unwrap();
    assert_eq!(held(|| request_length(&GetData::new("/znode"), &app)), (10, 15));
}
