//! The mutator and its mutations of whole expressions: shrink, graft and wrap. Each mutation
//! returns the edits that make it, or `None` where it does not apply.

use std::cell::RefCell;
use std::ops::Range;

use rand::Rng;
use ruff_python_ast::token::Tokens;
use ruff_python_ast::{Expr, Number, Operator, OperatorPrecedence};
use ruff_text_size::Ranged;

use super::Kind;
use super::constant::Constant;
use super::edit::{Edit, Edits};
use super::names::Names;
use super::outline::{Node, Outline, is_signed_literal, operand_precedence, precedence};
use super::settings::Settings;
use super::types::Type;
use crate::draw::{below, chance, pick};

/// Copies longer than this many bytes are not grafted.
const GRAFT_LIMIT: usize = 96;

/// One parent, ready to be mutated.
pub(super) struct Mutator<'m, 'a> {
    pub(super) settings: &'m Settings,
    pub(super) names: Names<'m, 'a>,
    pub(super) tokens: &'a Tokens,
    /// The numbers of the program and the extra ones, each once.
    pub(super) constants: Vec<Constant>,
    /// The program is as large as it may get.
    pub(super) full: bool,
    /// Names that copies were given in the child under way.
    pub(super) given: RefCell<Vec<String>>,
}

pub(super) const NODE_KINDS: [Kind; 8] = [
    Kind::Constant,
    Kind::Name,
    Kind::Operator,
    Kind::Argument,
    Kind::Shrink,
    Kind::Graft,
    Kind::Wrap,
    Kind::Terminal,
];

/// The number an expression is, sign included.
pub(super) fn constant(expr: &Expr) -> Option<Constant> {
    match expr {
        Expr::NumberLiteral(n) => match &n.value {
            Number::Int(i) => i.as_i64().map(Constant::Int),
            Number::Float(f) => Some(Constant::Float(*f)),
            Number::Complex { .. } => None,
        },
        Expr::UnaryOp(e) if is_signed_literal(e) => match constant(&e.operand)? {
            Constant::Int(i) => Some(Constant::Int(i.checked_neg()?)),
            Constant::Float(f) => Some(Constant::Float(-f)),
        },
        _ => None,
    }
}

impl<'m, 'a> Mutator<'m, 'a> {
    pub(super) fn outline(&self) -> &'m Outline<'a> {
        self.names.outline
    }

