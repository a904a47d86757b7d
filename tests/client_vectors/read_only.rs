//! Rows 9 and 10: read-only servers, and the search for a writable one.

use zookeeper_core::{
    Disconnect,
    client::{Purpose, State},
};
use zookeeper_sim::{
    client::{Grant, Habits, Options, Reception, What, World},
    pair::request::get_data,
};

use super::only;

/// Connected to a read-only server, a writable one is found.
#[test]
fn v09_a_writable_server_is_preferred() {
    let mut options = Options::new(2);
    options.config.can_be_read_only = true;
    // The first to be tried is read-only; the other one does not answer yet.
    options.habits = Habits { handshake: Some(Grant::READ_ONLY), probes: None, ..Habits::SCRIPTED };
    let mut world = World::new(options);
    world.settle();
    let first = world.host(world.attempt());
    let other = if first == "a:2181" { "b:2181" } else { "a:2181" };
    world.script.habits_of.insert(other.into(), Habits::SCRIPTED);
    world.script.receptions.insert(other.into(), Reception::Stall);
    let id = world.session().session_id();
    world.submit(&get_data("/a", false));
    assert_eq!(
        world.take(),
        [
            format!("0 #1 connect {first}"),
            "0 #1 > connect session 0x0 zxid 0x0 timeout 10000 read-only yes".into(),
            "0 state ConnectedReadOnly".into(),
            "0 #1 > 1 get_data /a".into(),
        ]
    );
    assert_eq!(world.session().state(), State::Connected { read_only: true });
    world.advance_ms(100);
    let probe = world.newest(Purpose::Probe);
    assert_eq!(world.take(), [format!("100 #2 probe {other}")]);
    world.script.receptions.clear();
    world.advance_ms(20);
    world.accept(probe);
    assert_eq!(
        world.take(),
        [
            "120 #2 > isro",
            "120 #2 ended: probed: writable",
            "120 #1 ended: left for a writable server",
            "120 reply 0 failed: connection lost, the request may have been executed",
            "120 state Disconnected",
        ]
    );
    world.advance_ms(100);
    // The session that only read-only servers knew is not asked for.
    assert_eq!(
        world.take(),
        [
            format!("220 #3 connect {other}"),
            "220 #3 > connect session 0x0 zxid 0x0 timeout 10000 read-only yes".into(),
            "220 state SyncConnected".into(),
        ]
    );
    assert_ne!(world.session().session_id(), id);
    world.finish();
}

/// No writable server is there.
#[test]
fn v10_probes_become_rarer() {
    let mut options = Options::new(1);
    options.config.can_be_read_only = true;
    let grant = Some(Grant::READ_ONLY);
    options.habits = Habits { handshake: grant, probes: Some(b"ro"), ..Habits::SCRIPTED };
    let mut world = World::new(options);
    world.advance_ms(260_000);
    let entries = world.take_entries();
    let is_probe = |what: &What| matches!(what, What::Connect { purpose: Purpose::Probe, .. });
    let probes: Vec<_> = entries.iter().filter(|entry| is_probe(&entry.what)).collect();
    let times: Vec<_> = probes.iter().map(|entry| entry.at.as_millis()).collect();
    let expected =
        [100, 300, 700, 1_500, 3_100, 6_300, 12_700, 25_500, 51_100, 102_300, 162_300, 222_300];
    assert_eq!(times, expected);
    let lines: Vec<_> = entries.iter().map(|entry| entry.what.to_string()).collect();
    assert_eq!(only(&lines, |line| line.contains("state")), ["state ConnectedReadOnly"]);
    let ends = only(&lines, |line| line.contains("ended"));
    assert_eq!(ends.len(), expected.len());
    assert!(ends.iter().all(|line| line.ends_with("ended: probed: read-only")), "{ends:?}");
    world.finish();
}

/// A server that is read-only, where that will not do.
#[test]
fn v10_a_read_only_server_is_a_failed_attempt_where_it_will_not_do() {
    let mut options = Options::new(1);
    options.habits = Habits { handshake: Some(Grant::READ_ONLY), ..Habits::SCRIPTED };
    let mut world = World::new(options);
    world.submit(&get_data("/a", false));
    world.advance_ms(1_000);
    assert_eq!(
        world.take(),
        [
            "0 #1 connect a:2181",
            "0 #1 > connect session 0x0 zxid 0x0 timeout 10000 read-only no",
            "0 #1 ended: the server is read-only",
            "0 reply 0 failed: connection lost, the request was not sent",
        ]
    );
    world.finish();
}

/// Probes that nobody accepts, and probes that nobody answers.
#[test]
fn v10_a_probe_takes_a_second_at_most() {
    let mut options = Options::new(2);
    options.config.can_be_read_only = true;
    options.habits = Habits { handshake: Some(Grant::READ_ONLY), ..Habits::SCRIPTED };
    let mut world = World::new(options);
    world.settle();
    world.script.habits.probes = None;
    world.advance_ms(50);
    let _ = world.take();
    world.advance_ms(1_050);
    world.script.reception = Reception::Stall;
    world.advance_ms(5_000);
    world.script.reception = Reception::Fail(Disconnect::Refused);
    world.advance_ms(8_000);
    let lines = world.take_untimed();
    let ends = only(&lines, |line| line.contains("ended"));
    assert!(ends.len() >= 3, "{lines:#?}");
    assert!(ends.iter().any(|line| line.ends_with("connection refused")), "{ends:?}");
    assert_eq!(only(&lines, |line| line.contains("state")), [""; 0]);
    world.finish();
}
