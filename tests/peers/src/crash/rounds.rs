//! Rounds: write, be killed, start again, look.

use std::fmt;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::Timer;
use futures_lite::future::{block_on, or};
use zookeeper_core::wire::CreateMode;
use zookeeper_core::{Rng, SessionId};
use zookeeper_smol::{Client, ClientBuilder};

use super::counter::{Contender, Counter, Ledger};
use super::gate::Gate;
use super::mortal::Mortal;
use super::nodes::{Names, Nodes};
use super::pair::Pair;
use super::view::View;
use crate::client::Settings;
use crate::options::Options;
use crate::program::{Kind, Program, data_path};
use crate::server::Server;

/// How many sessions outlive the server.
const SESSIONS: u64 = 4;
/// Longer than a server is away.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is acknowledged in a round.
const ACKNOWLEDGED_MAX: u64 = 1500;
/// How much later a kill may be, in microseconds.
const LATER_MAX_US: u64 = 3000;
/// When a server that starts is killed, at the latest, in microseconds.
const START_MAX_US: u64 = 30_000;
/// Nothing in a round takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

const QUEUE: &str = "/queue";
const EPHEMERALS: &str = "/ephemerals";
const MORTALS: &str = "/mortals";
const SHARED: &str = "/shared";

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub program: Program,
    /// Where chance comes from.
    pub seed: u64,
    /// How often the server is killed.
    pub rounds: u64,
}

/// What a run amounts to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    rounds: u64,
    acknowledged: u64,
    kills_while_starting: u64,
    znodes_max: usize,
    files_max: usize,
    starting: Duration,
    starting_max: Duration,
}

impl Plan {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// If the server does not start.
    ///
    /// # Panics
    ///
    /// If anything is not as it was acknowledged.
    pub fn run(&self) -> io::Result<Summary> {
        let mut server = Server::start(&self.program, &options(self.program.kind()))?;
        let mut rng = Rng::new(self.seed);
        let mut crowd = block_on(Crowd::new(&server, &mut rng));
        let mut summary = Summary::default();
        for _ in 0..self.rounds {
            crowd.round(&mut server, &mut rng, &mut summary)?;
            block_on(crowd.check(&mut summary));
            let directory = data_path(server.directory()).join("version-2");
            summary.files_max = summary.files_max.max(fs::read_dir(directory)?.count());
        }
        block_on(crowd.outlive());
        Ok(summary)
    }
}

/// Few transactions to a snapshot and few bytes to a log, so that kills hit all of it.
fn options(kind: Kind) -> Options {
    let options = Options::default()
        .set("tickTime", "100")
        .set("minSessionTimeout", "200")
        .set("maxSessionTimeout", "600000")
        .set("snapCount", "800")
        .set("preAllocSize", "64");
    match kind {
        // Its interval is in hours.
        Kind::Apache => options,
        Kind::Ours => options.set("autopurge.purgeInterval", "10ms"),
    }
}

/// All writers, and somebody who looks.
#[derive(Debug)]
struct Crowd {
    sessions: Vec<(Client, SessionId)>,
    observer: Client,
    writers: Vec<Writer>,
}

#[derive(Debug)]
enum Writer {
    Counter(Counter),
    Contender(Contender),
    Nodes(Nodes),
    Pair(Pair),
    Mortal(Box<Mortal>),
}

impl Writer {
    async fn run(&mut self, gate: &Gate) {
        match self {
            Self::Counter(writer) => writer.run(gate).await,
            Self::Contender(writer) => writer.run(gate).await,
            Self::Nodes(writer) => writer.run(gate).await,
            Self::Pair(writer) => writer.run(gate).await,
            Self::Mortal(writer) => writer.run(gate).await,
        }
    }

    fn check(&mut self, view: &View) {
        match self {
            Self::Counter(writer) => writer.check(view),
            Self::Contender(writer) => writer.check(view),
            Self::Nodes(writer) => writer.check(view),
            Self::Pair(writer) => writer.check(view),
            Self::Mortal(writer) => writer.check(view),
        }
    }
}

impl Crowd {
    async fn new(server: &Server, rng: &mut Rng) -> Self {
        let settings = Settings::new(server.address());
        let builder = Client::builder(&settings.servers)
            .expect("a connect string")
            .session_timeout(TIMEOUT)
            .request_timeout(PATIENCE)
            .configure(|config| config.backoff = settings.backoff);
        let observer = builder.clone().connect().await.expect("a session");
        for path in [QUEUE, EPHEMERALS, MORTALS] {
            observer.create(path, "", CreateMode::Persistent).await.expect("made");
        }
        observer.create(SHARED, "0", CreateMode::Persistent).await.expect("made");
        let shared = Shared::default();
        let mut crowd = Self { sessions: Vec::new(), observer, writers: Vec::new() };
        for index in 0..SESSIONS {
            crowd.begin_session(&builder, index, rng, &shared).await;
        }
        crowd
    }

