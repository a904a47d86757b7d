//! What a session is doing.

use super::{CloseReason, HostPort, State, SubmitError, link::Link};

/// What a session is doing.
#[derive(Debug)]
pub(super) enum Phase {
    /// It waits before it tries this server.
    Waiting(HostPort),
    /// It has a connection, or tries to get one.
    Linked(Link),
    /// It is over.
    Over(CloseReason),
}

impl CloseReason {
    /// The state that a session is left in.
    pub(super) const fn state(&self) -> State {
        match self {
            Self::Closed { .. } | Self::Detached => State::Closed,
            Self::Expired | Self::ForeignSession(_) | Self::SelfExpired => State::Expired,
            Self::AuthFailed | Self::AuthRequired | Self::SaslFailed(_) => State::AuthFailed,
        }
    }

    /// What later requests are refused with.
    pub(super) const fn submit_error(&self) -> SubmitError {
        match self.state() {
            State::Expired => SubmitError::Expired,
            State::AuthFailed => SubmitError::AuthFailed,
            State::Connecting | State::Connected { .. } | State::Closed => SubmitError::Closed,
        }
    }
}
