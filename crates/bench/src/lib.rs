//! Operators measured by one mutation each, without a search: they are handed programs, and their children are judged.

pub mod bugs;
pub mod commits;

/// What ends a measurement.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that cannot be, a model that cannot be loaded, an operator that cannot go on.
    #[error(transparent)]
    Mutate(#[from] mutate::Error),
    /// A judge that cannot work.
    #[error("the judge cannot work: {0}")]
    Judge(String),
}
