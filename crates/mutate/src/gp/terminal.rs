//! Mutations of the leaves of an expression: numbers, truth values and names, called functions
//! among them.

use rand::Rng;
use ruff_python_ast::{self as ast, Expr, OperatorPrecedence};

use super::constant::{Constant, Demand};
use super::edit::Edit;
use super::expr::{Mutator, constant};
use super::outline::Node;
use super::types::Base;
use crate::draw::{below, pick};

/// Functions of one argument, or of as many as one likes, that may stand for each other.
const LIKE: [&[&str]; 5] = [
    &["sin", "cos", "tanh"],
    &["floor", "ceil"],
    &["min", "max"],
    &["abs", "float"],
    &["any", "all"],
];

impl<'a> Mutator<'_, 'a> {
    pub(super) fn constant(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if let Expr::BooleanLiteral(b) = node.expr {
            let flipped = if b.value { "False" } else { "True" };
            return Some(self.place(node, flipped, OperatorPrecedence::Atomic));
        }
        let demand = Demand {
            whole: self.whole(node),
            nonzero: node.slot.divisor,
            max: self.settings.max_magnitude,
        };
        let new = constant(node.expr)?.mutate(&self.constants, demand, rng)?;
        Some(self.place_constant(node, new))
    }

    pub(super) fn name(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if let Some(call) = node.slot.callee {
            return self.function(node, call, rng);
        }
        let Expr::Name(name) = node.expr else {
            return None;
        };
        let name = name.id.as_str();
        if self.risky_divisor(node, rng) {
            return None;
        }
        let old = self.type_of(node);
        let home = self.names.resolve(node.scope, name);
        let mut candidates: Vec<&str> = Vec::new();
        for (scope, other) in self.names.visible(node.scope, node.start) {
            if other == name {
                continue;
            }
            let new = self.names.type_of_name(scope, other);
            // Two names of unknown kind, say two parameters, may well hold the same.
            let unknown = scope != 0 && home == Some(scope) && !new.is_known() && new == old;
            // A name that is bound nowhere has no kind to keep: any value may mend the program.
            let stray = home.is_none() && !matches!(new.base, Base::Function | Base::Module);
            if unknown
                || stray
                || self.fits(new, old, node) && self.same_arity(scope, other, home, name)
            {
                candidates.push(other);
            }
        }
        let extra = self.settings.extra_names.iter().map(String::as_str);
        candidates.extend(extra.filter(|n| *n != name));
        let new = pick(rng, &candidates)?;
        Some(self.place(node, new, OperatorPrecedence::Atomic))
    }

    /// Two functions must take as many arguments to stand for each other; other values always may.
    fn same_arity(&self, scope: usize, name: &str, old: Option<usize>, old_name: &str) -> bool {
        let Some(old) = old else { return true };
        let new = self.names.signature_of(scope, name);
        let old = self.names.signature_of(old, old_name);
        match (new, old) {
            (Some(new), Some(old)) => new.takes(old.required()),
            _ => true,
        }
    }

    fn function(
        &self,
        node: &Node<'a>,
        call: &ast::ExprCall,
        rng: &mut dyn Rng,
    ) -> Option<Vec<Edit>> {
        let arguments = &call.arguments;
        let (name, at) = match node.expr {
            Expr::Name(name) => (name.id.as_str(), name.range),
            Expr::Attribute(a) => (a.attr.as_str(), a.attr.range),
            _ => return None,
        };
        let mut candidates: Vec<&str> = Vec::new();
        let like = LIKE.iter().find(|group| group.contains(&name));
        let bound = match node.expr {
            Expr::Name(_) => self.names.resolve(node.scope, name),
            _ => None,
        };
        if bound.is_none() {
            candidates.extend(
                like.into_iter()
                    .flat_map(|g| g.iter())
                    .filter(|n| **n != name),
            );
        } else if arguments.keywords.is_empty() && !arguments.args.iter().any(Expr::is_starred_expr)
        {
            let old = self.names.type_of_name(bound?, name);
            for (scope, other) in self.names.visible(node.scope, node.start) {
                let fits = other != name
                    && self.names.type_of_name(scope, other) == old
                    && self
                        .names
                        .signature_of(scope, other)
                        .is_some_and(|s| s.takes(arguments.args.len()));
                if fits {
                    candidates.push(other);
                }
            }
        }
        let new = pick(rng, &candidates)?;
        Some(vec![Edit::new(
            at.start().to_usize()..at.end().to_usize(),
            *new,
        )])
    }

    /// Replaces a name or number by any other terminal, names and numbers alike.
    pub(super) fn terminal(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        let old = self.slice(node);
        let whole = self.whole(node);
        let mut names: Vec<&str> = self
            .names
            .visible(node.scope, node.start)
            .into_iter()
            .filter(|(scope, name)| {
                let new = self.names.type_of_name(*scope, name);
                let variable = !matches!(new.base, Base::Function | Base::Module);
                variable && self.fits(new, self.type_of(node), node)
            })
            .map(|(_, name)| name)
            .collect();
        let extra = self.settings.extra_names.iter().map(String::as_str);
        let fresh: Vec<_> = extra.filter(|n| !names.contains(n)).collect();
        names.extend(fresh);
        names.retain(|n| *n != old);
        let numbers: Vec<_> = self
            .constants
            .iter()
            .filter(|c| Some(**c) != constant(node.expr))
            .filter(|c| !whole || matches!(c, Constant::Int(_)))
            .filter(|_| !self.settings.typed || self.type_of(node).is_number())
            .collect();
        let all = names.len() + numbers.len();
        let k = (all > 0).then(|| below(rng, all))?;
        Some(match names.get(k) {
            Some(name) => self.place(node, name, OperatorPrecedence::Atomic),
            None => self.place_constant(node, *numbers[k - names.len()]),
        })
    }
}
