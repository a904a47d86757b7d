//! Writers on a server that is killed again and again, and what they know must be there.
//!
//! Every writer keeps a record of what was acknowledged and of what was asked for without an
//! answer. After each kill the server is started on the same directory, and the tree is read: what
//! was acknowledged is there, nothing is there by halves, nothing that nobody asked for, and no
//! number was given out twice. Then the same sessions go on.
//!
//! A killed process loses what is in its memory; what it has handed to the operating system stays.
//! So this is about the order in which a server writes and answers, about its files as they are at
//! any moment, and about recovery from them. What a power cut takes is the simulated disk's.

mod counter;
mod gate;
mod mortal;
mod nodes;
mod outcome;
mod pair;
mod rounds;
mod view;

pub use rounds::{Plan, Summary};
