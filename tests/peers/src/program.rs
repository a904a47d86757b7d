//! Where the server programs are, and the command lines that start them.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::need::need;
use crate::options::Options;

/// The servers that peer tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache ZooKeeper as Debian packages it, standalone: the reference.
    Apache,
    /// This project's `zk serve`, with its data in a directory as Apache's server has them.
    Ours,
}

impl Kind {
    /// Every kind, the reference first.
    pub const ALL: [Self; 2] = [Self::Apache, Self::Ours];

    /// The program of this kind, if it is installed.
    #[must_use]
    pub fn find(self) -> Option<Program> {
        let path = match self {
            Self::Apache => Path::new(APACHE_JAR).is_file().then(|| in_path("java")).flatten()?,
            Self::Ours => our_binary()?,
        };
        Some(Program { kind: self, path })
    }

    /// The program of this kind, by the rule of [`need`].
    ///
    /// # Panics
    ///
    /// In CI, if the program is missing.
    #[must_use]
    pub fn need(self) -> Option<Program> {
        need(self.hint(), self.find())
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Apache => "Apache ZooKeeper (Debian packages zookeeper, libzookeeper-java)",
            Self::Ours => "zk binary (cargo build --profile peers --bin zk, or ZK_BIN=path)",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Apache => "apache",
            Self::Ours => "ours",
        })
    }
}

/// An installed server program.
#[derive(Clone, Debug)]
pub struct Program {
    kind: Kind,
    path: PathBuf,
}

/// Its manifest names every library it needs, except one that writes the log.
const APACHE_JAR: &str = "/usr/share/java/zookeeper.jar";
const APACHE_LOGGER: &str = "/usr/share/java/slf4j-simple.jar";

const APACHE_STANDALONE: &str = "org.apache.zookeeper.server.ZooKeeperServerMain";
const APACHE_MEMBER: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// A small heap and the first compiler tier: these servers live for seconds.
const SMALL_JVM: [&str; 3] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

const JVM_FLAGS: [&str; 7] = [
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    "-Dzookeeper.jmx.log4j.disable=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
];

impl Program {
    /// What kind of server it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The executable: of our kind, the command line with all its commands.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the configuration into `directory` and returns the command that serves on a
    /// loopback port, with its data in [`data_path`]. [`Server`](crate::Server) runs it; it is
    /// public for programs that start and stop a server themselves.
    ///
    /// # Errors
    ///
    /// If the configuration cannot be written.
    pub fn prepare(&self, options: &Options, directory: &Path, port: u16) -> io::Result<Command> {
        let config = directory.join("zoo.cfg");
        fs::write(&config, options.render(self.kind, &data_path(directory), port))?;
        let mut command = Command::new(&self.path);
        match self.kind {
            Kind::Apache => {
                match options.heap() {
                    Some(heap) => command.arg(format!("-Xmx{heap}")),
                    None => command.args(SMALL_JVM),
                };
                command.args(JVM_FLAGS);
                for (key, value) in options.properties() {
                    command.arg(format!("-D{key}={value}"));
                }
                command
                    .args(["-cp", &format!("{APACHE_JAR}:{APACHE_LOGGER}")])
                    .arg(if options.is_ensemble() { APACHE_MEMBER } else { APACHE_STANDALONE })
                    .arg(&config);
            }
            Kind::Ours => {
                command
                    .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
                    .arg("--config")
                    .arg(&config);
            }
        }
        command.stdin(Stdio::null()).current_dir(directory);
        Ok(command)
    }
}

/// Where a server with this directory keeps its data.
#[must_use]
pub fn data_path(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// The interpreter of the environment that `tests/peers/install` makes, by the rule of [`need`].
///
/// # Panics
///
/// In CI, if it is missing.
#[must_use]
pub fn need_python() -> Option<PathBuf> {
    let python = in_target(Path::new("peers-venv/bin/python"));
    need("kazoo environment (tests/peers/install)", python)
}

/// `ZK_BIN`, or the `zk` of profile `peers` in the target directory that this test was built in.
fn our_binary() -> Option<PathBuf> {
    if let Some(path) = env::var_os("ZK_BIN") {
        return Some(PathBuf::from(path)).filter(|path| path.is_file());
    }
    in_target(Path::new("peers/zk"))
}

/// A file in the target directory, in which the running test's executable is `PROFILE/deps/NAME`.
fn in_target(file: &Path) -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    Some(test.ancestors().nth(3)?.join(file)).filter(|path| path.is_file())
}

fn in_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}
