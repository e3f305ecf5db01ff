//! Mutations of operators: another one in the place of the old, with brackets where the new one
//! binds otherwise.

use std::ops::Range;

use rand::Rng;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, CmpOp, Expr, Operator, OperatorPrecedence, UnaryOp};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::constant::Constant;
use super::edit::Edit;
use super::expr::{Mutator, constant};
use super::outline::{Node, operand_precedence, precedence};
use crate::draw::{below, pick, weighted};

const OPERATORS: [Operator; 13] = [
    Operator::Add,
    Operator::Sub,
    Operator::Mult,
    Operator::Div,
    Operator::FloorDiv,
    Operator::Mod,
    Operator::Pow,
    Operator::MatMult,
    Operator::BitAnd,
    Operator::BitOr,
    Operator::BitXor,
    Operator::LShift,
    Operator::RShift,
];

impl<'a> Mutator<'_, 'a> {
    /// The bytes of the operator between two operands.
    fn operator_between(&self, left: &Expr, right: &Expr) -> Option<Range<usize>> {
        self.operator_in(left.end(), right.start())
    }

    fn operator_in(&self, from: TextSize, to: TextSize) -> Option<Range<usize>> {
        let tokens = self.tokens.in_range(TextRange::new(from, to));
        let mut tokens = tokens.iter().filter(|t| {
            !t.kind().is_trivia() && !matches!(t.kind(), TokenKind::Lpar | TokenKind::Rpar)
        });
        let first = tokens.next()?;
        let last = tokens.next_back().unwrap_or(first);
        Some(first.start().to_usize()..last.end().to_usize())
    }

    pub(super) fn operator(&self, i: usize, rng: &mut dyn Rng) -> Option<Vec<Edit>> {
        let node = self.node(i);
        if let Some(assign) = node.augmented {
            let at = self.operator_in(assign.target.end(), assign.value.start())?;
            let new = self.binary(assign.op, &assign.value, node, rng)?;
            return Some(vec![Edit::new(at, format!("{}=", new.as_str()))]);
        }
        match node.expr {
            Expr::BinOp(e) => {
                let at = self.operator_between(&e.left, &e.right)?;
                let new = self.binary(e.op, &e.right, node, rng)?;
                let mut edits = vec![Edit::new(at, new.as_str())];
                let (left, right) = operand_precedence(new);
                self.bracket(&e.left, left, &mut edits);
                self.bracket(&e.right, right, &mut edits);
                if OperatorPrecedence::from(new) < node.slot.min {
                    bracket(node.start..node.end, &mut edits);
                }
                Some(edits)
            }
            Expr::Compare(e) => {
                let k = below(rng, e.ops.len());
                let left = if k == 0 {
                    &*e.left
                } else {
                    &e.comparators[k - 1]
                };
                let at = self.operator_between(left, &e.comparators[k])?;
                Some(vec![Edit::new(at, comparison(e.ops[k], rng)?.as_str())])
            }
            Expr::BoolOp(e) => {
                let (new, own, inner) = match e.op {
                    ast::BoolOp::And => ("or", OperatorPrecedence::Or, OperatorPrecedence::And),
                    ast::BoolOp::Or => ("and", OperatorPrecedence::And, OperatorPrecedence::Not),
                };
                let mut edits = Vec::new();
                for pair in e.values.windows(2) {
                    edits.push(Edit::new(self.operator_between(&pair[0], &pair[1])?, new));
                }
                for value in &e.values {
                    self.bracket(value, inner, &mut edits);
                }
                if own < node.slot.min {
                    bracket(node.start..node.end, &mut edits);
                }
                Some(edits)
            }
            Expr::UnaryOp(e) => {
                let new = match e.op {
                    UnaryOp::USub => "+",
                    UnaryOp::UAdd | UnaryOp::Invert => "-",
                    UnaryOp::Not => return None,
                };
                Some(vec![Edit::new(node.start..node.start + 1, new)])
            }
            Expr::If(e) => {
                let body = self.text(&e.orelse, OperatorPrecedence::Or);
                let orelse = self.text(&e.body, OperatorPrecedence::IfElse);
                let range = |e: &Expr| e.start().to_usize()..e.end().to_usize();
                Some(vec![
                    Edit::new(range(&e.body), body),
                    Edit::new(range(&e.orelse), orelse),
                ])
            }
            _ => None,
        }
    }

    /// Another binary operator, drawn by the weights of the settings.
    fn binary(
        &self,
        old: Operator,
        right: &Expr,
        node: &Node<'a>,
        rng: &mut dyn Rng,
    ) -> Option<Operator> {
        let (operators, weights): (Vec<_>, Vec<_>) = OPERATORS
            .into_iter()
            .filter(|op| *op != old)
            .filter_map(|op| {
                let given = self.settings.binary_operators.get(op.as_str()).copied();
                // Bits stay bits: these become each other even if no setting introduces them.
                let weight = match (is_bitwise(old), is_bitwise(op)) {
                    (true, true) => given.unwrap_or(1.0),
                    (true, false) if self.settings.typed => 0.0,
                    _ => given?,
                };
                let divides = matches!(op, Operator::Div | Operator::FloorDiv | Operator::Mod);
                let risky = self.settings.typed && divides && constant(right).is_none();
                Some((op, if risky { 0.3 * weight } else { weight }))
            })
            .filter(|(op, _)| !self.settings.typed || self.sane(*op, right, node))
            .unzip();
        if self.settings.typed && self.joins_lists_or_text(node) {
            return None;
        }
        weighted(rng, &weights).map(|i| operators[i])
    }

    /// No division by a literal 0, no fraction for an index, no power beyond the fourth.
    fn sane(&self, op: Operator, right: &Expr, node: &Node<'a>) -> bool {
        let right = constant(right).map(Constant::value);
        match op {
            Operator::Div if self.names.needs_whole(node) => false,
            Operator::Div | Operator::Mod | Operator::FloorDiv => right != Some(0.0),
            Operator::Pow => right.is_some_and(|r| (0.0..=4.0).contains(&r)),
            _ => true,
        }
    }

    fn joins_lists_or_text(&self, node: &Node<'a>) -> bool {
        let of = self.type_of(node);
        node.augmented.is_none() && !of.is_number()
    }

    /// Brackets around an operand that would bind less tightly than `min`.
    fn bracket(&self, expr: &Expr, min: OperatorPrecedence, edits: &mut Vec<Edit>) {
        let range = expr.start().to_usize()..expr.end().to_usize();
        if precedence(expr) < min && !self.outline().parenthesised(range.start, range.end) {
            bracket(range, edits);
        }
    }
}

fn is_bitwise(op: Operator) -> bool {
    use Operator::{BitAnd, BitOr, BitXor, LShift, RShift};
    matches!(op, BitAnd | BitOr | BitXor | LShift | RShift)
}

/// Brackets around a range of the source.
fn bracket(range: Range<usize>, edits: &mut Vec<Edit>) {
    edits.push(Edit::new(range.start..range.start, "("));
    edits.push(Edit::new(range.end..range.end, ")"));
}

/// Another comparison of the same group: order and equality, membership, identity.
fn comparison(old: CmpOp, rng: &mut dyn Rng) -> Option<CmpOp> {
    use CmpOp::{Eq, Gt, GtE, Lt, LtE, NotEq};
    Some(match old {
        CmpOp::In => CmpOp::NotIn,
        CmpOp::NotIn => CmpOp::In,
        CmpOp::Is => CmpOp::IsNot,
        CmpOp::IsNot => CmpOp::Is,
        _ => {
            let others = [Lt, LtE, Gt, GtE, Eq, NotEq];
            let others: Vec<_> = others.into_iter().filter(|op| *op != old).collect();
            *pick(rng, &others)?
        }
    })
}
