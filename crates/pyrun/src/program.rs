//! What the first tier must know of a program before it runs: its entry function, its imports, and features that the
//! interpreter would not refuse but get wrong. A function of the text alone.

use std::collections::HashSet;

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{
    Expr, ModModule, Stmt, StmtClassDef, StmtFunctionDef, StmtImport, StmtImportFrom,
};
use ruff_python_parser::{ParseError, parse_module};
use ruff_text_size::{Ranged, TextRange};

use crate::{EntryRule, Failure, HostModule, modules};

/// A program made ready for the first tier.
pub(crate) struct Program {
    /// The text with its imports resolved; line numbers are those of the original.
    pub(crate) source: String,
    /// The function to call.
    pub(crate) entry: String,
}

/// Special methods that the interpreter calls where Python does. A class with others needs the second tier.
const KNOWN_METHODS: &[&str] = &[
    "__init__",
    "__repr__",
    "__str__",
    "__eq__",
    "__hash__",
    "__iter__",
    "__next__",
    "__enter__",
    "__exit__",
];

/// The host's modules, with the names that `from module import *` binds.
pub(crate) struct Modules {
    known: Vec<(String, String, Vec<String>)>,
}

impl Modules {
    /// Looks up each module's target in the prelude.
    pub(crate) fn new(host: &HostModule) -> Result<Modules, Failure> {
        let prelude = parse(&host.prelude)?;
        let known = host
            .modules
            .iter()
            .map(|(name, target)| {
                let class = prelude.body.iter().find_map(|s| match s {
                    Stmt::ClassDef(c) if c.name.as_str() == target => Some(c),
                    _ => None,
                });
                (
                    name.clone(),
                    target.clone(),
                    class.map(class_names).unwrap_or_default(),
                )
            })
            .collect();
        Ok(Modules { known })
    }

    fn find(&self, name: &str) -> Option<&(String, String, Vec<String>)> {
        self.known.iter().find(|(n, ..)| n == name)
    }
}

fn class_names(class: &StmtClassDef) -> Vec<String> {
    let mut names = Vec::new();
    for stmt in &class.body {
        match stmt {
            Stmt::FunctionDef(f) => names.push(f.name.to_string()),
            Stmt::Assign(a) => {
                names.extend(a.targets.iter().filter_map(simple_name).map(str::to_owned))
            }
            _ => {}
        }
    }
    names.retain(|n| !n.starts_with('_'));
    names
}

fn simple_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(n) => Some(n.id.as_str()),
        _ => None,
    }
}

/// Parses a program.
fn parse(source: &str) -> Result<ModModule, Failure> {
    match parse_module(source) {
        Ok(parsed) => Ok(parsed.into_syntax()),
        Err(ParseError { error, location }) => {
            let before = &source.as_bytes()[..usize::from(location.start()).min(source.len())];
            let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
            Err(Failure::Syntax {
                line: line as u32,
                message: error.to_string(),
            })
        }
    }
}

/// Finds the entry and resolves the imports of a program.
pub(crate) fn prepare(
    source: &str,
    rule: &EntryRule,
    modules: &Modules,
) -> Result<Program, Failure> {
    let module = parse(source)?;
    let entry = entry(&module.body, rule)
        .ok_or(Failure::NoEntry)?
        .to_owned();
    let mut scan = Scan {
        modules,
        source,
        edits: Vec::new(),
        failure: None,
    };
    scan.visit_body(&module.body);
    if let Some(failure) = scan.failure {
        return Err(failure);
    }
    Ok(Program {
        source: apply(source, scan.edits),
        entry,
    })
}

/// Applies the rule: the exact name wins, else the last function that has a prefix and needs no argument.
fn entry<'a>(body: &'a [Stmt], rule: &EntryRule) -> Option<&'a str> {
    let mut names = Names::default();
    names.collect(body);
    if names.bound.contains(rule.exact.as_str()) {
        return names.bound.get(rule.exact.as_str()).copied();
    }
    let accepted = |f: &&StmtFunctionDef| {
        rule.prefixes.iter().any(|p| f.name.starts_with(p.as_str())) && callable_with_nothing(f)
    };
    names
        .functions
        .into_iter()
        .rev()
        .find(accepted)
        .map(|f| f.name.as_str())
}

