//! Records: what can be decoded can be encoded, and then decoded to the same.

use zookeeper_core::wire::{
    Decode, Encode, Measure, Op, Reader, ReplyHeader, Request, RequestHeader, Response, Txn,
    TxnHeader,
};

/// A request's frame: header and record.
///
/// # Panics
///
/// When the record does not survive a round trip.
pub fn request_decode(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(header) = RequestHeader::decode(&mut reader) else {
        assert!(data.len() < RequestHeader::LENGTH);
        return;
    };
    assert_eq!(header.to_vec(), data[..RequestHeader::LENGTH]);
    let Some(op) = Op::from_code(header.op) else { return };
    let Ok(request) = Request::decode(op, &mut reader) else { return };
    assert_eq!(request.op(), op);
    assert!(op.is_request());
    let encoded = request.to_vec();
    assert_eq!(measure(&request), encoded.len());
    // What a lenient reader takes for the same value has the same length: nothing is made up.
    let consumed = data.len() - RequestHeader::LENGTH - reader.rest().len();
    assert_eq!(encoded.len(), consumed);
    let mut again = Reader::new(&encoded);
    assert_eq!(Request::decode(op, &mut again), Ok(request));
    assert!(again.rest().is_empty());
}

/// The code of the operation, then its reply's frame: header and record.
///
/// # Panics
///
/// When the record does not survive a round trip.
pub fn response_decode(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok(code) = i32::decode(&mut reader) else { return };
    let Ok(header) = ReplyHeader::decode(&mut reader) else { return };
    assert_eq!(header.to_vec(), data[4..4 + ReplyHeader::LENGTH]);
    let Some(op) = Op::from_code(code) else { return };
    let Ok(response) = Response::decode(op, &mut reader) else { return };
    let encoded = response.to_vec();
    assert_eq!(measure(&response), encoded.len());
    let mut again = Reader::new(&encoded);
    assert_eq!(Response::decode(op, &mut again), Ok(response));
    assert!(again.rest().is_empty());
}

/// The payload of a log record: header and body.
///
/// # Panics
///
/// When the transaction does not survive a round trip.
pub fn txn_decode(data: &[u8]) {
    let mut reader = Reader::new(data);
    let Ok((header, op)) = TxnHeader::decode(&mut reader) else { return };
    let mut encoded = Vec::new();
    header.encode(op, &mut encoded);
    assert_eq!(encoded, data[..TxnHeader::LENGTH]);
    let Ok(txn) = Txn::decode_body(op, &mut reader) else { return };
    // A reconfiguration is logged, and read, as what it does: new data for one znode.
    assert_eq!(txn.op(), if op == Op::Reconfig { Op::SetData } else { op });
    let mut encoded = Vec::new();
    txn.encode_body(&mut encoded);
    assert_eq!(txn.encoded_length(), TxnHeader::LENGTH + encoded.len());
    let mut again = Reader::new(&encoded);
    assert_eq!(Txn::decode_body(txn.op(), &mut again), Ok(txn));
    assert!(again.rest().is_empty());
}

fn measure(record: &impl Encode) -> usize {
    let mut measure = Measure::default();
    record.encode(&mut measure);
    measure.0
}
