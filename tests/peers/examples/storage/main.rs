//! What durability costs, beside Apache ZooKeeper; `benches/storage/README.md` says how to use it.

mod million;
mod rates;
mod recovery;
mod stall;

use std::env;
use std::error::Error;
use std::fs;
use std::process::ExitCode;

use zookeeper_peers::{Kind, Options, Program};

const USAGE: &str = "usage: storage rates [SECONDS] | recovery [ZNODES] | stall [ZNODES]";

/// Znodes where none are asked for.
const ZNODES: usize = 1_000_000;

/// What `zkServer.sh` gives a server, and what a million znodes ask for.
const HEAP: &str = "1000m";
const LARGE_HEAP: &str = "2g";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

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

fn run(arguments: &[String]) -> Result<()> {
    let (command, number) = match arguments {
        [command] => (command.as_str(), None),
        [command, number] => (command.as_str(), Some(number.parse()?)),
        _ => return Err(USAGE.into()),
    };
    // The smaller the machine, the more depends on what else it does.
    println!("load average {}", fs::read_to_string("/proc/loadavg")?.trim());
    match command {
        "rates" => rates::run(number.unwrap_or(5)),
        "recovery" => recovery::run(number.unwrap_or(ZNODES)),
        "stall" => stall::run(number.unwrap_or(ZNODES)),
        _ => Err(USAGE.into()),
    }
}

fn program(kind: Kind) -> Result<Program> {
    kind.find().ok_or_else(|| format!("the {kind} server is not installed").into())
}

/// Apache's defaults for everything that matters here.
fn options(heap: &str) -> Options {
    Options::default().full_speed(heap)
}

/// The most memory a process ever had, in MiB.
fn peak_memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(number.parse::<u64>()? / 1024)
}
