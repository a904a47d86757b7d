//! A znode's stat, as replies carry it.

use super::codec::{Decode, DecodeError, Encode, Reader, Sink};
use crate::ids::{SessionId, Zxid};

/// Everything about a znode but its data and ACL; 68 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last changed its data.
    pub mzxid: Zxid,
    /// Creation, in milliseconds of Unix time.
    pub ctime_ms: i64,
    /// Last change of data, in milliseconds of Unix time.
    pub mtime_ms: i64,
    /// Changes of data.
    pub version: i32,
    /// Changes of the child list: creations and deletions.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session an ephemeral znode belongs to.
    pub ephemeral_owner: SessionId,
    /// Bytes of data.
    pub data_length: i32,
    /// Children.
    pub num_children: i32,
    /// The transaction that last changed the child list.
    pub pzxid: Zxid,
}

impl Stat {
    /// The encoded length in bytes.
    pub const LENGTH: usize = 68;

    /// The encoded stat.
    #[must_use]
    pub fn to_array(self) -> [u8; Self::LENGTH] {
        let mut array = [0; Self::LENGTH];
        array[..8].copy_from_slice(&self.czxid.0.to_be_bytes());
        array[8..16].copy_from_slice(&self.mzxid.0.to_be_bytes());
        array[16..24].copy_from_slice(&self.ctime_ms.to_be_bytes());
        array[24..32].copy_from_slice(&self.mtime_ms.to_be_bytes());
        array[32..36].copy_from_slice(&self.version.to_be_bytes());
        array[36..40].copy_from_slice(&self.cversion.to_be_bytes());
        array[40..44].copy_from_slice(&self.aversion.to_be_bytes());
        array[44..52].copy_from_slice(&self.ephemeral_owner.0.to_be_bytes());
        array[52..56].copy_from_slice(&self.data_length.to_be_bytes());
        array[56..60].copy_from_slice(&self.num_children.to_be_bytes());
        array[60..].copy_from_slice(&self.pzxid.0.to_be_bytes());
        array
    }
}

impl<'a> Decode<'a> for Stat {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        // One look at what is left instead of eleven.
        let mut reader = Reader::new(reader.array::<{ Self::LENGTH }>()?);
        Ok(Self {
            czxid: Zxid(reader.read()?),
            mzxid: Zxid(reader.read()?),
            ctime_ms: reader.read()?,
            mtime_ms: reader.read()?,
            version: reader.read()?,
            cversion: reader.read()?,
            aversion: reader.read()?,
            ephemeral_owner: SessionId(reader.read()?),
            data_length: reader.read()?,
            num_children: reader.read()?,
            pzxid: Zxid(reader.read()?),
        })
    }
}

impl Encode for Stat {
    fn encode<S: Sink + ?Sized>(&self, out: &mut S) {
        out.put(&self.to_array());
    }
}
