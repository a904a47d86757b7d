//! Why a command did not do what it was asked to, and the exit status that says so.

use std::io;

use serde_json::{Value, json};
use zookeeper_core::{
    client::{Error, RequestError},
    wire::ErrorCode,
};

use super::{code_name::code_name, connection::Answer, json::progress_value, transfer::Progress};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It cannot be done as it was said.
    #[error("{0}")]
    Usage(String),
    /// The server refused, or nobody answered.
    #[error("{}{}{}", place(path), description(error), name(error.code()))]
    Operation {
        /// What it was about, if it was about a znode.
        path: Option<String>,
        /// What went wrong.
        error: Error,
    },
    /// A multi failed as a whole.
    #[error("operation {} ({what}): {}{}", index + 1, message(*code), name(*code))]
    Multi {
        /// Which of its operations failed, from zero.
        index: usize,
        /// That operation's name and path.
        what: String,
        /// Why.
        code: ErrorCode,
        /// The codes of all operations.
        results: Vec<ErrorCode>,
    },
    /// A recursive delete stopped on its way.
    #[error("{error} (after {deleted} deleted)")]
    Partly {
        /// Znodes deleted before, which stay deleted.
        deleted: u64,
        /// What stopped it.
        error: Box<Self>,
    },
    /// A file does not say what it ought to.
    #[error("{0}")]
    Content(String),
    /// Something about lines of a file.
    #[error("{file}, {}: {error}", lines(*first, *last))]
    AtLine {
        /// The file.
        file: String,
        /// The first line that it is about.
        first: u64,
        /// The last line that it is about.
        last: u64,
        /// What it is.
        error: Box<Self>,
    },
    /// An import stopped on its way.
    #[error("{error} ({})", so_far(progress))]
    PartlyImported {
        /// What was done before, which stays.
        progress: Progress,
        /// What stopped it.
        error: Box<Self>,
    },
    /// No server was reached.
    #[error("cannot connect to {servers}: {reason}")]
    Unreachable {
        /// The connect string.
        servers: String,
        /// Why.
        reason: String,
        /// `CONNECTION_LOSS`, unless a server was reached that refused.
        code: ErrorCode,
    },
    /// The session ended under the command.
    #[error("the session is over")]
    SessionLost,
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A file, or an output, refuses.
    #[error("{what}: {source}")]
    System {
        /// Which.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl CommandError {
    /// What cannot be written to standard output.
    pub(crate) fn output(source: io::Error) -> Self {
        Self::System { what: "standard output".into(), source }
    }

    /// A znode that is not there, where that is no error of the request.
    pub(crate) fn no_node(path: &str) -> Self {
        Self::Operation { path: Some(path.into()), error: answered(ErrorCode::NO_NODE) }
    }

    /// The status to exit with, as the help says.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Operation { error: Error::Argument(_), .. } => 2,
            Self::Operation { error, .. } if is_loss(error) => 3,
            Self::Partly { error, .. }
            | Self::AtLine { error, .. }
            | Self::PartlyImported { error, .. } => error.exit_code(),
            Self::Unreachable { code: ErrorCode::CONNECTION_LOSS, .. } | Self::SessionLost => 3,
            Self::Operation { .. }
            | Self::Multi { .. }
            | Self::Unreachable { .. }
            | Self::Interrupted
            | Self::Content(_)
            | Self::System { .. } => 1,
        }
    }

    /// ZooKeeper's code for it, where it has one.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Operation { error, .. } => Some(error.code()),
            Self::Multi { code, .. } | Self::Unreachable { code, .. } => Some(*code),
            Self::Partly { error, .. }
            | Self::AtLine { error, .. }
            | Self::PartlyImported { error, .. } => error.code(),
            Self::SessionLost => Some(ErrorCode::SESSION_EXPIRED),
            Self::Usage(_) | Self::Interrupted | Self::Content(_) | Self::System { .. } => None,
        }
    }

    /// Whether whoever reads has read enough.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// For `--json`.
    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({ "message": self.to_string() });
        if let Some(code) = self.code() {
            value["error"] = code_name(code).into();
            value["code"] = code.0.into();
        }
        match self {
            Self::Operation { path, error } => {
                if let Some(path) = path {
                    value["path"] = path.as_str().into();
                }
                if error.maybe_executed() {
                    value["maybeExecuted"] = true.into();
                }
            }
            Self::Multi { index, results, .. } => {
                value["index"] = (*index).into();
                value["results"] = results.iter().copied().map(code_name).collect();
            }
            Self::Partly { deleted, .. } => value["deleted"] = (*deleted).into(),
            Self::AtLine { first, last, .. } => value["lines"] = json!([first, last]),
            Self::PartlyImported { progress, error } => {
                if let Self::AtLine { first, last, .. } = &**error {
                    value["lines"] = json!([first, last]);
                }
                value["done"] = progress_value(progress);
            }
            _ => {}
        }
        value
    }
}

