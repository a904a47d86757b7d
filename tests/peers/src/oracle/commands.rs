//! Four-letter words: what of their answers two servers must have in common.

use super::side::Side;

/// Words whose answers are compared.
pub(crate) const WORDS: [&str; 18] = [
    "ruok", "isro", "gtmk", "crst", "srst", "srvr", "stat", "cons", "mntr", "wchs", "wchp", "wchc",
    "dump", "conf", "envi", "dirs", "kill", "RUOK",
];

/// Keys of `mntr` that depend on the script alone. Not `zk_approximate_data_size`, of which
/// upstream loses count when it rewrites the text of a quota's usage, and not `zk_watch_count`,
/// for which 3.8.0 counts a recursive watch twice.
const METRICS: [&str; 6] = [
    "zk_server_state",
    "zk_num_alive_connections",
    "zk_outstanding_requests",
    "zk_znode_count",
    "zk_ephemerals_count",
    "zk_global_sessions",
];

/// Settings that `conf` shows and both servers share.
const SETTINGS: [&str; 7] = [
    "secureClientPort=",
    "tickTime=",
    "maxClientCnxns=",
    "minSessionTimeout=",
    "maxSessionTimeout=",
    "clientPortListenBacklog=",
    "serverId=",
];

/// Fields of `cons` that depend on the script alone. Not `queued`: upstream counts a request with a
/// positive xid as answered only by a reply with one, which a ping's never has. Nor `lcxid`, which
/// only for upstream may be a ping's.
const CONNECTION_FIELDS: [&str; 4] = ["sid=", "lop=", "to=", "lzxid="];

/// The comparable lines of the answer to `word`.
#[must_use]
pub(crate) fn masked(side: &Side, word: &[u8], answer: &[u8]) -> Vec<String> {
    let answer = String::from_utf8_lossy(answer);
    let lines = answer.split('\n');
    match word.get(..4).unwrap_or(word) {
        b"srvr" | b"stat" => {
            let (mut clients, mut lines): (Vec<String>, Vec<String>) =
                lines.map(|line| summary_line(side, line)).partition(|line| line.starts_with(" /"));
            clients.sort();
            lines.extend(clients);
            lines
        }
        b"cons" => sorted(lines.map(|line| connection_line(side, line))),
        b"mntr" => {
            let is_compared = |line: &&str| {
                METRICS
                    .iter()
                    .any(|key| line.strip_prefix(key).is_some_and(|v| v.starts_with('\t')))
            };
            sorted(lines.filter(is_compared).map(str::to_owned))
        }
        b"conf" => {
            let is_compared = |line: &&str| SETTINGS.iter().any(|key| line.starts_with(key));
            lines.filter(is_compared).map(str::to_owned).collect()
        }
        // Upstream goes on counting connections whose watches are all gone.
        b"wchs" => lines.map(|line| after(line, " connections watching ")).collect(),
        b"wchp" | b"wchc" => pairs(side, lines),
        b"dump" => dump(side, lines),
        b"envi" | b"dirs" => {
            let key = |line: &str| line.split(['=', ':']).next().unwrap_or_default().to_owned();
            // The keys for memory have been renamed since 3.8.0.
            lines.map(key).filter(|key| !key.contains(".memory.")).collect()
        }
        _ => lines.map(str::to_owned).collect(),
    }
}

fn summary_line(side: &Side, line: &str) -> String {
    if let Some(zxid) = line.strip_prefix("Zxid: 0x") {
        let zxid = i64::from_str_radix(zxid, 16).unwrap_or(-1);
        return format!("Zxid: {}", side.zxids.logical(zxid));
    }
    if line.starts_with(" /") {
        return connection_line(side, line);
    }
    let is_masked = ["Zookeeper version: ", "Latency min/avg/max: ", "Received: ", "Sent: "]
        .iter()
        .any(|key| line.starts_with(key));
    if is_masked { line.split(": ").next().unwrap_or_default().to_owned() } else { line.to_owned() }
}

/// What stands behind `mark`, or the whole line.
fn after(line: &str, mark: &str) -> String {
    line.split_once(mark).map_or(line, |(_, rest)| rest).to_owned()
}

