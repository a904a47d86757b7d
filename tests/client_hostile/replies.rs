//! Bad frames in a session.

use zookeeper_core::{
    Disconnect, Zxid,
    client::{LostReason, RequestError, Warning},
    wire::{
        DecodeError, Encode, ErrorCode, EventKind, FrameError, ReplyHeader, Response, Stat,
        WatcherEvent, Xid,
    },
};
use zookeeper_sim::{
    client::{Options, World},
    pair::{Body, request::get_data},
};

use super::table::{Expect, News, Row, check, server_error};

/// The limit of a reply's length.
const MAX: usize = 0xf_ffff;

fn data() -> Vec<u8> {
    Response::Data { data: Some((&b"data"[..]).into()), stat: Stat::default() }.to_vec()
}

fn header(xid: i32, zxid: i64) -> Vec<u8> {
    ReplyHeader { xid: Xid(xid), zxid: Zxid(zxid), error: ErrorCode::OK }.to_array().to_vec()
}

/// The first `count` bytes of a frame that announces `length`, with a header and zeros.
fn beginning(length: usize, xid: i32, count: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap();
    let mut bytes = [&length.to_be_bytes()[..], &header(xid, 0x100)].concat();
    bytes.resize(count, 0);
    bytes
}

fn good_reply(world: &mut World, xid: i32) {
    let zxid = world.script.zxid;
    world.reply(xid, zxid, ErrorCode::OK, &data());
}

fn is_data(body: &Body) -> bool {
    body.data() == Some(b"data")
}

#[test]
fn lengths() {
    check(&[
        Row {
            name: "garbage",
            act: |world| world.say(&[0xaa; 100]),
            expect: Expect::Lost(|reason| {
                matches!(reason, LostReason::Frame(FrameError::Negative(_)))
            }),
        },
        Row {
            name: "text",
            act: |world| world.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            expect: Expect::Lost(|reason| {
                matches!(reason, LostReason::XidMismatch { expected: Xid(2), .. })
            }),
        },
        Row {
            name: "a length of -1",
            act: |world| world.say(&[0xff; 4]),
            expect: Expect::Lost(|reason| *reason == LostReason::Frame(FrameError::Negative(-1))),
        },
        Row {
            name: "the most negative length",
            act: |world| world.say(&[0x80, 0, 0, 0]),
            expect: Expect::Lost(|reason| {
                *reason == LostReason::Frame(FrameError::Negative(i32::MIN))
            }),
        },
        Row {
            name: "an empty frame",
            act: |world| world.frame(&[]),
            expect: Expect::Lost(|reason| {
                matches!(reason, LostReason::Malformed { error: DecodeError::Truncated(_), .. })
            }),
        },
        Row {
            name: "half a header",
            act: |world| world.frame(&[0; 15]),
            expect: Expect::Lost(|reason| {
                matches!(reason, LostReason::Malformed { error: DecodeError::Truncated(1), .. })
            }),
        },
        Row {
            name: "a ping's reply of the largest length",
            act: |world| world.say(&beginning(i32::MAX as usize, -2, 20)),
            expect: Expect::Lost(|reason| {
                let length = i32::MAX as usize;
                *reason == LostReason::Frame(FrameError::TooLong { length, max: MAX })
            }),
        },
        Row {
            name: "a reply of the largest length with an unknown number",
            act: |world| world.say(&beginning(i32::MAX as usize, 77, 20)),
            expect: Expect::Lost(|reason| {
                matches!(reason, LostReason::XidMismatch { received: Xid(77), .. })
            }),
        },
    ]);
}

#[test]
fn replies_that_are_too_large_fail_alone() {
    fn too_large(length: usize) -> impl Fn(&Result<Body, RequestError>) -> bool {
        move |outcome| *outcome == Err(RequestError::ReplyTooLarge { length, max: MAX })
    }
    check(&[
        Row {
            name: "one byte over the limit",
            act: |world| world.say(&beginning(MAX + 1, 2, MAX + 5)),
            expect: Expect::Completes(|outcome| too_large(MAX + 1)(outcome)),
        },
        Row {
            name: "twenty times the limit, in parts",
            act: |world| {
                world.say(&beginning(20 * MAX, 2, 20));
                world.settle();
                for _ in 0..20 {
                    world.say(&vec![0x55; MAX - 16]);
                    world.settle();
                }
                // The header was a part of the frame.
                world.say(&[0x55; 19 * 16]);
            },
            expect: Expect::Completes(|outcome| too_large(20 * MAX)(outcome)),
        },
        Row {
            name: "the limit itself",
            act: |world| world.say(&beginning(MAX, 2, MAX + 4)),
            // It is read: zeros are an empty record, and a stat.
            expect: Expect::Completes(|outcome| {
                outcome.as_ref().is_ok_and(|body| body.data() == Some(b""))
            }),
        },
        Row {
            name: "a notification over the limit",
            act: |world| world.say(&beginning(MAX + 1, -1, MAX + 5)),
            expect: Expect::Warns(|warning| *warning == Warning::NotificationTooLarge(MAX + 1)),
        },
    ]);
}

