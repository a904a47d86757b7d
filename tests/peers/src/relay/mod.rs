//! One data directory that servers of both makes take over from each other, while a mixed load
//! goes on and its sessions live on.
//!
//! At every change all that clients can see is compared: each znode's data, ACL and stat, each
//! session's ephemeral znodes, the newest zxid, and the digests of the tree that both servers
//! remember.

mod load;
mod picture;
mod seen;

use std::fmt;
use std::io;

pub use load::Load;
pub use picture::{Picture, Znode};

use crate::options::Options;
use crate::program::Program;
use crate::server::Server;
use seen::{Seen, complaints};

/// How much is still under way when a server is killed.
const BURST: usize = 300;

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By SIGTERM, with nothing under way.
    Terminated,
    /// By SIGKILL, with nothing under way.
    Killed,
    /// By SIGKILL, in the middle of writes.
    KilledAtWork,
}

impl Ending {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Terminated, Self::Killed, Self::KilledAtWork];
}

/// Settings that make directories with many snapshots and logs, allow short sessions, and remove
/// nothing by themselves.
#[must_use]
pub fn options() -> Options {
    Options::default()
        .set("tickTime", "200")
        .set("minSessionTimeout", "400")
        .set("maxSessionTimeout", "600000")
        .set("snapCount", "120")
        .set("preAllocSize", "64")
        .property("znode.container.checkIntervalMs", "3600000")
}

/// The directory, its server of the moment, and the load.
#[derive(Debug)]
pub struct Relay {
    server: Server,
    load: Load,
    log_length: usize,
    /// How many digests both servers knew, over all changes.
    digests: usize,
    znodes: usize,
}

impl Relay {
    /// A fresh directory under this program.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    pub fn start(program: &Program, options: &Options, seed: u64) -> io::Result<Self> {
        let server = Server::start(program, options)?;
        let load = Load::start(server.address(), seed);
        Ok(Self { server, load, log_length: 0, digests: 0, znodes: 0 })
    }

    /// Has the load do so many things.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub fn run(&mut self, actions: usize) {
        self.load.run(actions);
    }

    /// Has the load do so many things, and restarts the server in every way after each of them.
    ///
    /// # Errors
    ///
    /// As [`Relay::hand_over`].
    pub fn work(&mut self, program: &Program, actions: usize) -> io::Result<()> {
        for ending in Ending::ALL {
            self.load.run(actions);
            self.hand_over(program, ending)?;
        }
        self.load.run(actions);
        Ok(())
    }

    /// Ends the server, has this program take over, and compares.
    ///
    /// # Errors
    ///
    /// If a server does not start or stop.
    ///
    /// # Panics
    ///
    /// If anything is not as it was.
    pub fn hand_over(&mut self, program: &Program, ending: Ending) -> io::Result<()> {
        let what = format!("{} to {}, {ending:?}", self.server.kind(), program.kind());
        let mut before = None;
        if ending == Ending::KilledAtWork {
            self.load.burst(BURST);
        } else {
            before = Some(Seen::of(&self.server)?);
        }
        match ending {
            Ending::Terminated => drop(self.server.stop()?),
            Ending::Killed | Ending::KilledAtWork => self.server.kill(),
        }
        self.load.leave();
        self.check_log()?;
        let (before, zxid) = match before {
            Some(before) => {
                let zxid = before.newest_zxid().to_owned();
                (before, zxid)
            }
            // What the same program makes of it has to do.
            None => {
                let mut copy = self.server.copy(&self.server.program().clone())?;
                copy.restart()?;
                let before = Seen::of(&copy)?;
                let zxid = before.recovered_zxid().to_owned();
                (before, zxid)
            }
        };
        self.server.hand_over(program);
        self.server.restart()?;
        let after = Seen::of(&self.server)?;
        self.digests += before.assert_same(&zxid, &after, &what);
        self.load.come_back();
        self.check_sessions(&what);
        Ok(())
    }

    /// Ends it, and prints what it amounts to.
    ///
    /// # Errors
    ///
    /// If the server's log cannot be read.
    ///
    /// # Panics
    ///
    /// If something was never done, or the last server complains.
    pub fn finish(mut self) -> io::Result<()> {
        self.check_log()?;
        self.load.assert_complete();
        println!("{self}");
        Ok(())
    }

    /// The sessions and the tree agree on who owns what.
    fn check_sessions(&mut self, what: &str) {
        let listed = self.load.ephemerals();
        let picture = Picture::take(self.server.address());
        self.znodes = picture.len();
        assert_eq!(picture.ephemerals(), listed, "{what}: owners, and what they own");
        assert!(picture.get("/never").is_none(), "{what}: half of a multi");
    }

    /// No server may have anything to complain about.
    fn check_log(&mut self) -> io::Result<()> {
        let log = self.server.log()?;
        let complaints = complaints(&log[self.log_length..]);
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.server.kind());
        self.log_length = log.len();
        Ok(())
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { load, digests, znodes, .. } = self;
        write!(f, "{znodes} znodes, {digests} digests compared; {load}")
    }
}
