//! What the drivers make of several requests.

use zookeeper_core::wire::{CreateMode, ErrorCode};

use super::{Scenario, Stage, code, sorted};
use crate::client::TestClient;

pub(super) fn scenarios<C: TestClient>() -> Vec<Scenario<C>> {
    vec![
        ("create-with-parents", with_parents),
        ("subtrees", subtrees),
        ("create-protected", protected),
    ]
}

fn with_parents<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let path = stage.path("/a/b/c");
    let created = client.create_with_parents(&path, b"data", CreateMode::Ephemeral).expect("made");
    assert_eq!(created.path, path);
    assert_eq!(&client.get_data(&path).expect("read").data[..], b"data");
    assert_eq!(&client.get_data(&stage.path("/a/b")).expect("read").data[..], b"");
    let again = client.create_with_parents(&path, b"", CreateMode::Persistent);
    assert_eq!(code(again), ErrorCode::NODE_EXISTS);
}

fn subtrees<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let mut paths = vec![stage.node("/tree")];
    for below in ["/tree/a", "/tree/a/b", "/tree/a/b/c", "/tree/d"] {
        paths.push(stage.node(below));
    }
    for index in 0..300 {
        paths.push(stage.node(&format!("/tree/d/{index}")));
    }
    let aside = stage.node("/tree2");
    let listed = client.list_subtree(&paths[0]).expect("listed");
    let place = |path: &str| listed.iter().position(|found| found == path).expect("listed");
    assert!(place(&paths[1]) < place(&paths[2]), "parents come first");
    assert_eq!(sorted(listed.clone()), sorted(paths.clone()));
    client.delete_recursive(&paths[0]).expect("removed");
    assert_eq!(client.exists(&paths[0]), Ok(None));
    assert!(client.exists(&aside).expect("asked").is_some());
    assert_eq!(code(client.list_subtree(&paths[0])), ErrorCode::NO_NODE);
}

fn protected<C: TestClient>(stage: &Stage<C>) {
    let client = &stage.client;
    let create = || {
        let path = stage.path("/lock-");
        client.create_protected(&path, b"", CreateMode::EphemeralSequential).expect("made").path
    };
    let (first, second) = (create(), create());
    assert_ne!(first, second);
    let names = [first, second].map(|path| path.replace(&stage.path("/"), ""));
    assert_eq!(sorted(client.get_children(&stage.root).expect("listed")), sorted(names.to_vec()));
    for (index, name) in names.iter().enumerate() {
        // As Curator's: somebody's own id, and the name.
        assert!(name.starts_with("_c_"), "{name}");
        assert!(name.ends_with(&format!("-lock-{index:010}")), "{name}");
    }
}
