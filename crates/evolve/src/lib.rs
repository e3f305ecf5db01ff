//! The search: operators propose programs, a domain evaluates them, an archive keeps the good and
//! different ones, and a store remembers all of it.
//!
//! [`search::run`] is the loop; [`operator`], [`domain`] and [`store`] are what it joins.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub mod bugs;
pub mod domain;
pub mod export;
pub mod gp;
pub mod model;
pub mod operator;
pub mod prompt;
pub mod search;
pub mod settings;
pub mod store;
pub mod walkers;

/// Why a child came to nothing: a short stable code for counting, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Kebab-case, one of few.
    pub code: String,
    /// What happened, in words.
    pub message: String,
}

impl Reason {
    /// A reason from its code and its message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// What stops a search or keeps it from starting; each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that cannot be.
    #[error("{field}: {why}; {mend}")]
    Setting {
        /// The setting's name as in the configuration file.
        field: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        mend: String,
    },
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
    /// A language model that cannot be loaded; says which file and what to do.
    #[error("{0}")]
    Model(String),
    /// An evaluator that cannot work at all.
    #[error("the evaluator cannot work: {0}")]
    Evaluator(String),
    /// An operator that cannot propose anything more.
    #[error("the operator {name} cannot go on: {why}; {mend}")]
    Operator {
        /// Its name, as in the settings.
        name: String,
        /// What happened.
        why: String,
        /// What to do.
        mend: String,
    },
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
    pub(crate) fn setting(field: &str, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Setting {
            field: field.to_owned(),
            why: why.into(),
            mend: mend.into(),
        }
    }

    pub(crate) fn file(
        path: impl Into<PathBuf>,
        why: impl ToString,
        mend: impl Into<String>,
    ) -> Self {
        Self::File {
            path: path.into(),
            why: why.to_string(),
            mend: mend.into(),
        }
    }
}
