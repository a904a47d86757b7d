//! What the tests of crashes have in common.

use std::thread;

use zookeeper_sim::{crash::Run, disk::Marks};

/// Calls `body` for every number below `count`, on all cores; adds up what it returns and marks.
pub(crate) fn on_all_cores(
    count: usize,
    body: impl Fn(usize, &mut Marks) -> usize + Sync,
) -> (usize, Marks) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = |first| {
        let mut marks = Marks::default();
        let indexes = (first..count).step_by(cores);
        let total: usize = indexes.map(|index| body(index, &mut marks)).sum();
        (total, marks)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|first| scope.spawn(move || work(first))).collect();
        let mut sum = (0, Marks::default());
        for thread in threads {
            let (total, marks) = thread.join().expect("a thread's own words are above");
            sum.0 += total;
            sum.1.merge(&marks);
        }
        sum
    })
}

/// One line about a run.
pub(crate) fn print(run: &Run, starts: usize, marks: &Marks) {
    println!(
        "{} requests, {} operations, {:?}, {starts} starts; {marks}",
        run.requests(),
        run.checkpoints().len(),
        run.history().newest()
    );
}

/// Whether a message says which file it is about.
pub(crate) fn names_a_file(text: &str) -> bool {
    text.contains("log.") || text.contains("snapshot.")
}
