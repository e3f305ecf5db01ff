//! Names: which scope binds them, where they are visible, what their places ask of them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use ruff_python_ast::Expr;

use super::outline::{Node, Outline, Sink};
use super::scope::{Binding, Scope, ScopeKind, Source};
use super::signature::Signature;
use super::types::Type;

/// Answers questions on the names of an outline; remembers the kinds it has found.
pub(super) struct Names<'o, 'a> {
    pub(super) outline: &'o Outline<'a>,
    host: &'o HashMap<String, Signature>,
    pub(super) known: RefCell<HashMap<(usize, &'a str), Type<'a>>>,
    /// Of expressions, how many are being asked about within each other.
    pub(super) depth: Cell<usize>,
    whole: RefCell<Option<Vec<(usize, &'a str)>>>,
}

impl<'o, 'a> Names<'o, 'a> {
    pub(super) fn new(outline: &'o Outline<'a>, host: &'o HashMap<String, Signature>) -> Self {
        Self {
            outline,
            host,
            known: RefCell::default(),
            depth: Cell::default(),
            whole: RefCell::default(),
        }
    }

    pub(super) fn scope(&self, id: usize) -> &'o Scope<'a> {
        &self.outline.scopes[id]
    }

    /// The scopes whose names can be seen from `scope`, inside out, each with whether it is the
    /// function being run (where a name must be bound before it is read).
    fn chain(&self, scope: usize) -> impl Iterator<Item = (usize, bool)> + '_ {
        let mut at = Some(scope);
        let mut own = true;
        std::iter::from_fn(move || {
            let id = at?;
            let running = own;
            own &= self.scope(id).kind == ScopeKind::Comprehension;
            at = self.scope(id).parent;
            Some((id, running))
        })
        .filter(|(id, running)| *running || self.scope(*id).kind != ScopeKind::Class)
    }

    /// The scope that binds `name` as seen from `scope`.
    pub(super) fn resolve(&self, scope: usize, name: &str) -> Option<usize> {
        self.chain(scope)
            .map(|(id, _)| id)
            .find(|id| self.scope(*id).bindings.iter().any(|b| b.name == name))
    }

    /// Whether reading `name` at byte `at` of `scope` finds the binding of scope `home`.
    pub(super) fn reaches(&self, scope: usize, at: usize, name: &str, home: usize) -> bool {
        for (id, running) in self.chain(scope) {
            let mut bindings = self.scope(id).bindings.iter().filter(|b| b.name == name);
            if let Some(first) = bindings.next() {
                let bound = !running || first.at <= at || bindings.any(|b| b.at <= at);
                return id == home && bound;
            }
        }
        false
    }

    /// The names that can be read at a place, each once, with the scope that binds it.
    pub(super) fn visible(&self, scope: usize, at: usize) -> Vec<(usize, &'a str)> {
        let mut seen: Vec<&'a str> = Vec::new();
        let mut names = Vec::new();
        for (id, running) in self.chain(scope) {
            let bindings = &self.scope(id).bindings;
            for b in bindings {
                // What is bound here only later hides an outer name all the same.
                let bound = || bindings.iter().any(|o| o.name == b.name && o.at <= at);
                if !seen.contains(&b.name) {
                    seen.push(b.name);
                    if !running || bound() {
                        names.push((id, b.name));
                    }
                }
            }
        }
        names
    }

    /// Whether the names read below node `donor` mean the same at byte `at` of `scope`.
    pub(super) fn portable(
        &self,
        nodes: &[Node<'a>],
        range: (usize, usize),
        scope: usize,
        at: usize,
    ) -> bool {
        nodes.iter().all(|node| {
            let Expr::Name(name) = node.expr else {
                return true;
            };
            match self.resolve(node.scope, &name.id) {
                None => self.resolve(scope, &name.id).is_none(),
                Some(home) => {
                    let inner = self.scope(home);
                    let carried = home != 0 && inner.start >= range.0 && inner.end <= range.1;
                    carried || self.reaches(scope, at, &name.id, home)
                }
            }
        })
    }

    /// The signature of the function that `func` names, if the program or the host tells it.
    pub(super) fn signature(&self, func: &Expr, scope: usize) -> Option<Signature> {
        match func {
            Expr::Name(name) => match self.resolve(scope, &name.id) {
                Some(home) => self.signature_of(home, &name.id),
                None => self.host.get(name.id.as_str()).cloned(),
            },
            Expr::Attribute(a) => self.host.get(a.attr.as_str()).cloned(),
            _ => None,
        }
    }

    /// The signature of the function that scope `home` binds to `name`.
    pub(super) fn signature_of(&self, home: usize, name: &str) -> Option<Signature> {
        let function = |b: &Binding<'a>| match b.source {
            Source::Function(inner) => self.scope(inner).def,
            _ => None,
        };
        let mut named = self.scope(home).bindings.iter().filter(|b| b.name == name);
        match named.next().map(|b| (b.source, function(b)))? {
            (Source::Function(_), Some(def)) => {
                Some(Signature::of(&def.parameters, self.outline.source))
            }
            (Source::Opaque, _) => self.host.get(name).cloned(),
            _ => None,
        }
    }

    /// Whether a node's place needs a whole number.
    pub(super) fn needs_whole(&self, node: &Node<'a>) -> bool {
        match node.slot.sink {
            Sink::Free => false,
            Sink::Whole => true,
            Sink::Name(name) => self.is_whole(node.scope, name),
            Sink::Argument(function, i) => self.takes_whole(node.scope, function, i),
        }
    }

    /// Whether positional argument `i` of a function must be a whole number.
    pub(super) fn takes_whole(&self, scope: usize, function: &str, i: usize) -> bool {
        if let Some(parameter) = self.host.get(function).and_then(|s| s.parameters.get(i)) {
            return parameter.whole;
        }
        let Some(home) = self.resolve(scope, function) else {
            return false;
        };
        self.scope(home).bindings.iter().any(|b| match b.source {
            Source::Function(inner) if b.name == function => {
                let parameters = &self.scope(inner).bindings;
                parameters.iter().any(|p| {
                    matches!(p.source, Source::Parameter(_, Some(at), _) if at == i)
                        && self.is_whole(inner, p.name)
                })
            }
            _ => false,
        })
    }

    /// Whether a variable is used where a whole number is needed, directly or as an argument.
    fn is_whole(&self, scope: usize, name: &str) -> bool {
        let Some(home) = self.resolve(scope, name) else {
            return false;
        };
        if self.whole.borrow().is_none() {
            let whole = &self.outline.whole;
            let direct = whole
                .iter()
                .filter_map(|(s, n)| Some((self.resolve(*s, n)?, *n)));
            let direct: Vec<_> = direct.collect();
            *self.whole.borrow_mut() = Some(direct);
            // Arguments hand the need on to the variables passed; three calls deep will do.
            for _ in 0..3 {
                for (s, n, function, i) in &self.outline.passed {
                    if let Some(home) = self.resolve(*s, n)
                        && !self.is_whole(*s, n)
                        && self.takes_whole(*s, function, *i)
                        && let Some(whole) = self.whole.borrow_mut().as_mut()
                    {
                        whole.push((home, n));
                    }
                }
            }
        }
        let whole = self.whole.borrow();
        whole
            .as_ref()
            .is_some_and(|w| w.iter().any(|(s, n)| *s == home && *n == name))
    }
}
