//! Signals that ask the process to end.

use std::io;

/// Calls `stop` at the first SIGINT or SIGTERM; ends the process at the second.
#[cfg(unix)]
pub(crate) fn on_stop(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use std::{io::Read as _, os::unix::net::UnixStream, process, thread};

    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        low_level::pipe,
    };

    let (mut signals, sender) = UnixStream::pair()?;
    pipe::register(SIGINT, sender.try_clone()?)?;
    pipe::register(SIGTERM, sender)?;
    let wait = move || {
        let mut signal = [0];
        // It cannot fail: the other end is never closed.
        if signals.read_exact(&mut signal).is_ok() {
            stop();
        }
        if signals.read_exact(&mut signal).is_ok() {
            tracing::warn!("stopped at once by a second signal");
            process::exit(1);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

/// Elsewhere the system's own way of ending a process has to do.
#[cfg(not(unix))]
pub(crate) fn on_stop(_stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Ok(())
}
