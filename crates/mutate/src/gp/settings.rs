//! What a [`Gp`](super::Gp) is told: rates, weights, terminals and known signatures.

use std::collections::BTreeMap;

use ruff_python_ast::{Expr, Stmt};
use ruff_python_parser::Parsed;
use serde::{Deserialize, Serialize};

use super::GpError;
use crate::Error;
use crate::settings::{range, weight};
use crate::syntax;

/// Settings of the operator. The defaults are those of `gp.toml`; unknown fields are refused.
///
/// Node replacement alone, each node with the same probability and untyped, as in the classical
/// comparison, is [`Settings::node_replacement`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Probability that an expression node is mutated, in [0, 1]. Default 0.02.
    ///
    /// When no node and no statement is drawn, one is drawn at random, so that every child
    /// carries at least one mutation.
    pub rate: f64,
    /// Probability that a statement is mutated, in [0, 1]. Default 0.03.
    pub statement_rate: f64,
    /// Probability that a constant or name of a duplicated or copied statement is mutated in the
    /// copy, whatever the weights of these kinds, in [0, 1]. Default 0.25.
    ///
    /// Where none is drawn, one is, since a statement repeated as it was mostly does nothing.
    pub copy_rate: f64,
    /// Whether replacements keep the rough kind (number, whole number where an index needs one,
    /// truth value, function, result of the same call, list of these). Default true.
    pub typed: bool,
    /// Relative weights of the kinds of mutation; 0 switches a kind off.
    pub weights: Weights,
    /// Names offered as terminals everywhere besides those in scope. Default none.
    pub extra_names: Vec<String>,
    /// Number literals offered as terminals besides those of the program. Default none.
    pub extra_constants: Vec<f64>,
    /// Binary operators that may be introduced, with their relative weights. Default
    /// `+ - *` 1, `/` 0.5, `// %` 0.3, `**` 0.1.
    pub binary_operators: BTreeMap<String, f64>,
    /// Bound on the magnitude of new number literals, at least 1. Default 1000.
    ///
    /// A literal at most doubles or grows by 5 in one mutation and never passes the bound.
    pub max_magnitude: f64,
    /// Bound on the source of a child in bytes, at least 64. Default 16,384.
    ///
    /// Of a parent beyond it, only mutations that shrink or keep it are drawn, and no child is
    /// longer than it.
    pub max_source: usize,
    /// Fresh draws after a child that would equal its parent or would not parse, before giving
    /// up; 1 to 10,000. Default 100.
    pub max_tries: u32,
}

/// Relative weights of the kinds of mutation. Nodes draw from the first group, statements from
/// the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// A number is changed or a truth value flipped. Default 6.
    pub constant: f64,
    /// A name is replaced by another visible one, a called function by a compatible one. Default 3.
    pub name: f64,
    /// An operator is replaced by another of the same arity. Default 2.
    pub operator: f64,
    /// Arguments of a call or elements of a list are swapped, dropped or added. Default 2.
    pub argument: f64,
    /// An expression is replaced by a part of itself. Default 0.7.
    pub shrink: f64,
    /// An expression is replaced by a copy of a compatible one from elsewhere. Default 0.7.
    pub graft: f64,
    /// A number `e` becomes `e + c`, `e - c` or `e * c`. Default 0.7.
    pub wrap: f64,
    /// A terminal (name or number) is replaced by another, names and numbers in one set, all
    /// equally likely. Default 0.
    pub terminal: f64,
    /// A statement is repeated, its nodes mutated in the copy. Default 4.
    pub duplicate: f64,
    /// A statement is deleted (`pass` takes its place in a block of one). Default 2.
    pub delete: f64,
    /// Two statements of a block change places. Default 1.
    pub swap: f64,
    /// A statement is moved or copied into another block or place. Default 1.
    pub transplant: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Settings::default().weights
    }
}

impl Weights {
    /// All zero: a base for switching on single kinds.
    pub fn none() -> Self {
        Self {
            constant: 0.0,
            name: 0.0,
            operator: 0.0,
            argument: 0.0,
            shrink: 0.0,
            graft: 0.0,
            wrap: 0.0,
            terminal: 0.0,
            duplicate: 0.0,
            delete: 0.0,
            swap: 0.0,
            transplant: 0.0,
        }
    }

