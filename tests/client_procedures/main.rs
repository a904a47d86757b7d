//! Work of more than one request against a small tree of its own: others at work in the same
//! place, lost replies, missing chroots.
//!
//! Every step goes to the tree and back as bytes, in order and as late as chance has it.

mod parents;
mod protected;
mod trees;
mod world;
