//! Three of Apache's servers that elect a leader.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::options::Options;
use crate::ports::free_port;
use crate::program::Program;
use crate::server::{Mode, Server};

const SIZE: usize = 3;
/// Three JVMs and an election, on a busy machine of two cores.
const ELECTION_MAX: Duration = Duration::from_secs(90);
/// Somebody else may take one of the ports between its choice and the bind.
const START_TRIES: u32 = 3;

/// An ensemble of three on loopback. Each member is a [`Server`] and can be killed, paused and
/// started again on its own. Dropping it ends every process and removes every directory.
#[derive(Debug)]
pub struct Ensemble {
    members: Vec<Server>,
    entries: Vec<String>,
}

impl Ensemble {
    /// Starts three servers and returns when one leads and the others follow.
    ///
    /// The ticks are short, so that a member that is paused is given up within seconds; sessions
    /// may nevertheless be as long as with the default.
    ///
    /// # Errors
    ///
    /// If a process cannot be started, ends early, or does not serve in time.
    pub fn start(program: &Program, options: &Options) -> io::Result<Self> {
        let mut tries = START_TRIES;
        loop {
            let mut ensemble = Self::new(program, options)?;
            tries -= 1;
            match ensemble.launch() {
                Ok(()) => return Ok(ensemble),
                Err(error) if tries == 0 || !ensemble.lost_a_port() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Starts the first of three servers only, with `readonlymode.enabled`, and returns when it
    /// serves reads.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_alone(program: &Program, options: &Options) -> io::Result<Self> {
        let mut ensemble = Self::new(program, &options.clone().read_only_mode())?;
        ensemble.members[0].launch()?;
        ensemble.members[0].wait_until(|mode| mode == Mode::ReadOnly)?;
        Ok(ensemble)
    }

    fn new(program: &Program, options: &Options) -> io::Result<Self> {
        let ports = distinct_ports(3 * SIZE)?;
        let mut options = options
            .clone()
            .set("tickTime", "500")
            .set("initLimit", "60")
            .set("syncLimit", "8")
            .set("minSessionTimeout", "1000")
            .set("maxSessionTimeout", "40000");
        let mut entries = Vec::new();
        for (index, ports) in ports.chunks(3).enumerate() {
            let key = format!("server.{}", index + 1);
            let quorum = format!("127.0.0.1:{}:{}:participant", ports[1], ports[2]);
            let value = format!("{quorum};127.0.0.1:{}", ports[0]);
            options = options.set(&key, &value);
            entries.push(format!("{key}={value}"));
        }
        let mut members = Vec::new();
        for (index, ports) in ports.chunks(3).enumerate() {
            let server = Server::new(program, &options, ports[0])?;
            fs::write(server.data_path().join("myid"), (index + 1).to_string())?;
            members.push(server);
        }
        Ok(Self { members, entries })
    }

    fn launch(&mut self) -> io::Result<()> {
        for member in &mut self.members {
            member.launch()?;
        }
        for member in &mut self.members {
            member.wait_until_serving()?;
        }
        self.leader().map(|_| ())
    }

    /// The addresses of all members, running or not.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.members.iter().map(Server::address)
    }

    /// A connect string that names every member.
    #[must_use]
    pub fn connect_string(&self) -> String {
        let addresses: Vec<String> = self.addresses().map(|address| address.to_string()).collect();
        addresses.join(",")
    }

    /// One member; they are numbered from 0.
    ///
    /// # Panics
    ///
    /// If there is none of this number.
    #[must_use]
    pub fn member(&self, index: usize) -> &Server {
        &self.members[index]
    }

    /// One member, to be killed or started.
    ///
    /// # Panics
    ///
    /// If there is none of this number.
    pub fn member_mut(&mut self, index: usize) -> &mut Server {
        &mut self.members[index]
    }

    /// A member as the ensemble's configuration names it.
    #[must_use]
    pub fn entry(&self, index: usize) -> &str {
        &self.entries[index]
    }

    /// The numbers of all members.
    #[must_use]
    pub fn indices(&self) -> std::ops::Range<usize> {
        0..self.members.len()
    }

    /// The member that leads. Waits until there is one.
    ///
    /// # Errors
    ///
    /// If none does in time.
    pub fn leader(&self) -> io::Result<usize> {
        Deadline::after(ELECTION_MAX).poll("a leader", || {
            Ok(self.indices().find(|index| self.members[*index].mode() == Some(Mode::Leader)))
        })
    }

    /// The member that this session is connected to, among those that run and are not paused.
    /// Waits until there is one.
    ///
    /// # Errors
    ///
    /// If there is none in time.
    pub fn member_of(&self, session: i64) -> io::Result<usize> {
        let wanted = format!("sid=0x{session:x},");
        Deadline::after(ELECTION_MAX).poll("the session's connection", || {
            Ok(self.indices().find(|index| {
                let member = &self.members[*index];
                member.answers()
                    && member.four_letter_word("cons").is_ok_and(|text| text.contains(&wanted))
            }))
        })
    }

    fn lost_a_port(&self) -> bool {
        self.members.iter().any(Server::lost_its_port)
    }
}

fn distinct_ports(count: usize) -> io::Result<Vec<u16>> {
    let mut ports = BTreeSet::new();
    while ports.len() < count {
        ports.insert(free_port()?);
    }
    Ok(ports.into_iter().collect())
}
