//! Operators with a language model of our own: [`Line`] rewrites lines in place, [`Diff`] writes a unified diff.
//!
//! What they write is held to what applies and parses ([`edit::guide`]); what all children of a parent share is read
//! once ([`lm::generate`]).

mod diff;
mod line;
pub mod settings;
mod writer;

pub use diff::Diff;
pub use line::Line;
pub use writer::Writer;
