//! Any order of operations: the invariants hold, failures change nothing, and the log makes the
//! same tree again, over a snapshot of its own age or of a later one.

use quickcheck::{Gen, QuickCheck};
use zookeeper_core::{
    Rng, SessionId, Zxid,
    tree::{Caller, Config, Fired, Outcome, RemovalCursor, Tree, Watcher},
    wire::{
        Encode, ErrorCode, Id, Op, Reader, Request, RequestHeader, Response, Txn, TxnHeader, Xid,
    },
};
use zookeeper_sim::{
    generate::{requests, values::index},
    replay,
};

use crate::world::{ME, OTHER, STRANGER, nodes_of};

const STEPS: u64 = 250;
const SESSIONS: [SessionId; 3] = [ME, OTHER, STRANGER];

#[test]
fn any_order_of_operations_keeps_the_invariants() {
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(100, replay::seed()))
        .tests(40)
        .quickcheck(run as fn(u64) -> ());
}

/// A tree under random requests, with its log.
pub(crate) struct Run {
    pub(crate) rng: Rng,
    pub(crate) tree: Tree,
    now_ms: i64,
    fired: Fired,
    /// Encoded transactions, in order from zxid 1.
    log: Vec<(TxnHeader, Op, Vec<u8>)>,
    /// The tree as it was at some zxid.
    snapshots: Vec<Tree>,
}

fn run(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..STEPS {
        run.step();
        run.tree.check_invariants();
        if run.rng.one_in(STEPS / 4) {
            let snapshot = run.restored(&run.tree);
            snapshot.check_invariants();
            run.snapshots.push(snapshot);
        }
    }
    run.check_recovery();
}

