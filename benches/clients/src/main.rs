//! ZooKeeper clients beside each other: one session each, the same requests, the same server.
//!
//! `clients compare [OPTIONS]` runs them in turns and shows a table, see the README. Each is a
//! process of its own, `clients KIND ADDRESS OPERATION IN_FLIGHT SECONDS`, so that its processor
//! time is the process's.

mod clients;
mod compare;
mod load;
mod servers;
mod table;

use std::{env, error::Error, process::ExitCode};

use load::Load;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    match arguments {
        [command, options @ ..] if command == "compare" => compare::run(options),
        [kind, address, operation, in_flight, seconds] => {
            let load = Load {
                address: address.clone(),
                operation: operation.parse()?,
                in_flight: in_flight.parse()?,
                seconds: seconds.parse()?,
            };
            println!("{}", clients::run(kind, load)?);
            Ok(())
        }
        _ => Err(format!(
            "usage: clients compare [OPTIONS]\n       \
             clients KIND ADDRESS get|set IN_FLIGHT SECONDS\nkinds: {}",
            clients::KINDS.join(" ")
        )
        .into()),
    }
}
