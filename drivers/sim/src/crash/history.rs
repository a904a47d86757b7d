//! What the tree was after every transaction: an independent run of the records that the server
//! gave to its store.
//!
//! The records are read here by a few lines of their own, and each one's digest, which the serving
//! tree made, is compared with that of the tree here.

use std::{collections::BTreeMap, sync::Arc};

use zookeeper_core::{
    Rng, SessionId, Zxid,
    storage::{Dir, FileOp, LOG_MAGIC, RECORD_END},
    tree::{Config, Tree},
    wire::{Op, Reader, Txn, TxnHeader},
};

use super::dump::{describe, difference, dump};

/// Bytes of a log file before its first record.
const FILE_HEADER_LENGTH: usize = 16;
/// Bytes of a record before its payload.
const RECORD_HEADER_LENGTH: usize = 12;

/// What the tree was after every transaction.
#[derive(Debug)]
pub struct History {
    config: Config,
    tree: Tree,
    /// Payloads of records, by zxid from 1.
    records: Vec<Arc<[u8]>>,
    /// Dumps of the tree, by zxid from 0.
    dumps: Vec<Arc<[u8]>>,
    /// Which transaction created each session.
    created: BTreeMap<SessionId, Zxid>,
    /// How many transactions of each kind there were.
    kinds: BTreeMap<Op, usize>,
}

impl History {
    /// Nothing has happened to a fresh tree.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let tree = Tree::new(config.clone(), &mut Rng::new(7));
        let dumps = vec![dump(&tree).into()];
        Self {
            config,
            tree,
            records: Vec::new(),
            dumps,
            created: BTreeMap::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// What was so after `zxid`: what came behind it never was.
    #[must_use]
    pub fn until(&self, zxid: Zxid) -> Self {
        let mut history = Self::new(self.config.clone());
        for record in &self.records[..place(zxid)] {
            replay(&mut history.tree, record);
        }
        history.records = self.records[..place(zxid)].to_vec();
        history.dumps = self.dumps[..=place(zxid)].to_vec();
        history.created = self.created.clone();
        history.created.retain(|_, created| *created <= zxid);
        history
    }

    /// The newest transaction.
    #[must_use]
    pub const fn newest(&self) -> Zxid {
        self.tree.last_zxid()
    }

    /// Takes note of an operation of a store: appends to logs are what counts.
    ///
    /// # Panics
    ///
    /// When a record is not the next one, does not fit, or has another digest.
    pub fn note(&mut self, op: &FileOp) {
        let FileOp::Append { file, bytes } = op else { return };
        if file.dir != Dir::Log {
            return;
        }
        let mut bytes = &bytes[..];
        if let Some(rest) = bytes.strip_prefix(&LOG_MAGIC.to_be_bytes()) {
            bytes = &rest[FILE_HEADER_LENGTH - LOG_MAGIC.to_be_bytes().len()..];
        }
        while !bytes.is_empty() {
            let length = &bytes[8..RECORD_HEADER_LENGTH];
            let length = u32::from_be_bytes(*length.first_chunk().expect("records are whole"));
            let length = usize::try_from(length).expect("a record has a length");
            let (record, rest) = bytes[RECORD_HEADER_LENGTH..].split_at(length);
            assert_eq!(rest[0], RECORD_END);
            self.add(record);
            bytes = &rest[1..];
        }
    }

    /// Whether the tree is what it was after its newest transaction; if not, the difference.
    ///
    /// # Errors
    ///
    /// The difference.
    pub fn compare(&self, tree: &Tree) -> Result<(), String> {
        let zxid = tree.last_zxid();
        let Some(expected) = self.dumps.get(place(zxid)) else {
            return Err(format!("{zxid:?} never was: the newest is {:?}", self.newest()));
        };
        if **expected == *dump(tree) {
            return Ok(());
        }
        let expected = describe(&self.until(zxid).tree);
        Err(format!("after {zxid:?}:\n{}", difference(&expected, &describe(tree))))
    }

    /// Which transaction created a session.
    #[must_use]
    pub fn created(&self, session: SessionId) -> Option<Zxid> {
        self.created.get(&session).copied()
    }

    /// How many transactions of a kind there were.
    #[must_use]
    pub fn count(&self, kind: Op) -> usize {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    fn add(&mut self, record: &[u8]) {
        let Replayed { header, kind, fits, digest } = replay(&mut self.tree, record);
        assert_eq!(place(header.zxid), self.records.len() + 1, "the next one");
        assert!(fits, "{header:?} fits");
        // What failed has none.
        assert!(digest.is_none() || digest == self.tree.digest(), "the digest of {header:?}");
        *self.kinds.entry(kind).or_default() += 1;
        if kind == Op::CreateSession {
            self.created.insert(header.session, header.zxid);
        }
        self.records.push(record.into());
        self.dumps.push(dump(&self.tree).into());
    }
}

/// A record that was replayed.
struct Replayed {
    header: TxnHeader,
    kind: Op,
    fits: bool,
    digest: Option<u64>,
}

fn replay(tree: &mut Tree, payload: &[u8]) -> Replayed {
    let mut reader = Reader::new(payload);
    let (header, op) = TxnHeader::decode(&mut reader).expect("a record has a header");
    let txn = Txn::decode_body(op, &mut reader).expect("a record has a body");
    // Behind the version of the digest.
    let digest = reader.rest().get(4..12).and_then(|digest| digest.first_chunk().copied());
    let fits = tree.replay(&header, &txn);
    Replayed { header, kind: op, fits, digest: digest.map(u64::from_be_bytes) }
}

fn place(zxid: Zxid) -> usize {
    usize::try_from(zxid.0).unwrap_or(usize::MAX)
}
