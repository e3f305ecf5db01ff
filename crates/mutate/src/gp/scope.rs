//! Scopes and the names that they bind, as data.

use ruff_python_ast::{self as ast, Expr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeKind {
    Module,
    Function,
    Class,
    Comprehension,
}

/// A scope and the names it binds.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) kind: ScopeKind,
    pub(super) parent: Option<usize>,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) bindings: Vec<Binding<'a>>,
    /// What `name[..] = item` and `name.append(item)` put into a container.
    pub(super) items: Vec<(&'a str, &'a Expr)>,
    /// Names declared global or nonlocal.
    pub(super) outer: Vec<&'a str>,
    pub(super) returns: Vec<&'a Expr>,
    pub(super) def: Option<&'a ast::StmtFunctionDef>,
}

impl Scope<'_> {
    pub(super) fn new(kind: ScopeKind, parent: Option<usize>, start: usize, end: usize) -> Self {
        Self {
            kind,
            parent,
            start,
            end,
            bindings: Vec::new(),
            items: Vec::new(),
            outer: Vec::new(),
            returns: Vec::new(),
            def: None,
        }
    }
}

/// A name bound at a byte of the source; visible in its own scope from there on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<'a> {
    pub(super) name: &'a str,
    pub(super) at: usize,
    pub(super) source: Source<'a>,
}

/// What a name is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Value(&'a Expr),
    /// One of the elements of the expression.
    Element(&'a Expr),
    /// Function's name, position among its positional parameters, default.
    Parameter(Option<&'a str>, Option<usize>, Option<&'a Expr>),
    /// A function with its scope.
    Function(usize),
    Module,
    Opaque,
}
