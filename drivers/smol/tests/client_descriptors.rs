//! Sockets are closed, whatever happens to them. Alone in its process, where nobody else opens any.
#![cfg(target_os = "linux")]

mod client_support;

use std::{fs, time::Duration};

use client_support::{Mode, Proxy, builder, connect, run, start, wait_until};
use zookeeper_smol::client::ConnectionState;

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("a file system of processes").count()
}

#[test]
fn a_hundred_lost_connections_leave_nothing_behind() {
    let server = start();
    let proxy = Proxy::start(server.address());
    run(async {
        // The other address is nobody's: it refuses.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let servers = format!("{},{}", proxy.address(), nobody.local_addr().expect("bound"));
        drop(nobody);
        let client = builder(servers).session_timeout(Duration::from_secs(40)).connect().await;
        let client = client.expect("the server listens");
        let mut states = client.state_watcher();
        let lose_and_find = async |states: &mut zookeeper_smol::client::StateWatcher| {
            while !states.next().await.expect("alive").is_connected() {}
            let attempts = proxy.accepted();
            proxy.refuse();
            while states.next().await.expect("alive") != ConnectionState::Suspended {}
            // Some attempts fail before one succeeds.
            wait_until("an attempt", async || proxy.accepted() > attempts).await;
            proxy.set_mode(Mode::Forward);
            client.connected().await.expect("the server listens");
            client.sync("/").await.ok();
        };
        lose_and_find(&mut states).await;
        let before = descriptors();
        for _ in 0..100 {
            lose_and_find(&mut states).await;
        }
        // The proxy and the server take a moment to see that the client is gone.
        wait_until("as few descriptors as before", async || descriptors() <= before).await;
        assert_eq!(client.close().await.to_string(), "closed");
        wait_until("fewer descriptors than before", async || descriptors() < before).await;

        // And so with clients: opened, and dropped in every state.
        drop(connect(server.address()).await);
        let before = descriptors();
        for number in 0..100 {
            let client = builder(server.address()).build();
            if number % 2 == 0 {
                client.connected().await.expect("the server listens");
            }
            drop(client);
        }
        wait_until("as few descriptors as before", async || descriptors() <= before).await;
    });
}
