//! Watches that last.

use std::num::NonZeroU64;

use clap::Args;
use zookeeper_core::wire::AddWatchMode;

use super::Context;
use crate::client::{
    connection::{Notice, Reach},
    failure::{About as _, CommandError},
    interrupt::Interrupt,
    outcome::Outcome,
    value::ZnodePath,
    watching::{News, Watching},
};

/// Print what happens to a znode, one line an event: NodeDataChanged /path.
///
/// It goes on until interrupted, over lost connections too: what changed meanwhile is not told,
/// and a line on standard error says that something may be missing. In the shell it returns at
/// once, and events are shown as they come.
#[derive(Args, Clone, Debug)]
pub(crate) struct Watch {
    /// The znode.
    path: ZnodePath,

    /// Everything below it too; but not that its list of children changed.
    #[arg(short = 'R', long)]
    recursive: bool,

    /// End after so many events.
    #[arg(short = 'n', long, value_name = "EVENTS")]
    count: Option<NonZeroU64>,
}

impl Watch {
    /// Without an end.
    pub(crate) fn new(path: ZnodePath, recursive: bool) -> Self {
        Self { path, recursive, count: None }
    }

    pub(crate) fn run(&self, context: &mut Context<'_>) -> Result<Outcome, CommandError> {
        if self.count.is_some() && context.is_shell() {
            let message = "--count is not for the shell, which shows events as they come";
            return Err(CommandError::Usage(message.into()));
        }
        let path = &self.path.0;
        let mode = if self.recursive {
            AddWatchMode::PersistentRecursive
        } else {
            AddWatchMode::Persistent
        };
        context.connection.add_watch(path, mode).about(path)?;
        match &mut context.watching {
            Watching::InBackground => Ok(Outcome::Done { path: path.clone() }),
            Watching::ByCommand { .. } => context.follow(self.count),
        }
    }
}

impl Context<'_> {
    /// Shows what comes, until there were `count` events or somebody interrupts.
    pub(crate) fn follow(&mut self, count: Option<NonZeroU64>) -> Result<Outcome, CommandError> {
        let interrupt: &Interrupt = self.interrupt;
        let Watching::ByCommand { news, show } = &mut self.watching else {
            return Ok(Outcome::Shown);
        };
        let mut seen = 0;
        while count.is_none_or(|count| seen < count.get()) && !interrupt.is_set() {
            match news.recv() {
                Ok(News::Notice(notice)) => {
                    show(&notice).map_err(CommandError::output)?;
                    match notice {
                        Notice::Event { .. } => seen += 1,
                        Notice::State(Reach::Lost) => return Err(CommandError::SessionLost),
                        _ => {}
                    }
                }
                Ok(News::Interrupted) => break,
                // Nobody is left to tell anything.
                Err(_) => return Err(CommandError::SessionLost),
            }
        }
        Ok(Outcome::Shown)
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressBar;
    use zookeeper_core::{Zxid, client::WatchEventKind};

    use super::*;
    use crate::client::{fake::Fake, watching::queue};

    fn event(number: i64) -> News {
        let kind = WatchEventKind::NodeDataChanged;
        News::Notice(Notice::Event { kind, path: "/a".into(), zxid: Zxid(number) })
    }

    fn run(news: Vec<News>, count: Option<u64>) -> (Result<Outcome, CommandError>, usize) {
        let fake = Fake::new(&["/a"]);
        let (sender, receiver) = queue();
        for item in news {
            sender.send(item).expect("room");
        }
        drop(sender);
        let mut shown = 0;
        let mut context = Context {
            connection: &fake,
            interrupt: &Interrupt::default(),
            watching: Watching::ByCommand {
                news: &receiver,
                show: &mut |_| {
                    shown += 1;
                    Ok(())
                },
            },
            progress: &ProgressBar::hidden(),
        };
        let path = "/a".parse().expect("valid");
        let count = count.and_then(NonZeroU64::new);
        let result = Watch { path, recursive: false, count }.run(&mut context);
        (result, shown)
    }

    #[test]
    fn events_are_counted_and_nothing_else() {
        let suspended = News::Notice(Notice::State(Reach::Suspended));
        let restored = News::Notice(Notice::Restored);
        let (result, shown) = run(vec![event(1), suspended, restored, event(2), event(3)], Some(2));
        assert_eq!(result.expect("enough came"), Outcome::Shown);
        assert_eq!(shown, 4);
    }

    #[test]
    fn an_interrupt_is_the_usual_end() {
        let (result, shown) = run(vec![event(1), News::Interrupted, event(2)], None);
        assert_eq!((result.expect("the usual end"), shown), (Outcome::Shown, 1));
    }

    #[test]
    fn the_end_of_the_session_is_a_failure() {
        let (result, shown) = run(vec![event(1), News::Notice(Notice::State(Reach::Lost))], None);
        assert_eq!((result.expect_err("lost").exit_code(), shown), (3, 2));
    }
}
