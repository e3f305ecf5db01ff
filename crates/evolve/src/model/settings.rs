//! The sections `[model]`, `[line]` and `[diff]` of the settings.

use lm::Device;
use lm::cpu::Precision;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Which model, and how it computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Model {
    pub path: String,
    pub device: String,
    pub precision: Precision,
    pub threads: usize,
    pub batch: usize,
    pub cache_mb: usize,
}

/// The operator [`Line`](super::Line).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Line {
    pub lines: Vec<Count>,
    pub temperature: f64,
    pub min_p: f64,
    pub max_tokens: usize,
    pub tries: usize,
    pub constrained: bool,
    pub known_names: bool,
    pub comments: bool,
}

/// How many lines are rewritten, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Count {
    pub count: usize,
    pub weight: f64,
}

/// The operator [`Diff`](super::Diff).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Diff {
    pub messages: Vec<Message>,
    pub file_name: String,
    pub crossover: f64,
    pub temperature: f64,
    pub min_p: f64,
    pub max_tokens: usize,
    pub tries: usize,
    pub draw_place: bool,
    pub max_lines: usize,
    pub constrained: bool,
    pub known_names: bool,
    pub comments: bool,
}

/// A commit message, and how often it is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in settings.toml")]
pub struct Message {
    pub message: String,
    pub weight: f64,
}

/// Refuses a number outside of its range.
fn range(field: &str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::setting(
        field,
        format!("{value} is out of range"),
        format!("give a number from {low} to {high}"),
    ))
}

/// Refuses weights of which none can be drawn.
fn drawable(field: &str, weights: impl Iterator<Item = f64>) -> Result<(), Error> {
    let mut sum = 0.0;
    for weight in weights {
        range(field, weight, 0.0, 1e9)?;
        sum += weight;
    }
    if sum > 0.0 {
        return Ok(());
    }
    Err(Error::setting(
        field,
        "no weight is above 0",
        "give one above 0",
    ))
}

/// A device that there is not, or that this build lacks.
pub(super) fn refused(error: lm::Error) -> Error {
    match error {
        lm::Error::Device {
            device,
            problem,
            mend,
        } => Error::setting("model.device", format!("{device:?}: {problem}"), mend),
        other => Error::Model(other.to_string()),
    }
}

impl Model {
    /// Where it computes.
    ///
    /// # Errors
    /// There is no such device.
    pub(super) fn device(&self) -> Result<Device, Error> {
        self.device.parse().map_err(refused)
    }

    /// # Errors
    /// Names the setting that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        self.device()?;
        range("model.threads", self.threads as f64, 0.0, 1024.0)?;
        range("model.batch", self.batch as f64, 1.0, 4096.0)?;
        range("model.cache_mb", self.cache_mb as f64, 0.0, 1e7)
    }
}

impl Line {
    /// # Errors
    /// Names the setting that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        drawable("line.lines", self.lines.iter().map(|lines| lines.weight))?;
        for lines in &self.lines {
            range("line.lines.count", lines.count as f64, 1.0, 16.0)?;
        }
        range("line.temperature", self.temperature, 0.0, 10.0)?;
        range("line.min_p", self.min_p, 0.0, 1.0)?;
        range("line.max_tokens", self.max_tokens as f64, 1.0, 1e6)?;
        range("line.tries", self.tries as f64, 1.0, 100.0)
    }
}

impl Diff {
    /// # Errors
    /// Names the setting that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        drawable(
            "diff.messages",
            self.messages.iter().map(|message| message.weight),
        )?;
        range("diff.crossover", self.crossover, 0.0, 1.0)?;
        range("diff.temperature", self.temperature, 0.0, 10.0)?;
        range("diff.min_p", self.min_p, 0.0, 1.0)?;
        range("diff.max_tokens", self.max_tokens as f64, 1.0, 1e6)?;
        range("diff.tries", self.tries as f64, 1.0, 100.0)?;
        range("diff.max_lines", self.max_lines as f64, 1.0, 10_000.0)
    }
}
