//! Genetic programming: typed mutation of Python programs on their syntax tree.
//!
//! The operator needs no model and is the baseline of the paper (Lehman et al. 2022, section 4):
//! every node is replaced with some probability. Ours knows kinds of mutation beyond the
//! replacement of a node by one of the same arity ([`Weights`]) and keeps the rough kind of
//! values, so that most children still run; [`Settings::node_replacement`] is the plain form.
//!
//! A parent is parsed, mutations are drawn as text edits of its nodes, so that layout and comments
//! elsewhere stay, and the child is parsed again: a child always parses and its syntax tree always
//! differs from its parent's. The child is a function of parent, settings and random stream.
//!
//! ```
//! use mutate::Brief;
//! use mutate::gp::{Gp, Settings};
//! use rand::SeedableRng;
//!
//! let gp = Gp::new(Settings::default(), &Brief::default())?;
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
//! let child = gp.mutate("def f(x):\n    return x + 1\n", &mut rng)?;
//! assert_ne!(child, "def f(x):\n    return x + 1\n");
//! # Ok::<(), mutate::gp::GpError>(())
//! ```

mod argument;
mod constant;
mod edit;
mod expr;
mod infer;
mod names;
mod operator;
mod outline;
mod propose;
mod scope;
mod settings;
mod signature;
mod stmt;
mod terminal;
mod types;
mod walk_expr;
mod walk_stmt;

use std::cell::RefCell;
use std::collections::HashMap;

use rand::Rng;
use ruff_python_ast::comparable::ComparableStmt;
use ruff_python_ast::token::Tokens;
use ruff_python_ast::{ModModule, Stmt};
use ruff_python_parser::Parsed;
use ruff_text_size::Ranged;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::brief::Brief;
use crate::draw::{below, chance, weighted};
use crate::syntax::{self, Fault};
use constant::Constant;
use edit::Edits;
use expr::{Mutator, NODE_KINDS};
use names::Names;
use outline::Outline;
pub use propose::KIND;
pub use settings::{Settings, Weights};
use signature::Signature;

/// Why there is no operator, or no child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpError {
    /// A setting is out of its range.
    #[error("gp setting {field}: {why}; {mend}")]
    Setting {
        /// The field, with its path in the settings.
        field: String,
        /// What is wrong with it.
        why: String,
        /// What to do about it.
        mend: String,
    },
    /// The parent is not Python, or lies deeper than trees are walked.
    #[error("the parent program does not parse: {message} at byte {offset}; mend it or drop it")]
    Parent {
        /// What the parser says.
        message: String,
        /// Where, in bytes from the start.
        offset: usize,
    },
    /// The settings leave nothing in this program to mutate.
    #[error(
        "the parent program holds nothing to mutate; give more kinds in `weights` a weight above 0"
    )]
    Barren,
    /// No draw gave a program that parses, differs from its parent and is no larger than allowed.
    #[error(
        "no child after {tries} draws; raise `max_tries` or `max_source`, or give more kinds a weight"
    )]
    Exhausted {
        /// How many draws were made.
        tries: u32,
    },
}

/// The kinds of mutation; see [`Weights`] for what each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(
    missing_docs,
    reason = "each is described at the field of `Weights` of its name"
)]
pub enum Kind {
    Constant,
    Name,
    Operator,
    Argument,
    Shrink,
    Graft,
    Wrap,
    Terminal,
    Duplicate,
    Delete,
    Swap,
    Transplant,
}

const STATEMENT_KINDS: [Kind; 4] = [Kind::Duplicate, Kind::Delete, Kind::Swap, Kind::Transplant];

/// A mutated program and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The program.
    pub source: String,
    /// The mutations made, in the order drawn.
    pub kinds: Vec<Kind>,
    /// Draws thrown away because the program would not have parsed.
    pub unparsable: u32,
    /// Draws thrown away because no mutation applied or nothing would have changed.
    pub unchanged: u32,
    /// Draws thrown away because the program would have passed [`Settings::max_source`].
    pub too_large: u32,
}

/// The operator.
#[derive(Clone, Debug)]
pub struct Gp {
    settings: Settings,
    host: HashMap<String, Signature>,
}

