//! `zk data`, on a directory of Apache ZooKeeper, whole and damaged in every way.
#![cfg(unix)]

mod files;
mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::json;
use tempfile::TempDir;

use self::{
    files::{Log, fixture, values},
    support::{Server, finish, zk},
};

/// A data directory.
struct Data {
    directory: TempDir,
}

impl Data {
    /// With these of Apache's files.
    fn of(names: &[&str]) -> Self {
        let data = Self { directory: TempDir::new().expect("room") };
        fs::create_dir(data.version()).expect("room");
        for name in names {
            fs::copy(fixture(name), data.file(name)).expect("room");
        }
        data
    }

    fn version(&self) -> PathBuf {
        self.directory.path().join("version-2")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.version().join(name)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.file(name)).expect("it is there");
        change(&mut bytes);
        fs::write(self.file(name), bytes).expect("room");
    }

    /// Every file, but that of the lock.
    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        let mut directories = vec![self.version()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).expect("it is there") {
                let path = entry.expect("it is there").path();
                let name = path.strip_prefix(self.version()).expect("below").to_str();
                let name = name.expect("text").to_owned();
                if path.is_dir() {
                    directories.push(path);
                } else if name != "zookeeper.lock" {
                    contents.insert(name, fs::read(path).expect("it is there"));
                }
            }
        }
        contents
    }

    /// The exit status, the output and the log of `zk data`.
    fn run(&self, command: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let mut zk = zk();
        zk.args(["data", command]).arg(self.directory.path()).args(more);
        let Output { status, stdout, stderr } = finish(&mut zk, b"");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code(), text(stdout), text(stderr))
    }

    /// What a server has that starts from it, as `zk ls -R` tells.
    fn serve(&self) -> String {
        let mut zk = zk();
        zk.args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--data-dir"]);
        let server = Server::spawn(zk.arg(self.directory.path()));
        server.text(&["ls", "-R", "/", "--auth", "digest:bob:pw"])
    }
}

/// All of Apache's files that are not compressed.
const ALL: [&str; 5] = ["snapshot.0", "log.1", "snapshot.28", "log.29", "snapshot.31"];

/// Those without the newest snapshot, so that the newest log counts.
const LOGGED: [&str; 4] = ["snapshot.0", "log.1", "snapshot.28", "log.29"];

/// Where the last record of `log.29` starts.
fn last_record() -> usize {
    let output =
        finish(zk().args(["log", "dump", "--json", "--from", "0x31", &fixture("log.29")]), b"");
    let text = String::from_utf8(output.stdout).expect("text");
    usize::try_from(values(&text)[0]["offset"].as_u64().expect("a number")).expect("small")
}

#[test]
fn a_whole_directory_is_in_order_and_stays_as_it_is() {
    for names in [&ALL[..], &LOGGED] {
        let data = Data::of(names);
        let before = data.contents();
        let (status, text, log) = data.run("verify", &[]);
        assert_eq!((status, &*log), (Some(0), ""), "{text}");
        assert!(
            text.ends_with("recovered up to transaction 0x31: 25 znodes, 2 sessions\n"),
            "{text}"
        );
        let value = &values(&data.run("verify", &["--json"]).1)[0];
        assert_eq!((&value["verdict"], &value["zxid"]), (&json!("fine"), &json!("0x31")));
        assert_eq!((&value["znodes"], &value["sessions"]), (&json!(25), &json!(2)));
        for more in [&["--dry-run"][..], &[]] {
            let (status, text, _) = data.run("repair", more);
            assert_eq!(status, Some(0), "{text}");
        }
        assert_eq!(data.contents(), before);
    }
}

