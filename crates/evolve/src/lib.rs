//! The search: operators propose programs, a domain evaluates them, an archive keeps the good and
//! different ones, and a store remembers all of it.
//!
//! [`search::run`] is the loop, [`search::collect`] puts programs from elsewhere into a map; [`domain`] and [`store`] are what it joins with the operators of `mutate`.

use std::path::PathBuf;

use mutate::Reason;

pub mod domain;
pub mod export;
pub mod search;
pub mod settings;
pub mod store;

mutate::codes! {
    /// Why the search itself takes no score.
    CODES: "unscored";
    NOT_FINITE "not-finite" "a measure or the fitness is not a finite number",
}

mutate::codes! {
    /// Why a program was not even tried.
    UNTRIED: "unrunnable";
    BEGINNING "beginning" "child 0 of a run that was not bred: what all of its programs begin with, perhaps nothing",
}

/// What stops a search or keeps it from starting; each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that cannot be, a model that cannot be loaded, an operator that cannot go on.
    #[error(transparent)]
    Mutate(#[from] mutate::Error),
    /// A file that cannot be read or written.
    #[error("{}: {why}; {mend}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// What to do.
        mend: String,
    },
    /// The program that the search is to start from does not work.
    #[error("the seed program {name} {}: {}; try it alone with `samara walker {name}`", reason.code, reason.message)]
    Seed {
        /// As given in the settings.
        name: String,
        /// What became of it.
        reason: Reason,
    },
    /// An evaluator that cannot work at all, or does not keep to its contract.
    #[error("the evaluator cannot work: {0}")]
    Evaluator(String),
    /// The store's database.
    #[error("{}: {cause}; {mend}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        cause: rusqlite::Error,
        /// What to do.
        mend: &'static str,
    },
}

impl Error {
    /// A setting that cannot be: its name as in the configuration file, what is wrong, what to do.
    pub fn setting(field: &str, why: impl Into<String>, mend: impl Into<String>) -> Self {
        mutate::Error::setting(field, why, mend).into()
    }

    /// A file that cannot be read or written.
    pub fn file(path: impl Into<PathBuf>, why: impl ToString, mend: impl Into<String>) -> Self {
        Self::File {
            path: path.into(),
            why: why.to_string(),
            mend: mend.into(),
        }
    }
}
