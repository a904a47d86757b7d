//! The tree against the naive model: arbitrary scripts, every reply, every event.
//!
//! A script that finds a difference is made shorter before it is shown.

use std::{
    collections::BTreeSet,
    panic::{self, AssertUnwindSafe, catch_unwind},
};

use zookeeper_core::{
    Rng, SessionId, Zxid,
    tree::{Caller, Config, Fired, RemovalCursor, Tree, Watcher},
    wire::{Acl, ErrorCode, Id, Op, Reader, Request, Txn, TxnHeader, perms},
};
use zookeeper_sim::{
    generate::script::{CLIENTS, Step, identities, script},
    model::{self, Body, Event, Model, Operation, Reply, Settings},
    replay,
};

/// Both trees, and the clients.
struct Pair {
    tree: Tree,
    model: Model,
    clients: Vec<Client>,
    fired: Fired,
    zxid: i64,
    time_ms: i64,
    sessions: i64,
    watchers: u64,
    /// Operations and the errors they came to; the parts of a multi as the multi itself.
    seen: Seen,
}

type Seen = BTreeSet<(Op, i32)>;

struct Client {
    caller: model::Caller,
    ids: Vec<Id>,
}

impl Pair {
    fn new(settings: Settings, seed: u64) -> Self {
        let mut config = Config::default();
        config.extended_types = settings.extended_types;
        config.enforce_quota = settings.enforce_quota;
        config.skip_acl = settings.skip_acl;
        let mut pair = Self {
            tree: Tree::new(config, &mut Rng::new(seed)),
            model: Model::new(settings),
            clients: Vec::new(),
            fired: Fired::default(),
            zxid: 0,
            time_ms: 1_000_000,
            sessions: 0x100,
            watchers: 0,
            seen: Seen::new(),
        };
        for client in 0..CLIENTS {
            let identities = identities(client);
            let ids = identities.iter().map(|(scheme, id)| Id::new(scheme, id)).collect();
            let caller = model::Caller { session: 0, watcher: 0, identities };
            pair.clients.push(Client { caller, ids });
            pair.open_session(client);
            pair.connect(client);
        }
        pair
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Serve { client, operation } => self.serve(*client, operation),
            Step::CloseSession { client } => {
                let session = self.clients[*client].caller.session;
                let txn = self.tree.prepare_close(SessionId(session));
                self.apply(session, &txn);
                self.model.close_session(session, self.zxid, self.time_ms);
                // The order of the ephemerals is open.
                self.compare_events(true);
                self.open_session(*client);
            }
            Step::Reconnect { client } => {
                let watcher = self.clients[*client].caller.watcher;
                self.tree.retire_watcher(Watcher(watcher));
                self.model.forget(watcher);
                self.connect(*client);
            }
            Step::Clean { budget } => drop(self.tree.clean(*budget)),
            Step::Wait { duration_ms } => self.time_ms += duration_ms,
            Step::RemoveOutlived { never_used_ms } => self.remove_outlived(*never_used_ms),
        }
        self.tree.check_invariants();
        assert_eq!(self.tree.node_count(), self.model.node_count());
        assert_eq!(self.tree.ephemeral_count(), self.model.ephemeral_count());
        assert_eq!(usize::try_from(self.tree.approximate_data_size()), Ok(self.model.data_size()));
    }

    fn serve(&mut self, client: usize, operation: &Operation) {
        let bytes = operation.to_bytes();
        let op = operation.op();
        let found = match Request::decode(op, &mut Reader::new(&bytes)) {
            Ok(request) if op.is_write() => self.write(client, &request),
            Ok(request) => self.read(client, &request),
            Err(_) => Reply::failed(ErrorCode::MARSHALLING_ERROR.0),
        };
        let caller = self.clients[client].caller.clone();
        let expected = self.model.serve(&caller, operation, self.zxid, self.time_ms);
        assert_eq!(found, expected, "the reply");
        self.seen.insert((op, found.error));
        if let Body::Multi(results) = &found.body {
            let error = |body: &Body| if let Body::Error(error) = body { *error } else { 0 };
            self.seen.extend(results.iter().map(|(_, body)| (op, error(body))));
        }
        self.compare_events(false);
    }

    fn write(&mut self, client: usize, request: &Request<'_>) -> Reply {
        let Client { caller, ids } = &self.clients[client];
        let session = caller.session;
        let caller = Caller {
            session: SessionId(session),
            watcher: Watcher(caller.watcher),
            identities: ids,
        };
        let digest = self.tree.digest();
        let txn = self.tree.prepare(&caller, request).unwrap_or_else(Txn::Error);
        assert_eq!(self.tree.digest(), digest, "preparing changes nothing");
        // What is logged is what is applied.
        let mut logged = Vec::new();
        txn.encode_body(&mut logged);
        let read = Txn::decode_body(txn.op(), &mut Reader::new(&logged)).expect("it was written");
        assert_eq!(read, txn, "the transaction as logged");
        self.apply(session, &txn)
    }

    fn apply(&mut self, session: i64, txn: &Txn<'_>) -> Reply {
        self.zxid += 1;
        let session = SessionId(session);
        let header = TxnHeader { session, cxid: 1, zxid: Zxid(self.zxid), time_ms: self.time_ms };
        let outcome = self.tree.apply(&header, txn, &mut self.fired);
        assert_eq!(self.tree.last_zxid(), Zxid(self.zxid));
        let answer = self.tree.answer(&outcome);
        assert_eq!(answer.hold(), Zxid(self.zxid), "a write waits for itself");
        Reply { error: answer.error().0, body: Body::of(&answer.response()) }
    }

    fn read(&mut self, client: usize, request: &Request<'_>) -> Reply {
        let Client { caller, ids } = &self.clients[client];
        let caller = Caller {
            session: SessionId(caller.session),
            watcher: Watcher(caller.watcher),
            identities: ids,
        };
        let answer = self.tree.read(&caller, request, &mut self.fired);
        let reply = Reply { error: answer.error().0, body: Body::of(&answer.response()) };
        assert!(answer.hold() <= Zxid(self.zxid), "nothing waits for what is yet to come");
        if let Body::Stat(stat) | Body::Data(_, stat) | Body::Children(_, stat) = &reply.body {
            let newest = stat.mzxid.max(stat.pzxid).max(stat.czxid);
            assert!(answer.hold() >= newest, "a reply waits for what it shows");
        }
        reply
    }

    /// Compares what has been fired since the last time, filtered as a server filters it.
    fn compare_events(&mut self, in_any_order: bool) {
        let mut found = Vec::new();
        for change in self.fired.iter() {
            let unique: BTreeSet<u64> = change.watchers.iter().map(|watcher| watcher.0).collect();
            assert_eq!(unique.len(), change.watchers.len(), "each is told once");
            let may_read = |watcher: &u64| {
                let client = self.clients.iter().find(|one| one.caller.watcher == *watcher);
                let client = client.expect("only those who are there are told");
                change.acl.is_none_or(|acl: &[Acl]| self.tree.allows(acl, perms::READ, &client.ids))
            };
            let watchers: BTreeSet<u64> = unique.into_iter().filter(may_read).collect();
            if !watchers.is_empty() {
                let (kind, path) = (change.kind.code(), change.path.to_owned());
                found.push(Event { kind, path, watchers });
            }
        }
        self.fired.clear();
        let mut expected = self.model.take_events();
        if in_any_order {
            found.sort_unstable();
            expected.sort_unstable();
        }
        assert_eq!(found, expected, "the events");
    }

    fn remove_outlived(&mut self, never_used_ms: i64) {
        let (mut cursor, mut paths) = (RemovalCursor::default(), Vec::new());
        while self.tree.removal_candidates(&mut cursor, 2, self.time_ms, never_used_ms, &mut paths)
        {
        }
        let found: BTreeSet<String> = paths.iter().map(|path| path.to_string()).collect();
        assert_eq!(found.len(), paths.len(), "each is found once");
        assert_eq!(found, self.model.outlived(self.time_ms, never_used_ms));
        for path in found {
            let txn = self.tree.prepare_removal(&path).unwrap_or_else(Txn::Error);
            self.apply(0, &txn);
            self.model.remove_outlived(&path, self.zxid, self.time_ms);
            self.compare_events(false);
        }
    }

    fn open_session(&mut self, client: usize) {
        self.sessions += 1;
        self.clients[client].caller.session = self.sessions;
        self.apply(self.sessions, &Txn::CreateSession { timeout_ms: 30_000 });
    }

    fn connect(&mut self, client: usize) {
        self.watchers += 1;
        let caller = &mut self.clients[client].caller;
        caller.watcher = self.watchers;
        self.model.introduce(caller.watcher, &caller.identities);
    }

    /// At the end: every znode by every kind of read, and no watch left when all are gone.
    fn finish(&mut self) {
        while self.tree.clean(7) {}
        assert_eq!(self.tree.watches().count(), self.model.watch_count());
        let paths: Vec<String> = self.model.paths().map(str::to_owned).collect();
        for path in paths {
            let path = Some(path);
            for op in [Op::GetData, Op::GetChildren2] {
                self.serve(CLIENTS - 1, &Operation::Read { op, path: path.clone(), watch: false });
            }
            self.serve(CLIENTS - 1, &Operation::OnPath { op: Op::GetAcl, path });
        }
        for client in 0..CLIENTS {
            self.step(&Step::Reconnect { client });
        }
        while self.tree.clean(7) {}
        assert_eq!(self.tree.watches().count(), 0);
        self.tree.check_invariants();
    }
}