    /// One writer of each kind on a session of their own.
    async fn begin_session(
        &mut self,
        builder: &ClientBuilder,
        index: u64,
        rng: &mut Rng,
        shared: &Shared,
    ) {
        let client = builder.clone().connect().await.expect("a session");
        self.sessions.push((client.clone(), client.session_id()));
        let mut fork = || Rng::new(rng.next_u64());
        let (queue, ephemerals) =
            (CreateMode::PersistentSequential, CreateMode::EphemeralSequential);
        let name = format!("writer-{index}");
        self.writers.extend([
            Writer::Counter(
                Counter::new(client.clone(), fork(), format!("/counter-{index}")).await,
            ),
            Writer::Contender(Contender::new(client.clone(), SHARED, &shared.ledger)),
            Writer::Nodes(Nodes::new(
                client.clone(),
                fork(),
                (QUEUE, queue),
                &shared.queue,
                name.clone(),
            )),
            Writer::Nodes(Nodes::new(
                client.clone(),
                fork(),
                (EPHEMERALS, ephemerals),
                &shared.ephemerals,
                name.clone(),
            )),
            Writer::Pair(Pair::new(client, fork(), format!("/pair-{index}")).await),
            Writer::Mortal(Box::new(Mortal::new(builder, fork(), MORTALS, name))),
        ]);
    }

    /// All write until the server is killed at a random moment; then it is started again.
    fn round(
        &mut self,
        server: &mut Server,
        rng: &mut Rng,
        summary: &mut Summary,
    ) -> io::Result<()> {
        let (gate, reached) = Gate::new(1 + rng.below(ACKNOWLEDGED_MAX));
        let (gate, writers) = (&gate, &mut self.writers);
        let started = thread::scope(|scope| {
            let writing = scope.spawn(move || block_on(or(write(writers, gate), hangs())));
            // Somebody who panicked sends nothing: that shows below.
            let _ = reached.recv_timeout(PATIENCE / 2);
            pass_time(rng, LATER_MAX_US);
            server.kill();
            gate.close();
            while rng.one_in(3) {
                summary.kills_while_starting += 1;
                server.launch()?;
                pass_time(rng, START_MAX_US);
                server.kill();
            }
            let start = Instant::now();
            let started = server.restart();
            summary.note_start(start.elapsed());
            writing.join().expect("no writer saw anything wrong");
            started
        });
        summary.rounds += 1;
        summary.acknowledged += gate.acknowledged();
        started
    }

    /// Looks, when every session has found the server again.
    async fn check(&mut self, summary: &mut Summary) {
        self.observer.connected().await.expect("the session lives on");
        let view = View::take(&self.observer).await;
        for (client, session) in &self.sessions {
            client.connected().await.expect("the session lives on");
            assert_eq!(client.session_id(), *session, "it is another session");
        }
        for writer in &mut self.writers {
            writer.check(&view);
        }
        for writer in &self.writers {
            if let Writer::Nodes(nodes) = writer {
                nodes.raise_floor();
            }
        }
        summary.znodes_max = summary.znodes_max.max(view.len());
    }

    /// Sessions that do not come back go, and the others can be closed.
    async fn outlive(&mut self) {
        let end = Instant::now() + PATIENCE;
        let is_over = |writer: &Writer| match writer {
            Writer::Mortal(mortal) => mortal.is_over(),
            _ => true,
        };
        while !self.writers.iter().all(is_over) {
            assert!(Instant::now() < end, "a session does not expire");
            let view = View::take(&self.observer).await;
            self.writers.iter_mut().for_each(|writer| writer.check(&view));
        }
        for (client, _) in &self.sessions {
            client.close().await;
        }
        let view = View::take(&self.observer).await;
        assert_eq!(view.children(EPHEMERALS).count(), 0, "nobody owns them");
        self.observer.close().await;
    }
}

/// What writers of several sessions know together.
#[derive(Debug, Default)]
struct Shared {
    ledger: Arc<Mutex<Ledger>>,
    queue: Arc<Mutex<Names>>,
    ephemerals: Arc<Mutex<Names>>,
}

/// Every writer is a task.
async fn write(writers: &mut [Writer], gate: &Gate) {
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = writers.iter_mut().map(|writer| executor.spawn(writer.run(gate))).collect();
    executor
        .run(async {
            for task in tasks {
                task.await;
            }
        })
        .await;
}

/// The moment of a kill is what is random: nothing is waited for.
fn pass_time(rng: &mut Rng, max_us: u64) {
    thread::sleep(Duration::from_micros(rng.below(max_us)));
}

async fn hangs() {
    Timer::after(PATIENCE).await;
    panic!("a writer hangs");
}

impl Summary {
    fn note_start(&mut self, time: Duration) {
        self.starting += time;
        self.starting_max = self.starting_max.max(time);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, acknowledged, kills_while_starting, .. } = self;
        let mean = self.starting / u32::try_from(self.rounds.max(1)).unwrap_or(u32::MAX);
        write!(f, "{rounds} rounds, {acknowledged} requests acknowledged, ")?;
        write!(
            f,
            "{kills_while_starting} more kills while starting; at most {} znodes ",
            self.znodes_max
        )?;
        write!(
            f,
            "and {} files; started in {mean:?}, at most {:?}",
            self.files_max, self.starting_max
        )
    }
}
