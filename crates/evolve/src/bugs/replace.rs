//! Genetic programming as the paper compares with it: every node of the tree is replaced with some probability by
//! another of the same arity.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprContext, Number, Pattern};
use ruff_python_parser::parse_module;
use ruff_text_size::Ranged;

use super::task::Primitives;
use crate::operator::{Operator, Proposal, Request};
use crate::{Error, Reason};

/// Node replacement and nothing else. The nodes are the variables that a program reads, its whole numbers and its
/// binary operators; each is replaced, independently and with the same probability, by one drawn evenly from the other
/// members of its set ([`Primitives`]). So a child may equal its parent, and the tree keeps its shape.
///
/// [`crate::gp::Gp`] is the operator for searches: it always changes something and knows kinds of values.
#[derive(Clone, Copy, Debug)]
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
    /// `source` is not Python.
    pub fn mutate(&self, source: &str, rng: &mut impl Rng) -> Result<String, Reason> {
        let module = parse_module(source).map_err(|e| Reason::new("no-mutation", e.to_string()))?;
        let mut roots = Roots::default();
        roots.visit_body(module.suite());
        // They are visited as they are evaluated.
        roots.found.sort_by_key(|root| root.start());
        let mut child = String::with_capacity(source.len() + 32);
        let mut at = 0;
        for root in roots.found {
            let Range { start, end } = span(root);
            child.push_str(&source[at..start]);
            child.push_str(&self.replaced(root, source, rng));
            at = end;
        }
        child.push_str(&source[at..]);
        Ok(child)
    }

    /// The text of an expression with its nodes replaced. Operations stand in brackets, so that the tree keeps its shape
    /// whatever the operators are.
    fn replaced(&self, expr: &Expr, source: &str, rng: &mut impl Rng) -> String {
        let Primitives {
            variables,
            constants,
            binary,
            ..
        } = self.primitives;
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
                let left = self.replaced(&operation.left, source, rng);
                let right = self.replaced(&operation.right, source, rng);
                format!("({left} {operator} {right})")
            }
            Expr::Call(call) => {
                // A called function is no node: the sets hold no other of its arity.
                let parts: Vec<&Expr> = call.arguments.args.iter().collect();
                self.around(expr, &parts, source, rng)
            }
            Expr::List(list) => {
                let parts: Vec<&Expr> = list.elts.iter().collect();
                self.around(expr, &parts, source, rng)
            }
            _ => source[span(expr)].to_owned(),
        }
    }

    /// The text of an expression in which only `parts` are replaced.
    fn around(&self, expr: &Expr, parts: &[&Expr], source: &str, rng: &mut impl Rng) -> String {
        let (mut text, mut at) = (String::new(), span(expr).start);
        for part in parts {
            let Range { start, end } = span(part);
            text.push_str(&source[at..start]);
            text.push_str(&self.replaced(part, source, rng));
            at = end;
        }
        text + &source[at..span(expr).end]
    }

    /// `own`, or another of the set in its place.
    fn draw<'t>(&self, own: &'t str, set: &[&'t str], rng: &mut impl Rng) -> &'t str {
        let others: Vec<&'t str> = set.iter().copied().filter(|other| *other != own).collect();
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

impl Operator for NodeReplacement {
    fn propose(
        &mut self,
        requests: &mut [Request<'_>],
        stop: &AtomicBool,
    ) -> Result<Vec<Vec<Proposal>>, Error> {
        Ok(requests
            .iter_mut()
            .take_while(|_| !stop.load(Relaxed))
            .map(|request| {
                (0..request.count)
                    .map(|_| {
                        let mut rng = ChaCha8Rng::seed_from_u64(request.rng.random());
                        self.mutate(request.parent, &mut rng).into()
                    })
                    .collect()
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::Task;

    fn children(task: &Task, rate: f64, bugs: usize, count: usize) -> Vec<String> {
        let operator = NodeReplacement::new(Primitives {
            rate,
            ..task.primitives
        });
        let parent = task.buggy(bugs);
        let mut rng = ChaCha8Rng::seed_from_u64(bugs as u64);
        (0..count)
            .map(|_| operator.mutate(&parent, &mut rng).unwrap())
            .collect()
    }

    #[test]
    fn at_rate_0_nothing_changes_and_at_rate_1_every_node() {
        let parity = Task::by_name("parity").unwrap();
        let same = parity.buggy(3).replace("total % 2", "(total % 2)");
        assert_eq!(children(parity, 0.0, 3, 1), [same]);
        for child in children(parity, 1.0, 5, 50) {
            let body = child.lines().skip(2).collect::<Vec<_>>();
            assert!(body[0].starts_with("    total = sum(["), "{child}");
            assert!(
                !body[0].contains("([c1") && !body[0].contains("c4])"),
                "{child}"
            );
            assert!(
                !body[1].contains("total") && !body[1].contains('%'),
                "{child}"
            );
            assert!(!body[1].ends_with("3)"), "{child}");
            assert_eq!(child.lines().next(), parity.correct().lines().next());
        }
        let quadratic = Task::by_name("quadratic").unwrap();
        let same = &children(quadratic, 0.0, 1, 1)[0];
        assert!(
            same.ends_with("return (((a * (x ** 2)) - (b * x)) + c)\n"),
            "{same}"
        );
    }

    /// Whether a child is the correct program but for the order of the four bits, which a sum forgets.
    fn has_parity(child: &str) -> bool {
        let Some((head, rest)) = child.split_once("sum([") else {
            return false;
        };
        let Some((names, tail)) = rest.split_once("])") else {
            return false;
        };
        let mut names: Vec<&str> = names.split(", ").collect();
        names.sort_unstable();
        head.ends_with("total = ")
            && names == ["b1", "b2", "b3", "b4"]
            && tail == "\n    return (total % 2)\n"
    }

    /// The probability that up to four misspelt names are mended. Of the seven nodes three stay (`%` and its sides);
    /// the four bits may end up in any order, each in its own place by staying there unless it was misspelt.
    fn parity_share(p: f64, bugs: usize) -> f64 {
        let digits = |n: usize| [n / 64 % 4, n / 16 % 4, n / 4 % 4, n % 4];
        let orders = (0..256)
            .map(digits)
            .filter(|order| (0..4).all(|bit| order.contains(&bit)));
        let order = |order: [usize; 4]| -> f64 {
            let place = |(i, bit)| {
                if i == bit && i >= bugs {
                    1.0 - p
                } else {
                    p / 7.0
                }
            };
            order.into_iter().enumerate().map(place).product()
        };
        orders.map(order).sum::<f64>() * (1.0 - p).powi(3)
    }

    /// The probability that one or two wrong signs of eleven nodes are mended, each of three others it may become.
    fn quadratic_share(p: f64, bugs: usize) -> f64 {
        (p / 3.0).powi(bugs as i32) * (1.0 - p).powi(11 - bugs as i32)
    }

    #[test]
    fn bugs_are_mended_as_often_as_computed() {
        let [parity, quadratic] = ["parity", "quadratic"].map(|name| Task::by_name(name).unwrap());
        let right = |child: &str| child.ends_with("return (((a * (x ** 2)) + (b * x)) + c)\n");
        let trials = 60_000;
        for bugs in 1..=2 {
            for (task, share, mended) in [
                (
                    parity,
                    parity_share as fn(f64, usize) -> f64,
                    has_parity as fn(&str) -> bool,
                ),
                (quadratic, quadratic_share, right),
            ] {
                let expected = share(task.primitives.rate, bugs) * trials as f64;
                let children = children(task, task.primitives.rate, bugs, trials);
                let found = children.iter().filter(|child| mended(child)).count() as f64;
                assert!(
                    (found - expected).abs() < 3.0 * expected.sqrt(),
                    "{}, {bugs} bugs: {found}, not {expected}",
                    task.name
                );
            }
        }
    }

    #[test]
    fn the_rates_are_the_best_ones() {
        for (name, share, bugs) in [
            ("parity", parity_share as fn(f64, usize) -> f64, 4),
            ("quadratic", quadratic_share, 2),
        ] {
            let product = |rate: f64| (1..=bugs).map(|bugs| share(rate, bugs)).product::<f64>();
            let own = Task::by_name(name).unwrap().primitives.rate;
            for other in (1..100).map(|percent| f64::from(percent) / 100.0) {
                assert!(
                    product(other) <= product(own),
                    "{name}: {other} is better than {own}"
                );
            }
        }
    }

    #[test]
    fn what_it_does_not_know_stays() {
        let source = "import math\n\nclass A:\n    x: int = 3\n\ndef f(a, *b, k=lambda q: q + 1):\n    for a.x in b[1:2]:\n        a.x += math.sin(1.5) if a else -b\n    return -a ** 2 + f\"{a + 1}\"\n";
        let operator = NodeReplacement::new(Task::by_name("parity").unwrap().primitives);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for _ in 0..200 {
            let child = operator.mutate(source, &mut rng).unwrap();
            parse_module(&child).unwrap_or_else(|e| panic!("{e}: {child}"));
        }
        let error = operator.mutate("def", &mut rng).unwrap_err();
        assert_eq!(error.code, "no-mutation");
    }
}
