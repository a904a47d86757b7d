//! A client's session and a whole server, both of them real, with a wire between them that is cut
//! and goes dark.

use std::time::Duration;

use quickcheck::QuickCheck;
use zookeeper_core::{
    Rng,
    client::{KeeperState, RequestError, SubmitOptions, WatchEventKind, WatcherId},
    wire::{ErrorCode, Request},
};
use zookeeper_sim::{
    client::{Couple, Cutting, Options, Seen, What},
    pair::{
        self, Body, Chunking,
        request::{create_as, exists, get_data, new_znode, set_data},
    },
    replay,
};

/// The default of clients.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

fn watched_by(watcher: WatcherId) -> SubmitOptions {
    SubmitOptions { watcher: Some(watcher), timeout: None }
}

fn seen(couple: &mut Couple, who: usize) -> Vec<Seen> {
    let entries = couple.take_entries(who).into_iter();
    let seen = entries.filter_map(|entry| match entry.what {
        What::Seen(seen) => Some(seen),
        _ => None,
    });
    seen.collect()
}

fn lines(couple: &mut Couple, who: usize) -> Vec<String> {
    seen(couple, who).iter().map(ToString::to_string).collect()
}

#[test]
fn a_session_outlives_its_connections_and_takes_its_ephemerals_with_it() {
    let mut couple = Couple::new(pair::Options::default());
    let one = couple.begin(Options::new(1));
    let two = couple.begin(Options::new(1));
    couple.settle();
    let id = couple.driver(one).session().session_id();
    couple.submit(one, &create_as("/e", 1), SubmitOptions::default()).unwrap();
    let watcher = couple.driver_mut(two).new_watcher();
    couple.submit(two, &exists("/e", true), watched_by(watcher)).unwrap();
    assert_eq!(lines(&mut couple, one), ["state SyncConnected", "reply 0 ok 0x3 /e"]);
    assert_eq!(lines(&mut couple, two), ["state SyncConnected", "reply 0 ok 0x3 stat"]);

    for round in 1..=3_u64 {
        couple.cut(one);
        couple.cut(two);
        couple.submit(one, &exists("/e", false), SubmitOptions::default()).unwrap();
        couple.advance(Duration::from_millis(1_150));
        assert_eq!(
            lines(&mut couple, one),
            [
                format!("#{round} ended: reset by the peer"),
                "state Disconnected".into(),
                "state SyncConnected".into(),
                // It waited. Every witness has a session of his own.
                format!("reply {round} ok 0x{} stat", 2 + round),
            ]
        );
        assert_eq!(
            lines(&mut couple, two)[1..],
            ["state Disconnected to w0", "state SyncConnected to w0", "restored to w0"]
        );
        assert_eq!(couple.driver(one).session().session_id(), id);
        assert!(is_there(&mut couple, "/e"));
    }
    // A change that was missed is caught up with.
    couple.darken(two);
    couple.close(one);
    couple.settle();
    assert!(!is_there(&mut couple, "/e"), "closed: the ephemeral is gone");
    couple.advance(Duration::from_secs(9));
    let told = lines(&mut couple, two);
    let watch = told.iter().position(|line| line.starts_with("watch NodeDeleted /e"));
    let connected = told.iter().position(|line| line == "state SyncConnected to w0");
    assert!(connected < watch && connected.is_some(), "{told:?}");
    assert_eq!(couple.driver(two).session().watches(), 0);
    couple.finish();
}

#[test]
fn a_session_that_was_in_the_dark_for_too_long_has_expired_on_both_sides() {
    let mut couple = Couple::new(pair::Options::default());
    let one = couple.begin(Options::new(1));
    couple.submit(one, &create_as("/e", 1), SubmitOptions::default()).unwrap();
    couple.settle();
    couple.darken(one);
    couple.is_reachable = false;
    couple.advance(Duration::from_secs(13));
    assert!(!is_there(&mut couple, "/e"), "the server has given it up");
    assert!(!couple.driver(one).is_over(), "and the client has not yet");
    couple.is_reachable = true;
    couple.advance(Duration::from_secs(2));
    let told = lines(&mut couple, one);
    assert_eq!(told.last().map(String::as_str), Some("closed: expired by the server"));
    couple.finish();
}

