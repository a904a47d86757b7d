//! A directory as a server would read it, changed or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zookeeper_core::storage::{
    File, FileInfo, ReadRequest, Recovered, Recovery, RecoveryConfig, RecoveryError, RecoveryEvent,
    StorageError,
};
use zookeeper_disk::Disk;

use super::failure::OfflineError;

/// Whoever reads less than this needs no bar.
const SMALL: u64 = 16 << 20;

/// What the files are to be like.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Lengths that files are cut to.
    pub(super) cuts: BTreeMap<File, u64>,
    /// Files that are not there any more.
    pub(super) gone: BTreeSet<File>,
}

/// What comes of reading a directory.
pub(super) struct Reading {
    /// What should be heard of.
    pub(super) events: Vec<RecoveryEvent>,
    /// The tree, or why there is none.
    pub(super) outcome: Result<Recovered, RecoveryError>,
}

impl Changes {
    /// Reads the files as they would be with these changes.
    pub(super) fn read(
        &self,
        disk: &Disk,
        config: RecoveryConfig,
    ) -> Result<Reading, OfflineError> {
        let mut files = disk.files()?;
        files.retain(|info| !self.gone.contains(&info.file));
        for FileInfo { file, length } in &mut files {
            *length = self.cuts.get(file).map_or(*length, |cut| (*length).min(*cut));
        }
        // Nothing that is shown depends on the seed.
        let mut recovery = Recovery::new(config, 0, files);
        let mut files = Files { disk, open: None, buffer: Vec::new() };
        let progress = bar(recovery.progress().total);
        let mut events = Vec::new();
        loop {
            events.extend(std::iter::from_fn(|| recovery.poll_event()));
            let Some(request) = recovery.poll_read() else { break };
            match files.read(&request) {
                Ok(bytes) => recovery.handle_read(bytes),
                Err((path, error)) => recovery.handle_read_error(StorageError {
                    file: path.display().to_string().into(),
                    operation: "read",
                    kind: error.kind(),
                    message: error.to_string().into(),
                }),
            }
            let now = recovery.progress();
            progress.set_length(now.total);
            progress.set_position(now.done);
        }
        progress.finish_and_clear();
        Ok(Reading { events, outcome: recovery.finish() })
    }
}

fn bar(length: u64) -> ProgressBar {
    let target = match length < SMALL {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    match ProgressStyle::with_template("{bytes}/{total_bytes} {bar:30} {bytes_per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Files that are read where a recovery asks for them.
struct Files<'a> {
    disk: &'a Disk,
    open: Option<(File, fs::File)>,
    buffer: Vec<u8>,
}

impl Files<'_> {
    /// The bytes asked for; fewer where the file ends.
    fn read(&mut self, request: &ReadRequest) -> Result<&[u8], (PathBuf, io::Error)> {
        let path = self.disk.path(&request.file);
        self.buffer.clear();
        match self.read_from(&path, request) {
            Ok(()) => Ok(&self.buffer),
            Err(error) => Err((path, error)),
        }
    }

    fn read_from(&mut self, path: &std::path::Path, request: &ReadRequest) -> io::Result<()> {
        let mut handle = match self.open.take() {
            Some((file, handle)) if file == request.file => handle,
            _ => fs::File::open(path)?,
        };
        handle.seek(SeekFrom::Start(request.offset))?;
        let length = u64::try_from(request.length).unwrap_or(u64::MAX);
        (&mut handle).take(length).read_to_end(&mut self.buffer)?;
        self.open = Some((request.file.clone(), handle));
        Ok(())
    }
}