/// The functions and names bound at module level, inside `if`, `try` and the like too.
#[derive(Default)]
struct Names<'a> {
    functions: Vec<&'a StmtFunctionDef>,
    bound: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn collect(&mut self, body: &'a [Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::FunctionDef(f) => {
                    self.functions.push(f);
                    self.bound.insert(f.name.as_str());
                }
                Stmt::Assign(a) => self.bound.extend(a.targets.iter().filter_map(simple_name)),
                Stmt::If(s) => {
                    self.collect(&s.body);
                    s.elif_else_clauses
                        .iter()
                        .for_each(|c| self.collect(&c.body));
                }
                Stmt::For(s) => self.collect_all([&s.body, &s.orelse]),
                Stmt::While(s) => self.collect_all([&s.body, &s.orelse]),
                Stmt::With(s) => self.collect(&s.body),
                Stmt::Try(s) => {
                    self.collect(&s.body);
                    s.handlers
                        .iter()
                        .filter_map(|h| h.as_except_handler())
                        .for_each(|h| self.collect(&h.body));
                    self.collect_all([&s.orelse, &s.finalbody]);
                }
                _ => {}
            }
        }
    }

    fn collect_all<'b, const N: usize>(&mut self, bodies: [&'a ruff_python_ast::Suite; N])
    where
        'a: 'b,
    {
        bodies.into_iter().for_each(|b| self.collect(b));
    }
}

fn callable_with_nothing(f: &StmtFunctionDef) -> bool {
    !f.is_async
        && f.parameters
            .iter_non_variadic_params()
            .all(|p| p.default.is_some())
}

/// Walks all statements: collects edits for imports, and the first feature to refuse.
struct Scan<'a> {
    modules: &'a Modules,
    source: &'a str,
    edits: Vec<(TextRange, String)>,
    failure: Option<Failure>,
}

impl<'a> Visitor<'a> for Scan<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(s) => self.import(s),
            Stmt::ImportFrom(s) => self.import_from(s),
            Stmt::ClassDef(s) => {
                self.class(s);
                walk_stmt(self, stmt);
            }
            _ => walk_stmt(self, stmt),
        }
    }

    // imports and classes are statements: expressions need no walk
    fn visit_expr(&mut self, _: &'a Expr) {}
}

impl Scan<'_> {
    fn refuse(&mut self, feature: String) {
        self.failure.get_or_insert(Failure::Unsupported { feature });
    }

    fn class(&mut self, class: &StmtClassDef) {
        for stmt in &class.body {
            if let Stmt::FunctionDef(f) = stmt {
                let name = f.name.as_str();
                if name.starts_with("__") && name.ends_with("__") && !KNOWN_METHODS.contains(&name)
                {
                    self.refuse(format!("the special method {name}"));
                }
            }
        }
    }

    /// Blank lines to keep the count when `range` spans several; they stand inside parentheses.
    fn padding(&self, range: TextRange) -> String {
        self.source[range]
            .chars()
            .filter(|&c| c == '\n')
            .map(|_| '\n')
            .collect()
    }

    fn replace(&mut self, range: TextRange, statements: Vec<String>) {
        self.edits.push((range, statements.join("; ")));
    }

    fn import(&mut self, stmt: &StmtImport) {
        let mut pad = self.padding(stmt.range());
        let mut out = Vec::new();
        for alias in &stmt.names {
            let name = alias.name.as_str();
            let top = name.split('.').next().unwrap_or(name);
            let bound = alias.asname.as_ref().map_or(top, |a| a.as_str());
            let pad = std::mem::take(&mut pad);
            if let Some((_, target, _)) = self.modules.find(name) {
                out.push(format!("{bound} = ({target}{pad})"));
            } else if self.modules.find(top).is_some() {
                return self.refuse(format!("the module {name}"));
            } else if !modules::is_allowed(top) {
                out.push(format!(
                    "raise ImportError(\"{}\"{pad})",
                    modules::refusal(top)
                ));
            } else if !modules::FIRST_TIER.contains(&name) {
                return self.refuse(format!("the module {name}"));
            } else {
                let alias = alias
                    .asname
                    .as_ref()
                    .map(|a| format!(" as {a}"))
                    .unwrap_or_default();
                out.push(if pad.is_empty() {
                    String::new()
                } else {
                    format!("({pad})")
                });
                out.push(format!("import {name}{alias}"));
            }
        }
        out.retain(|s| !s.is_empty());
        self.replace(stmt.range(), out);
    }

    fn import_from(&mut self, stmt: &StmtImportFrom) {
        let pad = self.padding(stmt.range());
        let module = stmt.module.as_ref().map_or("", |m| m.as_str());
        let top = module.split('.').next().unwrap_or(module);
        if stmt.level > 0 {
            let refusal = format!(
                "raise ImportError(\"{}\"{pad})",
                modules::refusal("a package")
            );
            return self.replace(stmt.range(), vec![refusal]);
        }
        let Some((_, target, names)) = self.modules.find(module) else {
            if !modules::is_allowed(top) {
                self.replace(
                    stmt.range(),
                    vec![format!(
                        "raise ImportError(\"{}\"{pad})",
                        modules::refusal(top)
                    )],
                );
            } else if self.modules.find(top).is_some() || !modules::FIRST_TIER.contains(&module) {
                self.refuse(format!("the module {module}"));
            } else if stmt.names.iter().any(|a| a.name.as_str() == "*") {
                self.refuse(format!("from {module} import *"));
            }
            return;
        };
        let pairs: Vec<(&str, &str)> = if stmt.names.iter().any(|a| a.name.as_str() == "*") {
            names.iter().map(|n| (n.as_str(), n.as_str())).collect()
        } else {
            let bound = |a: &'_ ruff_python_ast::Alias| a.asname.as_ref().map(|n| n.range());
            stmt.names
                .iter()
                .map(|a| {
                    (
                        a.name.as_str(),
                        bound(a).map_or(a.name.as_str(), |r| &self.source[r]),
                    )
                })
                .collect()
        };
        let mut pad = format!("({pad})");
        let mut out: Vec<String> = Vec::new();
        for (name, bound) in pairs {
            let pad = std::mem::take(&mut pad);
            // the padding is an empty tuple's, so it costs nothing
            let lead = if pad == "()" || pad.is_empty() {
                String::new()
            } else {
                format!("{pad}; ")
            };
            out.push(format!("{lead}{bound} = {target}.{name}"));
        }
        if out.is_empty() {
            out.push("pass".into());
        }
        self.replace(stmt.range(), out);
    }
}

