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
    #[must_use]
    pub const fn state(&self) -> State {
        match self {
            Self::Closed { .. } | Self::Detached => State::Closed,
            Self::Expired | Self::ForeignSession(_) | Self::SelfExpired => State::Expired,
            Self::AuthFailed | Self::AuthRequired | Self::SaslFailed(_) => State::AuthFailed,
        }
    }

    /// Whether the server has no such session any more, or must not have: a new one may be begun.
    #[must_use]
    pub const fn is_expiry(&self) -> bool {
        matches!(self.state(), State::Expired)
    }

    /// What later requests are refused with.
    #[must_use]
    pub const fn submit_error(&self) -> SubmitError {
        match self.state() {
            State::Expired => SubmitError::Expired,
            State::AuthFailed => SubmitError::AuthFailed,
            State::Connecting | State::Connected { .. } | State::Closed => SubmitError::Closed,
        }
    }
}
