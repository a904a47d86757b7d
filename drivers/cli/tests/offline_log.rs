//! `zk log`, on logs made by hand, damaged ones, and those of Apache ZooKeeper.
#![cfg(unix)]

mod files;
mod support;

use std::{fs, path::Path, process::Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use zookeeper_core::{
    SessionId, Zxid,
    storage::encode_record,
    wire::{Txn, TxnHeader},
};

use self::{
    files::{Log, fixture, values, write},
    support::{finish, zk},
};

/// The exit status, the output and the log of `zk log`.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = finish(zk().arg("log").args(arguments), b"");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn apaches_logs_are_read_to_their_last_record() {
    let [first, second] = ["log.1", "log.29"].map(fixture);
    let (status, text, log) = run(&["dump", &first]);
    assert_eq!((status, &*log), (Some(0), ""));
    assert_eq!(text.lines().count(), 0x28);
    for (line, start, end) in [
        (0, "0x1 2026-", " create_session timeout 40000 ms"),
        (
            1,
            "0x2 2026-",
            r#" create /a "first" (5 bytes) persistent world:anyone:cdrwa parent-cversion 1"#,
        ),
    ] {
        let line = text.lines().nth(line).expect("a line");
        assert!(line.starts_with(start) && line.ends_with(end), "{line}");
    }
    for part in
        [" multi [create ", " error NODEEXISTS (-110)", " create_ttl /ttl ", " create_container "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }

    let (status, text, log) = run(&["verify", &second, &first]);
    assert_eq!((status, &*log), (Some(0), ""));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            format!("{first}: 40 records, 0x1 to 0x28, in order"),
            format!("{second}: 9 records, 0x29 to 0x31, in order"),
        ]
    );
    let (status, text, _) = run(&["verify", &second, "--json"]);
    let value = &values(&text)[0];
    assert_eq!(
        (status, &value["verdict"], &value["records"]),
        (Some(0), &json!("fine"), &json!(9))
    );
    assert_eq!(value["tail"]["state"], "clean");
    assert_eq!(value["tail"]["length"], 100);

    let (status, text, _) = run(&["stat", &first, &second, "--json"]);
    let value = &values(&text)[0];
    assert_eq!((status, &value["records"], &value["files"]), (Some(0), &json!(49), &json!(2)));
    assert_eq!((&value["firstZxid"], &value["lastZxid"]), (&json!("0x1"), &json!("0x31")));
    assert_eq!(value["types"]["multi"], 3);
    assert_eq!(value["sessions"], 4);
    assert_eq!(value["largest"]["path"], "/big");
    let text = run(&["stat", &first]).1;
    assert!(
        text.starts_with("40 records in 1 file\n7255 bytes: records 7139, behind them 100\n"),
        "{text}"
    );
    assert!(text.contains("\n         5 error\n"), "{text}");
}

