//! Trees laid out side by side on a device.

use burn::Tensor;
use burn::tensor::{Device, Int, TensorData};

use crate::config::Config;
use crate::gpu::parts::{UNSEEN, ints};
use crate::train::Tree;

/// Trees, each as a row of as many places as the longest has: its prefix, its trunk, its branches one after the other.
/// Places that are left over see nothing but themselves, and nothing sees them.
pub struct Batch {
    pub trees: usize,
    /// Places of a tree.
    pub longest: usize,
    /// For every place its token, 0 where there is none.
    pub tokens: Tensor<1, Int>,
    /// Where a tree has a prefix: for every place its row in the embeddings of `tokens` with all prefixes' vectors below them.
    pub rows: Option<Tensor<1, Int>>,
    /// For every place.
    pub positions: Tensor<1, Int>,
    /// 0 where a place sees another, else [`UNSEEN`]: `[trees, 1, 1, longest, longest]`.
    pub mask: Tensor<5>,
    /// For every chosen token the place that predicts it.
    pub predicting: Tensor<1, Int>,
    /// The chosen tokens, `[chosen, 1]`.
    pub targets: Tensor<2, Int>,
    /// How many tokens are chosen in each tree.
    pub chosen: Vec<usize>,
}

/// Places that a tree takes.
pub fn places(tree: &Tree, config: &Config) -> usize {
    tree.prefix.len() / config.hidden_size + tree.len()
}

/// A [`Batch`] on the host.
#[derive(Default)]
struct Layout {
    tokens: Vec<usize>,
    rows: Vec<usize>,
    positions: Vec<usize>,
    mask: Vec<f32>,
    predicting: Vec<usize>,
    targets: Vec<usize>,
}

impl Batch {
    /// Lays out trees that have been checked.
    pub fn new(trees: &[Tree], config: &Config, device: &Device) -> Self {
        let sizes = trees.iter().map(|tree| places(tree, config));
        let longest = sizes.max().unwrap_or(0);
        let mut layout = Layout::default();
        // The row of the next prefix's first vector.
        let mut vectors = trees.len() * longest;
        for tree in trees {
            let prefix = tree.prefix.len() / config.hidden_size;
            layout.lay(tree, prefix, vectors, longest);
            vectors += prefix;
        }
        let prefixed = vectors > trees.len() * longest;
        let count = layout.targets.len();
        let mask = TensorData::new(layout.mask, [trees.len(), 1, 1, longest, longest]);
        Self {
            trees: trees.len(),
            longest,
            tokens: ints(layout.tokens, device),
            rows: prefixed.then(|| ints(layout.rows, device)),
            positions: ints(layout.positions, device),
            mask: Tensor::from_data(mask, device),
            predicting: ints(layout.predicting, device),
            targets: ints(layout.targets, device).reshape([count, 1]),
            chosen: trees.iter().map(Tree::chosen).collect(),
        }
    }
}

impl Layout {
    /// Adds a tree whose prefix's vectors stand in the rows from `vectors` on.
    fn lay(&mut self, tree: &Tree, prefix: usize, vectors: usize, longest: usize) {
        let first = self.tokens.len();
        let end = first + longest;
        self.mask.resize(end * longest, UNSEEN);
        self.rows.extend(vectors..vectors + prefix);
        self.tokens.resize(first + prefix, 0);
        self.positions.extend(0..prefix);
        for place in 0..prefix {
            self.see(first, place, longest, 0..place + 1);
        }
        let branches = tree.branches.iter();
        let branches = branches.map(|branch| (prefix + branch.seen, &branch.text));
        for (seen, text) in std::iter::once((prefix, &tree.trunk)).chain(branches) {
            let start = self.tokens.len() - first;
            for (at, token) in text.tokens.iter().enumerate() {
                let place = start + at;
                self.rows.push(first + place);
                self.tokens.push(*token as usize);
                self.positions.push(seen + at);
                self.see(first, place, longest, 0..seen);
                self.see(first, place, longest, start..place + 1);
                if text.chosen[at] {
                    let before = if at == 0 { seen } else { place };
                    self.predicting.push(first + before - 1);
                    self.targets.push(*token as usize);
                }
            }
        }
        for place in self.tokens.len() - first..longest {
            self.see(first, place, longest, place..place + 1);
        }
        self.rows.extend(self.tokens.len()..end);
        self.tokens.resize(end, 0);
        self.positions.resize(end, 0);
    }

    /// Lets a place of the tree that begins at `first` see others of it.
    fn see(&mut self, first: usize, place: usize, longest: usize, seen: std::ops::Range<usize>) {
        self.mask[(first + place) * longest..][seen].fill(0.0);
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::train::{Branch, Text};

    #[test]
    fn trees_are_laid_out() {
        let config = Config::preset("0.1m").unwrap();
        let branch = |seen, tokens| Branch {
            seen,
            text: Text::target(tokens),
        };
        let trees = [
            Tree {
                prefix: vec![0.0; 64],
                trunk: Text {
                    tokens: vec![5, 6],
                    chosen: vec![true, false],
                },
                branches: vec![branch(1, vec![8, 9]), branch(0, vec![7])],
            },
            Tree::sequence(Text::context(vec![3, 4])),
        ];
        let batch = Batch::new(&trees, &config, &Device::flex());
        let ints = |tensor: Tensor<1, Int>| tensor.try_into_vec_as::<i32>().unwrap();
        assert_eq!(ints(batch.tokens), [0, 5, 6, 8, 9, 7, 3, 4, 0, 0, 0, 0]);
        let rows = ints(batch.rows.unwrap());
        assert_eq!(rows, [12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        let positions = ints(batch.positions);
        assert_eq!(positions, [0, 1, 2, 2, 3, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(ints(batch.predicting), [0, 1, 3, 0]);
        assert_eq!(batch.chosen, [4, 0]);
        let mask = batch.mask.try_into_vec_as::<f32>().unwrap();
        let seen: Vec<String> = mask
            .chunks(6)
            .map(|row| {
                let sees = row
                    .iter()
                    .map(|value| if *value == 0.0 { 'x' } else { '.' });
                sees.collect()
            })
            .collect();
        let first = ["x.....", "xx....", "xxx...", "xx.x..", "xx.xx.", "x....x"];
        assert_eq!(seen[..6], first);
        let second = ["x.....", "xx....", "..x...", "...x..", "....x.", ".....x"];
        assert_eq!(seen[6..], second);
    }
}
