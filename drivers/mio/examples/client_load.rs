//! Reads one znode over one session: by threads that block, or by callbacks that ask again.
//!
//! `client_load threads|callbacks [ADDRESS [IN_FLIGHT [SECONDS [BYTES]]]]`: without an address, or
//! with `-`, against a server in this process, on a thread of its own. Prints operations per
//! second, and processor time of the client's own threads per operation.

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use zookeeper_mio::{
    Client, Config, Server,
    client::{CreateMode, Error, operation::GetData},
};

const PATH: &str = "/load";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize, default| {
        arguments.get(index).map_or(Ok(default), |argument| argument.parse::<usize>())
    };
    let blocks = match arguments.first().map(String::as_str) {
        Some("threads") => true,
        Some("callbacks") => false,
        _ => return Err("threads or callbacks?".into()),
    };
    let (in_flight, seconds, bytes) = (number(2, 128)?, number(3, 5)?, number(4, 100)?);
    let mut config = Config::default();
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    let (_server, address) = match arguments.get(1).filter(|address| *address != "-") {
        Some(address) => (None, address.clone()),
        None => {
            let server = Server::spawn(config)?;
            let address = server.address().to_string();
            (Some(server), address)
        }
    };
    let client = Client::connect(&address)?;
    client.delete(PATH, None).ok();
    client.create(PATH, vec![b'x'; bytes], CreateMode::Persistent)?;

    let time = Duration::from_secs(u64::try_from(seconds)?);
    let (start, processor) = (Instant::now(), processor_time());
    let operations = if blocks {
        block(&client, in_flight, start + time)?
    } else {
        call_back(&client, in_flight, time)
    };
    let (elapsed, used) = (start.elapsed(), processor_time().saturating_sub(processor));
    client.close();

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = operations as f64;
    let per_second = count / elapsed.as_secs_f64();
    let per_operation = used.as_secs_f64() * 1e6 / count;
    println!("{in_flight} in flight: {per_second:.0} operations/s, {per_operation:.3} µs each");
    Ok(())
}

/// Threads that read, each one at a time; how often.
fn block(client: &Client, threads: usize, end: Instant) -> Result<u64, Error> {
    thread::scope(|scope| {
        let read = || {
            let mut operations = 0;
            while Instant::now() < end {
                client.get_data(PATH)?;
                operations += 1;
            }
            Ok(operations)
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

/// What all callbacks share.
struct Load {
    client: Client,
    is_over: AtomicBool,
    operations: AtomicU64,
}

/// Callbacks that read again; how often.
fn call_back(client: &Client, in_flight: usize, time: Duration) -> u64 {
    let load = Arc::new(Load {
        client: client.clone(),
        is_over: AtomicBool::new(false),
        operations: AtomicU64::new(0),
    });
    let (done, all_done) = mpsc::channel();
    for _ in 0..in_flight {
        read(Arc::clone(&load), done.clone());
    }
    // Nobody says anything before the end.
    all_done.recv_timeout(time).ok();
    load.is_over.store(true, Ordering::Relaxed);
    all_done.iter().take(in_flight).for_each(drop);
    load.operations.load(Ordering::Relaxed)
}

fn read(load: Arc<Load>, done: Sender<()>) {
    let client = load.client.clone();
    client.submit(&GetData::new(PATH), move |result| {
        result.expect("the server answers");
        load.operations.fetch_add(1, Ordering::Relaxed);
        if !load.is_over.load(Ordering::Relaxed) {
            read(load, done);
        } else {
            done.send(()).expect("it is waited for");
        }
    });
}

/// Processor time of the client's threads, where the system tells.
fn processor_time() -> Duration {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let times = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        let time = text.split(' ').next()?.parse().ok()?;
        name.starts_with("zookeeper-").then_some(Duration::from_nanos(time))
    });
    times.sum()
}
