//! The lines of an export: what they say, written and read.
//!
//! ```text
//! {"format":"zookeeper-export","version":1,"root":"/app","exported":"2024-05-01T12:00:00.000Z"}
//! {"path":"/","data":"x","encoding":"utf-8","acl":[..],"kind":"persistent","stat":{..}}
//! {"path":"/a",..}
//! {"end":true,"znodes":2,"skipped":0,"gone":0,"hiddenAcls":0,"zxid":"0x1f"}
//! ```
//!
//! Paths are relative to the root, parents come before their children, and the last line tells
//! that nothing was cut off. Fields that nobody knows are ignored.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use zookeeper_core::{
    Zxid, validate_path,
    wire::{Acl, CreateMode, Stat},
};

use super::super::{
    json::{acl_value, data_value, stat_value, zxid_value},
    value::parse_permissions,
};

/// What the first line is known by.
const FORMAT: &str = "zookeeper-export";
const VERSION: u64 = 1;

/// What a server shows instead of a digest's hash to those who may not administer a znode.
const HIDDEN: &str = "x";

/// One line of an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// The first.
    Header(Header),
    /// One znode.
    Node(NodeLine),
    /// The last.
    End(End),
}

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// The znode that was exported.
    pub(crate) root: String,
    /// When, for people.
    pub(crate) exported: String,
}

/// One znode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NodeLine {
    /// Relative to the root, which is `/`.
    pub(crate) path: String,
    pub(crate) data: Option<Bytes>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) kind: Kind,
    /// For information. It is not read back: a server makes stats itself.
    pub(crate) stat: Option<Stat>,
}

/// What becomes of a znode by itself. A client is not told of other than ephemeral ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Persistent,
    Container,
    Ttl(Duration),
}

/// The last line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct End {
    /// How many znodes there are.
    pub(crate) znodes: u64,
    /// How many ephemeral ones were left out.
    pub(crate) skipped: u64,
    /// How many went while others were read.
    pub(crate) gone: u64,
    /// How many ACLs the server did not show all of.
    pub(crate) hidden: u64,
    /// The newest change of data or children among all that is there.
    pub(crate) zxid: Zxid,
}

impl Line {
    /// The line, without its end.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Header(Header { root, exported }) => {
                json!({ "format": FORMAT, "version": VERSION, "root": root, "exported": exported })
            }
            Self::Node(node) => node.to_json(),
            Self::End(End { znodes, skipped, gone, hidden, zxid }) => json!({
                "end": true,
                "znodes": znodes,
                "skipped": skipped,
                "gone": gone,
                "hiddenAcls": hidden,
                "zxid": zxid_value(*zxid),
            }),
        }
    }

    /// What a line says, or what is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(text).map_err(|error| format!("it is no JSON: {error}"))?;
        if !value["format"].is_null() {
            return header(&value).map(Self::Header);
        }
        if value["end"] == true {
            return end(&value).map(Self::End);
        }
        node(&value).map(Self::Node)
    }
}

impl NodeLine {
    fn to_json(&self) -> Value {
        let acl: Vec<Value> = self.acl.iter().map(acl_value).collect();
        let mut value = json!({ "path": self.path, "acl": acl, "kind": self.kind.name() });
        data_value(&mut value, self.data.as_deref());
        if let Kind::Ttl(ttl) = self.kind {
            value["ttlMs"] = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).into();
        }
        if let Some(stat) = &self.stat {
            value["stat"] = stat_value(stat);
        }
        value
    }

    /// Whether the server did not show all of the ACL.
    pub(crate) fn has_hidden_acl(&self) -> bool {
        self.acl.iter().any(|entry| {
            let hash = entry.id.id.rsplit_once(':').map(|(_, hash)| hash);
            &*entry.id.scheme == "digest" && hash == Some(HIDDEN)
        })
    }
}

impl Kind {
    /// How it is made.
    pub(crate) fn mode(self) -> (CreateMode, Option<Duration>) {
        match self {
            Self::Persistent => (CreateMode::Persistent, None),
            Self::Container => (CreateMode::Container, None),
            Self::Ttl(ttl) => (CreateMode::PersistentWithTtl, Some(ttl)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::Container => "container",
            Self::Ttl(_) => "ttl",
        }
    }
}

/// The path of a znode at or below a root, as that root sees it.
pub(crate) fn relative<'a>(path: &'a str, root: &str) -> &'a str {
    match path.strip_prefix(root) {
        Some("") => "/",
        Some(below) if below.starts_with('/') => below,
        // The root of all.
        _ => path,
    }
}

fn header(value: &Value) -> Result<Header, String> {
    if value["format"] != FORMAT {
        return Err(format!("its format is {}, not \"{FORMAT}\"", value["format"]));
    }
    if value["version"] != VERSION {
        return Err(format!("its version is {}, and {VERSION} is known", value["version"]));
    }
    let root = text(value, "root")?;
    validate_path(root).map_err(|error| format!("root {root:?}: {error}"))?;
    let exported = value["exported"].as_str().unwrap_or_default().into();
    Ok(Header { root: root.into(), exported })
}

