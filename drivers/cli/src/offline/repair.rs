//! A directory, made whole again where that loses nothing that anybody could still use.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use zookeeper_disk::Disk;

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
                false => Some(apply(step, &disk, &path)?),
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
fn apply(step: &Step, disk: &Disk, path: &Path) -> Result<PathBuf, OfflineError> {
    let length = match step.change {
        Change::Remove => return Ok(disk.set_aside(&step.file)?),
        Change::Cut(length) => length,
    };
    let system = OfflineError::system(path);
    let whole = fs::metadata(path).map_err(&system)?.len();
    let copy = disk.keep(&step.file, 0..whole)?;
    let file = OpenOptions::new().write(true).open(path).map_err(&system)?;
    file.set_len(length).and_then(|()| file.sync_all()).map_err(&system)?;
    Ok(copy)
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
