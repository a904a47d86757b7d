//! The load of a life: every kind of operation, in rounds.
//!
//! In even rounds each request waits for its answer, so that every transaction is a group of its
//! own; in odd ones they come at once.

use std::time::Duration;

use zookeeper_core::wire::Op;

use super::life::{Credentials, Life};
use crate::{
    generate::script,
    model::{Entry, Operation},
};

/// Clients that stay.
const CLIENTS: usize = 3;

/// Create modes.
const PERSISTENT: i32 = 0;
const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const EPHEMERAL_SEQUENTIAL: i32 = 3;
const CONTAINER: i32 = 4;
const TTL: i32 = 5;

impl Life {
    /// Clients of an earlier life come back, and look around before anything changes.
    pub fn come_back_all(&mut self, credentials: &[Credentials]) {
        for &credentials in credentials {
            if let Some(client) = self.connect(Some(credentials), false) {
                let path = Some("/load".to_owned());
                self.ask(client, &Operation::OnPath { op: Op::Sync, path });
                self.rest();
            }
        }
    }

    /// What the rounds need: clients, and znodes if they are not there yet.
    pub fn prepare(&mut self) {
        for _ in 0..CLIENTS {
            let Some(client) = self.connect(None, false) else { return };
            self.clients.push(client);
        }
        let limits = "count=4,bytes=40,countHardLimit=6,byteHardLimit=90";
        for (path, data) in [
            ("/load", ""),
            ("/load/few", ""),
            ("/zookeeper/quota/load", ""),
            ("/zookeeper/quota/load/few", ""),
            ("/zookeeper/quota/load/few/zookeeper_limits", limits),
            ("/zookeeper/quota/load/few/zookeeper_stats", "count=1,bytes=0"),
        ] {
            self.say(0, create(path, data.as_bytes().to_vec(), PERSISTENT), true);
        }
    }

    /// One round.
    pub fn round(&mut self, round: u64) {
        if self.clients.is_empty() {
            return;
        }
        let waits = round.is_multiple_of(2);
        for (client, operation) in znodes(round).into_iter().chain(failures(round)) {
            self.say(client, operation, waits);
        }
        for client in 0..CLIENTS {
            let operation = script::operation(&mut self.rng);
            self.say(client, operation, waits);
        }
        self.rest();
        self.visitor(round);
        match round % 10 {
            4 => self.come_back(0),
            9 => self.renew(2),
            _ => {}
        }
        let time = 100 + self.rng.below(200);
        self.world.advance(Duration::from_millis(time));
    }

    /// One of those that stay asks for something.
    fn say(&mut self, client: usize, operation: Operation, waits: bool) {
        let client = self.clients[client % self.clients.len()];
        self.ask(client, &operation);
        if waits {
            self.rest();
        }
    }

    /// A client that comes, makes an ephemeral znode, and ends its session or is never heard of
    /// again.
    fn visitor(&mut self, round: u64) {
        if !round.is_multiple_of(3) {
            return;
        }
        let Some(visitor) = self.connect(None, true) else { return };
        let operation = create(&format!("/load/visitor{round}"), vec![1], EPHEMERAL);
        self.ask(visitor, &operation);
        if round.is_multiple_of(2) {
            self.close_session(visitor);
        } else {
            self.rest();
            self.lose(visitor);
        }
    }

    /// A client ends its session, and its ephemerals with it, and begins another.
    fn renew(&mut self, index: usize) {
        self.close_session(self.clients[index]);
        if let Some(client) = self.connect(None, false) {
            self.clients[index] = client;
        }
    }

    /// A client loses its connection and comes back to its session.
    fn come_back(&mut self, index: usize) {
        let old = self.clients[index];
        if !self.world.is_open(old) {
            return;
        }
        let credentials = (self.world.client(old).session(), self.world.client(old).password());
        self.lose(old);
        if let Some(client) = self.connect(Some(credentials), false) {
            self.clients[index] = client;
        }
    }
}

