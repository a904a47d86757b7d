//! A whole session as a list of steps: see [`Program`]. What servers say is whole in one run and cut
//! up in another; both have to come to the same.

use crate::{
    client::{Cutting, Program},
    pair::Chunking,
};

/// Settings, then steps.
///
/// # Panics
///
/// When the session breaks its contract.
pub fn client(data: &[u8]) {
    let program = Program::read(data);
    let whole = program.run(Cutting::default());
    let cut = Cutting { input: Chunking::Random(7), reads_per_turn: 1, socket_buffer: 11 };
    let parts = program.run(cut);
    assert!(program.has_probes() || whole == parts, "cut up: {parts:?}\nwhole: {whole:?}");
}
