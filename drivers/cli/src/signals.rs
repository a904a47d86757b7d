//! Signals that ask the process to end.

use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

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

/// Sets `flag` at a SIGINT; ends the process if it is still set at the next.
#[cfg(unix)]
pub(crate) fn on_interrupt(flag: Arc<AtomicBool>) -> io::Result<()> {
    use signal_hook::{consts::SIGINT, flag as on_signal};

    // What a shell says of a program that Ctrl-C has ended.
    const STATUS: i32 = 130;
    // They run in this order.
    on_signal::register_conditional_shutdown(SIGINT, STATUS, Arc::clone(&flag))?;
    on_signal::register(SIGINT, flag)?;
    Ok(())
}

/// As [`on_stop`].
#[cfg(not(unix))]
pub(crate) fn on_interrupt(_flag: Arc<AtomicBool>) -> io::Result<()> {
    Ok(())
}

/// Elsewhere the system's own way of ending a process has to do.
#[cfg(not(unix))]
pub(crate) fn on_stop(_stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Ok(())
}
