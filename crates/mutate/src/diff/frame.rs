//! What the model is asked, and what it may answer: the same while it works and while it learns.

use std::borrow::Cow;

use edit::guide::{DiffGuide, DiffOptions, Rules};
use lm::Tokenizer;
use rand::Rng;

use super::Settings;
use crate::Lesson;
use crate::brief::{Brief, Messages};
use crate::line::max_line;
use crate::writer::{beginning, rules};

/// The frame of all that the operator has the model read and write: a program's contents, a commit message, a diff.
#[derive(Clone, Debug)]
pub struct Frame {
    settings: Settings,
    messages: Messages,
    file_name: String,
    host: String,
    kept: Vec<String>,
    /// Whether the file is the domain's.
    is_own: bool,
}

impl Frame {
    /// The frame of an operator with these settings in a domain.
    pub fn new(settings: &Settings, brief: &Brief) -> Self {
        Self {
            settings: settings.clone(),
            messages: brief.told(),
            file_name: brief.file_name.clone(),
            host: brief.host(),
            kept: brief.kept.clone(),
            is_own: true,
        }
    }

    /// The frame of another file than the domain's: its changes are held to what applies and parses, and to nothing that the domain says.
    #[must_use]
    pub fn of_file(&self, name: &str) -> Self {
        Self {
            file_name: name.to_owned(),
            is_own: false,
            ..self.clone()
        }
    }

    /// The frame of a lesson: of its own file, or of the domain's.
    pub fn of(&self, lesson: &Lesson) -> Cow<'_, Self> {
        match &lesson.file {
            Some(name) => Cow::Owned(self.of_file(name)),
            None => Cow::Borrowed(self),
        }
    }

    /// The operator's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the model reads before the commit message; with a second program where two are crossed.
    pub fn contents(&self, program: &str, partner: Option<&str>) -> String {
        let name = &self.file_name;
        let partner = partner.map_or_else(String::new, |partner| {
            format!("# Another version of {name}:\n\n{partner}\n\n")
        });
        format!("{partner}# File {name}:\n\n{program}\n\n# Commit message:")
    }

    /// The tokens of [`contents`](Self::contents) of a program alone, as the model reads them: those that it is used to see
    /// before a text come first.
    pub fn beginning(&self, tokenizer: &Tokenizer, program: &str) -> Vec<u32> {
        beginning(tokenizer, &self.contents(program, None))
    }

    /// A commit message, drawn as the domain has them; it takes one number of the stream.
    pub fn draw(&self, rng: &mut dyn Rng) -> &str {
        self.messages.draw(rng)
    }

    /// What stands between the contents and the diff.
    pub fn lead(message: &str) -> String {
        format!(" {message}\n\n# Diff:\n\n")
    }

    /// The same for a diff that the map did not take: a model that learns from such diffs knows them by it, and is never asked for them
    /// (conditional training, Korbak et al. 2023).
    pub fn lead_of_rejected(message: &str) -> String {
        format!(" {message}\n\n# Rejected diff:\n\n")
    }

    /// The bounds and rules of a diff of the program; names of the second program are known too.
    pub fn options(&self, program: &str, partner: Option<&str>) -> DiffOptions {
        let settings = &self.settings;
        let names = match partner {
            Some(partner) => format!("{program}\n{partner}"),
            None => program.to_owned(),
        };
        let most = settings.max_lines.min(program.lines().count());
        DiffOptions {
            rules: match (settings.constrained, self.is_own) {
                (true, true) => rules(&names, &self.host, settings.known_names, settings.comments),
                (true, false) => Rules::default(),
                (false, _) => Rules::any(),
            },
            max_added: most,
            max_removed: most,
            max_line: max_line(program),
            kept: match settings.constrained && self.is_own {
                true => self.kept.clone(),
                false => Vec::new(),
            },
            ..DiffOptions::default()
        }
    }

    /// What holds the model to a diff of the program that applies.
    pub fn guide(&self, program: &str, options: DiffOptions) -> DiffGuide {
        DiffGuide::new(&self.file_name, program, options)
    }
}
