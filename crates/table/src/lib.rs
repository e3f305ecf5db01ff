//! Rows as Parquet and as JSON lines, written and read.
//!
//! A [`Writer`] writes both at once from the same columns; [`read`] takes either, by its name's ending.

use std::path::{Path, PathBuf};

pub use read::read;
pub use write::{Column, Get, Writer};

mod read;
mod write;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct Error {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong, with the line or row where there is one.
    pub why: String,
}

impl Error {
    /// A file and what is wrong with it.
    pub fn new(path: &Path, why: impl ToString) -> Self {
        Self {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }
}
