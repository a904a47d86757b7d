//! `zk snapshot`, on snapshots made by hand, damaged ones, and those of Apache ZooKeeper.
#![cfg(unix)]

mod files;
mod support;

use std::process::Output;

use serde_json::{Value, json};

use self::{
    files::{SYSTEM, Znode, digest, fixture, snapshot, values, write},
    support::{Server, finish, zk},
};

/// The exit status, the output and the log of `zk snapshot`.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = finish(zk().arg("snapshot").args(arguments), b"");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// Those of every tree, and one of every kind.
fn znodes() -> Vec<Znode<'static>> {
    let ttl = 0xff_u64 << 56 | 600_000;
    let more: [Znode<'_>; 6] = [
        ("/app", Some(b"root"), 0),
        ("/app/closed", Some(b"\xff"), 0),
        ("/app/closed/null", None, 0),
        ("/app/container", Some(b""), i64::MIN),
        ("/app/ephemeral", Some(b""), 7),
        ("/app/ttl", Some(b"brief"), ttl.cast_signed()),
    ];
    [&SYSTEM[..], &more].concat()
}

#[test]
fn apaches_snapshots_are_in_order() {
    let names =
        ["snapshot.0", "snapshot.28", "snapshot.31", "snapshot.31.gz", "snapshot.31.snappy"];
    let files = names.map(fixture);
    let arguments: Vec<&str> =
        ["verify", "--json"].into_iter().chain(files.iter().map(|file| &**file)).collect();
    let (status, text, log) = run(&arguments);
    assert_eq!((status, &*log), (Some(0), ""), "{text}");
    let found = values(&text);
    let field = |name: &str| found.iter().map(|value| value[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("znodes"), [4, 25, 25, 25, 25]);
    assert_eq!(field("zxid"), ["0x0", "0x28", "0x31", "0x31", "0x31"]);
    // The others were written while no transaction was applied yet.
    assert_eq!(field("digest"), ["absent", "right", "absent", "right", "absent"]);

    // The same tree, whatever it is wrapped in.
    let znodes = |name: &str| {
        let text = run(&["dump", "--json", &fixture(name)]).1;
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| line.contains(r#""type":"znode""#))
            .map(Into::into)
            .collect();
        lines.sort_unstable();
        lines
    };
    let expected = znodes("snapshot.31");
    assert_eq!(expected.len(), 25);
    assert_eq!(znodes("snapshot.31.gz"), expected);
    assert_eq!(znodes("snapshot.31.snappy"), expected);

    let text = run(&["stat", &fixture("snapshot.31.gz")]).1;
    for line in [
        "813 bytes, decompressed 6007 bytes",
        "paths and data: 25 znodes, 3646 bytes",
        "kinds: 1 container, 2 ephemeral, 21 persistent, 1 ttl",
        "2 sessions, 2 owners of ephemerals, 6 ACLs",
        "newest zxid 0x31",
        "depth 1: 12 znodes, 3397 bytes",
        "below /a: 5 znodes, 68 bytes",
        "data of /big: 3003 bytes",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let value = &values(&run(&["stat", "--json", "--top", "1", &fixture("snapshot.31")]).1)[0];
    assert_eq!(value["largest"], json!([{ "path": "/big", "dataLength": 3003 }]));
    assert_eq!((&value["sessions"], &value["ephemeralOwners"]), (&json!(2), &json!(2)));
}

#[test]
fn a_dump_has_every_kind_of_znode() {
    let bytes = snapshot(9, &znodes(), None);
    let (_directory, paths) = write(&[("snapshot.9", &bytes)]);
    let (status, text, _) = run(&["dump", &paths[0]]);
    assert_eq!(status, Some(0));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "session 0x7 timeout 30000 ms");
    assert_eq!(lines[lines.len() - 2..], ["no digest", "last zxid 0x9"]);
    for start in [
        r#"znode /app/closed "\xff" (1 byte) persistent world:anyone:r czxid 0x9 "#,
        "znode /app/closed/null null persistent world:anyone:cdrwa ",
        r#"znode /app/container "" (0 bytes) container world:anyone:cdrwa "#,
        r#"znode /app/ephemeral "" (0 bytes) ephemeral of 0x7 world:anyone:cdrwa "#,
        r#"znode /app/ttl "brief" (5 bytes) ttl 600000 ms world:anyone:cdrwa "#,
    ] {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start}: {text}");
    }
    let text = run(&["dump", "--json", "--path", "/app/ttl", &paths[0]]).1;
    let [value] = &values(&text)[..] else { panic!("{text}") };
    assert_eq!((&value["kind"], &value["ttlMs"]), (&json!("ttl"), &json!(600_000)));
    assert_eq!((&value["data"], &value["czxid"]), (&json!("brief"), &json!("0x9")));
}

#[test]
fn an_export_goes_back_into_a_server() {
    let bytes = snapshot(9, &znodes(), None);
    let (_directory, paths) = write(&[("snapshot.9", &bytes)]);
    let (status, text, _) = run(&["dump", "--export", "--path", "/app", &paths[0]]);
    assert_eq!(status, Some(0));
    let lines = values(&text);
    let kinds: Vec<&Value> = lines.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds[1..6], ["persistent", "persistent", "persistent", "container", "ttl"]);
    assert_eq!((&lines[6]["znodes"], &lines[6]["skipped"]), (&json!(5), &json!(1)));
    let server = Server::start("extendedTypesEnabled=true\n");
    let arguments = ["import", "--into", "/new", "--acl-last"];
    let output = finish(&mut server.zk(&arguments), text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "created 5 znodes\n");
    let all = "/new\n/new/closed\n/new/closed/null\n/new/container\n/new/ttl\n";
    assert_eq!(server.text(&["ls", "-R", "/new"]), all);
    assert_eq!(server.text(&["acl", "/new/closed"]), "world:anyone:r\n");

    let all = run(&["dump", "--export", &paths[0]]).1;
    assert!(!all.contains("/zookeeper"), "{all}");
    let (status, _, log) = run(&["dump", "--export", "--path", "/none", &paths[0]]);
    assert_eq!((status, &*log), (Some(2), "error: /none: there is no such znode to export\n"));
    assert_eq!(run(&["dump", "--export", &paths[0], &paths[0]]).0, Some(2));
}

