//! Every operation of the client: its request as bytes, the rules of its arguments, and what a
//! reply to it means, below a chroot and without one.

mod all;
mod multi;
mod single;
mod support;
