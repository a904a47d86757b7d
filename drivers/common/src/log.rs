//! What happens, for the log. Never a password, never data.

use std::{net::SocketAddr, path::Path};

use tracing::{debug, error, info, warn};
use zookeeper_core::{
    endpoint::CloseReason,
    server::{Event, Recovered},
    storage::RecoveryEvent,
};

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

/// Logs what a recovery came to, and from what.
pub(crate) fn recovered(recovered: &Recovered, place: &Path) {
    let summary = recovered.summary();
    info!(
        zxid = %summary.zxid,
        sessions = recovered.session_count(),
        snapshot = summary.snapshot.as_ref().map(tracing::field::display),
        logs = summary.logs_read,
        transactions = recovered.transactions_replayed(),
        misfits = summary.misfits,
        orphans = summary.orphans_removed,
        digest_mismatches = summary.digest_mismatches,
        "recovered {}",
        place.display()
    );
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

#[cfg(test)]
mod tests {
    use std::{
        fmt::{Debug, Write},
        sync::{Arc, Mutex},
    };

    use tracing::{
        Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };
    use zookeeper_core::{
        SessionId, Zxid,
        storage::{
            Dir, File, FileInfo, Recovery, RecoveryConfig, encode_file_header, encode_record,
        },
        wire::{Txn, TxnHeader},
    };

    use super::*;

    /// Takes down the fields of what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<String>>);

    impl Subscriber for Lines {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    impl Visit for Lines {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            let mut lines = self.0.lock().expect("no panic");
            write!(lines, "{field}={value:?} ").expect("a string takes all");
        }
    }

    #[test]
    fn what_was_recovered_is_told_with_what_it_was_recovered_from() {
        let mut bytes = Vec::new();
        encode_file_header(&mut bytes);
        let session = SessionId(7);
        let end = Txn::CloseSession { paths: None };
        for (zxid, txn) in [(1, Txn::CreateSession { timeout_ms: 5 }), (2, end)] {
            let header = TxnHeader { session, cxid: 0, zxid: Zxid(zxid), time_ms: 1_000 };
            encode_record(&mut bytes, &header, &txn, Some(5));
        }
        let file = File { dir: Dir::Log, name: "log.1".into() };
        let info = FileInfo { file, length: bytes.len() as u64 };
        let mut recovery = Recovery::new(RecoveryConfig::default(), 1, vec![info]);
        while recovery.poll_read().is_some() {
            recovery.handle_read(&bytes);
        }
        let outcome = recovery.finish().expect("a good log");

        let lines = Lines::default();
        let place = Path::new("data/version-2");
        tracing::subscriber::with_default(lines.clone(), || recovered(&outcome, place));
        let lines = lines.0.lock().expect("no panic");
        for part in [
            "message=recovered data/version-2",
            "zxid=0x2",
            "sessions=0",
            "logs=1",
            "transactions=2",
            "misfits=0",
            "orphans=0",
            "digest_mismatches=2",
        ] {
            assert!(lines.contains(&format!("{part} ")), "{lines}");
        }
        assert!(!lines.contains("snapshot="), "there is none: {lines}");
    }
}
