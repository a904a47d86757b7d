//! Who shows what is watched: the command itself, or the shell around it.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use super::connection::Notice;

/// How many notices may wait until they are shown. Behind that whoever brings them waits.
const WAITING_MAX: usize = 1_024;

/// Where notices go.
pub(crate) enum Watching<'a> {
    /// To the command, which ends when it has seen enough.
    ByCommand {
        /// What is told.
        news: &'a Receiver<News>,
        /// Prints one notice.
        show: &'a mut dyn FnMut(&Notice) -> io::Result<()>,
    },
    /// To the shell, which goes on meanwhile.
    InBackground,
}

/// What a waiting command is told.
#[derive(Debug)]
pub(crate) enum News {
    /// By the session.
    Notice(Notice),
    /// By whoever pressed Ctrl-C.
    Interrupted,
}

/// A queue from the session to the command.
pub(crate) fn queue() -> (SyncSender<News>, Receiver<News>) {
    sync_channel(WAITING_MAX)
}