impl Gp {
    /// An operator with these settings, for the host that the brief describes (its signatures and names).
    ///
    /// # Errors
    /// [`GpError::Setting`] names the field out of range and the mend.
    pub fn new(mut settings: Settings, brief: &Brief) -> Result<Self, GpError> {
        settings.extra_names.extend(brief.names.iter().cloned());
        settings.validate()?;
        let mut host = HashMap::new();
        for text in &brief.signatures {
            let (name, signature) = Signature::parse(text).ok_or_else(|| GpError::Setting {
                field: "brief.signatures".to_owned(),
                why: format!("{text:?} is no signature"),
                mend: "write it as in a def line, such as f(a, b=1)".to_owned(),
            })?;
            host.insert(name, signature);
        }
        Ok(Self { settings, host })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A mutated copy of `source`: it parses, and its syntax tree differs.
    ///
    /// # Errors
    /// [`GpError::Parent`] if `source` does not parse, [`GpError::Barren`] and
    /// [`GpError::Exhausted`] if no child is found.
    pub fn mutate(&self, source: &str, rng: &mut impl Rng) -> Result<String, GpError> {
        self.mutate_traced(source, rng).map(|child| child.source)
    }

    /// Like [`mutate`](Self::mutate), with the mutations made.
    ///
    /// # Errors
    /// As [`mutate`](Self::mutate).
    pub fn mutate_traced(&self, source: &str, rng: &mut impl Rng) -> Result<Child, GpError> {
        syntax::with(source, |parent| {
            let outline = Outline::new(source, parent.suite());
            self.child(parent, &outline, rng)
        })?
    }

    /// A child for each numbered random stream, the parent parsed but once: the same as
    /// [`mutate_traced`](Self::mutate_traced) with each of them, in less time. Each is given to `each` when it is made.
    ///
    /// # Errors
    /// [`GpError::Parent`] if `source` does not parse; for single children as
    /// [`mutate`](Self::mutate).
    pub fn brood<R: Rng>(
        &self,
        source: &str,
        streams: impl IntoIterator<Item = (usize, R)>,
        mut each: impl FnMut(usize, Result<Child, GpError>),
    ) -> Result<(), GpError> {
        syntax::with(source, |parent| {
            let outline = Outline::new(source, parent.suite());
            for (number, mut rng) in streams {
                each(number, self.child(parent, &outline, &mut rng));
            }
        })?;
        Ok(())
    }

    fn child(
        &self,
        parent: &Parsed<ModModule>,
        outline: &Outline<'_>,
        rng: &mut dyn Rng,
    ) -> Result<Child, GpError> {
        // What is known of names depends on what was asked first: each child asks anew.
        let draw = Draw::new(self, outline, parent.tokens());
        if draw.sites() == 0 {
            return Err(GpError::Barren);
        }
        let (mut unparsable, mut unchanged, mut too_large) = (0, 0, 0);
        for _ in 0..self.settings.max_tries {
            let (edits, kinds) = draw.edits(rng);
            if edits.is_empty() {
                unchanged += 1;
                continue;
            }
            let source = edits.apply(outline.source, 0..outline.source.len());
            if source.len() > self.settings.max_source.max(outline.source.len()) {
                too_large += 1;
                continue;
            }
            let same = |child: &_| same_tree(outline.source, parent, &source, child);
            match syntax::with(&source, same) {
                Err(_) => unparsable += 1,
                Ok(true) => unchanged += 1,
                Ok(false) => {
                    return Ok(Child {
                        source,
                        kinds,
                        unparsable,
                        unchanged,
                        too_large,
                    });
                }
            }
        }
        Err(GpError::Exhausted {
            tries: self.settings.max_tries,
        })
    }
}

impl From<Error> for GpError {
    fn from(error: Error) -> Self {
        match error {
            Error::Setting { field, why, mend } => Self::Setting { field, why, mend },
            other => Self::Setting {
                field: "gp".to_owned(),
                why: other.to_string(),
                mend: "mend it in the settings".to_owned(),
            },
        }
    }
}

impl From<Fault> for GpError {
    fn from(Fault { message, offset }: Fault) -> Self {
        Self::Parent { message, offset }
    }
}

fn same_tree(a_source: &str, a: &Parsed<ModModule>, b_source: &str, b: &Parsed<ModModule>) -> bool {
    let same = |(a, b): (&Stmt, &Stmt)| {
        a_source[a.range()] == b_source[b.range()]
            || ComparableStmt::from(a) == ComparableStmt::from(b)
    };
    a.suite().len() == b.suite().len() && a.suite().iter().zip(b.suite()).all(same)
}

/// The draws for one parent.
struct Draw<'m, 'a> {
    mutator: Mutator<'m, 'a>,
    /// Nodes that some kind can mutate, with the weights of the kinds.
    nodes: Vec<(usize, [f64; 8])>,
    statements: Vec<(usize, [f64; 4])>,
}

impl<'m, 'a> Draw<'m, 'a> {
    fn new(gp: &'m Gp, outline: &'m Outline<'a>, tokens: &'a Tokens) -> Self {
        let mut constants: Vec<Constant> = Vec::new();
        let own = outline.nodes.iter().filter_map(|n| expr::constant(n.expr));
        let extra = gp.settings.extra_constants.iter().map(|c| {
            if c.fract() == 0.0 && c.abs() < 1e15 {
                Constant::Int(*c as i64)
            } else {
                Constant::Float(*c)
            }
        });
        for constant in own.chain(extra) {
            if !constants.contains(&constant) {
                constants.push(constant);
            }
        }
        let mutator = Mutator {
            settings: &gp.settings,
            names: Names::new(outline, &gp.host),
            tokens,
            constants,
            full: outline.source.len() > gp.settings.max_source,
            given: RefCell::default(),
        };
        let nodes = outline.nodes.iter().map(|n| mutator.node_weights(n));
        let nodes = nodes
            .enumerate()
            .filter(|(_, w)| w.iter().any(|w| *w > 0.0));
        let nodes = nodes.collect();
        let statements = outline.statements.iter();
        let statements = statements.map(|s| mutator.statement_weights(s)).enumerate();
        let statements = statements.filter(|(_, w)| w.iter().any(|w| *w > 0.0));
        let statements = statements.collect();
        Self {
            mutator,
            nodes,
            statements,
        }
    }

