//! `zk export` and `zk import`, between servers and files.
#![cfg(unix)]

mod support;

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::support::{Running, Server, finish};

/// Znodes with a time to live, and a superuser `super:test`.
const CONFIG: &str = "extendedTypesEnabled=true\n\
    DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n";

const SUPERUSER: [&str; 2] = ["--auth", "digest:super:test"];

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// An export without what differs between servers.
fn comparable(text: &str) -> Vec<Value> {
    let mut lines = lines(text);
    for line in &mut lines {
        let line = line.as_object_mut().expect("an object");
        for name in ["exported", "stat", "zxid"] {
            line.remove(name);
        }
    }
    lines
}

/// An export of a tree that was never there: a root and `count` below it.
fn many(count: usize) -> String {
    let acl = json!([{ "scheme": "world", "id": "anyone", "perms": "cdrwa" }]);
    let header = json!({ "format": "zookeeper-export", "version": 1, "root": "/many" });
    let node = |path: String| {
        json!({
            "path": path, "data": "x".repeat(100), "encoding": "utf-8", "acl": acl,
            "kind": "persistent",
        })
    };
    let nodes = (0..count).map(|number| node(format!("/{number}")));
    let end = json!({ "end": true, "znodes": count + 1, "skipped": 0, "gone": 0, "hiddenAcls": 0 });
    let all = [header, node("/".into())].into_iter().chain(nodes).chain([end]);
    all.map(|line| line.to_string() + "\n").collect()
}

#[test]
fn a_subtree_moves_from_server_to_server() {
    let (old, new) = (Server::start(CONFIG), Server::start(CONFIG));
    old.text(&["create", "-p", "/app/text", "two\nlines"]);
    finish(&mut old.zk(&["create", "/app/bytes", "-"]), &[0xff, 0, 0x80]);
    old.text(&["create", "/app/empty"]);
    old.text(&["create", "/app/read", "x", "world:anyone:r,ip:10.0.0.0/8:cdrwa"]);
    old.text(&["create", "/app/secret", "x", "auth::cdrwa", "--auth", "digest:u:p"]);
    old.text(&["create", "/app/secret/below", "y", "--auth", "digest:u:p"]);
    let large = "x".repeat(1_000_000);
    finish(&mut old.zk(&["create", "/app/large", "-"]), large.as_bytes());
    let holder = Running::start(&mut old.zk(&["create", "-e", "--hold", "/app/e"]));
    assert_eq!(holder.line(), "/app/e");

    let directory = TempDir::new().expect("room");
    let file = directory.path().join("app.jsonl");
    let file = file.to_str().expect("text");
    let export = [&["export", "/app", "--output", file], &SUPERUSER[..]].concat();
    let value = old.json(&export);
    assert_eq!(
        (&value["file"], &value["znodes"], &value["skipped"]),
        (&json!(file), &json!(8), &json!(1))
    );
    assert_eq!(old.text(&export), "exported 8 znodes\nleft out 1 ephemeral znode\n");

    let import = [&["import", file], &SUPERUSER[..]].concat();
    assert_eq!(new.text(&import), "created 8 znodes\n");
    let all = |server: &Server| {
        let mut export = vec!["export", "/app"];
        export.extend(SUPERUSER);
        comparable(&server.text(&export))
    };
    let mut expected = all(&old);
    // It belongs to a session of the old server.
    expected.last_mut().expect("the last line")["skipped"] = 0.into();
    assert_eq!(all(&new), expected);
    let output = new.run(&["get", "/app/bytes"]);
    assert_eq!(output.stdout, [0xff, 0, 0x80]);
    assert_eq!(new.text(&["get", "/app/secret/below", "--auth", "digest:u:p"]), "y");
    assert_eq!(new.error(&["set", "/app/read", "y"]).0, Some(1));

    let with = [&export[..], &["--ephemeral-as-persistent"]].concat();
    assert_eq!(old.text(&with), "exported 9 znodes\n");
    let skip = [&import[..], &["--existing", "skip"]].concat();
    assert_eq!(new.text(&skip), "created 1 znode\nleft alone 8 znodes\n");
    assert_eq!(new.json(&["stat", "/app/e"])["stat"]["ephemeralOwner"], "0x0");
}

#[test]
fn everything_goes_through_a_pipe() {
    let server = Server::start(CONFIG);
    server.text(&["create", "-p", "/a/b/c", "x"]);
    let text = server.text(&["export", "/a"]);
    let exported = lines(&text);
    assert_eq!(exported.len(), 5);
    assert_eq!((&exported[0]["root"], &exported[0]["version"]), (&json!("/a"), &json!(1)));
    let node = &exported[3];
    assert_eq!(
        (&node["path"], &node["data"], &node["kind"]),
        (&json!("/b/c"), &json!("x"), &json!("persistent"))
    );
    assert_eq!(node["stat"]["dataLength"], 1);
    let end = &exported[4];
    assert_eq!((&end["znodes"], &end["zxid"]), (&json!(3), &node["stat"]["czxid"]));

    let arguments = ["import", "-", "--into", "/new/place", "--json"];
    let output = finish(&mut server.zk(&arguments), text.as_bytes());
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = json!({
        "into": "/new/place", "created": 3, "overwritten": 0, "skipped": 0, "line": 4, "open": 0,
        "dryRun": false,
    });
    assert_eq!((output.status.code(), outcome), (Some(0), expected));
    assert_eq!(server.text(&["get", "/new/place/b/c"]), "x");

    // A whole server, its own znodes left out, below another's root.
    let whole = server.text(&["export"]);
    assert!(!whole.contains("/zookeeper/"), "{whole}");
    let other = Server::start(CONFIG);
    let output = finish(&mut other.zk(&["import"]), whole.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "created 7 znodes\nleft alone 1 znode\n");
    assert_eq!(other.text(&["ls", "-R", "/new"]), server.text(&["ls", "-R", "/new"]));
}

