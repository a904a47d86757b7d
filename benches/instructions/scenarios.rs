//! What is counted of a server: one line of the table each.

use std::mem;

use zookeeper_core::{
    ConnId,
    server::{Config, Durability},
    storage,
    wire::{
        AclEntry, AddWatchMode, AuthRequest, Blob, CreateRequest, List, MultiOp, MultiOps,
        ReadRequest, Request, SetDataRequest, Text, VersionRequest, WatchRequest, Xid, perms,
    },
};

use crate::{
    Line,
    machine::{Machine, connect_frame, frame},
};

pub(crate) const DATA: [u8; 100] = [b'x'; 100];
pub(crate) const PATH: &str = "/bench/node";

/// A create's flag for an ephemeral znode.
const EPHEMERAL: i32 = 1;

/// Requests a client has in flight where nothing else is said.
pub(crate) const PIPELINED: usize = 32;

/// One line of the table.
struct Scenario {
    name: &'static str,
    /// What the design allows it, where it says so.
    budget: Option<u64>,
    /// How many of it the client has in flight.
    in_flight: usize,
    settings: fn(&mut Config),
    /// Sets the scene.
    prepare: fn(&mut Machine, ConnId),
    load: Load,
}

/// What is repeated.
enum Load {
    /// These requests, for the repetition of this number.
    Requests(fn(usize) -> Vec<Vec<u8>>),
    /// A connection with a session that begins and ends.
    Session,
}

/// A scenario whose scene is set. Everything that is sent is ready, for all repetitions that can be
/// asked for: the difference of two runs holds nothing but the repetitions themselves.
struct Scene {
    machine: Machine,
    conn: ConnId,
    turns: Vec<Vec<u8>>,
    in_flight: usize,
}

impl Scenario {
    /// Sets the scene for up to `most` repetitions.
    fn scene(&self, most: usize) -> Scene {
        let mut config = Config::default();
        (self.settings)(&mut config);
        let mut machine = Machine::new(config);
        let conn = machine.connect();
        create(&mut machine, conn, "/bench", b"");
        create(&mut machine, conn, PATH, &DATA);
        (self.prepare)(&mut machine, conn);
        let turns = match self.load {
            Load::Requests(requests) => {
                let numbers: Vec<usize> = (0..most).collect();
                let turns = numbers.chunks(self.in_flight);
                turns
                    .map(|turn| turn.iter().flat_map(|&n| requests(n).concat()).collect())
                    .collect()
            }
            Load::Session => Vec::new(),
        };
        Scene { machine, conn, turns, in_flight: self.in_flight }
    }
}

impl Line for Scenario {
    fn name(&self) -> &'static str {
        self.name
    }

    fn budget(&self) -> Option<u64> {
        self.budget
    }

    fn count(&self, most: usize, repetitions: usize) {
        let mut scene = self.scene(most);
        scene.run(repetitions);
        mem::forget(scene);
    }

    fn check(&self, repetitions: usize) {
        let mut scene = self.scene(repetitions);
        let (machine, conn) = (&mut scene.machine, scene.conn);
        let before = machine.applied();
        machine.kept = Some(Vec::new());
        scene.run(repetitions);
        let (machine, name) = (&scene.machine, self.name);
        match self.load {
            Load::Requests(requests) => {
                let replies = machine.replies(conn);
                assert_eq!(replies.len(), repetitions * requests(0).len(), "{name}");
                assert!(replies.iter().all(|error| error.is_ok()), "{name}: {replies:?}");
            }
            Load::Session => {
                // A session is a transaction when it begins and one when it ends.
                let count = i64::try_from(2 * repetitions).expect("few");
                assert_eq!(machine.applied().0, before.0 + count, "{name}");
                assert_eq!(machine.connection_count(), 1, "{name}");
            }
        }
    }
}

impl Scene {
    /// The part that counts.
    fn run(&mut self, repetitions: usize) {
        if self.turns.is_empty() {
            let (hello, goodbye) = (connect_frame(), frame(Xid(1), &Request::CloseSession));
            for _ in 0..repetitions {
                let conn = self.machine.accept();
                self.machine.turn(conn, &hello);
                self.machine.turn(conn, &goodbye);
            }
            return;
        }
        for turn in &self.turns[..repetitions / self.in_flight] {
            self.machine.turn(self.conn, turn);
        }
    }
}

