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
    /// Found that a server counts a transaction here which the other does not count: at so many
    /// zxids from the one in its header.
    Burns {
        /// On the reference.
        theirs: Option<i64>,
        /// On the server under test.
        ours: Option<i64>,
    },
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
        name: "supplementary characters",
        reason: "Java writes them as surrogates of three bytes each, which are not UTF-8",
        rule: |_, theirs, ours| {
            let escaped = |line: &String| {
                let surrogates = "\u{fffd}".repeat(6);
                line.replace(|letter| letter > '\u{ffff}', &surrogates)
            };
            alike_if(
                theirs != ours && theirs.lines.iter().any(|line| line.contains("\u{fffd}")),
                || {
                    ours.lines = ours.lines.iter().map(escaped).collect();
                },
            )
        },
    },
    Row {
        name: "undecodable writes",
        reason: "upstream logs an error for a write that it cannot decode; ours logs nothing",
        rule: |case, theirs, ours| {
            let write = case.frame.and_then(|frame| Op::from_code(frame.op()));
            let write = write.is_some_and(Op::is_write);
            let undecodable = theirs.error == MARSHALLING_ERROR;
            if write && undecodable && theirs.zxid == ours.zxid + 1 {
                Effect::Burns { theirs: Some(0), ours: None }
            } else {
                Effect::None
            }
        },
    },
    Row {
        name: "null path in multi",
        reason: "upstream takes a zxid, trips over the null and skips the zxid; ours logs an error",
        rule: |case, theirs, ours| {
            let both = [&theirs, &ours].iter().all(|seen| seen.error == MARSHALLING_ERROR);
            let frame = case.frame.filter(|_| both && is_op(case, Op::Multi));
            let is_null = frame.is_some_and(|frame| has_null_path(frame.record()));
            if is_null && theirs.zxid + 1 == ours.zxid {
                Effect::Burns { theirs: Some(1), ours: Some(0) }
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
        name: "odd create in multi",
        reason: "3.8.0 fails the operation for its flags or null ACL, later versions the request",
        rule: |case, theirs, ours| {
            let failed = theirs.error == 0 && ours.error == MARSHALLING_ERROR;
            let frame = case.frame.filter(|_| failed && is_op(case, Op::Multi));
            let is_odd = frame.is_some_and(|frame| has_odd_create(frame.record()));
            alike_if(is_odd && theirs.lines.iter().all(|line| line.starts_with("error ")), || {
                ours.error = 0;
                ours.lines.clone_from(&theirs.lines);
            })
        },
    },
    Row {
        name: "somebody's watch",
        reason: "3.8.0's checkWatches finds any client's watch, and none on the empty path",
        rule: |case, theirs, ours| {
            let path = case.frame.map(|frame| frame.record().first_chunk());
            let is_found = theirs.error == 0 && ours.error == NO_WATCHER;
            let is_empty =
                path == Some(Some(&[0; 4])) && theirs.error == NO_WATCHER && ours.error == 0;
            alike_if(is_op(case, Op::CheckWatches) && (is_found || is_empty), || {
                ours.error = theirs.error;
            })
        },
    },
    Row {
        name: "order of identities",
        reason: "scheme auth stands for a set of identities, and upstream's has no order",
        rule: |case, theirs, ours| {
            let sorted = |seen: &Seen| {
                let mut lines = seen.lines.clone();
                lines.sort();
                lines
            };
            let is_other = theirs.lines != ours.lines && is_op(case, Op::GetAcl);
            alike_if(is_other && sorted(theirs) == sorted(ours), || {
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

/// Whether a multi holds a create with flags that its operation does not take, or a null ACL.
fn has_odd_create(record: &[u8]) -> bool {
    let mut reader = Reader::new(record);
    let Ok(operations) = reader.read::<MultiOps<'_>>() else { return false };
    operations.iter().any(|operation| match operation {
        MultiOp::Create(create) | MultiOp::Create2(create) | MultiOp::CreateContainer(create) => {
            !(0..=4).contains(&create.flags) || create.acl.is_none()
        }
        MultiOp::CreateTtl(create) => !(0..=6).contains(&create.flags) || create.acl.is_none(),
        _ => false,
    })
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
    if case.unlike == Some(name) && ahead {
        Effect::Burns { theirs: Some(0), ours: None }
    } else {
        Effect::None
    }
}
