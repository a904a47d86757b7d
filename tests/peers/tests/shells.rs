//! The servers that all peer tests stand on; then the command-line clients of Apache ZooKeeper (`zkCli.sh` in Java, `cli_mt` in C) and a kazoo
//! script: each goes through the same steps on every server, and the reference proves the steps.

use std::path::Path;
use std::process::Command;

use zookeeper_peers::{Kind, Options, Server, Shell, enabled, need, need_python};

const JAVA_SHELL: &str = "/usr/share/zookeeper/bin/zkCli.sh";
const C_SHELL: &str = "/usr/lib/zookeeper/bin/cli_mt";

#[test]
fn a_server_starts_answers_stops_and_starts_again() {
    if !enabled() {
        return;
    }
    for mut server in servers(&Options::default()) {
        let address = server.address();
        assert_eq!(server.four_letter_word("ruok").expect("an answer"), "imok");
        let first = server.process_id().expect("it runs");

        server.stop().expect("it ends");
        assert_eq!(server.process_id(), None);
        assert!(server.four_letter_word("ruok").is_err(), "nobody listens any more");

        server.restart().expect("it starts again");
        assert_eq!(server.address(), address);
        assert_ne!(server.process_id(), Some(first));
        server.reset().expect("it starts from nothing");
        let srvr = server.four_letter_word("srvr").expect("an answer");
        assert!(srvr.contains("Zxid: 0x0\n") && srvr.contains("Mode: standalone\n"), "{srvr}");

        let directory = server.directory().to_owned();
        drop(server);
        assert!(!directory.exists(), "the directory is gone with the server");
    }
}

#[test]
fn options_reach_the_server() {
    if !enabled() {
        return;
    }
    let options = Options::default().set("tickTime", "1234").set("maxClientCnxns", "7");
    for server in servers(&options) {
        let conf = server.four_letter_word("conf").expect("an answer");
        assert!(conf.contains("tickTime=1234\n"), "{conf}");
        assert!(conf.contains("maxClientCnxns=7\n"), "{conf}");
    }
}

#[test]
fn the_java_shell_walks_through_every_command() {
    if !enabled() || !has_java_shell() {
        return;
    }
    for server in servers(&Options::default()) {
        let mut shell = Shell::start(&mut java_shell(&server)).expect("the shell starts");
        shell.expect(&["state:SyncConnected type:None path:null"]);
        java_nodes(&mut shell);
        java_watches(&mut shell);
        java_ephemerals_and_sequences(&mut shell);
        java_acls(&mut shell);
        java_quotas(&mut shell);
        java_deletes(&mut shell);
        let (status, printed) = shell.quit("quit").expect("the shell ends");
        assert!(status.success(), "{status}: {printed}");
        java_commands_of_a_stranger(&server);
    }
}

fn java_nodes(shell: &mut Shell) {
    shell.run("create /shell hello", &["Created /shell\n"]);
    shell.run("create /shell hello", &["Node already exists: /shell\n"]);
    shell.run("create /none/below", &["Node does not exist: /none/below\n"]);
    shell.run("get /none", &["Node does not exist: /none\n"]);
    shell.run("get /shell", &["\nhello\n"]);
    shell.run("set -v 0 /shell world", &[]);
    shell.run("set -v 0 /shell never", &["version No is not valid : /shell\n"]);
    let stat = ["\nworld\n", "dataVersion = 1\n", "ephemeralOwner = 0x0\n", "dataLength = 5\n"];
    shell.run("get -s /shell", &stat);
    shell.run("create -c /shell/container", &["Created /shell/container\n"]);
    shell.run("create -t 600000 /shell/ttl brief", &["Created /shell/ttl\n"]);
    let all = ["\n/\n", "/shell\n", "/zookeeper\n", "/shell/container\n", "/shell/ttl\n"];
    shell.run("ls -R /", &all);
    shell.run("ls -s /shell", &["[container, ttl]", "cversion = 2\n", "numChildren = 2\n"]);
    shell.run("stat /shell/ttl", &["dataVersion = 0\n", "ephemeralOwner = 0x0\n"]);
    shell.run("getAllChildrenNumber /shell", &["\n2\n"]);
    shell.run("sync /shell", &["Sync is OK\n"]);
    shell.run("whoami", &["Auth scheme: User\n", "ip: 127.0.0.1\n"]);
}

