//! Quotas: the text of their znodes, and what they refuse.

use zookeeper_core::wire::{MultiOp, SetDataRequest};

use crate::world::*;

/// A quota on `path`.
fn limit(world: &mut World, path: &str, limits: &str) {
    let quota = format!("/zookeeper/quota{path}");
    world.make(&quota);
    world.ok(&create(&format!("{quota}/zookeeper_limits"), limits.as_bytes(), 0));
    world.make(&format!("{quota}/zookeeper_stats"));
}

fn usage(world: &mut World, path: &str) -> String {
    let stats = format!("/zookeeper/quota{path}/zookeeper_stats");
    String::from_utf8(world.ok(&get_data(&stats)).data().unwrap()).unwrap()
}

#[test]
fn usage_is_kept_without_a_trace() {
    let mut world = World::new();
    world.ok(&create("/q", b"12345", 0));
    world.ok(&create("/q/a", b"123", 0));
    world.make("/other");
    limit(&mut world, "/q", "count=100,bytes=1000");
    assert_eq!(usage(&mut world, "/q"), "count=2,bytes=8");
    let stats = "/zookeeper/quota/q/zookeeper_stats";
    let before = world.stat(stats);
    world.ok(&get_data_watch(stats));
    let reply = world.ok(&create("/q/b", b"1234567", 0));
    assert_eq!(reply.events, [], "nobody is told");
    assert_eq!(usage(&mut world, "/q"), "count=3,bytes=15");
    world.ok(&set_data("/q/b", b"1", -1));
    assert_eq!(usage(&mut world, "/q"), "count=3,bytes=9");
    world.ok(&delete("/q/a", -1));
    world.ok(&create("/other/x", b"123", 0));
    world.ok(&create("/qq", b"123", 0));
    assert_eq!(usage(&mut world, "/q"), "count=2,bytes=6");
    let after = world.stat(stats);
    assert_eq!((after.version, after.mzxid, after.mtime_ms), (0, before.mzxid, before.mtime_ms));
    let shown = world.ok(&get_data(stats));
    assert!(shown.hold > before.mzxid, "but the text must not leave before what it counts");
    world.tree.check_invariants();
}

#[test]
fn the_deepest_quota_counts_alone() {
    let mut world = World::new();
    for path in ["/q", "/q/deep", "/q/deep/x"] {
        world.make(path);
    }
    limit(&mut world, "/q", "count=100");
    world.ok(&create("/zookeeper/quota/q/deep", b"", 0));
    world.ok(&create("/zookeeper/quota/q/deep/zookeeper_limits", b"count=100", 0));
    world.make("/zookeeper/quota/q/deep/zookeeper_stats");
    world.make("/q/deep/y");
    assert_eq!(usage(&mut world, "/q"), "count=3,bytes=0");
    assert_eq!(usage(&mut world, "/q/deep"), "count=3,bytes=0");
    world.ok(&delete("/zookeeper/quota/q/deep/zookeeper_limits", -1));
    world.make("/q/deep/z");
    assert_eq!(usage(&mut world, "/q"), "count=4,bytes=0");
    world.tree.check_invariants();
}

#[test]
fn hard_limits_refuse_only_when_enforced() {
    for enforced in [true, false] {
        let mut world = World::with(|config| config.enforce_quota = enforced);
        world.make("/q");
        limit(&mut world, "/q", "count=2,bytes=5=;byteHardLimit=6;countHardLimit=3");
        let mut error =
            |request: &zookeeper_core::wire::Request<'_>| world.send(&me(), request).error.0;
        let refused = if enforced { -125 } else { 0 };
        assert_eq!(error(&create("/q/a", b"123", 0)), 0);
        assert_eq!(error(&create("/q/b", b"123", 1)), 0, "exactly the limit");
        assert_eq!(error(&create("/q/c", b"", 0)), refused, "one znode too many");
        assert_eq!(error(&set_data("/q/a", b"1234", -1)), refused, "one byte too many");
        assert_eq!(error(&set_data("/q/b", b"12", -1)), 0);
        world.tree.check_invariants();
    }
}

#[test]
fn soft_limits_are_only_counted() {
    let mut world = World::with(|config| config.enforce_quota = true);
    world.make("/q");
    limit(&mut world, "/q", "count=2,bytes=-1");
    world.make("/q/a");
    assert_eq!(world.tree.soft_quota_excesses(), 0);
    world.make("/q/b");
    assert_eq!(world.tree.soft_quota_excesses(), 1);
    world.ok(&set_data("/q/b", b"12345", -1));
    assert_eq!(world.tree.soft_quota_excesses(), 1, "no limit on bytes");
}

/// As upstream has it: usage is what it was before the multi, but how much an operation adds is
/// judged by those before it.
#[test]
fn the_parts_of_a_multi_are_judged_one_by_one() {
    let mut world = World::with(|config| config.enforce_quota = true);
    world.make("/q");
    limit(&mut world, "/q", "countHardLimit=2;byteHardLimit=6");
    let create = |path, data| MultiOp::Create(create_record(path, data, 0));
    let set = |path, data| {
        MultiOp::SetData(SetDataRequest { path: text(path), data: blob(data), version: -1 })
    };
    for (operations, expected) in [
        (vec![create("/q/a", b"1234567"), create("/q/b", b"")], vec!["-125", "-2"]),
        (
            vec![create("/q/a", b"1"), set("/q/a", b"1234567"), set("/q/a", b"12345678901234")],
            vec!["0", "0", "-125"],
        ),
        (
            vec![create("/q/a", b"123456"), create("/q/b", b"123456")],
            vec!["create /q/a", "create /q/b"],
        ),
        (vec![create("/q/c", b"")], vec!["-125"]),
    ] {
        assert_eq!(world.ok(&multi(&operations[..])).results(), expected);
    }
    assert_eq!(usage(&mut world, "/q"), "count=3,bytes=12");
}

#[test]
fn a_quota_on_everything_is_an_ordinary_znode() {
    let mut world = World::with(|config| config.enforce_quota = true);
    world.ok(&create("/zookeeper/quota/zookeeper_limits", b"countHardLimit=1", 0));
    world.ok(&create("/zookeeper/quota/zookeeper_stats", b"mine", 0));
    world.make("/a");
    let stats = world.ok(&get_data("/zookeeper/quota/zookeeper_stats"));
    assert_eq!(stats.data().unwrap(), b"mine");
    world.tree.check_invariants();
}

#[test]
fn a_quota_without_its_limits_or_usage_passes() {
    let mut world = World::with(|config| config.enforce_quota = true);
    for path in ["/q", "/zookeeper/quota/q"] {
        world.make(path);
    }
    let limits = "/zookeeper/quota/q/zookeeper_limits";
    world.ok(&create(limits, b"countHardLimit=1", 0));
    world.make("/q/a");
    world.make("/zookeeper/quota/q/zookeeper_stats");
    assert_eq!(usage(&mut world, "/q"), "count=2,bytes=0");
    assert_eq!(world.send(&me(), &create("/q/b", b"", 0)).error.0, -125);
    world.ok(&delete(limits, -1));
    world.make("/q/b");
    world.tree.check_invariants();
}
