//! `zk export` and `zk import` between servers of every kind: what goes in comes out again.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use zookeeper_peers::{Kind, Options, Program, Server, enabled};

const SUPERUSER: [&str; 2] = ["--auth", "digest:super:test"];

#[test]
fn a_subtree_moves_between_servers_of_every_kind() {
    if !enabled() {
        return;
    }
    let Some(zk) = Kind::Ours.need() else { return };
    let programs = Kind::ALL.into_iter().filter_map(Kind::need);
    let start = |program| Server::start(&program, &Options::default()).expect("a server");
    let servers: Vec<Server> = programs.map(start).collect();
    for from in &servers {
        let root = format!("/{}", from.kind());
        fill(&zk, from, &root);
        let exported = export(&zk, from, &root);
        let expected = comparable(&exported);
        assert_eq!(expected.len(), 7, "{exported}");
        for to in &servers {
            let what = format!("{} to {}", from.kind(), to.kind());
            let copy = format!("/copies{root}");
            let import = |into: &str, option: &str| {
                let arguments = [&["import", "--into", into, option], &SUPERUSER[..]].concat();
                let done = run(&zk, to, &arguments, exported.as_bytes());
                assert_eq!(comparable(&export(&zk, to, into)), expected, "{what} {option}");
                done
            };
            assert_eq!(import(&copy, "--existing=fail"), "created 5 znodes\n");
            assert_eq!(import(&(copy.clone() + "-2"), "--acl-last"), "created 5 znodes\n");
            let done = import(&copy, "--existing=skip");
            assert_eq!(done, "created 0 znodes\nleft alone 5 znodes\n");
            let done = import(&copy, "--existing=overwrite");
            assert_eq!(done, "created 0 znodes\noverwrote 5 znodes\n");
        }
    }
}

/// Five znodes, of every sort.
fn fill(zk: &Program, server: &Server, root: &str) {
    let text = format!("{root}/text");
    run(zk, server, &["create", root], b"");
    run(zk, server, &["create", &text, "one\ntwo \u{fc}"], b"");
    run(zk, server, &["create", &format!("{root}/bytes"), "-"], &[0xff, 0, 0x80]);
    run(zk, server, &["create", &format!("{text}/closed"), "x", "ip:10.1.2.3:r"], b"");
    let secret = format!("{root}/secret");
    run(zk, server, &["create", &secret, "x", "auth::cdrwa", "--auth", "digest:u:p"], b"");
}

fn export(zk: &Program, server: &Server, root: &str) -> String {
    run(zk, server, &[&["export", root], &SUPERUSER[..]].concat(), b"")
}

/// An export without what every place has of its own.
fn comparable(text: &str) -> Vec<Value> {
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).expect(line);
        for name in ["exported", "root", "stat", "zxid"] {
            value.as_object_mut().expect("an object").remove(name);
        }
        value
    };
    text.lines().map(line).collect()
}

fn run(zk: &Program, server: &Server, arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new(zk.path())
        .args(arguments)
        .env("ZK_SERVER", server.address().to_string())
        .env_remove("ZK_AUTH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} on {}: {log}", server.kind());
    String::from_utf8(output.stdout).expect("text")
}
