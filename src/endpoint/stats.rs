//! Counters: what commands print and tests look at.
//!
//! Behaviour: `org.apache.zookeeper.server.ServerStats`.

use super::error::{AcceptError, CloseReason};
use crate::wire::Op;

/// Latency of requests, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latency {
    /// Sum over all requests.
    pub total_ms: u64,
    /// Requests.
    pub count: u64,
    /// The shortest.
    pub min_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

impl Latency {
    pub(crate) fn record(&mut self, latency_ms: u64) {
        self.min_ms = if self.count == 0 { latency_ms } else { self.min_ms.min(latency_ms) };
        self.max_ms = self.max_ms.max(latency_ms);
        self.total_ms = self.total_ms.saturating_add(latency_ms);
        self.count += 1;
    }
}

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident,)*) => {
        /// The counters of an endpoint.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct Stats {
            /// Latency of all requests, from the arrival of their last byte to the moment when the
            /// reply may leave.
            pub latency: Latency,
            /// Bytes of the newest reply, of the shortest and of the longest; `None` before any.
            pub response_lengths: Option<ResponseLengths>,
            requests: [u64; Op::COUNT],
            $($(#[$meta])* pub $name: u64,)*
        }

        impl Stats {
            fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Frames and commands received.
    packets_received,
    /// Replies, events and answers sent.
    packets_sent,
    /// Bytes received.
    bytes_received_count,
    /// Bytes of replies and events.
    response_bytes,
    /// Handshakes received.
    connection_request_count,
    /// Handshakes that resumed a session.
    connection_revalidate_count,
    /// Connections refused: the address has too many, or there are too many.
    connection_rejected,
    /// Connections that ended before they had a session.
    unsuccessful_handshake,
    /// Connections that ended because no handshake came in time.
    sessionless_connections_expired,
    /// Handshakes refused by the connection throttle.
    connection_drop_count,
    /// Sessions that expired.
    stale_sessions_expired,
    /// Authentications that failed.
    auth_failed_count,
    /// Requests dropped because their session had ended.
    stale_requests_dropped,
    /// Replies to connections that were gone.
    stale_replies,
    /// Connections closed for a length field that was negative or too large.
    bad_frames,
    /// Connections closed for a first frame that was no handshake.
    bad_handshakes,
    /// Connections closed for a frame without a request header.
    bad_headers,
    /// Requests that could not be decoded; answered.
    bad_requests,
    /// Operations nobody knows; answered, then closed.
    unknown_operations,
    /// Handshakes for sessions that were not there or not their own.
    sessions_refused,
    /// Handshakes of clients that had seen more than this server has.
    clients_ahead,
    /// Requests without the authentication demanded.
    unauthenticated_requests,
    /// Connections closed for unsent output.
    output_overflows,
    /// Connections closed because they did not read what was promised in time.
    linger_timeouts,
    /// Connections closed for large requests over their budget.
    large_requests_rejected,
    /// Commands that were not in the whitelist.
    commands_refused,
    /// Connections whose session moved to another connection.
    sessions_moved,
    /// Connections whose client closed its session.
    sessions_closed,
    /// Connections whose session expired.
    sessions_expired,
    /// Connections that the peer, or something between, ended.
    peers_gone,
    /// Connections closed after a command.
    commands_answered,
    /// Connections closed from this side: one by one, at a shutdown, or after a failure.
    connections_closed,
}

/// Lengths of replies, header and record, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseLengths {
    /// The newest.
    pub last: usize,
    /// The shortest.
    pub min: usize,
    /// The longest.
    pub max: usize,
}

impl Stats {
    /// How many requests for `op` were served.
    #[must_use]
    pub fn requests(&self, op: Op) -> u64 {
        self.requests[op.index()]
    }

    /// Visits every counter by the name that `mntr` prints.
    pub fn for_each_metric(&self, mut visit: impl FnMut(&str, i64)) {
        let lengths = self.response_lengths;
        let signed = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        visit("last_client_response_size", lengths.map_or(-1, |lengths| signed(lengths.last)));
        visit("min_client_response_size", lengths.map_or(-1, |lengths| signed(lengths.min)));
        visit("max_client_response_size", lengths.map_or(-1, |lengths| signed(lengths.max)));
        for (name, value) in self.counters() {
            visit(name, i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn record_request(&mut self, op: Op) {
        self.requests[op.index()] += 1;
    }

    pub(super) fn record_response(&mut self, length: usize) {
        self.packets_sent += 1;
        self.response_bytes += length as u64;
        self.response_lengths = Some(match self.response_lengths {
            None => ResponseLengths { last: length, min: length, max: length },
            Some(ResponseLengths { min, max, .. }) => {
                ResponseLengths { last: length, min: min.min(length), max: max.max(length) }
            }
        });
    }

    pub(super) fn record_refusal(&mut self, error: AcceptError) {
        match error {
            AcceptError::TooManyFromAddress | AcceptError::TooMany => self.connection_rejected += 1,
            AcceptError::ShuttingDown => {}
        }
    }

    /// Counts the end of a connection.
    pub(super) fn record_close(&mut self, reason: &CloseReason, had_session: bool) {
        match reason {
            CloseReason::SessionMoved => self.sessions_moved += 1,
            CloseReason::Busy => self.connection_drop_count += 1,
            CloseReason::SessionRefused => self.sessions_refused += 1,
            CloseReason::ClientAhead => self.clients_ahead += 1,
            CloseReason::Frame(_) => self.bad_frames += 1,
            CloseReason::BadHandshake(_) => self.bad_handshakes += 1,
            CloseReason::BadHeader(_) | CloseReason::BadAuthentication(_) => self.bad_headers += 1,
            CloseReason::UnknownOperation(_) => self.unknown_operations += 1,
            CloseReason::AuthenticationFailed => self.auth_failed_count += 1,
            CloseReason::AuthenticationRequired => self.unauthenticated_requests += 1,
            CloseReason::HandshakeTimeout => self.sessionless_connections_expired += 1,
            CloseReason::LingerTimeout => self.linger_timeouts += 1,
            CloseReason::OutputOverflow => self.output_overflows += 1,
            CloseReason::LargeRequests => self.large_requests_rejected += 1,
            CloseReason::SessionClosed => self.sessions_closed += 1,
            CloseReason::SessionExpired => self.sessions_expired += 1,
            CloseReason::Peer(_) => self.peers_gone += 1,
            CloseReason::CommandAnswered => self.commands_answered += 1,
            CloseReason::Disconnected | CloseReason::Shutdown | CloseReason::Failed => {
                self.connections_closed += 1;
            }
        }
        if !had_session && !matches!(reason, CloseReason::CommandAnswered) {
            self.unsuccessful_handshake += 1;
        }
    }
}
