//! Directories that can be used, and those that cannot.

use std::{fs, io, path::Path};

use tempfile::TempDir;
use zookeeper_disk::{Config, Disk, OpenError};

fn dir() -> TempDir {
    TempDir::new().expect("room")
}

fn refused(config: &Config) -> String {
    Disk::open(config).expect_err("it cannot be used").to_string()
}

fn put(path: &Path) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("room");
    fs::write(path, "").expect("room");
}

fn separate(data: &Path, logs: &Path) -> Config {
    let mut config = Config::new(data);
    config.log_dir = Some(logs.into());
    config
}

#[test]
fn directories_are_made_unless_that_is_forbidden() {
    let dir = dir();
    let (data, logs) = (dir.path().join("a/b/data"), dir.path().join("c/logs"));
    let mut config = separate(&data, &logs);
    config.create = false;
    let error = refused(&config);
    assert!(error.starts_with(&data.display().to_string()), "{error}");
    assert!(error.contains("datadir.autocreate=true") && !data.exists(), "{error}");
    config.create = true;
    let disk = Disk::open(&config).expect("room");
    assert_eq!(disk.snapshots(), data.join("version-2"));
    assert_eq!(disk.logs(), logs.join("version-2"));
    drop(disk);
    config.create = false;
    drop(Disk::open(&config).expect("everything is there now"));
}

#[test]
fn a_relative_path_is_one_of_this_process() {
    let name = format!("target-of-a-test-{}", std::process::id());
    let disk = Disk::open(&Config::new(&name)).expect("room");
    let whole = std::env::current_dir().expect("a directory").join(&name);
    let made = disk.snapshots().to_path_buf();
    drop(disk);
    fs::remove_dir_all(&whole).expect("it was made there");
    assert_eq!(made, whole.join("version-2"));
}

#[test]
fn files_in_the_place_of_directories_are_named() {
    let dir = dir();
    let file = dir.path().join("file");
    put(&file);
    for path in [file.clone(), file.join("below"), file.join("far/below")] {
        let error = refused(&Config::new(&path));
        let expected = format!("{}: is not a directory; ", file.display());
        assert!(error.starts_with(&expected), "{error}");
    }
    put(&dir.path().join("data/version-2"));
    let error = refused(&Config::new(dir.path().join("data")));
    assert!(error.contains("data/version-2: is not a directory; "), "{error}");
}

#[test]
fn one_server_uses_a_directory() {
    let (data, logs) = (dir(), dir());
    let disk = Disk::open(&separate(data.path(), logs.path())).expect("room");
    // A shared log is as bad as a shared directory of snapshots.
    for config in [
        separate(data.path(), logs.path()),
        Config::new(data.path()),
        separate(dir().path(), logs.path()),
    ] {
        let error = refused(&config);
        let process = format!("another server (process {}) keeps its data", std::process::id());
        assert!(error.contains(&process) && error.contains("version-2"), "{error}");
    }
    drop(disk);
    drop(Disk::open(&separate(data.path(), logs.path())).expect("nobody uses it"));
}

#[cfg(unix)]
#[test]
fn two_names_of_one_directory_are_one() {
    let (data, link) = (dir(), dir());
    let link = link.path().join("link");
    std::os::unix::fs::symlink(data.path(), &link).expect("room");
    put(&data.path().join("version-2/snapshot.0"));
    put(&data.path().join("version-2/log.1"));
    let disk = Disk::open(&separate(data.path(), &link)).expect("it is one server");
    assert_eq!(disk.snapshots(), disk.logs());
    let error = Disk::open(&Config::new(&link)).expect_err("by any name");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
}

#[test]
fn separate_directories_do_not_hold_each_others_files() {
    let (data, logs) = (dir(), dir());
    put(&logs.path().join("version-2/snapshot.5"));
    let error = refused(&separate(data.path(), logs.path()));
    let belongs = format!("snapshots belong into {}", data.path().join("version-2").display());
    assert!(error.contains(&belongs) && error.contains("snapshot.5 is one"), "{error}");

    let (data, logs) = (dir(), dir());
    put(&data.path().join("version-2/log.1f"));
    let error = refused(&separate(data.path(), logs.path()));
    assert!(error.contains("logs belong into") && error.contains("log.1f"), "{error}");
    drop(Disk::open(&Config::new(data.path())).expect("one directory holds both"));

    let (data, logs) = (dir(), dir());
    put(&data.path().join("version-2/snapshot.5.gz"));
    put(&data.path().join("version-2/log.old"));
    put(&logs.path().join("version-2/log.1"));
    drop(Disk::open(&separate(data.path(), logs.path())).expect("each holds its own"));
}

#[test]
fn data_in_the_wrong_place_are_not_passed_over() {
    let data = dir();
    put(&data.path().join("log.100000001"));
    let error = refused(&Config::new(data.path()));
    assert!(error.contains("log.100000001 is not in a directory \"version-2\""), "{error}");
    assert!(error.contains("move them back into"), "{error}");
    assert!(!data.path().join("version-2").exists(), "nothing is made beside it");

    // The directory below the one that should be named.
    let data = dir();
    put(&data.path().join("version-2/snapshot.0"));
    let error = refused(&Config::new(data.path().join("version-2")));
    let expected = format!("name the directory above it: {}", data.path().display());
    assert!(error.ends_with(&expected), "{error}");

    // Beside data that are in the right place it is somebody's business.
    put(&data.path().join("log.1"));
    put(&data.path().join("myid"));
    put(&data.path().join("initialize"));
    drop(Disk::open(&Config::new(data.path())).expect("data are in the right place"));
}

/// Whoever runs this may not write there, not even the superuser.
#[cfg(target_os = "linux")]
#[test]
fn what_the_system_refuses_comes_with_a_remedy() {
    let error = Disk::open(&Config::new("/sys/zookeeper-data")).expect_err("nobody may");
    let OpenError::System { source, .. } = &error else { panic!("{error}") };
    let remedy = match source.kind() {
        io::ErrorKind::PermissionDenied => "the user that runs the server must own",
        io::ErrorKind::ReadOnlyFilesystem => "mounted for writing",
        kind => panic!("{kind}: {error}"),
    };
    let text = error.to_string();
    assert!(text.starts_with("cannot make the directory /sys/zookeeper-data: "), "{text}");
    assert!(text.contains(remedy), "{text}");
}
