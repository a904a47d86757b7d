//! Reading znodes.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    ArgumentError, Chroot, Error, Operation, Repetition, RequestError, Watchable, check_path,
    names, rooted,
};
use crate::wire::{Blob, ErrorCode, PathRequest, ReadRequest, Request, Response, Stat};

/// A znode's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data {
    /// The bytes; none where the data are null.
    pub data: Bytes,
    /// Whether the znode was given no data at all, rather than no bytes.
    pub is_null: bool,
    /// The znode's stat.
    pub stat: Stat,
}

impl Data {
    pub(super) fn new(data: Option<Blob<'_>>, stat: Stat) -> Self {
        let is_null = data.is_none();
        let data = match data {
            None => Bytes::new(),
            Some(Blob::Slice(bytes)) => Bytes::copy_from_slice(bytes),
            Some(Blob::Shared(bytes)) => bytes.clone(),
        };
        Self { data, is_null, stat }
    }

    /// What a reply with data means.
    pub(super) fn from_reply(result: Result<Response<'_>, RequestError>) -> Result<Self, Error> {
        match result? {
            Response::Data { data, stat } => Ok(Self::new(data, stat)),
            _ => Err(Error::UnexpectedReply),
        }
    }
}

/// A znode's children.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Children {
    /// Their names, without the parent's path; in the server's order, which means nothing.
    pub names: Vec<String>,
    /// The parent's stat.
    pub stat: Stat,
}

/// Declares a read of one znode.
macro_rules! read {
    ($(#[$meta:meta])* $name:ident -> $output:ty, $record:ident { $($field:ident: $value:expr)? },
     |$result:ident| $decode:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct $name<'a> {
            /// The znode.
            pub path: Cow<'a, str>,
        }

        impl<'a> $name<'a> {
            /// Of this znode.
            pub fn new(path: impl Into<Cow<'a, str>>) -> Self {
                Self { path: path.into() }
            }
        }

        impl Operation for $name<'_> {
            type Output = $output;

            fn with_request<R>(
                &self,
                chroot: &Chroot,
                submit: impl FnOnce(&Request<'_>) -> R,
            ) -> Result<R, ArgumentError> {
                let path = rooted(chroot, &self.path)?;
                let record = $record { path: Some((&*path).into()), $($field: $value)? };
                Ok(submit(&Request::$name(record)))
            }

            fn output(
                _chroot: &Chroot,
                $result: Result<Response<'_>, RequestError>,
            ) -> Result<$output, Error> {
                $decode
            }

            fn repetition(&self) -> Repetition {
                Repetition::Harmless
            }
        }
    };
}

read! {
    /// Reads a znode's stat, or that there is none. Its watch waits for a znode to come, if there
    /// is none.
    Exists -> Option<Stat>, ReadRequest { watch: false },
    |result| match result {
        // What upstream takes for no znode, too.
        Ok(Response::Stat(stat)) => Ok((stat.czxid.0 != -1).then_some(stat)),
        Ok(_) => Err(Error::UnexpectedReply),
        Err(RequestError::Server(ErrorCode::NO_NODE)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Watchable for Exists<'_> {}

read! {
    /// Reads a znode's data and stat.
    GetData -> Data, ReadRequest { watch: false }, |result| Data::from_reply(result)
}

impl Watchable for GetData<'_> {}

read! {
    /// Lists the names of a znode's children.
    GetChildren -> Vec<String>, ReadRequest { watch: false },
    |result| match result? {
        Response::Names(list) => names(list),
        _ => Err(Error::UnexpectedReply),
    }
}

impl Watchable for GetChildren<'_> {}

read! {
    /// Lists the names of a znode's children, and reads its stat.
    GetChildren2 -> Children, ReadRequest { watch: false },
    |result| match result? {
        Response::Children2 { children, stat } => Ok(Children { names: names(children)?, stat }),
        _ => Err(Error::UnexpectedReply),
    }
}

impl Watchable for GetChildren2<'_> {}

read! {
    /// Counts everything below a znode.
    GetAllChildrenNumber -> u32, PathRequest {},
    |result| match result? {
        Response::Count(count) => u32::try_from(count).map_err(|_| Error::UnexpectedReply),
        _ => Err(Error::UnexpectedReply),
    }
}

/// Lists the paths of the session's own ephemeral znodes. It knows no chroot: both the prefix and
/// the paths are the server's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetEphemerals<'a> {
    /// What the paths begin with, as text: `/a` takes in `/ab`. `/` takes in all.
    pub prefix: Cow<'a, str>,
}

impl<'a> GetEphemerals<'a> {
    /// Those that begin with this.
    pub fn new(prefix: impl Into<Cow<'a, str>>) -> Self {
        Self { prefix: prefix.into() }
    }
}

impl Default for GetEphemerals<'_> {
    /// All of them.
    fn default() -> Self {
        Self::new("/")
    }
}

impl Operation for GetEphemerals<'_> {
    type Output = Vec<String>;

    fn with_request<R>(
        &self,
        _chroot: &Chroot,
        submit: impl FnOnce(&Request<'_>) -> R,
    ) -> Result<R, ArgumentError> {
        check_path(&self.prefix)?;
        let path = Some((&*self.prefix).into());
        Ok(submit(&Request::GetEphemerals(PathRequest { path })))
    }

    fn output(
        _chroot: &Chroot,
        result: Result<Response<'_>, RequestError>,
    ) -> Result<Vec<String>, Error> {
        match result? {
            Response::Names(list) => names(list),
            _ => Err(Error::UnexpectedReply),
        }
    }

    fn repetition(&self) -> Repetition {
        Repetition::Harmless
    }
}
