//! An ensemble that is changed while clients use it.

use zookeeper_core::client::WatchEventKind;
use zookeeper_core::client::operation::Reconfig;
use zookeeper_core::wire::ErrorCode;

use super::code;
use crate::client::{Feed as _, Settings, TestClient};
use crate::ensemble::Ensemble;

/// A member leaves and joins again. Whoever watches the configuration is told, by the name that it
/// has for every client.
///
/// # Panics
///
/// If not.
pub fn reconfiguration<C: TestClient>(ensemble: &Ensemble) {
    let leader = ensemble.leader().expect("a leader");
    let servers = format!("{}/somewhere", ensemble.member(leader).address());
    let client = C::connect(&Settings::new(servers)).expect("a session");
    let leaves = ensemble.indices().find(|index| *index != leader).expect("a follower");
    let id = (leaves + 1).to_string();
    let entry = ensemble.entry(leaves);
    assert_eq!(code(client.reconfig(Reconfig::new().leave(&id))), ErrorCode::NO_AUTH);
    client.add_auth("digest", b"super:test").expect("taken on");

    let (config, mut watch) = client.get_config_and_watch().expect("read");
    let lists =
        |data: &[u8], entry: &str| String::from_utf8_lossy(data).lines().any(|line| line == entry);
    assert!(ensemble.indices().all(|index| lists(&config.data, ensemble.entry(index))));
    let stale = Reconfig::new().leave(&id).if_version(1);
    assert_eq!(code(client.reconfig(stale)), ErrorCode::BAD_VERSION);

    let config = client.reconfig(Reconfig::new().leave(&id)).expect("changed");
    assert!(!lists(&config.data, entry), "{:?}", config.data);
    let changed = Some((WatchEventKind::NodeDataChanged, "/zookeeper/config"));
    assert_eq!(watch.next().change(), changed);
    assert_eq!(client.get_config().expect("read").data, config.data);
    let config = client.reconfig(Reconfig::new().join(entry)).expect("changed");
    assert!(lists(&config.data, entry), "{:?}", config.data);
    client.close();
}
