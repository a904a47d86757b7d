//! Answers: what a reply is made of, borrowed from the tree.

use std::borrow::Cow;

use super::{
    Tree, acl,
    apply::Outcome,
    node::{Node, NodeId, Nodes},
};
use crate::{
    ids::Zxid,
    wire::{
        Acl, AclEntry, Blob, ClientInfo, ErrorCode, Id, List, ListSource, MultiResult,
        MultiResults, Response, Stat, Text,
    },
};

/// The answer to a request. [`Answer::response`] is the record of the reply.
#[derive(Debug)]
pub struct Answer<'t> {
    error: ErrorCode,
    hold: Zxid,
    body: Body<'t>,
}

#[derive(Debug)]
pub(super) enum Body<'t> {
    Empty,
    Path(Option<Cow<'t, [u8]>>),
    Created { path: &'t str, stat: Stat },
    Stat(Stat),
    Data(&'t Node),
    Acl { acl: AclEntries<'t>, stat: Stat },
    Children { children: Names<'t>, stat: Option<Stat> },
    Ephemerals(Paths<'t>),
    Outcomes(Outcomes<'t>),
    Reads(Reads<'t>),
    Count(i32),
    Identities(Identities),
    Registered,
}

/// A znode's ACL, some of it perhaps masked.
#[derive(Debug)]
pub(super) struct AclEntries<'t>(pub(super) Cow<'t, [Acl]>);

/// The names of a znode's children.
#[derive(Debug)]
pub(super) struct Names<'t> {
    pub(super) nodes: &'t Nodes,
    pub(super) node: &'t Node,
}

/// The paths of some znodes.
#[derive(Debug)]
pub(super) struct Paths<'t> {
    pub(super) nodes: &'t Nodes,
    pub(super) ids: Vec<NodeId>,
}

/// The results of a multi.
#[derive(Debug)]
pub(super) struct Outcomes<'t>(&'t [Outcome]);

/// The results of a multiRead.
#[derive(Debug)]
pub(super) struct Reads<'t>(pub(super) Vec<ReadResult<'t>>);

/// One of them.
#[derive(Debug)]
pub(super) enum ReadResult<'t> {
    Data(&'t Node),
    Children(Names<'t>),
    Error(ErrorCode),
}

/// Schemes and users.
#[derive(Debug)]
pub(super) struct Identities(pub(super) Vec<Id>);

impl<'t> Answer<'t> {
    pub(super) const fn new(hold: Zxid, body: Body<'t>) -> Self {
        Self { error: ErrorCode::OK, hold, body }
    }

    pub(super) const fn failed(hold: Zxid, error: ErrorCode) -> Self {
        Self { error, hold, body: Body::Empty }
    }

    /// An error with a record behind it all the same.
    pub(super) const fn with_error(mut self, error: ErrorCode) -> Self {
        self.error = error;
        self
    }

    /// Why it failed, if it did.
    #[must_use]
    pub const fn error(&self) -> ErrorCode {
        self.error
    }

    /// The newest transaction that the answer shows.
    #[must_use]
    pub const fn hold(&self) -> Zxid {
        self.hold
    }

    /// The record.
    #[must_use]
    pub fn response(&self) -> Response<'_> {
        match &self.body {
            Body::Empty => Response::Empty,
            Body::Path(path) => Response::Path(path.as_deref().map(Text::from)),
            Body::Created { path, stat } => {
                Response::Create2 { path: Some((*path).into()), stat: *stat }
            }
            Body::Stat(stat) => Response::Stat(*stat),
            Body::Data(node) => Response::Data { data: data(node), stat: node.stat() },
            Body::Acl { acl, stat } => {
                Response::Acl { acl: Some(List::from_source(acl)), stat: *stat }
            }
            Body::Children { children, stat: None } => {
                Response::Names(Some(List::from_source(children)))
            }
            Body::Children { children, stat: Some(stat) } => {
                Response::Children2 { children: Some(List::from_source(children)), stat: *stat }
            }
            Body::Ephemerals(paths) => Response::Names(Some(List::from_source(paths))),
            Body::Outcomes(outcomes) => Response::Multi(MultiResults::new(outcomes)),
            Body::Reads(reads) => Response::Multi(MultiResults::new(reads)),
            Body::Count(count) => Response::Count(*count),
            Body::Identities(ids) => Response::Identities(Some(List::from_source(ids))),
            Body::Registered => Response::Error(ErrorCode::OK),
        }
    }
}

impl Tree {
    /// The answer to a write that came to `outcome`.
    #[must_use]
    pub fn answer<'t>(&'t self, outcome: &'t Outcome) -> Answer<'t> {
        let body = match outcome {
            Outcome::Failed(error) => return Answer::failed(self.last_zxid, *error),
            Outcome::Inconsistent => {
                return Answer::failed(self.last_zxid, ErrorCode::RUNTIME_INCONSISTENCY);
            }
            Outcome::Done | Outcome::Checked => Body::Empty,
            Outcome::Created { path, stat: None } => Body::Path(Some(path.as_bytes().into())),
            Outcome::Created { path, stat: Some(stat) } => Body::Created { path, stat: *stat },
            Outcome::Changed(stat) => Body::Stat(*stat),
            Outcome::Multi(outcomes) => Body::Outcomes(Outcomes(outcomes)),
        };
        Answer::new(self.last_zxid, body)
    }
}

impl<'a> ListSource<'a, AclEntry<'a>> for AclEntries<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn element(&'a self, index: usize) -> AclEntry<'a> {
        self.0[index].as_entry()
    }
}

