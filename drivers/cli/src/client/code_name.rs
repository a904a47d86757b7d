//! The names of error codes, by which scripts tell them apart.
//!
//! Behaviour: `org.apache.zookeeper.KeeperException.Code`.

use zookeeper_core::wire::ErrorCode;

/// Upstream's name of a code; `UNKNOWN` for one that it does not define.
pub(crate) fn code_name(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::OK => "OK",
        ErrorCode::SYSTEM_ERROR => "SYSTEMERROR",
        ErrorCode::RUNTIME_INCONSISTENCY => "RUNTIMEINCONSISTENCY",
        ErrorCode::DATA_INCONSISTENCY => "DATAINCONSISTENCY",
        ErrorCode::CONNECTION_LOSS => "CONNECTIONLOSS",
        ErrorCode::MARSHALLING_ERROR => "MARSHALLINGERROR",
        ErrorCode::UNIMPLEMENTED => "UNIMPLEMENTED",
        ErrorCode::OPERATION_TIMEOUT => "OPERATIONTIMEOUT",
        ErrorCode::BAD_ARGUMENTS => "BADARGUMENTS",
        ErrorCode::UNKNOWN_SESSION => "UNKNOWNSESSION",
        ErrorCode::NEW_CONFIG_NO_QUORUM => "NEWCONFIGNOQUORUM",
        ErrorCode::RECONFIG_IN_PROGRESS => "RECONFIGINPROGRESS",
        ErrorCode::API_ERROR => "APIERROR",
        ErrorCode::NO_NODE => "NONODE",
        ErrorCode::NO_AUTH => "NOAUTH",
        ErrorCode::BAD_VERSION => "BADVERSION",
        ErrorCode::NO_CHILDREN_FOR_EPHEMERALS => "NOCHILDRENFOREPHEMERALS",
        ErrorCode::NODE_EXISTS => "NODEEXISTS",
        ErrorCode::NOT_EMPTY => "NOTEMPTY",
        ErrorCode::SESSION_EXPIRED => "SESSIONEXPIRED",
        ErrorCode::INVALID_CALLBACK => "INVALIDCALLBACK",
        ErrorCode::INVALID_ACL => "INVALIDACL",
        ErrorCode::AUTH_FAILED => "AUTHFAILED",
        ErrorCode::SESSION_MOVED => "SESSIONMOVED",
        ErrorCode::NOT_READ_ONLY => "NOTREADONLY",
        ErrorCode::EPHEMERAL_ON_LOCAL_SESSION => "EPHEMERALONLOCALSESSION",
        ErrorCode::NO_WATCHER => "NOWATCHER",
        ErrorCode::REQUEST_TIMEOUT => "REQUESTTIMEOUT",
        ErrorCode::RECONFIG_DISABLED => "RECONFIGDISABLED",
        ErrorCode::SESSION_CLOSED_REQUIRE_AUTH => "SESSIONCLOSEDREQUIRESASLAUTH",
        ErrorCode::QUOTA_EXCEEDED => "QUOTAEXCEEDED",
        ErrorCode::THROTTLED => "THROTTLEDOP",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_means_something_has_a_name_of_its_own() {
        let named: Vec<_> = (-200..=0)
            .map(ErrorCode)
            .filter(|code| code.message().is_some())
            .map(code_name)
            .collect();
        let mut distinct = named.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), named.len());
        assert!(!named.contains(&"UNKNOWN"));
        assert_eq!(code_name(ErrorCode(-201)), "UNKNOWN");
    }
}
