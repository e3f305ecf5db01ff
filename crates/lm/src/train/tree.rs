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
}

/// A number, or two, for each chosen token of a tree, in order: the trunk's, then each branch's.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scores {
    /// Natural logarithms of the tokens' probabilities.
    pub log_probs: Vec<f32>,
    /// The value head's output where the token is predicted, that is at the position before it; empty without a head.
    pub values: Vec<f32>,
}

fn refuse(tree: usize, field: &str, problem: String, mend: &str) -> Error {
    let place = format!("tree {tree} of the batch");
    Error::Training(Fault::new(Path::new(&place), field, problem, mend))
}

/// Whether a model can read a tree; `number` is its place among others, for the message.
///
/// # Errors
/// `Error::Training`, naming the part.
pub(super) fn check(number: usize, tree: &Tree, config: &Config) -> Result<(), Error> {
    let refuse =
        |field: &str, problem: String, mend: &str| Err(refuse(number, field, problem, mend));
    let hidden = config.hidden_size;
    if !tree.prefix.len().is_multiple_of(hidden) {
        let problem = format!("has {} values", tree.prefix.len());
        return refuse(
            "the prefix",
            problem,
            &format!("give vectors of {hidden} values"),
        );
    }
    if !crate::cpu::finite(&tree.prefix) {
        let problem = "has values that are infinite or no numbers".to_owned();
        return refuse("the prefix", problem, "give finite ones");
    }
    let prefix = tree.prefix.len() / hidden;
    if prefix + tree.trunk.tokens.len() == 0 {
        return refuse("the trunk", "is empty".to_owned(), "give it a token");
    }
    for (at, text) in tree.texts().enumerate() {
        let field = match at {
            0 => "the trunk".to_owned(),
            n => format!("branch {}", n - 1),
        };
        if text.chosen.len() != text.tokens.len() {
            let problem = format!(
                "has {} tokens and {} marks of whether they are chosen",
                text.tokens.len(),
                text.chosen.len()
            );
            return refuse(&field, problem, "mark every token as chosen or not");
        }
        let rows = config.vocab_size;
        if let Some(token) = text.tokens.iter().find(|token| **token as usize >= rows) {
            let problem = format!("has the token {token}, and the model only {rows} rows");
            return refuse(&field, problem, "encode it with the model's own tokenizer");
        }
        let seen = match at {
            0 => prefix,
            n => {
                let branch = &tree.branches[n - 1];
                if branch.seen > tree.trunk.tokens.len() || prefix + branch.seen == 0 {
                    let length = tree.trunk.tokens.len();
                    let problem = format!(
                        "has {} as what is seen of a trunk of {length} tokens",
                        branch.seen
                    );
                    return refuse(&field, problem, "let it see at least one, at most all");
                }
                if text.tokens.is_empty() {
                    return refuse(&field, "is empty".to_owned(), "leave it out");
                }
                prefix + branch.seen
            }
        };
        let (end, most) = (seen + text.tokens.len(), config.max_position_embeddings);
        if end > most {
            let problem = format!("ends at position {end}, and the model reads {most}");
            return refuse(&field, problem, "leave it out or cut it");
        }
    }
    if prefix == 0 && tree.trunk.chosen.first() == Some(&true) {
        let problem = "is chosen, and nothing stands before it".to_owned();
        return refuse("the trunk's first token", problem, "choose later ones only");
    }
    Ok(())
}
