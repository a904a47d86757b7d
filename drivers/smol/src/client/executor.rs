//! Where drivers run that nobody else polls.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
    thread,
};

use async_executor::Executor;

use super::Driver;

/// Has the driver polled until its session is over, by a thread that all of them share. Nothing
/// else runs there, so that no task of the application keeps a session from its pings.
pub(crate) fn spawn(driver: Driver) {
    static EXECUTOR: OnceLock<&'static Executor<'static>> = OnceLock::new();
    let executor = EXECUTOR.get_or_init(|| {
        let executor: &'static Executor<'static> = Box::leak(Box::default());
        let builder = thread::Builder::new().name("zookeeper-client".into());
        builder.spawn(|| run(executor)).expect("the system has a thread left");
        executor
    });
    executor.spawn(driver).detach();
}

fn run(executor: &Executor<'_>) {
    // A driver that panics takes down its own client alone.
    let forever = || async_io::block_on(executor.run(pending::<()>()));
    while catch_unwind(AssertUnwindSafe(forever)).is_err() {
        tracing::error!("a driver panicked");
    }
}
