//! Four-letter words.

mod endpoint_support;

use std::time::Duration;

use endpoint_support::{World, config, connect_frame, get_data, ping};
use zookeeper_core::{
    COMMAND_OUTPUT_MAX, Disconnect, SessionId,
    endpoint::{CloseReason, CommandWhitelist},
};

fn world() -> World {
    let mut all = config();
    all.commands = CommandWhitelist::all();
    World::new(all)
}

/// What a fresh connection is answered.
fn ask(world: &mut World, command: &[u8]) -> String {
    let conn = world.accept();
    world.input(conn, command);
    let answer = String::from_utf8(world.take_output(conn)).unwrap();
    assert_eq!(world.reason(conn), Some(&CloseReason::CommandAnswered));
    answer
}

#[test]
fn commands_are_answered_and_closed() {
    let mut world = world();
    assert_eq!(ask(&mut world, b"ruok"), "imok");
    assert_eq!(ask(&mut world, b"ruok\r\n"), "imok", "what follows is not read");
    assert_eq!(ask(&mut world, b"isro"), "rw");
    assert_eq!(ask(&mut world, b"gtmk"), "306");
    assert_eq!(ask(&mut world, b"stmk\0\0\0\0\0\0\0\x07"), "7");
    assert_eq!(ask(&mut world, b"gtmk"), "7");
    assert_eq!(ask(&mut world, b"crst"), "Connection stats reset.\n");
    assert_eq!(ask(&mut world, b"\xff\xf4\xff\xfd"), "");
    assert_eq!(world.endpoint.stats().packets_received, 8);
}

#[test]
fn commands_may_come_in_pieces_and_the_peer_may_close_its_side() {
    let mut world = world();
    let conn = world.accept();
    for byte in b"ruok" {
        world.input(conn, &[*byte]);
    }
    assert_eq!(world.take_output(conn), b"imok");

    let conn = world.accept();
    world.input(conn, b"stmk\0\0");
    world.input(conn, b"\0\0\0\0\0\x09");
    assert_eq!(world.take_output(conn), b"9");

    let conn = world.accept();
    world.input(conn, b"srvr");
    world.eof(conn, Disconnect::End);
    assert_eq!(world.commands, [(conn, "srvr".to_owned())]);
    world.endpoint.answer_command(world.now, conn, "text".into());
    world.drain();
    assert_eq!(world.take_output(conn), b"text");
    assert_eq!(world.reason(conn), Some(&CloseReason::CommandAnswered));

    let conn = world.accept();
    world.input(conn, b"stmk\0\0");
    world.eof(conn, Disconnect::End);
    assert_eq!(world.reason(conn), Some(&CloseReason::Peer(Disconnect::End)));
}

#[test]
fn only_what_is_in_the_whitelist_is_executed() {
    let mut world = World::new(config());
    let refusal = "ruok is not executed because it is not in the whitelist.\n";
    assert_eq!(ask(&mut world, b"ruok"), refusal);
    let refusal = "telnet close is not executed because it is not in the whitelist.\n";
    assert_eq!(ask(&mut world, b"\xff\xf4\xff\xfd"), refusal);
    let conn = world.accept();
    world.input(conn, b"srvr");
    assert_eq!(world.commands.len(), 1, "srvr always is");
    assert_eq!(world.endpoint.stats().commands_refused, 2);

    let mut read_only = config();
    read_only.read_only_mode = true;
    assert_eq!(ask(&mut World::new(read_only), b"isro"), "rw");
}

#[test]
fn after_the_handshake_a_command_is_a_length_that_is_too_large() {
    let mut world = world();
    let (conn, _) = world.connect();
    world.input(conn, b"ruok");
    assert_eq!(world.take_output(conn), []);
    assert!(matches!(world.reason(conn), Some(CloseReason::Frame(_))));
}

#[test]
fn a_command_that_is_not_answered_in_time_is_closed() {
    let mut world = world();
    let conn = world.accept();
    world.input(conn, b"stat");
    world.pass(Duration::from_secs(5));
    assert_eq!(world.reason(conn), Some(&CloseReason::LingerTimeout));
}

#[test]
fn a_long_answer_ends_with_a_line_that_says_so() {
    let mut world = world();
    let conn = world.accept();
    world.input(conn, b"wchp");
    let text = vec![b'x'; COMMAND_OUTPUT_MAX + 1];
    world.endpoint.answer_command(world.now, conn, text.into());
    world.drain();
    let answer = String::from_utf8(world.take_output(conn)).unwrap();
    assert!(answer.ends_with("\n... the answer is longer than the limit and ends here\n"));
    assert_eq!(answer.find('\n'), Some(COMMAND_OUTPUT_MAX));
}

#[test]
fn cons_prints_every_connection_as_upstream_does() {
    let mut world = world();
    world.endpoint.handle_wall_clock(world.now, 1_795_344_342_187);
    let conn = world.accept();
    world.input(conn, &connect_frame(SessionId::NONE, 10_000));
    world.input(conn, &[get_data(6), ping()].concat());
    let line = |figures: &str| {
        format!(
            " /10.0.0.1:4711[1](queued=0,{figures},est=1795344342187,to=10000,{}\n",
            if figures.contains("NA") {
                "lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)"
            } else {
                "lcxid=0x6,lzxid=0x1,lresp=1000,llat=0,minlat=0,avglat=0,maxlat=0)"
            }
        )
    };
    let expected = line("recved=3,sent=3,sid=0x101,lop=PING")
        + " /10.0.0.1:4711[0](queued=0,recved=1,sent=0)\n\n";
    assert_eq!(ask(&mut world, b"cons"), expected);
    ask(&mut world, b"crst");
    let expected = line("recved=0,sent=0,sid=0x101,lop=NA")
        + " /10.0.0.1:4711[0](queued=0,recved=1,sent=0)\n\n";
    assert_eq!(ask(&mut world, b"cons"), expected);
    let summary = world.endpoint.connections().next().unwrap().summary().to_string();
    assert_eq!(summary, " /10.0.0.1:4711[1](queued=0,recved=0,sent=0)");
}
