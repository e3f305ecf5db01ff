//! What a trainer reads.

use std::path::Path;

use crate::config::Config;
use crate::error::{Error, Fault};

/// Tokens, and which of them count.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Text {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// For each whether its log-probability is wanted.
    pub chosen: Vec<bool>,
}

impl Text {
    /// Tokens of which none counts.
    pub fn context(tokens: Vec<u32>) -> Self {
        Self {
            chosen: vec![false; tokens.len()],
            tokens,
        }
    }

    /// Tokens that all count.
    pub fn target(tokens: Vec<u32>) -> Self {
        Self {
            chosen: vec![true; tokens.len()],
            tokens,
        }
    }
}

/// A text that continues a trunk.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// How many positions of the trunk (after the prefix) it sees, at least one unless there is a prefix; its first token
    /// follows the last of those.
    pub seen: usize,
    /// Its own tokens, at least one.
    pub text: Text,
}

/// A text and its continuations. A branch sees as much of the trunk as it says, and itself; never another branch.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tree {
    /// Vectors in front of the trunk, in place of embeddings, `[n, hidden_size]` row by row; mostly none.
    pub prefix: Vec<f32>,
    /// What all branches continue, at least one token unless there is a prefix.
    pub trunk: Text,
    /// The continuations.
    pub branches: Vec<Branch>,
}

impl Tree {
    /// A plain sequence.
    pub fn sequence(text: Text) -> Self {
        Self {
            trunk: text,
            ..Self::default()
        }
    }

    /// All its texts in order: the trunk, then the branches.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        std::iter::once(&self.trunk).chain(self.branches.iter().map(|branch| &branch.text))
    }

    /// Tokens in all.
    pub fn len(&self) -> usize {
        self.texts().map(|text| text.tokens.len()).sum()
    }

    /// Whether it has no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens that count.
    pub fn chosen(&self) -> usize {
        let chosen = self.texts().flat_map(|text| &text.chosen);
        chosen.filter(|chosen| **chosen).count()
    }

    /// Whether a model can read it; `number` is its place among others, for the message.
    pub(super) fn check(&self, number: usize, config: &Config) -> Result<(), Error> {
        let refuse = |field: &str, problem: String, mend: &str| {
            let place = format!("tree {number} of the batch");
            let fault = Fault::new(Path::new(&place), field, problem, mend);
            Err(Error::Training(fault))
        };
        let (hidden, values) = (config.hidden_size, self.prefix.len());
        if !values.is_multiple_of(hidden) {
            let mend = format!("give vectors of {hidden} values");
            return refuse("the prefix", format!("has {values} values"), &mend);
        }
        let (prefix, trunk) = (values / hidden, self.trunk.tokens.len());
        if prefix + trunk == 0 {
            return refuse("the trunk", "is empty".to_owned(), "give it a token");
        }
        if prefix == 0 && self.trunk.chosen.first() == Some(&true) {
            let problem = "is chosen, and nothing stands before it".to_owned();
            return refuse("the trunk's first token", problem, "choose later ones only");
        }
        check_text(&self.trunk, prefix, config)
            .or_else(|(problem, mend)| refuse("the trunk", problem, mend))?;
        for (at, Branch { seen, text }) in self.branches.iter().enumerate() {
            let field = format!("branch {at}");
            if *seen > trunk || prefix + seen == 0 {
                let problem = format!("sees {seen} tokens of a trunk of {trunk}");
                return refuse(&field, problem, "let it see at least one, at most all");
            }
            if text.tokens.is_empty() {
                return refuse(&field, "is empty".to_owned(), "leave it out");
            }
            check_text(text, prefix + seen, config)
                .or_else(|(problem, mend)| refuse(&field, problem, mend))?;
        }
        Ok(())
    }
}

/// Whether a model can read a text after so many positions; else what is wrong, and the mend.
fn check_text(text: &Text, seen: usize, config: &Config) -> Result<(), (String, &'static str)> {
    let (tokens, marks) = (text.tokens.len(), text.chosen.len());
    if tokens != marks {
        let problem = format!("has {tokens} tokens and {marks} marks");
        return Err((problem, "mark every token as chosen or not"));
    }
    let rows = config.vocab_size;
    if let Some(token) = text.tokens.iter().find(|token| **token as usize >= rows) {
        let problem = format!("has the token {token}, and the model only {rows} rows");
        return Err((problem, "encode it with the model's own tokenizer"));
    }
    let (end, most) = (seen + tokens, config.max_position_embeddings);
    if end > most {
        let problem = format!("ends at position {end}, and the model reads {most}");
        return Err((problem, "leave it out or cut it"));
    }
    Ok(())
}

/// A number, or two, for each chosen token of a tree, in order: the trunk's, then each branch's.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scores {
    /// Natural logarithms of the tokens' probabilities.
    pub log_probs: Vec<f32>,
    /// The value head's output where the token is predicted, that is at the position before it; empty without a head.
    pub values: Vec<f32>,
}
