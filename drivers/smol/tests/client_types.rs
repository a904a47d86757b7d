//! What the compiler alone can prove: clients are shared, and futures go to any executor.

use std::{future::Future, time::Duration};

use zookeeper_core::wire::{AddWatchMode, CreateMode, WatcherType};
use zookeeper_smol::{
    Client,
    client::{
        Call, ConnectionState, Driver, Repetition, RetryPolicy, StateWatcher, Watch, WatchCall,
        operation::{Create, GetData, MultiRead, Reconfig, Transaction},
    },
};

fn is_shared<T: Clone + Send + Sync + 'static>() {}

fn is_sent<T: Send + 'static>() {}

fn goes_anywhere<F: Future + Send + 'static>(_: F) {}

#[test]
fn handles_are_shared_and_streams_are_sent() {
    is_shared::<Client>();
    is_sent::<Watch>();
    is_sent::<StateWatcher>();
    is_sent::<Driver>();
    is_sent::<Call<ConnectionState>>();
    is_sent::<WatchCall<Vec<u8>>>();
}

/// Never run: it is enough that it compiles. Nothing borrowed outlives a call, neither the client
/// nor an argument.
#[expect(dead_code, reason = "compiling is the test")]
fn every_future_is_send_and_static(client: &Client) {
    let path = String::from("/a");
    let (path, data) = (path.as_str(), path.as_bytes());
    goes_anywhere(client.create(path, data, CreateMode::Ephemeral));
    goes_anywhere(client.create_with_parents(path, data, CreateMode::Ephemeral));
    goes_anywhere(client.create_protected(
        path,
        data,
        CreateMode::EphemeralSequential,
        RetryPolicy::default(),
    ));
    goes_anywhere(client.ensure_path(path, Vec::new()));
    goes_anywhere(client.delete(path, None));
    goes_anywhere(client.delete_recursive(path));
    goes_anywhere(client.exists(path));
    goes_anywhere(client.exists_and_watch(path));
    goes_anywhere(client.get_data(path));
    goes_anywhere(client.get_data_and_watch(path));
    goes_anywhere(client.set_data(path, data, Some(0)));
    goes_anywhere(client.get_acl(path));
    goes_anywhere(client.set_acl(path, Vec::new(), None));
    goes_anywhere(client.get_children(path));
    goes_anywhere(client.get_children_and_watch(path));
    goes_anywhere(client.get_children_and_stat(path));
    goes_anywhere(client.list_subtree(path));
    goes_anywhere(client.sync(path));
    goes_anywhere(client.get_ephemerals(path));
    goes_anywhere(client.get_all_children_number(path));
    goes_anywhere(client.get_config());
    goes_anywhere(client.get_config_and_watch());
    goes_anywhere(client.reconfig(Reconfig::new()));
    goes_anywhere(client.who_am_i());
    goes_anywhere(client.multi(Transaction::new().delete(path, None)));
    goes_anywhere(client.multi_read(MultiRead::new().get_data(path)));
    goes_anywhere(client.add_watch(path, AddWatchMode::Persistent));
    goes_anywhere(client.remove_all_watches(path, WatcherType::Any, false));
    goes_anywhere(client.add_auth(path, data));
    goes_anywhere(client.call(GetData::new(path)));
    goes_anywhere(client.call_and_watch(GetData::new(path)));
    goes_anywhere(
        client.call_retrying(RetryPolicy::default(), Create::new("/a", "", CreateMode::Persistent)),
    );
    goes_anywhere(client.connected());
    goes_anywhere(client.close());
    goes_anywhere(client.detach());
    goes_anywhere(Client::connect(path));
    let (again, policy) = (client.clone(), RetryPolicy::default());
    goes_anywhere(client.retry(policy, Repetition::Harmless, move || again.get_data("/")));
    let builder = Client::builder(path).expect("not run").session_timeout(Duration::ZERO);
    goes_anywhere(builder.clone().connect());
    goes_anywhere(builder.build_with_driver().1);
}