#[test]
fn a_dump_shows_what_is_asked_for() {
    let log = Log::of(1..=9);
    let (_directory, paths) = write(&[("log.1", &log.bytes)]);
    let file = &*paths[0];
    let zxids = |more: &[&str]| {
        let (status, text, _) = run(&[&["dump", file, "--json"], more].concat());
        assert_eq!(status, Some(0));
        values(&text)
            .iter()
            .map(|value| value["zxid"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(zxids(&["--from", "0x3", "--to", "5"]), ["0x3", "0x4", "0x5"]);
    assert_eq!(zxids(&["--path", "/4"]), ["0x4"]);
    assert_eq!(zxids(&["--path", "/"]).len(), 9);
    assert_eq!(zxids(&["--session", "0x7"]).len(), 9);
    assert!(zxids(&["--session", "0x8"]).is_empty());
    let (_, text, _) = run(&["dump", file, "--json", "--from", "9"]);
    let value = &values(&text)[0];
    assert_eq!((&value["type"], &value["path"]), (&json!("create"), &json!("/9")));
    assert_eq!((&value["data"], &value["encoding"]), (&json!("x"), &json!("utf-8")));
    assert_eq!(value["offset"], log.starts[8]);
    assert_eq!((&value["time"], &value["session"]), (&json!(1_009), &json!("0x7")));
}

#[test]
fn every_end_has_a_name_and_a_status() {
    let log = Log::of(1..=5);
    let (last, fourth) = (log.starts[4], log.starts[3]);
    let cut = &log.bytes[..last + 20];
    let mut padded = log.bytes.clone();
    padded.resize(8_192, 0);
    let mut corrupt = padded.clone();
    corrupt[last + 30] ^= 1;
    let mut inside = padded.clone();
    inside[fourth + 30] ^= 1;
    let foreign = b"not a log at all, but long enough to be one".as_slice();
    let nothing = [];
    for (bytes, status, state, verdict, offset) in [
        (&padded[..], 0, "clean", "fine", log.bytes.len()),
        (&nothing[..], 0, "clean", "fine", 0),
        (cut, 4, "torn", "torn", last),
        (&corrupt[..], 1, "corrupt", "damaged", last),
        (&inside[..], 1, "damagedInside", "damaged", fourth),
        (foreign, 1, "corrupt", "damaged", 0),
    ] {
        let (_directory, paths) = write(&[("log.1", bytes)]);
        let (code, text, _) = run(&["verify", &paths[0], "--json"]);
        let value = &values(&text)[0];
        assert_eq!(code, Some(status), "{text}");
        assert_eq!((&value["tail"]["state"], &value["verdict"]), (&json!(state), &json!(verdict)));
        assert_eq!(value["tail"]["offset"], offset, "{text}");
        // Whoever only looks hears of it, too.
        for command in ["dump", "stat"] {
            let (code, _, log) = run(&[command, &paths[0]]);
            assert_eq!(code, Some(status), "{command}: {log}");
            assert_eq!(log.is_empty(), status == 0, "{command}: {log}");
        }
    }
    let (_directory, paths) = write(&[("log.1", &inside)]);
    let value = &values(&run(&["verify", &paths[0], "--json"]).1)[0];
    assert_eq!(
        (&value["tail"]["nextZxid"], &value["tail"]["recordsBehind"]),
        (&json!("0x5"), &json!(1))
    );
    let text = run(&["verify", &paths[0]]).1;
    let expected = format!("damaged in the middle at offset {fourth}: expected the checksum ");
    assert!(text.contains(&expected), "{text}");
    assert!(
        text.contains(&format!("1 valid record behind it, from 0x5 at offset {last} on")),
        "{text}"
    );
}

#[test]
fn what_is_missing_between_logs_is_found() {
    let verify = |logs: &[(&str, &[u8])]| {
        let (_directory, paths) = write(logs);
        let paths: Vec<&str> = paths.iter().map(|path| &**path).collect();
        let (status, text, _) = run(&[&["verify", "--json"], &paths[..]].concat());
        let complaints: Vec<String> = values(&text)
            .iter()
            .flat_map(|value| value["complaints"].as_array().expect("a list").clone())
            .map(|complaint| complaint.as_str().expect("text").to_owned())
            .collect();
        (status, complaints)
    };
    let [first, second, third] = [1..=3, 4..=6, 0x1_0000_0001..=0x1_0000_0002].map(Log::of);
    let all =
        [("log.1", &first.bytes[..]), ("log.4", &second.bytes), ("log.100000001", &third.bytes)];
    assert_eq!(verify(&all), (Some(0), vec![]));
    let gap = Log::of(5..=6);
    let (status, complaints) = verify(&[("log.5", &gap.bytes), all[0]]);
    assert_eq!(status, Some(1));
    assert_eq!(complaints, ["gap: the log before ends with 0x3, this one begins with 0x5"]);
    let (status, complaints) = verify(&[all[0], ("log.3", &Log::of(3..=6).bytes)]);
    assert_eq!(status, Some(1));
    assert_eq!(complaints, ["overlap: the log before ends with 0x3, this one begins with 0x3"]);

    let (status, complaints) = verify(&[("log.2", &first.bytes)]);
    assert_eq!((status, &*complaints[0]), (Some(1), "it is named after 0x2, and begins with 0x1"));

    // A crash, and a start after it.
    let torn = &first.bytes[..first.starts[2] + 30];
    let after = Log::of(3..=4);
    let (status, complaints) = verify(&[("log.1", torn), ("log.3", &after.bytes)]);
    assert_eq!((status, complaints.len()), (Some(0), 2));
    assert_eq!(complaints[1], "harmless: the next log goes on with 0x3");
    let (status, complaints) = verify(&[("log.1", torn), all[1]]);
    assert_eq!(status, Some(1));
    assert!(complaints[1].starts_with("gap: the log before ends with 0x2"), "{complaints:?}");
}

#[test]
fn a_large_padded_log_is_read_in_pieces() {
    let mut log = Log::of(1..=3);
    let long = "x".repeat(900_000);
    for zxid in 4..=23 {
        let header = TxnHeader { session: SessionId(7), cxid: 1, zxid: Zxid(zxid), time_ms: 0 };
        let (path, data) = ("/long".into(), Some(long.as_bytes().into()));
        encode_record(&mut log.bytes, &header, &Txn::SetData { path, data, version: 1 }, None);
    }
    let directory = TempDir::new().expect("room");
    let path = directory.path().join("log.1");
    fs::write(&path, &log.bytes).expect("room");
    fs::File::options()
        .write(true)
        .open(&path)
        .expect("it is there")
        .set_len(64 << 20)
        .expect("room");
    let (status, text, _) = run(&["verify", path.to_str().expect("text")]);
    assert_eq!(status, Some(0));
    assert!(text.ends_with(": 23 records, 0x1 to 0x17, in order\n"), "{text}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let (status, text, log) = run(&["dump", "/nowhere/log.1"]);
    assert_eq!((status, &*text), (Some(1), ""));
    assert!(log.starts_with("error: /nowhere/log.1: "), "{log}");
    let (status, _, log) = run(&["stat", "/", "--json"]);
    let error: Value = serde_json::from_str(&log).expect("JSON");
    assert_eq!(status, Some(1));
    assert!(error["message"].as_str().is_some_and(|message| message.starts_with("/: ")), "{error}");
    for wrong in [&["dump"][..], &["dump", "f", "--from", "g"], &["dump", "f", "--path", "a"]] {
        assert_eq!(run(wrong).0, Some(2), "{wrong:?}");
    }
    assert!(Path::new(&fixture("log.1")).exists());
}
