//! What a trainer reads.

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