    fn sites(&self) -> usize {
        self.nodes.len() + self.statements.len()
    }

    /// Draws the mutations of one child.
    fn edits(&self, rng: &mut dyn Rng) -> (Edits, Vec<Kind>) {
        let settings = self.mutator.settings;
        self.mutator.given.borrow_mut().clear();
        let (mut edits, mut kinds) = (Edits::default(), Vec::new());
        for (i, weights) in &self.statements {
            if chance(rng, settings.statement_rate) {
                self.statement(*i, weights, &mut edits, &mut kinds, rng);
            }
        }
        for (i, weights) in &self.nodes {
            if chance(rng, settings.rate) {
                self.node(*i, weights, &mut edits, &mut kinds, rng);
            }
        }
        if kinds.is_empty() {
            let shares = [
                settings.rate * self.nodes.len() as f64,
                settings.statement_rate * self.statements.len() as f64,
            ];
            // With both rates at 0 every site is as likely.
            let group = weighted(rng, &shares).or_else(|| {
                weighted(
                    rng,
                    &[self.nodes.len() as f64, self.statements.len() as f64],
                )
            });
            if group == Some(0) {
                let (i, weights) = &self.nodes[below(rng, self.nodes.len())];
                self.node(*i, weights, &mut edits, &mut kinds, rng);
            } else {
                let (i, weights) = &self.statements[below(rng, self.statements.len())];
                self.statement(*i, weights, &mut edits, &mut kinds, rng);
            }
        }
        (edits, kinds)
    }

    fn node(
        &self,
        i: usize,
        weights: &[f64; 8],
        edits: &mut Edits,
        kinds: &mut Vec<Kind>,
        rng: &mut dyn Rng,
    ) {
        let mut weights = *weights;
        // A kind that does not apply here after all leaves its turn to the others.
        while let Some(k) = weighted(rng, &weights) {
            if let Some(new) = self.mutator.mutate_node(i, NODE_KINDS[k], rng) {
                if edits.add(new) {
                    kinds.push(NODE_KINDS[k]);
                }
                return;
            }
            weights[k] = 0.0;
        }
    }

    fn statement(
        &self,
        i: usize,
        weights: &[f64; 4],
        edits: &mut Edits,
        kinds: &mut Vec<Kind>,
        rng: &mut dyn Rng,
    ) {
        let mut weights = *weights;
        while let Some(k) = weighted(rng, &weights) {
            let kind = STATEMENT_KINDS[k];
            // Once a child: two could empty a block between them.
            let taken = |k: &Kind| matches!(k, Kind::Delete | Kind::Transplant);
            if !(taken(&kind) && kinds.iter().any(taken))
                && let Some(new) = self.mutator.mutate_statement(i, kind, rng)
            {
                if edits.add(new) {
                    kinds.push(kind);
                }
                return;
            }
            weights[k] = 0.0;
        }
    }
}
