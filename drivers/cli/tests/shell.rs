//! `zk shell`, and what else looks at its terminal, at a pseudo-terminal.
#![cfg(unix)]

mod support;

use std::{fs, process::Command};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use zookeeper_peers::Terminal;

use self::support::{Server, finish, zk};

const CONFIG: &str = "4lw.commands.whitelist=*\n";

/// A shell at its prompt.
struct Shell {
    terminal: Terminal,
    prompt: String,
    directory: TempDir,
}

impl Shell {
    fn start(server: &Server) -> Self {
        Self::start_in(server, TempDir::new().expect("room"), |_| ())
    }

    fn start_in(server: &Server, directory: TempDir, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = at_terminal(&["shell"]);
        command.env("ZK_SERVER", server.address.to_string());
        command.env("ZK_HISTORY", directory.path().join("history"));
        change(&mut command);
        let terminal = Terminal::start(command).expect("a terminal");
        let prompt = format!("zk {}> ", server.address);
        let shell = Self { terminal, prompt, directory };
        shell.terminal.wait_for_line(&shell.prompt);
        shell
    }

    /// Runs a line, and takes the notices of the connection out of what it printed.
    fn run(&self, line: &str) -> Vec<String> {
        let mut lines = self.terminal.run(&self.prompt, line);
        lines.retain(|line| line != "SyncConnected: connected");
        lines
    }

    /// Waits for a line to appear anywhere.
    fn await_line(&self, wanted: &str) {
        self.terminal.wait(wanted, |contents| contents.lines().any(|line| line == wanted));
    }

    fn quit(self) -> TempDir {
        self.terminal.send("quit\r");
        let Self { mut terminal, directory, .. } = self;
        assert_eq!(terminal.finish().expect("it ends").code(), Some(0));
        directory
    }
}

