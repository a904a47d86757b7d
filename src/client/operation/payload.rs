//! A znode's data on its way to the server.

use std::fmt;

use bytes::Bytes;

use crate::wire::Blob;

/// Data for a znode: borrowed, or counted and then never copied where it is large.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Payload<'a> {
    /// No data, which is not the same as no bytes of it.
    #[default]
    Null,
    /// Borrowed bytes.
    Slice(&'a [u8]),
    /// Counted bytes.
    Shared(Bytes),
}

impl Payload<'_> {
    /// The data as requests carry it.
    pub(super) fn as_blob(&self) -> Option<Blob<'_>> {
        match self {
            Self::Null => None,
            Self::Slice(bytes) => Some(Blob::Slice(bytes)),
            Self::Shared(bytes) => Some(Blob::Shared(bytes)),
        }
    }
}

impl fmt::Debug for Payload<'_> {
    /// The length only: data may be large, and may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_blob() {
            Some(blob) => fmt::Debug::fmt(&blob, f),
            None => f.write_str("null"),
        }
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Slice(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Slice(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Slice(bytes)
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Slice(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Payload<'a> {
    fn from(text: &'a String) -> Self {
        Self::Slice(text.as_bytes())
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Shared(bytes.into())
    }
}

impl From<String> for Payload<'_> {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for Payload<'a> {
    fn from(data: Option<T>) -> Self {
        data.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_empty() {
        assert_eq!(Payload::from(None::<&str>).as_blob(), None);
        assert_eq!(Payload::from("").as_blob(), Some(Blob::Slice(&[])));
        assert_eq!(Payload::from(Some(vec![1])).as_blob(), Some(Blob::Slice(&[1])));
    }

    #[test]
    fn shows_no_data() {
        assert_eq!(format!("{:?}", Payload::from("word")), "4 bytes");
        assert_eq!(format!("{:?}", Payload::Null), "null");
    }
}