/// Names the znode that an answer is about.
pub(crate) trait About<T> {
    fn about(self, path: &str) -> Result<T, CommandError>;
    fn about_nothing(self) -> Result<T, CommandError>;
}

impl<T> About<T> for Answer<T> {
    fn about(self, path: &str) -> Result<T, CommandError> {
        self.map_err(|error| CommandError::Operation { path: Some(path.into()), error })
    }

    fn about_nothing(self) -> Result<T, CommandError> {
        self.map_err(|error| CommandError::Operation { path: None, error })
    }
}

/// An answer of the server's.
pub(crate) const fn answered(code: ErrorCode) -> Error {
    Error::Request(RequestError::Server(code))
}

/// Whether there was nobody to answer, rather than an answer.
pub(crate) fn is_loss(error: &Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::CONNECTION_LOSS
            | ErrorCode::OPERATION_TIMEOUT
            | ErrorCode::REQUEST_TIMEOUT
            | ErrorCode::SESSION_EXPIRED
    )
}

fn lines(first: u64, last: u64) -> String {
    if first == last { format!("line {first}") } else { format!("lines {first} to {last}") }
}

fn so_far(progress: &Progress) -> String {
    let Progress { created, overwritten, skipped, line, open } = progress;
    let mut text = format!(
        "done up to line {line}: {created} created, {overwritten} overwritten, {skipped} skipped"
    );
    if *open > 0 {
        text += &format!("; {open} lack their ACLs and are open to everybody");
    }
    text
}

fn place(path: &Option<String>) -> String {
    path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default()
}

fn name(code: ErrorCode) -> String {
    format!(" ({})", code_name(code))
}

fn message(code: ErrorCode) -> &'static str {
    code.message().unwrap_or("unknown error")
}

/// The server's own words, without the number: the name says as much.
fn description(error: &Error) -> String {
    match error {
        Error::Request(RequestError::Server(code)) => message(*code).into(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::client::ArgumentError;

    use super::*;

    fn failed(error: impl Into<Error>) -> CommandError {
        Err::<(), Error>(error.into()).about("/a").expect_err("it is one")
    }

    #[test]
    fn a_refusal_names_the_znode_and_the_error() {
        let error = failed(RequestError::Server(ErrorCode::NO_NODE));
        assert_eq!(error.to_string(), "/a: no node (NONODE)");
        assert_eq!(error.exit_code(), 1);
        let expected = json!({
            "error": "NONODE", "code": -101, "path": "/a", "message": "/a: no node (NONODE)",
        });
        assert_eq!(error.to_json(), expected);
    }

    #[test]
    fn a_loss_says_what_may_have_happened() {
        let error = failed(RequestError::ConnectionLoss { maybe_executed: true });
        let text = error.to_string();
        assert!(text.starts_with("/a: connection lost"), "{text}");
        assert!(text.ends_with(" (CONNECTIONLOSS)"), "{text}");
        assert_eq!(error.exit_code(), 3);
        assert_eq!(error.to_json()["maybeExecuted"], true);
        let partly = CommandError::Partly { deleted: 7, error: Box::new(error) };
        assert_eq!(partly.exit_code(), 3);
        assert_eq!(partly.to_json()["deleted"], 7);
    }

    #[test]
    fn a_failed_multi_names_its_operation() {
        let error = CommandError::Multi {
            index: 1,
            what: "delete /b".into(),
            code: ErrorCode::NOT_EMPTY,
            results: vec![ErrorCode::OK, ErrorCode::NOT_EMPTY, ErrorCode::RUNTIME_INCONSISTENCY],
        };
        assert_eq!(error.to_string(), "operation 2 (delete /b): node has children (NOTEMPTY)");
        let results = json!(["OK", "NOTEMPTY", "RUNTIMEINCONSISTENCY"]);
        assert_eq!(error.to_json()["results"], results);
    }

    #[test]
    fn wrong_arguments_are_not_the_servers_fault() {
        assert_eq!(failed(ArgumentError::DeleteRoot).exit_code(), 2);
        assert_eq!(CommandError::Usage("no".into()).exit_code(), 2);
        assert_eq!(CommandError::Interrupted.exit_code(), 1);
    }
}
