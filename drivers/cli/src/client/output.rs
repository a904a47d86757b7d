//! How what a command found is shown: as text or JSON, in colour or not.

use std::io::{self, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::{connection::Notice, failure::CommandError, json, outcome::Outcome, render};

/// How things are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    /// As JSON, rather than text.
    pub(crate) json: bool,
    /// To a terminal, which must not obey what data say.
    pub(crate) terminal: bool,
    /// Data end with a line end, whether they have one or not.
    pub(crate) line_end: bool,
    /// In colour.
    pub(crate) colour: bool,
}

impl Form {
    /// What suits standard output.
    pub(crate) fn of_stdout(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let colour = AutoStream::choice(&stdout) != ColorChoice::Never;
        Self { json, terminal, line_end: terminal, colour: colour && !json }
    }

    /// What suits standard error.
    pub(crate) fn of_stderr(json: bool) -> Self {
        let stderr = io::stderr();
        let terminal = stderr.is_terminal();
        let colour = AutoStream::choice(&stderr) != ColorChoice::Never;
        Self { json, terminal, line_end: true, colour: colour && !json }
    }

    /// Text in a style, if there is colour at all.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.into() }
    }
}

/// Styles, each for one purpose.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const EVENT: Style = AnsiColor::Yellow.on_default();
pub(crate) const STATE: Style = AnsiColor::Cyan.on_default();
pub(crate) const FIELD: Style = Style::new().dimmed();

/// Prints an outcome on standard output.
pub(crate) fn print(outcome: &Outcome, form: Form) -> Result<(), CommandError> {
    let bytes = match form.json {
        true => json::outcome(outcome).map_or_else(Vec::new, |value| line(&value)),
        false => render::outcome(outcome, &form),
    };
    let mut out = io::stdout().lock();
    out.write_all(&bytes).and_then(|()| out.flush()).map_err(CommandError::output)
}

/// Prints a notice: JSON and events on standard output, other text on standard error, so that
/// whoever reads lines gets events alone.
pub(crate) fn print_notice(notice: &Notice, form: Form) -> io::Result<()> {
    if form.json || matches!(notice, Notice::Event { .. }) {
        let mut out = io::stdout().lock();
        return out.write_all(notice_line(notice, form).as_bytes()).and_then(|()| out.flush());
    }
    let text = render::notice(notice, &Form::of_stderr(false));
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "{text}");
    Ok(())
}

/// A notice as a line.
pub(crate) fn notice_line(notice: &Notice, form: Form) -> String {
    let mut text = match form.json {
        true => json::notice(notice).to_string(),
        false => render::notice(notice, &form),
    };
    text.push('\n');
    text
}

/// Says on standard error why a command failed.
pub(crate) fn print_error(error: &CommandError, json: bool) {
    let form = Form::of_stderr(json);
    let text = if json { error.to_json().to_string() } else { render::error(error, &form) };
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "{text}");
}

/// One line of JSON.
fn line(value: &Value) -> Vec<u8> {
    let mut text = value.to_string();
    text.push('\n');
    text.into_bytes()
}
