//! Rows of bad input, and what comes of each.

use zookeeper_core::{
    client::{KeeperState, LostReason, RequestError, RequestId, Warning},
    wire::ErrorCode,
};
use zookeeper_sim::{
    client::{Habits, Options, Seen, What, World},
    pair::{Body, request::get_data},
};

/// What a server does to a session with two requests in flight, number 2 and 3, and what becomes of
/// it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) act: fn(&mut World),
    pub(crate) expect: Expect,
}

pub(crate) enum Expect {
    /// The connection is lost for a reason, and both requests with it.
    Lost(fn(&LostReason) -> bool),
    /// The connection is lost for a reason, behind an outcome of the first request.
    FailsAndLost(fn(&Outcome) -> bool, fn(&LostReason) -> bool),
    /// The first request has an outcome, and nothing else happens.
    Completes(fn(&Outcome) -> bool),
    /// Something odd is told, and nothing else happens.
    Warns(fn(&Warning) -> bool),
    /// Nothing happens.
    Nothing,
}

/// What becomes of a request.
pub(crate) type Outcome = Result<Body, RequestError>;

/// What happened since the last look: outcomes in order, reasons, states, warnings.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) outcomes: Vec<(RequestId, Outcome)>,
    pub(crate) reasons: Vec<LostReason>,
    pub(crate) states: Vec<KeeperState>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) others: Vec<Seen>,
}

impl News {
    pub(crate) fn of(world: &mut World) -> Self {
        let mut news = Self::default();
        for entry in world.take_entries() {
            let What::Seen(seen) = entry.what else { continue };
            match seen {
                Seen::Reply(id, result) => {
                    news.outcomes.push((id, result.map(|(_, body)| body)));
                }
                Seen::Ended { reason, .. } => news.reasons.push(reason),
                Seen::State(state, _) => news.states.push(state),
                Seen::Warning(warning) => news.warnings.push(warning),
                seen => news.others.push(seen),
            }
        }
        news
    }
}

pub(crate) const LOST: Outcome = Err(RequestError::ConnectionLoss { maybe_executed: true });

/// Runs rows, each in a world of its own.
pub(crate) fn check(rows: &[Row]) {
    for row in rows {
        println!("{}", row.name);
        let mut world = World::new(Options::new(1));
        let watcher = world.watcher();
        world.submit_watching(&get_data("/w", true), watcher);
        world.answer_ok();
        let requests = ["/a", "/b"].map(|path| world.submit(&get_data(path, false)));
        let _ = world.take();
        (row.act)(&mut world);
        let news = News::of(&mut world);
        expect(row, &news, requests);
        let left = match row.expect {
            Expect::Lost(_) | Expect::FailsAndLost(..) => 0,
            Expect::Completes(_) => 1,
            Expect::Warns(_) | Expect::Nothing => 2,
        };
        assert_eq!(world.driver().unfinished(), left, "{}", row.name);
        survive(row.name, world, left);
    }
}

fn expect(row: &Row, news: &News, [one, two]: [RequestId; 2]) {
    let name = row.name;
    assert_eq!(news.others, [], "{name}");
    match row.expect {
        Expect::Lost(is_reason) => {
            assert_eq!(news.outcomes, [(one, LOST), (two, LOST)], "{name}");
            expect_lost(name, news, is_reason);
        }
        Expect::FailsAndLost(is_outcome, is_reason) => {
            let [(first, outcome), second] = &news.outcomes[..] else {
                panic!("{name}: {news:?}");
            };
            assert_eq!((*first, second), (one, &(two, LOST)), "{name}");
            assert!(is_outcome(outcome), "{name}: {outcome:?}");
            expect_lost(name, news, is_reason);
        }
        Expect::Completes(is_outcome) => {
            let [(first, outcome)] = &news.outcomes[..] else { panic!("{name}: {news:?}") };
            assert_eq!(*first, one, "{name}");
            assert!(is_outcome(outcome), "{name}: {outcome:?}");
            expect_nothing(name, news);
        }
        Expect::Warns(is_warning) => {
            let [warning] = &news.warnings[..] else { panic!("{name}: {news:?}") };
            assert!(is_warning(warning), "{name}: {warning:?}");
            assert_eq!((&news.outcomes[..], &news.states[..]), (&[][..], &[][..]), "{name}");
        }
        Expect::Nothing => {
            assert_eq!(news.outcomes, [], "{name}");
            expect_nothing(name, news);
        }
    }
}

fn expect_lost(name: &str, news: &News, is_reason: fn(&LostReason) -> bool) {
    let [reason] = &news.reasons[..] else { panic!("{name}: {news:?}") };
    assert!(is_reason(reason), "{name}: {reason:?}");
    assert_eq!(news.states, [KeeperState::Disconnected], "{name}");
    assert_eq!(news.warnings, [], "{name}");
}

fn expect_nothing(name: &str, news: &News) {
    assert_eq!((&news.reasons[..], &news.states[..]), (&[][..], &[][..]), "{name}");
    assert_eq!(news.warnings, [], "{name}");
}

/// The session is as good as ever: what is in flight completes, a connection that was lost comes
/// back with its watch, and serves.
fn survive(name: &str, mut world: World, in_flight: usize) {
    let id = world.session().session_id();
    world.script.habits = Habits::HELPFUL;
    if in_flight == 1 {
        // It has its answer already.
        world.forget();
    }
    world.answer_all();
    let news = News::of(&mut world);
    assert_eq!(news.outcomes.len(), in_flight, "{name}: {news:?}");
    assert!(news.outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{name}: {news:?}");
    world.advance_ms(1_100);
    let news = News::of(&mut world);
    if in_flight == 0 {
        assert_eq!(news.states, [KeeperState::SyncConnected], "{name}");
        assert!(matches!(news.others[..], [Seen::Restored(_)]), "{name}: {news:?}");
    }
    assert_eq!(world.session().session_id(), id, "{name}");
    assert_eq!(world.session().watches(), 1, "{name}");
    let request = world.submit(&get_data("/c", false));
    let news = News::of(&mut world);
    assert!(matches!(&news.outcomes[..], [(id, Ok(_))] if *id == request), "{name}: {news:?}");
    world.finish();
}

/// A reply's error code.
pub(crate) fn server_error(outcome: &Outcome) -> Option<ErrorCode> {
    match outcome {
        Err(RequestError::Server(code)) => Some(*code),
        _ => None,
    }
}
