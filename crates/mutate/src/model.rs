//! The section `[model]` of the settings: the language model inside, which operators share.

use lm::Device;
use lm::cpu::Precision;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::settings::{range, section};
use crate::{Error, MadeWith};

/// The section as users see it, with its comments and all defaults.
pub const SETTINGS: &str = include_str!("model.toml");

/// Which model, and how it computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in model.toml")]
pub struct Settings {
    pub path: String,
    pub device: String,
    pub precision: Precision,
    pub threads: usize,
    pub batch: usize,
    pub cache_mb: usize,
}

/// The settings of an operator that writes with the model: its own section, and the model's.
pub(crate) struct WithModel<S> {
    pub own: S,
    pub model: Settings,
}

impl<S: DeserializeOwned> WithModel<S> {
    /// Reads the section `name`, and `[model]`.
    pub fn read(settings: &Table, name: &str) -> Result<Self, Error> {
        Ok(Self {
            own: section(settings, name)?,
            model: section(settings, "model")?,
        })
    }
}

/// A device that there is not, or that this build lacks.
pub(crate) fn refused(error: lm::Error) -> Error {
    match error {
        lm::Error::Device {
            device,
            problem,
            mend,
        } => Error::setting("model.device", format!("{device:?}: {problem}"), mend),
        other => Error::Model(other.to_string()),
    }
}

impl Settings {
    /// Where it computes.
    ///
    /// # Errors
    /// There is no such device.
    pub fn device(&self) -> Result<Device, Error> {
        self.device.parse().map_err(refused)
    }

    /// Where and how exactly it computes.
    ///
    /// # Errors
    /// There is no such device.
    pub fn made_with(&self) -> Result<MadeWith, Error> {
        let device = self.device()?;
        let mut made_with = MadeWith::from([("device".to_owned(), device.to_string())]);
        if device == Device::Cpu {
            let name = serde_json::to_value(self.precision).expect("plain data");
            let name = name.as_str().unwrap_or_default().to_owned();
            made_with.insert("precision".to_owned(), name);
        }
        Ok(made_with)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// Names the setting that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        self.device()?;
        range("model.threads", self.threads as f64, 0.0, 1024.0)?;
        range("model.batch", self.batch as f64, 1.0, 4096.0)?;
        range("model.cache_mb", self.cache_mb as f64, 0.0, 1e7)
    }
}
