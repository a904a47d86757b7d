//! `zk shell` and the one-shot commands at a pseudo-terminal, beside `zkCli.sh`: the same lines on
//! the same server, each shell below a znode of its own, with the same outcome.

use std::path::Path;
use std::process::Command;

use zookeeper_peers::{Kind, Options, Program, Server, Shell, Terminal, enabled, need};

const JAVA_SHELL: &str = "/usr/share/zookeeper/bin/zkCli.sh";

/// What upstream's shell answers to this at once, and so behind the line before.
const SENTINEL: (&str, &str) = ("printwatches", "printwatches is on\n");

/// What a line's answer is made of.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// The path of a new znode.
    Created,
    /// Nothing that can be compared, but whether it failed.
    Done,
    /// Data, or a number.
    Lines,
    /// Data, and the stat behind it.
    LinesAndStat,
    /// A list.
    Names,
    /// A list, and the stat behind it.
    NamesAndStat,
    /// A stat, whose zxids are the same only for the same znode.
    Stat,
    /// An ACL.
    Acl,
    /// An ACL, and the stat behind it.
    AclAndStat,
    /// Identities.
    Identities,
}

/// Lines as both shells take them, with `{}` for the znode that is a shell's own.
const SCRIPT: &[(&str, Shape)] = &[
    ("create {}", Shape::Created),
    ("create {}/a hello", Shape::Created),
    ("create {}/a again", Shape::Created),
    ("create {}/none/b x", Shape::Created),
    ("create {}/words 'hello big world'", Shape::Created),
    ("create -s {}/s- x", Shape::Created),
    ("create -s {}/s- x", Shape::Created),
    ("create -e {}/e x", Shape::Created),
    ("create -s -e {}/se- x", Shape::Created),
    ("create {}/e/below x", Shape::Created),
    ("create -c {}/c", Shape::Created),
    ("create -t 600000 {}/t brief", Shape::Created),
    ("get {}/a", Shape::Lines),
    ("get {}/words", Shape::Lines),
    ("get -s {}/a", Shape::LinesAndStat),
    ("get {}/none", Shape::Lines),
    ("set {}/a world", Shape::Done),
    ("set -s {}/a again", Shape::Stat),
    ("set -v 0 {}/a never", Shape::Done),
    ("set -v 2 {}/a third", Shape::Done),
    ("set {}/none x", Shape::Done),
    ("get -s {}/a", Shape::LinesAndStat),
    ("ls {}", Shape::Names),
    ("ls -s {}", Shape::NamesAndStat),
    ("ls {}/none", Shape::Names),
    ("ls -R {}", Shape::Lines),
    ("stat {}", Shape::Stat),
    ("stat {}/e", Shape::Stat),
    ("stat {}/none", Shape::Stat),
    ("stat /theirs/a", Shape::Stat),
    ("stat /theirs/e", Shape::Stat),
    ("get -s /ours/t", Shape::LinesAndStat),
    ("ls -s /ours", Shape::NamesAndStat),
    ("stat /", Shape::Stat),
    ("getAcl {}/a", Shape::Acl),
    ("getAcl -s {}/a", Shape::AclAndStat),
    ("setAcl {}/a world:anyone:rwa", Shape::Done),
    ("setAcl -s {}/a world:anyone:ra,ip:127.0.0.1:w", Shape::Stat),
    ("setAcl -v 7 {}/a world:anyone:r", Shape::Done),
    ("setAcl {}/a digest:other:r", Shape::Done),
    ("getAcl -s {}/a", Shape::AclAndStat),
    ("create {}/closed x digest:a:b:r", Shape::Created),
    ("get {}/closed", Shape::Lines),
    ("whoami", Shape::Identities),
    ("addauth digest user:password", Shape::Done),
    ("whoami", Shape::Identities),
    ("create {}/own x auth::cdrwa", Shape::Created),
    ("getAcl {}/own", Shape::Acl),
    ("get {}/own", Shape::Lines),
    ("getEphemerals {}/se", Shape::Names),
    ("getEphemerals {}/none", Shape::Names),
    ("getAllChildrenNumber {}", Shape::Lines),
    ("sync {}", Shape::Done),
    ("delete {}", Shape::Done),
    ("delete -v 7 {}/a", Shape::Done),
    ("delete {}/a", Shape::Done),
    ("delete {}/a", Shape::Done),
    ("deleteall {}/none", Shape::Done),
    ("deleteall {}", Shape::Done),
    ("ls {}", Shape::Names),
];

/// Upstream's shell's words for an error, and the error's name.
const ERRORS: &[(&str, &str)] = &[
    ("Node does not exist: ", "NONODE"),
    ("Node already exists: ", "NODEEXISTS"),
    ("Node not empty: ", "NOTEMPTY"),
    ("version No is not valid : ", "BADVERSION"),
    ("Ephemerals cannot have children: ", "NOCHILDRENFOREPHEMERALS"),
    ("Insufficient permission : ", "NOAUTH"),
    ("Acl is not valid : ", "INVALIDACL"),
];

