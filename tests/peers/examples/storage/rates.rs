//! Durable reads and writes per second, and the server's processor time for each.

use std::env;
use std::process::Command;

use zookeeper_peers::{Kind, Server};

use crate::{HEAP, Result, options, program};

const CONNECTIONS: usize = 50;
const IN_FLIGHT: [usize; 2] = [1, 32];
const OPERATIONS: [&str; 3] = ["get", "set", "create"];

pub(crate) fn run(seconds: usize) -> Result<()> {
    // Cargo puts examples of one profile beside each other.
    let load = env::current_exe()?.with_file_name("load");
    if !load.is_file() {
        return Err("build the example `load` of zookeeper-mio in the same profile".into());
    }
    for in_flight in IN_FLIGHT {
        for operation in OPERATIONS {
            // Both in the same minute, each on a fresh directory.
            for kind in [Kind::Ours, Kind::Apache] {
                let server = Server::start(&program(kind)?, &options(HEAP))?;
                let process = server.process_id().ok_or("it does not run")?;
                let status = Command::new(&load)
                    .arg(server.address().to_string())
                    .args(["--connections", &CONNECTIONS.to_string()])
                    .args(["--in-flight", &in_flight.to_string()])
                    .args(["--seconds", &seconds.to_string()])
                    .args(["--operation", operation, "--pid", &process.to_string()])
                    .output()?;
                let text = String::from_utf8_lossy(&status.stdout);
                println!("{:<6} {}", kind.to_string(), text.trim());
                if !status.status.success() {
                    return Err(String::from_utf8_lossy(&status.stderr).into());
                }
            }
        }
    }
    Ok(())
}
