//! Frames: a length and that many bytes.
//!
//! Behaviour: `org.apache.zookeeper.server.NIOServerCnxn.readLength`.

use thiserror::Error;

/// The bytes of a frame's length field.
pub const LENGTH_BYTES: usize = 4;

/// Why a length field cannot start a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Below zero.
    #[error("frame length {0} is negative")]
    Negative(i32),
    /// Above the limit.
    #[error("frame of {length} bytes is over the limit of {max}")]
    TooLong {
        /// What the peer announced, in bytes.
        length: usize,
        /// The largest length accepted, in bytes.
        max: usize,
    },
}

/// Checks a length field against the inclusive limit `max`, before anything is reserved for it.
///
/// # Errors
///
/// [`FrameError`] when no frame can follow; the connection is beyond repair then.
pub fn decode_length(field: [u8; LENGTH_BYTES], max: usize) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(field);
    let length = usize::try_from(length).map_err(|_| FrameError::Negative(length))?;
    if length > max {
        return Err(FrameError::TooLong { length, max });
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_inclusive() {
        assert_eq!(decode_length(10_i32.to_be_bytes(), 10), Ok(10));
        assert_eq!(
            decode_length(11_i32.to_be_bytes(), 10),
            Err(FrameError::TooLong { length: 11, max: 10 })
        );
        assert_eq!(decode_length([0xff; 4], 10), Err(FrameError::Negative(-1)));
        assert_eq!(decode_length([0; 4], 10), Ok(0));
    }
}
