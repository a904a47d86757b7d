//! Servers that have lost their ensemble, and clients that make do with them for a while.

use std::time::Duration;

use zookeeper_core::client::{CloseReason, WatchEventKind};
use zookeeper_core::wire::{CreateMode, ErrorCode};

use super::code;
use crate::client::{Feed, Link, PATIENCE, Settings, TestClient, Update};
use crate::ensemble::Ensemble;
use crate::proxy::Proxy;
use crate::server::Mode;
use crate::target::{Target, TargetKind};

const SESSION_TIMEOUT: Duration = Duration::from_secs(20);

/// The settings of a client that makes do with a read-only server.
fn settings(servers: impl ToString) -> Settings {
    let mut settings = Settings::new(servers).session_timeout(SESSION_TIMEOUT);
    settings.can_be_read_only = true;
    settings
}

/// All servers but the client's own die. Its server becomes read-only, and the client stays with
/// it; when there is a quorum again, the session goes on where it can write.
///
/// # Panics
///
/// If not.
pub fn lone_survivor<C: TestClient>(ensemble: &mut Ensemble) {
    let client = C::connect(&settings(ensemble.connect_string())).expect("a session");
    let session = client.session_id();
    client.create("/data", b"data", CreateMode::Persistent).expect("made");
    client.create("/ephemeral", b"", CreateMode::Ephemeral).expect("made");
    let survivor = ensemble.member_of(session.0).expect("it is connected");
    let strict = ensemble.member(survivor).address();
    let strict = C::connect(&Settings::new(strict).session_timeout(SESSION_TIMEOUT));
    let strict = strict.expect("a session");
    let (mut states, mut of_strict) = (client.states(), strict.states());
    assert_eq!((states.next(), of_strict.next()), (Link::Connected, Link::Connected));

    let others: Vec<usize> = ensemble.indices().filter(|index| *index != survivor).collect();
    for index in &others {
        ensemble.member_mut(*index).kill();
    }
    assert_eq!((states.next(), of_strict.next()), (Link::Suspended, Link::Suspended));
    ensemble.member_mut(survivor).wait_until(|mode| mode == Mode::ReadOnly).expect("it serves");
    assert_eq!(states.next(), Link::ReadOnly);
    assert_eq!(client.session_id(), session);
    assert_eq!(&client.get_data("/data").expect("read").data[..], b"data");
    assert_eq!(code(client.set_data("/data", b"x", None)), ErrorCode::NOT_READ_ONLY);
    let creation = client.create("/new", b"", CreateMode::Persistent);
    assert_eq!(code(creation), ErrorCode::NOT_READ_ONLY);
    let (_, mut watch) = client.get_data_and_watch("/data").expect("read");

    ensemble.member_mut(others[0]).restart().expect("a quorum");
    assert_eq!((states.next(), states.next()), (Link::Suspended, Link::Connected));
    assert_eq!(client.session_id(), session);
    client.set_data("/data", b"new", None).expect("set");
    assert_eq!((watch.next(), watch.next()), (Update::Suspended, Update::Restored));
    let changed = Some((WatchEventKind::NodeDataChanged, "/data"));
    assert_eq!(watch.next().change(), changed);
    let owner = client.exists("/ephemeral").expect("asked").expect("there").ephemeral_owner;
    assert_eq!(owner, session);
    assert_eq!(states.poll(), None);
    // The other client was never on a server that was read-only.
    assert_eq!(of_strict.next(), Link::Connected);
    ensemble.member_mut(others[1]).restart().expect("it follows");
    client.delete("/data", None).expect("removed");
    client.close();
    strict.close();
}

/// A client that has only ever seen a read-only server finds a writable one by asking, leaves for
/// it, and has a session of its own there.
///
/// # Panics
///
/// If not.
pub fn writable_server_appears<C: TestClient>(ensemble: &mut Ensemble) {
    let writable = Target::start(TargetKind::Apache).expect("a server").expect("it is installed");
    let proxy = Proxy::start(writable.address()).expect("a proxy");
    proxy.close_gate();
    let leader = ensemble.leader().expect("a leader");
    for index in ensemble.indices().filter(|index| *index != leader) {
        ensemble.member_mut(index).kill();
    }
    let lone = ensemble.member_mut(leader);
    lone.wait_until(|mode| mode == Mode::ReadOnly).expect("it serves reads");

    let servers = format!("{},{}", lone.address(), proxy.address());
    let client = C::build(&settings(&servers));
    let mut states = client.states();
    let first = states.next();
    assert!(first == Link::ReadOnly || (first, states.next()) == (Link::Suspended, Link::ReadOnly));
    assert_eq!(client.peer(), Some(lone.address()));
    let provisional = client.session_id();
    assert_eq!(code(client.sync("/")), ErrorCode::NOT_READ_ONLY);
    client.get_children("/").expect("listed");

    proxy.open_gate();
    assert_eq!(states.next_within(2 * PATIENCE), Some(Link::Suspended));
    assert_eq!(states.next(), Link::Connected);
    assert_eq!(client.peer(), Some(proxy.address()));
    assert_ne!(client.session_id(), provisional, "nobody else knows that session");
    client.create("/here", b"", CreateMode::Persistent).expect("made");
    assert_eq!(states.poll(), None);
    assert_eq!(client.close(), CloseReason::Closed { confirmed: true });
    for index in ensemble.indices().filter(|index| *index != leader) {
        ensemble.member_mut(index).restart().expect("it follows");
    }
}
