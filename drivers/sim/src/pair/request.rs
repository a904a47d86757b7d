//! Requests, briefly.

use zookeeper_core::wire::{
    AclEntry, Blob, CreateRequest, List, MultiOp, MultiOps, PathRequest, ReadRequest, Request,
    SetDataRequest, Text, VersionRequest, WatchRequest, perms,
};

/// Everybody may do everything.
pub const OPEN: &[AclEntry<'static>] = &[AclEntry {
    perms: perms::ALL,
    scheme: Some(Text::from_static("world")),
    id: Some(Text::from_static("anyone")),
}];

/// A znode that stays.
pub const PERSISTENT: i32 = 0;
/// A znode that goes with its session.
pub const EPHEMERAL: i32 = 1;
/// A znode with a number behind its name.
pub const SEQUENTIAL: i32 = 2;

/// The record of a create.
#[must_use]
pub fn new_znode<'a>(path: &'a str, data: &'a [u8], flags: i32) -> CreateRequest<'a> {
    CreateRequest {
        path: Some(path.into()),
        data: Some(Blob::Slice(data)),
        acl: Some(List::new(OPEN)),
        flags,
    }
}

/// Makes a znode that stays.
#[must_use]
pub fn create<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::Create(new_znode(path, data, PERSISTENT))
}

/// Makes a znode of any kind.
#[must_use]
pub fn create_as(path: &str, flags: i32) -> Request<'_> {
    Request::Create(new_znode(path, b"", flags))
}

/// Removes a znode of any version.
#[must_use]
pub fn delete(path: &str) -> Request<'_> {
    Request::Delete(VersionRequest { path: Some(path.into()), version: -1 })
}

/// Replaces a znode's data, whatever its version.
#[must_use]
pub fn set_data<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    let data = Some(Blob::Slice(data));
    Request::SetData(SetDataRequest { path: Some(path.into()), data, version: -1 })
}

/// Reads a znode's data.
#[must_use]
pub fn get_data(path: &str, watch: bool) -> Request<'_> {
    Request::GetData(ReadRequest { path: Some(path.into()), watch })
}

/// Asks whether there is a znode.
#[must_use]
pub fn exists(path: &str, watch: bool) -> Request<'_> {
    Request::Exists(ReadRequest { path: Some(path.into()), watch })
}

/// Lists children.
#[must_use]
pub fn get_children(path: &str, watch: bool) -> Request<'_> {
    Request::GetChildren(ReadRequest { path: Some(path.into()), watch })
}

/// Waits for everything before it.
#[must_use]
pub fn sync(path: &str) -> Request<'_> {
    Request::Sync(PathRequest { path: Some(path.into()) })
}

/// Sets a watch that stays; mode 1 is recursive.
#[must_use]
pub fn add_watch(path: &str, mode: i32) -> Request<'_> {
    Request::AddWatch(WatchRequest { path: Some(path.into()), mode })
}

/// Several writes at once.
#[must_use]
pub const fn multi<'a>(operations: &'a [MultiOp<'a>]) -> Request<'a> {
    Request::Multi(MultiOps::new(operations))
}

/// Several reads at once.
#[must_use]
pub const fn multi_read<'a>(operations: &'a [MultiOp<'a>]) -> Request<'a> {
    Request::MultiRead(MultiOps::new(operations))
}
