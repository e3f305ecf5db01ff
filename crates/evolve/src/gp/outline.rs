//! One walk over the syntax tree: the expression nodes, statements, blocks and scopes of a program.
//!
//! Left out, and so never mutated: decorators, annotations, class arguments, `del` targets,
//! patterns, names being assigned, and what stands inside f-strings.

use ruff_python_ast::{self as ast, Expr, ExprContext, Operator, OperatorPrecedence, Stmt};
use ruff_text_size::Ranged;

use super::scope::{Binding, Scope, ScopeKind, Source};

/// An expression node with what its place asks of a replacement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub(super) expr: &'a Expr,
    /// The augmented assignment whose target this is; then only its operator may change.
    pub(super) augmented: Option<&'a ast::StmtAugAssign>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Nodes below this one are those from the next index up to here.
    pub(super) subtree: usize,
    pub(super) scope: usize,
    pub(super) slot: Slot<'a>,
}

/// The place of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    /// What binds less tightly needs parentheses here.
    pub(super) min: OperatorPrecedence,
    pub(super) sink: Sink<'a>,
    /// The right operand of a division.
    pub(super) divisor: bool,
    /// The base of an attribute, subscript or call.
    pub(super) primary: bool,
    /// The function of a call.
    pub(super) callee: Option<&'a ast::ExprCall>,
}

/// Where the value of a node goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sink<'a> {
    Free,
    /// An index or the argument of `range`: a whole number is needed.
    Whole,
    /// Assigned to a name of the node's scope.
    Name(&'a str),
    /// Positional argument of a named function.
    Argument(&'a str, usize),
}

impl<'a> Slot<'a> {
    const fn new(min: OperatorPrecedence) -> Self {
        Self {
            min,
            sink: Sink::Free,
            divisor: false,
            primary: false,
            callee: None,
        }
    }

    const fn into(min: OperatorPrecedence, sink: Sink<'a>) -> Self {
        Self {
            sink,
            ..Self::new(min)
        }
    }

    /// The base of an attribute, subscript or call.
    const fn base() -> Self {
        Self {
            primary: true,
            ..Self::new(OperatorPrecedence::CallAttribute)
        }
    }
}

/// Anything that needs no parentheses of its own: the lowest precedence that may stand in an
/// argument, an element or the right side of an assignment.
pub(super) const OPEN: OperatorPrecedence = OperatorPrecedence::Lambda;

/// A statement and its place.
#[derive(Clone, Debug)]
pub(super) struct Statement<'a> {
    pub(super) stmt: &'a Stmt,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) block: usize,
    /// Position in the block.
    pub(super) index: usize,
    pub(super) scope: usize,
    /// Whether it stands in a loop of its own function.
    pub(super) in_loop: bool,
    /// The nodes inside, by index.
    pub(super) nodes: std::ops::Range<usize>,
}

impl Statement<'_> {
    /// Imports, declarations and docstrings stay where they are and as they are.
    pub(super) fn fixed(&self) -> bool {
        match self.stmt {
            Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Global(_) | Stmt::Nonlocal(_) => true,
            Stmt::Delete(_) | Stmt::TypeAlias(_) | Stmt::IpyEscapeCommand(_) => true,
            Stmt::Expr(e) => matches!(*e.value, Expr::StringLiteral(_)),
            _ => false,
        }
    }

    /// Nothing after it in its block is reached.
    pub(super) fn jumps(&self) -> bool {
        matches!(
            self.stmt,
            Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_)
        )
    }

    /// It defines a function or class.
    pub(super) fn defines(&self) -> bool {
        matches!(self.stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_))
    }

    /// It fits on one line with others.
    pub(super) fn simple(&self) -> bool {
        !self.defines()
            && !matches!(
                self.stmt,
                Stmt::If(_)
                    | Stmt::For(_)
                    | Stmt::While(_)
                    | Stmt::With(_)
                    | Stmt::Try(_)
                    | Stmt::Match(_)
            )
    }
}

