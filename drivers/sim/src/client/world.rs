//! The world of one session: its driver, its scripted servers, its clock.

use std::{thread, time::Duration};

use zookeeper_core::{
    Instant,
    client::{Config, Credentials, HostPort, Purpose, Session, SubmitOptions},
    wire::Request,
};

use super::{
    driver::{Cutting, Driver},
    entry::Entry,
    link::Attempt,
    script::{Habits, Reception, Script},
    sent::Tap,
};

/// When every world begins.
const START: Instant = Instant::from_millis(1_000_000);

/// More turns than anything takes that comes to rest.
const TURNS_MAX: usize = 1_000_000;

/// Longer than anything takes that ends by itself.
const END_MAX: Duration = Duration::from_secs(600);

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The session's settings.
    pub config: Config,
    /// Equal seeds and scripts give equal worlds.
    pub seed: u64,
    /// The session to resume.
    pub credentials: Option<Credentials>,
    /// What servers do by themselves.
    pub habits: Habits,
    /// What becomes of attempts to connect.
    pub reception: Reception,
    /// How the driver's turns go.
    pub cutting: Cutting,
}

impl Options {
    /// A session with these servers, `a`, `b`, and so on, which pauses for fixed times only.
    ///
    /// # Panics
    ///
    /// When there are more than letters.
    #[must_use]
    pub fn new(hosts: u8) -> Self {
        assert!(hosts <= 26);
        let host = |letter: u8| HostPort { host: char::from(letter).into(), port: 2181 };
        let mut config = Config::new((b'a'..b'a' + hosts).map(host).collect());
        config.backoff.jitter = Duration::ZERO;
        Self {
            config,
            seed: 1,
            credentials: None,
            habits: Habits::SCRIPTED,
            reception: Reception::Accept,
            cutting: Cutting::default(),
        }
    }
}

