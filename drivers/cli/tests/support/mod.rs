//! A server of one's own, and `zk` as a child that cannot hang.

#![allow(dead_code, reason = "not every test needs everything")]

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Only what hangs takes this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A running `zk serve`, which does not outlive its test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    config: String,
    /// The line that says it is ready.
    pub(crate) ready: String,
}

impl Server {
    /// Starts it on a free port, with these lines of configuration.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_at("127.0.0.1:0", config)
    }

    fn start_at(address: &str, config: &str) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("room");
        write!(file, "{config}").expect("room");
        let mut command = zk();
        command.args(["serve", "--in-memory", "--quiet", "--listen", address, "--config"]);
        command.arg(file.path()).stderr(Stdio::inherit());
        let mut server = Self::spawn(&mut command);
        server.config = config.into();
        server
    }

    /// Waits for the line that says it is ready.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("a process");
        let mut ready = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut ready).expect("text");
        let address = ready.trim_end().rsplit_once(' ').map(|(_, address)| address.parse());
        let Some(Ok(address)) = address else { panic!("not ready: {ready:?}") };
        Self { child, address, config: String::new(), ready }
    }

    /// Asks it to end; gives the exit status and the log, if that was piped.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        kill(self.child.id(), Signal::TERM);
        self.wait()
    }

    /// Waits for its end; gives the exit status and the log, if that was piped.
    pub(crate) fn wait(&mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).expect("text");
        }
        (self.child.wait().expect("it ends").code(), log)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Another one, in the same place, that knows nothing.
    pub(crate) fn restart(&mut self) {
        self.kill();
        *self = Self::start_at(&self.address.to_string(), &self.config);
    }

    /// A client of this server.
    pub(crate) fn zk(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = zk();
        command.args(arguments).env("ZK_SERVER", self.address.to_string());
        command
    }

    /// Runs a client to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        finish(&mut self.zk(arguments), b"")
    }

    /// What a client that succeeds prints.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {log}");
        assert_eq!(log, "", "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The same with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    /// The exit status and the message of a client that fails, and prints nothing else.
    pub(crate) fn error(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
        let message = String::from_utf8(output.stderr).expect("text");
        (output.status.code(), message)
    }

    /// Waits until the server has so many watches; it must answer every word.
    pub(crate) fn await_watches(&self, count: usize) {
        let wanted = format!("Total watches:{count}\n");
        let deadline = Instant::now() + DEADLINE;
        loop {
            let text = self.text(&["4lw", "wchs"]);
            if text.contains(&wanted) {
                return;
            }
            assert!(Instant::now() < deadline, "{text}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, if a test killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, in an environment that says nothing to it.
pub(crate) fn zk() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zk"));
    for variable in ["ZK_SERVER", "ZK_AUTH", "ZK_HISTORY", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end, which must come by itself.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("a process");
    let mut stdin = child.stdin.take().expect("piped");
    // Who does not want it may have ended.
    let _ = stdin.write_all(input);
    drop(stdin);
    let (sender, ended) = channel();
    let id = child.id();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(DEADLINE) {
        Ok(output) => output.expect("it ends"),
        Err(_) => {
            kill(id, Signal::KILL);
            panic!("{command:?} hangs");
        }
    }
}

/// A client that goes on, read line by line.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    log: Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("a process");
        let lines = lines(child.stdout.take().expect("piped"));
        let log = lines_of_log(&mut child);
        Self { child, lines, log }
    }

    /// The next line of its output.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line")
    }

    /// The next line of its log.
    pub(crate) fn log_line(&self) -> String {
        self.log.recv_timeout(DEADLINE).expect("a line")
    }

    /// Asks it to end.
    pub(crate) fn interrupt(&self) {
        kill(self.child.id(), Signal::INT);
    }

    /// Waits for the end: the exit status and the rest of the output.
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let mut rest = Vec::new();
        // Its end closes the pipe, which ends the reader.
        while let Ok(line) = self.lines.recv_timeout(DEADLINE) {
            rest.push(line);
        }
        let status = self.child.wait().expect("it ends");
        (status.code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of_log(child: &mut Child) -> Receiver<String> {
    lines(child.stderr.take().expect("piped"))
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn kill(id: u32, signal: Signal) {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("it runs");
}
