//! What a function takes: which arguments may be left out or added.

use ruff_python_ast::{Expr, Parameters, Stmt};
use ruff_python_parser::Parsed;
use ruff_text_size::Ranged;

use crate::syntax;

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    /// Source of the default value.
    pub(super) default: Option<String>,
    /// Annotated as `int`: a whole number is needed.
    pub(super) whole: bool,
}

/// The parameters of a function that may be given by position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signature {
    pub(super) parameters: Vec<Parameter>,
    /// It takes `*args`, `**kwargs` or keyword-only parameters as well.
    pub(super) open: bool,
}

impl Signature {
    /// The signature of `parameters`, whose bytes are those of `source`.
    pub(super) fn of(parameters: &Parameters, source: &str) -> Self {
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        Self {
            parameters: positional
                .map(|p| Parameter {
                    name: p.parameter.name.to_string(),
                    default: p
                        .default
                        .as_deref()
                        .map(|d| source[d.start().to_usize()..d.end().to_usize()].to_owned()),
                    whole: matches!(
                        p.parameter.annotation.as_deref(),
                        Some(Expr::Name(n)) if n.id.as_str() == "int"
                    ),
                })
                .collect(),
            open: parameters.vararg.is_some()
                || parameters.kwarg.is_some()
                || !parameters.kwonlyargs.is_empty(),
        }
    }

    /// Reads `name(a, b=1)`; `None` if that is no signature.
    pub(super) fn parse(text: &str) -> Option<(String, Self)> {
        let source = format!("def {text}: pass");
        let read = |parsed: &Parsed<_>| match parsed.suite().as_slice() {
            [Stmt::FunctionDef(def)] => {
                Some((def.name.to_string(), Self::of(&def.parameters, &source)))
            }
            _ => None,
        };
        syntax::with(&source, read).ok()?
    }

    /// How many arguments have no default.
    pub(super) fn required(&self) -> usize {
        let missing = self.parameters.iter().filter(|p| p.default.is_none());
        missing.count()
    }

    /// Whether a call with so many positional arguments fits.
    pub(super) fn takes(&self, positional: usize) -> bool {
        positional >= self.required() && (self.open || positional <= self.parameters.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_def_line() {
        let (name, s) = Signature::parse("f(a: int, b, c=1.5, *rest)").unwrap();
        assert_eq!(name, "f");
        assert_eq!(s.required(), 2);
        assert!(s.parameters[0].whole && !s.parameters[1].whole);
        assert_eq!(s.parameters[2].default.as_deref(), Some("1.5"));
        assert!(s.takes(2) && s.takes(9) && !s.takes(1));
        for bad in ["", "f", "f(a", "f(): pass\nx = 1; y("] {
            assert!(Signature::parse(bad).is_none(), "{bad}");
        }
    }
}
