//! A command-line client, driven by a script that reads what it prints.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::deadline::Deadline;
use crate::group::ProcessGroup;

/// How long one answer may take; a JVM's start on a busy machine is the slowest.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A running shell. Its standard output and standard error go to one file, in which
/// [`Shell::expect`] looks at what was printed since the last match.
#[derive(Debug)]
pub struct Shell {
    group: ProcessGroup,
    input: ChildStdin,
    output: NamedTempFile,
    seen: usize,
}

impl Shell {
    /// Starts the shell.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let output = NamedTempFile::new()?;
        let file = File::options().append(true).open(output.path())?;
        command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
        let mut group = ProcessGroup::spawn(command)?;
        let input = group.take_stdin().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { group, input, output, seen: 0 })
    }

    /// Types one line.
    ///
    /// # Panics
    ///
    /// If the shell no longer reads.
    pub fn send(&mut self, line: &str) {
        let sent = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        assert!(sent.is_ok(), "`{line}`: {sent:?}, after\n{}", self.printed());
    }

    /// Waits until each of these texts was printed after everything matched before, in any order.
    ///
    /// # Panics
    ///
    /// If one does not come; the message holds all that was printed.
    pub fn expect(&mut self, texts: &[&str]) {
        let found = Deadline::after(ANSWER_MAX).poll("an answer", || {
            let printed = self.printed();
            // The newline before stays in sight, so that a text can ask for the start of a line.
            let start = self.seen.saturating_sub(1);
            let new = printed.get(start..).unwrap_or_default();
            let ends: Option<Vec<usize>> =
                texts.iter().map(|text| Some(start + new.find(text)? + text.len())).collect();
            if ends.is_none() && self.group.has_ended()? {
                return Err(io::Error::other("the shell has ended"));
            }
            Ok(ends)
        });
        match found {
            Ok(ends) => self.seen = ends.into_iter().max().unwrap_or(self.seen),
            Err(error) => {
                let printed = self.printed();
                let (old, new) = printed.split_at(self.seen.min(printed.len()));
                panic!("{error}: expected {texts:?} after\n{old}\n--- in ---\n{new}");
            }
        }
    }

    /// Types one line and waits for the answer: [`Self::send`] and [`Self::expect`].
    pub fn run(&mut self, line: &str, texts: &[&str]) {
        self.send(line);
        self.expect(texts);
    }

    /// Types the line that ends the shell, and waits for its end.
    ///
    /// # Errors
    ///
    /// If it does not end.
    pub fn quit(mut self, line: &str) -> io::Result<(ExitStatus, String)> {
        self.send(line);
        let status = self.group.wait(Deadline::after(ANSWER_MAX))?;
        Ok((status, read(&self.output)))
    }

    /// Everything printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        read(&self.output)
    }
}

fn read(file: &NamedTempFile) -> String {
    let bytes = fs::read(file.path()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
