//! A foreign program with whatever it starts itself.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::deadline::Deadline;

/// A process in a process group of its own. Dropping it ends the whole group: the program may be
/// a script whose children would otherwise outlive it.
#[derive(Debug)]
pub struct ProcessGroup {
    leader: Child,
}

impl ProcessGroup {
    /// Starts the command as the leader of a new group.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { leader: command.process_group(0).spawn()? })
    }

    /// The leader's standard input, if it is piped and was not taken yet.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.leader.stdin.take()
    }

    /// Whether the leader has ended. Its process id stays taken until this is dropped.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.id()), options)?.is_some())
    }

    /// Waits until the leader has ended, then ends what is left of its group.
    ///
    /// # Errors
    ///
    /// If it has not ended at the deadline.
    pub fn wait(mut self, deadline: Deadline) -> io::Result<ExitStatus> {
        deadline.poll("a process to end", || Ok(self.has_ended()?.then_some(())))?;
        self.end()
    }

    fn id(&self) -> Pid {
        Pid::from_child(&self.leader)
    }

    /// The leader, ended or not, was not waited for yet or is remembered by `Child` as waited
    /// for; only in the first case does the id surely belong to this group.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if self.has_ended().is_ok() {
            let _ = kill_process_group(self.id(), Signal::KILL);
        }
        self.leader.wait()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
