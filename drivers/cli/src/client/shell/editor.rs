//! The prompt.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anstyle::AnsiColor;
use rustyline::{
    ColorMode, CompletionType, Config, Context, Editor, ExternalPrinter as _, Helper,
    completion::{Completer, Pair},
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::FileHistory,
    validate::Validator,
};

use super::{complete::complete, history};
use crate::client::{connection::Connection, failure::CommandError, output::Form};

/// How many lines are kept.
const HISTORY_MAX: usize = 10_000;

/// How much of the servers' names fits into a prompt.
const PROMPT_MAX: usize = 40;

/// The prompt, with history and completion.
pub(super) struct LineEditor {
    editor: Editor<Assistant, FileHistory>,
    form: Form,
    history: Option<PathBuf>,
}

/// What came of waiting for a line.
pub(super) enum Typed {
    Line(String),
    /// Ctrl-C: the line is forgotten.
    Interrupted,
    /// Ctrl-D.
    End,
}

impl LineEditor {
    /// A prompt with the history of this file, or of the usual one. Without a history there is a
    /// shell all the same.
    pub(super) fn new(form: Form, history: Option<&Path>) -> Result<Self, CommandError> {
        let colour = if form.colour { ColorMode::Enabled } else { ColorMode::Disabled };
        let config = Config::builder()
            .color_mode(colour)
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_MAX)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(failure)?
            .build();
        let mut editor = Editor::with_config(config).map_err(failure)?;
        let history = history::file(history).unwrap_or_else(|error| {
            complain(&format!("no history: {error}"));
            None
        });
        if let Some(path) = history.as_ref().filter(|path| path.exists())
            && let Err(error) = editor.load_history(path)
        {
            complain(&format!("{}: {error}", path.display()));
        }
        Ok(Self { editor, form, history })
    }

    /// What prints above the prompt, or wherever the cursor is if there is none.
    pub(super) fn printer(
        &mut self,
    ) -> Result<impl FnMut(String) -> io::Result<()> + Send + 'static, CommandError> {
        let mut printer = self.editor.create_external_printer().map_err(failure)?;
        Ok(move |text| printer.print(text).map_err(io::Error::other))
    }

    /// Completes paths from this session's tree.
    pub(super) fn complete_from(&mut self, session: Arc<dyn Connection + Send>) {
        self.editor.set_helper(Some(Assistant { session }));
    }

    /// Waits for a line.
    pub(super) fn read(&mut self, prompt: &str) -> Result<Typed, CommandError> {
        let style = AnsiColor::Green.on_default();
        let prompt = (prompt, self.form.paint(style, prompt));
        match self.editor.readline(&prompt) {
            Ok(line) => {
                if history::may_keep(&line) {
                    self.keep(&line);
                }
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Interrupted),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(failure(error)),
        }
    }

    fn keep(&mut self, line: &str) {
        let mut kept = self.editor.add_history_entry(line).map(drop);
        if let Some(path) = &self.history {
            kept = kept.and_then(|()| self.editor.append_history(path));
        }
        if let Err(error) = kept {
            complain(&format!("no history any more: {error}"));
            self.history = None;
        }
    }
}

/// The prompt says where commands go.
pub(super) fn prompt(servers: &str, is_connected: bool) -> String {
    let mut name: String = servers.chars().take(PROMPT_MAX).collect();
    if name.len() < servers.len() {
        name.push('…');
    }
    let state = if is_connected { "" } else { " (not connected)" };
    format!("zk {name}{state}> ")
}

/// What the editor asks while a line is typed.
struct Assistant {
    session: Arc<dyn Connection + Send>,
}

impl Helper for Assistant {}
impl Highlighter for Assistant {}
impl Validator for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(complete(&*self.session, line, cursor))
    }
}

fn failure(error: ReadlineError) -> CommandError {
    let source = match error {
        ReadlineError::Io(error) => error,
        error => io::Error::other(error),
    };
    CommandError::System { what: "the terminal".into(), source }
}

/// What makes the shell less comfortable, and no more.
fn complain(message: &str) {
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_says_where_commands_go() {
        assert_eq!(prompt("a:1/b", true), "zk a:1/b> ");
        assert_eq!(prompt("a:1", false), "zk a:1 (not connected)> ");
        let long = "zookeeper-0.example:2181,".repeat(4);
        let text = prompt(&long, true);
        assert!(text.ends_with("…> ") && text.chars().count() < 50, "{text}");
    }
}