fn java_watches(shell: &mut Shell) {
    let event = |kind: &str, path: &str| {
        format!("WatchedEvent state:SyncConnected type:{kind} path:{path}\n")
    };
    shell.run("get -w /shell", &["\nworld\n"]);
    shell.run("set /shell watched", &[&event("NodeDataChanged", "/shell")]);
    shell.run("stat -w /shell", &["dataVersion = 2\n"]);
    shell.run("set /shell again", &[&event("NodeDataChanged", "/shell")]);
    shell.run("ls -w /shell", &["[container, ttl]\n"]);
    let created = event("NodeChildrenChanged", "/shell");
    shell.run("create /shell/w", &[&created, "Created /shell/w\n"]);
    shell.run("addWatch /shell", &[]);
    shell.run("create /shell/w/x", &[&event("NodeCreated", "/shell/w/x"), "Created /shell/w/x\n"]);
    shell.run("set /shell/w y", &[&event("NodeDataChanged", "/shell/w")]);
    shell.run("delete /shell/w/x", &[&event("NodeDeleted", "/shell/w/x")]);
    shell.run("removewatches /shell", &[&event("PersistentWatchRemoved", "/shell")]);
    shell.run("removewatches /shell", &["No such watcher for /shell\n"]);
    shell.run("delete /shell/w", &[]);
}

fn java_ephemerals_and_sequences(shell: &mut Shell) {
    // Three children were created here before.
    shell.run("create -s /shell/s- x", &["Created /shell/s-0000000003\n"]);
    shell.run("create -s -e /shell/s- x", &["Created /shell/s-0000000004\n"]);
    shell.run("create -e /shell/e", &["Created /shell/e\n"]);
    shell.run("create /shell/e/x", &["Ephemerals cannot have children: /shell/e/x\n"]);
    shell.run("getEphemerals /shell/s-", &["[/shell/s-0000000004]\n"]);
    shell.run("getEphemerals /none", &["[]\n"]);
}

fn java_acls(shell: &mut Shell) {
    shell.run("getAcl /shell", &["'world,'anyone\n: cdrwa\n"]);
    shell.run("create /acl secret", &["Created /acl\n"]);
    shell.run("addauth digest user:password", &[]);
    shell.run("setAcl /acl auth::cdrwa", &[]);
    let acl = ["'digest,'user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=\n: cdrwa\n", "aclVersion = 1\n"];
    shell.run("getAcl -s /acl", &acl);
    shell.run("setAcl -v 7 /acl world:anyone:r", &["version No is not valid : /acl\n"]);
    shell.run("setAcl /acl digest:other:letters", &["Acl is not valid : /acl\n"]);
    shell.run("setAcl /acl digest:other:unknown:cdrwa", &[]);
    shell.run("get /acl", &["Insufficient permission : /acl\n"]);
    shell.run("addauth digest super:test", &[]);
    shell.run("get /acl", &["\nsecret\n"]);
    shell.run("setAcl /acl digest:user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=:rwa", &[]);
    shell.run("create /shell/open x world:anyone:r,ip:127.0.0.1:rw", &["Created /shell/open\n"]);
    shell.run("getAcl /shell/open", &["'world,'anyone\n: r\n'ip,'127.0.0.1\n: rw\n"]);
}