/// Every line of the table, in its order.
pub(crate) fn all() -> Vec<Box<dyn Line>> {
    let plain = |name, requests| Scenario {
        name,
        budget: None,
        in_flight: PIPELINED,
        settings: |_| (),
        prepare: |_, _| (),
        load: Load::Requests(requests),
    };
    let budget = Some(2_000);
    let scenarios = vec![
        Scenario { budget, ..plain("getData of 100 bytes", |_| vec![get_data()]) },
        Scenario {
            budget,
            in_flight: 1,
            ..plain("getData of 100 bytes, one in flight", |_| vec![get_data()])
        },
        plain("exists", |_| vec![frame(Xid(1), &Request::Exists(read(PATH)))]),
        Scenario {
            prepare: |machine, conn| {
                for number in 0..10 {
                    create(machine, conn, &format!("{PATH}/child-{number:05}"), b"");
                }
            },
            ..plain("getChildren of 10", |_| vec![frame(Xid(1), &Request::GetChildren(read(PATH)))])
        },
        Scenario { budget, ..plain("setData of 100 bytes", |_| vec![set_data()]) },
        Scenario {
            budget,
            in_flight: 1,
            ..plain("setData of 100 bytes, one in flight", |_| vec![set_data()])
        },
        plain("create with 100 bytes", |n| vec![create_frame(n, 0)]),
        plain("create and delete", |n| vec![create_frame(n, 0), delete_frame(n)]),
        plain("ephemeral create", |n| vec![create_frame(n, EPHEMERAL)]),
        plain("multi of check, setData, setData", |_| vec![multi()]),
        Scenario {
            in_flight: 1,
            ..plain("ping, one in flight", |_| vec![frame(Xid::PING, &Request::Ping)])
        },
        Scenario {
            prepare: |machine, _| {
                let watcher = machine.connect();
                let mode = AddWatchMode::Persistent.code();
                let path = Some(Text::from(PATH));
                machine.ask(watcher, &Request::AddWatch(WatchRequest { path, mode }));
            },
            ..plain("setData with one watcher", |_| vec![set_data()])
        },
        Scenario {
            prepare: restrict,
            ..plain("getData under a digest ACL", |_| {
                let path = format!("{PATH}/restricted");
                vec![frame(Xid(1), &Request::GetData(read(&path)))]
            })
        },
        Scenario {
            settings: |config| config.tree.enforce_quota = true,
            prepare: limit,
            ..plain("setData under a quota", |_| vec![set_data()])
        },
        Scenario { load: Load::Session, ..plain("connect and close a session", |_| Vec::new()) },
        Scenario {
            settings: |config| {
                config.durability = Durability::Logged(storage::Config::default());
            },
            ..plain("setData, logged at once", |_| vec![set_data()])
        },
    ];
    scenarios.into_iter().map(|scenario| -> Box<dyn Line> { Box::new(scenario) }).collect()
}

/// A znode that only its creator may read.
fn restrict(machine: &mut Machine, conn: ConnId) {
    let credentials = Some(Blob::from(&b"user:secret"[..]));
    let auth = AuthRequest { kind: 0, scheme: Some(Text::from("digest")), credentials };
    machine.ask(conn, &Request::Auth(auth));
    let acl = [AclEntry {
        perms: perms::ALL,
        scheme: Some(Text::from("auth")),
        id: Some(Text::from("")),
    }];
    let path = format!("{PATH}/restricted");
    let mut request = create_request(&path, &DATA, 0);
    request.acl = Some(List::new(&acl));
    machine.ask(conn, &Request::Create(request));
}

/// A quota that is never reached.
fn limit(machine: &mut Machine, conn: ConnId) {
    create(machine, conn, "/zookeeper/quota/bench", b"");
    let limits = b"count=1000000,bytes=1000000000";
    create(machine, conn, "/zookeeper/quota/bench/zookeeper_limits", limits);
    create(machine, conn, "/zookeeper/quota/bench/zookeeper_stats", b"count=2,bytes=100");
}

fn create(machine: &mut Machine, conn: ConnId, path: &str, data: &[u8]) {
    machine.ask(conn, &Request::Create(create_request(path, data, 0)));
}

fn create_request<'a>(path: &'a str, data: &'a [u8], flags: i32) -> CreateRequest<'a> {
    const OPEN: &[AclEntry<'_>] = &[AclEntry {
        perms: perms::ALL,
        scheme: Some(Text::from_static("world")),
        id: Some(Text::from_static("anyone")),
    }];
    let acl = Some(List::new(OPEN));
    CreateRequest { path: Some(Text::from(path)), data: Some(Blob::from(data)), acl, flags }
}

fn create_frame(number: usize, flags: i32) -> Vec<u8> {
    let path = format!("/bench/new-{number:07}");
    frame(Xid(1), &Request::Create(create_request(&path, &DATA, flags)))
}

fn delete_frame(number: usize) -> Vec<u8> {
    let path = format!("/bench/new-{number:07}");
    let delete = VersionRequest { path: Some(Text::from(&*path)), version: -1 };
    frame(Xid(1), &Request::Delete(delete))
}

fn multi() -> Vec<u8> {
    let set = MultiOp::SetData(set_request());
    let check = VersionRequest { path: Some(Text::from("/bench")), version: 0 };
    let operations = [MultiOp::Check(check), set, set];
    frame(Xid(1), &Request::Multi(MultiOps::new(&operations)))
}

fn get_data() -> Vec<u8> {
    frame(Xid(1), &Request::GetData(read(PATH)))
}

fn set_data() -> Vec<u8> {
    frame(Xid(1), &Request::SetData(set_request()))
}

pub(crate) fn set_request() -> SetDataRequest<'static> {
    SetDataRequest { path: Some(Text::from(PATH)), data: Some(Blob::from(&DATA[..])), version: -1 }
}

pub(crate) fn read(path: &str) -> ReadRequest<'_> {
    ReadRequest { path: Some(Text::from(path)), watch: false }
}
