//! A directory with many znodes of 100 bytes.

use std::net::SocketAddr;

use futures_lite::future::block_on;
use zookeeper_core::wire::CreateMode;
use zookeeper_peers::{Kind, Server};
use zookeeper_smol::Client;

use crate::{LARGE_HEAP, Result, options, program};

/// Children of one znode.
const CHILDREN: usize = 1000;
/// Creations under way.
const IN_FLIGHT: usize = 2000;

/// A znode that is there.
pub(crate) const SOMEWHERE: &str = "/m/0/0";

/// Makes the znodes, and gives back the stopped server. With `in_snapshot` everything is in the
/// newest snapshot, otherwise everything is in logs.
pub(crate) fn make(znodes: usize, in_snapshot: bool) -> Result<Server> {
    let ours = program(Kind::Ours)?;
    // No snapshot but the first one.
    let lazy = options(LARGE_HEAP).set("snapCount", "2000000000").set("snapSizeLimitInKb", "-1");
    let mut server = Server::start(&ours, &lazy)?;
    block_on(fill(server.address(), znodes))?;
    server.stop()?;
    server.configure(&options(LARGE_HEAP));
    if in_snapshot {
        // Apache's server writes a snapshot whenever it has started.
        server.hand_over(&program(Kind::Apache)?);
        server.restart()?;
        server.stop()?;
    }
    Ok(server)
}

async fn fill(address: SocketAddr, znodes: usize) -> Result<()> {
    let client = Client::connect(&address.to_string()).await?;
    client.create("/m", "", CreateMode::Persistent).await?;
    let data = [b'x'; 100];
    let mut calls = std::collections::VecDeque::new();
    for index in 0..znodes {
        if calls.len() >= IN_FLIGHT {
            let call: zookeeper_smol::client::Call<_> = calls.pop_front().ok_or("no call")?;
            call.await?;
        }
        if index % CHILDREN == 0 {
            let path = format!("/m/{}", index / CHILDREN);
            calls.push_back(client.create(&path, "", CreateMode::Persistent));
        }
        let path = format!("/m/{}/{}", index / CHILDREN, index % CHILDREN);
        calls.push_back(client.create(&path, &data, CreateMode::Persistent));
    }
    for call in calls {
        call.await?;
    }
    client.close().await;
    Ok(())
}