fn end(value: &Value) -> Result<End, String> {
    let number = |name: &str| {
        value[name].as_u64().ok_or_else(|| format!("{name} is {}, not a number", value[name]))
    };
    let zxid = value["zxid"].as_str().and_then(|text| text.strip_prefix("0x"));
    let zxid = zxid.and_then(|digits| i64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    Ok(End {
        znodes: number("znodes")?,
        skipped: number("skipped")?,
        gone: number("gone")?,
        hidden: number("hiddenAcls")?,
        zxid: Zxid(zxid),
    })
}

fn node(value: &Value) -> Result<NodeLine, String> {
    let path = text(value, "path")?;
    validate_path(path).map_err(|error| format!("path {path:?}: {error}"))?;
    Ok(NodeLine {
        path: path.into(),
        data: data(value)?,
        acl: acl(value)?,
        kind: kind(value)?,
        stat: None,
    })
}

fn data(value: &Value) -> Result<Option<Bytes>, String> {
    if value.get("data").is_some_and(Value::is_null) {
        return Ok(None);
    }
    let data = text(value, "data")?;
    match text(value, "encoding")? {
        "utf-8" => Ok(Some(data.to_owned().into())),
        "base64" => match BASE64_STANDARD.decode(data) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) => Err(format!("data are no base64: {error}")),
        },
        other => Err(format!("encoding is {other:?}, neither utf-8 nor base64")),
    }
}

fn acl(value: &Value) -> Result<Vec<Acl>, String> {
    let Some(entries) = value["acl"].as_array().filter(|entries| !entries.is_empty()) else {
        return Err(format!("acl is {}, not a list of entries", value["acl"]));
    };
    let entry = |entry: &Value| {
        let perms = parse_permissions(text(entry, "perms")?)?;
        Ok(Acl::new(perms, text(entry, "scheme")?, text(entry, "id")?))
    };
    entries.iter().map(entry).collect()
}

fn kind(value: &Value) -> Result<Kind, String> {
    match text(value, "kind")? {
        "persistent" => Ok(Kind::Persistent),
        "container" => Ok(Kind::Container),
        "ttl" => match value["ttlMs"].as_u64() {
            Some(ttl_ms @ 1..) => Ok(Kind::Ttl(Duration::from_millis(ttl_ms))),
            _ => Err(format!("ttlMs is {}, not a positive number", value["ttlMs"])),
        },
        other => Err(format!("kind is {other:?}: neither persistent, container nor ttl")),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    match &value[name] {
        Value::String(text) => Ok(text),
        Value::Null => Err(format!("{name} is missing")),
        other => Err(format!("{name} is {other}, not a text")),
    }
}

#[cfg(test)]
mod tests {
    use zookeeper_core::wire::perms;

    use super::*;
    use crate::client::value::open_acl;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let node = NodeLine {
            path: "/a b".into(),
            data: Some("text\n".into()),
            acl: vec![Acl::new(perms::READ | perms::ADMIN, "ip", "10.0.0.0/8")],
            kind: Kind::Persistent,
            stat: None,
        };
        let ttl = Kind::Ttl(Duration::from_millis(77));
        let bytes = Bytes::from_static(&[0xff, 0]);
        let end = End { znodes: 4, skipped: 3, gone: 2, hidden: 1, zxid: Zxid(0x1f) };
        for line in [
            Line::Header(Header { root: "/app".into(), exported: "today".into() }),
            Line::Node(node.clone()),
            Line::Node(NodeLine { data: None, kind: Kind::Container, ..node.clone() }),
            Line::Node(NodeLine { data: Some(Bytes::new()), kind: ttl, ..node.clone() }),
            Line::Node(NodeLine { data: Some(bytes), acl: open_acl(), ..node }),
            Line::End(end),
        ] {
            let text = line.to_json().to_string();
            assert_eq!(Line::parse(text.as_bytes()).as_ref(), Ok(&line), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let acl = r#""acl":[{"scheme":"world","id":"anyone","perms":"r"}]"#;
        let rest = format!(r#""data":"","encoding":"utf-8",{acl},"kind":"persistent""#);
        let line = |fields: &str| format!("{{{fields}}}");
        for (text, message) in [
            ("{".into(), "it is no JSON: "),
            ("[]".into(), "path is missing"),
            (line(&rest), "path is missing"),
            (line(&format!(r#""path":"a",{rest}"#)), r#"path "a": "#),
            (line(&format!(r#""path":7,{rest}"#)), "path is 7, not a text"),
            (line(r#""path":"/a""#), "data is missing"),
            (line(r#""path":"/a","data":"x""#), "encoding is missing"),
            (line(r#""path":"/a","data":"x","encoding":"utf-16""#), "encoding is \"utf-16\""),
            (line(r#""path":"/a","data":"?","encoding":"base64""#), "data are no base64: "),
            (line(r#""path":"/a","data":null"#), "acl is null"),
            (line(r#""path":"/a","data":null,"acl":[]"#), "acl is []"),
            (line(r#""path":"/a","data":null,"acl":[{"perms":"z"}]"#), "'z' is no permission"),
            (line(&format!(r#""path":"/a","data":null,{acl}"#)), "kind is missing"),
            (
                line(&format!(r#""path":"/a","data":null,{acl},"kind":"ephemeral""#)),
                "kind is \"ephemeral\"",
            ),
            (line(&format!(r#""path":"/a","data":null,{acl},"kind":"ttl""#)), "ttlMs is null"),
            (line(r#""format":"other""#), "its format is \"other\""),
            (line(r#""format":"zookeeper-export","version":2"#), "its version is 2"),
            (line(r#""end":true"#), "znodes is null"),
        ] {
            let wrong = Line::parse(text.as_bytes()).expect_err(&text);
            assert!(wrong.starts_with(message), "{text}: {wrong}");
        }
    }

    #[test]
    fn hidden_hashes_are_seen() {
        let node = |scheme, id| NodeLine {
            path: "/".into(),
            data: None,
            acl: vec![Acl::new(perms::ALL, scheme, id)],
            kind: Kind::Persistent,
            stat: None,
        };
        assert!(node("digest", "user:x").has_hidden_acl());
        assert!(!node("digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=").has_hidden_acl());
        assert!(!node("sasl", "user:x").has_hidden_acl());
    }
}
