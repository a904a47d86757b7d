//! Requests and replies as bytes, and what operations make of them.

use zookeeper_core::{
    client::{ArgumentError, Chroot, Error, RequestError, operation::*},
    wire::{Encode, MultiHeader, MultiResult, Op, Reader, Request, Response, Stat},
};

/// Lends the request to `look` after a trip through bytes.
pub(crate) fn sent<O: Operation, T>(
    operation: &O,
    chroot: &Chroot,
    look: impl FnOnce(&Request<'_>) -> T,
) -> Result<T, ArgumentError> {
    operation.with_request(chroot, |request| {
        let bytes = request.to_vec();
        let mut reader = Reader::new(&bytes);
        let decoded = Request::decode(request.op(), &mut reader).expect("a legal request");
        assert_eq!(decoded.to_vec(), bytes);
        assert!(reader.rest().is_empty());
        look(&decoded)
    })
}

/// The path in the request.
pub(crate) fn server_path<O: Operation>(
    operation: &O,
    chroot: &Chroot,
) -> Result<String, ArgumentError> {
    sent(operation, chroot, |request| path_of(request).unwrap().to_owned())
}

pub(crate) fn path_of<'a>(request: &Request<'a>) -> Option<&'a str> {
    let path = match request {
        Request::Create(record) | Request::Create2(record) | Request::CreateContainer(record) => {
            record.path
        }
        Request::CreateTtl(record) => record.path,
        Request::Delete(record) => record.path,
        Request::Exists(record)
        | Request::GetData(record)
        | Request::GetChildren(record)
        | Request::GetChildren2(record) => {
            assert!(!record.watch, "the session sets the flag");
            record.path
        }
        Request::SetData(record) => record.path,
        Request::SetAcl(record) => record.path,
        Request::GetAcl(record)
        | Request::Sync(record)
        | Request::GetEphemerals(record)
        | Request::GetAllChildrenNumber(record) => record.path,
        Request::AddWatch(record) => record.path,
        other => panic!("{} has no path", other.op()),
    };
    path.map(|path| path.to_str().unwrap())
}

/// What a reply of these bytes means.
pub(crate) fn output<O: Operation>(
    chroot: &Chroot,
    op: Op,
    bytes: &[u8],
) -> Result<O::Output, Error> {
    let response = Response::decode(op, &mut Reader::new(bytes)).expect("a legal reply");
    O::output(chroot, Ok(response))
}

pub(crate) fn failure<O: Operation>(error: RequestError) -> Result<O::Output, Error> {
    O::output(&app(), Err(error))
}

pub(crate) fn app() -> Chroot {
    Chroot::new("/app").unwrap()
}

pub(crate) fn stat(version: i32) -> Stat {
    Stat { version, ..Stat::default() }
}

pub(crate) fn results(results: &[MultiResult<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    results.iter().for_each(|result| result.encode(&mut bytes));
    MultiHeader::END.encode(&mut bytes);
    bytes
}
