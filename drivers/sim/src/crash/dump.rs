//! A tree as bytes, to compare, and as text, to look at.

use std::fmt::Write;

use zookeeper_core::tree::Tree;

/// Everything a tree holds: sessions, znodes, ACLs, the newest transaction, the digest. Equal for
/// equal trees only.
#[must_use]
pub fn dump(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 << 10);
    long(&mut out, tree.last_zxid().0);
    long(&mut out, tree.digest().unwrap_or(0).cast_signed());
    let mut sessions: Vec<_> = tree.sessions().iter().collect();
    sessions.sort_unstable_by_key(|(session, _)| *session);
    long(&mut out, sessions.len().try_into().unwrap_or(i64::MAX));
    for (session, view) in sessions {
        long(&mut out, session.0);
        long(&mut out, view.timeout_ms.into());
    }
    let mut nodes: Vec<_> = tree.stored_nodes().collect();
    nodes.sort_unstable_by_key(|node| node.path);
    for node in nodes {
        let stat = node.stat;
        bytes(&mut out, node.path.as_bytes());
        match &node.data {
            None => long(&mut out, -1),
            Some(data) => bytes(&mut out, data),
        }
        for entry in node.acl.iter() {
            long(&mut out, entry.perms.into());
            bytes(&mut out, entry.id.scheme.as_bytes());
            bytes(&mut out, entry.id.id.as_bytes());
        }
        let zxids = [stat.czxid, stat.mzxid, stat.pzxid].map(|zxid| zxid.0);
        let versions = [stat.version, stat.cversion, stat.aversion].map(i64::from);
        let rest = [stat.ctime_ms, stat.mtime_ms, stat.owner];
        for number in [zxids, versions, rest].into_iter().flatten() {
            long(&mut out, number);
        }
    }
    out
}

/// The same, line by line.
#[must_use]
pub fn describe(tree: &Tree) -> String {
    let mut text = format!("{:?} digest {:?}\n", tree.last_zxid(), tree.digest());
    let mut sessions: Vec<_> = tree.sessions().iter().collect();
    sessions.sort_unstable_by_key(|(session, _)| *session);
    for (session, view) in sessions {
        let _ = writeln!(text, "session {session} {view:?}");
    }
    let mut nodes: Vec<_> = tree.stored_nodes().collect();
    nodes.sort_unstable_by_key(|node| node.path);
    for node in nodes {
        let _ = writeln!(text, "{node:?}");
    }
    text
}

/// The lines that only one of two texts has.
#[must_use]
pub fn difference(expected: &str, found: &str) -> String {
    let only = |one: &str, other: &str, sign: char| -> String {
        let other: std::collections::BTreeSet<&str> = other.lines().collect();
        let lines = one.lines().filter(|line| !other.contains(line));
        lines.fold(String::new(), |text, line| format!("{text}{sign} {line}\n"))
    };
    only(expected, found, '-') + &only(found, expected, '+')
}

fn long(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, bytes.len().try_into().unwrap_or(i64::MAX));
    out.extend_from_slice(bytes);
}