fn run(settings: Settings, seed: u64, steps: &[Step]) -> Result<Seen, String> {
    let run = || {
        let mut pair = Pair::new(settings, seed);
        steps.iter().for_each(|step| pair.step(step));
        pair.finish();
        pair.seen
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_default()
    })
}

/// Leaves out steps as long as the rest still fails.
fn shorten(settings: Settings, seed: u64, mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < steps.len() {
            let mut shorter = steps.clone();
            shorter.drain(from..(from + size).min(steps.len()));
            if run(settings, seed, &shorter).is_err() {
                steps = shorter;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    steps
}

fn settings(rng: &mut Rng) -> Settings {
    Settings {
        extended_types: !rng.one_in(4),
        enforce_quota: !rng.one_in(3),
        skip_acl: rng.one_in(6),
    }
}

#[test]
fn the_tree_agrees_with_the_model() {
    let first = replay::seed();
    // A seed from the environment is that of one script.
    let scripts = if std::env::var_os("ZK_SEED").is_some() { 1 } else { 60 };
    for seed in (0..scripts).map(|script: u64| first.wrapping_add(script)) {
        let mut rng = Rng::new(seed);
        let settings = settings(&mut rng);
        let steps = script(&mut rng, replay::operations(250));
        if run(settings, seed, &steps).is_err() {
            // The failures on the way to the shortest script are of no interest.
            panic::set_hook(Box::new(|_| {}));
            let steps = shorten(settings, seed, steps);
            let error = run(settings, seed, &steps).expect_err("it failed before");
            drop(panic::take_hook());
            panic!("ZK_SEED={seed}, {settings:?}\n{steps:#?}\n{error}");
        }
    }
}

/// The scripts are worth something only if they get everywhere.
#[test]
fn scripts_come_upon_every_outcome() {
    let mut seen = Seen::new();
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let settings = settings(&mut rng);
        seen.extend(run(settings, seed, &script(&mut rng, 250)).expect("the trees agree"));
    }
    let create = [0, -5, -6, -8, -101, -102, -108, -110, -114, -125];
    let expected: [(Op, &[i32]); 22] = [
        (Op::Create, &create[..]),
        (Op::Create2, &create[..]),
        (Op::CreateContainer, &create[..]),
        (Op::CreateTtl, &create[..]),
        (Op::Delete, &[0, -5, -8, -101, -102, -103, -111]),
        (Op::SetData, &[0, -8, -101, -102, -103, -125]),
        (Op::SetAcl, &[0, -5, -8, -101, -102, -103, -114]),
        (Op::Exists, &[0, -5, -8, -101, -102]),
        (Op::GetData, &[0, -5, -101, -102]),
        (Op::GetChildren, &[0, -5, -101, -102]),
        (Op::GetChildren2, &[0, -5, -101, -102]),
        (Op::GetAcl, &[0, -5, -101, -102]),
        (Op::Sync, &[0]),
        (Op::GetEphemerals, &[0]),
        (Op::GetAllChildrenNumber, &[0, -5, -101, -102]),
        (Op::CheckWatches, &[0, -5, -121]),
        (Op::RemoveWatches, &[0, -5, -121]),
        (Op::AddWatch, &[0, -5]),
        (Op::SetWatches, &[0, -5]),
        (Op::SetWatches2, &[0, -5]),
        (Op::Multi, &[0, -2, -5, -6, -8, -101, -102, -103, -108, -110, -111, -114, -125]),
        (Op::MultiRead, &[0, -5, -101, -102]),
    ];
    let missing: Vec<(Op, i32)> = expected
        .into_iter()
        .flat_map(|(op, errors)| errors.iter().map(move |&error| (op, error)))
        .filter(|outcome| !seen.contains(outcome))
        .collect();
    assert_eq!(missing, []);
}

/// Each part is judged by what the parts before it have done.
#[test]
fn a_multi_is_judged_by_quotas_part_by_part() {
    let enforcing = Settings { enforce_quota: true, ..Settings::default() };
    let mut pair = Pair::new(enforcing, 1);
    let create = |path: &str, text: &str| {
        let acl = Some(vec![(31, Some("world".to_owned()), Some("anyone".to_owned()))]);
        let (path, data) = (Some(path.to_owned()), Some(text.as_bytes().to_vec()));
        Operation::Create { op: Op::Create, path, data, acl, flags: 0, ttl_ms: -1 }
    };
    let set = |text: &str| Operation::SetData {
        path: Some("/a".to_owned()),
        data: Some(text.as_bytes().to_vec()),
        version: -1,
    };
    let quota = "/zookeeper/quota/a";
    pair.serve(0, &create("/a", "4444"));
    pair.serve(0, &create(quota, ""));
    pair.serve(0, &create(&format!("{quota}/zookeeper_limits"), "byteHardLimit=5"));
    pair.serve(0, &create(&format!("{quota}/zookeeper_stats"), ""));
    let refused = |pair: &Pair| pair.seen.contains(&(Op::Multi, -125));
    pair.serve(0, &Operation::Multi { op: Op::Multi, parts: vec![set("1"), set("22")] });
    assert!(!refused(&pair));
    pair.serve(0, &set("4444"));
    pair.serve(0, &Operation::Multi { op: Op::Multi, parts: vec![set("1"), set("55555")] });
    assert!(refused(&pair));
    pair.finish();
}
