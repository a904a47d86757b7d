//! A file, read from front to back in pieces, with a bar where that takes long.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    path::Path,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::OfflineError;

/// How much is read at a time.
const PIECE: usize = 256 << 10;

/// Whoever reads less than this needs no bar.
const SMALL: u64 = 16 << 20;

/// An open file.
pub(super) struct Source {
    file: File,
    name: String,
    length: u64,
    buffer: Vec<u8>,
    progress: ProgressBar,
}

impl Source {
    /// Opens a file; a bar is drawn on standard error if it is a terminal, and `quiet` is not set.
    pub(super) fn open(path: &Path, quiet: bool) -> Result<Self, OfflineError> {
        let system = OfflineError::system(path);
        let file = File::open(path).map_err(&system)?;
        let metadata = file.metadata().map_err(&system)?;
        if metadata.is_dir() {
            return Err(system(ErrorKind::IsADirectory.into()));
        }
        let length = metadata.len();
        let target = match quiet || length < SMALL {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let progress = ProgressBar::with_draw_target(Some(length), target);
        let template = "{msg} {bytes}/{total_bytes} {bar:30} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.set_style(style);
        }
        let name = path.display().to_string();
        progress.set_message(name.clone());
        Ok(Self { file, name, length, buffer: vec![0; PIECE], progress })
    }

    /// How it is called in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How long it was when it was opened, in bytes.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The next piece; empty at the end.
    pub(super) fn read(&mut self) -> Result<&[u8], OfflineError> {
        loop {
            match self.file.read(&mut self.buffer) {
                Ok(count) => {
                    self.progress.inc(count as u64);
                    return Ok(&self.buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(OfflineError::System { file: self.name.clone(), source });
                }
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}