    pub(super) fn source(&self) -> &'a str {
        self.outline().source
    }

    /// The weights of [`NODE_KINDS`] for a node; all 0 if it is no node to mutate.
    pub(super) fn node_weights(&self, node: &Node<'a>) -> [f64; 8] {
        let w = &self.settings.weights;
        let grow = if self.full { 0.0 } else { 1.0 };
        let (graft, wrap) = (w.graft * grow, w.wrap * grow);
        if node.augmented.is_some() {
            return [0.0, 0.0, w.operator, 0.0, 0.0, 0.0, 0.0, 0.0];
        }
        if node.slot.callee.is_some() {
            return [0.0, w.name, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        }
        if constant(node.expr).is_some() {
            return [w.constant, 0.0, 0.0, 0.0, 0.0, graft, wrap, w.terminal];
        }
        match node.expr {
            Expr::BooleanLiteral(_) => [w.constant, 0.0, 0.0, 0.0, 0.0, graft, 0.0, 0.0],
            Expr::Name(_) => [0.0, w.name, 0.0, 0.0, 0.0, graft, wrap, w.terminal],
            Expr::BinOp(_)
            | Expr::BoolOp(_)
            | Expr::UnaryOp(_)
            | Expr::Compare(_)
            | Expr::If(_) => [0.0, 0.0, w.operator, 0.0, w.shrink, graft, wrap, 0.0],
            Expr::Call(_) | Expr::List(_) => {
                [0.0, 0.0, 0.0, w.argument, w.shrink, graft, wrap, 0.0]
            }
            Expr::Subscript(_) | Expr::Attribute(_) | Expr::Lambda(_) | Expr::Tuple(_) => {
                [0.0, 0.0, 0.0, 0.0, w.shrink, graft, wrap, 0.0]
            }
            _ => [0.0; 8],
        }
    }

    /// Mutates node `i` by `kind`.
    pub(super) fn mutate_node(&self, i: usize, kind: Kind, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        match kind {
            Kind::Constant => self.constant(i, rng),
            Kind::Name => self.name(i, rng),
            Kind::Operator => self.operator(i, rng),
            Kind::Argument => self.argument(i, rng),
            Kind::Shrink => self.shrink(i, rng),
            Kind::Graft => self.graft(i, rng),
            Kind::Wrap => self.wrap(i, rng),
            Kind::Terminal => self.terminal(i, rng),
            Kind::Duplicate | Kind::Delete | Kind::Swap | Kind::Transplant => None,
        }
    }

    pub(super) fn node(&self, i: usize) -> &'m Node<'a> {
        &self.outline().nodes[i]
    }

    pub(super) fn slice(&self, node: &Node<'_>) -> &'a str {
        &self.source()[node.start..node.end]
    }

    pub(super) fn type_of(&self, node: &Node<'a>) -> Type<'a> {
        self.names.type_of(node.expr, node.scope)
    }

    /// Whether what is of kind `new` may stand where `node`, of kind `old`, stands.
    pub(super) fn fits(&self, new: Type<'a>, old: Type<'a>, node: &Node<'a>) -> bool {
        !self.settings.typed || new.fits(old, self.names.needs_whole(node))
    }

    /// The whole-number need of a place counts only where kinds do.
    pub(super) fn whole(&self, node: &Node<'a>) -> bool {
        self.settings.typed && self.names.needs_whole(node)
    }

    /// Most new divisors are refused: what stands elsewhere may well be 0.
    pub(super) fn risky_divisor(&self, node: &Node<'a>, rng: &mut dyn Rng) -> bool {
        self.settings.typed && node.slot.divisor && !chance(rng, 0.2)
    }

    /// Puts `text`, of the given precedence, in the place of `node`.
    pub(super) fn place(
        &self,
        node: &Node<'_>,
        text: &str,
        precedence: OperatorPrecedence,
    ) -> Vec<Edit> {
        let number = text.starts_with(|c: char| c.is_ascii_digit());
        let broken = text.contains('\n') && precedence < OperatorPrecedence::CallAttribute;
        let bare = precedence >= node.slot.min
            && !(node.slot.primary && number)
            && (!broken || self.outline().parenthesised(node.start, node.end));
        let text = if bare {
            text.to_owned()
        } else {
            format!("({text})")
        };
        vec![Edit::new(node.start..node.end, text)]
    }

    pub(super) fn place_constant(&self, node: &Node<'_>, new: Constant) -> Vec<Edit> {
        let negative = new.value().is_sign_negative() && new != Constant::Int(0);
        let precedence = if negative {
            OperatorPrecedence::PosNegBitNot
        } else {
            OperatorPrecedence::Atomic
        };
        self.place(node, &new.text(), precedence)
    }

    /// The text of an expression, in brackets if it binds less tightly than `min`.
    pub(super) fn text(&self, expr: &Expr, min: OperatorPrecedence) -> String {
        let text = &self.source()[expr.range()];
        if precedence(expr) < min {
            format!("({text})")
        } else {
            text.to_owned()
        }
    }

    fn shrink(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        let old = self.type_of(node);
        let parts = &self.outline().nodes[i + 1..node.subtree];
        let parts: Vec<_> = parts
            .iter()
            .filter(|part| {
                part.scope == node.scope
                    && is_value(part)
                    && self.fits(self.type_of(part), old, node)
            })
            .collect();
        let part = pick(rng, &parts)?;
        Some(self.place(node, self.slice(part), precedence(part.expr)))
    }

    fn graft(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        let old = self.type_of(node);
        if self.settings.typed && !old.is_known() {
            return None;
        }
        if self.risky_divisor(node, rng) {
            return None;
        }
        let nodes = &self.outline().nodes;
        for _ in 0..12 {
            let d = below(rng, nodes.len());
            let donor = &nodes[d];
            let fits = is_value(donor)
                && donor.end - donor.start <= GRAFT_LIMIT
                && self.slice(donor) != self.slice(node)
                && self.fits(self.type_of(donor), old, node)
                && self.names.portable(
                    &nodes[d..donor.subtree],
                    (donor.start, donor.end),
                    node.scope,
                    node.start,
                );
            if fits {
                return Some(self.place(node, self.slice(donor), precedence(donor.expr)));
            }
        }
        None
    }

    fn wrap(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if !is_value(node) || !self.type_of(node).is_number() {
            return None;
        }
        let small: Vec<_> = self
            .constants
            .iter()
            .filter(|c| c.value() > 0.0 && c.value() <= 10.0)
            .filter(|c| !self.whole(node) || matches!(c, Constant::Int(_)))
            .copied()
            .collect();
        let other = match pick(rng, &small) {
            Some(c) if chance(rng, 0.5) => *c,
            _ if self.whole(node) || chance(rng, 0.5) => Constant::Int(1 + below(rng, 3) as i64),
            _ => Constant::Float(0.5),
        };
        let op = [Operator::Add, Operator::Sub, Operator::Mult][below(rng, 3)];
        let (left, _) = operand_precedence(op);
        let inner = self.text(node.expr, left);
        let text = format!("{inner} {} {}", op.as_str(), other.text());
        Some(self.place(node, &text, OperatorPrecedence::from(op)))
    }

    /// Mutates constants, truth values and names of a copy, whatever the weights: each with the
    /// copy rate, and one of them if that draws none.
    pub(super) fn perturb(&self, nodes: Range<usize>, edits: &mut Edits, rng: &mut dyn Rng) {
        let kind = |node: &Node<'a>| match node.expr {
            _ if node.augmented.is_some() || node.slot.callee.is_some() => None,
            Expr::BooleanLiteral(_) => Some(Kind::Constant),
            Expr::Name(_) => Some(Kind::Name),
            _ => constant(node.expr).map(|_| Kind::Constant),
        };
        let leaves = nodes.filter_map(|i| Some((i, kind(self.node(i))?)));
        let leaves: Vec<_> = leaves.collect();
        for (i, kind) in &leaves {
            if chance(rng, self.settings.copy_rate)
                && let Some(edit) = self.mutate_node(*i, *kind, rng)
            {
                edits.add(edit);
            }
        }
        if leaves.is_empty() {
            return;
        }
        let first = below(rng, leaves.len());
        for (i, kind) in leaves[first..].iter().chain(&leaves[..first]) {
            if !edits.is_empty() {
                break;
            }
            if let Some(edit) = self.mutate_node(*i, *kind, rng) {
                edits.add(edit);
            }
        }
    }
}

/// Whether a node is a value that could stand elsewhere: no function being called, no unpacking,
/// no slice, nothing bound to its place.
fn is_value(node: &Node<'_>) -> bool {
    node.augmented.is_none()
        && node.slot.callee.is_none()
        && !matches!(
            node.expr,
            Expr::Starred(_)
                | Expr::Slice(_)
                | Expr::Yield(_)
                | Expr::YieldFrom(_)
                | Expr::Await(_)
                | Expr::Named(_)
                | Expr::FString(_)
                | Expr::TString(_)
                | Expr::IpyEscapeCommand(_)
        )
}