#[test]
fn a_torn_tail_is_cut_and_kept() {
    let (data, last) = (Data::of(&LOGGED), last_record());
    data.change("log.29", |bytes| bytes.truncate(last + 50));
    let before = data.contents();
    for (command, more) in [("verify", &[][..]), ("repair", &["--dry-run"])] {
        let (status, text, _) = data.run(command, more);
        assert_eq!(status, Some(4), "{text}");
        assert!(text.contains("log.29 was torn by a crash at offset "), "{text}");
        assert_eq!(data.contents(), before);
    }
    let (status, text, _) = data.run("repair", &[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.ends_with("recovered up to transaction 0x30: 24 znodes, 2 sessions\n"), "{text}");
    let mut expected = before.clone();
    expected.insert("log.29".into(), before["log.29"][..last].to_vec());
    expected.insert("damaged/log.29.1".into(), before["log.29"].clone());
    assert_eq!(data.contents(), expected);
    assert_eq!(data.run("verify", &[]).0, Some(0));
    assert!(!data.serve().contains("/last"));
}

#[test]
fn a_corrupt_tail_is_cut_and_kept() {
    let (data, last) = (Data::of(&LOGGED), last_record());
    data.change("log.29", |bytes| bytes[last + 60] ^= 1);
    let before = data.contents();
    let (status, text, _) = data.run("verify", &[]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("not recoverable: ") && text.contains("`zk data repair`"), "{text}");
    let (status, text, _) = data.run("repair", &["--dry-run"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains(&format!("log.29: would be cut to {last} bytes\n")), "{text}");
    assert_eq!(data.contents(), before, "nothing was changed");

    let (status, text, _) = data.run("repair", &["--json"]);
    assert_eq!(status, Some(0), "{text}");
    let lines = values(&text);
    assert_eq!((&lines[0]["action"], &lines[0]["length"]), (&json!("cut"), &json!(last)));
    assert!(lines[0]["copy"].as_str().is_some_and(|copy| copy.ends_with("/damaged/log.29.1")));
    assert_eq!((&lines[1]["verdict"], &lines[1]["zxid"]), (&json!("fine"), &json!("0x30")));
    let mut expected = before.clone();
    expected.insert("log.29".into(), before["log.29"][..last].to_vec());
    expected.insert("damaged/log.29.1".into(), before["log.29"].clone());
    assert_eq!(data.contents(), expected);

    // Once more: the first copy stays.
    data.change("log.29", |bytes| {
        let length = bytes.len();
        bytes[length - 3] ^= 1;
    });
    assert_eq!(data.run("repair", &[]).0, Some(0));
    let after = data.contents();
    assert_eq!(after["damaged/log.29.1"], before["log.29"]);
    assert_eq!(after["damaged/log.29.2"].len(), last);
    let paths = data.serve();
    assert!(!paths.contains("/last") && paths.contains("/second/m"), "{paths}");
}

#[test]
fn a_log_whose_first_record_is_corrupt_goes_aside() {
    let data = Data::of(&LOGGED);
    data.change("log.29", |bytes| {
        bytes.truncate(77);
        bytes[40] ^= 1;
    });
    let before = data.contents();
    let (status, text, _) = data.run("repair", &[]);
    assert_eq!(status, Some(0), "{text}");
    let after = data.contents();
    assert!(!after.contains_key("log.29"), "{text}");
    assert_eq!(after["damaged/log.29.1"], before["log.29"]);
    assert!(text.ends_with("recovered up to transaction 0x28: 25 znodes, 2 sessions\n"), "{text}");
}

/// Apache ZooKeeper logs wrong digests, too, so one is no damage.
#[test]
fn a_digest_that_is_not_the_trees_is_told_and_no_more() {
    let data = Data::of(&[]);
    let log = Log::with_digests(1..=3, |zxid| (zxid == 2).then_some(5));
    fs::write(data.file("log.1"), log.bytes).expect("room");
    let (status, text, _) = data.run("verify", &[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("after transaction 0x2 the tree's digest is "), "{text}");
    assert!(text.contains("logged 0x5") && text.contains("in rare multis"), "{text}");
    let value = &values(&data.run("verify", &["--json"]).1)[0];
    assert_eq!((&value["verdict"], &value["zxid"]), (&json!("fine"), &json!("0x3")));
}

/// Nobody says of whole records that they were never acknowledged.
#[test]
fn whole_records_behind_a_lost_sector_are_cut_and_kept() {
    let data = Data::of(&[]);
    let mut log = Log::of(1..=100).bytes;
    log[1_024..1_536].fill(0);
    fs::write(data.file("log.1"), &log).expect("room");
    let (status, text, _) = data.run("verify", &[]);
    assert_eq!(status, Some(4), "{text}");
    let says = "cannot have been acknowledged if the disk kept what it said is stored";
    assert!(text.contains(says) && text.contains("a copy is kept"), "{text}");
    assert!(!text.contains("never acknowledged"), "{text}");
    let path = data.file("log.1");
    let output = finish(zk().args(["log", "verify"]).arg(path), b"");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains(says) && !text.contains("never"), "{text}");
    assert_eq!(data.run("repair", &[]).0, Some(0));
    assert_eq!(data.contents()["damaged/log.1.1"], log);
    assert!(data.contents()["log.1"].len() <= 1_024);
}

#[test]
fn damage_in_the_middle_is_nobodys_to_repair() {
    let data = Data::of(&LOGGED);
    data.change("log.29", |bytes| bytes[60] ^= 1);
    refused(&data, "valid records follow");
    let data = Data::of(&["snapshot.0", "log.29"]);
    refused(&data, "what is between is missing");
    let data = Data::of(&["log.29"]);
    refused(&data, "restore the snapshot from a backup");
}

#[test]
fn a_snapshot_that_is_of_no_use_goes_aside_if_the_logs_are_complete() {
    let data = Data::of(&ALL);
    data.change("snapshot.31", |bytes| bytes.truncate(3_000));
    let before = data.contents();
    let (status, text, _) = data.run("verify", &[]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("snapshot.31 cannot be used"), "{text}");
    let (status, text, _) = data.run("repair", &[]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.ends_with("recovered up to transaction 0x31: 25 znodes, 2 sessions\n"), "{text}");
    let mut expected = before;
    let snapshot = expected.remove("snapshot.31").expect("it was there");
    expected.insert("damaged/snapshot.31.1".into(), snapshot);
    assert_eq!(data.contents(), expected);
    assert!(data.serve().contains("/last"));

    // Without it something would be missing.
    let data = Data::of(&["snapshot.28", "snapshot.31"]);
    data.change("snapshot.31", |bytes| bytes.truncate(3_000));
    refused(&data, "what is between is missing");
    let data = Data::of(&["snapshot.31"]);
    data.change("snapshot.31", |bytes| bytes.truncate(3_000));
    refused(&data, "no snapshot can be used");
    // The log would have to be cut, and then it would be too short.
    let (data, last) = (Data::of(&ALL), last_record());
    data.change("snapshot.31", |bytes| bytes.truncate(3_000));
    data.change("log.29", |bytes| bytes[last + 60] ^= 1);
    refused(&data, "what is between is missing");
}

/// Nothing is changed, and the reason is said.
fn refused(data: &Data, reason: &str) {
    let before = data.contents();
    for more in [&["--dry-run"][..], &[]] {
        let (status, text, _) = data.run("repair", more);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("not recoverable: ") && text.contains(reason), "{reason}: {text}");
        assert_eq!(data.contents(), before);
    }
}

#[test]
fn logs_may_have_a_directory_of_their_own() {
    let (data, logs) = (Data::of(&["snapshot.28"]), Data::of(&["log.29"]));
    logs.change("log.29", |bytes| bytes.truncate(last_record() + 50));
    let log_dir = logs.directory.path().to_str().expect("text");
    assert_eq!(data.run("verify", &["--log-dir", log_dir]).0, Some(4));
    assert_eq!(data.run("repair", &["--log-dir", log_dir]).0, Some(0));
    assert!(logs.contents().contains_key("damaged/log.29.1"));
    assert_eq!(data.contents().len(), 1);
}

#[test]
fn a_directory_that_is_in_use_or_is_none_is_left_alone() {
    let data = Data::of(&ALL);
    let mut zk = zk();
    zk.args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--data-dir"]);
    let server = Server::spawn(zk.arg(data.directory.path()));
    for command in ["verify", "repair"] {
        let (status, text, log) = data.run(command, &[]);
        assert_eq!((status, &*text), (Some(1), ""));
        assert!(log.contains(": another server (process "), "{log}");
    }
    drop(server);
    assert_eq!(data.run("verify", &[]).0, Some(0));

    let none = Data { directory: TempDir::new().expect("room") };
    let (status, _, log) = none.run("repair", &["--json"]);
    assert_eq!(status, Some(1), "{log}");
    assert!(!none.version().exists() && Path::new(none.directory.path()).exists());
}

#[test]
fn records_that_are_too_long_are_not_cut_but_asked_about() {
    let data = Data::of(&[]);
    fs::write(data.file("log.1"), Log::of(1..=3).bytes).expect("room");
    assert_eq!(data.run("verify", &["--record-max", "200"]).0, Some(0));
    let (status, text, _) = data.run("repair", &["--record-max", "50"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("jute.maxbuffer"), "{text}");
    assert_eq!(data.contents().len(), 1);
}
