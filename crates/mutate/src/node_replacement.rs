//! Genetic programming as the paper compares with it: every node of the tree is replaced with some probability by
//! another of the same arity.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rand::{Rng, RngExt};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprContext, ModModule, Number, Pattern, Stmt};
use ruff_python_parser::Parsed;
use ruff_text_size::Ranged;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::Error;
use crate::brief::Brief;
use crate::kind::{Kind, Recipe, Workshop};
use crate::operator::{Operator, Request, Tray};
use crate::reason::{NO_MUTATION, Reason};
use crate::settings::{range, section};
use crate::syntax;

/// Its name, in the settings and in the store.
pub const NAME: &str = "paper-gp";

/// Classical genetic programming.
pub static KIND: Kind = Kind {
    name: NAME,
    about: "Classical node replacement, as the paper compares with it",
    weight: 0.0,
    settings: include_str!("node_replacement.toml"),
    read,
};

fn read(settings: &Table) -> Result<Box<dyn Recipe>, Error> {
    Ok(Box::new(section::<Primitives>(settings, KIND.name)?))
}

/// The sets that [`NodeReplacement`] draws from, and how often: the section `[paper-gp]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Primitives {
    /// Probability that a node is replaced.
    pub rate: f64,
    /// Variables, which replace each other; none: those that the program reads.
    pub variables: Vec<String>,
    /// Whole numbers, which replace each other.
    pub constants: Vec<i64>,
    /// Functions of two arguments that replace each other, and any other such function that the program has.
    pub binary: Vec<String>,
}

/// The binary operators of Python.
const BINARY: [&str; 13] = [
    "+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>",
];

impl Recipe for Primitives {
    fn check(&self, _: &Brief) -> Result<(), Error> {
        range("paper-gp.rate", self.rate, 0.0, 1.0)?;
        match self.binary.iter().find(|op| !BINARY.contains(&op.as_str())) {
            None => Ok(()),
            Some(other) => Err(Error::setting(
                "paper-gp.binary",
                format!("{other:?} is not a binary operator of Python"),
                format!("choose from: {}", BINARY.join(" ")),
            )),
        }
    }

    fn make(&self, _: &mut Workshop<'_>) -> Result<Box<dyn Operator>, Error> {
        Ok(Box::new(NodeReplacement::new(self.clone())))
    }
}

/// Node replacement and nothing else. The nodes are the variables that a program reads, its whole numbers and its
/// binary operators; each is replaced, independently and with the same probability, by one drawn evenly from the other
/// members of its set ([`Primitives`]). So a child may equal its parent, and the tree keeps its shape.
///
/// [`crate::gp::Gp`] is the better operator for searches: it always changes something and knows kinds of values.
#[derive(Clone, Debug)]
pub struct NodeReplacement {
    primitives: Primitives,
}

impl NodeReplacement {
    /// An operator that draws from these sets.
    pub fn new(primitives: Primitives) -> Self {
        Self { primitives }
    }

    /// A child of `source`.
    ///
    /// # Errors
    /// `source` is not Python, or lies deeper than trees are walked.
    pub fn mutate(&self, source: &str, rng: &mut impl Rng) -> Result<String, Reason> {
        syntax::with(source, |module| self.child(module, source, rng))
            .map_err(|fault| Reason::new(&NO_MUTATION, fault.to_string()))
    }

    fn child(&self, module: &Parsed<ModModule>, source: &str, rng: &mut impl Rng) -> String {
        let mut roots = Roots::default();
        roots.visit_body(module.suite());
        let variables = match self.primitives.variables.is_empty() {
            true => Variables::of(module.suite()),
            false => self.primitives.variables.clone(),
        };
        // They are visited as they are evaluated.
        roots.found.sort_by_key(|root| root.start());
        let mut child = String::with_capacity(source.len() + 32);
        let mut at = 0;
        for root in roots.found {
            let Range { start, end } = span(root);
            child.push_str(&source[at..start]);
            child.push_str(&self.replaced(root, source, &variables, rng));
            at = end;
        }
        child.push_str(&source[at..]);
        child
    }

    /// The text of an expression with its nodes replaced. Operations stand in brackets, so that the tree keeps its shape
    /// whatever the operators are.
    fn replaced(
        &self,
        expr: &Expr,
        source: &str,
        variables: &[String],
        rng: &mut impl Rng,
    ) -> String {
        let Primitives {
            constants, binary, ..
        } = &self.primitives;
        match expr {
            Expr::Name(name) => self.draw(name.id.as_str(), variables, rng).to_owned(),
            Expr::NumberLiteral(number) => match &number.value {
                Number::Int(int) => {
                    let own = int.as_i64();
                    let others = constants.iter().filter(|c| Some(**c) != own);
                    let others: Vec<i64> = others.copied().collect();
                    match self.pick(&others, rng) {
                        Some(new) => new.to_string(),
                        None => source[span(expr)].to_owned(),
                    }
                }
                _ => source[span(expr)].to_owned(),
            },
            Expr::BinOp(operation) => {
                let operator = self.draw(operation.op.as_str(), binary, rng);
                let left = self.replaced(&operation.left, source, variables, rng);
                let right = self.replaced(&operation.right, source, variables, rng);
                format!("({left} {operator} {right})")
            }
            Expr::Call(call) => {
                // A called function is no node: the sets hold no other of its arity.
                let parts: Vec<&Expr> = call.arguments.args.iter().collect();
                self.around(expr, &parts, source, variables, rng)
            }
            Expr::List(list) => {
                let parts: Vec<&Expr> = list.elts.iter().collect();
                self.around(expr, &parts, source, variables, rng)
            }
            _ => source[span(expr)].to_owned(),
        }
    }

