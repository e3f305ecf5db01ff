//! What models learn from runs: lessons, their texts, and the operator trained on them.
//!
//! It takes iterators of [`mutate::Lesson`]s and knows nothing of stores, archives or domains.
//! [`record`] reads and writes them, [`select`] chooses among them, [`text`] makes of them what a trainer reads,
//! [`operator`] prepares the [`course`] that trains on it, [`trial`] tries what came of it, and [`pupil`] is an operator that learns from the run it works in.

pub use left::{Left, Why};

pub mod course;
mod left;
pub mod operator;
pub mod pupil;
pub mod record;
pub mod select;
pub mod text;
pub mod trial;