#[test]
fn numbers() {
    check(&[
        Row {
            name: "an unknown number",
            act: |world| good_reply(world, 999),
            expect: Expect::Lost(|reason| {
                *reason == LostReason::XidMismatch { expected: Xid(2), received: Xid(999) }
            }),
        },
        Row {
            name: "a reply twice",
            act: |world| {
                good_reply(world, 2);
                good_reply(world, 2);
            },
            expect: Expect::FailsAndLost(
                |outcome| outcome.as_ref().is_ok_and(is_data),
                |reason| *reason == LostReason::XidMismatch { expected: Xid(3), received: Xid(2) },
            ),
        },
        Row {
            name: "replies out of order",
            act: |world| {
                good_reply(world, 3);
                good_reply(world, 2);
            },
            expect: Expect::Lost(|reason| {
                *reason == LostReason::XidMismatch { expected: Xid(2), received: Xid(3) }
            }),
        },
        Row {
            name: "a reply of the past",
            act: |world| good_reply(world, 1),
            expect: Expect::Lost(|reason| {
                *reason == LostReason::XidMismatch { expected: Xid(2), received: Xid(1) }
            }),
        },
        Row {
            name: "the number of SetWatches",
            act: |world| good_reply(world, -8),
            expect: Expect::Lost(|reason| {
                *reason == LostReason::XidMismatch { expected: Xid(2), received: Xid(-8) }
            }),
        },
        Row {
            name: "a handshake's answer once more",
            act: |world| world.frame(&[0; 37]),
            expect: Expect::Lost(|reason| {
                *reason == LostReason::XidMismatch { expected: Xid(2), received: Xid(0) }
            }),
        },
        Row {
            name: "a ping's reply that nobody asked for",
            act: |world| world.reply(-2, Zxid(0x7fff_ffff), ErrorCode::OK, &[]),
            expect: Expect::Nothing,
        },
        Row {
            name: "an authentication's reply that nobody asked for",
            act: |world| world.reply(-4, Zxid::ZERO, ErrorCode::OK, &[]),
            expect: Expect::Warns(|warning| *warning == Warning::UnexpectedAuthReply),
        },
    ]);
    // With nothing in flight.
    let mut world = World::new(Options::new(1));
    good_reply(&mut world, 1);
    let news = News::of(&mut world);
    assert_eq!(news.reasons, [LostReason::UnexpectedReply(Xid(1))]);
    world.finish();
}

#[test]
fn records() {
    check(&[
        Row {
            name: "a reply without its record",
            act: |world| world.reply(2, Zxid(0x100), ErrorCode::OK, &[]),
            expect: Expect::FailsAndLost(
                |outcome| {
                    let error = RequestError::MalformedReply(DecodeError::Truncated(4));
                    *outcome == Err(error)
                },
                |reason| matches!(reason, LostReason::Malformed { .. }),
            ),
        },
        Row {
            name: "a record with a byte too few",
            act: |world| world.reply(2, Zxid(0x100), ErrorCode::OK, &data()[..data().len() - 1]),
            expect: Expect::FailsAndLost(
                |outcome| matches!(outcome, Err(RequestError::MalformedReply(_))),
                |reason| matches!(reason, LostReason::Malformed { .. }),
            ),
        },
        Row {
            name: "a record with a negative length",
            act: |world| {
                let record = [&(-7_i32).to_be_bytes()[..], &data()].concat();
                world.reply(2, Zxid(0x100), ErrorCode::OK, &record);
            },
            expect: Expect::FailsAndLost(
                |outcome| {
                    let error = RequestError::MalformedReply(DecodeError::NegativeLength(-7));
                    *outcome == Err(error)
                },
                |reason| matches!(reason, LostReason::Malformed { .. }),
            ),
        },
        Row {
            name: "bytes behind a record",
            act: |world| {
                world.reply(2, Zxid(0x100), ErrorCode::OK, &[data(), vec![7; 90]].concat())
            },
            expect: Expect::Completes(|outcome| outcome.as_ref().is_ok_and(is_data)),
        },
        Row {
            name: "an unknown error code",
            act: |world| world.reply(2, Zxid(0x100), ErrorCode(-999), &[]),
            expect: Expect::Completes(|outcome| server_error(outcome) == Some(ErrorCode(-999))),
        },
        Row {
            name: "a positive error code and a record",
            act: |world| world.reply(2, Zxid(0x100), ErrorCode(5), &data()),
            expect: Expect::Completes(|outcome| server_error(outcome) == Some(ErrorCode(5))),
        },
        Row {
            name: "a code that only clients use",
            act: |world| world.reply(2, Zxid(0x100), ErrorCode::CONNECTION_LOSS, &[]),
            expect: Expect::Completes(|outcome| {
                server_error(outcome) == Some(ErrorCode::CONNECTION_LOSS)
            }),
        },
    ]);
}

