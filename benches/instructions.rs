//! Instructions per request: of the whole server machine, and of a client's session; without sockets.
//!
//! Runs itself under `valgrind --tool=callgrind`, every scenario twice, and divides the difference
//! by the difference in repetitions: what sets the scene cancels out. `instructions.txt` holds the
//! counts expected; a line that needs 10 % more fails, and so does one that leaves the design's
//! budget. Where the table itself is over the budget that is said, and does not fail.
//!
//! ```text
//! cargo bench --bench instructions              compare with the table
//! cargo bench --bench instructions -- --update  write the table
//! valgrind --tool=callgrind BINARY count 'getData of 100 bytes' 4096    where they go
//! ```
#![expect(clippy::disallowed_methods, reason = "a program around the core, not a part of it")]

#[path = "instructions/client.rs"]
mod client;
#[path = "instructions/machine.rs"]
mod machine;
#[path = "instructions/scenarios.rs"]
mod scenarios;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    fs,
    process::{Command, ExitCode},
};

/// Repetitions of the shorter run; the longer one has twice as many. A multiple of all that is in
/// flight at a time.
const REPETITIONS: usize = 1_024;

/// How far a count may be from the table's, in percent.
const TOLERANCE_PERCENT: u64 = 10;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// One line of the table.
trait Line {
    fn name(&self) -> &'static str;

    /// What the design allows it, where it says so.
    fn budget(&self) -> Option<u64>;

    /// Runs it and looks at what comes out.
    fn check(&self, repetitions: usize);

    /// Sets the scene for `most` repetitions and runs it. The scene is not taken down: what is left
    /// over differs from run to run.
    fn count(&self, most: usize, repetitions: usize);
}

/// Every line of the table, in its order.
fn lines() -> Vec<Box<dyn Line>> {
    let mut lines = scenarios::all();
    lines.extend(client::all());
    lines
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|given| given != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => compare(),
        ["--update"] => update(),
        ["count", name, repetitions] => {
            let lines = lines();
            let line = lines.iter().find(|line| line.name() == name).expect("a line's name");
            let repetitions: usize = repetitions.parse().expect("a number of repetitions");
            // The scene is always set for the longest run.
            line.count(repetitions.max(2 * REPETITIONS), repetitions);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: cargo bench --bench instructions [-- --update]");
            ExitCode::from(2)
        }
    }
}

/// Counts every line and compares with the table.
fn compare() -> ExitCode {
    if !has_valgrind() {
        println!("skipped: no valgrind");
        return if env::var_os("CI").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let table = fs::read_to_string(TABLE).expect("the table is there");
    let table = read_table(&table);
    let lines = lines();
    let mut failed = false;
    println!("{:<45} {:>8} {:>8}", "instructions", "expected", "counted");
    for line in &lines {
        let counted = measure(&**line);
        let expected = table.get(line.name()).copied();
        let (fails, note) = judge(&**line, expected, counted);
        failed |= fails;
        let expected = expected.map_or_else(String::new, |count| count.to_string());
        println!("{:<45} {expected:>8} {counted:>8}  {note}", line.name());
    }
    for name in table.keys().filter(|name| !lines.iter().any(|known| known.name() == **name)) {
        println!("{name}: in the table, but nowhere else");
        failed = true;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Counts every line and writes the table.
fn update() -> ExitCode {
    if !has_valgrind() {
        eprintln!("no valgrind");
        return ExitCode::FAILURE;
    }
    let mut table = String::from(
        "# Instructions per request, as callgrind counts them for a release build on x86-64.\n\
         # Written by: cargo bench --bench instructions -- --update\n",
    );
    for line in lines() {
        let counted = measure(&*line);
        println!("{:<45} {counted:>8}", line.name());
        let _ = writeln!(table, "{counted:>6}  {}", line.name());
    }
    fs::write(TABLE, table).expect("the table can be written");
    ExitCode::SUCCESS
}

/// Whether a count fails, and what there is to say about it.
fn judge(line: &dyn Line, expected: Option<u64>, counted: u64) -> (bool, String) {
    let Some(expected) = expected else {
        return (true, String::from("FAILED: not in the table, update it"));
    };
    if counted * 100 > expected * (100 + TOLERANCE_PERCENT) {
        return (true, format!("FAILED: more than {TOLERANCE_PERCENT} % above the table"));
    }
    match line.budget() {
        Some(budget) if counted > budget && expected <= budget => {
            (true, format!("FAILED: over its budget of {budget}"))
        }
        // It has never been within its budget: a goal, until the table says that it is reached.
        Some(budget) if counted > budget => (false, format!("note: over its budget of {budget}")),
        _ if counted * 100 < expected * (100 - TOLERANCE_PERCENT) => {
            (false, String::from("note: much better than the table, update it"))
        }
        _ => (false, String::new()),
    }
}

/// Lines of a count and a name; `#` starts a comment.
fn read_table(text: &str) -> BTreeMap<&str, u64> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (count, name) = line.split_once(' ').expect("a count and a name");
            (name.trim(), count.parse().expect("a count"))
        })
        .collect()
}

/// Instructions per repetition.
fn measure(line: &dyn Line) -> u64 {
    // What fails fast would be counted fast.
    line.check(2 * REPETITIONS);
    let [once, twice] = [1, 2].map(|times| under_callgrind(line.name(), times * REPETITIONS));
    (twice - once) / REPETITIONS as u64
}

/// All instructions of a run of this program.
fn under_callgrind(name: &str, repetitions: usize) -> u64 {
    let this = env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["count", name, &repetitions.to_string()])
        .output()
        .expect("valgrind starts");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let collected = report.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.expect("callgrind says what it collected");
    count.trim().parse().expect("a number")
}

fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}
