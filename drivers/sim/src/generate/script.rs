//! Arbitrary scripts: what a few clients do to one tree.
//!
//! The world is small, so that clients get into each other's way: few names, few users, short data.
//! About every tenth argument is wrong in one of the ways that the protocol tells apart.

use zookeeper_core::{Rng, wire::Op};

use super::values::{byte, index};
use crate::model::{Entry, Identity, Operation};

/// How many clients a script has.
pub const CLIENTS: usize = 4;

/// One step of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A client asks for something.
    Serve {
        /// Which client.
        client: usize,
        /// What for.
        operation: Operation,
    },
    /// A client ends its session and begins another.
    CloseSession {
        /// Which client.
        client: usize,
    },
    /// A client's connection closes and it makes another; its watches are gone.
    Reconnect {
        /// Which client.
        client: usize,
    },
    /// The server frees so many watches of closed connections.
    Clean {
        /// How many.
        budget: usize,
    },
    /// Time passes.
    Wait {
        /// How much of it.
        duration_ms: i64,
    },
    /// The server removes the containers and TTL znodes whose time has come.
    RemoveOutlived {
        /// How long a container waits for its first child.
        never_used_ms: i64,
    },
}

/// The identities of each client. The last one may do everything.
#[must_use]
pub fn identities(client: usize) -> Vec<Identity> {
    let all: &[(&str, &str)] = match client {
        0 => &[("ip", "127.0.0.1")],
        1 => &[("ip", "10.1.2.3"), ("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=")],
        2 => &[("ip", "::1"), ("digest", "eve:x"), ("digest", "bob:other")],
        _ => &[("ip", "10.9.9.9"), ("super", "")],
    };
    all.iter().map(|&(scheme, id)| (scheme.to_owned(), id.to_owned())).collect()
}

/// A script of `length` steps. Equal generators give equal scripts.
#[must_use]
pub fn script(rng: &mut Rng, length: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..length {
        match rng.below(100) {
            0 => steps.push(Step::CloseSession { client: index(rng, CLIENTS) }),
            1 | 2 => steps.push(Step::Reconnect { client: index(rng, CLIENTS) }),
            3 | 4 => steps.push(Step::Clean { budget: index(rng, 5) }),
            5..9 => {
                let duration_ms = [1, 50, 1_000, 400_000][index(rng, 4)];
                steps.push(Step::Wait { duration_ms });
            }
            9 => {
                let never_used_ms = [0, 300_000][index(rng, 2)];
                steps.push(Step::RemoveOutlived { never_used_ms });
            }
            10 => quota(rng, &mut steps),
            _ => {
                let client = index(rng, CLIENTS);
                steps.push(Step::Serve { client, operation: operation(rng) });
            }
        }
    }
    steps
}

/// One operation.
pub fn operation(rng: &mut Rng) -> Operation {
    match rng.below(31) {
        0..7 => create(rng),
        7..10 => Operation::Versioned { op: Op::Delete, path: path(rng), version: version(rng) },
        10..13 => set_data(rng),
        13 => Operation::SetAcl { path: path(rng), acl: acl(rng), version: version(rng) },
        14..21 => {
            let ops = [Op::Exists, Op::GetData, Op::GetChildren, Op::GetChildren2];
            Operation::Read { op: ops[index(rng, 4)], path: path(rng), watch: rng.one_in(2) }
        }
        21 | 22 => {
            let ops = [Op::GetAcl, Op::Sync, Op::GetEphemerals, Op::GetAllChildrenNumber];
            Operation::OnPath { op: ops[index(rng, 4)], path: path(rng) }
        }
        23 | 24 => {
            let ops = [Op::CheckWatches, Op::RemoveWatches, Op::AddWatch, Op::AddWatch];
            let (op, path) = (ops[index(rng, 4)], path(rng).unwrap_or_default());
            let bound = if op == Op::AddWatch { 2 } else { 7 };
            let code = i32::try_from(rng.below(bound)).unwrap_or(0);
            Operation::OnWatch { op, path, code: if rng.one_in(20) { -1 } else { code } }
        }
        25 => set_watches(rng),
        26..29 => Operation::Multi { op: Op::Multi, parts: parts(rng, false) },
        29 => Operation::Multi { op: Op::MultiRead, parts: parts(rng, true) },
        _ if rng.one_in(4) => Operation::Reconfig,
        _ => Operation::WhoAmI,
    }
}

