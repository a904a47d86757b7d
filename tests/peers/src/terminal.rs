//! A program at a pseudo-terminal, of which a test sees the screen as a person would.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pty, open};
use vt100::Parser;

use crate::deadline::Deadline;

/// How long one answer may take on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// So many rows that nothing scrolls away.
const ROWS: NonZeroU16 = NonZeroU16::new(500).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(120).unwrap();

/// A running program with a terminal of its own. Dropping it kills the program.
pub struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    screen: Arc<Screen>,
}

struct Screen {
    shown: Mutex<Shown>,
    changed: Condvar,
}

struct Shown {
    parser: Parser,
    raw: Vec<u8>,
    is_over: bool,
}

impl Terminal {
    /// Starts the program.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or there is no terminal for it.
    pub fn start(command: Command) -> io::Result<Self> {
        let (pty, pts) = open().map_err(io::Error::other)?;
        pty.resize(Size::new(ROWS.get(), COLUMNS.get())).map_err(io::Error::other)?;
        let child = PtyCommand::from(command).spawn(pts).map_err(io::Error::other)?;
        let pty = Arc::new(pty);
        let screen = Arc::new(Screen {
            shown: Mutex::new(Shown {
                parser: Parser::new(ROWS, COLUMNS, 0),
                raw: Vec::new(),
                is_over: false,
            }),
            changed: Condvar::new(),
        });
        let (reader, its) = (Arc::clone(&pty), Arc::clone(&screen));
        thread::spawn(move || its.fill(&reader));
        Ok(Self { child, pty, screen })
    }

    /// Types, without pressing enter.
    ///
    /// # Panics
    ///
    /// If the terminal is closed.
    pub fn send(&self, text: &str) {
        let sent = (&*self.pty).write_all(text.as_bytes());
        assert!(sent.is_ok(), "{text:?}: {sent:?}, after\n{}", self.contents());
    }

    /// Everything on the screen.
    #[must_use]
    pub fn contents(&self) -> String {
        self.screen.lock().parser.screen().contents()
    }

    /// Every byte that was printed, escape sequences and all.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        self.screen.lock().raw.clone()
    }

    /// Waits until the screen is as wanted, and returns it.
    ///
    /// # Panics
    ///
    /// If it does not get so; the message shows what is there.
    pub fn wait(&self, what: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + ANSWER_MAX;
        let mut shown = self.screen.lock();
        loop {
            let contents = shown.parser.screen().contents();
            if is_wanted(&contents) {
                return contents;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !shown.is_over, "waited for {what} in vain:\n{contents}");
            let waited = self.screen.changed.wait_timeout(shown, left);
            shown = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the last line is this one, and returns the screen.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn wait_for_line(&self, last: &str) -> String {
        self.wait(last, |contents| last_line(contents) == last.trim_end())
    }

    /// Types a line at a prompt, waits for the next prompt, and returns the lines between. What
    /// comes above a prompt by itself meanwhile is among them.
    ///
    /// # Panics
    ///
    /// If there is no prompt, or no other one comes.
    #[must_use]
    pub fn run(&self, prompt: &str, line: &str) -> Vec<String> {
        let prompt = prompt.trim_end();
        let count = |contents: &str| prompts(contents, prompt).count();
        let before = count(&self.wait_for_line(prompt));
        self.send(&format!("{line}\r"));
        let after = self.wait("the next prompt", |contents| {
            count(contents) > before && last_line(contents) == prompt
        });
        let lines: Vec<&str> = after.trim_end().lines().collect();
        let typed = prompts(&after, prompt).rev().nth(1).unwrap_or_default();
        lines[typed + 1..lines.len() - 1].iter().map(|&line| line.to_owned()).collect()
    }

    /// The program's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of the program, and until all that it printed is on the screen.
    ///
    /// # Errors
    ///
    /// If it does not end.
    pub fn finish(&mut self) -> io::Result<ExitStatus> {
        let deadline = Deadline::after(ANSWER_MAX);
        deadline
            .poll("the program's last words", || Ok(self.screen.lock().is_over.then_some(())))?;
        deadline.poll("the program's end", || self.child.try_wait())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    /// Shows what comes. The end of the program is the end of the terminal.
    fn fill(&self, mut pty: &Pty) {
        let mut buffer = [0; 4096];
        loop {
            let length = match pty.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            let mut shown = self.lock();
            shown.parser.process(&buffer[..length]);
            shown.raw.extend_from_slice(&buffer[..length]);
            drop(shown);
            self.changed.notify_all();
        }
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = self.contents();
        f.debug_struct("Terminal").field("child", &self.child).field("contents", &contents).finish()
    }
}

/// The numbers of the lines that begin with the prompt.
fn prompts(contents: &str, prompt: &str) -> impl DoubleEndedIterator<Item = usize> {
    let lines: Vec<&str> = contents.trim_end().lines().collect();
    let begins = |(number, line): (usize, &str)| line.starts_with(prompt).then_some(number);
    lines.into_iter().enumerate().filter_map(begins).collect::<Vec<_>>().into_iter()
}

fn last_line(contents: &str) -> &str {
    contents.trim_end().lines().last().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_seen_as_on_a_screen() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "printf 'one\\ntwo\\r\\033[31mT\\033[0m\\n$ '; read line; echo [$line]"]);
        let mut terminal = Terminal::start(command).expect("a terminal");
        assert_eq!(terminal.wait_for_line("$ ").trim_end(), "one\nTwo\n$");
        assert!(terminal.raw().windows(5).any(|bytes| bytes == b"\x1b[31m"));
        terminal.send("hello\r");
        assert!(terminal.finish().expect("it ends").success());
        assert_eq!(terminal.contents().trim_end(), "one\nTwo\n$ hello\n[hello]");
    }
}
