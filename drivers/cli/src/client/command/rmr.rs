//! A znode and everything below it, deleted.

use clap::Args;
use zookeeper_core::wire::ErrorCode;

use super::{Context, TICK, style};
use crate::client::{
    connection::{Change, Connection},
    failure::{About as _, CommandError, is_loss},
    outcome::Outcome,
    subtree,
    value::ZnodePath,
};

/// How many znodes go in one transaction.
const BATCH: usize = 128;

/// How often a znode that got new children is tried again with them.
const TRIES: u32 = 8;

/// Delete a znode and everything below it.
///
/// It is not one transaction: what was deleted stays deleted when something goes wrong, and the
/// counts say how much that was. Children that others create meanwhile are deleted too.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rmr {
    /// The znode.
    path: ZnodePath,
}

/// What was done so far.
#[derive(Clone, Copy, Default)]
struct Counts {
    deleted: u64,
    /// By others, after they were seen.
    gone: u64,
}

impl Rmr {
    pub(super) fn run(&self, context: &Context<'_>) -> Result<Outcome, CommandError> {
        let path = self.path.0.clone();
        if path == "/" {
            let message = "the root cannot be deleted; name its children";
            return Err(CommandError::Usage(message.into()));
        }
        let mut counts = Counts::default();
        context.progress.enable_steady_tick(TICK);
        let result = delete_tree(context, &path, &mut counts);
        context.progress.finish_and_clear();
        let Counts { deleted, gone } = counts;
        match result {
            Ok(()) => Ok(Outcome::Deleted { path, deleted, gone }),
            Err(error) if deleted == 0 => Err(error),
            Err(error) => Err(CommandError::Partly { deleted, error: Box::new(error) }),
        }
    }
}

fn delete_tree(context: &Context<'_>, root: &str, counts: &mut Counts) -> Result<(), CommandError> {
    for remaining in (0..TRIES).rev() {
        match delete_once(context, root, counts) {
            // Somebody creates children as fast as this deletes them, perhaps for ever.
            Err(CommandError::Operation { error, .. })
                if error.code() == ErrorCode::NOT_EMPTY && remaining > 0 => {}
            // A later round finds that the others were faster.
            Err(CommandError::Operation { error, path: Some(path) })
                if error.code() == ErrorCode::NO_NODE && path == root && remaining + 1 < TRIES =>
            {
                return Ok(());
            }
            result => return result,
        }
    }
    Ok(())
}

/// Lists everything, and deletes it from below.
fn delete_once(context: &Context<'_>, root: &str, counts: &mut Counts) -> Result<(), CommandError> {
    let progress = context.progress;
    progress.set_style(style("{spinner} {pos} found"));
    let found = subtree::read(context.connection, context.interrupt, root, |found| {
        progress.set_position(u64::try_from(found).unwrap_or(u64::MAX));
    })?;
    counts.gone += found.gone;
    progress.set_style(style("{spinner} {pos}/{len} deleted {bar:30} {per_sec}"));
    progress.set_length(u64::try_from(found.paths.len()).unwrap_or(u64::MAX));
    progress.set_position(0);
    for batch in found.paths.rchunks(BATCH) {
        context.interrupt.check()?;
        delete_batch(context.connection, batch, counts)?;
        progress.set_position(counts.deleted + counts.gone);
    }
    Ok(())
}

/// Children stand behind their parents. All of the batch goes at once if nothing stands against it,
/// else one by one.
fn delete_batch(
    connection: &dyn Connection,
    paths: &[String],
    counts: &mut Counts,
) -> Result<(), CommandError> {
    let delete = |path: &String| Change::Delete { path: path.clone(), version: None };
    let changes: Vec<Change> = paths.iter().rev().map(delete).collect();
    if let [_, _, ..] = paths {
        match connection.multi(&changes) {
            Ok(_) => {
                counts.deleted += u64::try_from(paths.len()).unwrap_or(u64::MAX);
                return Ok(());
            }
            Err(error) if is_loss(&error) => return Err(error).about_nothing(),
            Err(_) => {}
        }
    }
    for path in paths.iter().rev() {
        match connection.delete(path, None) {
            Ok(()) => counts.deleted += 1,
            Err(error) if error.code() == ErrorCode::NO_NODE => counts.gone += 1,
            Err(error) => return Err(error).about(path),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressBar;

    use super::*;
    use crate::client::{fake::Fake, interrupt::Interrupt, watching::Watching};

    fn run(fake: &Fake, path: &str) -> Result<Outcome, CommandError> {
        let context = Context {
            connection: fake,
            interrupt: &Interrupt::default(),
            watching: Watching::InBackground,
            progress: &ProgressBar::hidden(),
        };
        Rmr { path: path.parse().expect("valid") }.run(&context)
    }

    fn deleted(path: &str, deleted: u64, gone: u64) -> Outcome {
        Outcome::Deleted { path: path.into(), deleted, gone }
    }

    #[test]
    fn everything_below_goes_and_nothing_else() {
        let mut paths = vec!["/a".to_owned(), "/ab".into()];
        paths.extend((0..300).map(|number| format!("/a/{number}")));
        let fake = Fake::new(&paths);
        assert_eq!(run(&fake, "/a").expect("it works"), deleted("/a", 301, 0));
        assert_eq!(fake.paths(), ["/", "/ab"]);
    }

    #[test]
    fn others_deletions_are_not_counted_as_ours() {
        let fake = Fake::new(&["/a", "/a/b", "/a/c"]);
        // The children of /a, those of /a/b and /a/c, then the transaction.
        fake.on_request(2, |tree| {
            tree.remove("/a/c");
        });
        assert_eq!(run(&fake, "/a").expect("it works"), deleted("/a", 2, 1));
    }

    #[test]
    fn children_that_come_meanwhile_go_too() {
        let fake = Fake::new(&["/a", "/a/b"]);
        fake.on_request(2, |tree| {
            tree.insert("/a/b/new".into());
        });
        assert_eq!(run(&fake, "/a").expect("it works"), deleted("/a", 3, 0));
        assert_eq!(fake.paths(), ["/"]);
    }

    #[test]
    fn a_loss_says_how_far_it_came() {
        let paths: Vec<String> = (0..200).map(|number| format!("/a/{number}")).collect();
        let fake = Fake::new(&[&["/a".to_owned()], &paths[..]].concat());
        // The children of /a and twice of its children's, one transaction, then the end.
        fake.lose_at(4);
        let error = run(&fake, "/a").expect_err("lost");
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().ends_with("(after 128 deleted)"), "{error}");
        assert_eq!(fake.paths().len(), 2 + 200 - 128);
    }

    #[test]
    fn the_root_and_what_is_not_there_are_refused() {
        let fake = Fake::new(&["/a"]);
        assert!(matches!(run(&fake, "/"), Err(CommandError::Usage(_))));
        assert_eq!(run(&fake, "/b").expect_err("none").code(), Some(ErrorCode::NO_NODE));
        assert_eq!(fake.paths(), ["/", "/a"]);
    }
}