fn create(rng: &mut Rng) -> Operation {
    let op = match rng.below(8) {
        0..4 => Op::Create,
        4 | 5 => Op::Create2,
        6 => Op::CreateContainer,
        _ => Op::CreateTtl,
    };
    let flags = match op {
        _ if rng.one_in(15) => i32::try_from(rng.below(9)).unwrap_or(0) - 1,
        Op::CreateContainer => 4,
        Op::CreateTtl => 5 + i32::from(rng.one_in(3)),
        _ => [0, 0, 1, 2, 3][index(rng, 5)],
    };
    let ttl_ms = match rng.below(12) {
        0 => [0, -1, i64::MIN, 0x100_0000_0000][index(rng, 4)],
        1 => 0xff_ffff_ffff,
        _ => [1, 100, 10_000][index(rng, 3)],
    };
    let is_sequential = matches!(flags, 2 | 3 | 6);
    let path = match path(rng) {
        Some(path) if is_sequential && rng.one_in(2) => {
            Some(format!("{path}{}", ["/", "-", "/.", "/..", "//"][index(rng, 5)]))
        }
        path => path,
    };
    Operation::Create { op, path, data: data(rng), acl: acl(rng), flags, ttl_ms }
}

fn set_data(rng: &mut Rng) -> Operation {
    Operation::SetData { path: path(rng), data: data(rng), version: version(rng) }
}

fn set_watches(rng: &mut Rng) -> Operation {
    let op = [Op::SetWatches, Op::SetWatches2][index(rng, 2)];
    let since = i64::try_from(rng.below(60)).unwrap_or(0);
    let lists = [(); 5].map(|()| {
        let paths = (0..rng.below(4)).map(|_| path(rng).unwrap_or_default()).collect();
        (!rng.one_in(40)).then_some(paths)
    });
    Operation::SetWatches { op, since, lists }
}

fn parts(rng: &mut Rng, reads: bool) -> Vec<Operation> {
    // Parts that have to do with each other: one znode and its children.
    let family = (!rng.one_in(3)).then(|| path(rng).unwrap_or_default());
    (0..rng.below(7)).map(|_| part(rng, reads, family.as_deref())).collect()
}

fn part(rng: &mut Rng, reads: bool, family: Option<&str>) -> Operation {
    let is_read = reads != rng.one_in(30);
    let mut part = match rng.below(6) {
        _ if is_read => {
            let op = [Op::GetData, Op::GetChildren][index(rng, 2)];
            Operation::Read { op, path: path(rng), watch: rng.one_in(2) }
        }
        _ if rng.one_in(60) => Operation::WhoAmI,
        0 => Operation::Versioned { op: Op::Check, path: path(rng), version: version(rng) },
        1 => Operation::Versioned { op: Op::Delete, path: path(rng), version: version(rng) },
        2 => set_data(rng),
        _ => create(rng),
    };
    let Some(family) = family else { return part };
    let member = Some(format!("{family}{}", ["", "", "/a", "/a", "/-"][index(rng, 5)]));
    match &mut part {
        Operation::Create { path, acl, .. } => {
            *path = member;
            *acl = Some(vec![open()]);
        }
        // Any version, or the first failure would mostly come too early for the others.
        Operation::Versioned { path, version, .. } => {
            *path = member;
            *version = if rng.one_in(8) { 1 } else { -1 };
        }
        Operation::SetData { path, version, .. } => {
            *path = member;
            *version = if rng.one_in(8) { 0 } else { -1 };
        }
        _ => {}
    }
    part
}

/// Makes a quota, or changes one.
fn quota(rng: &mut Rng, steps: &mut Vec<Step>) {
    let subject = ["/a", "/a/b", "/b"][index(rng, 3)];
    let mut path = String::from("/zookeeper/quota");
    let client = CLIENTS - 1;
    let mut create = |path: &str, data: Option<Vec<u8>>| {
        let acl = Some(vec![open()]);
        let (op, path, flags, ttl_ms) = (Op::Create, Some(path.to_owned()), 0, -1);
        let operation = Operation::Create { op, path, data, acl, flags, ttl_ms };
        steps.push(Step::Serve { client, operation });
    };
    for name in subject.split('/').skip(1) {
        path = format!("{path}/{name}");
        create(&path, None);
    }
    let mut nodes = [(format!("{path}/zookeeper_limits"), numbers(rng)), stats(&path)];
    if rng.one_in(2) {
        nodes.reverse();
    }
    for (path, text) in nodes {
        create(&path, Some(text.into_bytes()));
    }
}

