//! Outcomes and notices as JSON.
//!
//! Names are those of the Java classes `Stat`, `ACL` and `WatchedEvent`. Numbers of 64 bits that
//! are names rather than amounts (zxids, session ids) are strings in hexadecimal, as upstream's
//! tools print them: many readers of JSON round such numbers.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use zookeeper_core::{
    Zxid,
    client::operation::TransactionResult,
    wire::{Acl, Id, Stat},
};

use super::{
    connection::Notice,
    outcome::Outcome,
    transfer::{Line, Progress},
    value::permission_letters,
};

/// An outcome; `None` if everything was shown on the way.
pub(crate) fn outcome(outcome: &Outcome) -> Option<Value> {
    Some(match outcome {
        Outcome::Shown => return None,
        Outcome::Done { path } => json!({ "path": path }),
        Outcome::Authenticated { scheme } => json!({ "scheme": scheme }),
        Outcome::Children { path, names, stat } => {
            let mut value = json!({ "path": path, "children": names });
            if let Some(stat) = stat {
                value["stat"] = stat_value(stat);
            }
            value
        }
        Outcome::Paths(paths) => json!({ "paths": paths }),
        Outcome::Data { path, data, stat, .. } => {
            let (text, encoding) = data_text(data);
            let stat = stat.as_ref().map(stat_value);
            json!({ "path": path, "data": text, "encoding": encoding, "stat": stat })
        }
        Outcome::Stat { path, stat } | Outcome::Set { path, stat, .. } => {
            json!({ "path": path, "stat": stat_value(stat) })
        }
        Outcome::Created { created, .. } => {
            json!({ "path": created.path, "stat": created.stat.as_ref().map(stat_value) })
        }
        Outcome::Acl { path, acl, stat, .. } => {
            let acl: Vec<Value> = acl.iter().map(acl_value).collect();
            json!({ "path": path, "acl": acl, "stat": stat_value(stat) })
        }
        Outcome::Deleted { path, deleted, gone } => {
            json!({ "path": path, "deleted": deleted, "gone": gone })
        }
        Outcome::AclSet { path, changed, gone } => {
            json!({ "path": path, "changed": changed, "gone": gone })
        }
        Outcome::Exported { file, end } => {
            let mut value = Line::End(*end).to_json();
            value["file"] = file.as_str().into();
            value
        }
        Outcome::Imported { into, progress, is_dry } => {
            let mut value = progress_value(progress);
            value["into"] = into.as_str().into();
            value["dryRun"] = (*is_dry).into();
            value
        }
        Outcome::Count { path, count } => json!({ "path": path, "count": count }),
        Outcome::Identities(identities) => {
            let identity = |id: &Id| json!({ "scheme": id.scheme, "user": id.id });
            let identities: Vec<Value> = identities.iter().map(identity).collect();
            json!({ "identities": identities })
        }
        Outcome::Multi(results) => {
            let results: Vec<Value> = results.iter().map(changed_value).collect();
            json!({ "results": results })
        }
        Outcome::Switch { name, is_on } => json!({ *name: is_on }),
        Outcome::Answer { server, text } => {
            json!({ "server": server, "answer": String::from_utf8_lossy(text) })
        }
    })
}

/// A notice, as upstream's `WatchedEvent` has it.
pub(crate) fn notice(notice: &Notice) -> Value {
    match notice {
        Notice::Event { kind, path, zxid } => {
            json!({ "type": format!("{kind:?}"), "path": path, "zxid": zxid_value(*zxid) })
        }
        Notice::State(reach) => json!({ "type": "None", "state": reach.name() }),
        // Upstream tells nobody of these.
        Notice::Restored => json!({ "type": "WatchesRestored" }),
        Notice::WatchesLost => json!({ "type": "WatchesLost" }),
        Notice::Missed(count) => json!({ "type": "Missed", "count": count }),
    }
}

/// How far an import came.
pub(super) fn progress_value(progress: &Progress) -> Value {
    let Progress { created, overwritten, skipped, line, open } = progress;
    json!({
        "created": created,
        "overwritten": overwritten,
        "skipped": skipped,
        "line": line,
        "open": open,
    })
}

/// Puts data into an object: text, base64, or null.
pub(crate) fn data_value(value: &mut Value, data: Option<&[u8]>) {
    value["data"] = Value::Null;
    if let Some(data) = data {
        let (text, encoding) = data_text(data);
        value["data"] = text.into();
        value["encoding"] = encoding.into();
    }
}

