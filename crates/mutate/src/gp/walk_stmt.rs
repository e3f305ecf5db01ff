//! The walk of the [`Outline`] through statements, blocks, parameters and patterns.

use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::outline::{OPEN, Outline, Sink, Slot, Statement};
use super::scope::{ScopeKind, Source};

impl<'a> Outline<'a> {
    pub(super) fn block(&mut self, body: &'a [Stmt], scope: usize) {
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

    pub(super) fn parameters(
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
}