/// What a line came to, whoever printed it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Failed(String),
    Done { lines: Vec<String>, stat: Vec<String> },
}

#[test]
fn both_shells_come_to_the_same() {
    let Some(zk) = programs() else { return };
    for server in servers() {
        let mut theirs = java_shell(&server);
        let ours = OurShell::start(&zk, &server);
        for (line, shape) in SCRIPT {
            let answer = ask(&mut theirs, &line.replace("{}", "/theirs"));
            let expected = outcome_of_theirs(&answer, *shape, line);
            let line_of_ours = line.replace("{}", "/ours");
            let outcome = outcome_of_ours(&ours.run(&line_of_ours), *shape, line);
            assert_eq!(outcome, expected, "{line} on {}", server.kind());
            if let Some(again) = one_shot(&zk, &server, &line_of_ours) {
                let again = outcome_of_ours(&again, *shape, line);
                assert_eq!(again, expected, "{line} one-shot on {}", server.kind());
            }
        }
        events(&mut theirs, &ours);
        theirs.quit("quit").expect("the shell ends");
        ours.quit();
    }
}

/// Watches are told, whichever shell made the change.
fn events(theirs: &mut Shell, ours: &OurShell) {
    let both = ["/theirs", "/ours"];
    for path in both {
        ask(theirs, &format!("create {path} x"));
        for line in ["get -w {}", "ls -w {}", "addWatch {}"] {
            let line = line.replace("{}", path);
            ask(theirs, &line);
            ours.run(&line);
        }
    }
    // Each is told once for all its watches, as one watcher is.
    for (line, kind, path) in [
        ("set /theirs y", "NodeDataChanged", "/theirs"),
        ("create /theirs/below y", "NodeCreated", "/theirs/below"),
        ("delete /theirs/below", "NodeDeleted", "/theirs/below"),
        ("stat -w /theirs/late", "NodeCreated", "/theirs/late"),
        ("set /ours y", "NodeDataChanged", "/ours"),
        ("create /ours/below y", "NodeCreated", "/ours/below"),
        ("delete /ours/below", "NodeDeleted", "/ours/below"),
        ("removewatches /ours", "PersistentWatchRemoved", "/ours"),
    ] {
        let event = format!("WatchedEvent state:SyncConnected type:{kind} path:{path}\n");
        if line.starts_with("stat") {
            ask(theirs, line);
            ours.run(line);
            ours.run(&format!("create {path}"));
        } else if line.starts_with("removewatches") {
            theirs.send(line);
            ours.run(line);
        } else {
            // A change by one is an event for both.
            theirs.send(line);
        }
        theirs.expect(&[&event]);
        ours.await_line(&format!("{kind} {path}"));
    }
}

/// `zk shell` at a terminal.
struct OurShell {
    terminal: Terminal,
    prompt: String,
}

impl OurShell {
    fn start(zk: &Program, server: &Server) -> Self {
        let terminal = Terminal::start(our_command(zk, server, &["shell"])).expect("a terminal");
        let prompt = format!("zk {}> ", server.address());
        terminal.wait_for_line(&prompt);
        Self { terminal, prompt }
    }

    fn run(&self, line: &str) -> Vec<String> {
        self.terminal.run(&self.prompt, line)
    }

    fn await_line(&self, wanted: &str) {
        self.terminal.wait(wanted, |screen| screen.lines().any(|line| line == wanted));
    }

    fn quit(self) {
        let Self { mut terminal, .. } = self;
        terminal.send("quit\r");
        assert!(terminal.finish().expect("the shell ends").success());
    }
}

/// The same line as a command of its own, where that has the same outcome: it changes nothing, and
/// does not depend on the session.
fn one_shot(zk: &Program, server: &Server, line: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_read = matches!(words[0], "get" | "ls" | "stat" | "getAcl" | "getAllChildrenNumber");
    if !is_read || line.ends_with("/own") {
        return None;
    }
    let mut terminal = Terminal::start(our_command(zk, server, &words)).expect("a terminal");
    let status = terminal.finish().expect("it ends");
    let lines: Vec<String> = terminal.contents().trim_end().lines().map(Into::into).collect();
    let failed = lines.last().is_some_and(|last| last.starts_with("error: "));
    assert_eq!(status.code(), Some(i32::from(failed)), "{line}: {lines:?}");
    Some(lines)
}

fn our_command(zk: &Program, server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(zk.path());
    command
        .args(arguments)
        .env("ZK_SERVER", server.address().to_string())
        .env("ZK_HISTORY", "")
        .env("TERM", "xterm")
        .env_remove("ZK_AUTH");
    command
}

fn java_shell(server: &Server) -> Shell {
    let mut command = Command::new(JAVA_SHELL);
    command
        .args(["-server", &server.address().to_string()])
        .env("CLIENT_JVMFLAGS", "-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1");
    let mut shell = Shell::start(&mut command).expect("the shell starts");
    shell.expect(&["state:SyncConnected type:None path:null"]);
    shell
}

