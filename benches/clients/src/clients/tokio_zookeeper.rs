//! The crate `tokio-zookeeper`, on tokio's runtime of one thread.

use std::{error::Error, sync::Arc};

use tokio::{runtime, time};
use tokio_zookeeper::ZooKeeper;

use crate::load::{Counter, DATA, Load, Operation, Outcome, PATH};

pub fn run(load: Load, counter: Arc<Counter>) -> Result<Outcome, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let (client, _watcher) = ZooKeeper::connect(&load.address.parse()?).await?;
        for _ in 0..load.in_flight {
            let (client, counter) = (client.clone(), Arc::clone(&counter));
            match load.operation {
                Operation::Get => tokio::spawn(get(client, counter)),
                Operation::Set => tokio::spawn(set(client, counter)),
            };
        }
        Ok(counter.measure(load.seconds, time::sleep).await)
    })
}

async fn get(client: ZooKeeper, counter: Arc<Counter>) {
    loop {
        let found = client.get_data(PATH).await.expect("the session is alive");
        assert_eq!(found.expect("it is there").0.len(), DATA.len());
        if !counter.count() {
            break;
        }
    }
}

async fn set(client: ZooKeeper, counter: Arc<Counter>) {
    loop {
        let outcome = client.set_data(PATH, None, &DATA[..]).await.expect("the session is alive");
        outcome.expect("it is there");
        if !counter.count() {
            break;
        }
    }
}