fn stats(path: &str) -> (String, String) {
    (format!("{path}/zookeeper_stats"), "count=0,bytes=0".to_owned())
}

/// The text of a quota znode.
fn numbers(rng: &mut Rng) -> String {
    let mut text = String::new();
    for key in ["count", "bytes", "countHardLimit", "byteHardLimit"] {
        if !rng.one_in(3) {
            let separator = if text.is_empty() { "" } else { [",", ";", "=;"][index(rng, 3)] };
            text += &format!("{separator}{key}={}", rng.below(12));
        }
    }
    text
}

fn path(rng: &mut Rng) -> Option<String> {
    let wrong =
        ["", "a", "//", "/a/", "/a//b", "/a/./b", "/..", "/a\0", "/\u{1}", "/nope/x", "/\u{fffd}"];
    let special = [
        "/",
        "/zookeeper",
        "/zookeeper/quota",
        "/zookeeper/config",
        "/zookeeper/quota/a",
        "/zookeeper/quota/a/zookeeper_limits",
        "/zookeeper/quota/a/zookeeper_stats",
        "/zookeeper/quota/a/b/zookeeper_limits",
        "/zookeeper/quota/zookeeper_limits",
    ];
    match rng.below(60) {
        0 => None,
        1..5 => Some(wrong[index(rng, wrong.len())].to_owned()),
        5..10 => Some(special[index(rng, special.len())].to_owned()),
        10..14 => Some(format!("/{}-{:010}", name(rng), rng.below(6))),
        _ => {
            let depth = [1, 1, 1, 2, 2, 3][index(rng, 6)];
            Some((0..depth).map(|_| format!("/{}", name(rng))).collect())
        }
    }
}

fn name(rng: &mut Rng) -> &'static str {
    ["a", "a", "b", "ab", "ü"][index(rng, 5)]
}

fn data(rng: &mut Rng) -> Option<Vec<u8>> {
    match rng.below(10) {
        0 | 1 => None,
        2 => Some(Vec::new()),
        3 => Some(numbers(rng).into_bytes()),
        _ => Some((0..rng.below(9)).map(|_| byte(rng)).collect()),
    }
}

fn version(rng: &mut Rng) -> i32 {
    match rng.below(10) {
        0..6 => -1,
        6..9 => i32::try_from(rng.below(3)).unwrap_or(0),
        _ => [7, -2, i32::MIN, i32::MAX][index(rng, 4)],
    }
}

fn open() -> Entry {
    (31, Some("world".to_owned()), Some("anyone".to_owned()))
}

fn acl(rng: &mut Rng) -> Option<Vec<Entry>> {
    match rng.below(40) {
        0 => None,
        1 => Some(Vec::new()),
        2..10 => Some((0..1 + rng.below(3)).map(|_| entry(rng)).collect()),
        _ => Some(vec![open()]),
    }
}

fn entry(rng: &mut Rng) -> Entry {
    let good = [
        ("world", "anyone"),
        ("auth", ""),
        ("auth", "ignored"),
        ("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
        ("digest", "eve:x"),
        ("digest", ":b"),
        ("digest", "a:b:"),
        ("ip", "127.0.0.1"),
        ("ip", "10.0.0.0/8"),
        ("ip", "10.1.2.3/0"),
        ("ip", "10.1.2.0/31"),
        ("ip", "::1"),
        ("ip", "::/0"),
        ("ip", "::3/127"),
    ];
    let bad = [
        ("world", "somebody"),
        ("super", ""),
        ("digest", "a"),
        ("digest", "a:"),
        ("digest", "a:b:c"),
        ("digest", ""),
        ("ip", "1.2.3.4/33"),
        ("ip", "1.2.3"),
        ("ip", "/8"),
        ("ip", "1::2::3"),
        ("sasl", "bob"),
        ("x509", "CN=bob"),
        ("", ""),
    ];
    let perms = [0, -1, 1, 3, 16, 31, 30, 4 | 8][index(rng, 8)];
    if rng.one_in(60) {
        let scheme = [None, Some("world"), Some("digest"), Some("auth"), Some("nonsense")];
        return (perms, scheme[index(rng, 5)].map(str::to_owned), None);
    }
    let (scheme, id) =
        if rng.one_in(20) { bad[index(rng, bad.len())] } else { good[index(rng, good.len())] };
    (perms, Some(scheme.to_owned()), Some(id.to_owned()))
}
