//! A session that follows one that is over.

use std::{sync::Arc, time::Duration};

use zookeeper_core::{
    ConnId, Instant,
    client::{Action, Config, HostPort, Session},
};

fn host(name: &str) -> HostPort {
    HostPort { host: name.into(), port: 2181 }
}

/// The connection that a session asks for, and the server it is for.
fn attempt(session: &mut Session) -> (ConnId, HostPort) {
    loop {
        let action = session.poll_action().expect("an attempt");
        if let Action::Connect { conn, host, .. } = action {
            return (conn, host);
        }
    }
}

#[test]
fn a_successor_has_what_the_session_was_given_and_connections_of_its_own() {
    let now = Instant::from_millis(1);
    let mut config = Config::new(vec![host("a")]);
    config.session_timeout = Duration::from_secs(3);
    let mut session = Session::new(Arc::new(config), now, 1);
    let (first, at) = attempt(&mut session);
    assert_eq!(at, host("a"));
    session.update_hosts(now, vec![host("b")]);
    session.detach(now);
    let mut heir = session.successor(now, 2);
    let (second, at) = attempt(&mut heir);
    assert_eq!(at, host("b"));
    // What the driver learns late about the first must not be taken for news of the second.
    assert_ne!(second, first);
    heir.check_invariants();
}