/// Data as text if they are text.
fn data_text(data: &[u8]) -> (String, &'static str) {
    match str::from_utf8(data) {
        Ok(text) => (text.into(), "utf-8"),
        Err(_) => (BASE64_STANDARD.encode(data), "base64"),
    }
}

pub(super) fn stat_value(stat: &Stat) -> Value {
    json!({
        "czxid": zxid_value(stat.czxid),
        "mzxid": zxid_value(stat.mzxid),
        "ctime": stat.ctime_ms,
        "mtime": stat.mtime_ms,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeralOwner": stat.ephemeral_owner.to_string(),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
        "pzxid": zxid_value(stat.pzxid),
    })
}

pub(super) fn zxid_value(zxid: Zxid) -> Value {
    format!("0x{:x}", zxid.0).into()
}

/// An entry of an ACL.
pub(crate) fn acl_value(acl: &Acl) -> Value {
    json!({ "scheme": acl.id.scheme, "id": acl.id.id, "perms": permission_letters(acl.perms) })
}

fn changed_value((name, path, changed): &(&'static str, String, TransactionResult)) -> Value {
    match changed {
        TransactionResult::Created(created) => {
            let stat = created.stat.as_ref().map(stat_value);
            json!({ "operation": name, "path": created.path, "stat": stat })
        }
        TransactionResult::DataSet(stat) => {
            json!({ "operation": name, "path": path, "stat": stat_value(stat) })
        }
        _ => json!({ "operation": name, "path": path }),
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::{
        SessionId,
        client::{WatchEventKind, operation::Created},
    };

    use super::*;
    use crate::client::connection::Reach;

    #[test]
    fn data_are_text_or_base64() {
        let value = |data: &'static [u8]| {
            let (path, data) = ("/a".into(), data.into());
            let shown = Outcome::Data { path, data, stat: None, stat_wanted: false };
            outcome(&shown).expect("a value")
        };
        let text = json!({ "path": "/a", "data": "a\n\"ü\"", "encoding": "utf-8", "stat": null });
        assert_eq!(value("a\n\"ü\"".as_bytes()), text);
        let bytes = json!({ "path": "/a", "data": "AP8=", "encoding": "base64", "stat": null });
        assert_eq!(value(&[0, 255]), bytes);
    }

    #[test]
    fn a_stat_has_the_java_names() {
        let stat = Stat {
            czxid: Zxid(0x1_0000_0002),
            mzxid: Zxid(3),
            ctime_ms: 1_700_000_000_123,
            mtime_ms: 1_700_000_000_456,
            version: 1,
            cversion: 2,
            aversion: 3,
            ephemeral_owner: SessionId(0x0100_0000_0000_0001),
            data_length: 5,
            num_children: 6,
            pzxid: Zxid(4),
        };
        let expected = json!({
            "path": "/a",
            "stat": {
                "czxid": "0x100000002", "mzxid": "0x3", "pzxid": "0x4",
                "ctime": 1_700_000_000_123_i64, "mtime": 1_700_000_000_456_i64,
                "version": 1, "cversion": 2, "aversion": 3,
                "ephemeralOwner": "0x100000000000001", "dataLength": 5, "numChildren": 6,
            },
        });
        assert_eq!(outcome(&Outcome::Stat { path: "/a".into(), stat }), Some(expected));
    }

    #[test]
    fn a_multi_names_what_each_operation_did() {
        let created = Created { path: "/a0000000001".into(), stat: None };
        let results = vec![
            ("create", "/a".into(), TransactionResult::Created(created)),
            ("delete", "/b".into(), TransactionResult::Deleted),
        ];
        let expected = json!({ "results": [
            { "operation": "create", "path": "/a0000000001", "stat": null },
            { "operation": "delete", "path": "/b" },
        ] });
        assert_eq!(outcome(&Outcome::Multi(results)), Some(expected));
    }

    #[test]
    fn notices_are_lines() {
        let event =
            Notice::Event { kind: WatchEventKind::NodeCreated, path: "/a".into(), zxid: Zxid(17) };
        assert_eq!(notice(&event), json!({ "type": "NodeCreated", "path": "/a", "zxid": "0x11" }));
        let state = Notice::State(Reach::Suspended);
        assert_eq!(notice(&state), json!({ "type": "None", "state": "Disconnected" }));
    }
}
