//! Mutation operators: they propose changed programs, and know nothing of what becomes of them.
//!
//! An [`Operator`] is told once what the domain is about ([`Brief`]), and then asked for changes of programs
//! ([`Request`]), which it hands over one by one ([`Tray`]). [`KINDS`] lists the operators there are.

use std::collections::BTreeMap;

pub use brief::{Brief, Message};
pub use kind::{Kind, Recipe, Workshop};
pub use learner::{Judge, Learned, Learner, Lessons, Round, Shares, Verdict};
pub use lesson::Lesson;
pub use operator::{Cost, Lost, Operator, Proposal, Request, Tray, gather};
pub use reason::{Code, Reason};
pub use registry::{Active, KINDS, Operators, choose, commented};
pub use syntax::roomy;

pub mod brief;
pub mod crew;
pub mod diff;
pub mod draw;
pub mod gp;
mod kind;
mod learner;
mod lesson;
pub mod line;
pub mod model;
pub mod node_replacement;
mod operator;
pub mod prompt;
pub mod reason;
mod registry;
pub mod settings;
pub mod syntax;
mod writer;

/// What something was made with (a model's file, a device, a Python), by a short name.
pub type MadeWith = BTreeMap<String, String>;

/// Why there is no operator, or why one cannot go on; each says what to do about it.
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
    /// A language model that cannot be loaded; says which file and what to do.
    #[error("{0}")]
    Model(String),
    /// Learning that cannot go on; says why and what to do about it.
    #[error("{0}")]
    Learning(String),
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
}

impl Error {
    /// A setting that cannot be: its name as in the configuration file, what is wrong, what to do.
    pub fn setting(field: &str, why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Setting {
            field: field.to_owned(),
            why: why.into(),
            mend: mend.into(),
        }
    }
}
