//! Listens to what leaves for one socket: nothing may leave before it is stable.

use zookeeper_core::{
    SessionId,
    wire::{LENGTH_BYTES, Reader, ReplyHeader},
};

use super::store::{Said, Store};

/// Bytes of a frame that say whether it may leave: its length, and a header or the first three
/// fields of a ConnectResponse.
const HEAD_LENGTH: usize = LENGTH_BYTES + ReplyHeader::LENGTH;

/// What left for one socket, frame by frame.
#[derive(Debug, Default)]
pub(super) struct Tap {
    head: Vec<u8>,
    /// Bytes of the current frame behind its head.
    skip: usize,
    has_handshake: bool,
}

impl Tap {
    /// Lets the store hear what leaves; it knows what a power cut could take back.
    pub(super) fn push(&mut self, mut bytes: &[u8], store: &mut impl Store) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let missing = (HEAD_LENGTH - self.head.len()).min(bytes.len());
            if self.skip > 0 || missing == 0 {
                continue;
            }
            self.head.extend(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.head.len() == HEAD_LENGTH {
                if let Some(said) = self.said() {
                    store.hear(said);
                }
                self.head.clear();
            }
        }
    }

    /// What the head says that must be stable; a refusal says nothing.
    fn said(&mut self) -> Option<Said> {
        let mut reader = Reader::new(&self.head);
        let length: i32 = reader.read().expect("the head is whole");
        let length = usize::try_from(length).expect("a frame has a length");
        assert!(length >= ReplyHeader::LENGTH, "a frame of {length} bytes");
        self.skip = length - ReplyHeader::LENGTH;
        if self.has_handshake {
            let header: ReplyHeader = reader.read().expect("the head is whole");
            Some(Said::Zxid(header.zxid))
        } else {
            self.has_handshake = true;
            let _version_and_timeout: i64 = reader.read().expect("the head is whole");
            let session = SessionId(reader.read().expect("the head is whole"));
            (session != SessionId::NONE).then_some(Said::Session(session))
        }
    }
}
