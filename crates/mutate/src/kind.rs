//! What a kind of operator is: its name, its settings, and how it is made.

use std::sync::Arc;

use toml::Table;

use crate::brief::Brief;
use crate::model;
use crate::operator::Operator;
use crate::writer::Writer;
use crate::{Error, MadeWith};

/// A kind of operator: all that the rest of the house knows of it.
pub struct Kind {
    /// Its name in the settings and in the store.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// The weight at which a replica draws it where the settings name none.
    pub weight: f64,
    /// Its section of the settings, commented, with all defaults.
    pub settings: &'static str,
    /// Reads its section.
    pub read: fn(&Table) -> Result<Box<dyn Recipe>, Error>,
}

/// An operator's settings, read; makes the operator.
pub trait Recipe: Send + Sync {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    fn check(&self, brief: &Brief) -> Result<(), Error>;

    /// Makes the operator.
    ///
    /// # Errors
    /// As [`Recipe::check`], and what keeps the operator from working at all.
    fn make(&self, workshop: &mut Workshop<'_>) -> Result<Box<dyn Operator>, Error>;
}

/// What operators are made with: the brief, and what they share.
pub struct Workshop<'a> {
    /// What the domain tells.
    pub brief: &'a Brief,
    writer: Option<Arc<Writer>>,
    /// With what they were made.
    pub made_with: MadeWith,
}

impl<'a> Workshop<'a> {
    /// One with nothing in it yet.
    pub(crate) fn new(brief: &'a Brief) -> Self {
        Self {
            brief,
            writer: None,
            made_with: MadeWith::new(),
        }
    }

    /// The language model of our own, loaded for the first who asks.
    pub(crate) fn writer(&mut self, settings: &model::Settings) -> Result<Arc<Writer>, Error> {
        if let Some(writer) = &self.writer {
            return Ok(writer.clone());
        }
        let writer = Arc::new(Writer::load(settings)?);
        self.made_with.extend(writer.made_with());
        self.writer = Some(writer.clone());
        Ok(writer)
    }
}
