//! Where lines go: text or JSON on standard output, and remarks beside them.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use serde_json::Value;

use super::failure::OfflineError;

/// Standard output, or what stands for it in a test.
pub(super) struct Output {
    out: Box<dyn Write>,
    json: bool,
    is_terminal: bool,
}

impl Output {
    /// Standard output.
    pub(super) fn stdout(json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self { out: Box::new(BufWriter::with_capacity(64 << 10, io::stdout())), json, is_terminal }
    }

    /// Whether JSON is wanted.
    pub(super) const fn json(&self) -> bool {
        self.json
    }

    /// Whether lines go where a progress bar would be.
    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A line of text.
    pub(super) fn line(&mut self, text: &str) -> Result<(), OfflineError> {
        writeln!(self.out, "{text}").map_err(OfflineError::output)
    }

    /// A line of JSON.
    pub(super) fn value(&mut self, value: &Value) -> Result<(), OfflineError> {
        writeln!(self.out, "{value}").map_err(OfflineError::output)
    }

    /// The same thing in the form that is wanted.
    pub(super) fn show(
        &mut self,
        value: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), OfflineError> {
        if self.json { self.value(&value()) } else { self.line(&text()) }
    }

    /// What is no part of the output: for people, on standard error.
    pub(super) fn remark(&mut self, text: &str) -> Result<(), OfflineError> {
        // In the order in which it was said, where both go to one place.
        self.out.flush().map_err(OfflineError::output)?;
        // Nobody may be listening there.
        let _ = writeln!(io::stderr(), "{text}");
        Ok(())
    }

    /// Everything was said.
    pub(super) fn finish(&mut self) -> Result<(), OfflineError> {
        self.out.flush().map_err(OfflineError::output)
    }
}
