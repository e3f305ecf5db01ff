//! Trees laid out in rows.

use std::path::Path;

use crate::config::Config;
use crate::error::{Error, Fault};
use crate::train::Tree;

/// Where the rows of several trees stand. Each tree has an even number of them, the last perhaps empty, so that sums over
/// pairs of rows are the same wherever a tree begins.
pub struct Plan {
    /// What each row begins with.
    pub rows: Vec<Start>,
    /// Each row's position in its text.
    pub positions: Vec<u32>,
    /// By tree.
    pub trees: Vec<Layout>,
    /// Rows that predict chosen tokens, in order.
    pub predicting: Vec<u32>,
    /// Of each tree the chosen tokens, in the order of [`crate::train::Scores`].
    pub targets: Vec<Vec<Target>>,
}

/// What a row of the first layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// A token's embedding.
    Token(u32),
    /// A vector of the prefix of a tree.
    Prefix { tree: u32, vector: u32 },
    /// Nothing: 0.
    Empty,
}

/// Where a tree's texts stand.
pub struct Layout {
    pub first: usize,
    /// The trunk with its prefix first.
    pub segments: Vec<Segment>,
}

/// Successive rows that see a part of the trunk, and themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Counted from the tree's first row.
    pub first: usize,
    pub len: usize,
    /// Rows of the trunk; 0 for the trunk itself.
    pub seen: usize,
}

/// A chosen token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The row that predicts it, as a place in [`Plan::predicting`].
    pub at: u32,
    pub token: u32,
}

fn refuse(tree: usize, field: &str, problem: String, mend: &str) -> Error {
    let place = format!("tree {tree} of the batch");
    Error::Training(Fault::new(Path::new(&place), field, problem, mend))
}

/// Checks a tree.
fn check(number: usize, tree: &Tree, config: &Config) -> Result<(), Error> {
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

impl Plan {
    /// Lays trees out; their numbers in messages begin with `from`.
    ///
    /// # Errors
    /// `Error::Training` for a tree that cannot be.
    pub fn new(trees: &[Tree], from: usize, config: &Config) -> Result<Self, Error> {
        let mut plan = Self {
            rows: Vec::new(),
            positions: Vec::new(),
            trees: Vec::new(),
            predicting: Vec::new(),
            targets: Vec::new(),
        };
        for (number, tree) in trees.iter().enumerate() {
            check(from + number, tree, config)?;
            plan.lay(number as u32, tree, config);
        }
        Ok(plan)
    }

    fn lay(&mut self, number: u32, tree: &Tree, config: &Config) {
        let first = self.rows.len();
        let prefix = tree.prefix.len() / config.hidden_size;
        // A text's last token is read only where something follows it.
        let tokens = &tree.trunk.tokens;
        let seen = tree.branches.iter().map(|branch| branch.seen).max();
        let read = seen.unwrap_or(0).max(tokens.len().saturating_sub(1));
        let trunk = Segment {
            first: 0,
            len: prefix + read,
            seen: 0,
        };
        let vectors = (0..prefix as u32).map(|vector| Start::Prefix {
            tree: number,
            vector,
        });
        self.rows.extend(vectors);
        let start = |token: &u32| Start::Token(*token);
        self.rows.extend(tokens[..read].iter().map(start));
        self.positions.extend(0..(prefix + read) as u32);
        let mut segments = vec![trunk];
        // For each chosen token the row before it.
        let mut chosen = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            if tree.trunk.chosen[at] {
                chosen.push((first + prefix + at - 1, *token));
            }
        }
        for branch in &tree.branches {
            let tokens = &branch.text.tokens;
            let seen = prefix + branch.seen;
            let segment = Segment {
                first: self.rows.len() - first,
                len: tokens.len() - 1,
                seen,
            };
            for (at, token) in tokens.iter().enumerate() {
                if branch.text.chosen[at] {
                    let row = match at {
                        0 => first + seen - 1,
                        _ => first + segment.first + at - 1,
                    };
                    chosen.push((row, *token));
                }
            }
            self.rows
                .extend(tokens[..tokens.len() - 1].iter().map(start));
            let positions = seen..seen + segment.len;
            self.positions
                .extend(positions.map(|position| position as u32));
            if segment.len > 0 {
                segments.push(segment);
            }
        }
        if (self.rows.len() - first) % 2 == 1 {
            self.rows.push(Start::Empty);
            self.positions.push(0);
        }
        let mut rows: Vec<usize> = chosen.iter().map(|(row, _)| *row).collect();
        rows.sort_unstable();
        rows.dedup();
        let before = self.predicting.len();
        let targets = chosen.iter().map(|(row, token)| Target {
            at: (before + rows.partition_point(|other| other < row)) as u32,
            token: *token,
        });
        self.targets.push(targets.collect());
        self.predicting.extend(rows.iter().map(|row| *row as u32));
        if self.predicting.len() % 2 == 1 {
            // So that pairs of rows do not cross trees here either: a row again, that nothing is wanted of.
            let again = self.predicting[self.predicting.len() - 1];
            self.predicting.push(again);
        }
        self.trees.push(Layout { first, segments });
    }

    /// Rows in all.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Positions that the longest text reaches.
    pub fn reach(&self) -> usize {
        self.positions
            .iter()
            .max()
            .map_or(0, |last| *last as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Branch, Text};

    #[test]
    fn a_tree_is_laid_out() {
        let config = Config::preset("0.1m").unwrap();
        let tree = Tree {
            prefix: vec![0.0; 64],
            trunk: Text {
                tokens: vec![5, 6, 7],
                chosen: vec![true, false, true],
            },
            branches: vec![
                Branch {
                    seen: 2,
                    text: Text::target(vec![8, 9]),
                },
                Branch {
                    seen: 3,
                    text: Text::target(vec![10]),
                },
            ],
        };
        let plan = Plan::new(&[tree.clone(), tree], 0, &config).unwrap();
        let prefix = Start::Prefix { tree: 0, vector: 0 };
        let token = Start::Token;
        let rows = [prefix, token(5), token(6), token(7), token(8), Start::Empty];
        assert_eq!(plan.rows[..6], rows);
        assert_eq!(plan.positions[..6], [0, 1, 2, 3, 3, 0]);
        let segment = |first, len, seen| Segment { first, len, seen };
        assert_eq!(plan.trees[1].first, 6);
        assert_eq!(plan.trees[1].segments, [segment(0, 4, 0), segment(4, 1, 3)]);
        // Five tokens are predicted by four rows.
        assert_eq!(plan.predicting, [0, 2, 3, 4, 6, 8, 9, 10]);
        let at: Vec<u32> = plan.targets[1].iter().map(|target| target.at).collect();
        assert_eq!(at, [4, 5, 5, 7, 6]);
        assert_eq!(plan.reach(), 4);
    }
}
