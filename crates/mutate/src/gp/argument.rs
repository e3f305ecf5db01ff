//! Mutations of what stands between brackets: the arguments of calls and the elements of lists.

use std::ops::Range;

use rand::Rng;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange};

use super::constant::{Constant, Demand};
use super::edit::{Edit, Edits};
use super::expr::{Mutator, constant};
use super::outline::{Node, OPEN, called};
use crate::draw::{below, chance, pick, weighted};

impl<'a> Mutator<'_, 'a> {
    pub(super) fn argument(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        match node.expr {
            Expr::List(list) => {
                let items: Vec<&Expr> = list.elts.iter().collect();
                self.elements(i, node.start..node.end, &items, rng)
            }
            Expr::Call(call) => self.arguments(node, call, rng),
            _ => None,
        }
    }

    /// Swaps, drops or repeats (changed) elements of a list.
    fn elements(
        &self,
        i: usize,
        range: Range<usize>,
        items: &[&Expr],
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        let mut texts: Vec<String> = items.iter().map(|e| self.text(e, OPEN)).collect();
        let k = (!items.is_empty()).then(|| below(rng, items.len()))?;
        let many = if items.len() > 1 { 1.0 } else { 0.0 };
        let grow = if self.full { 0.0 } else { 1.0 };
        match weighted(rng, &[0.5 * many, 0.4 * many, grow])? {
            0 => {
                let other = (k + 1 + below(rng, items.len() - 1)) % items.len();
                texts.swap(k, other);
            }
            1 => {
                texts.remove(k);
            }
            _ => {
                let mut child = i + 1;
                for _ in 0..k {
                    child = self.node(child).subtree;
                }
                let nodes = child..self.node(child).subtree;
                let mut edits = Edits::default();
                self.perturb(nodes, &mut edits, rng);
                let copy = items[k].start().to_usize()..items[k].end().to_usize();
                let copy = edits.apply(self.source(), copy);
                texts.insert(k + 1, copy);
            }
        }
        let refs: Vec<_> = items.iter().map(|e| e.range()).collect();
        Some(vec![self.rebuild(range, &refs, &texts)])
    }

    /// Writes a bracketed list anew with `texts`, keeping the layout of the old elements.
    fn rebuild(&self, range: Range<usize>, old: &[TextRange], texts: &[String]) -> Edit {
        let source = self.source();
        let blank = |text: &'a str, comma: bool| {
            let plain = text.chars().all(|c| c.is_whitespace() || comma && c == ',');
            if plain { Some(text) } else { None }
        };
        let inner = range.start + 1..range.end - 1;
        let (mut open, mut between, mut close) = ("", ", ", "");
        if let (Some(first), Some(last)) = (old.first(), old.last()) {
            open = blank(&source[inner.start..first.start().to_usize()], false).unwrap_or("");
            close = blank(&source[last.end().to_usize()..inner.end], true).unwrap_or("");
            if let [a, b, ..] = old {
                let gap = &source[a.end().to_usize()..b.start().to_usize()];
                between = blank(gap, true).unwrap_or(", ");
            }
        }
        if texts.is_empty() {
            close = "";
        }
        Edit::new(inner, format!("{open}{}{close}", texts.join(between)))
    }

    /// Swaps two arguments, drops one that has a default, or adds one.
    fn arguments(
        &self,
        node: &Node<'a>,
        call: &'a ast::ExprCall,
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        let args = &call.arguments.args;
        let keywords = &call.arguments.keywords;
        let unpacks = args.iter().any(Expr::is_starred_expr)
            || keywords.iter().any(|k| k.arg.is_none())
            || args.iter().any(|e| matches!(e, Expr::Generator(_)));
        if unpacks {
            return None;
        }
        let mut texts: Vec<String> = args.iter().map(|e| self.text(e, OPEN)).collect();
        texts.extend(keywords.iter().map(|k| self.source()[k.range()].to_owned()));
        let signature = self.names.signature(&call.func, node.scope);
        let pairs = self.swappable(node, call);
        let dropped = signature.as_ref().filter(|s| {
            !keywords.is_empty() || args.len() > s.required() && args.len() <= s.parameters.len()
        });
        let given = |name: &str| keywords.iter().any(|k| k.arg.as_deref() == Some(name));
        let added = signature.iter().flat_map(|s| {
            let rest = s.parameters.iter().enumerate().skip(args.len());
            rest.filter(|(_, p)| p.default.is_some() && !given(&p.name))
        });
        let added: Vec<_> = if self.full {
            Vec::new()
        } else {
            added.collect()
        };
        let yes = |b: bool, weight: f64| if b { weight } else { 0.0 };
        let choices = [
            yes(!pairs.is_empty(), 1.0),
            yes(dropped.is_some(), 1.0),
            yes(!added.is_empty(), 2.0),
        ];
        match weighted(rng, &choices)? {
            0 => {
                let (a, b) = *pick(rng, &pairs)?;
                texts.swap(a, b);
            }
            1 if keywords.is_empty() => {
                texts.pop();
            }
            1 => {
                let k = below(rng, keywords.len());
                let name = keywords[k].arg.as_deref()?;
                let known = dropped?.parameters.iter().find(|p| p.name == name);
                known?.default.as_ref()?;
                texts.remove(args.len() + k);
            }
            _ => {
                // The next by position while there are no keywords, any by keyword after.
                let (at, parameter) = if chance(rng, 0.5) {
                    added[0]
                } else {
                    *pick(rng, &added)?
                };
                let value = self.vary(parameter.default.as_deref()?, parameter.whole, rng);
                if at == args.len() && keywords.is_empty() {
                    texts.push(value);
                } else {
                    texts.push(format!("{}={value}", parameter.name));
                }
            }
        }
        let mut old: Vec<_> = args.iter().map(Ranged::range).collect();
        old.extend(keywords.iter().map(Ranged::range));
        let range = call.arguments.range();
        let range = range.start().to_usize()..range.end().to_usize();
        Some(vec![self.rebuild(range, &old, &texts)])
    }

    /// The pairs of positional arguments that may change places.
    fn swappable(&self, node: &Node<'a>, call: &'a ast::ExprCall) -> Vec<(usize, usize)> {
        let args = &call.arguments.args;
        let whole = |i| called(call).is_some_and(|f| self.names.takes_whole(node.scope, f, i));
        let kinds: Vec<_> = args
            .iter()
            .map(|e| self.names.type_of(e, node.scope))
            .collect();
        let mut pairs = Vec::new();
        for b in 1..args.len() {
            for a in 0..b {
                let alike = !self.settings.typed
                    || kinds[a].fits(kinds[b], whole(b)) && kinds[b].fits(kinds[a], whole(a));
                if alike && self.source()[args[a].range()] != self.source()[args[b].range()] {
                    pairs.push((a, b));
                }
            }
        }
        pairs
    }

    /// A value near a parameter's default.
    fn vary(&self, default: &str, whole: bool, rng: &mut dyn Rng) -> String {
        let parsed = ruff_python_parser::parse_expression(default);
        match parsed.as_ref().map(|p| p.expr()) {
            Ok(Expr::BooleanLiteral(b)) => if b.value { "False" } else { "True" }.to_owned(),
            Ok(expr) => {
                let demand = Demand {
                    whole,
                    nonzero: false,
                    max: self.settings.max_magnitude,
                };
                let new = constant(expr).and_then(|c| c.mutate(&self.constants, demand, rng));
                new.map_or_else(|| default.to_owned(), Constant::text)
            }
            Err(_) => default.to_owned(),
        }
    }
}
