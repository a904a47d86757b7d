//! Runs every client in turns, each in a process of its own, and shows what came of it.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use zookeeper_mio::client::{Client, CreateMode};

use crate::{
    clients::KINDS,
    load::{DATA, Load, Operation, Outcome, PATH},
    servers::{Server, find_zk},
    table::Table,
};

/// The C client: its name here, the library, and what the compiler is told besides.
const IN_C: [(&str, &str, &[&str]); 2] =
    [("c-mt", "zookeeper_mt", &["-DTHREADED"]), ("c-st", "zookeeper_st", &[])];

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/c/client.c");

/// Under each: how many are in flight, of what.
const LOADS: [(Operation, usize); 4] =
    [(Operation::Get, 128), (Operation::Get, 1), (Operation::Set, 128), (Operation::Set, 1)];

struct Options {
    rounds: usize,
    seconds: f64,
    clients: Option<Vec<String>>,
    with_apache: bool,
    server: Option<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut options =
            Self { rounds: 3, seconds: 3.0, clients: None, with_apache: false, server: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--rounds" => options.rounds = value()?.parse()?,
                "--seconds" => options.seconds = value()?.parse()?,
                "--clients" => {
                    options.clients = Some(value()?.split(',').map(str::to_owned).collect());
                }
                "--server" => options.server = Some(value()?.clone()),
                "--apache" => options.with_apache = true,
                _ => return Err(format!("{argument}: unknown option, see the README").into()),
            }
        }
        Ok(options)
    }
}

pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let options = Options::parse(arguments)?;
    let programs = TempDir::new()?;
    let mut clients = Vec::new();
    for kind in KINDS {
        clients.push(Program { name: kind.into(), path: env::current_exe()?, is_own: true });
    }
    for (name, library, flags) in IN_C {
        match compile(programs.path(), name, library, flags) {
            Ok(path) => clients.push(Program { name: name.into(), path, is_own: false }),
            Err(error) => println!("without {name}: {error}"),
        }
    }
    if let Some(wanted) = &options.clients {
        if let Some(unknown) =
            wanted.iter().find(|name| !clients.iter().any(|it| it.name == **name))
        {
            return Err(format!("{unknown}: no such client here").into());
        }
        clients.retain(|client| wanted.contains(&client.name));
    }
    match &options.server {
        Some(address) => measure(&options, &clients, &Server::at(address))?,
        None => measure(&options, &clients, &Server::zk(&find_zk())?)?,
    }
    if options.with_apache {
        measure(&options, &clients, &Server::apache()?)?;
    }
    Ok(())
}

/// All loads on one server: in every round, one client after the other.
fn measure(options: &Options, clients: &[Program], server: &Server) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(&server.address)?;
    let _ = client.delete(PATH, None);
    client.create(PATH, &DATA[..], CreateMode::Persistent)?;
    client.close();
    println!("\n== {}, {} rounds of {} s", server.name, options.rounds, options.seconds);
    for (operation, in_flight) in LOADS {
        let mut table = Table::default();
        let mut busiest: f64 = 0.0;
        for _ in 0..options.rounds {
            for client in clients {
                let load = Load {
                    address: server.address.clone(),
                    operation,
                    in_flight,
                    seconds: options.seconds,
                };
                let others = others();
                busiest = busiest.max(others);
                table.add(&client.name, client.run(&load)?);
            }
        }
        println!("\n{operation} of {} bytes, {in_flight} in flight", DATA.len());
        print!("{table}");
        println!("(load average up to {busiest:.1})");
    }
    Ok(())
}

/// The system's load average, which the measured programs themselves are part of.
fn others() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// A client's program.
struct Program {
    name: String,
    path: PathBuf,
    /// It is this one, which is told the name.
    is_own: bool,
}

impl Program {
    fn run(&self, load: &Load) -> Result<Outcome, Box<dyn Error>> {
        let mut command = Command::new(&self.path);
        if self.is_own {
            command.arg(&self.name);
        }
        let output = command
            .arg(&load.address)
            .arg(load.operation.to_string())
            .args([load.in_flight.to_string(), load.seconds.to_string()])
            .output()?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}\n{error}", self.name, output.status).into());
        }
        Ok(String::from_utf8(output.stdout)?.parse()?)
    }
}

/// The C client with this library.
fn compile(
    directory: &Path,
    name: &str,
    library: &str,
    flags: &[&str],
) -> Result<PathBuf, Box<dyn Error>> {
    let path = directory.join(name);
    // A shared library is enough, if the headers are there; then it has a number in its name.
    let library =
        if library.ends_with("mt") { library.into() } else { format!(":lib{library}.so.2") };
    let output = Command::new("cc")
        .args(["-O2", "-Wall"])
        .args(flags)
        .arg("-o")
        .arg(&path)
        .args([SOURCE, &format!("-l{library}")])
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    if output.status.success() {
        Ok(path)
    } else {
        let error = String::from_utf8_lossy(&output.stderr);
        let line = error.lines().find(|line| line.contains("rror") || line.contains("cannot"));
        Err(line.unwrap_or("cc failed").into())
    }
}