/// What changes znodes in a round.
fn znodes(round: u64) -> Vec<(usize, Operation)> {
    let path = |name: &str| format!("/load/{name}{round}");
    let before = |name: &str, back: u64| format!("/load/{name}{}", round.saturating_sub(back));
    let length = if round % 8 == 7 { 1_700 } else { usize::try_from(round * 7 % 40).unwrap_or(0) };
    let byte = u8::try_from(round % 251).unwrap_or(0) + 1;
    let watch = Operation::Read { op: Op::GetData, path: Some(before("p", 1)), watch: true };
    let acl = vec![entry(31, "digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="), open()];
    let acl = Operation::SetAcl { path: Some(path("p")), acl: Some(acl), version: -1 };
    let few = format!("/load/few/{}", round % 8);
    let quota = if round % 4 < 3 { create(&few, vec![byte; 20], PERSISTENT) } else { delete(&few) };
    vec![
        (0, create(&path("p"), vec![byte; length], PERSISTENT)),
        (1, watch),
        (0, Operation::Multi { op: Op::Multi, parts: together(round) }),
        (0, set_data(&before("p", 1), &[byte], -1)),
        (1, with_op(Op::Create2, create(&path("e"), vec![], EPHEMERAL))),
        (1, create("/load/s-", vec![byte], SEQUENTIAL)),
        (2, create("/load/es-", vec![], EPHEMERAL_SEQUENTIAL)),
        (2, with_op(Op::CreateContainer, create(&path("c"), vec![], CONTAINER))),
        (2, create(&format!("{}/x", path("c")), vec![], PERSISTENT)),
        (2, delete(&format!("{}/x", path("c")))),
        (1, with_op(Op::CreateTtl, create(&path("t"), vec![byte], TTL))),
        (0, acl),
        (2, delete(&before("p", 3))),
        (2, delete(&before("m", 2))),
        (1, delete(&before("e", 2))),
        (2, delete(&format!("/load/s-{:010}", round * 2))),
        (0, quota),
    ]
}

/// A multi that succeeds.
fn together(round: u64) -> Vec<Operation> {
    let path = format!("/load/m{round}");
    vec![
        create(&path, b"one".to_vec(), PERSISTENT),
        set_data(&path, b"two", 0),
        Operation::Versioned { op: Op::Check, path: Some(path.clone()), version: 1 },
        create(&format!("{path}/x"), vec![], PERSISTENT),
        delete(&format!("{path}/x")),
    ]
}

/// What fails in a round, and takes a zxid each.
fn failures(round: u64) -> Vec<(usize, Operation)> {
    let check = Operation::Versioned { op: Op::Check, path: Some("/load".into()), version: 9 };
    let never = create(&format!("/load/never{round}"), vec![7; 10], PERSISTENT);
    let all = [
        create("/load", vec![], PERSISTENT),
        delete("/load"),
        delete("/nope"),
        set_data("/load", b"x", 77),
        Operation::Multi { op: Op::Multi, parts: vec![never, check] },
    ];
    // Two of them, others in the next round.
    let first = usize::try_from(round * 2).unwrap_or(0);
    (first..first + 2).map(|index| (index, all[index % all.len()].clone())).collect()
}

fn create(path: &str, data: Vec<u8>, flags: i32) -> Operation {
    let (path, data, acl) = (Some(path.to_owned()), Some(data), Some(vec![open()]));
    Operation::Create { op: Op::Create, path, data, acl, flags, ttl_ms: 700 }
}

fn with_op(op: Op, mut create: Operation) -> Operation {
    if let Operation::Create { op: create_op, .. } = &mut create {
        *create_op = op;
    }
    create
}

fn delete(path: &str) -> Operation {
    Operation::Versioned { op: Op::Delete, path: Some(path.to_owned()), version: -1 }
}

fn set_data(path: &str, data: &[u8], version: i32) -> Operation {
    Operation::SetData { path: Some(path.to_owned()), data: Some(data.to_vec()), version }
}

fn entry(perms: i32, scheme: &str, id: &str) -> Entry {
    (perms, Some(scheme.to_owned()), Some(id.to_owned()))
}

fn open() -> Entry {
    entry(31, "world", "anyone")
}