fn java_quotas(shell: &mut Shell) {
    shell.run("create /quota x", &["Created /quota\n"]);
    shell.run("setquota -n 3 /quota", &[]);
    shell.run("setquota -B 100 /quota", &[]);
    let limits = "Output quota for /quota count=3,bytes=-1=;byteHardLimit=100;countHardLimit=-1\n";
    let usage = "Output stat for /quota count=1,bytes=1\n";
    shell.run("listquota /quota", &[limits, usage]);
    shell.run("create /quota/below 12345", &["Created /quota/below\n"]);
    shell.run("listquota /quota", &["Output stat for /quota count=2,bytes=6\n"]);
    shell.run("delquota -n /quota", &[]);
    shell.run("listquota /quota", &["count=-1,bytes=-1=;byteHardLimit=100;countHardLimit=-1\n"]);
    shell.run("delquota /quota", &[]);
    shell.run("listquota /quota", &["quota for /quota does not exist."]);
}

fn java_deletes(shell: &mut Shell) {
    shell.run("delete /quota", &["Node not empty: /quota\n"]);
    shell.run("delete -v 7 /quota/below", &["version No is not valid : /quota/below\n"]);
    shell.run("delete -v 0 /quota/below", &[]);
    shell.run("delete /quota", &[]);
    shell.run("deleteall /shell/container", &[]);
    shell.run("deleteall /shell/ttl", &[]);
    shell.run("delete /none", &["Node does not exist: /none\n"]);
    shell.run("ls /", &["\n[acl, shell, zookeeper]\n"]);
}

/// Another session, by the one-command form: it has no identity, and the first one's ephemerals
/// are gone.
fn java_commands_of_a_stranger(server: &Server) {
    let (success, printed) = java_command(server, &["ls", "/shell"]);
    assert!(success && printed.contains("\n[open, s-0000000003]\n"), "{printed}");
    let (success, printed) = java_command(server, &["get", "/acl"]);
    assert!(!success && printed.contains("Insufficient permission : /acl\n"), "{printed}");
    let (success, printed) = java_command(server, &["get", "/none"]);
    assert!(!success && printed.contains("Node does not exist: /none\n"), "{printed}");
    let (success, printed) = java_command(server, &["deleteall", "/shell"]);
    assert!(success, "{printed}");
    let (success, printed) = java_command(server, &["ls", "/"]);
    assert!(success && printed.contains("\n[acl, zookeeper]\n"), "{printed}");
}

fn has_java_shell() -> bool {
    need("zkCli.sh (Debian package zookeeper)", installed(JAVA_SHELL)).is_some()
}

fn java_shell(server: &Server) -> Command {
    let mut command = Command::new(JAVA_SHELL);
    command
        .args(["-server", &server.address().to_string()])
        .env("CLIENT_JVMFLAGS", "-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1");
    command
}

