//! A subtree as lines: what they say, where they come from, and how znodes are made of them.

mod importer;
mod line;
mod reader;

pub(crate) use self::{
    importer::{AclPolicy, Existing, Importer, Progress},
    line::{End, Header, Kind, Line, NodeLine, relative},
    reader::LineReader,
};