/// What upstream's shell prints for a line, without events and empty lines.
fn ask(shell: &mut Shell, line: &str) -> Vec<String> {
    shell.run(SENTINEL.0, &[SENTINEL.1]);
    let start = shell.printed().len();
    shell.send(line);
    shell.run(SENTINEL.0, &[SENTINEL.1]);
    let printed = shell.printed();
    let (answer, _) = printed[start..].rsplit_once(SENTINEL.1).expect("it was found");
    let is_event = |line: &&str| line.starts_with("WATCHER::") || line.starts_with("WatchedEvent ");
    answer.lines().filter(|line| !line.is_empty() && !is_event(line)).map(Into::into).collect()
}

fn outcome_of_theirs(answer: &[String], shape: Shape, line: &str) -> Outcome {
    for answered in answer {
        let known = ERRORS.iter().find(|(text, _)| answered.starts_with(text));
        if let Some((_, name)) = known {
            return Outcome::Failed((*name).into());
        }
    }
    let (lines, stat) = split(answer, line);
    let lines = match shape {
        Shape::Created => {
            lines.iter().filter_map(|line| line.strip_prefix("Created ")).map(Into::into).collect()
        }
        Shape::Names | Shape::NamesAndStat => names(&lines),
        Shape::Acl | Shape::AclAndStat => lines.chunks(2).map(acl_entry).collect(),
        // Under a heading.
        Shape::Identities => lines.iter().skip(1).map(|line| line.replace(": ", ":")).collect(),
        Shape::Done => Vec::new(),
        Shape::Lines | Shape::LinesAndStat | Shape::Stat => lines,
    };
    finish(lines, stat)
}

fn outcome_of_ours(answer: &[String], shape: Shape, line: &str) -> Outcome {
    let error = answer.iter().find_map(|line| line.strip_prefix("error: "));
    if let Some(error) = error {
        let name = error.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        return Outcome::Failed(name.unwrap_or(error).into());
    }
    let notice = |line: &&String| {
        let first = line.split([' ', ':']).next().unwrap_or_default();
        !matches!(first, "SyncConnected") && !first.starts_with("Node")
    };
    let answer: Vec<String> = answer.iter().filter(notice).cloned().collect();
    let (mut lines, stat) = split(&answer, line);
    if let Shape::Done = shape {
        lines.clear();
    }
    finish(lines, stat)
}

/// Both shells are seen as working below the same znode.
fn finish(lines: Vec<String>, stat: Vec<String>) -> Outcome {
    let rooted = |line: String| line.replace("/theirs", "{}").replace("/ours", "{}");
    Outcome::Done { lines: lines.into_iter().map(rooted).collect(), stat }
}

/// The lines before a stat, and the stat, for a line of the script. Its times are shown in two ways; zxids and sessions are
/// the same if the znode is.
fn split(answer: &[String], line: &str) -> (Vec<String>, Vec<String>) {
    let start = answer.iter().position(|line| line.starts_with("cZxid = "));
    let (lines, stat) = answer.split_at(start.unwrap_or(answer.len()));
    let is_one_znode = !line.contains("{}");
    let field = |line: &String| {
        let (name, value) = line.split_once(" = ")?;
        let value = match name {
            "ctime" | "mtime" => return None,
            "cZxid" | "mZxid" | "pZxid" if !is_one_znode => return Some(name.to_owned()),
            "ephemeralOwner" if !is_one_znode && value != "0x0" => "a session",
            _ => value,
        };
        Some(format!("{name} = {value}"))
    };
    (lines.to_vec(), stat.iter().filter_map(field).collect())
}

/// `[a, b]`
fn names(lines: &[String]) -> Vec<String> {
    let list = lines.iter().find_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let list = list.unwrap_or_else(|| panic!("no list: {lines:?}"));
    list.split(", ").filter(|name| !name.is_empty()).map(Into::into).collect()
}

/// `'world,'anyone` and `: cdrwa`
fn acl_entry(lines: &[String]) -> String {
    let entry = lines.concat();
    let (identity, permissions) = entry.rsplit_once(": ").expect("two lines");
    let (scheme, id) = identity.trim_start_matches('\'').split_once(",'").expect("both");
    format!("{scheme}:{id}:{permissions}")
}

/// Our program, if this test is wanted and everything is there.
fn programs() -> Option<Program> {
    if !enabled() {
        return None;
    }
    let java = Some(Path::new(JAVA_SHELL)).filter(|path| path.is_file());
    need("zkCli.sh (Debian package zookeeper)", java)?;
    Kind::Ours.need()
}

/// One fresh server of every kind that is installed.
fn servers() -> impl Iterator<Item = Server> {
    let programs = Kind::ALL.into_iter().filter_map(Kind::need);
    programs.map(|program| Server::start(&program, &Options::default()).expect("a server"))
}