fn apply(source: &str, mut edits: Vec<(TextRange, String)>) -> String {
    if edits.is_empty() {
        return source.to_owned();
    }
    edits.sort_by_key(|(range, _)| range.start());
    let mut out = String::with_capacity(source.len() + 64);
    let mut done = 0;
    for (range, text) in edits {
        out.push_str(&source[done..usize::from(range.start())]);
        out.push_str(&text);
        done = usize::from(range.end());
    }
    out.push_str(&source[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostModule {
        HostModule {
            prelude: "def maker(): pass\nclass _np:\n    pi = 3\n    def sin(x): return x\nclass _wc:\n    maker = maker\n"
                .into(),
            modules: vec![("walk_creator".into(), "_wc".into()), ("numpy".into(), "_np".into())],
            entry: EntryRule { exact: "make_walker".into(), prefixes: vec!["make".into(), "walk".into()] },
        }
    }

    fn ready(source: &str) -> Result<Program, Failure> {
        prepare(source, &host().entry, &Modules::new(&host()).unwrap())
    }

    fn rewritten(imports: &str) -> String {
        ready(&format!("{imports}\ndef make_walker(): pass"))
            .unwrap()
            .source
            .replace("\ndef make_walker(): pass", "")
    }

    #[test]
    fn entry_rules() {
        let entry = |s: &str| ready(s).map(|p| p.entry);
        assert_eq!(
            entry("def make_walker(): pass\ndef make_other(): pass").unwrap(),
            "make_walker"
        );
        assert_eq!(
            entry("def make_a(): pass\ndef walker_b(): pass\ndef other(): pass").unwrap(),
            "walker_b"
        );
        assert_eq!(
            entry("def make_a(n=3, *rest): pass\ndef make_square(wc): pass").unwrap(),
            "make_a"
        );
        assert_eq!(entry("make_walker = lambda: 3").unwrap(), "make_walker");
        assert_eq!(entry("if 1:\n\tdef make_x():\n\t\tpass").unwrap(), "make_x");
        assert_eq!(entry("def other(): pass"), Err(Failure::NoEntry));
        assert!(matches!(
            entry("def make_walker(:"),
            Err(Failure::Syntax { line: 1, .. })
        ));
        assert!(matches!(
            entry("x = 1\ny = = 2"),
            Err(Failure::Syntax { line: 2, .. })
        ));
    }

    #[test]
    fn imports_of_host_modules_become_assignments() {
        assert_eq!(
            rewritten("from walk_creator import maker"),
            "maker = _wc.maker"
        );
        assert_eq!(
            rewritten("from walk_creator import maker as m; x = 1"),
            "m = _wc.maker; x = 1"
        );
        assert_eq!(
            rewritten("from walk_creator import (\n  maker,\n)"),
            "(\n\n); maker = _wc.maker"
        );
        assert_eq!(rewritten("from walk_creator import *"), "maker = _wc.maker");
        assert_eq!(
            rewritten("from numpy import *"),
            "pi = _np.pi; sin = _np.sin"
        );
        assert_eq!(
            rewritten("import numpy as np, math"),
            "np = (_np); import math"
        );
        assert_eq!(rewritten("import math"), "import math");
        assert!(rewritten("import os").starts_with("raise ImportError("));
        assert!(rewritten("from os.path import join").starts_with("raise ImportError("));
        assert!(rewritten("from . import x").starts_with("raise ImportError("));
    }

    #[test]
    fn what_the_first_tier_lacks_is_refused() {
        for imports in [
            "import random",
            "from bisect import bisect",
            "import numpy.linalg",
            "class A:\n  def __lt__(self, o): pass",
        ] {
            let failure = ready(&format!("{imports}\ndef make_walker(): pass"))
                .err()
                .unwrap();
            assert_eq!(failure.reason(), "unsupported", "{imports}");
        }
    }
}