/// Somebody writes numbers to a znode, somebody else follows them by one-shot watches.
struct Follower {
    who: usize,
    watcher: WatcherId,
    /// Whether a read is under way or a watch is set.
    is_watching: bool,
    newest: u64,
}

impl Follower {
    fn look(&mut self, couple: &mut Couple) {
        let request = get_data("/n", true);
        self.is_watching = couple.submit(self.who, &request, watched_by(self.watcher)).is_ok();
    }

    fn follow(&mut self, couple: &mut Couple) {
        for seen in seen(couple, self.who) {
            match seen {
                Seen::Reply(_, Ok((_, body))) => self.read(&body),
                Seen::Reply(_, Err(error)) => {
                    assert!(matches!(error, RequestError::ConnectionLoss { .. }), "{error}");
                    self.is_watching = false;
                }
                Seen::Watch { watchers, kind, path, .. } => {
                    assert_eq!((&watchers[..], &*path), (&[self.watcher][..], "/n"));
                    assert_eq!(kind, WatchEventKind::NodeDataChanged);
                    assert!(self.is_watching, "a watch that nobody has set");
                    self.is_watching = false;
                }
                Seen::Lost(_) => panic!("{seen}"),
                Seen::State(state, _) => {
                    assert!(
                        matches!(state, KeeperState::SyncConnected | KeeperState::Disconnected),
                        "{state:?}"
                    );
                }
                _ => {}
            }
        }
        if !self.is_watching {
            self.look(couple);
        }
    }

    fn read(&mut self, body: &Body) {
        let Body::Data(Some(data), _) = body else { panic!("{body:?}") };
        let number = u64::from_be_bytes(data[..].try_into().expect("a number"));
        assert!(number >= self.newest, "{number} after {}", self.newest);
        self.newest = number;
    }
}

/// What a writer knows of its writes.
#[derive(Default)]
struct Writer {
    next: u64,
    acknowledged: u64,
    confirmed: i32,
    maybe: i32,
}

impl Writer {
    fn write(&mut self, couple: &mut Couple, who: usize) {
        self.next += 1;
        let number = self.next.to_be_bytes();
        couple.submit(who, &set_data("/n", &number), SubmitOptions::default()).unwrap();
    }

    fn hear(&mut self, couple: &mut Couple, who: usize) {
        for seen in seen(couple, who) {
            match seen {
                // The znode itself is the first.
                Seen::Reply(id, Ok(_)) if id.0 > 0 => {
                    self.acknowledged = self.acknowledged.max(id.0);
                    self.confirmed += 1;
                }
                Seen::Reply(_, Err(error)) if error.maybe_executed() => self.maybe += 1,
                Seen::Reply(_, Err(error)) => assert_eq!(error.code(), ErrorCode::CONNECTION_LOSS),
                _ => {}
            }
        }
    }
}

/// Keeps trouble so short that no session expires: a wire that went dark is given up after two thirds
/// of the time-out, and the server is out of reach for a second at most.
#[derive(Default)]
struct Calm {
    elapsed: Duration,
    /// Until when each wire stays as it is.
    dark_until: [Duration; 2],
    unreachable_for: Duration,
}

impl Calm {
    fn darken(&mut self, couple: &mut Couple, who: usize) {
        if self.elapsed >= self.dark_until[who] {
            couple.darken(who);
            self.dark_until[who] = self.elapsed + SESSION_TIMEOUT;
        }
    }

    /// Nobody who still has to find out that its wire is dark needs the server in vain.
    fn toggle(&self, couple: &mut Couple) {
        let is_calm = self.dark_until.iter().all(|until| self.elapsed >= *until);
        couple.is_reachable = !couple.is_reachable || !is_calm;
    }

