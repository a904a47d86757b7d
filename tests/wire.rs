//! Properties of the wire format: every record, both ways, whole, cut short and damaged.

use std::fmt::Debug;

use quickcheck::{Gen, QuickCheck};
use zookeeper_core::{
    Rng,
    wire::{
        ConnectRequest, ConnectResponse, Decode, DecodeError, Encode, ErrorCode, Measure,
        MultiHeader, Op, Reader, Request, Response, Sink, Txn, TxnHeader,
    },
};
use zookeeper_sim::{
    generate::{
        values::{index, number},
        wire::{Records, reply_header, request_header, stat, txn_header, with_records},
    },
    replay,
};

#[test]
fn requests_round_trip() {
    check(|seed| {
        with_records(seed, |records, rng| {
            for &op in Op::ALL {
                let request = records.request(rng, op);
                assert_eq!(request.is_some(), op.is_request(), "{op}");
                if let Some(request) = request {
                    assert_eq!(request.op(), op);
                    examine(records, &request, rng, |reader| Request::decode(op, reader), &[]);
                }
            }
        });
    });
}

#[test]
fn responses_round_trip() {
    check(|seed| {
        with_records(seed, |records, rng| {
            for &op in Op::ALL {
                if let Some(response) = records.response(rng, op) {
                    examine(records, &response, rng, |reader| Response::decode(op, reader), &[]);
                } else {
                    assert!(Response::decode(op, &mut Reader::new(&[0; 64])).is_err());
                }
            }
        });
    });
}

#[test]
fn handshakes_round_trip() {
    check(|seed| {
        with_records(seed, |records, rng| {
            // A legacy peer leaves out the last byte.
            let request = records.connect_request(rng);
            let legacy = ConnectRequest { read_only: None, ..request }.to_vec().len();
            examine(records, &request, rng, Decode::decode, &[legacy]);
            let response = records.connect_response(rng);
            let legacy = ConnectResponse { read_only: None, ..response }.to_vec().len();
            examine(records, &response, rng, Decode::decode, &[legacy]);
        });
    });
}

#[test]
fn headers_and_events_round_trip() {
    check(|seed| {
        with_records(seed, |records, rng| {
            examine(records, &request_header(rng), rng, Decode::decode, &[]);
            examine(records, &reply_header(rng), rng, Decode::decode, &[]);
            examine(records, &records.watcher_event(rng), rng, Decode::decode, &[]);
            examine(records, &stat(rng), rng, Decode::decode, &[]);
            examine(records, &records.leaves().entry(rng), rng, Decode::decode, &[]);
            let (op, done) = (number(rng), rng.one_in(2));
            let header = MultiHeader { op, done, error: ErrorCode(number(rng)) };
            examine(records, &header, rng, Decode::decode, &[]);
        });
    });
}

#[test]
fn transactions_round_trip() {
    check(|seed| {
        with_records(seed, |records, rng| {
            for &op in Op::ALL {
                let Some(txn) = records.txn(rng, op) else { continue };
                assert_eq!(txn.op(), op);
                let body = Body(txn);
                let length = body.to_vec().len();
                assert_eq!(body.0.encoded_length(), TxnHeader::LENGTH + length);
                // Old logs lack the end of some records.
                let legal = match &body.0 {
                    Txn::Create { .. } if op != Op::CreateTtl => Some(length - 4),
                    Txn::CloseSession { .. } => Some(0),
                    _ => None,
                };
                examine(records, &body, rng, |reader| body_of(op, reader), legal.as_slice());
            }
        });
    });
}

#[test]
fn transaction_headers_round_trip() {
    check(|seed| {
        let mut rng = Rng::new(seed);
        for &op in Op::ALL {
            let header = txn_header(&mut rng);
            let mut bytes = Vec::new();
            header.encode(op, &mut bytes);
            assert_eq!(bytes.len(), TxnHeader::LENGTH);
            assert_eq!(TxnHeader::decode(&mut Reader::new(&bytes)), Ok((header, op)));
            for length in 0..bytes.len() {
                assert!(TxnHeader::decode(&mut Reader::new(&bytes[..length])).is_err());
            }
        }
    });
}

/// A transaction's body as a record.
#[derive(PartialEq, Debug)]
struct Body<'a>(Txn<'a>);

impl Encode for Body<'_> {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        self.0.encode_body(out);
    }
}

fn body_of<'a>(op: Op, reader: &mut Reader<'a>) -> Result<Body<'a>, DecodeError> {
    Txn::decode_body(op, reader).map(Body)
}

/// Runs `property` on many seeds; `ZK_SEED` repeats a run.
fn check(property: fn(u64)) {
    let generator = Gen::from_size_and_seed(100, replay::seed());
    QuickCheck::new().rng(generator).tests(300).quickcheck(property);
}

/// Encodes `value` and decodes it whole, with something behind it, cut short (which is an error but
/// for the lengths in `legal`) and damaged.
fn examine<'a, T: Encode + PartialEq + Debug>(
    records: &Records<'a>,
    value: &T,
    rng: &mut Rng,
    decode: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
    legal: &[usize],
) {
    let length = value.to_vec().len();
    let mut measure = Measure::default();
    value.encode(&mut measure);
    assert_eq!(measure.0, length);

    let bytes = records.keep(value.to_vec());
    let mut reader = Reader::new(bytes);
    let decoded = decode(&mut reader).expect("what was encoded can be decoded");
    assert_eq!(&decoded, value);
    assert_eq!(decoded.to_vec(), bytes);
    assert!(reader.rest().is_empty());

    for cut in cuts(rng, length) {
        let outcome = decode(&mut Reader::new(&bytes[..cut]));
        assert!(outcome.is_err() || legal.contains(&cut), "{cut} of {length} bytes: {outcome:?}");
    }
    examine_trailing(records, value, rng, &decode, legal);
    examine_damaged(records, bytes, rng, &decode);
}

/// Bytes behind a record stay where they are and change nothing.
fn examine_trailing<'a, T: Encode + PartialEq + Debug>(
    records: &Records<'a>,
    value: &T,
    rng: &mut Rng,
    decode: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
    legal: &[usize],
) {
    let mut bytes = value.to_vec();
    let length = bytes.len();
    if legal.contains(&length) {
        // The field that may be left out was: what follows would be taken for it.
        return;
    }
    bytes.extend((0..1 + index(rng, 9)).map(|_| 0xee));
    let mut reader = Reader::new(records.keep(bytes));
    let whole = reader.rest();
    assert_eq!(decode(&mut reader).as_ref(), Ok(value));
    assert_eq!(reader.rest(), &whole[length..]);
}

/// Damage is an error or another record, and that one round-trips.
fn examine_damaged<'a, T: Encode + PartialEq + Debug>(
    records: &Records<'a>,
    bytes: &[u8],
    rng: &mut Rng,
    decode: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) {
    if bytes.is_empty() {
        return;
    }
    let mut damaged = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let [.., new] = number(rng).to_be_bytes();
        damaged[index(rng, bytes.len())] = new;
    }
    let Ok(decoded) = decode(&mut Reader::new(records.keep(damaged))) else { return };
    let again = decode(&mut Reader::new(records.keep(decoded.to_vec())));
    assert_eq!(again, Ok(decoded));
}

/// Lengths to cut a record of `length` bytes to: all, or a part of many.
fn cuts(rng: &mut Rng, length: usize) -> Vec<usize> {
    if length <= 300 {
        return (0..length).collect();
    }
    let edges = (0..64).chain(length - 64..length);
    edges.chain((0..64).map(|_| index(rng, length))).collect()
}