#[test]
fn zxids() {
    let mut world = World::new(Options::new(1));
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        world.submit(&get_data(path, false));
    }
    let _ = world.take();
    let last = |world: &mut World, zxid| {
        world.answer_raw(Zxid(zxid), ErrorCode::NO_NODE, &[]);
        let news = News::of(world);
        assert_eq!(news.outcomes.len(), 1);
        (world.session().last_zxid().0, news.warnings)
    };
    // Failures count too. The newest is kept, and what is not a transaction is not taken for one.
    assert_eq!(last(&mut world, 0x200), (0x200, vec![]));
    let warning = Warning::ZxidBackwards { seen: Zxid(0x200), received: Zxid(0x150) };
    assert_eq!(last(&mut world, 0x150), (0x200, vec![warning]));
    assert_eq!(last(&mut world, -1), (0x200, vec![]));
    assert_eq!(last(&mut world, 0), (0x200, vec![]));
    assert_eq!(last(&mut world, i64::MAX), (i64::MAX, vec![]));
    // Neither pings nor notifications count.
    world.reply(-2, Zxid(0x900), ErrorCode::OK, &[]);
    world.settle();
    assert_eq!(world.session().last_zxid(), Zxid(i64::MAX));
    world.finish();
}

fn event(kind: i32, path: Option<&[u8]>) -> Vec<u8> {
    let path = path.map(Into::into);
    let event = WatcherEvent { kind, state: WatcherEvent::SYNC_CONNECTED, path };
    [header(-1, 0x101), event.to_vec()].concat()
}

#[test]
fn notifications() {
    check(&[
        Row {
            name: "an unknown kind",
            act: |world| world.frame(&event(42, Some(b"/w"))),
            expect: Expect::Warns(|warning| *warning == Warning::UnknownEventKind(42)),
        },
        Row {
            name: "the kind of a session's event",
            act: |world| world.frame(&event(-1, Some(b"/w"))),
            expect: Expect::Warns(|warning| *warning == Warning::UnknownEventKind(-1)),
        },
        Row {
            name: "the kind of a removal",
            act: |world| world.frame(&event(5, Some(b"/w"))),
            expect: Expect::Warns(|warning| *warning == Warning::UnknownEventKind(5)),
        },
        Row {
            name: "no path",
            act: |world| world.frame(&event(3, None)),
            expect: Expect::Warns(|warning| {
                *warning == Warning::MalformedNotification(DecodeError::UnexpectedNull)
            }),
        },
        Row {
            name: "a path that is no text",
            act: |world| world.frame(&event(3, Some(&[b'/', 0xff]))),
            expect: Expect::Warns(|warning| {
                *warning == Warning::MalformedNotification(DecodeError::InvalidText)
            }),
        },
        Row {
            name: "a header alone",
            act: |world| world.frame(&header(-1, 5)),
            expect: Expect::Warns(|warning| {
                *warning == Warning::MalformedNotification(DecodeError::Truncated(4))
            }),
        },
        Row {
            name: "a path that nobody watches",
            act: |world| world.notify(EventKind::NodeDeleted, "/other", 0x101),
            expect: Expect::Nothing,
        },
        Row {
            name: "no path at all",
            act: |world| world.notify(EventKind::NodeDataChanged, "", 0x101),
            expect: Expect::Nothing,
        },
    ]);
}

#[test]
fn ends() {
    check(&[
        Row {
            name: "the end in a length",
            act: |world| {
                world.say(&[0, 0]);
                world.lose(Disconnect::End);
            },
            expect: Expect::Lost(|reason| *reason == LostReason::Network(Disconnect::End)),
        },
        Row {
            name: "the end in a frame",
            act: |world| {
                world.say(&beginning(100, 2, 50));
                world.lose(Disconnect::End);
            },
            expect: Expect::Lost(|reason| *reason == LostReason::Network(Disconnect::End)),
        },
        Row {
            name: "a reset in a frame",
            act: |world| {
                world.say(&beginning(100, 2, 50));
                world.settle();
                world.lose(Disconnect::Reset);
            },
            expect: Expect::Lost(|reason| *reason == LostReason::Network(Disconnect::Reset)),
        },
        Row {
            name: "the end in a frame that is too large",
            act: |world| {
                world.say(&beginning(2 * MAX, 2, MAX));
                world.lose(Disconnect::End);
            },
            expect: Expect::FailsAndLost(
                |outcome| matches!(outcome, Err(RequestError::ReplyTooLarge { .. })),
                |reason| *reason == LostReason::Network(Disconnect::End),
            ),
        },
        Row {
            name: "a good reply, and the end",
            act: |world| {
                good_reply(world, 2);
                world.lose(Disconnect::End);
            },
            expect: Expect::FailsAndLost(
                |outcome| outcome.as_ref().is_ok_and(is_data),
                |reason| *reason == LostReason::Network(Disconnect::End),
            ),
        },
    ]);
}
