//! The servers: started here on a free port of the loopback interface, or somebody else's.

use std::{
    env,
    error::Error,
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A JVM takes its time.
const START_MAX: Duration = Duration::from_secs(60);

/// Debian's package; its manifest names every library but one that writes the log.
const APACHE_JAR: &str = "/usr/share/java/zookeeper.jar";
const APACHE_LOGGER: &str = "/usr/share/java/slf4j-simple.jar";

/// A server to measure against.
#[derive(Debug)]
pub struct Server {
    pub name: String,
    pub address: String,
    /// `None` is somebody else's. The directory goes with it.
    process: Option<(Child, TempDir)>,
}

impl Server {
    /// Somebody else's.
    pub fn at(address: &str) -> Self {
        Self { name: address.into(), address: address.into(), process: None }
    }

    /// `zk serve --in-memory`.
    pub fn zk(binary: &Path) -> Result<Self, Box<dyn Error>> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command.args(["serve", "--in-memory", "--listen", &address.to_string()]);
        Self::start("zk serve --in-memory", address, command, TempDir::new()?)
    }

    /// Apache ZooKeeper, without waiting for its disk.
    pub fn apache() -> Result<Self, Box<dyn Error>> {
        if !Path::new(APACHE_JAR).is_file() {
            return Err(format!("there is no {APACHE_JAR}: package libzookeeper-java").into());
        }
        let (address, directory) = (free_address()?, TempDir::new()?);
        let config = directory.path().join("zoo.cfg");
        let text = format!(
            "dataDir={}\nclientPortAddress={}\nclientPort={}\nadmin.enableServer=false\n\
             4lw.commands.whitelist=srvr\n",
            directory.path().join("data").display(),
            address.ip(),
            address.port(),
        );
        fs::write(&config, text)?;
        let mut command = Command::new("java");
        command
            .args(["-Xmx1g", "-Dzookeeper.forceSync=no", "-Dzookeeper.jmx.log4j.disable=true"])
            .args(["-cp", &format!("{APACHE_JAR}:{APACHE_LOGGER}")])
            .arg("org.apache.zookeeper.server.ZooKeeperServerMain")
            .arg(&config);
        Self::start("Apache ZooKeeper", address, command, directory)
    }

    fn start(
        name: &str,
        address: SocketAddr,
        mut command: Command,
        directory: TempDir,
    ) -> Result<Self, Box<dyn Error>> {
        let log = File::create(directory.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut server = Self {
            name: name.into(),
            address: address.to_string(),
            process: Some((child, directory)),
        };
        let end = Instant::now() + START_MAX;
        while !serves(address) {
            if Instant::now() > end || server.has_ended() {
                return Err(format!("{name} does not serve:\n{}", server.log()).into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_some_and(|(child, _)| !matches!(child.try_wait(), Ok(None)))
    }

    fn log(&self) -> String {
        let directory = self.process.as_ref().map(|(_, directory)| directory.path());
        directory.and_then(|path| fs::read_to_string(path.join("log")).ok()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.process {
            // Both fail only for a process that has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The release build of `zk`, or the one that `ZK_BIN` names.
pub fn find_zk() -> PathBuf {
    if let Some(path) = env::var_os("ZK_BIN") {
        return path.into();
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/zk")
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn serves(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut answer = String::new();
    stream.write_all(b"srvr").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.contains("Mode: ")
}
