//! Bad input: each kind has a defined answer and a counter, and nobody else notices.

mod clients;
mod requests;
mod strangers;
mod table;
