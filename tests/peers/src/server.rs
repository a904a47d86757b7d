//! A running server process.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::deadline::Deadline;
use crate::options::Options;
use crate::ports::{four_letter_word, free_port};
use crate::program::{Kind, Program, data_path};

/// A JVM on a busy machine of two cores takes several seconds.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a server may take to end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Somebody else may take a port between its choice and the bind.
const START_TRIES: u32 = 5;
/// How much of the log a failing test prints.
const LOG_LINES: usize = 40;

/// A server process with its directory. Dropping it ends the process and removes the directory;
/// if that happens in a panic, the end of its log is printed first.
#[derive(Debug)]
pub struct Server {
    program: Program,
    options: Options,
    port: u16,
    directory: TempDir,
    child: Option<Child>,
    is_paused: bool,
}

impl Server {
    /// Starts a server on a free port and returns when it serves.
    ///
    /// # Errors
    ///
    /// If the process cannot be started, ends early, or does not serve in time; the message holds
    /// the end of its log.
    pub fn start(program: &Program, options: &Options) -> io::Result<Self> {
        let mut tries = START_TRIES;
        loop {
            let mut server = Self::new(program, options, free_port()?)?;
            tries -= 1;
            match server.restart() {
                Ok(()) => return Ok(server),
                Err(error) if tries == 0 || !server.lost_its_port() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// A server on this port that is not started yet.
    pub(crate) fn new(program: &Program, options: &Options, port: u16) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("zookeeper-peer-").tempdir()?;
        fs::create_dir_all(data_path(directory.path()))?;
        let (program, options) = (program.clone(), options.clone());
        Ok(Self { program, options, port, directory, child: None, is_paused: false })
    }

    /// Whose server it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.program.kind()
    }

    /// The program that serves.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The loopback address it listens on; it stays the same over a restart.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The directory that holds the configuration, the log and the data, and dies with the server.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Everything it has logged so far, over all its restarts.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn log(&self) -> io::Result<String> {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The answer to a four-letter word.
    ///
    /// # Errors
    ///
    /// As [`four_letter_word`].
    pub fn four_letter_word(&self, word: &str) -> io::Result<String> {
        four_letter_word(self.address(), word)
    }

    /// Ends the process with SIGTERM and waits for it. The data directory stays.
    ///
    /// # Errors
    ///
    /// If it has not ended in time (it is killed then), or was not running.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        let mut child = self.child.take().ok_or_else(not_running)?;
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let ended = Deadline::after(STOP_MAX).poll("the server to end", || child.try_wait());
        if ended.is_err() {
            end(child);
        }
        ended
    }

    /// Ends the process with SIGKILL, as a crash would. The data directory stays.
    pub fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
    }

    /// Stops every thread of the process with SIGSTOP: its connections stay open, and nobody
    /// answers.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn pause(&mut self) -> io::Result<()> {
        self.signal(Signal::STOP)?;
        self.is_paused = true;
        Ok(())
    }

    /// Lets a paused process go on.
    ///
    /// # Errors
    ///
    /// If it is not running.
    pub fn resume(&mut self) -> io::Result<()> {
        self.signal(Signal::CONT)?;
        self.is_paused = false;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let child = self.child.as_ref().ok_or_else(not_running)?;
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    /// From the next start on, this program serves the directory.
    pub fn hand_over(&mut self, program: &Program) {
        self.program = program.clone();
    }

    /// From the next start on, the server runs with these options.
    pub fn configure(&mut self, options: &Options) {
        self.options = options.clone();
    }

    /// A server with a copy of this one's data, on a port of its own, that is not started yet.
    ///
    /// # Errors
    ///
    /// If the data cannot be copied.
    pub fn copy(&self, program: &Program) -> io::Result<Self> {
        let copy = Self::new(program, &self.options, free_port()?)?;
        copy_tree(&self.data_path(), &copy.data_path())?;
        Ok(copy)
    }

    /// Stops the server if it runs, removes its data, and starts it on the same address.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn reset(&mut self) -> io::Result<()> {
        self.kill();
        match fs::remove_dir_all(self.data_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.restart(),
        }
    }

    /// Starts a stopped server again, on the same address and data, and returns when it serves.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill();
        self.launch()?;
        self.wait_until_serving()
    }

    /// Starts the process and does not wait until it serves.
    pub(crate) fn launch(&mut self) -> io::Result<()> {
        fs::create_dir_all(self.data_path())?;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = self.program.prepare(&self.options, self.directory(), self.port)?;
        self.is_paused = false;
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    /// Waits until the started process serves; kills it if it does not.
    pub(crate) fn wait_until_serving(&mut self) -> io::Result<()> {
        let served = self.wait_until(Mode::is_writable);
        served.map(|_| ()).inspect_err(|_| self.kill())
    }

    /// Waits until the server is in a mode like this, and returns it.
    ///
    /// # Errors
    ///
    /// If the process ends or the mode does not come; the message holds the end of its log.
    pub fn wait_until(&mut self, wanted: impl Fn(Mode) -> bool) -> io::Result<Mode> {
        let address = self.address();
        let child = self.child.as_mut().ok_or_else(not_running)?;
        let found = Deadline::after(START_MAX).poll("the server to serve", || {
            if let Some(status) = child.try_wait()? {
                return Err(io::Error::other(format!("ended early: {status}")));
            }
            Ok(Mode::ask(address).filter(|mode| wanted(*mode)))
        });
        found.map_err(|error| {
            let log = self.log_end();
            io::Error::new(error.kind(), format!("{} server: {error}\n{log}", self.kind()))
        })
    }

    /// What the server says it is now; `None` while it does not serve.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        if self.answers() { Mode::ask(self.address()) } else { None }
    }

    /// Whether the process runs and is not paused.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.child.is_some() && !self.is_paused
    }

    pub(crate) fn lost_its_port(&self) -> bool {
        self.log().is_ok_and(|log| log.contains("Address already in use"))
    }

    fn log_end(&self) -> String {
        let log = self.log().unwrap_or_default();
        // What this library asks all the time tells nothing.
        let lines: Vec<&str> =
            log.lines().filter(|line| !line.contains("Processing srvr command")).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.directory().join("server.log")
    }

    pub(crate) fn data_path(&self) -> PathBuf {
        data_path(self.directory())
    }
}

/// What a server says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Alone by configuration.
    Standalone,
    /// The one of an ensemble that orders the writes.
    Leader,
    /// One of the others.
    Follower,
    /// Cut off from its ensemble, and answering reads.
    ReadOnly,
}

impl Mode {
    /// Whether a session on it can write.
    #[must_use]
    pub fn is_writable(self) -> bool {
        self != Self::ReadOnly
    }

    /// `None` if nobody answers, or only that nothing is served yet, as Apache does for a moment.
    fn ask(address: SocketAddr) -> Option<Self> {
        let answer = four_letter_word(address, "srvr").ok()?;
        let name = answer.lines().find_map(|line| line.strip_prefix("Mode: "))?;
        match name {
            "standalone" => Some(Self::Standalone),
            "leader" => Some(Self::Leader),
            "follower" => Some(Self::Follower),
            "read-only" => Some(Self::ReadOnly),
            _ => None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- end of the {} server's log ---\n{}", self.kind(), self.log_end());
        }
    }
}

fn not_running() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the server is not running")
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Both calls fail only for a process that has been waited for already.
fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}
