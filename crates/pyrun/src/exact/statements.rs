//! Statements: what may stand in a program of the first tier.

use ruff_python_ast::{
    ExceptHandler, Expr, Parameters, Stmt, StmtClassDef, StmtFunctionDef, StmtTry,
};
use ruff_text_size::{Ranged, TextSize};

use super::shape::{is_simple, kind};
use super::{At, Checked, MAX_NESTED, Walk};
use crate::Failure;

impl<'a> Walk<'a> {
    pub(super) fn block(&mut self, body: &'a [Stmt], at: At) -> Checked {
        body.iter().try_for_each(|s| self.statement(s, at))
    }

    pub(super) fn nested(&mut self, body: &'a [Stmt], at: At) -> Checked {
        let nested = at.nested + 1;
        if nested > MAX_NESTED {
            return Err(Failure::unsupported("blocks this deep"));
        }
        self.block(body, At { nested, ..at })
    }

    pub(super) fn statement(&mut self, stmt: &'a Stmt, at: At) -> Checked {
        if at.class && !matches!(stmt, Stmt::FunctionDef(_) | Stmt::Assign(_) | Stmt::Pass(_)) {
            let text = matches!(stmt, Stmt::Expr(s) if s.value.is_string_literal_expr());
            return if text {
                Ok(())
            } else {
                Err(Failure::unsupported("a statement in a class"))
            };
        }
        match stmt {
            Stmt::Pass(_) | Stmt::Break(_) | Stmt::Continue(_) => Ok(()),
            Stmt::Global(_) | Stmt::Nonlocal(_) => Ok(()),
            // the imports' names are looked at when they are used
            Stmt::Import(_) | Stmt::ImportFrom(_) => Ok(()),
            Stmt::Expr(s) => match &*s.value {
                Expr::StringLiteral(_) | Expr::EllipsisLiteral(_) => Ok(()),
                value => self.expr(value, at),
            },
            Stmt::Return(s) => s.value.iter().try_for_each(|e| self.expr(e, at)),
            Stmt::Assign(s) => {
                if at.class && !is_simple(&s.value) {
                    return Err(Failure::unsupported("a computed value in a class"));
                }
                self.expr(&s.value, at)?;
                s.targets.iter().try_for_each(|t| self.target(t, at))
            }
            Stmt::AnnAssign(s) => {
                if !(at.function && s.target.is_name_expr()) {
                    self.annotation(&s.annotation)?;
                }
                s.value.iter().try_for_each(|e| self.expr(e, at))?;
                self.target(&s.target, at)
            }
            Stmt::AugAssign(s) => self.aug_assign(s, at),
            Stmt::For(s) if !s.is_async => {
                self.expr(&s.iter, at)?;
                self.target(&s.target, at)?;
                self.nested(&s.body, at)?;
                self.block(&s.orelse, at)
            }
            Stmt::While(s) => {
                self.expr(&s.test, at)?;
                self.nested(&s.body, at)?;
                self.block(&s.orelse, at)
            }
            Stmt::If(s) => {
                let at = at.inner()?;
                self.expr(&s.test, at)?;
                self.block(&s.body, at)?;
                s.elif_else_clauses.iter().try_for_each(|c| {
                    c.test.iter().try_for_each(|e| self.expr(e, at))?;
                    self.block(&c.body, at)
                })
            }
            Stmt::Try(s) => self.handlers(s, at),
            Stmt::Assert(s) => {
                self.expr(&s.test, at)?;
                s.msg.iter().try_for_each(|e| self.expr(e, at))
            }
            Stmt::Raise(s) if s.cause.is_none() => s.exc.iter().try_for_each(|e| self.expr(e, at)),
            Stmt::FunctionDef(s) => self.function(s, at),
            Stmt::ClassDef(s) => self.class(s, at),
            _ => Err(Failure::unsupported(format!(
                "a statement of the kind {}",
                kind(stmt)
            ))),
        }
    }

    fn function(&mut self, f: &'a StmtFunctionDef, at: At) -> Checked {
        if f.is_async || !f.decorator_list.is_empty() || f.type_params.is_some() {
            return Err(Failure::unsupported("a function of this kind"));
        }
        let at = at.inner()?;
        let outside = At {
            assigns: at.assigns && !at.class,
            ..at
        };
        self.parameters(&f.parameters, outside)?;
        f.returns.iter().try_for_each(|a| self.annotation(a))?;
        let inside = At {
            nested: 0,
            assigns: true,
            class: false,
            function: true,
            ..at
        };
        self.block(&f.body, inside)
    }

    pub(super) fn parameters(&mut self, parameters: &'a Parameters, at: At) -> Checked {
        for parameter in parameters.iter() {
            parameter
                .annotation()
                .map_or(Ok(()), |a| self.annotation(a))?;
            parameter.default().map_or(Ok(()), |d| self.expr(d, at))?;
        }
        Ok(())
    }

    fn class(&mut self, c: &'a StmtClassDef, at: At) -> Checked {
        let bases = c.arguments.as_ref().is_some_and(|a| !a.is_empty());
        if bases || !c.decorator_list.is_empty() || c.type_params.is_some() {
            return Err(Failure::unsupported("a class of this kind"));
        }
        for stmt in &c.body {
            if let Stmt::FunctionDef(f) = stmt
                && f.name.starts_with("__")
                && f.name.as_str() != "__init__"
            {
                return Err(Failure::unsupported(format!(
                    "the special method {}",
                    f.name
                )));
            }
        }
        let at = At {
            class: true,
            assigns: false,
            ..at.inner()?
        };
        self.block(&c.body, at)
    }

    /// What an exception means inside `try` is for CPython to say, so entering a handler hands the program over.
    fn handlers(&mut self, s: &'a StmtTry, at: At) -> Checked {
        if s.is_star || !s.finalbody.is_empty() {
            return Err(Failure::unsupported("a try of this kind"));
        }
        self.nested(&s.body, at)?;
        for handler in &s.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            match &handler.type_ {
                Some(kinds) => {
                    self.needs("_pyrun_caught");
                    self.insert(kinds.start(), "_pyrun_caught(");
                    self.expr(kinds, at.inner()?.without_assigning())?;
                    self.insert(kinds.end(), ")");
                }
                None => self.insert(handler.start() + TextSize::of("except"), " _pyrun_gap()"),
            }
            self.nested(&handler.body, at)?;
        }
        self.block(&s.orelse, at)
    }
}
