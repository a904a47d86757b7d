//! Row 17: paths below a chroot. The session sees the server's paths, its user the client's.

use zookeeper_core::{
    client::{
        Chroot, Operation, RequestId, SubmitOptions,
        operation::{Create, CreateOptions, Created, GetChildren, RemoveWatches},
    },
    wire::{CreateMode, EventKind, Response, WatcherType},
};
use zookeeper_sim::{
    client::{Options, Seen, What, World},
    pair::Body,
};

fn app() -> Chroot {
    Chroot::new("/app").expect("a chroot")
}

fn submit(world: &mut World, operation: &impl Operation, options: SubmitOptions) -> RequestId {
    let id = operation.with_request(&app(), |request| world.try_submit(request, options));
    id.expect("good arguments").expect("one more is welcome")
}

/// What was told, without what was sent.
fn told(world: &mut World) -> Vec<Seen> {
    let entries = world.take_entries().into_iter();
    let seen = entries.filter_map(|entry| match entry.what {
        What::Seen(seen) => Some(seen),
        _ => None,
    });
    seen.collect()
}

fn created(seen: &Seen) -> Created {
    let stat = Default::default();
    let response = match seen {
        Seen::Reply(_, Ok((_, Body::Path(path)))) => Response::Path(Some((&**path).into())),
        Seen::Reply(_, Ok((_, Body::Created(path, _)))) => {
            Response::Create2 { path: Some((&**path).into()), stat }
        }
        seen => panic!("{seen}"),
    };
    Create::output(&app(), Ok(response)).expect("a path below the chroot")
}

#[test]
fn v17_a_chroot_is_applied_and_stripped_at_the_edge() {
    let mut world = World::new(Options::new(1));
    let watcher = world.watcher();
    let watched = SubmitOptions { watcher: Some(watcher), timeout: None };
    let plain = SubmitOptions::default();
    submit(&mut world, &Create::new("/q", &b""[..], CreateOptions::default()), plain);
    submit(&mut world, &Create::new("/k", &b""[..], CreateMode::Container), plain);
    submit(&mut world, &GetChildren::new("/"), watched);
    submit(&mut world, &GetChildren::new("/n"), watched);
    assert_eq!(
        world.take()[3..],
        [
            "0 #1 > 1 create /app/q mode 0",
            "0 #1 > 2 create_container /app/k mode 4",
            "0 #1 > 3 get_children /app watch",
            "0 #1 > 4 get_children /app/n watch",
        ]
    );
    world.answer_all();
    let replies = told(&mut world);
    assert_eq!(replies.len(), 4);
    assert_eq!(created(&replies[0]).path, "/q");
    assert_eq!(created(&replies[1]).path, "/k");

    let remove = RemoveWatches::new("/n", WatcherType::Children);
    let id = remove.with_path(&app(), |path| {
        world.remove_watches(path, Some(watcher), remove.kind, remove.local)
    });
    let id = id.expect("a good path");
    assert_eq!(world.take(), ["0 #1 > 5 check_watches /app/n mode 1"]);
    world.answer_ok();
    let told_of_it = told(&mut world);
    let [Seen::Watch { watchers, kind, path, .. }, Seen::Reply(done, Ok(_))] = &told_of_it[..]
    else {
        panic!("{told_of_it:?}");
    };
    assert_eq!((&watchers[..], *done), (&[watcher][..], id));
    assert_eq!(format!("{kind:?}"), "ChildWatchRemoved");
    assert_eq!(app().strip(path), Some("/n"));

    // The server keeps the watch that was removed here alone: its event matches nobody.
    world.notify(EventKind::NodeChildrenChanged, "/app/n", 0x103);
    world.notify(EventKind::NodeChildrenChanged, "/app", 0x104);
    assert_eq!(world.take(), ["0 watch NodeChildrenChanged /app 0x104 to w0"]);
    assert_eq!(app().strip("/app"), Some("/"));
    assert_eq!(app().strip("/apple"), None, "not below it");
    world.finish();
}
