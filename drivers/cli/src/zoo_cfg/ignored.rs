//! Keys without effect here, and why.

/// Keys about other servers.
pub(super) const ENSEMBLE: &str = "ignored: for ensembles, and this server stands alone";
const GROUPS: &str = "ignored: while storage is busy transactions wait for the next group, which \
    goes at once";
const THREADS: &str = "ignored: one event loop does the work of all threads";
const TLS: &str = "ignored: there is no TLS here yet";
const SASL: &str = "ignored: there is no SASL here yet";
const JVM: &str = "ignored: about the JVM, and there is none here";
const NOT_NEEDED: &str = "ignored: what it switches does not exist here";
const METRICS: &str = "ignored: metrics are in the command mntr";
const ADMIN: &str = "ignored: there is no HTTP admin server; the four-letter words tell the same";
const THROTTLING: &str = "ignored: requests are limited by globalOutstandingLimit and by \
    connection, and none is dropped";

/// Keys, by name.
const EXACT: &[(&str, &str)] = &[
    ("commitLogCount", ENSEMBLE),
    ("flushDelay", GROUPS),
    ("maxWriteQueuePollTime", GROUPS),
    ("maxBatchSize", GROUPS),
    ("jute.maxbuffer.extrasize", "ignored: a transaction may be twice as long as jute.maxbuffer"),
    ("initialize", ENSEMBLE),
    ("dynamicConfigFile", ENSEMBLE),
    ("oraclePath", ENSEMBLE),
    ("enableEagerACLCheck", "ignored: without effect in a standalone server"),
    ("emulate353TTLNodes", "ignored: TTL znodes are those of version 3.5.4 and later"),
    ("secureClientPortAddress", TLS),
    ("serverCnxnFactory", "ignored: there is one network layer, for all connections"),
    ("nio.numSelectorThreads", THREADS),
    ("nio.numWorkerThreads", THREADS),
    ("nio.directBufferBytes", THREADS),
    ("commitProcessor.numWorkerThreads", THREADS),
    ("maxResponseCacheSize", NOT_NEEDED),
    ("maxGetChildrenResponseCacheSize", NOT_NEEDED),
    ("watchManagerName", "ignored: there is one table of watches, and it has all their kinds"),
    ("request_throttle_max_requests", THROTTLING),
    ("request_throttle_stall_time", THROTTLING),
    ("request_throttle_drop_stale", THROTTLING),
    ("request_stale_connection_check", THROTTLING),
    ("request_stale_latency_check", THROTTLING),
    ("throttled_op_wait_time", THROTTLING),
    ("allowSaslFailedClients", SASL),
    ("letAnySaslUserDoX", SASL),
    ("superUser", SASL),
    ("X509AuthenticationProvider.superUser", TLS),
    ("fips-mode", SASL),
    ("ensembleAuthName", "ignored: there is no scheme \"ensemble\" here"),
    ("audit.enable", "ignored: there is no audit log here"),
    ("client.portUnification", TLS),
    ("client.certReload", TLS),
];

/// Families of keys, by their beginning.
const FAMILIES: &[(&str, &str)] = &[
    ("group.", ENSEMBLE),
    ("weight.", ENSEMBLE),
    ("quorum.", ENSEMBLE),
    ("multiAddress.", ENSEMBLE),
    ("leader.", ENSEMBLE),
    ("learner.", ENSEMBLE),
    ("observer.", ENSEMBLE),
    ("ssl.quorum.", ENSEMBLE),
    ("ssl.", TLS),
    ("netty.", TLS),
    ("jvm.pause.", JVM),
    ("metricsProvider.", METRICS),
    ("admin.", ADMIN),
    ("kerberos.", SASL),
    ("sasl.", SASL),
    ("SASLAuthenticationProvider.", SASL),
    ("superUser.", SASL),
    (
        "authProvider.",
        "ignored: the schemes are world, auth, ip, digest and super; no other exists",
    ),
    ("connection_throttle_", "ignored: handshakes are limited by tokens alone"),
    ("watchManager", NOT_NEEDED),
    ("watcherCleanIntervalInSeconds", NOT_NEEDED),
    ("watcherCleanThreadsNum", NOT_NEEDED),
    ("watcherCleanThreshold", NOT_NEEDED),
];

/// Why a key of upstream's is ignored; `None` for a key nobody knows.
pub(super) fn reason(key: &str) -> Option<String> {
    let exact = EXACT.iter().find(|(name, _)| *name == key);
    let family = || FAMILIES.iter().find(|(beginning, _)| key.starts_with(beginning));
    exact.or_else(family).map(|(_, reason)| (*reason).to_owned())
}

/// What to say about a key nobody knows.
pub(super) fn unknown(key: &str) -> String {
    match key.strip_prefix("zookeeper.") {
        Some(rest) => format!("unknown; the file spells it without the prefix: {rest}"),
        None => "unknown, and ignored".to_owned(),
    }
}