#[test]
fn a_chroot_is_where_paths_begin() {
    let server = Server::start(CONFIG);
    server.text(&["create", "-p", "/tenant/zookeeper/x", "its own"]);
    let rooted = format!("{}/tenant", server.address);
    let text = server.text(&["export", "--server", &rooted]);
    assert!(text.contains(r#""path":"/zookeeper/x""#), "{text}");
    let into = format!("{}/other", server.address);
    let output = finish(&mut server.zk(&["import", "--server", &into]), text.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.text(&["get", "/other/zookeeper/x"]), "its own");
}

#[test]
fn kinds_that_a_file_names_are_made() {
    let server = Server::start(CONFIG);
    let text = many(2)
        .replacen("persistent", "container", 2)
        .replace(r#""kind":"container","path":"/0""#, r#""kind":"ttl","ttlMs":600000,"path":"/0""#);
    let output = finish(&mut server.zk(&["import"]), text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "created 3 znodes\n");
    assert_eq!(server.text(&["count", "/many"]), "2\n");
    // Where nobody knows of a time to live it is not left out silently.
    let server = Server::start("");
    let output = finish(&mut server.zk(&["import"]), text.as_bytes());
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("line 3: /many/0: ") && log.contains("(UNIMPLEMENTED)"), "{log}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn failures_say_where() {
    let server = Server::start(CONFIG);
    let import = |text: &str, more: &[&str]| {
        let arguments = [&["import"], more].concat();
        let output = finish(&mut server.zk(&arguments), text.as_bytes());
        assert!(output.stdout.is_empty());
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let text = many(2);
    let broken = text.replace("\"/1\"", "1");
    let (status, log) = import(&broken, &["--dry-run"]);
    assert_eq!(
        (status, &*log),
        (Some(1), "error: standard input, line 4: path is 1, not a text\n")
    );
    assert_eq!(server.text(&["ls"]), "zookeeper\n");
    let (status, log) = import(&broken, &[]);
    let done = "(done up to line 3: 2 created, 0 overwritten, 0 skipped)";
    assert_eq!(status, Some(1));
    assert_eq!(log, format!("error: standard input, line 4: path is 1, not a text {done}\n"));
    let (status, log) = import(&text, &[]);
    let expected = "error: standard input, line 2: /many: node exists (NODEEXISTS)\n";
    assert_eq!((status, &*log), (Some(1), expected));
    let (status, log) = import(&text, &["--json"]);
    let error: Value = serde_json::from_str(&log).expect("JSON");
    assert_eq!(
        (status, &error["error"], &error["lines"]),
        (Some(1), &json!("NODEEXISTS"), &json!([2, 2]))
    );

    assert_eq!(
        server.error(&["export", "/none"]),
        (Some(1), "error: /none: no node (NONODE)\n".into())
    );
    assert_eq!(server.error(&["export", "/zookeeper"]).0, Some(2));
    assert_eq!(server.error(&["import", "/nowhere/file"]).0, Some(1));
    assert_eq!(server.error(&["import", "--no-acl", "--acl-last"]).0, Some(2));
    let script = finish(&mut server.zk(&["shell"]), b"import -\n");
    assert!(String::from_utf8_lossy(&script.stderr).contains("the shell itself reads"));
}

#[test]
fn an_acl_that_closes_a_znode_can_come_last() {
    let server = Server::start(CONFIG);
    let closed = many(2).replacen("\"cdrwa\"", "\"ra\"", 1);
    let output = finish(&mut server.zk(&["import"]), closed.as_bytes());
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("line 3: /many/0: not authorised (NOAUTH)"), "{log}");
    let output = finish(&mut server.zk(&["import", "--acl-last"]), closed.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.text(&["acl", "/many"]), "world:anyone:ra\n");
    assert_eq!(server.error(&["create", "/many/new"]).0, Some(1));
}

#[test]
fn tens_of_thousands_take_no_round_trip_each() {
    let server = Server::start(CONFIG);
    let text = many(20_000);
    let output = finish(&mut server.zk(&["import"]), text.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "created 20001 znodes\n");
    let exported = server.text(&["export", "/many"]);
    assert_eq!(exported.lines().count(), 20_003);

    let directory = TempDir::new().expect("room");
    let file = directory.path().join("many.jsonl");
    fs::write(&file, &exported).expect("room");
    let name = file.to_str().expect("text");
    let mut again = server.zk(&["import", "--into", "/other", "--json", name]);
    let output = finish(&mut again, b"");
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&outcome["created"], &outcome["line"]), (&json!(20_001), &json!(20_002)));
}