impl<'a> ListSource<'a, ClientInfo<'a>> for Identities {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn element(&'a self, index: usize) -> ClientInfo<'a> {
        let id = &self.0[index];
        ClientInfo { scheme: Some((&*id.scheme).into()), user: Some(acl::user(id).into()) }
    }
}

impl<'a> ListSource<'a, MultiResult<'a>> for Reads<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn element(&'a self, index: usize) -> MultiResult<'a> {
        match &self.0[index] {
            ReadResult::Data(node) => MultiResult::GetData { data: data(node), stat: node.stat() },
            ReadResult::Children(names) => {
                MultiResult::GetChildren { children: Some(List::from_source(names)) }
            }
            ReadResult::Error(error) => MultiResult::Error(*error),
        }
    }
}

impl<'a> ListSource<'a, Option<Text<'a>>> for Names<'_> {
    fn count(&self) -> usize {
        self.node.children.len()
    }

    fn element(&'a self, index: usize) -> Option<Text<'a>> {
        Some(self.node.child_name(self.nodes.get(self.node.children[index])).into())
    }
}

impl<'a> ListSource<'a, Option<Text<'a>>> for Paths<'_> {
    fn count(&self) -> usize {
        self.ids.len()
    }

    fn element(&'a self, index: usize) -> Option<Text<'a>> {
        Some((&*self.nodes.get(self.ids[index]).path).into())
    }
}

impl<'a> ListSource<'a, MultiResult<'a>> for Outcomes<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn element(&'a self, index: usize) -> MultiResult<'a> {
        match &self.0[index] {
            Outcome::Failed(error) => MultiResult::Error(*error),
            Outcome::Created { path, stat: None } => {
                MultiResult::Create { path: Some((&**path).into()) }
            }
            Outcome::Created { path, stat: Some(stat) } => {
                MultiResult::Create2 { path: Some((&**path).into()), stat: *stat }
            }
            Outcome::Changed(stat) => MultiResult::SetData { stat: *stat },
            Outcome::Checked => MultiResult::Check,
            // No other operation of a multi has no record.
            Outcome::Done | Outcome::Multi(_) | Outcome::Inconsistent => MultiResult::Delete,
        }
    }
}

/// A znode's data as a reply carries it.
fn data(node: &Node) -> Option<Blob<'_>> {
    node.data.as_ref().map(Blob::Shared)
}