/// A session with scripted servers. A test ends with [`World::finish`].
///
/// What a test does takes effect when the world settles: at [`World::settle`], [`World::advance`]
/// and [`World::take`].
#[derive(Debug)]
pub struct World {
    pub(super) driver: Driver,
    /// What the servers do.
    pub script: Script,
    pub(super) now: Instant,
    /// What the servers make of the client's bytes, by attempt.
    taps: Vec<Tap>,
    is_finished: bool,
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { config, seed, credentials, habits, reception, cutting } = options;
        Self {
            driver: Driver::new(config, START, seed, credentials, cutting),
            script: Script::new(habits, reception),
            now: START,
            taps: Vec::new(),
            is_finished: false,
        }
    }

    /// The time since the session's beginning.
    #[must_use]
    pub const fn time(&self) -> Duration {
        self.driver.since_start(self.now)
    }

    /// The session, to look at.
    #[must_use]
    pub const fn session(&self) -> &Session {
        self.driver.session()
    }

    /// The session's driver.
    #[must_use]
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Everything happens that is due, until nothing does.
    ///
    /// # Panics
    ///
    /// When there is no end to it, or the session breaks its contract.
    pub fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            let is_busy = self.driver.turn(self.now);
            if !(self.serve() | is_busy) {
                return self.driver.check_rest(self.now);
            }
        }
        panic!("the session does not come to rest: {:?}", self.session().timeout_reason());
    }

    /// Time passes: everything happens in its time.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        self.settle();
        while self.now < until {
            let next = self.session().poll_timeout().unwrap_or(until);
            self.now = self.now.max(next.min(until));
            self.settle();
        }
    }

    /// Time passes, in milliseconds.
    pub fn advance_ms(&mut self, time_ms: u64) {
        self.advance(Duration::from_millis(time_ms));
    }

    /// Time passes while the whole process stands still.
    pub fn suspend(&mut self, time: Duration) {
        self.settle();
        self.now = self.now + time;
        self.settle();
    }

    /// Takes everything that happened, a line each, behind its time in milliseconds.
    #[must_use]
    pub fn take(&mut self) -> Vec<String> {
        self.take_entries().iter().map(Entry::to_string).collect()
    }

    /// Takes everything that happened, a line each, without the times.
    #[must_use]
    pub fn take_untimed(&mut self) -> Vec<String> {
        self.take_entries().iter().map(|entry| entry.what.to_string()).collect()
    }

    /// Takes everything that happened.
    #[must_use]
    pub fn take_entries(&mut self) -> Vec<Entry> {
        self.settle();
        self.driver.take_entries()
    }

    /// The newest attempt to reach a server for the session.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn attempt(&self) -> Attempt {
        self.newest(Purpose::Session)
    }

    /// The newest attempt for a purpose.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn newest(&self, purpose: Purpose) -> Attempt {
        let attempts = self.driver.links().filter(|(_, link)| link.purpose == purpose);
        attempts.map(|(attempt, _)| attempt).last().expect("an attempt")
    }

    /// Host and port of an attempt.
    #[must_use]
    pub fn host(&self, attempt: Attempt) -> String {
        self.driver.link(attempt).host.to_string()
    }

    /// Whether the session still holds the connection.
    #[must_use]
    pub fn is_open(&self, attempt: Attempt) -> bool {
        !self.driver.link(attempt).is_closed
    }

    /// Ends the test: servers help with everything, the session closes, and nobody holds anything.
    ///
    /// # Panics
    ///
    /// When somebody still holds something, or a request is without outcome.
    pub fn finish(self) {
        self.finish_with(drop);
    }

    /// Ends the test, and gives what happened meanwhile.
    ///
    /// # Panics
    ///
    /// As [`World::finish`].
    pub fn finish_with(mut self, last: impl FnOnce(Vec<Entry>)) {
        self.is_finished = true;
        self.settle();
        self.script.help();
        self.driver.close(self.now);
        let end = self.now + END_MAX;
        while !self.driver.is_over() && self.now < end {
            self.answer_all();
            self.advance_ms(100);
        }
        self.settle();
        assert!(self.driver.is_over(), "it waits for {:?}", self.session().timeout_reason());
        assert!(!self.session().state().is_alive());
        assert_eq!((self.session().in_flight(), self.session().queued()), (0, 0));
        assert_eq!(self.session().watches(), 0, "nobody is left to watch");
        let refused = self.driver.submit(self.now, &Request::WhoAmI, SubmitOptions::default());
        assert!(refused.is_err(), "a session that is over takes no requests");
        self.driver.close(self.now);
        self.driver.detach(self.now);
        assert!(!self.driver.turn(self.now), "what is over stays over");
        last(self.driver.take_entries());
    }

    /// The servers do what they do. False when there is nothing to do.
    fn serve(&mut self) -> bool {
        let mut is_busy = false;
        while self.taps.len() < self.driver.links().count() {
            is_busy = true;
            let attempt = Attempt(self.taps.len() + 1);
            let link = self.driver.link(attempt);
            let is_probe = link.purpose == Purpose::Probe;
            let reception = self.script.receive(&link.host.to_string());
            self.taps.push(if is_probe { Tap::text() } else { Tap::default() });
            self.meet(attempt, reception);
        }
        if !self.script.is_reading {
            return is_busy;
        }
        for attempt in (1..=self.taps.len()).map(Attempt) {
            let bytes = self.driver.toward_server(attempt).read(usize::MAX);
            for sent in self.taps[attempt.index()].push(&bytes) {
                is_busy = true;
                let host = self.host(attempt);
                self.script.hear(attempt, &host, sent, self.driver.toward_client(attempt));
            }
            is_busy |= !bytes.is_empty();
        }
        is_busy
    }

    fn meet(&mut self, attempt: Attempt, reception: Reception) {
        match reception {
            Reception::Accept => {
                let port = u16::try_from(attempt.0).unwrap_or(u16::MAX);
                self.driver.connected(self.now, attempt, ([127, 0, 0, 1], port).into());
            }
            Reception::Fail(cause) => self.driver.ended(self.now, attempt, cause),
            Reception::Stall => {}
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        assert!(self.is_finished || thread::panicking(), "a test ends with `finish`");
    }
}