    fn advance(&mut self, couple: &mut Couple, time: Duration) {
        couple.is_reachable |= self.unreachable_for + time > Duration::from_secs(1);
        couple.advance(time);
        self.elapsed += time;
        self.unreachable_for =
            if couple.is_reachable { Duration::ZERO } else { self.unreachable_for + time };
    }
}

/// Whatever happens to the wire: no acknowledged write is lost, none is done twice, what was not
/// sent was not done; and who follows a znode by watches ends with its newest data.
#[test]
fn no_write_is_lost_and_no_watch_is_missed() {
    fn property(seed: u64) -> bool {
        let mut rng = Rng::new(seed);
        let chunking = |rng: &mut Rng| match rng.below(3) {
            0 => Chunking::Whole,
            1 => Chunking::Bytes,
            _ => Chunking::Random(30),
        };
        let mut server = pair::Options { seed, ..pair::Options::default() };
        (server.input, server.output) = (chunking(&mut rng), chunking(&mut rng));
        let mut couple = Couple::new(server);
        let mut options = Options::new(2);
        options.config.backoff.jitter = Duration::from_millis(300);
        let mut begin = |couple: &mut Couple, seed| {
            let input = chunking(&mut rng);
            let cutting = Cutting { input, socket_buffer: 50, ..Cutting::default() };
            couple.begin(Options { seed, cutting, ..options.clone() })
        };
        let (one, two) = (begin(&mut couple, seed), begin(&mut couple, seed ^ 1));
        let znode = Request::Create(new_znode("/n", &[0; 8], 0));
        couple.submit(one, &znode, SubmitOptions::default()).unwrap();
        couple.settle();
        let watcher = couple.driver_mut(two).new_watcher();
        let mut follower = Follower { who: two, watcher, is_watching: false, newest: 0 };
        let mut writer = Writer::default();
        let mut calm = Calm::default();
        for _ in 0..60 {
            match rng.below(8) {
                0 => couple.cut(one),
                1 => couple.cut(two),
                2 => calm.darken(&mut couple, [one, two][usize::from(rng.one_in(2))]),
                3 => calm.toggle(&mut couple),
                _ => {
                    for _ in 0..=rng.below(3) {
                        writer.write(&mut couple, one);
                    }
                }
            }
            if rng.one_in(2) {
                calm.advance(&mut couple, Duration::from_millis(100 + rng.below(900)));
            }
            couple.is_reachable |= rng.one_in(3);
            writer.hear(&mut couple, one);
            follower.follow(&mut couple);
        }
        couple.is_reachable = true;
        couple.advance(Duration::from_secs(12));
        writer.hear(&mut couple, one);
        for _ in 0..3 {
            follower.follow(&mut couple);
            couple.advance(Duration::from_secs(1));
        }
        follower.follow(&mut couple);
        check(&mut couple, &writer, &follower);
        couple.finish();
        true
    }
    QuickCheck::new().tests(replay::operations(15)).quickcheck(property as fn(u64) -> bool);
}

fn check(couple: &mut Couple, writer: &Writer, follower: &Follower) {
    let server = couple.server_mut();
    let witness = server.start();
    let Body::Data(Some(data), stat) = server.call(witness, &get_data("/n", false)).ok() else {
        panic!("a number");
    };
    let last = u64::from_be_bytes(data[..].try_into().expect("a number"));
    assert!(last >= writer.acknowledged, "{last} although {} was confirmed", writer.acknowledged);
    let confirmed = writer.confirmed;
    let possible = confirmed..=confirmed + writer.maybe;
    assert!(possible.contains(&stat.version), "{} writes of {possible:?}", stat.version);
    assert_eq!(follower.newest, last, "the newest data was seen");
}

/// Whether there is a znode.
fn is_there(couple: &mut Couple, path: &str) -> bool {
    let server = couple.server_mut();
    let witness = server.start();
    server.call(witness, &exists(path, false)).error.is_ok()
}
