//! What a domain tells operators.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::draw::weighted;
use crate::settings::drawable;

/// What operators know of a domain: all that they need to write programs for it, and nothing of what becomes of them.
/// It is the section `[brief]` of the settings, whose defaults are the domain's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brief {
    /// The file's name, as a model sees it.
    pub file_name: String,
    /// The function that the host calls.
    pub entry: String,
    /// Functions of the host, as in a `def` line without `def` and colon: they tell which arguments may be added or
    /// dropped, and by `: int` which stay whole numbers.
    pub signatures: Vec<String>,
    /// What the host offers, in Python that nothing runs: its names, attributes and functions may be used.
    pub host: String,
    /// Names that may be written besides those of the program, of Python and of the host.
    pub names: Vec<String>,
    /// Lines that models leave as they are: those with one of these in them.
    #[serde(default)]
    pub kept: Vec<String>,
    /// Commit messages for models, and how often each is drawn. `{entry}` stands for the entry's name.
    pub messages: Vec<Message>,
}

/// A commit message: a change to ask for, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The message.
    pub message: String,
    /// How often it is drawn, beside the others'.
    pub weight: f64,
}

impl Brief {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn check(&self) -> Result<(), Error> {
        let word = |text: &str| {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && chars.all(|c| c.is_alphanumeric() || c == '_')
        };
        if !word(&self.entry) {
            return Err(Error::setting(
                "brief.entry",
                format!("{:?} is not a function's name", self.entry),
                "give the name of the function that the host calls",
            ));
        }
        if let Some(name) = self.names.iter().find(|name| !word(name)) {
            return Err(Error::setting(
                "brief.names",
                format!("{name:?} is not a name"),
                "give Python names",
            ));
        }
        if self.file_name.trim().is_empty() || self.file_name.contains(['\n', '\r', '\t']) {
            return Err(Error::setting(
                "brief.file_name",
                format!("{:?} is not a file's name", self.file_name),
                "give one such as program.py",
            ));
        }
        drawable(
            "brief.messages",
            self.messages.iter().map(|message| message.weight),
        )
    }

    /// What may be used besides the program and Python: the host's interface, and the further names.
    pub(crate) fn host(&self) -> String {
        let names: String = self.names.iter().map(|n| format!("{n} = None\n")).collect();
        format!("{}\n{names}", self.host)
    }

    /// The messages as they are told, with their weights.
    pub(crate) fn told(&self) -> Messages {
        let told = |message: &Message| message.message.replace("{entry}", &self.entry);
        Messages(
            self.messages
                .iter()
                .map(|message| (told(message), message.weight))
                .collect(),
        )
    }
}

/// The messages of a brief, to draw from.
#[derive(Clone, Debug)]
pub(crate) struct Messages(Vec<(String, f64)>);

impl Messages {
    /// The first of them, or nothing.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", |(message, _)| message)
    }

    /// Draws one by weight; it takes one number of the stream.
    pub fn draw(&self, rng: &mut dyn Rng) -> &str {
        let weights: Vec<f64> = self.0.iter().map(|(_, weight)| *weight).collect();
        &self.0[weighted(rng, &weights).unwrap_or_default()].0
    }
}
