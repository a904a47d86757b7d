//! Four-letter words: detected in place of a first frame, answered as plain text, then the end.
//!
//! Behaviour: `org.apache.zookeeper.server.NIOServerCnxn.checkFourLetterWord` and
//! `org.apache.zookeeper.server.command.*`.

use std::fmt::Write;

use bytes::Bytes;

use super::{CloseReason, Endpoint, Event, connection::State};
use crate::{
    ids::{ConnId, Zxid},
    limits::COMMAND_OUTPUT_MAX,
    time::Instant,
    wire::{Command, LENGTH_BYTES, Sink},
};

/// What `gtmk` says until `stmk` is used.
pub(super) const TRACE_MASK: i64 = 0o462;

/// The bytes of `stmk`'s argument.
const TRACE_MASK_LENGTH: usize = 8;

/// The end of an answer that is too long.
const TRUNCATED: &[u8] = b"\n... the answer is longer than the limit and ends here\n";

impl Endpoint {
    /// Answers [`Event::Command`]; the connection closes once the answer is written.
    pub fn answer_command(&mut self, now: Instant, conn: ConnId, text: Bytes) {
        self.advance(now);
        let is_command = |state: &State| matches!(state, State::Command(_));
        if self.table.get(conn).is_some_and(|connection| is_command(&connection.state)) {
            self.finish_command(conn, &text);
        }
    }

    /// A connection's first four bytes were `command`.
    pub(super) fn begin_command(&mut self, conn: ConnId, command: Command) {
        self.stats.packets_received += 1;
        let Some(connection) = self.table.get_mut(conn) else { return };
        connection.figures.received += 1;
        // From here on it counts as one that is not read.
        connection.state = State::Command(command);
        let is_allowed = self.config.commands.allows(command)
            || (command == Command::Isro && self.config.read_only_mode);
        if !is_allowed {
            self.stats.commands_refused += 1;
            let text = format!("{command} is not executed because it is not in the whitelist.\n");
            return self.finish_command(conn, text.as_bytes());
        }
        match command {
            Command::Ruok => self.finish_command(conn, b"imok"),
            Command::Isro => self.finish_command(conn, b"rw"),
            Command::Gtmk => self.finish_command(conn, self.trace_mask.to_string().as_bytes()),
            Command::Stmk => {
                connection.state = State::TraceMask;
                self.progress_trace_mask(conn);
            }
            Command::Crst => {
                self.reset_figures();
                self.finish_command(conn, b"Connection stats reset.\n");
            }
            Command::Cons => {
                let mut text = String::new();
                for connection in self.connections() {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{}", connection.detail());
                    if text.len() > COMMAND_OUTPUT_MAX {
                        break;
                    }
                }
                text.push('\n');
                self.finish_command(conn, text.as_bytes());
            }
            Command::TelnetClose => self.finish_command(conn, b""),
            Command::Conf
            | Command::Dirs
            | Command::Dump
            | Command::Envi
            | Command::Srst
            | Command::Srvr
            | Command::Stat
            | Command::Wchc
            | Command::Wchp
            | Command::Wchs
            | Command::Mntr
            | Command::Hash => {
                connection.inbox.clear(&mut self.pool);
                self.set_reading(conn, false);
                self.set_deadline(conn, Some(self.config.linger));
                self.events.push_back(Event::Command { conn, command });
            }
        }
    }

    /// Reads the argument of `stmk`, once it is whole.
    pub(super) fn progress_trace_mask(&mut self, conn: ConnId) {
        let Some(connection) = self.table.get(conn) else { return };
        if connection.inbox.len() < TRACE_MASK_LENGTH {
            return;
        }
        let Some(first) = connection.inbox.first_four() else { return };
        let Some(second) = connection.inbox.after_first_four().first_chunk::<LENGTH_BYTES>() else {
            return;
        };
        let mask =
            i64::from(i32::from_be_bytes(first)) << 32 | i64::from(u32::from_be_bytes(*second));
        self.trace_mask = mask;
        self.finish_command(conn, mask.to_string().as_bytes());
    }

    fn finish_command(&mut self, conn: ConnId, text: &[u8]) {
        let (text, end) = match text.get(..COMMAND_OUTPUT_MAX) {
            Some(start) if text.len() > COMMAND_OUTPUT_MAX => (start, TRUNCATED),
            _ => (text, &b""[..]),
        };
        self.stats.packets_sent += 1;
        self.write(conn, Zxid::ZERO, None, |out| {
            out.put(text);
            out.put(end);
        });
        self.close_soon(conn, CloseReason::CommandAnswered, Zxid::ZERO);
    }

    fn reset_figures(&mut self) {
        for conn in self.connection_ids() {
            if let Some(connection) = self.table.get_mut(conn) {
                connection.figures.reset();
            }
        }
    }
}
