//! The client's commands, each as a child of its own: output, JSON and exit status.
#![cfg(unix)]

mod support;

use std::{fs, net::TcpListener, process::Stdio};

use serde_json::{Value, json};

use self::support::{Running, Server, finish, zk};

/// Every word, znodes with a time to live, and a superuser `super:test`.
const CONFIG: &str = "4lw.commands.whitelist=*\nextendedTypesEnabled=true\n\
    DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n";

#[test]
fn a_znode_comes_changes_and_goes() {
    let server = Server::start(CONFIG);
    assert_eq!(server.text(&["create", "/a", "one"]), "/a\n");
    assert_eq!(server.text(&["get", "/a"]), "one");
    assert_eq!(server.text(&["set", "/a", "two"]), "");
    assert_eq!(server.text(&["set", "-v", "1", "/a", "three"]), "");
    assert_eq!(server.text(&["get", "/a"]), "three");
    assert_eq!(server.text(&["ls"]), "a\nzookeeper\n");
    assert_eq!(server.text(&["delete", "-v", "2", "/a"]), "");
    assert_eq!(server.text(&["ls", "/"]), "zookeeper\n");
}

#[test]
fn what_a_server_refuses_has_a_name_and_status_1() {
    let server = Server::start(CONFIG);
    server.text(&["create", "-p", "/a/b"]);
    for (arguments, message) in [
        (&["get", "/none"][..], "error: /none: no node (NONODE)\n"),
        (&["stat", "/none"], "error: /none: no node (NONODE)\n"),
        (&["ls", "/none"], "error: /none: no node (NONODE)\n"),
        (&["ls", "-R", "/none"], "error: /none: no node (NONODE)\n"),
        (&["rmr", "/none"], "error: /none: no node (NONODE)\n"),
        (&["acl", "/none"], "error: /none: no node (NONODE)\n"),
        (&["create", "/none/b"], "error: /none/b: no node (NONODE)\n"),
        (&["create", "/a"], "error: /a: node exists (NODEEXISTS)\n"),
        (&["delete", "/a"], "error: /a: node has children (NOTEMPTY)\n"),
        (&["set", "-v", "7", "/a", ""], "error: /a: version conflict (BADVERSION)\n"),
        (&["delete", "-v", "7", "/a/b"], "error: /a/b: version conflict (BADVERSION)\n"),
        (&["acl", "/a", "digest:x:r"], "error: /a: invalid ACL (INVALIDACL)\n"),
        (
            &["multi", "delete /a/b", "check /none"],
            "error: operation 2 (check /none): no node (NONODE)\n",
        ),
    ] {
        assert_eq!(server.error(arguments), (Some(1), message.into()), "{arguments:?}");
    }
    let output = server.run(&["get", "/none", "--json"]);
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    let message = "/none: no node (NONODE)";
    let expected = json!({ "error": "NONODE", "code": -101, "path": "/none", "message": message });
    assert_eq!((output.status.code(), error), (Some(1), expected));
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_arguments_have_status_2_and_are_not_sent() {
    let server = Server::start(CONFIG);
    for (arguments, message) in [
        (&["get"][..], "<PATH>"),
        (&["get", "relative"], "relative"),
        (&["create", "-e", "-c", "/a"], "--ephemeral"),
        (&["create", "-t", "0", "/a"], "less than a millisecond"),
        (&["create", "/a/../b"], "/a/../b: "),
        (&["create", "/a", "data", "world:anyone"], "scheme:id:perms"),
        (&["create", "/a", "data", "--file", "/dev/null"], "--file"),
        (&["set", "/a"], "the data are missing"),
        (&["get", "-w", "/"], "--watch is for the shell"),
        (&["rmr", "/"], "the root cannot be deleted"),
        (&["multi", "rename /a /b"], "line 1: unrecognized subcommand 'rename'"),
        (&["multi"], "there is no operation"),
        (&["4lw", "word5"], "four letters"),
        (&["ls", "--server", "a:b:c"], "--server a:b:c: "),
        (&["ls", "--timeout", "0"], "it is zero"),
    ] {
        let (status, log) = server.error(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {log}");
        assert!(log.contains(message), "{arguments:?}: {log}");
    }
    assert_eq!(server.text(&["ls"]), "zookeeper\n");
}

#[test]
fn nobody_there_has_status_3() {
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("room");
    let server = gone.to_string();
    for arguments in [&["ls"][..], &["4lw", "ruok"], &["shell"]] {
        let options = ["--server", &server, "--timeout", "300ms"];
        let output = finish(zk().args(arguments).args(options), b"");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {log}");
        assert!(log.starts_with(&format!("error: cannot connect to {server}: ")), "{log}");
    }
    let output = finish(zk().args(["ls", "--json", "--server", &server, "--timeout", "300"]), b"");
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!((output.status.code(), &error["error"]), (Some(3), &json!("CONNECTIONLOSS")));
}

#[test]
fn data_are_bytes_from_anywhere_to_anywhere() {
    let server = Server::start(CONFIG);
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let output = finish(&mut server.zk(&["create", "/stdin", "-"]), &bytes);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(server.run(&["get", "/stdin"]).stdout, bytes);

    let file = tempfile::NamedTempFile::new().expect("room");
    fs::write(file.path(), b"of a file\n").expect("room");
    let path = file.path().to_str().expect("text");
    server.text(&["set", "/stdin", "--file", path]);
    assert_eq!(server.text(&["get", "/stdin"]), "of a file\n");
    server.text(&["create", "/file", "--file", path, "--acl", "world:anyone:r"]);
    assert_eq!(server.text(&["acl", "/file"]), "world:anyone:r\n");

    let (status, log) = server.error(&["set", "/stdin", "--file", "/nowhere/file"]);
    assert_eq!(status, Some(1));
    assert!(log.starts_with("error: /nowhere/file: "), "{log}");
    server.text(&["set", "/stdin", "-5"]);
    assert_eq!(server.text(&["get", "/stdin"]), "-5");

    let data = |path| server.json(&["get", path])["data"].clone();
    assert_eq!(data("/file"), "of a file\n");
    finish(&mut server.zk(&["set", "/stdin", "-"]), &[0xff, 0]);
    let value = server.json(&["get", "/stdin"]);
    assert_eq!((&value["data"], &value["encoding"]), (&json!("/wA="), &json!("base64")));
}

#[test]
fn znodes_are_of_every_kind() {
    let server = Server::start(CONFIG);
    assert_eq!(server.text(&["create", "-p", "/a/b/c", "x"]), "/a/b/c\n");
    assert_eq!(server.text(&["create", "-s", "/a/s-"]), "/a/s-0000000001\n");
    assert_eq!(server.text(&["create", "-s", "-p", "/n/"]), "/n/0000000000\n");
    assert_eq!(server.text(&["create", "-c", "/c"]), "/c\n");
    assert_eq!(server.text(&["create", "-t", "10m", "/t"]), "/t\n");
    assert_eq!(server.text(&["create", "-t", "600000", "-s", "/t"]), "/t0000000004\n");
    // It goes with the session of its command.
    assert_eq!(server.text(&["create", "-e", "/e"]), "/e\n");
    assert_eq!(server.text(&["ls"]), "a\nc\nn\nt\nt0000000004\nzookeeper\n");
    assert_eq!(server.text(&["ls", "-R", "/a"]), "/a\n/a/b\n/a/b/c\n/a/s-0000000001\n");
    assert_eq!(server.text(&["count", "/a"]), "3\n");
    let stat = server.text(&["create", "/with-stat", "12345", "--stat"]);
    assert!(stat.starts_with("/with-stat\ncZxid = 0x"), "{stat}");
    assert!(stat.contains("\ndataLength = 5\n"), "{stat}");
}

#[test]
fn an_ephemeral_can_be_held() {
    let server = Server::start(CONFIG);
    let holder = Running::start(&mut server.zk(&["create", "-e", "--hold", "/e"]));
    assert_eq!(holder.line(), "/e");
    assert_ne!(server.json(&["stat", "/e"])["stat"]["ephemeralOwner"], "0x0");
    holder.interrupt();
    assert_eq!(holder.wait(), (Some(0), vec![]));
    assert_eq!(server.error(&["stat", "/e"]).0, Some(1));
}

#[test]
fn json_has_the_java_names() {
    let server = Server::start(CONFIG);
    server.text(&["create", "/a", "12345"]);
    server.text(&["create", "/a/b"]);
    let value = server.json(&["stat", "/a"]);
    let stat = &value["stat"];
    assert_eq!(value["path"], "/a");
    for (name, expected) in [("version", 0), ("cversion", 1), ("aversion", 0)] {
        assert_eq!(stat[name], expected, "{name}");
    }
    assert_eq!((&stat["dataLength"], &stat["numChildren"]), (&json!(5), &json!(1)));
    assert_eq!((&stat["czxid"], &stat["mzxid"]), (&json!("0x2"), &json!("0x2")));
    assert_eq!((&stat["pzxid"], &stat["ephemeralOwner"]), (&json!("0x5"), &json!("0x0")));
    assert!(stat["ctime"].as_i64().is_some_and(|ctime| ctime > 1_500_000_000_000), "{stat}");
    assert_eq!(stat["ctime"], stat["mtime"]);

    let children = server.json(&["ls", "-s", "/a"]);
    assert_eq!((&children["children"], &children["stat"]), (&json!(["b"]), stat));
    assert_eq!(server.json(&["ls", "-R", "/a"]), json!({ "paths": ["/a", "/a/b"] }));
    assert_eq!(server.json(&["count", "/"])["path"], "/");
    assert_eq!(server.json(&["delete", "/a/b"]), json!({ "path": "/a/b" }));
    let changed = server.json(&["set", "/a", "x"]);
    assert_eq!((&changed["path"], &changed["stat"]["version"]), (&json!("/a"), &json!(1)));
    let created = server.json(&["create", "-s", "/s-", "--stat"]);
    assert_eq!(created["path"], "/s-0000000001");
    assert_eq!(created["stat"]["numChildren"], 0);
    let ip = json!({ "scheme": "ip", "user": "127.0.0.1" });
    assert_eq!(server.json(&["whoami"]), json!({ "identities": [ip] }));
    let acl = json!([{ "scheme": "world", "id": "anyone", "perms": "cdrwa" }]);
    assert_eq!(server.json(&["acl", "/a"])["acl"], acl);
    assert_eq!(server.json(&["sync", "/a"]), json!({ "path": "/a" }));
    let answer = json!({ "server": server.address.to_string(), "answer": "imok" });
    assert_eq!(server.json(&["4lw", "ruok"]), answer);
    assert_eq!(server.json(&["ephemerals"]), json!({ "paths": [] }));
    assert_eq!(server.json(&["config"])["path"], "/zookeeper/config");
}

#[test]
fn identities_open_what_acls_close() {
    let server = Server::start(CONFIG);
    let auth = ["--auth", "digest:user:password"];
    server.text(&[&["create", "/secret", "x", "auth::cdrwa"], &auth[..]].concat());
    let acl = "digest:user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=:cdrwa\n";
    assert_eq!(server.text(&[&["acl", "/secret"], &auth[..]].concat()), acl);
    let refused = "error: /secret: not authorised (NOAUTH)\n";
    assert_eq!(server.error(&["get", "/secret"]), (Some(1), refused.into()));
    assert_eq!(server.text(&[&["get", "/secret"], &auth[..]].concat()), "x");
    let output = finish(server.zk(&["get", "/secret"]).env("ZK_AUTH", auth[1]), b"");
    assert_eq!(output.stdout, b"x");
    let user = server.text(&["whoami", "--auth", "digest:super:test", auth[0], auth[1]]);
    assert!(user.contains("super:") && user.contains("digest:user"), "{user}");

    assert_eq!(server.text(&["addauth", "digest", "user:password"]), "");
    let (status, log) = server.error(&["addauth", "nonsense", "x"]);
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("(AUTHFAILED)"), "{log}");

    // Everything below goes with it, and only the superuser opens it again.
    server.text(&["create", "-p", "/tree/a/b"]);
    assert_eq!(server.text(&["acl", "-R", "/tree", "digest:a:b:r"]), "changed 3 znodes\n");
    assert_eq!(server.error(&["get", "/tree/a/b"]).0, Some(1));
    let superuser = ["--auth", "digest:super:test"];
    let open = [&["acl", "-R", "/tree", "world:anyone:cdrwa"], &superuser[..]].concat();
    assert_eq!(server.json(&open), json!({ "path": "/tree", "changed": 3, "gone": 0 }));
    assert_eq!(server.text(&["get", "/tree/a/b"]), "");
}

#[test]
fn rmr_counts_what_it_deletes() {
    let server = Server::start(CONFIG);
    let lines: String = (0..300).map(|number| format!("create /a/{number}\n")).collect();
    let lines = format!("create /a\ncreate /ab\n{lines}");
    let output = finish(&mut server.zk(&["multi"]), lines.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.text(&["rmr", "/a"]), "deleted 301 znodes\n");
    assert_eq!(server.text(&["ls"]), "ab\nzookeeper\n");
    assert_eq!(
        server.json(&["deleteall", "/ab"]),
        json!({ "path": "/ab", "deleted": 1, "gone": 0 })
    );
}

#[test]
fn a_multi_is_all_or_nothing() {
    let server = Server::start(CONFIG);
    let lines =
        "# comes first\ncreate /a 'hello world'\ncreate -s /a/s-\nset /a x\ncheck -v 1 /a\n";
    let output = finish(&mut server.zk(&["multi"]), lines.as_bytes());
    let expected = "create /a\ncreate /a/s-0000000000\nset /a (version 1)\ncheck /a\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(server.error(&["multi", "set /a y", "check -v 1 /a"]).0, Some(1));
    assert_eq!(server.text(&["get", "/a"]), "x");
    let value = server.json(&["multi", "set /a y", "delete /a/s-0000000000"]);
    assert_eq!(value["results"][0]["stat"]["version"], 2);
    assert_eq!(value["results"][1], json!({ "operation": "delete", "path": "/a/s-0000000000" }));
    let output = server.run(&["multi", "--json", "set /a z", "delete /none"]);
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!((&error["index"], &error["error"]), (&json!(1), &json!("NONODE")));
    assert_eq!(error["results"], json!(["OK", "NONODE"]));
}

#[test]
fn a_watch_prints_events_until_it_has_enough() {
    let server = Server::start(CONFIG);
    server.text(&["create", "/a"]);
    let arguments = ["watch", "-R", "--count", "4", "/a"];
    let watch = Running::start(&mut server.zk(&arguments));
    server.await_watches(1);
    server.text(&["set", "/a", "x"]);
    server.text(&["create", "/a/b c"]);
    server.text(&["set", "/a/b c", "y"]);
    server.text(&["delete", "/a/b c"]);
    let expected = [
        "NodeDataChanged /a",
        "NodeCreated /a/b c",
        "NodeDataChanged /a/b c",
        "NodeDeleted /a/b c",
    ];
    assert_eq!(watch.wait(), (Some(0), expected.map(Into::into).to_vec()));
}

#[test]
fn a_watch_goes_on_until_it_is_interrupted() {
    let server = Server::start(CONFIG);
    let watch = Running::start(&mut server.zk(&["watch", "--json", "/a"]));
    server.await_watches(1);
    server.text(&["create", "/a"]);
    let event: Value = serde_json::from_str(&watch.line()).expect("JSON");
    assert_eq!((&event["type"], &event["path"]), (&json!("NodeCreated"), &json!("/a")));
    assert!(event["zxid"].as_str().is_some_and(|zxid| zxid.starts_with("0x")), "{event}");
    server.text(&["create", "/a/b"]);
    let event: Value = serde_json::from_str(&watch.line()).expect("JSON");
    assert_eq!(event["type"], "NodeChildrenChanged");
    watch.interrupt();
    assert_eq!(watch.wait(), (Some(0), vec![]));
    server.await_watches(0);
}

#[test]
fn a_watch_survives_a_restart_unless_the_session_does_not() {
    let mut server = Server::start(CONFIG);
    let watch = Running::start(&mut server.zk(&["watch", "/a", "--timeout", "4s"]));
    server.await_watches(1);
    // Nothing is left on the new server, not even the session.
    server.restart();
    assert!(watch.log_line().starts_with("Disconnected: "));
    let rest: Vec<String> = std::iter::from_fn(|| {
        let line = watch.log_line();
        (!line.starts_with("error: ")).then_some(line)
    })
    .collect();
    assert!(rest.iter().any(|line| line.starts_with("Expired: ")), "{rest:?}");
    assert_eq!(watch.wait(), (Some(3), vec![]));
}

#[test]
fn whoever_reads_may_stop_reading() {
    let server = Server::start(CONFIG);
    let watch =
        server.zk(&["watch", "-R", "/"]).stderr(Stdio::inherit()).spawn().expect("a process");
    let mut watch = watch;
    server.await_watches(1);
    drop(watch.stdout.take());
    server.text(&["create", "/a"]);
    assert_eq!(watch.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_chroot_is_put_before_every_path_and_taken_off_again() {
    let server = Server::start(CONFIG);
    let rooted = format!("{}/app", server.address);
    let zk = |arguments: &[&str]| {
        let output = finish(zk().args(arguments).args(["--server", &rooted]), b"");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(zk(&["create", "-p", "/a/b", "x"]), "/a/b\n");
    assert_eq!(zk(&["ls", "-R"]), "/\n/a\n/a/b\n");
    assert_eq!(zk(&["multi", "create -s /a/s-"]), "create /a/s-0000000001\n");
    assert_eq!(server.text(&["get", "/app/a/b"]), "x");
    assert_eq!(zk(&["rmr", "/a"]), "deleted 3 znodes\n");
    assert_eq!(server.text(&["ls", "-R", "/app"]), "/app\n");
}

#[test]
fn four_letter_words_need_no_session() {
    let server = Server::start(CONFIG);
    assert_eq!(server.text(&["4lw", "ruok"]), "imok");
    assert!(server.text(&["4lw", "srvr"]).contains("\nMode: standalone\n"));
    let nowhere = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let servers = format!("{},{}", nowhere.expect("room"), server.address);
    let output = finish(zk().args(["--server", &servers, "4lw", "ruok"]), b"");
    assert_eq!(output.stdout, b"imok", "the second is asked where the first is not there");
}

#[test]
fn a_script_runs_in_one_session() {
    let server = Server::start(CONFIG);
    let script = "create -e /e x\nephemerals\n# a comment\n\nget -w /e\nset /e y\ngetAcl /e\n\
        set '/e' \"z\nget /none\nprintwatches off\nget -w /e\nset /e w\nquit\ncreate /late\n";
    let output = finish(&mut server.zk(&["shell"]), script.as_bytes());
    let (stdout, log) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    let mut lines: Vec<&str> = stdout.lines().collect();
    // Events come as they come.
    let event = lines.iter().position(|line| *line == "NodeDataChanged /e").expect(&stdout);
    lines.remove(event);
    let expected = ["/e", "/e", "x", "world:anyone:cdrwa", "printwatches is off", "y"];
    assert_eq!(lines, expected);
    assert_eq!(output.status.code(), Some(2), "the first failure: a quote is not closed");
    assert!(log.contains("error: a quote is not closed\n"), "{log}");
    assert!(log.contains("error: /none: no node (NONODE)\n"), "{log}");
    assert_eq!(server.text(&["ls"]), "zookeeper\n", "the session is over, the rest was not run");
}

#[test]
fn help_needs_no_manual() {
    let text = |arguments: &[&str]| {
        let output = finish(zk().args(arguments), b"");
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).expect("text")
    };
    let help = text(&["--help"]);
    for word in ["serve", "shell", "4lw", "--server", "ZK_SERVER", "Exit status", "Examples:"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(text(&["multi", "--help"]).contains("check [-v VERSION] PATH"));
    assert!(text(&["create", "--help"]).contains("--ttl"));
    assert!(text(&["import", "--help"]).contains("--existing skip"));
    for tool in
        [&["log", "dump"][..], &["log", "verify"], &["snapshot", "tree"], &["data", "repair"]]
    {
        let help = text(&[tool, &["--help"]].concat());
        assert!(help.contains("Exit status:") && help.contains("--json"), "{help}");
        assert!(!help.contains("--server"), "{help}");
    }
    assert!(!text(&["serve", "--help"]).contains("--auth"));
}
