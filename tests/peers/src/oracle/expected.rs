//! The expected differences between Apache ZooKeeper as Debian packages it and this server: the
//! whole table, and the only place where a difference is excused.

use zookeeper_core::wire::{ErrorCode, MultiOp, MultiOps, Op, Reader};

use super::script::Frame;
use super::seen::{Kind, Seen};

/// A difference that is meant, or that upstream does not define.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its short name.
    pub(crate) name: &'static str,
    /// Why it is no bug.
    pub(crate) reason: &'static str,
    /// Recognises it in a pair.
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
    /// Found that their server counts this frame's zxid for something that ours does not count.
    Burned,
    /// The same with the zxid after the frame's, which shows with their next transaction.
    BurnsNext,
}

const MARSHALLING_ERROR: i32 = ErrorCode::MARSHALLING_ERROR.0;
const NO_AUTH: i32 = ErrorCode::NO_AUTH.0;
const NO_WATCHER: i32 = ErrorCode::NO_WATCHER.0;

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
            let undecodable = theirs.error == MARSHALLING_ERROR;
            if write && undecodable && theirs.zxid == ours.zxid + 1 {
                Effect::Burned
            } else {
                Effect::None
            }
        },
    },
    Row {
        name: "null path in multi",
        reason: "upstream takes a zxid, trips over the null, and then does not use the zxid",
        rule: |case, theirs, ours| {
            let both = [theirs, ours].iter().all(|seen| seen.error == MARSHALLING_ERROR);
            let frame = case.frame.filter(|_| both && is_op(case, Op::Multi));
            if frame.is_some_and(|frame| has_null_path(frame.record())) {
                Effect::BurnsNext
            } else {
                Effect::None
            }
        },
    },
    Row {
        name: "exists without READ",
        reason: "3.8.0 as Debian patches it answers and leaves the watch; later versions refuse",
        rule: |case, theirs, ours| {
            let exists = is_op(case, Op::Exists) && theirs.error == 0;
            alike_if(exists && ours.error == NO_AUTH, || {
                ours.error = 0;
                ours.lines.clone_from(&theirs.lines);
            })
        },
    },
    Row {
        name: "watch types 4 and 5",
        reason: "checkWatches and removeWatches know them since 3.9 only",
        rule: |case, theirs, ours| {
            let types = is_op(case, Op::CheckWatches) || is_op(case, Op::RemoveWatches);
            alike_if(
                types && theirs.error == MARSHALLING_ERROR && [0, NO_WATCHER].contains(&ours.error),
                || {
                    ours.error = theirs.error;
                },
            )
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

/// Whether a multi can be decoded but for a path that is not there.
fn has_null_path(record: &[u8]) -> bool {
    let mut reader = Reader::new(record);
    let Ok(operations) = reader.read::<MultiOps<'_>>() else { return false };
    operations.iter().any(|operation| match operation {
        MultiOp::Create(create) | MultiOp::Create2(create) | MultiOp::CreateContainer(create) => {
            create.path.is_none()
        }
        MultiOp::CreateTtl(create) => create.path.is_none(),
        MultiOp::Delete(request) | MultiOp::Check(request) => request.path.is_none(),
        MultiOp::SetData(request) => request.path.is_none(),
        MultiOp::GetData(_) | MultiOp::GetChildren(_) => false,
    })
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
