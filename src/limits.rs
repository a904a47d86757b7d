//! Limits that hold everywhere, whatever the configuration says.

/// `jute.maxbuffer`: the largest frame body accepted, in bytes, inclusive.
pub const FRAME_LENGTH_MAX: usize = 0xf_ffff;

/// The largest first frame of a connection, in bytes: a ConnectRequest is 45 bytes, passwords of
/// any sane length included this is ample, and a stranger may cost no more.
pub const FIRST_FRAME_LENGTH_MAX: usize = 1024;

/// The longest answer to a four-letter command, in bytes; what is longer ends in a line that says
/// so.
pub const COMMAND_OUTPUT_MAX: usize = 1 << 20;
