//! What a client's session does, row by row as it was observed on the upstream client; where that
//! is known to be wrong, the better rule. Each row is a test of its own, in virtual time.

mod chroot;
mod closing;
mod handshake;
mod liveness;
mod loss;
mod read_only;
mod sasl;
mod watches;

use zookeeper_core::wire::Op;
use zookeeper_sim::client::{Entry, Sent, What};

/// The frames of an operation, with the times in milliseconds at which they were sent.
fn sent_at(entries: &[Entry], op: Op) -> Vec<u128> {
    let is_op = |sent: &Sent| sent.op() == Some(op);
    let times = entries.iter().filter_map(|entry| match &entry.what {
        What::Sent { sent, .. } if is_op(sent) => Some(entry.at.as_millis()),
        _ => None,
    });
    times.collect()
}

/// The lines that satisfy a condition.
fn only(lines: &[String], condition: impl Fn(&str) -> bool) -> Vec<&str> {
    lines.iter().map(String::as_str).filter(|line| condition(line)).collect()
}
