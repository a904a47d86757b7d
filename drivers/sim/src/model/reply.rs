//! Replies that own what they say, in a form that can be compared.

use zookeeper_core::wire::{AclEntry, MultiResult, Paths, Response, Stat, Text};

/// A stored ACL: permissions, scheme, id.
pub type Acl = Vec<(i32, String, String)>;

/// A reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The error, zero for none.
    pub error: i32,
    /// The record.
    pub body: Body,
}

/// The record of a reply. Names stand in ascending order: ZooKeeper leaves their order open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// No record.
    Empty,
    /// A path.
    Path(Option<String>),
    /// A path and a stat.
    Created(Option<String>, Stat),
    /// A stat.
    Stat(Stat),
    /// Data and a stat.
    Data(Option<Vec<u8>>, Stat),
    /// An ACL and a stat.
    Acl(Acl, Stat),
    /// Names or paths.
    Names(Vec<String>),
    /// Names and a stat.
    Children(Vec<String>, Stat),
    /// A number.
    Count(i32),
    /// Schemes and users.
    Identities(Vec<(String, String)>),
    /// `addWatch`'s error code.
    Error(i32),
    /// One result for each operation: the type of its header, and its record.
    Multi(Vec<(i32, Self)>),
}

impl Reply {
    /// Success.
    #[must_use]
    pub const fn ok(body: Body) -> Self {
        Self { error: 0, body }
    }

    /// Failure.
    #[must_use]
    pub const fn failed(error: i32) -> Self {
        Self { error, body: Body::Empty }
    }
}

impl Body {
    /// What a record says.
    ///
    /// # Panics
    ///
    /// For the record of `sasl`, which no script asks for, and for a null list.
    #[must_use]
    pub fn of(response: &Response<'_>) -> Self {
        match response {
            Response::Empty => Self::Empty,
            Response::Path(path) => Self::Path(path.map(string)),
            Response::Create2 { path, stat } => Self::Created(path.map(string), *stat),
            Response::Stat(stat) => Self::Stat(*stat),
            Response::Data { data, stat } => Self::Data(data.map(|data| data.to_vec()), *stat),
            Response::Acl { acl, stat } => {
                let acl = acl.as_ref().expect("a stored ACL is never null");
                Self::Acl(acl.iter().map(entry).collect(), *stat)
            }
            Response::Names(list) => Self::Names(names(list.as_ref())),
            Response::Children2 { children, stat } => {
                Self::Children(names(children.as_ref()), *stat)
            }
            Response::Multi(results) => {
                Self::Multi(results.iter().map(|result| Self::of_result(&result)).collect())
            }
            Response::Count(count) => Self::Count(*count),
            Response::Identities(list) => {
                let list = list.as_ref().expect("a connection has identities");
                let info = |text: Option<Text<'_>>| text.map(string).unwrap_or_default();
                Self::Identities(
                    list.iter().map(|one| (info(one.scheme), info(one.user))).collect(),
                )
            }
            Response::Error(error) => Self::Error(error.0),
            _ => panic!("no script asks for {response:?}"),
        }
    }

    fn of_result(result: &MultiResult<'_>) -> (i32, Self) {
        match result {
            MultiResult::Create { path } => (1, Self::Path(path.map(string))),
            MultiResult::Create2 { path, stat } => (15, Self::Created(path.map(string), *stat)),
            MultiResult::Delete => (2, Self::Empty),
            MultiResult::SetData { stat } => (5, Self::Stat(*stat)),
            MultiResult::Check => (13, Self::Empty),
            MultiResult::GetData { data, stat } => {
                (4, Self::Data(data.map(|data| data.to_vec()), *stat))
            }
            MultiResult::GetChildren { children } => (8, Self::Names(names(children.as_ref()))),
            MultiResult::Error(error) => (-1, Self::Error(error.0)),
        }
    }
}

fn names(list: Option<&Paths<'_>>) -> Vec<String> {
    let list = list.expect("a list of names is never null");
    let mut names: Vec<String> =
        list.iter().map(|name| name.map(string).unwrap_or_default()).collect();
    names.sort_unstable();
    names
}

fn entry(entry: AclEntry<'_>) -> (i32, String, String) {
    let part = |text: Option<Text<'_>>| text.map(string).unwrap_or_default();
    (entry.perms, part(entry.scheme), part(entry.id))
}

fn string(text: Text<'_>) -> String {
    text.to_str_lossy().into_owned()
}
