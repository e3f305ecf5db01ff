//! Changes of a program's text, and which of them are possible.
//!
//! [`guide::Guide`] says, byte by byte, what may be written next; a model that is held to one cannot write a
//! change that does not apply.

pub mod guide;
pub mod python;
