//! A directory, made whole again where that loses nothing that anybody could still use.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use zookeeper_disk::{create_directory, sync_directory};

use super::{
    command::Outcome,
    data::DataDirectory,
    data_verify::show,
    failure::OfflineError,
    output::Output,
    repair_plan::{Change, Plan, Step},
    store::Changes,
    verdict::Verdict,
};

/// Where copies go: beside the files, where no server looks.
const ASIDE: &str = "damaged";

/// Cut the torn or corrupt tail of the newest log, and move away a snapshot that is of no use,
/// after keeping copies.
///
/// It is done only if a server can start from what is left, and copies of all that is changed are
/// in the folder `damaged` beside it. A corrupt tail held transactions that clients were told are
/// stored: they are lost, and everything before them is kept. In the middle of a log nothing is
/// ever repaired, since nobody can tell what was there. While it works no zk server can start on
/// the directory; that no server of Apache ZooKeeper runs is for you to see.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MORE)]
pub(crate) struct Repair {
    #[command(flatten)]
    data: DataDirectory,

    /// Change nothing; say what would be done.
    #[arg(long)]
    dry_run: bool,
}

const MORE: &str = "\
Examples:
  zk data repair --dry-run /var/lib/zookeeper
      what is wrong, and what would be done
  zk data repair /var/lib/zookeeper --log-dir /var/log/zookeeper
      do it

Exit status:
  0  the directory is whole, or whole again
  1  it cannot be repaired, and nothing was changed; or, with --dry-run, it is damaged
  2  wrong arguments
  4  with --dry-run: there is a torn tail, which a server cuts by itself";

impl Repair {
    pub(super) fn run(&self, output: &mut Output) -> Outcome {
        let disk = self.data.open()?;
        let plan = Plan::make(&disk, &self.data.config())?;
        if plan.outcome.outcome.is_err() {
            show(&plan.outcome, output)?;
            return Ok(Verdict::Damaged);
        }
        for step in &plan.steps {
            let path = disk.path(&step.file);
            let copy = match self.dry_run {
                true => None,
                false => Some(apply(step, &path)?),
            };
            say(step, &path, copy.as_deref(), output)?;
        }
        if self.dry_run {
            show(&plan.outcome, output)?;
            return Ok(plan.before);
        }
        // What counts is what is there now, not what was planned.
        let after = Changes::default().read(&disk, self.data.config())?;
        show(&after, output)?;
        Ok(after.verdict())
    }
}

/// Changes one file, so that a power cut leaves it as it was, or as it is to be, and a copy of it.
fn apply(step: &Step, path: &Path) -> Result<PathBuf, OfflineError> {
    let aside = make_aside(path)?;
    let copy = free_name(&aside, &step.file.name);
    let system = OfflineError::system(path);
    match step.change {
        Change::Cut(length) => {
            let of_copy = OfflineError::system(&copy);
            fs::copy(path, &copy).map_err(&of_copy)?;
            File::open(&copy).and_then(|copy| copy.sync_all()).map_err(&of_copy)?;
            sync(&aside)?;
            let file = OpenOptions::new().write(true).open(path).map_err(&system)?;
            file.set_len(length).and_then(|()| file.sync_all()).map_err(&system)?;
        }
        Change::Remove => {
            fs::rename(path, &copy).map_err(&system)?;
            sync(&aside)?;
        }
    }
    if let Some(directory) = path.parent() {
        sync(directory)?;
    }
    Ok(copy)
}

/// The folder for copies, made if it is not there.
fn make_aside(path: &Path) -> Result<PathBuf, OfflineError> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let aside = directory.join(ASIDE);
    match create_directory(&aside) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && aside.is_dir() => {}
        result => {
            result.map_err(OfflineError::system(&aside))?;
            sync(directory)?;
        }
    }
    Ok(aside)
}

/// A name that nothing has yet: earlier repairs left copies, too.
fn free_name(aside: &Path, name: &str) -> PathBuf {
    let mut names = (1_u32..).map(|number| aside.join(format!("{name}.{number}")));
    let is_free = |path: &PathBuf| !path.exists() && !path.is_symlink();
    names.find(is_free).unwrap_or_else(|| aside.join(name))
}

/// Makes the names in a directory survive a power cut.
fn sync(path: &Path) -> Result<(), OfflineError> {
    sync_directory(path).map_err(OfflineError::system(path))
}

/// Says what was done, or would be.
fn say(
    step: &Step,
    path: &Path,
    copy: Option<&Path>,
    output: &mut Output,
) -> Result<(), OfflineError> {
    let shown = |path: &Path| path.display().to_string();
    output.show(
        || {
            let (action, length) = match step.change {
                Change::Cut(length) => ("cut", Some(length)),
                Change::Remove => ("remove", None),
            };
            json!({
                "action": action,
                "file": shown(path),
                "length": length,
                "copy": copy.map(shown),
                "reason": step.reason,
            })
        },
        || {
            let (will_be, kept) = match copy {
                None => ("would be ", String::new()),
                Some(copy) => ("", format!("; what it was is in {}", shown(copy))),
            };
            format!("{}\n{}: {will_be}{}{kept}", step.reason, shown(path), step.change)
        },
    )
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_cannot_sync_directories_can_be_repaired() {
        super::sync("/proc".as_ref()).expect("there is no such thing there");
    }

    #[cfg(unix)]
    #[test]
    fn copies_are_not_for_everybody() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("room");
        let aside = super::make_aside(&dir.path().join("log.1")).expect("room");
        let mode = std::fs::metadata(aside).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
    }
}
