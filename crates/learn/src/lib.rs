//! What models learn from runs: lessons, their texts, and the operator trained on them.
//!
//! It takes iterators of [`mutate::Lesson`]s and knows nothing of stores, archives or domains.
//! [`select`] chooses among them, [`text`] makes of them what a trainer reads.

pub use left::{Left, Why};

mod hash;
mod left;
pub mod select;
pub mod text;
