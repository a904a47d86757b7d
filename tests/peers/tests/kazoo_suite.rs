//! Kazoo's own test suite, run against one server by the plugin in `kazoo_plugin/` and compared
//! with `kazoo_expected.txt`. README.md says how to run and replay it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zookeeper_peers::{
    Deadline, Kind, Options, ProcessGroup, Program, data_path, enabled, free_port, need_python,
};

/// Each has a server of its own, and takes one class of tests after the other.
const WORKERS: usize = 2;
/// For the whole suite, on two cores.
const SUITE_MAX: Duration = Duration::from_secs(900);
/// For one test, in seconds; the slowest takes about 20.
const TEST_MAX: &str = "120";
/// How often a test that races with the server's start is run again.
const RACE_TRIES: u32 = 2;

#[test]
fn kazoo_tests_do_what_the_list_expects() {
    if !enabled() {
        return;
    }
    let Some(python) = need_python() else { return };
    for kind in wanted_kinds() {
        if let Some(program) = kind.need() {
            check(&python, &program);
        }
    }
}

fn check(python: &Path, program: &Program) {
    let kind = program.kind();
    let tests = wanted_tests();
    let expected = Expected::read(kind);
    let deadline = Deadline::after(SUITE_MAX);
    let run = Run::start(python, program, &tests).expect("the test run starts");
    let (mut results, ended) = run.finish(deadline);
    let mut differences = expected.differences(&results);
    for _ in 0..RACE_TRIES {
        let raced: Vec<String> =
            differences.keys().filter(|test| expected.races.contains(*test)).cloned().collect();
        if raced.is_empty() {
            break;
        }
        println!("kazoo against {kind}, a lost race, once more: {}", raced.join(" "));
        let run = Run::start(python, program, &raced).expect("another run starts");
        results.extend(run.finish(deadline).0);
        differences = expected.differences(&results);
    }
    if tests.is_empty() {
        differences.extend(expected.missing(&results));
    }
    let tally = tally(&results);
    println!("kazoo against {kind}: {tally}");
    if !differences.is_empty() || ended.is_err() {
        let directory = run.keep();
        panic!(
            "kazoo against {kind}: {tally}, {ended:?}, not as expected:\n{}\nlogs: {}",
            lines(&differences),
            directory.display(),
        );
    }
}

/// `ZK_PEER_KIND`: `ours` if it is not set, `apache`, or `all`.
fn wanted_kinds() -> Vec<Kind> {
    match env::var("ZK_PEER_KIND").as_deref() {
        Err(_) | Ok("ours") => vec![Kind::Ours],
        Ok("apache") => vec![Kind::Apache],
        Ok("all") => Kind::ALL.to_vec(),
        Ok(other) => panic!("ZK_PEER_KIND={other} is neither ours, apache nor all"),
    }
}

/// `ZK_KAZOO_TESTS`: the tests to replay, as they are named in the list. Empty: all.
fn wanted_tests() -> Vec<String> {
    let tests = env::var("ZK_KAZOO_TESTS").unwrap_or_default();
    tests.split_whitespace().map(str::to_owned).collect()
}

/// What a test did: the outcomes that the plugin writes.
type Outcome = String;
type Results = BTreeMap<String, Outcome>;

/// What was expected and did not happen, by test.
type Differences = BTreeMap<String, String>;

