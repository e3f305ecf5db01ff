//! The walk of the [`Outline`] through expressions and assignment targets.

use ruff_python_ast::{self as ast, Expr, ExprContext, Operator, OperatorPrecedence};
use ruff_text_size::Ranged;

use super::outline::{OPEN, Outline, Sink, Slot, called, is_signed_literal, operand_precedence};
use super::scope::{ScopeKind, Source};

impl<'a> Outline<'a> {
    pub(super) fn expr(&mut self, expr: &'a Expr, slot: Slot<'a>, scope: usize) {
        let at = self.nodes.len();
        self.push(expr, slot, scope);
        self.children(expr, slot, scope);
        self.nodes[at].subtree = self.nodes.len();
    }

    pub(super) fn maybe(&mut self, expr: Option<&'a Expr>, slot: Slot<'a>, scope: usize) {
        if let Some(expr) = expr {
            self.expr(expr, slot, scope);
        }
    }

    fn children(&mut self, expr: &'a Expr, slot: Slot<'a>, scope: usize) {
        use OperatorPrecedence as P;
        let open = Slot::new(OPEN);
        let own = P::from_expr(expr);
        match expr {
            Expr::BoolOp(e) => {
                let min = if own == P::Or { P::And } else { P::Not };
                for value in &e.values {
                    self.expr(value, Slot::new(min), scope);
                }
            }
            Expr::Named(e) => {
                self.target(
                    &e.target,
                    Source::Value(&e.value),
                    scope,
                    expr.end().to_usize(),
                );
                self.expr(&e.value, open, scope);
            }
            Expr::BinOp(e) => {
                let (left, right) = operand_precedence(e.op);
                let sink = match (slot.sink, e.op) {
                    (Sink::Argument(..), _) | (_, Operator::Div) => Sink::Free,
                    (sink, _) => sink,
                };
                for operand in [&*e.left, &*e.right] {
                    if let Expr::Name(name) = operand
                        && !matches!(e.op, Operator::Add | Operator::MatMult)
                    {
                        self.numeric.push((scope, &name.id));
                    }
                }
                self.expr(&e.left, Slot::into(left, sink), scope);
                let divides = matches!(e.op, Operator::Div | Operator::Mod | Operator::FloorDiv);
                let right = Slot {
                    divisor: divides,
                    ..Slot::into(right, sink)
                };
                self.expr(&e.right, right, scope);
            }
            Expr::UnaryOp(e) => {
                // A sign belongs to its literal: `-5` is one node.
                if !is_signed_literal(e) {
                    self.expr(&e.operand, Slot::into(own, slot.sink), scope);
                }
            }
            Expr::Lambda(e) => {
                let inner = self.enter(ScopeKind::Function, scope, expr);
                if let Some(parameters) = e.parameters.as_deref() {
                    self.parameters(parameters, None, scope, inner);
                }
                self.expr(&e.body, open, inner);
            }
            Expr::If(e) => {
                self.expr(&e.body, Slot::into(P::Or, slot.sink), scope);
                self.expr(&e.test, Slot::new(P::Or), scope);
                self.expr(&e.orelse, Slot::into(P::IfElse, slot.sink), scope);
            }
            Expr::Dict(e) => {
                for item in &e.items {
                    self.maybe(item.key.as_ref(), open, scope);
                    let min = if item.key.is_some() { OPEN } else { P::BitOr };
                    self.expr(&item.value, Slot::new(min), scope);
                }
            }
            Expr::Set(e) => e.elts.iter().for_each(|e| self.expr(e, open, scope)),
            Expr::List(e) => e.elts.iter().for_each(|e| self.expr(e, open, scope)),
            Expr::Tuple(e) => e.elts.iter().for_each(|e| self.expr(e, open, scope)),
            Expr::ListComp(e) => self.comprehension(expr, &[&e.elt], &e.generators, scope),
            Expr::SetComp(e) => self.comprehension(expr, &[&e.elt], &e.generators, scope),
            Expr::Generator(e) => self.comprehension(expr, &[&e.elt], &e.generators, scope),
            Expr::DictComp(e) => match e.key.as_deref() {
                Some(key) => self.comprehension(expr, &[key, &e.value], &e.generators, scope),
                None => self.comprehension(expr, &[], &e.generators, scope),
            },
            Expr::Await(e) => self.expr(&e.value, Slot::base(), scope),
            Expr::Yield(e) => self.maybe(e.value.as_deref(), open, scope),
            Expr::YieldFrom(e) => self.expr(&e.value, open, scope),
            Expr::Compare(e) => {
                self.expr(&e.left, Slot::new(P::BitOr), scope);
                for operand in &e.comparators {
                    self.expr(operand, Slot::new(P::BitOr), scope);
                }
            }
            Expr::Call(e) => self.call(e, scope),
            Expr::Attribute(e) => self.expr(&e.value, Slot::base(), scope),
            Expr::Subscript(e) => {
                self.expr(&e.value, Slot::base(), scope);
                self.index(&e.slice, scope);
            }
            Expr::Starred(e) => self.expr(&e.value, Slot::new(P::BitOr), scope),
            Expr::Slice(e) => {
                for part in [&e.lower, &e.upper, &e.step] {
                    self.maybe(part.as_deref(), Slot::into(OPEN, Sink::Whole), scope);
                }
            }
            Expr::Name(name) => match slot.sink {
                Sink::Whole => self.whole.push((scope, &name.id)),
                Sink::Argument(f, i) => self.passed.push((scope, &name.id, f, i)),
                _ => {}
            },
            Expr::FString(_)
            | Expr::TString(_)
            | Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_)
            | Expr::IpyEscapeCommand(_) => {}
        }
    }

    fn call(&mut self, call: &'a ast::ExprCall, scope: usize) {
        self.calls.push((call, scope));
        let base = Slot {
            callee: Some(call),
            ..Slot::base()
        };
        self.expr(&call.func, base, scope);
        let function = called(call);
        for (i, argument) in call.arguments.args.iter().enumerate() {
            let sink = match function {
                Some("range") => Sink::Whole,
                Some(name) => Sink::Argument(name, i),
                None => Sink::Free,
            };
            self.expr(argument, Slot::into(OPEN, sink), scope);
        }
        for keyword in &call.arguments.keywords {
            let min = if keyword.arg.is_some() {
                OPEN
            } else {
                OperatorPrecedence::BitOr
            };
            self.expr(&keyword.value, Slot::new(min), scope);
        }
    }

    fn comprehension(
        &mut self,
        expr: &'a Expr,
        elements: &[&'a Expr],
        generators: &'a [ast::Comprehension],
        scope: usize,
    ) {
        let inner = self.enter(ScopeKind::Comprehension, scope, expr);
        let at = expr.start().to_usize();
        for generator in generators {
            self.target(
                &generator.target,
                Source::Element(&generator.iter),
                inner,
                at,
            );
        }
        for element in elements {
            self.expr(element, Slot::new(OPEN), inner);
        }
        let or = Slot::new(OperatorPrecedence::Or);
        for (i, generator) in generators.iter().enumerate() {
            self.expr(&generator.iter, or, if i == 0 { scope } else { inner });
            for test in &generator.ifs {
                self.expr(test, or, inner);
            }
        }
    }

    /// A subscript's index: a whole number unless it is a tuple, which keys a dictionary.
    fn index(&mut self, slice: &'a Expr, scope: usize) {
        let sink = match slice {
            Expr::Tuple(_) => Sink::Free,
            _ => Sink::Whole,
        };
        self.expr(slice, Slot::into(OPEN, sink), scope);
    }

    /// Binds the names of an assignment target, visits the indices in it.
    pub(super) fn target(&mut self, target: &'a Expr, source: Source<'a>, scope: usize, at: usize) {
        match target {
            Expr::Name(name) if name.ctx == ExprContext::Store => {
                self.bind(scope, &name.id, at, source);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let part = match source {
                    Source::Value(e) => Source::Element(e),
                    _ => Source::Opaque,
                };
                for elt in elts {
                    self.target(elt, part, scope, at);
                }
            }
            Expr::Starred(s) => self.target(&s.value, Source::Opaque, scope, at),
            Expr::Subscript(s) => {
                if let (Expr::Name(name), Source::Value(value)) = (&*s.value, source) {
                    self.refine(scope, &name.id, value);
                }
                self.expr(&s.value, Slot::base(), scope);
                self.index(&s.slice, scope);
            }
            Expr::Attribute(a) => self.expr(&a.value, Slot::base(), scope),
            _ => {}
        }
    }
}
