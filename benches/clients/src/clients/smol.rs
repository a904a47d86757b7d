//! This project's client on smol.

use std::{error::Error, sync::Arc};

use async_executor::LocalExecutor;
use async_io::Timer;
use zookeeper_smol::Client;

use crate::load::{Counter, DATA, Load, Operation, Outcome, PATH};

/// Everything on one thread: requests, driver, reactor.
pub fn run(load: &Load, counter: &Arc<Counter>) -> Result<Outcome, Box<dyn Error>> {
    let (client, driver) = Client::builder(&load.address)?.build_with_driver();
    let executor = LocalExecutor::new();
    executor.spawn(driver).detach();
    async_io::block_on(executor.run(measure(&executor, &client, load, counter)))
}

/// The driver on the thread that it has by default.
pub fn run_on_a_thread(load: &Load, counter: &Arc<Counter>) -> Result<Outcome, Box<dyn Error>> {
    let executor = LocalExecutor::new();
    async_io::block_on(executor.run(async {
        let client = Client::connect(&load.address).await?;
        measure(&executor, &client, load, counter).await
    }))
}

async fn measure(
    executor: &LocalExecutor<'_>,
    client: &Client,
    load: &Load,
    counter: &Arc<Counter>,
) -> Result<Outcome, Box<dyn Error>> {
    client.connected().await?;
    for _ in 0..load.in_flight {
        let (client, counter) = (client.clone(), Arc::clone(counter));
        match load.operation {
            Operation::Get => executor.spawn(get(client, counter)).detach(),
            Operation::Set => executor.spawn(set(client, counter)).detach(),
        }
    }
    let outcome = counter.measure(load.seconds, Timer::after).await;
    client.close().await;
    Ok(outcome)
}

async fn get(client: Client, counter: Arc<Counter>) {
    loop {
        let data = client.get_data(PATH).await.expect("it is there");
        assert_eq!(data.data.len(), DATA.len());
        if !counter.count() {
            break;
        }
    }
}

async fn set(client: Client, counter: Arc<Counter>) {
    loop {
        client.set_data(PATH, &DATA[..], None).await.expect("it is there");
        if !counter.count() {
            break;
        }
    }
}
