//! How the rough kinds of values are inferred for names and expressions.

use ruff_python_ast::{self as ast, Expr, Number, Operator, UnaryOp};

use super::names::Names;
use super::scope::{Scope, Source};
use super::types::{Base, Type};

/// How many expressions a question may lead to, each by the one before: names lead on to what is assigned to them.
const DEPTH: usize = 4_000;

impl<'a> Names<'_, 'a> {
    /// The kind of what `name` holds, where scope `home` binds it.
    pub(super) fn type_of_name(&self, home: usize, name: &'a str) -> Type<'a> {
        if let Some(known) = self.known.borrow().get(&(home, name)) {
            return *known;
        }
        self.known.borrow_mut().insert((home, name), Type::UNKNOWN); // ends cycles
        let scope = self.scope(home);
        let mut found = Type::UNKNOWN;
        for b in scope.bindings.iter().filter(|b| b.name == name) {
            found = found.join(match b.source {
                Source::Value(e) => self.type_of(e, home),
                Source::Element(e) => self.type_of(e, home).element(),
                Source::Function(_) => Type::of(Base::Function),
                Source::Module => Type::of(Base::Module),
                Source::Parameter(function, index, default) => {
                    self.type_of_parameter(scope, function, index, default)
                }
                Source::Opaque => Type::UNKNOWN,
            });
        }
        if found.base == Base::Unknown && found.depth > 0 {
            for (_, item) in scope.items.iter().filter(|(n, _)| *n == name) {
                found = found.join(self.type_of(item, home).listed());
            }
        }
        if found == Type::UNKNOWN {
            let used = |uses: &[(usize, &'a str)]| {
                uses.iter()
                    .any(|(s, n)| *n == name && self.resolve(*s, n) == Some(home))
            };
            if used(&self.outline.whole) {
                found = Type::of(Base::Int);
            } else if used(&self.outline.numeric) {
                found = Type::of(Base::Float);
            }
        }
        self.known.borrow_mut().insert((home, name), found);
        found
    }

    fn type_of_parameter(
        &self,
        scope: &Scope<'a>,
        function: Option<&str>,
        index: Option<usize>,
        default: Option<&'a Expr>,
    ) -> Type<'a> {
        let outer = scope.parent.unwrap_or(0);
        let mut found = default.map_or(Type::UNKNOWN, |e| self.type_of(e, outer));
        let (Some(function), Some(index)) = (function, index) else {
            return found;
        };
        let calls = self.outline.calls.iter().filter_map(|(call, s)| {
            let named = matches!(&*call.func, Expr::Name(n) if n.id.as_str() == function);
            Some((call.arguments.args.get(index).filter(|_| named)?, *s))
        });
        for (argument, s) in calls.take(4) {
            found = found.join(self.type_of(argument, s));
        }
        found
    }

    /// The kind of an expression's value.
    pub(super) fn type_of(&self, expr: &'a Expr, scope: usize) -> Type<'a> {
        if self.depth.get() == DEPTH {
            return Type::UNKNOWN;
        }
        self.depth.update(|depth| depth + 1);
        let found = self.type_at(expr, scope);
        self.depth.update(|depth| depth - 1);
        found
    }

    fn type_at(&self, expr: &'a Expr, scope: usize) -> Type<'a> {
        match expr {
            Expr::NumberLiteral(n) => Type::of(match n.value {
                Number::Int(_) => Base::Int,
                Number::Float(_) => Base::Float,
                Number::Complex { .. } => Base::Unknown,
            }),
            Expr::BooleanLiteral(_) | Expr::Compare(_) => Type::of(Base::Bool),
            Expr::StringLiteral(_) | Expr::FString(_) => Type::of(Base::Text),
            Expr::Name(name) => match self.resolve(scope, &name.id) {
                Some(home) => self.type_of_name(home, &name.id),
                None => Type::UNKNOWN,
            },
            Expr::BinOp(e) => self.type_of_binary(e, scope),
            Expr::UnaryOp(e) if e.op == UnaryOp::Not => Type::of(Base::Bool),
            Expr::UnaryOp(e) => self.type_of(&e.operand, scope),
            Expr::BoolOp(e) => self.type_of(&e.values[0], scope),
            Expr::If(e) => self
                .type_of(&e.body, scope)
                .join(self.type_of(&e.orelse, scope)),
            Expr::Named(e) => self.type_of(&e.value, scope),
            Expr::Lambda(_) => Type::of(Base::Function),
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => {
                let parts = elts.iter().take(4).map(|e| self.type_of(e, scope));
                parts.fold(Type::UNKNOWN, Type::join).listed()
            }
            Expr::Dict(e) => {
                let values = e.items.iter().take(4);
                let parts = values.map(|item| self.type_of(&item.value, scope));
                parts.fold(Type::UNKNOWN, Type::join).listed()
            }
            Expr::ListComp(e) => self.type_of(&e.elt, scope).listed(),
            Expr::Subscript(e) if matches!(*e.slice, Expr::Slice(_)) => {
                self.type_of(&e.value, scope)
            }
            Expr::Subscript(e) => self.type_of(&e.value, scope).element(),
            Expr::Call(call) => self.type_of_call(call, scope),
            _ => Type::UNKNOWN,
        }
    }

    fn type_of_binary(&self, e: &'a ast::ExprBinOp, scope: usize) -> Type<'a> {
        let left = self.type_of(&e.left, scope);
        let right = self.type_of(&e.right, scope);
        if left.depth > 0 || right.depth > 0 {
            return if left.depth > 0 { left } else { right }; // lists joined or repeated
        }
        let text = Type::of(Base::Text);
        if left == text || right == text {
            return text;
        }
        let bit = matches!(
            e.op,
            Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::LShift
                | Operator::RShift
        );
        match (left.base, right.base) {
            _ if bit => Type::of(Base::Int),
            (Base::Int | Base::Bool, Base::Int | Base::Bool) if e.op != Operator::Div => {
                Type::of(Base::Int)
            }
            (Base::Result(_), _) => left,
            _ => Type::of(Base::Float),
        }
    }

    fn type_of_call(&self, call: &'a ast::ExprCall, scope: usize) -> Type<'a> {
        let first = || {
            call.arguments
                .args
                .first()
                .map_or(Type::UNKNOWN, |e| self.type_of(e, scope))
        };
        match &*call.func {
            Expr::Name(name) => match self.resolve(scope, &name.id) {
                Some(home) => {
                    let inner = self
                        .scope(home)
                        .bindings
                        .iter()
                        .find_map(|b| match b.source {
                            Source::Function(inner) if b.name == name.id.as_str() => Some(inner),
                            _ => None,
                        });
                    inner.map_or(Type::of(Base::Result(&name.id)), |f| self.type_of_result(f))
                }
                None => match name.id.as_str() {
                    "int" | "len" | "round" | "ord" => Type::of(Base::Int),
                    "float" => Type::of(Base::Float),
                    "abs" => first(),
                    "min" | "max" => call
                        .arguments
                        .args
                        .iter()
                        .map(|e| self.type_of(e, scope))
                        .reduce(Type::join)
                        .unwrap_or(Type::UNKNOWN),
                    "sum" => first().element(),
                    "bool" | "any" | "all" | "isinstance" => Type::of(Base::Bool),
                    "str" | "repr" => Type::of(Base::Text),
                    "range" => Type::of(Base::Int).listed(),
                    "list" | "sorted" | "tuple" | "set" | "reversed" | "dict" => match first() {
                        Type { depth: 0, .. } => Type::UNKNOWN.listed(),
                        inner => inner,
                    },
                    other => Type::of(Base::Result(other)),
                },
            },
            Expr::Attribute(a) => {
                let module = self.type_of(&a.value, scope).base == Base::Module;
                match a.attr.as_str() {
                    "floor" | "ceil" if module => Type::of(Base::Int),
                    _ if module => Type::of(Base::Float),
                    "append" | "extend" | "insert" | "pop" => Type::UNKNOWN,
                    other => Type::of(Base::Result(other)),
                }
            }
            _ => Type::UNKNOWN,
        }
    }

    /// The kind of what a function returns, by the scope of its body.
    fn type_of_result(&self, function: usize) -> Type<'a> {
        let key = (function, "return"); // no name: a keyword
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        self.known.borrow_mut().insert(key, Type::UNKNOWN);
        let returns = self.scope(function).returns.iter();
        let found = returns
            .map(|e| self.type_of(e, function))
            .fold(Type::UNKNOWN, Type::join);
        self.known.borrow_mut().insert(key, found);
        found
    }
}
