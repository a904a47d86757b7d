//! What every client is asked to do, and what is measured of it.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// The znode that is read and written; it is there already.
pub const PATH: &str = "/clients-bench";

/// What it holds, before and after.
pub const DATA: [u8; 100] = [b'x'; 100];

/// Nothing is measured before connections, caches and allocators have settled.
const WARM_UP: Duration = Duration::from_millis(500);

/// A load on one session.
#[derive(Clone, Debug)]
pub struct Load {
    pub address: String,
    pub operation: Operation,
    pub in_flight: usize,
    pub seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Get,
    Set,
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "get" => Ok(Self::Get),
            "set" => Ok(Self::Set),
            _ => Err(format!("{text}: neither get nor set")),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Set => "set",
        })
    }
}

/// What the requests under way share with whoever measures.
#[derive(Debug, Default)]
pub struct Counter {
    done: AtomicU64,
    is_over: AtomicBool,
}

impl Counter {
    /// One operation is done. Whether there should be another.
    pub fn count(&self) -> bool {
        self.done.fetch_add(1, Ordering::Relaxed);
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Measures while others count; `sleep` is what the runtime has for it.
    pub async fn measure<S: Future>(&self, seconds: f64, sleep: impl Fn(Duration) -> S) -> Outcome {
        sleep(WARM_UP).await;
        let start = Snapshot::take(self);
        sleep(Duration::from_secs_f64(seconds)).await;
        let outcome = Snapshot::take(self).since(&start);
        self.is_over.store(true, Ordering::Relaxed);
        outcome
    }

    /// The same, for clients that have threads of their own.
    pub fn measure_blocking(&self, seconds: f64) -> Outcome {
        async_io::block_on(self.measure(seconds, async |time| std::thread::sleep(time)))
    }
}

struct Snapshot {
    done: u64,
    time: Instant,
    processor: Duration,
}

impl Snapshot {
    fn take(counter: &Counter) -> Self {
        // Of all threads of the process.
        let processor = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            done: counter.done.load(Ordering::Relaxed),
            time: Instant::now(),
            processor: processor.try_into().unwrap_or_default(),
        }
    }

    fn since(&self, start: &Self) -> Outcome {
        Outcome {
            operations: self.done - start.done,
            elapsed: self.time - start.time,
            processor: self.processor - start.processor,
        }
    }
}

/// What a client's process reports, in one line.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    pub operations: u64,
    pub elapsed: Duration,
    /// Of the whole process, in user space and in the kernel.
    pub processor: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, processor) = (self.elapsed.as_nanos(), self.processor.as_nanos());
        write!(f, "{} {elapsed} {processor}", self.operations)
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<u64> = text.split_whitespace().flat_map(str::parse).collect();
        let [operations, elapsed, processor] = numbers[..] else {
            return Err(format!("no outcome: {text:?}"));
        };
        let (elapsed, processor) = (Duration::from_nanos(elapsed), Duration::from_nanos(processor));
        Ok(Self { operations, elapsed, processor })
    }
}
