//! Storage survives crashes: power cuts after every operation and at every byte, syncs that lie,
//! disks that are full or broken.

mod damage;
mod every_byte;
mod failures;
mod lies;
mod lives;
mod support;
