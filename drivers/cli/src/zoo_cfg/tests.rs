//! Whole files, and what they come to.

use zookeeper_core::{endpoint::DigestAlgorithm, wire::Command};

use super::*;

/// What every file needs.
const MINIMUM: &str = "dataDir=/d\nclientPort=2181\n";

fn parsed(text: &str) -> ZooCfg {
    let content = format!("{MINIMUM}{text}");
    ZooCfg::parse(content.as_bytes(), Path::new("zoo.cfg")).unwrap_or_else(|error| {
        panic!("{text:?}: {error}");
    })
}

fn refused(text: &str) -> String {
    match ZooCfg::parse(text.as_bytes(), Path::new("zoo.cfg")) {
        Ok(config) => panic!("{text:?} was accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_usual_file_gives_no_warning() {
    let text = "# The number of milliseconds of each tick\n\
        tickTime=2000\n\
        dataDir = /var/lib/zookeeper\n\
        dataLogDir=/var/log/zookeeper \n\
        clientPort: 2182\n\
        clientPortAddress=localhost\n\
        maxClientCnxns=0\n\
        clientPortListenBacklog=100\n\
        4lw.commands.whitelist=stat, ruok\n";
    let config = ZooCfg::parse(text.as_bytes(), Path::new("zoo.cfg")).expect("valid");
    assert_eq!(config.warnings, []);
    assert_eq!(config.client_port, Some(2182));
    assert_eq!(config.client_address.as_deref(), Some("localhost"));
    assert_eq!(config.data_dir.as_deref(), Some(Path::new("/var/lib/zookeeper")));
    assert_eq!(config.data_log_dir.as_deref(), Some(Path::new("/var/log/zookeeper")));
    assert_eq!(config.backlog, Some(100));
    assert_eq!(config.server.about.listen_backlog, 100);
    let endpoint = &config.server.endpoint;
    assert_eq!(endpoint.tick, Duration::from_secs(2));
    assert_eq!(endpoint.timeout_min(), Duration::from_secs(4));
    assert_eq!(endpoint.timeout_max(), Duration::from_secs(40));
    assert_eq!(endpoint.connections_per_address_max, 0);
    for (command, is_allowed) in [
        (Command::Stat, true),
        (Command::Ruok, true),
        (Command::Srvr, true),
        (Command::Cons, false),
    ] {
        assert_eq!(endpoint.commands.allows(command), is_allowed, "{command}");
    }
}

/// One key each: what of the configuration it changes, as text.
#[test]
fn every_honoured_key_has_its_effect() {
    type Look = fn(&ZooCfg) -> String;
    let table: &[(&str, Look, &str)] = &[
        ("minSessionTimeout=100", |c| secs(c.server.endpoint.timeout_min()), "0.1"),
        ("maxSessionTimeout=90000", |c| secs(c.server.endpoint.timeout_max()), "90"),
        ("maxClientCnxns=7", |c| c.server.endpoint.connections_per_address_max.to_string(), "7"),
        ("maxClientCnxns=-1", |c| c.server.endpoint.connections_per_address_max.to_string(), "0"),
        ("clientPortListenBacklog=-1", |c| format!("{:?}", c.backlog), "None"),
        ("clientPortListenBacklog=70000", |c| format!("{:?}", c.backlog), "Some(65535)"),
        ("reconfigEnabled=TRUE", |c| c.server.tree.reconfig_enabled.to_string(), "true"),
        ("standaloneEnabled=true", |c| c.warnings.len().to_string(), "0"),
        ("maxCnxns=9", |c| c.server.endpoint.connections_max.to_string(), "9"),
        ("clientTcpKeepAlive=true", |c| c.keep_alive.to_string(), "true"),
        ("globalOutstandingLimit=5", |c| c.server.endpoint.requests_max.to_string(), "5"),
        (
            "nio.sessionlessCnxnTimeout=500",
            |c| format!("{:?}", c.server.endpoint.handshake_timeout),
            "Some(500ms)",
        ),
        ("nio.shutdownTimeout=250", |c| secs(c.server.endpoint.linger), "0.25"),
        (
            "largeRequestThreshold=4096",
            |c| format!("{:?}", c.server.endpoint.large_request_length),
            "Some(4096)",
        ),
        (
            "largeRequestThreshold=-1",
            |c| format!("{:?}", c.server.endpoint.large_request_length),
            "None",
        ),
        (
            "largeRequestMaxBytes=0x1000",
            |c| c.server.endpoint.large_requests_total_max.to_string(),
            "4096",
        ),
        (
            "connection_throttle_tokens=3\nconnection_throttle_fill_count=2\n\
             connection_throttle_fill_time=10",
            |c| {
                let throttle = c.server.endpoint.connection_throttle;
                let fields = throttle.map(|it| (it.tokens, it.fill_count, it.fill_time));
                format!("{fields:?}")
            },
            "Some((3, 2, 10ms))",
        ),
        (
            "connection_throttle_fill_count=2",
            |c| format!("{:?}", c.server.endpoint.connection_throttle),
            "None",
        ),
        ("extendedTypesEnabled=true", |c| c.server.tree.extended_types.to_string(), "true"),
        ("enforceQuota=true", |c| c.server.tree.enforce_quota.to_string(), "true"),
        ("skipACL=yes", |c| c.server.tree.skip_acl.to_string(), "true"),
        ("skipACL=true", |c| c.server.tree.skip_acl.to_string(), "false"),
        ("digest.enabled=false", |c| c.server.tree.digest.to_string(), "false"),
        (
            "closeSessionTxn.enabled=false",
            |c| c.server.tree.close_session_paths.to_string(),
            "false",
        ),
        (
            "DigestAuthenticationProvider.enabled=false",
            |c| format!("{} {}", c.server.endpoint.digest_enabled, c.server.tree.digest_enabled),
            "false false",
        ),
        (
            "DigestAuthenticationProvider.digestAlg=sha-256",
            |c| (c.server.endpoint.digest_algorithm == DigestAlgorithm::Sha256).to_string(),
            "true",
        ),
        (
            "DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=",
            |c| format!("{:?}", c.server.endpoint.super_digest.as_ref().map(|digest| &digest.0)),
            "Some(\"super:xQJmxLMiHGwaqBvst5y6rkB6HQs=\")",
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=ip, digest",
            |c| format!("{:?}", c.server.endpoint.enforced_schemes),
            "[\"ip\", \"digest\"]",
        ),
        (
            "enforce.auth.enabled=false\nenforce.auth.schemes=sasl",
            |c| format!("{:?}", c.server.endpoint.enforced_schemes),
            "[]",
        ),
        (
            "jute.maxbuffer=0x3fffff",
            |c| {
                let endpoint = &c.server.endpoint;
                format!("{} {}", endpoint.frame_length_max, c.server.tree.transaction_length_max)
            },
            "4194303 8388606",
        ),
        (
            "znode.container.checkIntervalMs=5",
            |c| secs(c.server.containers.check_interval),
            "0.005",
        ),
        (
            "znode.container.maxPerMinute=60",
            |c| c.server.containers.per_minute_max.to_string(),
            "60",
        ),
        (
            "znode.container.maxNeverUsedIntervalMs=0",
            |c| secs(c.server.containers.never_used_max),
            "0",
        ),
        (
            "readonlymode.enabled=true",
            |c| {
                let endpoint = &c.server.endpoint;
                format!("{} {}", endpoint.read_only_mode, endpoint.commands.allows(Command::Isro))
            },
            "true true",
        ),
        (
            "4lw.commands.whitelist=*",
            |c| {
                Command::ALL.iter().all(|&word| c.server.endpoint.commands.allows(word)).to_string()
            },
            "true",
        ),
    ];
    for (text, look, expected) in table {
        assert_eq!(look(&parsed(text)), *expected, "{text:?}");
    }
}

/// The same for the keys about files.
#[test]
fn every_key_about_files_has_its_effect() {
    type Look = fn(&ZooCfg) -> String;
    let table: &[(&str, Look, &str)] = &[
        ("snapCount=500", |c| c.storage.snapshot_transactions.to_string(), "500"),
        ("snapCount=1", |c| c.storage.snapshot_transactions.to_string(), "2"),
        ("snapSizeLimitInKb=8", |c| format!("{:?}", c.storage.snapshot_bytes), "Some(8192)"),
        ("snapSizeLimitInKb=-1", |c| format!("{:?}", c.storage.snapshot_bytes), "None"),
        ("txnLogSizeLimitInKb=0x10", |c| format!("{:?}", c.storage.log_length_max), "Some(16384)"),
        ("txnLogSizeLimitInKb=-1", |c| format!("{:?}", c.storage.log_length_max), "None"),
        ("preAllocSize=100", |c| c.storage.reserve.to_string(), "102400"),
        ("preAllocSize=0", |c| c.storage.reserve.to_string(), "0"),
        ("forceSync=no", |c| c.storage.sync.to_string(), "false"),
        ("forceSync=yes", |c| c.storage.sync.to_string(), "true"),
        ("fsync.warningthresholdms=20", |c| secs(c.sync_warning), "0.02"),
        ("autopurge.snapRetainCount=5", |c| format!("{:?}", c.storage.retention), "None"),
        (
            "autopurge.snapRetainCount=5\nautopurge.purgeInterval=1",
            |c| format!("{:?}", c.storage.retention.map(|it| (it.snapshots, it.interval))),
            "Some((5, 3600s))",
        ),
        (
            "autopurge.snapRetainCount=1\nautopurge.purgeInterval=10m",
            |c| format!("{:?}", c.storage.retention.map(|it| (it.snapshots, it.interval))),
            "Some((3, 600s))",
        ),
        ("autopurge.purgeInterval=0", |c| format!("{:?}", c.storage.retention), "None"),
        ("snapshot.trust.empty=true", |c| c.trust_empty_snapshot.to_string(), "true"),
        ("datadir.autocreate=false", |c| c.create_directories.to_string(), "false"),
        ("db.autocreate=false", |c| c.create_database.to_string(), "false"),
        (
            "serializeLastProcessedZxid.enabled=false",
            |c| c.storage.last_zxid_in_snapshot.to_string(),
            "false",
        ),
        ("snapshot.compression.method=", |c| c.warnings.len().to_string(), "0"),
        ("forceSync=no", |c| c.warnings.len().to_string(), "1"),
    ];
    for (text, look, expected) in table {
        assert_eq!(look(&parsed(text)), *expected, "{text:?}");
    }
    let in_memory = ZooCfg::parse(b"clientPort=1", Path::new("zoo.cfg")).expect("valid");
    assert_eq!(in_memory.data_dir, None);
}

fn secs(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// Every key of upstream's that has no effect here, with a value upstream takes.
#[test]
fn every_other_key_is_named_with_a_reason() {
    for text in [
        "secureClientPort=2281",
        "secureClientPortAddress=localhost",
        "standaloneEnabled=false",
        "metricsProvider.className=org.example.MetricsProvider",
        "metricsProvider.httpPort=7000",
        "initLimit=10",
        "syncLimit=5",
        "connectToLearnerMasterLimit=5",
        "electionAlg=3",
        "peerType=observer",
        "server.1=localhost:2888:3888",
        "group.1=1:2:3",
        "weight.1=1",
        "dynamicConfigFile=/etc/zoo.cfg.dynamic",
        "quorumListenOnAllIPs=true",
        "syncEnabled=true",
        "sslQuorum=false",
        "quorum.auth.enableSasl=false",
        "quorum.auth.learnerRequireSasl=true",
        "multiAddress.enabled=false",
        "jvm.pause.monitor=true",
        "jvm.pause.info-threshold.ms=1000",
        "localSessionsEnabled=true",
        "localSessionsUpgradingEnabled=true",
        "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
        "nio.numSelectorThreads=1",
        "nio.numWorkerThreads=2",
        "nio.directBufferBytes=0",
        "flushDelay=1",
        "maxWriteQueuePollTime=1",
        "maxBatchSize=1000",
        "snapshot.compression.method=gz",
        "enableEagerACLCheck=true",
        "emulate353TTLNodes=true",
        "maxResponseCacheSize=400",
        "maxGetChildrenResponseCacheSize=400",
        "request_throttle_max_requests=0",
        "request_throttle_stall_time=100",
        "request_throttle_drop_stale=true",
        "request_stale_connection_check=true",
        "request_stale_latency_check=false",
        "throttled_op_wait_time=0",
        "connection_throttle_freeze_time=-1",
        "connection_throttle_drop_increase=0.02",
        "connection_throttle_drop_decrease=0.002",
        "connection_throttle_decrease_ratio=0",
        "connection_throttle_weight_enabled=true",
        "watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized",
        "jute.maxbuffer.extrasize=1048575",
        "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
        "sessionRequireClientSASLAuth=maybe",
        "allowSaslFailedClients=true",
        "superUser=admin",
        "superUser.1=admin",
        "X509AuthenticationProvider.superUser=CN=admin",
        "letAnySaslUserDoX=x",
        "kerberos.removeHostFromPrincipal=true",
        "kerberos.removeRealmFromPrincipal=true",
        "fips-mode=false",
        "ssl.keyStore.password=secret",
        "ssl.clientAuth=need",
        "client.portUnification=true",
        "client.certReload=true",
        "ensembleAuthName=x",
        "audit.enable=true",
        "admin.enableServer=true",
        "admin.serverPort=8080",
        "admin.serverAddress=0.0.0.0",
        "admin.commandURL=/commands",
        "zookeeper.maxCnxns=5",
        "noSuchKey=5",
    ] {
        let config = parsed(text);
        let [warning] = &config.warnings[..] else { panic!("{text:?}: {:?}", config.warnings) };
        assert_eq!(warning.line, 3, "{text:?}");
        assert!(text.starts_with(&warning.key), "{text:?}: {warning}");
        assert!(!warning.reason.is_empty(), "{text:?}");
    }
}

#[test]
fn unknown_keys_are_told_from_known_ones() {
    let reason = |text: &str| parsed(text).warnings.remove(0).reason;
    assert!(reason("noSuchKey=1").starts_with("unknown"));
    assert!(reason("zookeeper.maxCnxns=1").contains("without the prefix: maxCnxns"));
    assert!(reason("flushDelay=1").starts_with("ignored"));
    assert!(reason("jute.maxbuffer=1000").starts_with("honoured"));
}

#[test]
fn what_upstream_does_not_start_with_is_an_error_with_its_place() {
    for (text, message) in [
        ("dataDir=/d\nclientPortAddress=::1", "zoo.cfg: clientPortAddress is set but clientPort"),
        ("dataDir=/d\ntickTime=0", "zoo.cfg:2: tickTime must be above zero"),
        ("dataDir=/d\ntickTime=-5", "zoo.cfg:2: tickTime must be above zero"),
        ("tickTime=many", "zoo.cfg:1: tickTime must be a number, not \"many\""),
        ("\n\nclientPort=65536", "zoo.cfg:3: clientPort must be a port"),
        ("clientPort=-1", "zoo.cfg:1: clientPort must be a port"),
        ("clientPort=0x10", "zoo.cfg:1: clientPort must be a number"),
        ("secureClientPort=x", "zoo.cfg:1: secureClientPort must be a number"),
        ("maxClientCnxns=", "zoo.cfg:1: maxClientCnxns must be a number"),
        (
            "dataDir=/d\nminSessionTimeout=5\nmaxSessionTimeout=4",
            "zoo.cfg: minSessionTimeout (5) is above maxSessionTimeout (4)",
        ),
        (
            "dataDir=/d\ntickTime=1000\nminSessionTimeout=20001",
            "zoo.cfg: minSessionTimeout (20001) is above maxSessionTimeout (20000)",
        ),
        ("reconfigEnabled=yes", "zoo.cfg:1: reconfigEnabled must be true or false, not \"yes\""),
        ("standaloneEnabled=1", "zoo.cfg:1: standaloneEnabled must be true or false"),
        ("localSessionsEnabled=", "zoo.cfg:1: localSessionsEnabled must be true or false"),
        ("autopurge.snapRetainCount=few", "zoo.cfg:1: autopurge.snapRetainCount must be a number"),
        ("autopurge.purgeInterval=soon", "zoo.cfg:1: autopurge.purgeInterval must be a number of"),
        ("initLimit=x", "zoo.cfg:1: initLimit must be a number"),
        ("peerType=leader", "zoo.cfg:1: peerType must be participant or observer"),
        (
            "dataDir=/d\nserver.1=a\nserver.2=b",
            "zoo.cfg:3: this is the configuration of an ensemble",
        ),
        ("dataDir=\\u12", "zoo.cfg:1: malformed"),
        (
            "dataDir=/d\nenforce.auth.enabled=true",
            "zoo.cfg:2: enforce.auth.enabled is true but enforce.auth.schemes names no scheme",
        ),
        (
            "dataDir=/d\nenforce.auth.enabled=true\nenforce.auth.schemes=sasl",
            "zoo.cfg:2: enforce.auth.schemes: there is no scheme \"sasl\" here",
        ),
        (
            "dataDir=/d\nDigestAuthenticationProvider.enabled=false\nenforce.auth.enabled=true\n\
             enforce.auth.schemes=digest",
            "zoo.cfg:3: enforce.auth.schemes: there is no scheme \"digest\" here",
        ),
        (
            "dataDir=/d\nsessionRequireClientSASLAuth=true",
            "zoo.cfg:2: sessionRequireClientSASLAuth needs SASL",
        ),
        (
            "DigestAuthenticationProvider.digestAlg=MD2",
            "zoo.cfg:1: there is no digest algorithm \"MD2\" here",
        ),
    ] {
        let error = refused(text);
        assert!(error.starts_with(message), "{text:?}: {error}");
    }
    let error = ZooCfg::read(Path::new("/nowhere/zoo.cfg")).expect_err("no such file");
    assert!(error.to_string().starts_with("/nowhere/zoo.cfg: "));
}

#[test]
fn what_upstream_reads_leniently_leaves_the_default_with_a_warning() {
    let defaults = ZooCfg::parse(MINIMUM.as_bytes(), Path::new("zoo.cfg")).expect("valid");
    for text in [
        "maxCnxns=many",
        "globalOutstandingLimit=-1",
        "nio.sessionlessCnxnTimeout=0",
        "largeRequestMaxBytes=-1",
        "extendedTypesEnabled=yes",
        "enforceQuota=1",
        "connection_throttle_tokens=x",
        "znode.container.maxPerMinute=0",
        "4lw.commands.whitelist=kill",
        "snapCount=many",
        "preAllocSize=x",
        "fsync.warningthresholdms=-1",
        "forceSync=perhaps",
        "snapshot.trust.empty=maybe",
    ] {
        let config = parsed(text);
        assert!(!config.warnings.is_empty(), "{text:?}");
        assert!(config.warnings.iter().all(|warning| warning.line == 3), "{text:?}");
        assert_eq!(format!("{:?}", config.server), format!("{:?}", defaults.server), "{text:?}");
        assert_eq!(config.storage, defaults.storage, "{text:?}");
    }
}

#[test]
fn the_last_of_equal_keys_counts_and_the_others_are_named() {
    let config = parsed("maxCnxns=1\ntickTime=0\nmaxCnxns=2\ntickTime=5\nmaxCnxns=3");
    assert_eq!(config.server.endpoint.connections_max, 3);
    let lines: Vec<usize> = config.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [3, 4, 5]);
}

#[test]
fn secrets_are_in_no_warning_and_in_no_error() {
    let text = "ssl.keyStore.password=hunter2\nSASLAuthenticationProvider.superPassword=hunter2\n\
        DigestAuthenticationProvider.superDigest=hunter2\nmyPassword=hunter2\n\
        DigestAuthenticationProvider.superDigest=other";
    let config = parsed(text);
    assert_eq!(config.warnings.len(), 4);
    for warning in &config.warnings {
        assert!(!warning.to_string().contains("hunter2"), "{warning}");
    }
}

#[test]
fn a_single_server_line_is_a_standalone_server() {
    let config = parsed("server.1=localhost:2888:3888\ninitLimit=5");
    assert_eq!(config.warnings.len(), 2);
}
