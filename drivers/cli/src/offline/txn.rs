//! A transaction as a line: text and JSON.

use serde_json::{Value, json};
use zookeeper_core::{
    storage::LogRecord,
    wire::{Acl, CreateKind, Txn, TxnHeader},
};

use super::number::{self, count};
use crate::client::{acl_value, code_name, data_value, permission_letters, visible};

/// How much of the data a line of text shows, in bytes.
const SHOWN: usize = 48;

/// The line of a record: zxid, time, session, cxid, type, path, and what belongs to the type.
pub(super) fn text(record: &LogRecord<'_>) -> String {
    let TxnHeader { session, cxid, zxid, time_ms } = record.header;
    let (time, txn) = (number::time(time_ms), txn_text(&record.txn));
    format!("{zxid} {time} {session} {cxid} {txn}")
}

/// The same with everything that is known.
pub(super) fn json(record: &LogRecord<'_>) -> Value {
    let TxnHeader { session, cxid, zxid, time_ms } = record.header;
    let mut value = txn_json(&record.txn);
    value["zxid"] = zxid.to_string().into();
    value["time"] = time_ms.into();
    value["session"] = session.to_string().into();
    value["cxid"] = cxid.into();
    value["digest"] = record.digest.map(|digest| format!("{digest:#x}")).into();
    value["offset"] = record.offset.into();
    value["length"] = record.length.into();
    value
}

/// Whether one of the paths that a transaction names is wanted.
pub(super) fn any_path(txn: &Txn<'_>, is_wanted: &dyn Fn(&str) -> bool) -> bool {
    match txn {
        Txn::Multi(parts) => parts.iter().any(|part| any_path(part, is_wanted)),
        Txn::CloseSession { paths } => paths.iter().flatten().any(|path| is_wanted(path)),
        txn => path(txn).is_some_and(is_wanted),
    }
}

/// The one path that a transaction is about.
pub(super) fn path<'a>(txn: &'a Txn<'_>) -> Option<&'a str> {
    match txn {
        Txn::Create { path, .. }
        | Txn::Delete { path, .. }
        | Txn::SetData { path, .. }
        | Txn::SetAcl { path, .. }
        | Txn::Check { path, .. } => Some(path),
        Txn::CreateSession { .. } | Txn::CloseSession { .. } | Txn::Multi(_) | Txn::Error(_) => {
            None
        }
    }
}

fn txn_text(txn: &Txn<'_>) -> String {
    let name = txn.op().name();
    let name = match path(txn) {
        Some(path) => format!("{name} {}", visible(path.as_bytes(), "")),
        None => name.to_owned(),
    };
    match txn {
        Txn::CreateSession { timeout_ms } => format!("{name} timeout {timeout_ms} ms"),
        Txn::CloseSession { paths: None } => name,
        Txn::CloseSession { paths: Some(paths) } => {
            let paths = paths.iter().map(|path| visible(path.as_bytes(), ""));
            format!("{name} [{}]", paths.collect::<Vec<_>>().join(", "))
        }
        Txn::Create { data, acl, kind, parent_cversion, .. } => {
            let (data, acl, kind) = (data_text(data.as_deref()), acl_text(acl), kind_text(*kind));
            format!("{name} {data} {kind} {acl} parent-cversion {parent_cversion}")
        }
        Txn::Delete { .. } => name,
        Txn::SetData { data, version, .. } => {
            format!("{name} {} version {version}", data_text(data.as_deref()))
        }
        Txn::SetAcl { acl, version, .. } => format!("{name} {} version {version}", acl_text(acl)),
        Txn::Check { version, .. } => format!("{name} version {version}"),
        Txn::Multi(parts) => {
            let parts: Vec<String> = parts.iter().map(txn_text).collect();
            format!("{name} [{}]", parts.join("; "))
        }
        Txn::Error(code) => format!("{name} {} ({})", code_name(*code), code.0),
    }
}

fn txn_json(txn: &Txn<'_>) -> Value {
    let mut value = json!({ "type": txn.op().name() });
    if let Some(path) = path(txn) {
        value["path"] = path.into();
    }
    match txn {
        Txn::CreateSession { timeout_ms } => value["timeoutMs"] = (*timeout_ms).into(),
        Txn::CloseSession { paths } => {
            value["paths"] = paths
                .as_ref()
                .map(|paths| paths.iter().map(|path| &**path))
                .map_or(Value::Null, |paths| paths.collect());
        }
        Txn::Create { data, acl, kind, parent_cversion, .. } => {
            data_value(&mut value, data.as_deref());
            value["acl"] = acl.iter().map(acl_value).collect();
            value["kind"] = kind_name(*kind).into();
            if let CreateKind::Ttl(ttl_ms) = kind {
                value["ttlMs"] = (*ttl_ms).into();
            }
            value["parentCversion"] = (*parent_cversion).into();
        }
        Txn::Delete { .. } => {}
        Txn::SetData { data, version, .. } => {
            data_value(&mut value, data.as_deref());
            value["version"] = (*version).into();
        }
        Txn::SetAcl { acl, version, .. } => {
            value["acl"] = acl.iter().map(acl_value).collect();
            value["version"] = (*version).into();
        }
        Txn::Check { version, .. } => value["version"] = (*version).into(),
        Txn::Multi(parts) => value["operations"] = parts.iter().map(txn_json).collect(),
        Txn::Error(code) => {
            value["error"] = code_name(*code).into();
            value["code"] = code.0.into();
        }
    }
    value
}

