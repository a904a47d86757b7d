//! Rows 2, 6 and 16: watches over a reconnect.

use zookeeper_core::{
    Disconnect, Zxid,
    client::State,
    wire::{ErrorCode, EventKind, Op, Request},
};
use zookeeper_sim::{
    client::{Options, Sent, What, World},
    pair::request::{add_watch, exists, get_children, get_data},
};

/// The path lists of a SetWatches or SetWatches2, and what it is relative to.
fn lists(sent: &Sent) -> (Zxid, Vec<Vec<String>>) {
    let (zxid, lists) = match sent.request() {
        Some(Request::SetWatches(r)) => (r.relative_zxid, vec![r.data, r.exist, r.child]),
        Some(Request::SetWatches2(r)) => {
            (r.relative_zxid, vec![r.data, r.exist, r.child, r.persistent, r.recursive])
        }
        _ => panic!("{sent} sets no watches"),
    };
    let paths = lists.into_iter().map(|list| {
        let list = list.expect("a list");
        list.iter().map(|path| path.expect("a path").to_str_lossy().into_owned()).collect()
    });
    (Zxid(zxid), paths.collect())
}

fn frames(world: &mut World) -> Vec<Sent> {
    let entries = world.take_entries();
    let frame = |what| match what {
        What::Sent { sent, .. } => Some(sent),
        _ => None,
    };
    entries.into_iter().filter_map(|entry| frame(entry.what)).collect()
}

/// Seven data watches with paths of 40,001 characters, some small ones, one persistent one; the
/// connection is lost, a request waits.
#[test]
fn v02_watches_are_set_again_in_batches() {
    let mut options = Options::new(1);
    options.config.auth = vec![zookeeper_core::client::Auth {
        scheme: "digest".into(),
        credentials: zookeeper_core::Secret(bytes::Bytes::from_static(b"bob:pw")),
    }];
    let mut world = World::new(options);
    let watcher = world.watcher();
    let long: Vec<_> = (0..7).map(|digit| format!("/{}{digit}", "x".repeat(39_999))).collect();
    for path in &long {
        world.submit_watching(&get_data(path, true), watcher);
    }
    world.submit_watching(&get_data("/data", true), watcher);
    world.submit_watching(&get_children("/child", true), watcher);
    world.submit_watching(&add_watch("/persistent", 0), watcher);
    world.answer_all();
    world.submit_watching(&exists("/exist", true), watcher);
    world.answer_error(ErrorCode::NO_NODE);
    let _ = frames(&mut world);
    let id = world.session().session_id();
    assert_eq!(world.session().watches(), 11);

    world.lose(Disconnect::End);
    world.advance_ms(500);
    world.submit(&get_data("/queued", false));
    world.script.habits.requests = true;
    world.advance_ms(600);
    let sent = frames(&mut world);
    let Sent::Connect { last_zxid, session, .. } = &sent[0] else { panic!("{}", sent[0]) };
    assert_eq!((*last_zxid, *session), (Zxid(0x100), id));
    let what = sent[1..].iter().map(|sent| (sent.op().unwrap(), sent.xid().unwrap().0));
    let what: Vec<_> = what.collect();
    // The newest batch first: it alone has anything but one-shot watches.
    assert_eq!(what[0], (Op::Auth, -4));
    assert_eq!(what[1], (Op::SetWatches2, 12));
    let last = what.len() - 1;
    assert!(what[2..last].iter().all(|(op, _)| *op == Op::SetWatches), "{what:?}");
    let xids: Vec<_> = what[1..].iter().map(|(_, xid)| *xid).collect();
    assert!(xids.is_sorted_by(|one, two| one + 1 == *two), "ordinary numbers: {xids:?}");
    assert_eq!(what[last].0, Op::GetData);

    let mut all = vec![vec![]; 5];
    for batch in sent[2..sent.len() - 1].iter().rev() {
        let (zxid, lists) = lists(batch);
        assert_eq!(zxid, Zxid(0x100));
        let length: usize = lists.iter().flatten().map(|path| path.len() + 4).sum();
        assert!(length < 128 * 1024 + 40_005, "{length} bytes");
        for (all, list) in all.iter_mut().zip(lists) {
            all.extend(list);
        }
    }
    all.iter_mut().for_each(|list| list.sort());
    let mut data = long;
    data.insert(0, "/data".into());
    let [exist, child, persistent] =
        ["/exist", "/child", "/persistent"].map(|path| vec![path.into()]);
    assert_eq!(all, [data, exist, child, persistent, vec![]]);
    world.finish();
}

/// After the last answer everybody is told; what was missed was told before.
#[test]
fn v02_restored_is_told_behind_what_was_missed() {
    let mut world = World::new(Options::new(1));
    let (one, two) = (world.watcher(), world.watcher());
    world.submit_watching(&get_data("/a", true), one);
    world.submit_watching(&add_watch("/b", 1), two);
    world.answer_all();
    world.settle();
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    let _ = world.take();
    world.notify(EventKind::NodeDataChanged, "/a", -1);
    world.answer_ok();
    assert_eq!(
        world.take(),
        ["1100 watch NodeDataChanged /a 0xffffffffffffffff to w0", "1100 restored to w1"]
    );
    world.finish();
}

/// One persistent watch alone.
#[test]
fn v06_a_persistent_watch_is_set_again_by_set_watches2() {
    let mut world = World::new(Options::new(1));
    let watcher = world.watcher();
    world.submit_watching(&add_watch("/app/p", 0), watcher);
    world.answer_ok();
    let _ = frames(&mut world);
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    let sent = frames(&mut world);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!((sent[1].op(), sent[1].xid().unwrap().0), (Some(Op::SetWatches2), 2));
    let path = vec!["/app/p".to_owned()];
    assert_eq!(lists(&sent[1]), (Zxid(0x100), vec![vec![], vec![], vec![], path, vec![]]));
    world.answer_ok();
    assert_eq!(world.take(), ["1100 restored to w0"]);
    world.notify(EventKind::NodeChildrenChanged, "/app/p", 0x101);
    assert_eq!(world.take(), ["1100 watch NodeChildrenChanged /app/p 0x101 to w0"]);
    world.finish();
}

/// Watches are not to be set again.
#[test]
fn v16_without_a_reset_watches_end_with_the_connection() {
    let mut options = Options::new(1);
    options.config.auto_watch_reset = false;
    let mut world = World::new(options);
    let (data, persistent) = (world.watcher(), world.watcher());
    world.submit_watching(&get_data("/a", true), data);
    world.submit_watching(&add_watch("/a", 0), persistent);
    world.answer_all();
    let _ = world.take();
    world.lose(Disconnect::End);
    world.advance_ms(1_100);
    // Upstream keeps the persistent one, which never fires again; here it is told so.
    assert_eq!(
        world.take(),
        [
            "0 #1 ended: closed by the peer",
            "0 state Disconnected to w0 w1",
            "0 lost to w0",
            "1100 #2 connect a:2181",
            "1100 #2 > connect session 0x1001 zxid 0x100 timeout 10000 read-only no",
            "1100 state SyncConnected to w1",
            "1100 lost to w1",
        ]
    );
    assert_eq!(world.session().watches(), 0);
    assert_eq!(world.session().state(), State::Connected { read_only: false });
    world.finish();
}
