//! Reads one znode over one session, with many requests in flight, on one thread.
//!
//! `client_load [ADDRESS [IN_FLIGHT [SECONDS [BYTES]]]]`: without an address, or with `-`, against
//! a server in this process, on a thread of its own. Prints operations per second, and processor
//! time of the client's thread per operation.

use std::{
    env, fs,
    time::{Duration, Instant},
};

use async_executor::LocalExecutor;
use zookeeper_core::wire::CreateMode;
use zookeeper_smol::{Client, client::Error};
use zookeeper_smol::{Config, Server};

const PATH: &str = "/load";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize, default| {
        arguments.get(index).map_or(Ok(default), |argument| argument.parse::<usize>())
    };
    let (in_flight, seconds, bytes) = (number(1, 128)?, number(2, 5)?, number(3, 100)?);
    let address = arguments.first().filter(|address| *address != "-").cloned();
    let mut config = Config::default();
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    let server = if address.is_none() { Some(Server::spawn(config)?) } else { None };
    let address = match (&server, address) {
        (Some(server), _) => server.address().to_string(),
        (None, address) => address.unwrap_or_default(),
    };

    let (client, driver) = Client::builder(&address)?.build_with_driver();
    let executor = LocalExecutor::new();
    executor.spawn(driver).detach();
    let time = Duration::from_secs(u64::try_from(seconds)?);
    let (operations, elapsed, processor) = async_io::block_on(executor.run(async {
        client.connected().await?;
        client.delete(PATH, None).await.ok();
        client.create(PATH, vec![b'x'; bytes], CreateMode::Persistent).await?;
        let mut operations = 0;
        let (start, processor) = (Instant::now(), processor_time());
        let end = start + time;
        let tasks: Vec<_> =
            (0..in_flight).map(|_| executor.spawn(read(client.clone(), end))).collect();
        for task in tasks {
            operations += task.await?;
        }
        let used = processor_time().saturating_sub(processor);
        Ok::<_, Box<dyn std::error::Error>>((operations, start.elapsed(), used))
    }))?;
    async_io::block_on(executor.run(client.close()));

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (count, per_second) = (operations as f64, operations as f64 / elapsed.as_secs_f64());
    let per_operation = processor.as_secs_f64() * 1e6 / count;
    println!("{in_flight} in flight: {per_second:.0} operations/s, {per_operation:.3} µs each");
    Ok(())
}

/// Reads until the end; how often.
async fn read(client: Client, end: Instant) -> Result<u64, Error> {
    let mut operations = 0;
    while Instant::now() < end {
        // A clock reading for each would count as the client's.
        for _ in 0..64 {
            client.get_data(PATH).await?;
            operations += 1;
        }
    }
    Ok(operations)
}

/// Processor time of this thread, where the system tells.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}