/// `zk`, whose input and output are not pipes.
fn at_terminal(arguments: &[&str]) -> Command {
    let pipes = zk();
    let mut command = Command::new(pipes.get_program());
    command.args(arguments).env("TERM", "xterm-256color");
    for (name, value) in pipes.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[test]
fn commands_are_typed_and_answered() {
    let server = Server::start(CONFIG);
    let shell = Shell::start(&server);
    assert_eq!(shell.run("create /a 'hello world'"), ["/a"]);
    assert_eq!(shell.run("get /a"), ["hello world"]);
    assert_eq!(shell.run("ls"), ["a", "zookeeper"]);
    assert_eq!(shell.run("ls /none"), ["error: /none: no node (NONODE)"]);
    assert_eq!(
        shell.run("gte /a"),
        ["error: unrecognized subcommand 'gte'; `help` lists the commands"]
    );
    assert_eq!(shell.run(""), [""; 0]);
    assert_eq!(shell.run("ls --json"), [r#"{"children":["a","zookeeper"],"path":"/"}"#]);
    assert_eq!(shell.run("set /a -"), ["error: the shell itself reads standard input; use --file"]);
    let help = shell.run("help");
    assert!(help.iter().any(|line| line.trim_start().starts_with("create ")), "{help:?}");
    assert!(shell.run("4lw srvr").contains(&"Mode: standalone".to_owned()));
    // What a terminal would obey is shown.
    server.text(&["set", "/a", "\u{1b}[2Jx"]);
    assert_eq!(shell.run("get /a"), ["\\x1b[2Jx"]);
    shell.quit();
}

#[test]
fn events_come_above_the_line_that_is_being_typed() {
    let server = Server::start(CONFIG);
    let shell = Shell::start(&server);
    shell.run("create /a");
    shell.run("get -w /a");
    assert_eq!(shell.run("addWatch /"), [""; 0]);
    shell.terminal.send("create /b half of a li");
    let typed = format!("{}create /b half of a li", shell.prompt);
    shell.terminal.wait_for_line(&typed);
    server.text(&["set", "/a", "x"]);
    let screen = shell.terminal.wait("the event", |screen| screen.contains("NodeDataChanged /a\n"));
    assert!(screen.trim_end().ends_with(&format!("NodeDataChanged /a\n{typed}")), "{screen}");
    assert_eq!(screen.matches(&typed).count(), 1, "{screen}");
    shell.terminal.send("ne\u{15}");
    shell.terminal.wait_for_line(&shell.prompt);
    // Hidden events stay hidden.
    assert_eq!(shell.run("printwatches off"), ["printwatches is off"]);
    shell.run("create /hidden");
    assert_eq!(shell.run("printwatches on"), ["printwatches is on"]);
    shell.run("create /shown");
    shell.await_line("NodeCreated /shown");
    assert!(!shell.terminal.contents().contains("NodeCreated /hidden"));
    shell.run("removewatches /");
    shell.await_line("PersistentWatchRemoved /");
    shell.quit();
}

#[test]
fn a_lost_connection_and_a_new_session_are_told() {
    let mut server = Server::start(CONFIG);
    let shell = Shell::start_in(&server, TempDir::new().expect("room"), |command| {
        command.args(["--timeout", "4s"]);
    });
    shell.run("create -e /e");
    shell.run("watch /e");
    server.restart();
    let lost = "Disconnected: connection lost; looking for a server";
    shell.await_line(lost);
    shell.await_line("Expired: the session is over: its ephemerals and watches are gone");
    shell.terminal.wait("a new session", |screen| {
        screen.rsplit_once(lost).is_some_and(|(_, rest)| rest.contains("SyncConnected: connected"))
    });
    // The line that was being typed knows nothing of it; the next one does.
    assert_eq!(shell.run("ls"), ["zookeeper"]);
    shell.quit();
}

#[test]
fn tab_completes_commands_options_and_paths() {
    let server = Server::start(CONFIG);
    server.text(&["create", "-p", "/apple/core"]);
    server.text(&["create", "/apple/cord"]);
    server.text(&["create", "/a pear"]);
    let shell = Shell::start(&server);
    let line = |text: &str| format!("{}{text}", shell.prompt);
    shell.terminal.send("cre\t");
    shell.terminal.wait_for_line(&line("create"));
    shell.terminal.send("--se\t");
    shell.terminal.wait_for_line(&line("create --sequential"));
    shell.terminal.send("/app\t");
    shell.terminal.wait_for_line(&line("create --sequential /apple/"));
    shell.terminal.send("\t");
    shell.terminal.wait_for_line(&line("create --sequential /apple/cor"));
    shell.terminal.send("\t");
    shell.terminal.wait("both", |screen| {
        screen.lines().any(|line| line.split_whitespace().eq(["cord", "core"]))
    });
    shell.terminal.send("\u{15}get /a\\ \t");
    shell.terminal.wait_for_line(&line("get /a\\ pear"));
    shell.terminal.send("\u{15}");
    shell.quit();
}

#[test]
fn lines_are_kept_but_no_secrets() {
    let server = Server::start(CONFIG);
    let shell = Shell::start(&server);
    shell.run("create /a");
    shell.run(" create /b");
    shell.run("addauth digest user:password");
    let directory = shell.quit();
    let history = fs::read_to_string(directory.path().join("history")).expect("a file");
    assert!(history.contains("create /a\n") && !history.contains("create /b"), "{history}");
    assert!(!history.contains("password"), "{history}");

    let shell = Shell::start_in(&server, directory, |_| ());
    // Behind the newest line, which is quit.
    shell.terminal.send("\u{1b}[A\u{1b}[A");
    shell.terminal.wait_for_line(&format!("{}create /a", shell.prompt));
    shell.terminal.send("\u{15}");
    shell.quit();
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let server = Server::start(CONFIG);
    let is_coloured = |change: fn(&mut Command)| {
        let shell = Shell::start_in(&server, TempDir::new().expect("room"), change);
        shell.run("get /none");
        let raw = shell.terminal.raw();
        shell.quit();
        raw.windows(3).any(|bytes| bytes == b"\x1b[3")
    };
    assert!(is_coloured(|_| ()));
    assert!(!is_coloured(|command| {
        command.env("NO_COLOR", "1");
    }));
    assert!(!is_coloured(|command| {
        command.arg("--json");
    }));
}

#[test]
fn ctrl_c_forgets_a_line_and_ctrl_d_ends() {
    let server = Server::start(CONFIG);
    let mut shell = Shell::start(&server);
    shell.terminal.send("create /never");
    shell.terminal.wait_for_line(&format!("{}create /never", shell.prompt));
    shell.terminal.send("\u{3}");
    shell.terminal.wait_for_line(&shell.prompt);
    assert_eq!(shell.run("ls"), ["zookeeper"]);
    shell.terminal.send("\u{4}");
    assert_eq!(shell.terminal.finish().expect("it ends").code(), Some(0));
}

#[test]
fn one_shot_commands_are_kind_to_a_terminal() {
    let server = Server::start(CONFIG);
    server.text(&["create", "/a", "no line end"]);
    let run = |arguments: &[&str], status| {
        let mut command = at_terminal(arguments);
        command.env("ZK_SERVER", server.address.to_string());
        let mut terminal = Terminal::start(command).expect("a terminal");
        assert_eq!(terminal.finish().expect("it ends").code(), Some(status));
        terminal.raw()
    };
    assert_eq!(run(&["get", "/a"], 0), b"no line end\r\n");
    let error = run(&["get", "/none"], 1);
    assert!(error.starts_with(b"\x1b[1m\x1b[31merror:\x1b[0m /none: no node"), "{error:?}");

    // What shows progress leaves nothing of it behind.
    let lines: String = (0..500).map(|number| format!("create /tree/{number}\n")).collect();
    finish(&mut server.zk(&["multi"]), format!("create /tree\n{lines}").as_bytes());
    let mut command = at_terminal(&["rmr", "/tree"]);
    command.env("ZK_SERVER", server.address.to_string());
    let mut terminal = Terminal::start(command).expect("a terminal");
    assert_eq!(terminal.finish().expect("it ends").code(), Some(0));
    assert_eq!(terminal.contents().trim(), "deleted 501 znodes");
    assert!(terminal.raw().len() > 100, "there was some");

    // Ctrl-C is the usual end of a watch.
    let mut command = at_terminal(&["watch", "/a"]);
    command.env("ZK_SERVER", server.address.to_string());
    let mut terminal = Terminal::start(command).expect("a terminal");
    server.await_watches(1);
    server.text(&["set", "/a", "x"]);
    terminal.wait("the event", |screen| screen.contains("NodeDataChanged /a"));
    let pid = i32::try_from(terminal.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::INT).expect("it runs");
    assert_eq!(terminal.finish().expect("it ends").code(), Some(0));
}