/// The outline of one program.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    pub(super) source: &'a str,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) statements: Vec<Statement<'a>>,
    /// Blocks of statements, by their indices.
    pub(super) blocks: Vec<Vec<usize>>,
    pub(super) scopes: Vec<Scope<'a>>,
    pub(super) calls: Vec<(&'a ast::ExprCall, usize)>,
    /// Names seen as operands of arithmetic, with the scope of the use.
    pub(super) numeric: Vec<(usize, &'a str)>,
    /// Names seen where a whole number is needed, with the scope of the use.
    pub(super) whole: Vec<(usize, &'a str)>,
    /// Names passed on as positional arguments: scope, name, function, position.
    pub(super) passed: Vec<(usize, &'a str, &'a str, usize)>,
    in_loop: bool,
}

impl<'a> Outline<'a> {
    pub(super) fn new(source: &'a str, body: &'a [Stmt]) -> Self {
        let mut outline = Self {
            source,
            ..Self::default()
        };
        outline
            .scopes
            .push(Scope::new(ScopeKind::Module, None, 0, source.len()));
        outline.block(body, 0);
        outline
    }

    fn block(&mut self, body: &'a [Stmt], scope: usize) {
        if body.is_empty() {
            return;
        }
        let block = self.blocks.len();
        self.blocks.push(Vec::with_capacity(body.len()));
        for (index, stmt) in body.iter().enumerate() {
            let at = self.statements.len();
            self.blocks[block].push(at);
            let nodes = self.nodes.len();
            self.statements.push(Statement {
                stmt,
                start: stmt.start().to_usize(),
                end: stmt.end().to_usize(),
                block,
                index,
                scope,
                in_loop: self.in_loop,
                nodes: nodes..nodes,
            });
            self.statement(stmt, scope);
            self.statements[at].nodes.end = self.nodes.len();
        }
    }

    fn looped(&mut self, body: &'a [Stmt], scope: usize) {
        let outer = std::mem::replace(&mut self.in_loop, true);
        self.block(body, scope);
        self.in_loop = outer;
    }

    fn statement(&mut self, stmt: &'a Stmt, scope: usize) {
        let open = Slot::new(OPEN);
        let end = stmt.end().to_usize();
        match stmt {
            Stmt::FunctionDef(def) => self.function(def, scope),
            Stmt::ClassDef(class) => {
                self.bind(scope, &class.name, stmt.start().to_usize(), Source::Opaque);
                let inner = self.enter(ScopeKind::Class, scope, stmt);
                let outer = std::mem::replace(&mut self.in_loop, false);
                self.block(&class.body, inner);
                self.in_loop = outer;
            }
            Stmt::Return(s) => {
                if let Some(value) = s.value.as_deref() {
                    self.scopes[scope].returns.push(value);
                    self.expr(value, open, scope);
                }
            }
            Stmt::Assign(s) => {
                for target in &s.targets {
                    self.target(target, Source::Value(&s.value), scope, end);
                }
                let sink = match &s.targets[0] {
                    Expr::Name(name) => Sink::Name(&name.id),
                    _ => Sink::Free,
                };
                self.expr(&s.value, Slot::into(OPEN, sink), scope);
            }
            Stmt::AugAssign(s) => {
                if let Expr::Name(name) = &*s.target {
                    self.bind(scope, &name.id, end, Source::Value(&s.value));
                }
                self.push(&s.target, Slot::new(OPEN), scope).augmented = Some(s);
                self.target(&s.target, Source::Opaque, scope, end);
                self.expr(&s.value, open, scope);
            }
            Stmt::AnnAssign(s) => {
                if let Some(value) = s.value.as_deref() {
                    self.target(&s.target, Source::Value(value), scope, end);
                    self.expr(value, open, scope);
                }
            }
            Stmt::For(s) => {
                let bound = s.iter.end().to_usize();
                self.target(&s.target, Source::Element(&s.iter), scope, bound);
                self.expr(&s.iter, open, scope);
                self.looped(&s.body, scope);
                self.block(&s.orelse, scope);
            }
            Stmt::While(s) => {
                self.expr(&s.test, open, scope);
                self.looped(&s.body, scope);
                self.block(&s.orelse, scope);
            }
            Stmt::If(s) => {
                self.expr(&s.test, open, scope);
                self.block(&s.body, scope);
                for clause in &s.elif_else_clauses {
                    self.maybe(clause.test.as_ref(), open, scope);
                    self.block(&clause.body, scope);
                }
            }
            Stmt::With(s) => {
                for item in &s.items {
                    self.expr(&item.context_expr, open, scope);
                    if let Some(vars) = item.optional_vars.as_deref() {
                        self.target(vars, Source::Opaque, scope, vars.end().to_usize());
                    }
                }
                self.block(&s.body, scope);
            }
            Stmt::Match(s) => {
                self.expr(&s.subject, open, scope);
                for case in &s.cases {
                    self.pattern(&case.pattern, scope);
                    self.maybe(case.guard.as_deref(), open, scope);
                    self.block(&case.body, scope);
                }
            }
            Stmt::Raise(s) => {
                self.maybe(s.exc.as_deref(), open, scope);
                self.maybe(s.cause.as_deref(), open, scope);
            }
            Stmt::Try(s) => {
                self.block(&s.body, scope);
                for ast::ExceptHandler::ExceptHandler(handler) in &s.handlers {
                    if let Some(name) = &handler.name {
                        self.bind(scope, name, name.end().to_usize(), Source::Opaque);
                    }
                    self.block(&handler.body, scope);
                }
                self.block(&s.orelse, scope);
                self.block(&s.finalbody, scope);
            }
            Stmt::Assert(s) => {
                self.expr(&s.test, open, scope);
                self.maybe(s.msg.as_deref(), open, scope);
            }
            Stmt::Import(s) => {
                for alias in &s.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    let root = name.split('.').next().unwrap_or(name);
                    self.bind(scope, root, end, Source::Module);
                }
            }
            Stmt::ImportFrom(s) => {
                for alias in &s.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.bind(scope, name, end, Source::Opaque);
                }
            }
            Stmt::Global(s) => self.outer(scope, &s.names),
            Stmt::Nonlocal(s) => self.outer(scope, &s.names),
            Stmt::Expr(s) => {
                if let Expr::Call(call) = &*s.value
                    && let Expr::Attribute(method) = &*call.func
                    && let Expr::Name(list) = &*method.value
                    && matches!(method.attr.as_str(), "append" | "add")
                    && let [item] = &*call.arguments.args
                {
                    self.refine(scope, &list.id, item);
                }
                self.expr(&s.value, open, scope);
            }
            Stmt::Delete(_)
            | Stmt::TypeAlias(_)
            | Stmt::Pass(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    fn function(&mut self, def: &'a ast::StmtFunctionDef, scope: usize) {
        let inner = self.enter(ScopeKind::Function, scope, def);
        let at = def.name.start().to_usize();
        self.bind(scope, &def.name, at, Source::Function(inner));
        self.scopes[inner].def = Some(def);
        self.parameters(&def.parameters, Some(&def.name), scope, inner);
        let outer = std::mem::replace(&mut self.in_loop, false);
        self.block(&def.body, inner);
        self.in_loop = outer;
    }

    fn parameters(
        &mut self,
        parameters: &'a ast::Parameters,
        function: Option<&'a str>,
        scope: usize,
        inner: usize,
    ) {
        let at = parameters.start().to_usize();
        let positional = parameters.posonlyargs.len() + parameters.args.len();
        for (index, parameter) in parameters.iter_non_variadic_params().enumerate() {
            let default = parameter.default.as_deref();
            let index = (index < positional).then_some(index);
            let source = Source::Parameter(function, index, default);
            self.bind(inner, &parameter.parameter.name, at, source);
            self.maybe(default, Slot::new(OPEN), scope);
        }
        for variadic in [&parameters.vararg, &parameters.kwarg]
            .into_iter()
            .flatten()
        {
            self.bind(inner, &variadic.name, at, Source::Opaque);
        }
    }

    fn enter(&mut self, kind: ScopeKind, parent: usize, node: &impl Ranged) -> usize {
        let (start, end) = (node.start().to_usize(), node.end().to_usize());
        self.scopes.push(Scope::new(kind, Some(parent), start, end));
        self.scopes.len() - 1
    }

    fn bind(&mut self, scope: usize, name: &'a str, at: usize, source: Source<'a>) {
        let scope = &mut self.scopes[scope];
        if !scope.outer.contains(&name) {
            scope.bindings.push(Binding { name, at, source });
        }
    }

    /// `name[..] = item` and `name.append(item)` tell what a list or dictionary holds.
    fn refine(&mut self, scope: usize, name: &'a str, item: &'a Expr) {
        self.scopes[scope].items.push((name, item));
    }

    fn outer(&mut self, scope: usize, names: &'a [ast::Identifier]) {
        let outer = &mut self.scopes[scope].outer;
        outer.extend(names.iter().map(ast::Identifier::as_str));
    }

    /// Binds the names of an assignment target, visits the indices in it.
    fn target(&mut self, target: &'a Expr, source: Source<'a>, scope: usize, at: usize) {
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

    fn pattern(&mut self, pattern: &'a ast::Pattern, scope: usize) {
        use ast::Pattern;
        let mut name = |name: &'a Option<ast::Identifier>| {
            if let Some(name) = name {
                self.bind(scope, name, pattern.end().to_usize(), Source::Opaque);
            }
        };
        match pattern {
            Pattern::MatchStar(p) => name(&p.name),
            Pattern::MatchAs(p) => {
                name(&p.name);
                if let Some(inner) = p.pattern.as_deref() {
                    self.pattern(inner, scope);
                }
            }
            Pattern::MatchMapping(p) => {
                name(&p.rest);
                p.patterns.iter().for_each(|p| self.pattern(p, scope));
            }
            Pattern::MatchSequence(p) => p.patterns.iter().for_each(|p| self.pattern(p, scope)),
            Pattern::MatchOr(p) => p.patterns.iter().for_each(|p| self.pattern(p, scope)),
            Pattern::MatchClass(p) => {
                let keywords = p.arguments.keywords.iter().map(|k| &k.pattern);
                let all = p.arguments.patterns.iter().chain(keywords);
                all.for_each(|p| self.pattern(p, scope));
            }
            Pattern::MatchValue(_) | Pattern::MatchSingleton(_) => {}
        }
    }

    fn push(&mut self, expr: &'a Expr, slot: Slot<'a>, scope: usize) -> &mut Node<'a> {
        let (start, end) = (expr.start().to_usize(), expr.end().to_usize());
        let mut slot = slot;
        if self.parenthesised(start, end) {
            slot.min = OPEN;
        }
        let at = self.nodes.len();
        self.nodes.push(Node {
            expr,
            augmented: None,
            start,
            end,
            subtree: at + 1,
            scope,
            slot,
        });
        &mut self.nodes[at]
    }

    /// Whether brackets stand right around the bytes from `start` to `end`.
    pub(super) fn parenthesised(&self, start: usize, end: usize) -> bool {
        self.source[..start].trim_end().ends_with('(')
            && self.source[end..].trim_start().starts_with(')')
    }

    fn maybe(&mut self, expr: Option<&'a Expr>, slot: Slot<'a>, scope: usize) {
        if let Some(expr) = expr {
            self.expr(expr, slot, scope);
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

    fn expr(&mut self, expr: &'a Expr, slot: Slot<'a>, scope: usize) {
        let at = self.nodes.len();
        self.push(expr, slot, scope);
        self.children(expr, slot, scope);
        self.nodes[at].subtree = self.nodes.len();
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
}

/// The least precedences that may stand left and right of a binary operator.
pub(super) fn operand_precedence(op: Operator) -> (OperatorPrecedence, OperatorPrecedence) {
    use OperatorPrecedence as P;
    let own = P::from(op);
    match own {
        P::Exponent => (P::Await, P::PosNegBitNot),
        P::BitOr => (own, P::BitXor),
        P::BitXor => (own, P::BitAnd),
        P::BitAnd => (own, P::LeftRightShift),
        P::LeftRightShift => (own, P::AddSub),
        P::AddSub => (own, P::MulDivRemain),
        _ => (own, P::PosNegBitNot),
    }
}

/// The name of the function or method that is called.
pub(super) fn called(call: &ast::ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(a) => Some(a.attr.as_str()),
        _ => None,
    }
}

/// `-` and a number literal.
pub(super) fn is_signed_literal(e: &ast::ExprUnaryOp) -> bool {
    e.op == ast::UnaryOp::USub && matches!(*e.operand, Expr::NumberLiteral(_))
}

/// The precedence of an expression's text as it stands, without brackets around it.
pub(super) fn precedence(expr: &Expr) -> OperatorPrecedence {
    match expr {
        Expr::Tuple(t) if !t.parenthesized => OperatorPrecedence::None,
        Expr::Generator(g) if !g.parenthesized => OperatorPrecedence::None,
        _ => OperatorPrecedence::from_expr(expr),
    }
}