/// The beginning of data, and how much there is.
pub(super) fn data_text(data: Option<&[u8]>) -> String {
    let Some(data) = data else { return "null".into() };
    let (shown, more) = match data.get(..SHOWN) {
        Some(shown) if data.len() > SHOWN => (shown, "…"),
        _ => (data, ""),
    };
    format!("\"{}{more}\" ({})", visible(shown, ""), count(data.len() as u64, "byte"))
}

/// An ACL as it is given.
pub(super) fn acl_text(acl: &[Acl]) -> String {
    let entry = |acl: &Acl| {
        let letters = permission_letters(acl.perms);
        visible(format!("{}:{}:{letters}", acl.id.scheme, acl.id.id).as_bytes(), "")
    };
    acl.iter().map(entry).collect::<Vec<_>>().join(",")
}

/// What becomes of a znode by itself.
pub(super) fn kind_text(kind: CreateKind) -> String {
    match kind {
        CreateKind::Ttl(ttl_ms) => format!("ttl {ttl_ms} ms"),
        kind => kind_name(kind).into(),
    }
}

/// What becomes of a znode by itself, in a word.
pub(super) const fn kind_name(kind: CreateKind) -> &'static str {
    match kind {
        CreateKind::Persistent => "persistent",
        CreateKind::Ephemeral => "ephemeral",
        CreateKind::Container => "container",
        CreateKind::Ttl(_) => "ttl",
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::{
        SessionId, Zxid,
        wire::{ErrorCode, perms},
    };

    use super::*;

    fn record(txn: Txn<'_>) -> LogRecord<'_> {
        let header =
            TxnHeader { session: SessionId(0xa), cxid: 3, zxid: Zxid(0x1f), time_ms: 1_000 };
        LogRecord { offset: 16, length: 99, header, txn, digest: Some(7) }
    }

    fn create(data: &[u8], kind: CreateKind) -> Txn<'_> {
        let acl = [Acl::new(perms::ALL, "world", "anyone")].into();
        let (path, data) = ("/a b".into(), Some(data.into()));
        Txn::Create { create2: false, path, data, acl, kind, parent_cversion: 4 }
    }

    #[test]
    fn a_record_is_one_line() {
        const START: &str = "0x1f 1970-01-01T00:00:01.000Z 0xa 3 ";
        const END: &str = "world:anyone:cdrwa parent-cversion 4";
        let (long, paths) = ([b'x'; 60], vec!["/e".into(), "/f\n".into()]);
        let shown = "x".repeat(SHOWN);
        for (txn, expected) in [
            (
                create(b"one\ntwo\xff", CreateKind::Persistent),
                format!(r#"create /a b "one\x0atwo\xff" (8 bytes) persistent {END}"#),
            ),
            (
                create(&long, CreateKind::Ttl(77)),
                format!(r#"create_ttl /a b "{shown}…" (60 bytes) ttl 77 ms {END}"#),
            ),
            (Txn::CreateSession { timeout_ms: 9 }, "create_session timeout 9 ms".into()),
            (Txn::CloseSession { paths: None }, "close_session".into()),
            (Txn::CloseSession { paths: Some(paths) }, r"close_session [/e, /f\x0a]".into()),
            (Txn::Delete { container: true, path: "/c".into() }, "delete_container /c".into()),
            (
                Txn::SetData { path: "/d".into(), data: None, version: 2 },
                "set_data /d null version 2".into(),
            ),
            (
                Txn::Multi(vec![
                    Txn::Check { path: "/x".into(), version: 1 },
                    Txn::Delete { container: false, path: "/y".into() },
                ]),
                "multi [check /x version 1; delete /y]".into(),
            ),
            (Txn::Error(ErrorCode::NO_NODE), "error NONODE (-101)".into()),
        ] {
            assert_eq!(text(&record(txn)), format!("{START}{expected}"));
        }
    }

    #[test]
    fn json_has_everything() {
        let value = json(&record(create(&[0xff], CreateKind::Ttl(5))));
        let acl = json!([{ "scheme": "world", "id": "anyone", "perms": "cdrwa" }]);
        let expected = json!({
            "zxid": "0x1f", "time": 1_000, "session": "0xa", "cxid": 3, "type": "create_ttl",
            "path": "/a b", "data": "/w==", "encoding": "base64", "acl": acl, "kind": "ttl",
            "ttlMs": 5, "parentCversion": 4, "digest": "0x7", "offset": 16, "length": 99,
        });
        assert_eq!(value, expected);
        let parts = vec![Txn::Error(ErrorCode::OK), Txn::Error(ErrorCode::RUNTIME_INCONSISTENCY)];
        let value = json(&record(Txn::Multi(parts)));
        assert_eq!(
            value["operations"][1],
            json!({
                "type": "error", "error": "RUNTIMEINCONSISTENCY", "code": -2,
            })
        );
        let value = json(&record(Txn::CloseSession { paths: Some(vec!["/e".into()]) }));
        assert_eq!(value["paths"], json!(["/e"]));
    }

    #[test]
    fn every_path_of_a_transaction_is_looked_at() {
        let find = |txn: &Txn<'_>, wanted: &str| any_path(txn, &|path| path == wanted);
        let delete = Txn::Delete { container: false, path: "/y".into() };
        let multi = Txn::Multi(vec![Txn::Error(ErrorCode::OK), delete]);
        assert!(find(&multi, "/y") && !find(&multi, "/x"));
        let close = Txn::CloseSession { paths: Some(vec!["/e".into()]) };
        assert!(find(&close, "/e") && !find(&close, "/y"));
        assert!(!find(&Txn::CreateSession { timeout_ms: 1 }, "/y"));
    }
}
