//! The crate `zookeeper-client`. Its sockets are async-io's under any runtime.

use std::{error::Error, sync::Arc};

use async_executor::Executor;
use async_io::Timer;
use spawns_core::{Spawn, Task};
use tokio::{runtime, time};
use zookeeper_client::Client;

use crate::load::{Counter, DATA, Load, Operation, Outcome, PATH};

/// Everything on one thread, reactor included: the best it can have.
pub fn run(load: &Load, counter: &Arc<Counter>) -> Result<Outcome, Box<dyn Error>> {
    let spawner = Spawner(Executor::new());
    let _scope = spawns_core::enter(&spawner);
    async_io::block_on(spawner.0.run(async {
        let client = Client::connect(&load.address).await?;
        for _ in 0..load.in_flight {
            let (client, counter) = (client.clone(), Arc::clone(counter));
            match load.operation {
                Operation::Get => spawner.0.spawn(get(client, counter)).detach(),
                Operation::Set => spawner.0.spawn(set(client, counter)).detach(),
            }
        }
        Ok(counter.measure(load.seconds, Timer::after).await)
    }))
}

struct Spawner(Executor<'static>);

impl Spawn for Spawner {
    fn spawn(&self, task: Task) {
        self.0.spawn(Box::into_pin(task.future)).detach();
    }
}

/// On tokio's runtime of one thread; the reactor has another one then.
pub fn run_on_tokio(load: Load, counter: Arc<Counter>) -> Result<Outcome, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let client = Client::connect(&load.address).await?;
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

async fn get(client: Client, counter: Arc<Counter>) {
    loop {
        let (data, _) = client.get_data(PATH).await.expect("it is there");
        assert_eq!(data.len(), DATA.len());
        if !counter.count() {
            break;
        }
    }
}

async fn set(client: Client, counter: Arc<Counter>) {
    loop {
        client.set_data(PATH, &DATA, None).await.expect("it is there");
        if !counter.count() {
            break;
        }
    }
}