/// ` /127.0.0.1:46610[1](queued=0,recved=8,…)` without the port and what depends on time.
fn connection_line(side: &Side, line: &str) -> String {
    let Some((peer, fields)) = line.split_once('(') else { return line.to_owned() };
    // Upstream's interest, in brackets, is empty for a moment after each request.
    let address = peer.split(':').next().unwrap_or_default();
    let fields: Vec<String> = fields
        .trim_end_matches(')')
        .split(',')
        .filter(|field| CONNECTION_FIELDS.iter().any(|key| field.starts_with(key)))
        .map(|field| match field.split_once("=0x") {
            Some(("sid", id)) => format!("sid={}", session(side, id)),
            Some(("lzxid", zxid)) => {
                let zxid = i64::from_str_radix(zxid, 16).unwrap_or(-1);
                format!("lzxid={}", side.zxids.logical(zxid))
            }
            _ => field.to_owned(),
        })
        .collect();
    format!("{address}({})", fields.join(","))
}

/// Heads and their indented lines, in any order: each pair on a line of its own.
fn pairs<'a>(side: &Side, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut head = String::new();
    let pair = lines.filter_map(|line| match line.strip_prefix('\t') {
        Some(item) => Some(format!("{head} {}", name(side, item))),
        None => {
            head = name(side, line);
            line.is_empty().then(String::new)
        }
    });
    let pairs: Vec<String> = pair.collect();
    sorted(pairs.into_iter())
}

/// `dump` without times: which sessions, which ephemerals, which connections.
fn dump<'a>(side: &Side, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut section, mut head) = (String::new(), String::new());
    let mut all = Vec::new();
    for line in lines.filter(|line| !line.contains(" expire at ")) {
        if line.ends_with(" dump:") {
            line.clone_into(&mut section);
        }
        let counted = line.split_once(")/(").map(|(sets, count)| {
            let sets = sets.split('(').next().unwrap_or_default();
            format!("{sets}({count}")
        });
        let line = counted.as_deref().unwrap_or(line);
        if let Some(item) = line.strip_prefix('\t') {
            let item = match item.split_once("sessionId: ") {
                Some((_, session)) => name(side, session),
                None => name(side, item),
            };
            all.push(format!("{section} {head} {item}"));
        } else {
            head = name(side, line.trim_end_matches(':'));
            // Upstream goes on listing, and counting, sessions whose ephemerals are all gone.
            if !section.starts_with("ephemeral") {
                all.push(format!("{section} {head}"));
            }
        }
    }
    sorted(all.into_iter())
}

/// A session id by its name; anything else as it is.
fn name(side: &Side, text: &str) -> String {
    text.strip_prefix("0x").map_or_else(|| text.to_owned(), |id| session(side, id))
}

fn session(side: &Side, id: &str) -> String {
    match u64::from_str_radix(id, 16) {
        Ok(id) => side.session_name(id.cast_signed()),
        Err(_) => id.to_owned(),
    }
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn side() -> Side {
        Side::new("a side", SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), 1)
    }

    #[test]
    fn connections_are_compared_without_ports_and_times() {
        let answer = " /127.0.0.1:46610[1](queued=0,recved=8,sent=9,sid=0x1,lop=PING,est=17,\
                      to=10000,lcxid=0x6,lzxid=0xd3,lresp=12,llat=0,minlat=0,avglat=0,maxlat=2)\n";
        let expected = " /127.0.0.1(sid=unknown,lop=PING,to=10000,lzxid=211)";
        assert_eq!(masked(&side(), b"cons", answer.as_bytes()), ["", expected]);
    }

    #[test]
    fn sessions_without_ephemerals_do_not_count() {
        let answer = "SessionTracker dump:\nSession Sets (2)/(1):\n\
                      1 expire at Sun Nov 22 10:45:52 UTC 2026:\n\t0x1\n\
                      ephemeral nodes dump:\nSessions with Ephemerals (2):\n0x1:\n\t/e\n0x2:\n";
        let expected = [
            "SessionTracker dump: Session Sets (1)",
            "SessionTracker dump: Session Sets (1) unknown",
            "SessionTracker dump: SessionTracker dump",
            "ephemeral nodes dump: unknown /e",
        ];
        assert_eq!(masked(&side(), b"dump", answer.as_bytes()), expected);
    }
}
