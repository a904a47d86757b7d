//! The longest that a client waited while a snapshot was written, and while none was.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::block_on;
use zookeeper_peers::{Kind, Server, data_path};
use zookeeper_smol::Client;

use crate::{LARGE_HEAP, Result, million, options, peak_memory, program};

/// Writes until a snapshot, at most.
const SNAPSHOT_EVERY: &str = "4000";
/// Snapshots to see.
const SNAPSHOTS: usize = 3;
/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often somebody looks whether a snapshot is being written.
const LOOK: Duration = Duration::from_millis(1);

/// A time from one moment to another.
type Span = (Instant, Instant);

pub(crate) fn run(znodes: usize) -> Result<()> {
    let made = million::make(znodes, true)?;
    for kind in [Kind::Ours, Kind::Apache] {
        let mut server = made.copy(&program(kind)?)?;
        server.configure(&options(LARGE_HEAP).set("snapCount", SNAPSHOT_EVERY));
        server.restart()?;
        let address = server.address();
        let is_over = AtomicBool::new(false);
        let (snapshots, reads, writes) = thread::scope(|scope| {
            let reads = scope.spawn(|| requests(address, &is_over, false));
            let writes = scope.spawn(|| requests(address, &is_over, true));
            let snapshots = watch(&server);
            is_over.store(true, Relaxed);
            (snapshots, reads.join(), writes.join())
        });
        let snapshots = snapshots?;
        let lengths = snapshots.iter().map(|(from, to)| format!("{:.2} s", seconds(*from, *to)));
        let memory = peak_memory(server.process_id().ok_or("it does not run")?)?;
        println!(
            "{:<6} snapshots of {}, at most {memory} MiB",
            kind.to_string(),
            lengths.collect::<Vec<_>>().join(", ")
        );
        for (name, requests) in [("getData", reads), ("setData", writes)] {
            let requests = requests.map_err(|_| "a client panicked")??;
            let overlaps =
                |(from, to): &Span| snapshots.iter().any(|(start, end)| from <= end && start <= to);
            let (during, else_): (Vec<Span>, Vec<Span>) = requests.into_iter().partition(overlaps);
            println!("{:<6} {name} during snapshots: {}", kind.to_string(), described(&during));
            println!("{:<6} {name} otherwise:        {}", kind.to_string(), described(&else_));
        }
    }
    Ok(())
}

/// One request after the other, until it is over.
fn requests(
    address: SocketAddr,
    is_over: &AtomicBool,
    is_write: bool,
) -> std::result::Result<Vec<Span>, String> {
    let work = async {
        let client =
            Client::connect(&address.to_string()).await.map_err(|error| error.to_string())?;
        let data = [b'y'; 100];
        let mut spans = Vec::new();
        while !is_over.load(Relaxed) {
            let start = Instant::now();
            let done = if is_write {
                client.set_data(million::SOMEWHERE, &data, None).await.map(drop)
            } else {
                client.get_data(million::SOMEWHERE).await.map(drop)
            };
            done.map_err(|error| error.to_string())?;
            spans.push((start, Instant::now()));
        }
        client.close().await;
        Ok(spans)
    };
    block_on(work)
}

/// When snapshots were written.
fn watch(server: &Server) -> Result<Vec<Span>> {
    let (mut spans, mut since) = (Vec::new(), None);
    let end = Instant::now() + PATIENCE;
    while spans.len() < SNAPSHOTS {
        if Instant::now() > end {
            return Err("no snapshot is written".into());
        }
        match (is_writing(server)?, since) {
            (true, None) => since = Some(Instant::now()),
            (false, Some(start)) => {
                spans.push((start, Instant::now()));
                since = None;
            }
            _ => {}
        }
        thread::sleep(LOOK);
    }
    Ok(spans)
}

/// Our server writes to a temporary; Apache's says when it begins and ends.
fn is_writing(server: &Server) -> Result<bool> {
    match server.kind() {
        Kind::Ours => {
            let mut entries = fs::read_dir(data_path(server.directory()).join("version-2"))?;
            Ok(entries.any(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("tmp."))
            }))
        }
        Kind::Apache => {
            let log = server.log()?;
            Ok(log.matches("Snapshotting: ").count() > log.matches("Snapshot taken in ").count())
        }
    }
}

fn seconds(from: Instant, to: Instant) -> f64 {
    (to - from).as_secs_f64()
}

fn described(spans: &[Span]) -> String {
    let mut times: Vec<f64> = spans.iter().map(|(from, to)| 1e3 * seconds(*from, *to)).collect();
    times.sort_by(f64::total_cmp);
    let at = |permille: usize| times.get(times.len() * permille / 1000).copied().unwrap_or(0.0);
    let max = times.last().copied().unwrap_or(0.0);
    format!(
        "{} requests, median {:.2} ms, 99.9 % {:.2} ms, longest {max:.2} ms",
        times.len(),
        at(500),
        at(999)
    )
}
