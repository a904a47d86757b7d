//! Frames that are wrong, and connections that never become sessions.

use zookeeper_core::wire::{Encode, Op};
use zookeeper_core::{FRAME_LENGTH_MAX, Rng};

use super::commands::WORDS;
use super::pools::{UNKNOWN_OPS, between, pick};
use super::requests::{Piece, auth_of};
use super::script::{Frame, Outsider};

/// Spoils a request such that it is answered all the same.
pub(crate) fn spoil(rng: &mut Rng, piece: &mut Piece) {
    // The connection ends with these, or there is nothing to spoil.
    let is_spared = piece.record.is_empty()
        || [Op::Auth.code(), Op::Sasl.code(), Op::Sync.code()].contains(&piece.op);
    if is_spared {
        return;
    }
    match rng.below(5) {
        0 | 1 => {
            let kept = between(rng, 0, piece.record.len() - 1);
            piece.record.truncate(kept);
            // What is left of a zxid is as good as any other number.
            piece.zxid_age = piece.zxid_age.filter(|_| kept >= 8);
            piece.text.push_str(&format!(" cut to {kept} bytes"));
        }
        2 | 3 => {
            let count = between(rng, 1, 9);
            piece.record.extend(vec![0xaa; count]);
            piece.text.push_str(&format!(" with {count} bytes more"));
        }
        _ => {
            // Where most records hold the length of a path.
            let length = pick(rng, &[-1, -2, -9, i32::MIN, i32::MAX, 1_048_576, 0]);
            if piece.zxid_age.is_none() && piece.record.len() >= 4 && piece.op != Op::Multi.code() {
                piece.record[..4].copy_from_slice(&length.to_be_bytes());
                piece.text.push_str(&format!(" with path length {length}"));
            }
        }
    }
}

/// A frame that ends its connection, unanswered or not.
pub(crate) fn ending(rng: &mut Rng, xid: i32) -> Frame {
    let over = i32::try_from(FRAME_LENGTH_MAX).unwrap_or(i32::MAX) + 1;
    match rng.below(12) {
        0 => Frame::raw("a frame of length 0", 0, Vec::new()),
        1 => {
            let length = pick(rng, &[-1, -2, i32::MIN]);
            Frame::raw(&format!("a frame of length {length}"), length, Vec::new())
        }
        2 => {
            let length = pick(rng, &[over, over * 2, i32::MAX]);
            Frame::raw(&format!("a frame of length {length}"), length, vec![0; 64])
        }
        3 => {
            let length = between(rng, 1, 7);
            let announced = i32::try_from(length).unwrap_or(0);
            Frame::raw(&format!("half a header of {length} bytes"), announced, vec![0; length])
        }
        4 => second_handshake(),
        5 => {
            let word = u32::from_be_bytes(*b"ruok").cast_signed();
            Frame::raw("a four-letter word", word, Vec::new())
        }
        6 | 7 => {
            let op = pick(rng, &UNKNOWN_OPS);
            Frame::request(xid, op, &format!("operation {op}"), &vec![0; between(rng, 0, 30)])
        }
        8 => {
            let scheme = pick(rng, &["sasl", "x509", "world", "super", "foo", ""]);
            of(xid, &auth_of(Some(scheme), Some(b"a:b")))
        }
        9 => of(xid, &auth_of(Some("digest"), None)),
        10 => Frame::request(xid, Op::Sasl.code(), "sasl without a token", &(-1).to_vec()),
        _ => {
            let op = pick(rng, &[Op::Auth, Op::Sasl]);
            let record = vec![0; between(rng, 0, 3)];
            Frame::request(xid, op.code(), &format!("{op} cut to {} bytes", record.len()), &record)
        }
    }
}

/// The frame of a request.
#[must_use]
pub(crate) fn of(xid: i32, piece: &Piece) -> Frame {
    let mut frame = Frame::request(xid, piece.op, &piece.text, &piece.record);
    frame.zxid = piece.zxid_age.map(|age| super::script::ZxidSlot { offset: 8, age });
    frame
}

/// A four-letter word, or something that is neither a word nor a handshake.
pub(crate) fn outsider(rng: &mut Rng) -> Outsider {
    if !rng.one_in(3) {
        let word = pick(rng, &WORDS);
        return Outsider { text: word.to_owned(), bytes: word.into(), is_command: true };
    }
    let short = of(1, &auth_of(None, None));
    let long = of(1, &auth_of(Some("digest"), Some(&[b'x'; 40])));
    let garbage: [(&str, Vec<u8>); 11] = [
        (
            "a short request before the handshake",
            [&short.length.to_vec()[..], &short.bytes].concat(),
        ),
        ("a long request before the handshake", [&long.length.to_vec()[..], &long.bytes].concat()),
        ("stmk", b"stmk\0\0\0\0\0\0\x01\x32".to_vec()),
        ("what telnet sends on an interrupt", b"\xff\xf4\xff\xfd".to_vec()),
        ("length 0", vec![0; 4]),
        ("length -1", vec![0xff; 4]),
        ("an oversized length", vec![0, 0x10, 0, 0]),
        ("half a handshake", [&[0, 0, 0, 20][..], &[0; 20]].concat()),
        ("a handshake without password", [&[0, 0, 0, 24][..], &[0; 24]].concat()),
        ("a handshake with a password beyond its end", {
            [&[0, 0, 0, 44][..], &[0; 24], &[0, 0, 0, 99], &[0; 16]].concat()
        }),
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    let (text, bytes) = pick(rng, &garbage);
    Outsider { text: text.to_owned(), bytes, is_command: text == "stmk" }
}

/// A handshake where a request should be: its first eight bytes are read as a header with an
/// operation that no server knows.
fn second_handshake() -> Frame {
    let mut bytes = vec![0; 45];
    bytes[27] = 16;
    Frame::raw("a second handshake", 45, bytes)
}
