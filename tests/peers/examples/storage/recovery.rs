//! The time from a server's start until it serves, and the most memory it had until then.

use std::fs;
use std::time::{Duration, Instant};

use zookeeper_peers::{Kind, Server, data_path};

use crate::{Result, million, peak_memory, program};

pub(crate) fn run(znodes: usize) -> Result<()> {
    for (what, in_snapshot) in [("a snapshot", true), ("logs", false)] {
        let made = million::make(znodes, in_snapshot)?;
        println!("{znodes} znodes of 100 bytes in {what}");
        for kind in [Kind::Ours, Kind::Apache] {
            let mut server = made.copy(&program(kind)?)?;
            warm(&server)?;
            let start = Instant::now();
            server.restart()?;
            let time = start.elapsed();
            let process = server.process_id().ok_or("it does not run")?;
            let memory = peak_memory(process)?;
            println!("{:<6} serves after {}, at most {memory} MiB", kind.to_string(), shown(time));
        }
    }
    Ok(())
}

/// Reads every file once: this is not about the disk.
fn warm(server: &Server) -> Result<()> {
    for entry in fs::read_dir(data_path(server.directory()).join("version-2"))? {
        fs::read(entry?.path())?;
    }
    Ok(())
}

pub(crate) fn shown(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
