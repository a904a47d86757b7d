//! `zk serve` with a data directory: what it goes on with, and what it refuses.
#![cfg(unix)]

mod files;
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use self::{
    files::Log,
    support::{Server, finish, zk},
};

fn dir() -> TempDir {
    TempDir::new().expect("room")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn serve(arguments: &[&str]) -> Command {
    let mut command = zk();
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    command
}

/// Starts a server whose logs are short: zeros behind records take a while to be looked at.
fn start(data: &Path) -> Server {
    let config = write_config(data, "preAllocSize=64\n");
    Server::spawn(&mut serve(&["--data-dir", text(data), "--config", text(&config)]))
}

/// Runs a server that refuses to start. Gives the exit status and the last line of its log.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = finish(&mut serve(arguments), b"");
    assert!(stdout.is_empty(), "{arguments:?}");
    let log = String::from_utf8(stderr).expect("text");
    let line = log.lines().last().unwrap_or_default();
    let message = line.strip_prefix("error: ").unwrap_or_else(|| panic!("{log}"));
    (status.code(), message.to_owned())
}

fn write_config(dir: &Path, content: &str) -> PathBuf {
    let path = dir.join("zoo.cfg");
    fs::write(&path, content).expect("room");
    path
}

/// The newest log, and how long it is without the zeros behind its records.
fn newest_log(data: &Path) -> (PathBuf, usize) {
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("log.")?;
        u64::from_str_radix(name, 16).ok()
    };
    let entries = fs::read_dir(data.join("version-2")).expect("it is there");
    let files = entries.map(|entry| entry.expect("readable").path());
    let log = files.filter(|path| number(path).is_some()).max_by_key(number).expect("a log");
    let content = fs::read(&log).expect("readable");
    let length = content.iter().rposition(|byte| *byte != 0).expect("records") + 1;
    (log, length)
}

#[test]
fn data_are_there_again_after_every_kind_of_end() {
    let data = dir();
    for round in 0..4 {
        let mut server = start(data.path());
        assert!(server.ready.contains(&format!("(data in {});", text(data.path()))));
        for earlier in 0..round {
            assert_eq!(server.text(&["get", &format!("/{earlier}")]), format!("data {earlier}"));
        }
        server.text(&["create", &format!("/{round}"), &format!("data {round}")]);
        if round % 2 == 0 {
            server.kill();
        } else {
            let (status, log) = server.stop();
            assert_eq!(status, Some(0), "{log}");
            assert!(!log.contains("ERROR"), "{log}");
        }
    }
}

/// Among them a TTL znode: nobody told this server that there may be some.
#[test]
fn everything_of_apache_stays_without_its_settings() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/apache-3.8.0");
    let data = dir();
    let version = data.path().join("version-2");
    fs::create_dir(&version).expect("room");
    for name in ["snapshot.0", "log.1", "snapshot.28", "log.29"] {
        fs::copy(Path::new(fixtures).join(name), version.join(name)).expect("room");
    }
    let seen = fs::read_to_string(Path::new(fixtures).join("seen.tsv")).expect("text");
    let mut expected: Vec<&str> = seen.lines().filter_map(|line| line.split('\t').next()).collect();
    expected.sort_unstable();
    for _ in 0..2 {
        let mut server = Server::spawn(&mut serve(&["--data-dir", text(data.path())]));
        let listed = server.text(&["ls", "-R", "/", "--auth", "digest:bob:pw"]);
        let mut listed: Vec<&str> = listed.lines().collect();
        listed.sort_unstable();
        assert_eq!((listed.len(), &listed), (25, &expected));
        server.kill();
    }
}

#[test]
fn without_a_word_data_are_in_a_directory_below_this_one() {
    let here = dir();
    let mut command = serve(&[]);
    let server = Server::spawn(command.current_dir(here.path()));
    let here = here.path().canonicalize().expect("it is there");
    let expected = format!("(data in {});", text(&here.join("zk-data")));
    assert!(server.ready.contains(&expected), "{}", server.ready);
    assert!(here.join("zk-data/version-2").is_dir());
    let (status, log) = server.stop();
    assert_eq!(status, Some(0), "{log}");
    let told = log.lines().find(|line| line.contains("only the newest snapshots are kept"));
    assert!(
        told.is_some_and(|line| line.contains("INFO") && line.contains("snapshots=3")),
        "{log}"
    );
    let help = finish(zk().args(["serve", "--help"]), b"");
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(help.contains("the newest three snapshots are kept"), "{help}");
}

/// A disk lost a sector in the middle of a log, and whole records are behind it.
#[test]
fn whole_records_behind_a_lost_sector_are_kept() {
    let data = dir();
    let version = data.path().join("version-2");
    fs::create_dir(&version).expect("room");
    let mut log = Log::of(1..=100).bytes;
    log[1_024..1_536].fill(0);
    fs::write(version.join("log.1"), &log).expect("room");
    let server = start(data.path());
    assert_eq!(server.text(&["get", "/1"]), "x");
    assert_eq!(server.error(&["get", "/100"]).0, Some(1));
    let (status, text) = server.stop();
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("if the disk kept what it said is stored"), "{text}");
    assert!(!text.contains("never acknowledged"), "{text}");
    let kept = fs::read(version.join("damaged/log.1.1")).expect("a copy");
    let first = fs::read(version.join("log.1")).expect("readable");
    assert_eq!([first, kept].concat(), log);
}