    fn named(&self) -> [(&'static str, f64); 12] {
        [
            ("constant", self.constant),
            ("name", self.name),
            ("operator", self.operator),
            ("argument", self.argument),
            ("shrink", self.shrink),
            ("graft", self.graft),
            ("wrap", self.wrap),
            ("terminal", self.terminal),
            ("duplicate", self.duplicate),
            ("delete", self.delete),
            ("swap", self.swap),
            ("transplant", self.transplant),
        ]
    }
}

/// The section as users see it, with its comments and all defaults; [`Settings::default`] is read from it.
pub const COMMENTED: &str = include_str!("../gp.toml");

impl Default for Settings {
    fn default() -> Self {
        #[derive(Deserialize)]
        struct File {
            gp: Settings,
        }
        let File { gp } = toml::from_str(COMMENTED).expect("gp.toml is tested");
        gp
    }
}

/// The binary operators of Python that may be named in [`Settings::binary_operators`].
const BINARY: [&str; 13] = [
    "+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>",
];

impl Settings {
    /// Classical node replacement: each terminal and operator with probability `rate` replaced by
    /// any other of the same arity, untyped, no statement edits; `extra_names` join the terminals.
    pub fn node_replacement(rate: f64, extra_names: Vec<String>) -> Self {
        Self {
            rate,
            statement_rate: 0.0,
            typed: false,
            weights: Weights {
                terminal: 1.0,
                operator: 1.0,
                ..Weights::none()
            },
            extra_names,
            binary_operators: ["+", "-", "*", "/", "//", "%", "**"]
                .map(|op| (op.to_owned(), 1.0))
                .into(),
            ..Self::default()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`GpError::Setting`] names the first field out of range and the mend.
    pub fn validate(&self) -> Result<(), GpError> {
        let refuse =
            |field: &str, why: &str, mend: &str| Err(Error::setting(field, why, mend).into());
        for (field, value) in [
            ("rate", self.rate),
            ("statement_rate", self.statement_rate),
            ("copy_rate", self.copy_rate),
        ] {
            range(field, value, 0.0, 1.0)?;
        }
        for (name, value) in self.weights.named() {
            weight(&format!("weights.{name}"), value)?;
        }
        if self.weights.named().iter().all(|(_, w)| *w == 0.0) {
            let mend = "give at least one kind a weight above 0";
            return refuse("weights", "none is above 0", mend);
        }
        for (op, value) in &self.binary_operators {
            let field = format!("binary_operators.{op}");
            if !BINARY.contains(&op.as_str()) {
                let mend = "name a binary operator of Python such as + or //";
                return refuse(&field, "it is none", mend);
            }
            weight(&field, *value)?;
        }
        if let Some(name) = self.extra_names.iter().find(|n| !is_name(n)) {
            let mend = "give Python names, letters, digits and underscores, no keyword";
            return refuse("extra_names", &format!("{name:?} is no name"), mend);
        }
        if let Some(c) = self.extra_constants.iter().find(|c| !c.is_finite()) {
            return refuse(
                "extra_constants",
                &format!("{c} is not finite"),
                "give finite numbers",
            );
        }
        if !(self.max_magnitude.is_finite() && self.max_magnitude >= 1.0) {
            let why = format!("{} is out of range", self.max_magnitude);
            return refuse("max_magnitude", &why, "give a finite number of at least 1");
        }
        if self.max_source < 64 {
            let why = format!("{} is too few", self.max_source);
            return refuse("max_source", &why, "give at least 64 bytes");
        }
        range("max_tries", self.max_tries.into(), 1.0, 10_000.0).map_err(GpError::from)
    }
}

/// Whether `text` is one Python name: as a program it is just that name.
fn is_name(text: &str) -> bool {
    let alone = |program: &Parsed<_>| match program.suite().as_slice() {
        [Stmt::Expr(one)] => matches!(&*one.value, Expr::Name(name) if name.id.as_str() == text),
        _ => false,
    };
    syntax::with(text, alone).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_field_and_mend() {
        let bad = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.validate().unwrap_err().to_string()
        };
        assert!(Settings::default().validate().is_ok());
        assert!(bad(|s| s.rate = 1.5).contains("rate"));
        assert!(bad(|s| s.rate = f64::NAN).contains("from 0 to 1"));
        assert!(bad(|s| s.weights.swap = -1.0).contains("weights.swap"));
        assert!(bad(|s| s.weights = Weights::none()).contains("at least one kind"));
        assert!(bad(|s| s.extra_names = vec!["if".into()]).contains("\"if\""));
        assert!(bad(|s| s.extra_constants = vec![f64::INFINITY]).contains("extra_constants"));
        assert!(bad(|s| s.max_source = 0).contains("max_source"));
        assert!(bad(|s| s.max_tries = 0).contains("max_tries"));
        assert!(bad(|s| s.max_magnitude = 0.0).contains("max_magnitude"));
        let unknown = bad(|s| {
            s.binary_operators.insert("<>".into(), 1.0);
        });
        assert!(unknown.contains("binary_operators.<>"), "{unknown}");
    }

    #[test]
    fn survives_toml() {
        let settings = Settings {
            rate: 0.5,
            ..Settings::default()
        };
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
        assert!(toml::from_str::<Settings>(&format!("rat = 0.5\n{text}")).is_err());
    }
}