#[test]
fn a_tree_is_indented_and_counted() {
    let bytes = snapshot(9, &znodes(), None);
    let (_directory, paths) = write(&[("snapshot.9", &bytes)]);
    let (status, text, _) = run(&["tree", "--depth", "1", &paths[0]]);
    let expected = "\
        / (10 znodes, 120 bytes)\n  \
          app (6 znodes, 77 bytes)\n  \
          zookeeper (3 znodes, 43 bytes)\n";
    assert_eq!((status, &*text), (Some(0), expected));
    let text = run(&["tree", "--path", "/app", &paths[0]]).1;
    let lines: Vec<&str> =
        text.lines().map(|line| line.split(" (").next().expect("some")).collect();
    let expected = ["/app", "  closed", "    null", "  container", "  ephemeral", "  ttl"];
    assert_eq!(lines, expected);
    let text = run(&["tree", "--json", "--path", "/app/closed", &paths[0]]).1;
    let expected = json!({ "path": "/app/closed/null", "depth": 1, "znodes": 1, "bytes": 16 });
    assert_eq!(values(&text)[1], expected);
}

#[test]
fn every_damage_is_found() {
    let znodes = znodes();
    let right = digest(9, &znodes);
    let whole = snapshot(9, &znodes, Some(right));
    let mut flipped = whole.clone();
    flipped[200] ^= 1;
    let orphan = [&znodes[..], &[("/none/child", None, 0)]].concat();
    let wrong = snapshot(9, &znodes, Some(right ^ 1));
    for (name, bytes, verdict, complaint) in [
        ("snapshot.9", whole.clone(), "fine", ""),
        ("snapshot.9", whole[..whole.len() - 30].to_vec(), "damaged", "ends inside its"),
        ("snapshot.9", whole[..300].to_vec(), "damaged", "the snapshot ends inside its znode"),
        ("snapshot.9", flipped, "damaged", "expected the checksum"),
        ("snapshot.9", Vec::new(), "damaged", "the snapshot ends inside its header"),
        (
            "snapshot.9",
            b"something else, long enough".to_vec(),
            "damaged",
            "expected the magic number",
        ),
        (
            "snapshot.9",
            snapshot(9, &orphan, None),
            "damaged",
            "/none/child: znode without its parent",
        ),
        ("snapshot.9", wrong, "damaged", "expected the digest"),
        (
            "snapshot.8",
            whole.clone(),
            "damaged",
            "it is named after 0x8, and says that it is of 0x9",
        ),
        ("snapshot.9.gz", whole.clone(), "damaged", "the gzip stream is damaged"),
        ("snapshot.9.snappy", whole.clone(), "damaged", "this is no snappy stream"),
    ] {
        let (_directory, paths) = write(&[(name, &bytes)]);
        let (status, text, _) = run(&["verify", "--json", &paths[0]]);
        let value = &values(&text)[0];
        assert_eq!(value["verdict"], verdict, "{name}: {complaint}: {text}");
        assert_eq!(status, Some(i32::from(verdict != "fine")), "{text}");
        let complaints = value["complaints"].to_string();
        assert!(complaints.contains(complaint), "{complaint}: {complaints}");
    }
    let (_directory, paths) = write(&[("snapshot.9", &whole[..300])]);
    for command in ["dump", "stat", "tree"] {
        let (status, _, log) = run(&[command, &paths[0]]);
        assert_eq!(status, Some(1));
        assert!(log.contains("the snapshot ends inside its znode"), "{log}");
    }
    let (status, _, log) = run(&["verify", "/nowhere/snapshot.1"]);
    assert_eq!(status, Some(1));
    assert!(log.starts_with("error: /nowhere/snapshot.1: "), "{log}");
}