fn lines(differences: &Differences) -> String {
    let lines = differences.iter().map(|(test, what)| format!("  {test}: {what}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn tally(results: &Results) -> String {
    let count = |outcome: &str| results.values().filter(|done| *done == outcome).count();
    let (passed, skipped, failed) = (count("passed"), count("skipped"), count("failed"));
    format!("{passed} passed, {skipped} skipped, {failed} failed")
}

/// The list of expectations, as far as it concerns one kind of server.
struct Expected {
    tests: usize,
    exceptions: BTreeMap<String, (Outcome, String)>,
    races: BTreeSet<String>,
}

impl Expected {
    fn read(kind: Kind) -> Self {
        let text = fs::read_to_string(here().join("kazoo_expected.txt")).expect("the list");
        let mut expected = Self { tests: 0, exceptions: BTreeMap::new(), races: BTreeSet::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let fields: Vec<&str> = line.splitn(4, ' ').collect();
            match fields[..] {
                ["tests", count] => expected.tests = count.parse().expect("a number"),
                [outcome @ ("failed" | "skipped" | "races"), of, test, reason] => {
                    if of != "both" && of != kind.to_string() {
                        continue;
                    }
                    if outcome == "races" {
                        expected.races.insert(test.to_owned());
                    } else {
                        let exception = (outcome.to_owned(), reason.to_owned());
                        expected.exceptions.insert(test.to_owned(), exception);
                    }
                }
                _ => panic!("not a line of the list: {line}"),
            }
        }
        expected
    }

    /// The tests that did something else.
    fn differences(&self, results: &Results) -> Differences {
        let difference = |(test, outcome): (&String, &Outcome)| {
            let (expected, reason) = self
                .exceptions
                .get(test)
                .map_or(("passed", ""), |(outcome, reason)| (outcome, reason));
            let what = format!("{outcome}, expected {expected} {reason}");
            (outcome != expected).then(|| (test.clone(), what))
        };
        results.iter().filter_map(difference).collect()
    }

    /// What a run of all tests should have done and has not done at all.
    fn missing(&self, results: &Results) -> Differences {
        let missing = self.exceptions.keys().filter(|test| !results.contains_key(*test));
        let mut differences: Differences =
            missing.map(|test| (test.clone(), "did not run".to_owned())).collect();
        if results.len() != self.tests {
            let what = format!("{} ran, expected {}", results.len(), self.tests);
            differences.insert("number of tests".to_owned(), what);
        }
        differences
    }
}

/// The pytest processes and their directory. Dropping it ends them and their servers.
struct Run {
    directory: tempfile::TempDir,
    workers: Vec<Worker>,
}

impl Run {
    fn start(python: &Path, program: &Program, tests: &[String]) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("zookeeper-kazoo-").tempdir()?;
        fs::create_dir(directory.path().join("claims"))?;
        let arguments = test_arguments(python, tests)?;
        let mut run = Self { directory, workers: Vec::new() };
        let workers = if tests.is_empty() { WORKERS } else { 1 };
        for index in 0..workers {
            let claims = run.directory.path().join("claims");
            let directory = run.directory.path().join(format!("worker-{index}"));
            fs::create_dir(&directory)?;
            run.workers.push(Worker::start(python, program, &arguments, &claims, directory)?);
        }
        Ok(run)
    }

    /// Waits for all workers; what they have done counts even if they do not end.
    fn finish(&self, deadline: Deadline) -> (Results, io::Result<()>) {
        let ended = deadline.poll("kazoo's tests to end", || {
            for worker in &self.workers {
                if !worker.group.has_ended()? {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        });
        let mut results = Results::new();
        for worker in &self.workers {
            results.extend(worker.results());
        }
        (results, ended)
    }

    /// Leaves the directory with its logs to whoever looks into a failure.
    fn keep(mut self) -> PathBuf {
        self.workers.clear();
        self.directory.keep()
    }
}

/// One pytest process, in a process group with the servers that it starts.
struct Worker {
    group: ProcessGroup,
    directory: PathBuf,
}

impl Worker {
    fn start(
        python: &Path,
        program: &Program,
        tests: &[PathBuf],
        claims: &Path,
        directory: PathBuf,
    ) -> io::Result<Self> {
        let port = free_port()?;
        let options = Options::default()
            .set("reconfigEnabled", "true")
            .property("readonlymode.enabled", "true");
        let server = program.prepare(&options, &directory, port)?;
        let output = File::create(directory.join("pytest.log"))?;
        let mut pytest = Command::new(python);
        pytest
            .args(["-m", "pytest", "-p", "kazoo_peer", "-p", "no:cacheprovider", "-q"])
            .args(["--tb=short", "--timeout", TEST_MAX, "-W", "ignore"])
            .args(tests)
            .env("PYTHONPATH", here().join("kazoo_plugin"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Kazoo's tests wait longer and ask for more where this is set.
            .env_remove("CI")
            .env("ZK_PEER_COMMAND", command_lines(&server))
            .env("ZK_PEER_PORT", port.to_string())
            .env("ZK_PEER_DATA", data_path(&directory))
            .env("ZK_PEER_LOG", directory.join("server.log"))
            .env("ZK_PEER_CLAIMS", claims)
            .env("ZK_PEER_RESULTS", directory.join("results"))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .current_dir(&directory);
        Ok(Self { group: ProcessGroup::spawn(&mut pytest)?, directory })
    }

    /// The lines `outcome seconds test` that the plugin wrote.
    fn results(&self) -> Results {
        let text = fs::read_to_string(self.directory.join("results")).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let mut fields = line.splitn(3, ' ');
                let (outcome, _seconds, test) = (fields.next()?, fields.next()?, fields.next()?);
                Some((test.to_owned(), outcome.to_owned()))
            })
            .collect()
    }
}

fn test_arguments(python: &Path, wanted: &[String]) -> io::Result<Vec<PathBuf>> {
    let print = "import kazoo, os; print(os.path.dirname(kazoo.__file__))";
    let output = Command::new(python).args(["-c", print]).output()?;
    let package = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let tests = package.join("tests");
    if wanted.is_empty() {
        return Ok(vec![tests]);
    }
    Ok(wanted.iter().map(|test| tests.join(test)).collect())
}

fn command_lines(command: &Command) -> String {
    let mut lines = vec![command.get_program().to_string_lossy()];
    lines.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    lines.join("\n")
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
