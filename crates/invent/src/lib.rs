//! Models that write programs outright (Lehman et al. 2022, sections 3.2 and 3.3).
//!
//! [`dataset`] gathers the programs that maps took, [`domain`] prepares the training of a model on them, and [`author`] has a model write
//! programs, held to Python or free; [`probe`] asks what it knows of them. What a program is worth the trait [`evolve::domain::Domain`] says: nothing here knows of walkers.

use std::path::PathBuf;

pub mod author;
pub mod dataset;
pub mod domain;
pub mod inventor;
pub mod judge;
mod net;
pub mod ppo;
pub mod probe;
pub mod ten;

/// What cannot be gathered, learned or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A run.
    #[error(transparent)]
    Run(#[from] evolve::Error),
    /// A model.
    #[error(transparent)]
    Model(#[from] lm::Error),
    /// A file of rows.
    #[error("{0}; give a dataset as `samara dataset` writes it, with the field program at least")]
    Table(#[from] table::Error),
    /// A field of a row.
    #[error("{}: row {row}: {field}: {why}; each row has a program, and what else is known of it", path.display())]
    Field {
        /// Which file.
        path: PathBuf,
        /// Which row, from 1.
        row: u64,
        /// The field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// Runs that do not go together.
    #[error("{}: {why}; {mend}", path.display())]
    Unlike {
        /// The run.
        path: PathBuf,
        /// How it differs from those before.
        why: String,
        /// What to do.
        mend: &'static str,
    },
}