    /// The text of an expression in which only `parts` are replaced.
    fn around(
        &self,
        expr: &Expr,
        parts: &[&Expr],
        source: &str,
        variables: &[String],
        rng: &mut impl Rng,
    ) -> String {
        let (mut text, mut at) = (String::new(), span(expr).start);
        for part in parts {
            let Range { start, end } = span(part);
            text.push_str(&source[at..start]);
            text.push_str(&self.replaced(part, source, variables, rng));
            at = end;
        }
        text + &source[at..span(expr).end]
    }

    /// `own`, or another of the set in its place.
    fn draw<'t>(&self, own: &'t str, set: &'t [String], rng: &mut impl Rng) -> &'t str {
        let others = set.iter().map(String::as_str).filter(|other| *other != own);
        let others: Vec<&'t str> = others.collect();
        self.pick(&others, rng).unwrap_or(own)
    }

    /// One of the others, if the node is to be replaced.
    fn pick<T: Copy>(&self, others: &[T], rng: &mut impl Rng) -> Option<T> {
        let hit = rng.random::<f64>() < self.primitives.rate;
        (hit && !others.is_empty()).then(|| others[rng.random_range(0..others.len())])
    }
}

fn span(expr: &Expr) -> Range<usize> {
    expr.range().to_std_range()
}

/// The outermost expressions with nodes that a program evaluates.
#[derive(Default)]
struct Roots<'a> {
    found: Vec<&'a Expr>,
}

impl<'a> Visitor<'a> for Roots<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // A name that is bound is no node of the tree.
            Expr::Name(name) if name.ctx != ExprContext::Load => {}
            Expr::Name(_)
            | Expr::NumberLiteral(_)
            | Expr::BinOp(_)
            | Expr::Call(_)
            | Expr::List(_) => {
                self.found.push(expr);
            }
            _ => walk_expr(self, expr),
        }
    }

    /// The grammar of patterns is its own.
    fn visit_pattern(&mut self, _: &'a Pattern) {}
}

/// The variables that a program reads, each once, in order of their names. A called function is none.
#[derive(Default)]
struct Variables(BTreeSet<String>);

impl Variables {
    fn of(body: &[Stmt]) -> Vec<String> {
        let mut variables = Self::default();
        variables.visit_body(body);
        variables.0.into_iter().collect()
    }
}

impl<'a> Visitor<'a> for Variables {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                self.0.insert(name.id.to_string());
            }
            Expr::Call(call) => {
                for argument in &call.arguments.args {
                    self.visit_expr(argument);
                }
            }
            _ => walk_expr(self, expr),
        }
    }
}

impl Operator for NodeReplacement {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        tray: &mut dyn Tray,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        for (index, request) in requests.iter_mut().enumerate() {
            if stop.load(Relaxed) {
                break;
            }
            let streams = request.streams().into_iter().enumerate();
            let wanted = streams.filter(|(child, _)| request.wanted[*child]);
            let wanted: Vec<_> = wanted.collect();
            // The parent is parsed but once.
            let made = syntax::with(request.parent, |module| {
                for (child, mut rng) in wanted {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let program = self.child(module, request.parent, &mut rng);
                    tray.hand(index, child, Ok(program).into());
                }
            });
            if let Err(fault) = made {
                let reason = Reason::new(&NO_MUTATION, fault.to_string());
                for child in (0..request.count()).filter(|child| request.wanted[*child]) {
                    tray.hand(index, child, Err(reason.clone()).into());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn primitives(rate: f64) -> Primitives {
        let own: Table = toml::from_str(KIND.settings).unwrap();
        let own = section::<Primitives>(&own, KIND.name).unwrap();
        Primitives { rate, ..own }
    }

    #[test]
    fn variables_are_the_programs_own_where_none_are_named() {
        let operator = NodeReplacement::new(primitives(1.0));
        let source = "def f(a, b):\n    return min(a, b) + 1\n";
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..50 {
            let child = operator.mutate(source, &mut rng).unwrap();
            assert!(child.contains("(min(b, a) "), "{child}");
            assert!(!child.contains("+ ") && !child.contains(" 1)"), "{child}");
        }
        let lone = "x = y\n";
        assert_eq!(operator.mutate(lone, &mut rng).unwrap(), lone);
    }

    #[test]
    fn what_it_does_not_know_stays() {
        let source = "import math\n\nclass A:\n    x: int = 3\n\ndef f(a, *b, k=lambda q: q + 1):\n    for a.x in b[1:2]:\n        a.x += math.sin(1.5) if a else -b\n    return -a ** 2 + f\"{a + 1}\"\n";
        let operator = NodeReplacement::new(primitives(0.4));
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..200 {
            let child = operator.mutate(source, &mut rng).unwrap();
            syntax::with(&child, |_| ()).unwrap_or_else(|e| panic!("{e}: {child}"));
        }
        let error = operator.mutate("def", &mut rng).unwrap_err();
        assert_eq!(error.code, "no-mutation");
    }
}
