//! The four-letter words that need more than the endpoint knows.
//!
//! Behaviour: `org.apache.zookeeper.server.command.*`.

use std::fmt::{self, Display, Write};

use bytes::Bytes;

use super::{
    Server,
    clock::Date,
    metrics::{Mean, line},
};
use crate::{
    ids::{ConnId, SessionId},
    limits::COMMAND_OUTPUT_MAX,
    time::Instant,
    tree::Watcher,
    wire::{Command, Op},
};

/// An answer being written. What comes behind the first byte over the limit is not kept: that one
/// byte tells the endpoint to cut the answer off, and to say so.
#[derive(Debug)]
struct Text(String);

impl Text {
    fn push_str(&mut self, text: &str) {
        if self.0.len() <= COMMAND_OUTPUT_MAX {
            self.0.push_str(text);
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl Server {
    /// The answer to a command. The endpoint has answered those it can by itself.
    pub(super) fn command(&mut self, command: Command) -> Bytes {
        let mut out = Text(String::new());
        match command {
            Command::Srvr => self.write_srvr(&mut out, false),
            Command::Stat => self.write_srvr(&mut out, true),
            Command::Srst => {
                self.endpoint.reset_stats(self.now);
                out.push_str("Server stats reset.\n");
            }
            Command::Conf => self.write_conf(&mut out),
            Command::Envi => self.write_envi(&mut out),
            Command::Mntr => self.write_mntr(&mut out),
            Command::Dirs => {
                pair(&mut out, "datadir_size: ", self.environment.data_dir_bytes);
                pair(&mut out, "logdir_size: ", self.environment.log_dir_bytes);
            }
            Command::Dump => self.write_dump(&mut out),
            Command::Hash => {
                for (zxid, digest) in self.tree.digests().iter() {
                    let _ = writeln!(out, "{:x}: {digest}", zxid.0);
                }
            }
            Command::Wchs => self.write_wchs(&mut out),
            Command::Wchp => self.write_wchp(&mut out),
            Command::Wchc => self.write_wchc(&mut out),
            // The endpoint's own.
            Command::Ruok
            | Command::Isro
            | Command::Cons
            | Command::Crst
            | Command::Gtmk
            | Command::Stmk
            | Command::TelnetClose => debug_assert!(false, "{command} is the endpoint's"),
        }
        Bytes::from(out.0)
    }

    fn write_srvr(&self, out: &mut Text, with_clients: bool) {
        let stats = self.endpoint.stats();
        let latency = &stats.latency;
        pair(out, "Zookeeper version: ", &self.config.about.version);
        if with_clients {
            out.push_str("Clients:\n");
            for connection in self.endpoint.connections() {
                let _ = writeln!(out, "{}", connection.summary());
            }
            out.push_str("\n");
        }
        let mean = Mean { total: latency.total_ms, count: latency.count };
        let _ = writeln!(out, "Latency min/avg/max: {}/{mean}/{}", latency.min_ms, latency.max_ms);
        pair(out, "Received: ", stats.packets_received);
        pair(out, "Sent: ", stats.packets_sent);
        pair(out, "Connections: ", self.endpoint.connection_count());
        pair(out, "Outstanding: ", self.endpoint.outstanding());
        pair(out, "Zxid: ", self.gate.applied());
        pair(out, "Mode: ", "standalone");
        pair(out, "Node count: ", self.tree.node_count());
    }

    fn write_conf(&self, out: &mut Text) {
        let about = &self.config.about;
        let config = &self.config.endpoint;
        let port = about.client_addresses.first().map_or(-1, |address| i32::from(address.port()));
        pair(out, "clientPort=", port);
        pair(out, "secureClientPort=", -1);
        pair(out, "dataDir=", &about.data_dir);
        pair(out, "dataDirSize=", self.environment.data_dir_bytes);
        pair(out, "dataLogDir=", &about.data_log_dir);
        pair(out, "dataLogSize=", self.environment.log_dir_bytes);
        pair(out, "tickTime=", config.tick.as_millis());
        pair(out, "maxClientCnxns=", config.connections_per_address_max);
        pair(out, "minSessionTimeout=", config.timeout_min().as_millis());
        pair(out, "maxSessionTimeout=", config.timeout_max().as_millis());
        pair(out, "clientPortListenBacklog=", about.listen_backlog);
        pair(out, "serverId=", 0);
    }

    fn write_envi(&self, out: &mut Text) {
        out.push_str("Environment:\n");
        pair(out, "zookeeper.version=", &self.config.about.version);
        for (key, value) in &self.environment.properties {
            let _ = writeln!(out, "{key}={value}");
        }
    }

    fn write_mntr(&self, out: &mut Text) {
        let stats = self.endpoint.stats();
        let latency = &stats.latency;
        line(out, "version", &self.config.about.version);
        line(out, "server_state", "standalone");
        line(out, "ephemerals_count", self.tree.ephemeral_count());
        line(out, "num_alive_connections", self.endpoint.connection_count());
        line(out, "avg_latency", Mean { total: latency.total_ms, count: latency.count });
        line(out, "min_latency", latency.min_ms);
        line(out, "max_latency", latency.max_ms);
        line(out, "outstanding_requests", self.endpoint.outstanding());
        line(out, "znode_count", self.tree.node_count());
        line(out, "global_sessions", self.tree.sessions().len());
        line(out, "local_sessions", 0);
        line(out, "watch_count", self.tree.watches().count());
        line(out, "approximate_data_size", self.tree.approximate_data_size());
        line(out, "open_file_descriptor_count", self.environment.open_files);
        line(out, "max_file_descriptor_count", self.environment.open_files_max);
        line(out, "uptime", self.now.saturating_duration_since(self.started).as_millis());
        stats.for_each_metric(|key, value| line(out, key, value));
        if let Some(storage) = self.storage_stats() {
            let times = storage.snapshot_times;
            let mean = Mean { total: times.total_ms, count: times.count };
            line(out, "avg_snapshottime", mean);
            line(out, "min_snapshottime", times.min_ms);
            line(out, "max_snapshottime", times.max_ms);
            line(out, "cnt_snapshottime", times.count);
            line(out, "sum_snapshottime", times.total_ms);
            line(out, "snapshot_error_count", storage.snapshots_failed);
        }
        let mut total = 0;
        for &op in Op::ALL {
            let count = stats.requests(op);
            total += count;
            if op.is_request() {
                line(out, format_args!("op_count_{}", op.name()), count);
            }
        }
        line(out, "op_count_total", total);
    }

    fn write_dump(&self, out: &mut Text) {
        out.push_str("SessionTracker dump:\n");
        let mut deadlines: Vec<(Instant, SessionId)> = self.endpoint.session_deadlines().collect();
        deadlines.sort_unstable();
        let buckets: Vec<_> = deadlines.chunk_by(|one, other| one.0 == other.0).collect();
        let _ = writeln!(out, "Session Sets ({})/({}):", buckets.len(), deadlines.len());
        for bucket in &buckets {
            let _ = writeln!(out, "{} expire at {}:", bucket.len(), self.date(bucket[0].0));
            for (_, session) in *bucket {
                let _ = writeln!(out, "\t{session}");
            }
        }
        out.push_str("ephemeral nodes dump:\n");
        let sessions = self.tree.sessions();
        let owners: Vec<_> = sessions.iter().filter(|(_, view)| view.ephemerals > 0).collect();
        let _ = writeln!(out, "Sessions with Ephemerals ({}):", owners.len());
        for (session, _) in owners {
            let _ = writeln!(out, "{session}:");
            for path in self.tree.ephemerals(session) {
                let _ = writeln!(out, "\t{path}");
            }
        }
        self.write_connections(out);
    }

    /// The connections by the deadline that would close them.
    fn write_connections(&self, out: &mut Text) {
        out.push_str("Connections dump:\n");
        let mut connections: Vec<_> = self
            .endpoint
            .connections()
            .map(|connection| {
                let session = connection.session.unwrap_or(SessionId::NONE);
                (connection.deadline.unwrap_or(Instant::ZERO), session, connection.peer)
            })
            .collect();
        connections.sort_unstable();
        let buckets: Vec<_> = connections.chunk_by(|one, other| one.0 == other.0).collect();
        let _ = writeln!(out, "Connections Sets ({})/({}):", buckets.len(), connections.len());
        for bucket in &buckets {
            let _ = writeln!(out, "{} expire at {}:", bucket.len(), self.date(bucket[0].0));
            for (_, session, peer) in *bucket {
                let _ = writeln!(out, "\tip: /{peer} sessionId: {session}");
            }
        }
    }

    fn write_wchs(&self, out: &mut Text) {
        let summary = self.tree.watches().data_summary();
        let _ = writeln!(
            out,
            "{} connections watching {} paths\nTotal watches:{}",
            summary.watchers, summary.paths, summary.watches
        );
    }

    fn write_wchp(&self, out: &mut Text) {
        for (path, watchers) in self.tree.watches().data_by_path() {
            pair(out, "", String::from_utf8_lossy(path));
            for watcher in watchers {
                let _ = writeln!(out, "\t{}", self.session_of(watcher));
            }
        }
        out.push_str("\n");
    }

    fn write_wchc(&self, out: &mut Text) {
        for (watcher, paths) in self.tree.watches().data_by_watcher() {
            let _ = writeln!(out, "{}", self.session_of(watcher));
            for path in paths {
                let _ = writeln!(out, "\t{}", String::from_utf8_lossy(path));
            }
        }
        out.push_str("\n");
    }

    fn session_of(&self, watcher: Watcher) -> SessionId {
        self.endpoint.session(ConnId::from_bits(watcher.0)).unwrap_or(SessionId::NONE)
    }

    fn date(&self, at: Instant) -> Date {
        Date { unix_ms: self.clock.unix_ms_at(at) }
    }
}

/// One line of a key and a value; writing to a string cannot fail.
fn pair(out: &mut Text, key: &str, value: impl Display) {
    let _ = writeln!(out, "{key}{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_no_more_than_is_shown() {
        let mut out = Text(String::new());
        for _ in 0..3 * COMMAND_OUTPUT_MAX / 100 {
            pair(&mut out, "", "x".repeat(99));
        }
        assert!((COMMAND_OUTPUT_MAX + 1..COMMAND_OUTPUT_MAX + 200).contains(&out.0.len()));
    }
}
