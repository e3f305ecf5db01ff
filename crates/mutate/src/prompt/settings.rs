//! The `[prompt]` section of the settings.

use serde::{Deserialize, Serialize};

use super::address::base_url;
use crate::Error;
use crate::settings::range;

/// Settings of the [operator](super::Prompt).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented for users in prompt.toml")]
pub struct Settings {
    pub endpoint: String,
    pub model: String,
    pub api: Api,
    pub answer: Answer,
    pub key_env: String,
    pub system: String,
    pub crossover: f64,
    pub temperature: f64,
    pub send_temperature: bool,
    pub top_p: f64,
    pub max_tokens: u32,
    pub send_seed: bool,
    pub stream: bool,
    pub extra: String,
    pub timeout_seconds: f64,
    pub idle_seconds: f64,
    pub retries: u32,
    pub backoff_seconds: f64,
    pub give_up_after: u32,
    pub end_after_iterations: u32,
    pub concurrency: usize,
    pub max_answer_kb: u32,
    pub dollars_per_million_prompt_tokens: f64,
    pub dollars_per_million_completion_tokens: f64,
}

/// Which of the two interfaces is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `chat/completions`: messages; what instruction-tuned models are made for.
    Chat,
    /// `completions`: text to go on with; what base models are made for.
    Completions,
}

/// What the model is asked to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The whole changed program.
    Program,
    /// A unified diff.
    Diff,
    /// Search/replace blocks.
    Replace,
}

/// The section as users see it, with its comments and all defaults; [`Settings::default`] is read from it.
pub const COMMENTED: &str = include_str!("../prompt.toml");

impl Default for Settings {
    fn default() -> Self {
        #[derive(Deserialize)]
        struct File {
            prompt: Settings,
        }
        let File { prompt } = toml::from_str(COMMENTED).expect("prompt.toml is tested");
        prompt
    }
}

impl Settings {
    /// Checks what the types cannot: that an endpoint and a model are named, and ranges.
    ///
    /// # Errors
    /// Names the first setting that cannot be, and the mend.
    pub fn check(&self) -> Result<(), Error> {
        base_url(&self.endpoint)?;
        if self.model.trim().is_empty() {
            return Err(setting(
                "model",
                "no model is named",
                "name one that the endpoint serves, e.g. --model NAME",
            ));
        }
        let limits = [
            ("crossover", self.crossover, 0.0, 1.0),
            ("temperature", self.temperature, 0.0, 10.0),
            ("top_p", self.top_p, 0.001, 1.0),
            ("max_tokens", self.max_tokens.into(), 0.0, 1e6),
            ("timeout_seconds", self.timeout_seconds, 0.05, 86_400.0),
            ("idle_seconds", self.idle_seconds, 0.05, 86_400.0),
            ("retries", self.retries.into(), 0.0, 20.0),
            ("backoff_seconds", self.backoff_seconds, 0.0, 60.0),
            ("give_up_after", self.give_up_after.into(), 1.0, 1e6),
            (
                "end_after_iterations",
                self.end_after_iterations.into(),
                0.0,
                1e6,
            ),
            ("concurrency", self.concurrency as f64, 1.0, 256.0),
            ("max_answer_kb", self.max_answer_kb.into(), 1.0, 16_384.0),
            (
                "dollars_per_million_prompt_tokens",
                self.dollars_per_million_prompt_tokens,
                0.0,
                1e6,
            ),
            (
                "dollars_per_million_completion_tokens",
                self.dollars_per_million_completion_tokens,
                0.0,
                1e6,
            ),
        ];
        for (field, value, low, high) in limits {
            range(&format!("prompt.{field}"), value, low, high)?;
        }
        if self.api == Api::Completions && self.answer != Answer::Program {
            return Err(setting(
                "answer",
                "the completions interface goes on with a program and cannot be asked for edits",
                "set answer = \"program\", or api = \"chat\"",
            ));
        }
        self.extra_fields().map(|_| ())
    }

    /// The further fields of every request.
    pub(super) fn extra_fields(&self) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        if self.extra.trim().is_empty() {
            return Ok(serde_json::Map::new());
        }
        let fields: serde_json::Map<_, _> = serde_json::from_str(&self.extra).map_err(|e| {
            setting(
                "extra",
                format!("is not a JSON object: {e}"),
                "give one as text, e.g. '{\"top_k\": 40}'",
            )
        })?;
        for taken in ["messages", "prompt", "model", "stream", "n"] {
            if fields.contains_key(taken) {
                return Err(setting(
                    "extra",
                    format!("{taken:?} is filled in by the operator"),
                    "leave it out",
                ));
            }
        }
        Ok(fields)
    }
}

/// An error about a setting of this section.
pub(super) fn setting(field: &str, why: impl Into<String>, mend: impl Into<String>) -> Error {
    Error::setting(&format!("prompt.{field}"), why, mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        Settings {
            endpoint: "http://localhost:8000".into(),
            model: "some".into(),
            ..Settings::default()
        }
    }

    #[test]
    fn defaults_lack_only_endpoint_and_model() {
        let mut settings = Settings::default();
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("prompt.endpoint")
        );
        settings.endpoint = "http://localhost:8000".into();
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("prompt.model")
        );
        good().check().unwrap();
    }

    #[test]
    fn errors_name_field_and_mend() {
        type Spoil = fn(&mut Settings);
        let cases: [(&str, Spoil); 7] = [
            (
                "prompt.crossover: 2 is out of range; give a number from 0 to 1",
                |s| s.crossover = 2.0,
            ),
            ("prompt.temperature: NaN", |s| s.temperature = f64::NAN),
            ("prompt.concurrency: 0", |s| s.concurrency = 0),
            ("prompt.answer", |s| {
                s.api = Api::Completions;
                s.answer = Answer::Diff;
            }),
            ("prompt.extra: is not a JSON object", |s| {
                s.extra = "top_k = 3".into()
            }),
            ("prompt.extra: \"stream\"", |s| {
                s.extra = "{\"stream\": true}".into()
            }),
            ("prompt.endpoint", |s| s.endpoint = "localhost:8000".into()),
        ];
        for (expected, spoil) in cases {
            let mut settings = good();
            spoil(&mut settings);
            let error = settings.check().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
