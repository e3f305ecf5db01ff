//! Annotations: CPython computes them where they stand, the interpreter never.

use ruff_python_ast::Expr;

use super::{Checked, Walk};
use crate::Failure;

/// Builtin types that annotations name.
const TYPES: &[&str] = &[
    "bool", "dict", "float", "int", "list", "object", "str", "tuple",
];

impl Walk<'_> {
    /// Refuses an annotation that might raise.
    pub(super) fn annotation(&self, e: &Expr) -> Checked {
        if self.facts.postponed || self.harmless(e) {
            return Ok(());
        }
        Err(Failure::unsupported(format!(
            "the annotation {}",
            self.shown(e)
        )))
    }

    fn harmless(&self, e: &Expr) -> bool {
        match e {
            Expr::NoneLiteral(_) | Expr::StringLiteral(_) => true,
            Expr::Name(n) => {
                let name = n.id.as_str();
                let unbound = !self.facts.bound.contains(name);
                self.facts.typing.contains(name)
                    || (unbound && (TYPES.contains(&name) || self.host.names.contains(name)))
            }
            Expr::Subscript(s) => {
                let Expr::Name(generic) = &*s.value else {
                    return false;
                };
                let of: &[Expr] = match &*s.slice {
                    Expr::Tuple(t) => &t.elts,
                    one => std::slice::from_ref(one),
                };
                let most = match generic.id.as_str() {
                    "list" | "List" | "Optional" | "Sequence" | "Iterable" => 1,
                    "dict" | "Dict" => 2,
                    "tuple" | "Tuple" | "Union" => usize::MAX,
                    _ => return false,
                };
                let counts = of.len() == most || most == usize::MAX;
                self.harmless(&s.value) && counts && of.iter().all(|e| self.harmless(e))
            }
            _ => false,
        }
    }
}