fn config() -> Config {
    let mut config = Config::default();
    config.extended_types = true;
    config.enforce_quota = true;
    config
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let tree = Tree::new(config(), &mut rng);
        let (log, snapshots) = (Vec::new(), Vec::new());
        let mut run = Self { rng, tree, now_ms: 0, fired: Fired::default(), log, snapshots };
        run.commit(ME, &Txn::CreateSession { timeout_ms: 1 });
        run.snapshots.push(run.restored(&run.tree));
        run
    }

    pub(crate) fn step(&mut self) {
        self.now_ms += i64::try_from(self.rng.below(100)).unwrap();
        let session = SESSIONS[index(&mut self.rng, SESSIONS.len())];
        match self.rng.below(40) {
            0 if !self.tree.sessions().iter().any(|(id, _)| id == session) => {
                self.commit(session, &Txn::CreateSession { timeout_ms: 7 });
            }
            1 => {
                let txn = self.tree.prepare_close(session);
                self.commit(session, &txn);
                assert!(self.tree.ephemerals(session).next().is_none());
            }
            2 => self.remove_outlived(),
            3 => {
                self.tree.retire_watcher(Watcher(session.0.cast_unsigned()));
                while self.tree.clean(2) {}
            }
            _ => self.request(session),
        }
    }

    fn request(&mut self, session: SessionId) {
        let op = Op::ALL[index(&mut self.rng, Op::ALL.len())];
        if !op.is_request() || matches!(op, Op::Auth | Op::Sasl | Op::Ping | Op::CloseSession) {
            return;
        }
        let frame = requests::request(&mut self.rng, Xid(1), op);
        let mut reader = Reader::new(&frame[RequestHeader::LENGTH..]);
        let Ok(request) = Request::decode(op, &mut reader) else { return };
        let mut identities = vec![Id::new("ip", "127.0.0.1")];
        if self.rng.one_in(2) {
            identities.push(Id::new("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="));
        }
        let watcher = Watcher(session.0.cast_unsigned());
        let caller = Caller { session, watcher, identities: &identities };
        if !op.is_write() {
            let before = (nodes_of(&self.tree), self.tree.last_zxid());
            let answer = self.tree.read(&caller, &request, &mut self.fired);
            assert!(answer.hold() <= before.1);
            if answer.error().is_ok() {
                let body = answer.response().to_vec();
                Response::decode(op, &mut Reader::new(&body)).expect("replies are readable");
            }
            self.fired.clear();
            assert_eq!((nodes_of(&self.tree), self.tree.last_zxid()), before);
            return;
        }
        let txn = self.tree.prepare(&caller, &request).unwrap_or_else(Txn::Error);
        let before = (nodes_of(&self.tree), self.tree.digest());
        let has_failed = match &txn {
            Txn::Error(_) => true,
            Txn::Multi(txns) => txns.iter().any(|txn| matches!(txn, Txn::Error(_))),
            _ => false,
        };
        let events = self.commit(session, &txn);
        if has_failed {
            assert_eq!(events, 0);
            assert_eq!((nodes_of(&self.tree), self.tree.digest()), before);
        }
    }

    fn remove_outlived(&mut self) {
        let mut found = Vec::new();
        let mut cursor = RemovalCursor::default();
        while self.tree.removal_candidates(&mut cursor, 2, self.now_ms, 900, &mut found) {}
        for path in found {
            // Of two, one below the other, the upper one has a child and is no candidate.
            let txn = self.tree.prepare_removal(&path).expect("a candidate can go").op();
            assert_eq!(txn, Op::DeleteContainer);
            self.commit(SessionId::NONE, &Txn::Delete { container: true, path: path[..].into() });
        }
    }

    /// Applies and logs a transaction. Returns the number of its events.
    fn commit(&mut self, session: SessionId, txn: &Txn<'_>) -> usize {
        let zxid = self.tree.last_zxid().next();
        let header = TxnHeader { session, cxid: 0, zxid, time_ms: self.now_ms };
        let mut body = Vec::new();
        txn.encode_body(&mut body);
        self.log.push((header, txn.op(), body));
        let outcome = self.tree.apply(&header, txn, &mut self.fired);
        assert_ne!(outcome, Outcome::Inconsistent, "{txn:?}");
        let answer = self.tree.answer(&outcome);
        if let Txn::Error(error) = txn {
            assert_eq!(answer.error(), *error);
        } else {
            assert_eq!(answer.error(), ErrorCode::OK);
        }
        let events = self.fired.iter().count();
        self.fired.clear();
        events
    }

    /// Whatever snapshot it is, and however far back the log begins: the tree is the same.
    fn check_recovery(mut self) {
        let expected = (nodes_of(&self.tree), self.tree.digest(), self.tree.last_zxid());
        for snapshot in std::mem::take(&mut self.snapshots) {
            let taken = snapshot.last_zxid();
            let early = Zxid(i64::try_from(self.rng.below(taken.0.cast_unsigned() + 1)).unwrap());
            for after in [taken, early] {
                let mut tree = self.restored(&snapshot);
                for (header, op, body) in &self.log {
                    if header.zxid > after {
                        let txn = Txn::decode_body(*op, &mut Reader::new(body)).unwrap();
                        let fits = tree.replay(header, &txn);
                        assert!(fits || after != taken, "our own log fits: {txn:?}");
                        tree.check_invariants();
                    }
                }
                assert_eq!(tree.finish_recovery(), 0);
                tree.check_invariants();
                assert_eq!((nodes_of(&tree), tree.digest(), tree.last_zxid()), expected);
                let sessions = |tree: &Tree| {
                    let mut all: Vec<_> = tree
                        .sessions()
                        .iter()
                        .map(|(id, view)| (id, view.timeout_ms, view.ephemerals))
                        .collect();
                    all.sort_unstable();
                    all
                };
                assert_eq!(sessions(&tree), sessions(&self.tree));
            }
        }
    }

    /// The tree as a snapshot gives it back.
    fn restored(&self, from: &Tree) -> Tree {
        let mut tree = Tree::new(config(), &mut self.rng.clone());
        for (session, view) in from.sessions().iter() {
            tree.restore_session(session, view.timeout_ms);
        }
        for node in from.stored_nodes() {
            tree.restore_node(node).unwrap();
        }
        tree.restore_zxid(from.last_zxid());
        tree
    }
}