fn java_command(server: &Server, arguments: &[&str]) -> (bool, String) {
    let output = java_shell(server).args(arguments).output().expect("the shell runs");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

#[test]
fn the_c_shell_walks_through_every_command() {
    if !enabled() || need("cli_mt (Debian package zookeeper-bin)", installed(C_SHELL)).is_none() {
        return;
    }
    for server in servers(&Options::default()) {
        let mut shell = c_shell(&server);
        c_nodes(&mut shell);
        c_watches(&mut shell);
        c_ephemerals_and_sequences(&mut shell);
        c_acls(&mut shell, &server);
        let (status, printed) = shell.quit("quit").expect("the shell ends");
        assert!(status.success(), "{status}: {printed}");
    }
}

fn c_nodes(shell: &mut Shell) {
    shell.run("create /shell", &["[/shell]: rc = 0\n\tname = /shell\n"]);
    shell.run("create /shell", &["[/shell]: rc = -110\n"]);
    shell.run("create /none/below", &["[/none/below]: rc = -101\n"]);
    shell.run("set /shell hello", &["/shell: rc = 0 Stat:\n", "version=1\taversion=0\n"]);
    shell.run("get /shell", &["/shell: rc = 0\n value_len = 5\nhello\nStat:\n"]);
    shell.run("aget /shell", &["/shell: rc = 0\n value_len = 5\nhello\nStat:\n"]);
    shell.run("get /none", &["/none: rc = -101\n"]);
    shell.run("create2 +c /shell/container", &["rc = 0\n\tname = /shell/container\n", "version=0"]);
    shell.run("create +t=600000 /shell/ttl", &["rc = 0\n\tname = /shell/ttl\n"]);
    shell.run("ls /shell", &["/shell: rc = 0\n", "\tcontainer\n", "\tttl\n"]);
    shell.run("ls2 /shell", &["\tcontainer\n", "\tttl\n", "version=1\taversion=0\n"]);
    shell.run("sync /shell", &["[/shell]: rc = 0\n\tname = /shell\n"]);
    shell.run("delete /shell", &["/shell: rc = -111\n"]);
    shell.run("delete /none", &["/none: rc = -101\n"]);
}

fn c_watches(shell: &mut Shell) {
    let event = |kind: &str, path: &str| {
        format!("Watcher {kind} state = CONNECTED_STATE for path {path}\n")
    };
    // The child watch was left by `ls`.
    shell.run("create /shell/w", &[&event("CHILD_EVENT", "/shell"), "name = /shell/w\n"]);
    shell.send("wexists /shell/w");
    shell.run("set /shell/w x", &[&event("CHANGED_EVENT", "/shell/w"), "/shell/w: rc = 0"]);
    shell.send("wexists /shell/w");
    shell.run("delete /shell/w", &[&event("DELETED_EVENT", "/shell/w"), "/shell/w: rc = 0"]);
    shell.send("wexists /shell/w");
    shell.run("create /shell/w", &[&event("CREATED_EVENT", "/shell/w"), "name = /shell/w\n"]);
}

fn c_ephemerals_and_sequences(shell: &mut Shell) {
    // Four children were created here before.
    shell.run("create +s /shell/s-", &["\tname = /shell/s-0000000004\n"]);
    shell.run("create +es /shell/s-", &["\tname = /shell/s-0000000005\n"]);
    shell.run("create +e /shell/e", &["\tname = /shell/e\n"]);
    shell.run("create /shell/e/x", &["[/shell/e/x]: rc = -108\n"]);
}

/// This shell cannot set an ACL; the node that it may not read was made by the superuser's hands.
fn c_acls(shell: &mut Shell, server: &Server) {
    if !has_java_shell() {
        return;
    }
    let acl = "digest:user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=:r";
    let (success, printed) = java_command(server, &["create", "/acl", "secret", acl]);
    assert!(success, "{printed}");
    shell.run("get /acl", &["/acl: rc = -102\n"]);
    shell.send("addauth digest user:password");
    shell.run("get /acl", &["/acl: rc = 0\n value_len = 6\nsecret\nStat:\n"]);
    shell.run("set /acl x", &["/acl: rc = -102"]);
}

fn c_shell(server: &Server) -> Shell {
    let mut command = Command::new(C_SHELL);
    command.args(["-h", &server.address().to_string()]);
    let mut shell = Shell::start(&mut command).expect("the shell starts");
    shell.expect(&["Watcher SESSION_EVENT state = CONNECTED_STATE\n"]);
    shell
}

#[test]
fn a_kazoo_script_walks_through_every_operation() {
    if !enabled() {
        return;
    }
    let Some(python) = need_python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kazoo_walk.py");
    for server in servers(&Options::default()) {
        let mut command = Command::new(&python);
        command.arg(&script).arg(server.address().to_string());
        let mut walk = Shell::start(&mut command).expect("the script starts");
        walk.expect(&["walked\n"]);
    }
}

/// One fresh server of every kind that is installed.
fn servers(options: &Options) -> impl Iterator<Item = Server> {
    let programs = Kind::ALL.into_iter().filter_map(Kind::need);
    programs.map(|program| Server::start(&program, options).expect("a server"))
}

fn installed(path: &str) -> Option<&Path> {
    Some(Path::new(path)).filter(|path| path.is_file())
}