#[test]
fn a_configuration_file_says_where_unless_the_command_line_does() {
    let (here, data, logs, other) = (dir(), dir(), dir(), dir());
    let config = write_config(
        here.path(),
        &format!("dataDir={}\ndataLogDir={}\n", text(data.path()), text(logs.path())),
    );
    let config = text(&config);
    let server = Server::spawn(&mut serve(&["--config", config]));
    let expected = format!("(data in {}, log in {});", text(data.path()), text(logs.path()));
    assert!(server.ready.contains(&expected), "{}", server.ready);
    server.text(&["create", "/a", "data"]);
    assert_eq!(server.stop().0, Some(0));
    newest_log(logs.path());

    let elsewhere = ["--config", config, "--data-dir", text(other.path())];
    let server = Server::spawn(&mut serve(&elsewhere));
    assert!(server.ready.contains(&format!("(data in {});", text(other.path()))));
    assert_eq!(server.error(&["get", "/a"]).0, Some(1));
    assert_eq!(server.stop().0, Some(0));

    // In memory it needs no directory, and touches none.
    let placeless = write_config(other.path(), "snapCount=5\n");
    let server = Server::spawn(&mut serve(&["--in-memory", "--config", text(&placeless)]));
    assert!(server.ready.contains("(in memory);"), "{}", server.ready);
}

#[test]
fn two_servers_do_not_share_a_directory() {
    let data = dir();
    let server = start(data.path());
    let (status, message) = refused(&["--data-dir", text(data.path())]);
    assert_eq!(status, Some(3), "{message}");
    assert!(message.contains(&format!("another server (process {})", server.id())), "{message}");
    server.text(&["create", "/a"]);
}

#[test]
fn what_cannot_be_used_is_named_with_a_remedy() {
    let here = dir();
    let file = here.path().join("file");
    fs::write(&file, "").expect("room");
    let foreign = here.path().join("foreign");
    fs::create_dir(&foreign).expect("room");
    fs::write(foreign.join("snapshot.0"), "").expect("room");
    let no_directory = write_config(
        here.path(),
        &format!("dataDir={}/none\ndatadir.autocreate=false\n", text(here.path())),
    );
    let (empty, other) = (dir(), dir());
    let no_database = write_config(
        empty.path(),
        &format!("dataDir={}\ndb.autocreate=false\n", text(empty.path())),
    );
    let exchanged = ["--data-dir", text(empty.path()), "--data-log-dir", text(other.path())];
    fs::create_dir(other.path().join("version-2")).expect("room");
    fs::write(other.path().join("version-2/snapshot.0"), "").expect("room");
    for (arguments, problem, remedy) in [
        (&["--data-dir", text(&file)][..], "is not a directory", "name another directory"),
        (&["--data-dir", text(&foreign)], "of a foreign format", "move them back"),
        (&["--config", text(&no_directory)], "no such directory", "datadir.autocreate=true"),
        (&["--config", text(&no_database)], "there are no data", "begin with db.autocreate=true"),
        (&exchanged, "snapshots belong into", "move these files there"),
    ] {
        let (status, message) = refused(arguments);
        assert_eq!(status, Some(3), "{arguments:?}: {message}");
        assert!(message.contains(problem) && message.contains(remedy), "{message}");
    }
}

/// A power cut takes the end of what nobody was told is done.
#[test]
fn a_torn_tail_is_cut_and_a_corrupt_one_is_refused() {
    let data = dir();
    let server = start(data.path());
    for number in 0..3 {
        server.text(&["create", &format!("/{number}"), "data"]);
    }
    assert_eq!(server.stop().0, Some(0));
    let (log, length) = newest_log(data.path());
    let content = fs::read(&log).expect("readable");

    // A bit that no power cut turns, in the last record's data.
    let mut corrupt = content.clone();
    corrupt[length - 20] ^= 1;
    fs::write(&log, &corrupt).expect("room");
    let (status, message) = refused(&["--data-dir", text(data.path())]);
    assert_eq!(status, Some(3), "{message}");
    let name = log.file_name().and_then(|name| name.to_str()).expect("a log");
    assert!(message.contains(name) && message.contains("zk data repair"), "{message}");
    assert_eq!(fs::read(&log).expect("readable"), corrupt, "it was changed");

    // The same record, but half of it.
    fs::write(&log, &content[..length - 20]).expect("room");
    let server = start(data.path());
    assert_eq!(server.text(&["get", "/1"]), "data");
    let (status, log) = server.stop();
    assert_eq!(status, Some(0), "{log}");
    let warning = log.lines().find(|line| line.contains("WARN") && line.contains(name));
    assert!(warning.is_some(), "{log}");
}

/// The device that is always full stands where the next log would be.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_it_with_the_reason() {
    let data = dir();
    fs::create_dir(data.path().join("version-2")).expect("room");
    let log = data.path().join("version-2/log.1");
    std::os::unix::fs::symlink("/dev/full", &log).expect("room");
    let mut server = start(data.path());
    let (status, _) = server.error(&["create", "/a", "data", "--timeout", "1s"]);
    assert_eq!(status, Some(3));
    let (status, log_text) = server.wait();
    assert_eq!(status, Some(1), "{log_text}");
    let line = log_text.lines().last().unwrap_or_default();
    let expected = format!("error: server failed: append of {} failed: ", log.display());
    assert!(line.starts_with(&expected), "{log_text}");
}
