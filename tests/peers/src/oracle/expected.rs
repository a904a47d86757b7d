//! The expected differences between Apache ZooKeeper as Debian packages it and this server: the
//! whole table, and the only place where a difference is excused.

use zookeeper_core::wire::{ErrorCode, Op};

use super::script::Frame;
use super::seen::{Kind, Seen};

/// A difference that is meant, or that upstream does not define.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its short name.
    pub(crate) name: &'static str,
    /// Why it is no bug.
    pub(crate) reason: &'static str,
    /// Recognises it in a pair that differs.
    pub(crate) rule: fn(&Case<'_>, &mut Seen, &mut Seen) -> Effect,
}

/// Where a pair stands.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    /// The request, if this is its reply.
    pub(crate) frame: Option<&'a Frame>,
    /// The row that the step names as its own, if it does.
    pub(crate) unlike: Option<&'static str>,
}

/// What a row did to a pair: theirs first, ours second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing: it is about something else.
    None,
    /// Made the pair more alike.
    Alike,
    /// Found that their server counts a transaction here which ours does not.
    Burned,
}

/// `check` as a request of its own.
pub(crate) const TOP_LEVEL_CHECK: &str = "check outside multi";
/// `createSession` as a request.
pub(crate) const CREATE_SESSION: &str = "createSession from a client";
/// `deleteContainer` as a request.
pub(crate) const DELETE_CONTAINER: &str = "deleteContainer from a client";

/// Every expected difference.
pub(crate) const TABLE: &[Row] = &[
    Row {
        name: "zxid of events",
        reason: "before 3.9 a notification's header carries -1, later the transaction's zxid",
        rule: |_, theirs, ours| {
            alike_if(theirs.kind == Kind::Event && theirs.zxid == -1 && ours.zxid > 0, || {
                ours.zxid = -1;
            })
        },
    },
    Row {
        name: "create2 in multi",
        reason: "3.8.0 answers it with create's result, later versions with path and stat",
        rule: |case, theirs, ours| {
            let multi = is_op(case, Op::Multi) && theirs.lines.len() == ours.lines.len();
            alike_if(multi && ours.lines.iter().any(|line| line.starts_with("create2 ")), || {
                for (theirs, ours) in theirs.lines.iter().zip(&mut ours.lines) {
                    if theirs.starts_with("create ") && ours.starts_with("create2 ") {
                        *ours = ours.split(' ').take(2).collect::<Vec<_>>().join(" ");
                        ours.replace_range(.."create2".len(), "create");
                    }
                }
            })
        },
    },
    Row {
        name: "undecodable writes",
        reason: "upstream logs an error transaction for a write it cannot decode; ours logs nothing",
        rule: |case, theirs, ours| {
            let write = case.frame.and_then(|frame| Op::from_code(frame.op()));
            let write = write.is_some_and(Op::is_write);
            let undecodable = theirs.error == ErrorCode::MARSHALLING_ERROR.0;
            if write && undecodable && theirs.zxid == ours.zxid + 1 {
                Effect::Burned
            } else {
                Effect::None
            }
        },
    },
    Row {
        name: "watch types 4 and 5",
        reason: "checkWatches and removeWatches know them since 3.9 only",
        rule: |case, theirs, ours| {
            let types = is_op(case, Op::CheckWatches) || is_op(case, Op::RemoveWatches);
            alike_if(types && theirs.error == -5 && [0, -121].contains(&ours.error), || {
                ours.error = -5;
            })
        },
    },
    Row {
        name: TOP_LEVEL_CHECK,
        reason: "3.8.0 takes it for a transaction and never answers; it is unknown since 3.9.3",
        rule: |case, theirs, ours| burned(case, TOP_LEVEL_CHECK, theirs, ours),
    },
    Row {
        name: CREATE_SESSION,
        reason: "upstream tracks the session anew and answers in mid-stream; here it is unknown",
        rule: |case, theirs, ours| burned(case, CREATE_SESSION, theirs, ours),
    },
    Row {
        name: DELETE_CONTAINER,
        reason: "upstream lets any client do it without a permission check; here it is unknown",
        rule: |case, theirs, ours| burned(case, DELETE_CONTAINER, theirs, ours),
    },
];

fn is_op(case: &Case<'_>, op: Op) -> bool {
    case.frame.is_some_and(|frame| frame.op() == op.code())
}

fn alike_if(condition: bool, change: impl FnOnce()) -> Effect {
    if condition {
        change();
        return Effect::Alike;
    }
    Effect::None
}

/// After a step that is not compared, their server may be one transaction ahead.
fn burned(case: &Case<'_>, name: &str, theirs: &Seen, ours: &Seen) -> Effect {
    let ahead = theirs.zxid == ours.zxid + 1;
    if case.unlike == Some(name) && ahead { Effect::Burned } else { Effect::None }
}
