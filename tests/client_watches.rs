//! What becomes of the server's side of watches that nobody holds any more.

use zookeeper_core::{
    Disconnect,
    client::WatcherId,
    wire::{ErrorCode, EventKind, Op, Request, WatcherType},
};
use zookeeper_sim::{
    client::{Options, What, World},
    pair::request::{add_watch, exists, get_data},
};

const ANY: WatcherType = WatcherType::Any;
const PERSISTENT: WatcherType = WatcherType::Persistent;

/// Operations sent since the last time.
fn sent(world: &mut World) -> Vec<Op> {
    world.settle();
    let entries = world.take_entries().into_iter();
    let ops = entries.filter_map(|entry| match entry.what {
        What::Sent { sent, .. } => {
            if let Some(Request::RemoveWatches(removal)) = sent.request() {
                assert_eq!(removal.mode, ANY.code(), "what every server knows");
            }
            sent.op()
        }
        _ => None,
    });
    ops.collect()
}

/// A world in which somebody watches `/a` for good.
fn watched() -> (World, WatcherId) {
    let mut world = World::new(Options::new(1));
    let watcher = world.watcher();
    world.submit_watching(&add_watch("/a", 0), watcher);
    world.answer_ok();
    let _ = sent(&mut world);
    (world, watcher)
}

#[test]
fn the_server_is_told_when_the_last_watcher_is_gone() {
    let (mut world, one) = watched();
    let two = world.watcher();
    world.submit_watching(&add_watch("/a", 1), two);
    world.answer_ok();
    let _ = sent(&mut world);
    world.forget_watch("/a", one, PERSISTENT);
    assert_eq!(sent(&mut world), []);
    world.forget_watch("/a", two, WatcherType::PersistentRecursive);
    assert_eq!(sent(&mut world), [Op::RemoveWatches]);
    // What was under way already matches nobody, and neither does the answer.
    world.notify(EventKind::NodeDataChanged, "/a", 0x101);
    world.answer_error(ErrorCode::NO_WATCHER);
    assert_eq!(world.take(), [""; 0]);
    world.finish();
}

#[test]
fn a_removal_of_the_last_watcher_tells_the_server() {
    let (mut world, watcher) = watched();
    world.remove_watches("/a", Some(watcher), PERSISTENT, true);
    assert_eq!(sent(&mut world), [Op::CheckWatches]);
    world.answer_ok();
    assert_eq!(sent(&mut world), [Op::RemoveWatches]);
    world.answer_ok();
    world.finish();
    // Everybody's are removed by the server in the first place.
    let (mut world, _) = watched();
    world.remove_watches("/a", None, ANY, true);
    assert_eq!(sent(&mut world), [Op::RemoveWatches]);
    world.answer_ok();
    assert_eq!(sent(&mut world), []);
    world.finish();
}

/// Found by the fuzz target `client`: the server was told on the connection that had just ended.
#[test]
fn nothing_is_sent_when_the_last_watcher_goes_with_the_connection() {
    let (mut world, watcher) = watched();
    world.remove_watches("/a", Some(watcher), PERSISTENT, true);
    assert_eq!(sent(&mut world), [Op::CheckWatches]);
    world.lose(Disconnect::Reset);
    assert_eq!(sent(&mut world), []);
    world.finish();
}

#[test]
fn a_watch_under_way_is_not_taken_away() {
    let (mut world, one) = watched();
    let two = world.watcher();
    world.submit_watching(&get_data("/a", true), two);
    world.settle();
    world.forget_watch("/a", one, PERSISTENT);
    assert_eq!(sent(&mut world), [Op::GetData]);
    world.answer_ok();
    world.notify(EventKind::NodeDataChanged, "/a", 0x101);
    assert_eq!(
        world.take_untimed(),
        ["reply 1 ok 0x100 'data'", "watch NodeDataChanged /a 0x101 to w1"]
    );
    world.finish();
}

#[test]
fn a_watch_that_comes_later_stays() {
    let (mut world, one) = watched();
    let two = world.watcher();
    world.forget_watch("/a", one, PERSISTENT);
    world.submit_watching(&add_watch("/a", 0), two);
    assert_eq!(sent(&mut world), [Op::RemoveWatches, Op::AddWatch]);
    world.answer_all();
    let _ = world.take();
    assert!(world.session().is_watching(two));
    world.finish();
}

#[test]
fn only_a_lasting_watch_on_a_connection_is_worth_a_request() {
    let (mut world, persistent) = watched();
    let once = world.watcher();
    world.submit_watching(&exists("/b", true), once);
    world.answer_ok();
    let _ = sent(&mut world);
    world.forget_watch("/b", once, WatcherType::Data);
    assert_eq!(sent(&mut world), []);
    world.lose(Disconnect::End);
    world.settle();
    world.forget_watch("/a", persistent, PERSISTENT);
    world.advance_ms(1_100);
    assert_eq!(sent(&mut world), [], "nothing is set again, so there is nothing to drop");
    world.submit(&get_data("/a", false));
    world.close();
    assert_eq!(sent(&mut world), [Op::GetData, Op::CloseSession]);
    world.answer_all();
    world.finish();
}
