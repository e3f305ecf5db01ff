//! Changes of a program's text, and which of them are possible.
//!
//! [`diff::Diff`] and [`replace::Blocks`] are the two forms in which models write a change. [`guide::Guide`] says, byte
//! by byte, what may be written next; a model that is held to one cannot write a change that does not apply.
//! [`source`] has the one form of a program's text.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod diff;
pub mod guide;
pub mod hash;
pub mod python;
pub mod replace;
pub mod source;

/// The lines of a text, each with the line feed that ends it; the last may lack one.
pub fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}
