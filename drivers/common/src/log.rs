//! What happens, for the log. Never a password, never data.

use std::net::SocketAddr;

use tracing::{debug, error, info, warn};
use zookeeper_core::{endpoint::CloseReason, server::Event, storage::RecoveryEvent};

/// Logs one event; `peer` is the connection's, while it is known.
pub(crate) fn event(event: &Event, peer: Option<SocketAddr>) {
    let peer = peer.map(tracing::field::display);
    match event {
        Event::SessionCreated { session, timeout, .. } => {
            info!(%session, ?timeout, peer, "session created");
        }
        Event::SessionResumed { session, timeout, .. } => {
            info!(%session, ?timeout, peer, "session resumed");
        }
        Event::SessionRefused { session, .. } => {
            info!(%session, peer, "session refused: expired, or not the client's own");
        }
        Event::SessionExpired { session } => info!(%session, "session expired"),
        Event::SessionClosed { session } => info!(%session, "session closed"),
        Event::ConnectionClosed { session, reason, .. } => {
            let session = session.map(tracing::field::display);
            if is_ordinary(reason) {
                debug!(session, peer, %reason, "connection closed");
            } else {
                info!(session, peer, %reason, "connection closed");
            }
        }
        Event::SnapshotStarted { zxid } => debug!(%zxid, "snapshot started"),
        Event::SnapshotStored { zxid, bytes, duration } => {
            info!(%zxid, bytes, ?duration, "snapshot stored");
        }
        Event::SnapshotFailed { zxid, error } => {
            warn!(%zxid, %error, "snapshot given up; older ones stay, and it is tried again");
        }
        Event::FilesPurged { files } => info!(?files, "old files removed"),
        Event::PurgeFailed { error } => warn!(%error, "old files stay for now"),
        Event::Failed(failure) => error!(%failure, "server failed"),
        // Events are added as the server grows.
        other => debug!(event = ?other),
    }
}

/// Logs what an operator should hear about a recovery.
pub(crate) fn recovery(event: &RecoveryEvent) {
    match event {
        RecoveryEvent::Fresh
        | RecoveryEvent::SnapshotLoaded { .. }
        | RecoveryEvent::Leftover { .. }
        | RecoveryEvent::EmptyLog { .. } => info!("recovering: {event}"),
        _ => warn!("recovering: {event}"),
    }
}

/// Whether clients that behave end this way.
const fn is_ordinary(reason: &CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::Peer(_)
            | CloseReason::SessionClosed
            | CloseReason::SessionMoved
            | CloseReason::CommandAnswered
            | CloseReason::Shutdown
    )
}
