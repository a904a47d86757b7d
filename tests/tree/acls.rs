//! What ACLs allow, and what is shown of them.

use zookeeper_core::wire::{AclEntry, CreateRequest, Id, List, Request, Response, perms};

use crate::world::*;

fn acl_of(reply: &Reply) -> Vec<String> {
    let Response::Acl { acl: Some(acl), .. } = reply.response() else { panic!("no ACL") };
    acl.iter()
        .map(|entry| format!("{} {}:{}", entry.perms, entry.scheme.unwrap(), entry.id.unwrap()))
        .collect()
}

fn get_acl(path: &str) -> Request<'_> {
    Request::GetAcl(path_request(path))
}

#[test]
fn each_permission_is_for_its_operations() {
    let mut world = World::new();
    world.make("/p");
    let alone = [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];
    for permission in alone {
        // The caller's own list goes back and forth; `me` has only the one permission.
        let acl = [entry(31, "digest", "me:hash"), entry(permission, "world", "anyone")];
        let set = world.send(&me_with_id(), &set_acl("/p", &acl, -1));
        assert!(set.error.is_ok());
        let child = CreateRequest { acl: Some(List::new(MINE)), ..create_record("/p/c", b"", 0) };
        world.send(&me_with_id(), &Request::Create(child));
        let may = |world: &mut World, request: &Request<'_>| {
            let reply = world.send(&me(), request);
            assert!(reply.error.is_ok() || reply.error.0 == -102, "{:?}", reply.error);
            reply.error.is_ok()
        };
        assert_eq!(may(&mut world, &delete("/p/c", -1)), permission == perms::DELETE);
        assert_eq!(may(&mut world, &create("/p/new", b"", 2)), permission == perms::CREATE);
        assert_eq!(may(&mut world, &set_data("/p", b"", -1)), permission == perms::WRITE);
        let all = Request::GetAllChildrenNumber(path_request("/p"));
        for read in [exists("/p"), get_data("/p"), get_children("/p"), get_children2("/p"), all] {
            assert_eq!(may(&mut world, &read), permission == perms::READ, "{read:?}");
        }
        let checked = world.ok(&multi([check("/p", -1)])).results();
        assert_eq!(checked == ["check"], permission == perms::READ);
        let shown = permission == perms::READ || permission == perms::ADMIN;
        assert_eq!(may(&mut world, &get_acl("/p")), shown);
        let given = world.send(&me(), &set_acl("/p", &acl, -1));
        assert_eq!(given.error.is_ok(), permission == perms::ADMIN);
        // Nothing is asked for these.
        for free in [Request::Sync(path_request("/p")), add_watch("/p", 0), Request::WhoAmI] {
            assert!(may(&mut world, &free));
        }
    }
    world.tree.check_invariants();
}

#[test]
fn hashes_are_shown_to_those_who_may_change_them() {
    let mut world = World::new();
    let acl = [entry(31, "digest", "me:hash"), entry(perms::READ, "world", "anyone")];
    world.ok(&create_with("/p", &acl));
    let masked = world.ok(&get_acl("/p"));
    assert_eq!(acl_of(&masked), ["31 digest:me:x", "1 world:anyone"]);
    let whole = world.send(&me_with_id(), &get_acl("/p"));
    assert_eq!(acl_of(&whole), ["31 digest:me:hash", "1 world:anyone"]);
    assert_eq!(acl_of(&world.ok(&get_acl("/zookeeper"))), ["31 world:anyone"]);
}

#[test]
fn auth_becomes_the_callers_own_identities() {
    let mut world = World::new();
    let acl = [entry(31, "auth", "whatever"), entry(31, "auth", "again")];
    let null = [AclEntry { id: None, ..entry(31, "auth", "") }];
    let mut who = me_with_id();
    who.identities.insert(0, Id::new("ip", "127.0.0.1"));
    for (path, acl) in [("/a", &acl[..]), ("/b", &null[..])] {
        let reply = world.send(&who, &create_with(path, acl));
        assert!(reply.error.is_ok());
        let shown = acl_of(&world.send(&who, &get_acl(path)));
        assert!(shown.iter().all(|entry| entry == "31 digest:me:hash"), "{shown:?}");
    }
    assert_eq!(world.send(&me(), &get_data("/a")).error.0, -102);
}

#[test]
fn duplicates_collapse() {
    let mut world = World::new();
    let acl =
        [entry(31, "world", "anyone"), entry(31, "world", "anyone"), entry(1, "ip", "1.2.3.4")];
    world.ok(&create_with("/d", &acl));
    assert_eq!(acl_of(&world.ok(&get_acl("/d"))), ["31 world:anyone", "1 ip:1.2.3.4"]);
}

#[test]
fn super_and_skip_acl_may_do_everything() {
    let mut world = World::new();
    world.ok(&create_with("/secret", MINE));
    let root = Who { identities: vec![Id::new("super", "")], ..me() };
    assert!(world.send(&root, &get_data("/secret")).error.is_ok());
    assert!(world.send(&root, &set_data("/zookeeper/config", b"x", -1)).error.is_ok());
    let mut world = World::with(|config| config.skip_acl = true);
    world.ok(&create_with("/secret", MINE));
    world.ok(&set_data("/secret", b"x", -1));
    assert_eq!(acl_of(&world.ok(&get_acl("/secret"))), ["31 digest:me:hash"]);
}

#[test]
fn an_owner_of_nothing_but_the_acl_can_take_the_znode_back() {
    let mut world = World::new();
    world.ok(&create_with("/p", &[entry(perms::ADMIN, "world", "anyone")]));
    assert_eq!(world.send(&me(), &exists("/p")).error.0, -102);
    world.ok(&set_acl("/p", OPEN, 0));
    assert_eq!(world.stat("/p").aversion, 1);
    world.ok(&set_acl("/", READ_ONLY, 0));
    assert_eq!(world.send(&me(), &create("/q", b"", 0)).error.0, -102);
    world.tree.check_invariants();
}

#[test]
fn who_am_i_tells_no_secrets() {
    let mut world = World::new();
    let ids = [("ip", "127.0.0.1"), ("digest", "me:hash"), ("super", "")];
    let identities = ids.iter().map(|(scheme, id)| Id::new(scheme, id)).collect();
    let reply = world.send(&Who { identities, ..me() }, &Request::WhoAmI);
    let Response::Identities(Some(list)) = reply.response() else { panic!("no identities") };
    let shown: Vec<_> = list
        .iter()
        .map(|info| format!("{}={}", info.scheme.unwrap(), info.user.unwrap()))
        .collect();
    assert_eq!(shown, ["ip=127.0.0.1", "digest=me", "super="]);
}
