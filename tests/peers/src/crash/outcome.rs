//! What came of a request, for somebody who keeps a record.

use zookeeper_core::client::{Error, RequestError};
use zookeeper_core::wire::ErrorCode;

/// What came of a request.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// It was done, and nothing may undo it.
    Done(T),
    /// The server says why it was not done.
    Refused(ErrorCode),
    /// Nobody knows.
    InDoubt,
    /// It was not sent.
    Unsent,
}

impl<T> From<Result<T, Error>> for Outcome<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Done(value),
            Err(Error::Request(RequestError::Server(code))) => Self::Refused(code),
            Err(Error::Multi(error)) => Self::Refused(error.code),
            Err(Error::Request(
                error @ (RequestError::ConnectionLoss { .. } | RequestError::Closed { .. }),
            )) => {
                if error.maybe_executed() {
                    Self::InDoubt
                } else {
                    Self::Unsent
                }
            }
            // A session that expires was not given its time, and a request that times out met a
            // server that hangs.
            Err(error) => panic!("{error}"),
        }
    }
}
