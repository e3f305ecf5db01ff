//! What the first tier must know of a program before it runs: its entry function, its imports, and whether all of it is
//! known to be exact ([`exact`]). A function of the text alone.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{
    Expr, ExprContext, ModModule, Pattern, Stmt, StmtClassDef, StmtFunctionDef, StmtImport,
    StmtImportFrom,
};
use ruff_python_parser::{ParseError, parse_module};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::exact::{self, Edits, Exact};
use crate::{EntryRule, Failure, HostModule, modules};

/// A program made ready for the first tier.
pub(crate) struct Program {
    /// The text with its imports resolved; line numbers are those of the original.
    pub(crate) source: String,
    /// What must be known of it once it has run.
    pub(crate) exact: Exact,
}

/// The host's modules, with the names that `from module import *` binds, and what else it offers.
pub(crate) struct Modules {
    known: Vec<(String, String, Vec<String>)>,
    host: exact::Host,
    /// The lines of the prelude where a stand-in for a module of others is written.
    stand_ins: Vec<(u32, u32)>,
    /// The prelude without what no program of the first tier reaches: every program pays for its size.
    pub(crate) prelude: String,
}

impl Modules {
    /// Looks up each module's target in the prelude.
    pub(crate) fn new(host: &HostModule) -> Result<Modules, Failure> {
        let prelude = parse(&host.prelude)?;
        let class = |target: &str| {
            prelude.body.iter().find_map(|s| match s {
                Stmt::ClassDef(c) if c.name.as_str() == target => Some(c),
                _ => None,
            })
        };
        let mut known = Vec::new();
        let mut stand_ins = Vec::new();
        let mut unreached = Edits::new();
        for (name, target) in &host.modules {
            let class = class(target);
            let names = class.map(class_names).unwrap_or_default();
            if modules::is_allowed(name) {
                stand_ins.extend(class.map(|c| lines(&host.prelude, c.range())));
                let members = class.map(|c| c.body.as_slice()).unwrap_or_default();
                for stmt in members {
                    if let Some(member) = bound_name(stmt)
                        && !exact::is_member(name, member)
                    {
                        let lines = host.prelude[stmt.range()].matches('\n').count();
                        unreached.push((stmt.range(), "\n".repeat(lines)));
                    }
                }
            }
            known.push((name.clone(), target.clone(), names));
        }
        Ok(Modules {
            host: offered(&prelude.body, &known),
            known,
            stand_ins,
            prelude: apply(&host.prelude, unreached),
        })
    }

    fn find(&self, name: &str) -> Option<&(String, String, Vec<String>)> {
        self.known.iter().find(|(n, ..)| n == name)
    }

    /// Whether this line of the prelude is of a stand-in for a module that CPython may have itself.
    pub(crate) fn stands_in(&self, line: u32) -> bool {
        self.stand_ins
            .iter()
            .any(|&(from, to)| from <= line && line <= to)
    }
}

/// The one name that a statement binds.
fn bound_name(stmt: &Stmt) -> Option<&str> {
    match stmt {
        Stmt::FunctionDef(f) => Some(&f.name),
        Stmt::Assign(a) if a.targets.len() == 1 => simple_name(&a.targets[0]),
        _ => None,
    }
}

/// The first and the last line of a part.
fn lines(source: &str, range: TextRange) -> (u32, u32) {
    let line = |place: usize| 1 + source[..place].matches('\n').count() as u32;
    (line(range.start().into()), line(range.end().into()))
}

/// What the prelude leaves bound for programs.
fn offered(prelude: &[Stmt], known: &[(String, String, Vec<String>)]) -> exact::Host {
    let modules: HashMap<String, HashSet<String>> = known
        .iter()
        .map(|(name, _, names)| (name.clone(), names.iter().cloned().collect()))
        .collect();
    let mut host = exact::Host {
        modules,
        names: HashSet::default(),
        aliases: HashMap::default(),
        attributes: HashSet::default(),
    };
    for stmt in prelude {
        match stmt {
            Stmt::FunctionDef(f) if !f.name.starts_with('_') => {
                host.names.insert(f.name.to_string());
            }
            Stmt::ClassDef(c) if !c.name.starts_with('_') => {
                host.names.insert(c.name.to_string());
                host.attributes.extend(class_names(c));
                let mut stores = Stores(&mut host.attributes);
                stores.visit_body(&c.body);
            }
            Stmt::Import(i) => {
                for alias in &i.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    host.aliases
                        .insert(name.to_string(), alias.name.to_string());
                }
            }
            Stmt::Assign(a) => {
                let of = |target: &str| known.iter().find(|(_, t, _)| t == target);
                let module = simple_name(&a.value).and_then(of);
                for name in a.targets.iter().filter_map(simple_name) {
                    match module {
                        Some((module, ..)) => {
                            host.aliases.insert(name.to_owned(), module.clone());
                        }
                        None => {
                            host.names.insert(name.to_owned());
                        }
                    }
                }
            }
            _ => {}
        }
    }
    host
}

/// The attributes that are set in a text.
struct Stores<'s>(&'s mut HashSet<String>);

impl<'a> Visitor<'a> for Stores<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Attribute(a) = expr
            && a.ctx == ExprContext::Store
        {
            self.0.insert(a.attr.to_string());
        }
        walk_expr(self, expr);
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

/// Finds the entry and resolves the imports of a program. `whole` as for [`exact::check`].
pub(crate) fn prepare(
    source: &str,
    rule: &EntryRule,
    modules: &Modules,
    whole: bool,
) -> Result<Program, Failure> {
    let module = parse(source)?;
    let entry = entry(source, &module.body, rule)?.to_owned();
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
    let (mut exact, edits) = exact::check(source, &module.body, &modules.host, whole)?;
    exact.entry = entry;
    scan.edits.extend(edits);
    Ok(Program {
        source: apply(source, scan.edits),
        exact,
    })
}

/// Applies the rule: the exact name wins, else the last function that has a prefix and needs no argument.
fn entry<'a>(source: &str, body: &'a [Stmt], rule: &EntryRule) -> Result<&'a str, Failure> {
    let mut names = Names::default();
    names.collect(body);
    if let Some(name) = names.bound.get(rule.exact.as_str()) {
        return Ok(name);
    }
    // a function may bind it, as `global`
    if source.contains(&rule.exact) {
        let feature = format!("whether {} is bound", rule.exact);
        return Err(Failure::unsupported(feature));
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
        .ok_or(Failure::NoEntry)
}

/// The functions and names bound at module level, inside `if`, `try` and the like too.
#[derive(Default)]
struct Names<'a> {
    functions: Vec<&'a StmtFunctionDef>,
    bound: HashSet<&'a str>,
    /// Bound by `:=`.
    named: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn collect(&mut self, body: &'a [Stmt]) {
        self.visit_body(body);
    }

    fn imported(&mut self, alias: &'a ruff_python_ast::Alias) {
        let top = alias.name.split('.').next().unwrap_or_default();
        self.bound
            .insert(alias.asname.as_ref().map_or(top, |n| n.as_str()));
    }
}

impl<'a> Visitor<'a> for Names<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            // their bodies bind in scopes of their own
            Stmt::FunctionDef(f) => {
                self.functions.push(f);
                self.bound.insert(f.name.as_str());
            }
            Stmt::ClassDef(c) => {
                self.bound.insert(c.name.as_str());
            }
            // without a value it binds nothing
            Stmt::AnnAssign(a) if a.value.is_none() => {}
            Stmt::Import(i) => i.names.iter().for_each(|a| self.imported(a)),
            Stmt::ImportFrom(i) => i.names.iter().for_each(|a| self.imported(a)),
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(n) if n.ctx == ExprContext::Store => {
                self.bound.insert(n.id.as_str());
            }
            Expr::Lambda(_) => {}
            // only `:=` binds outside of a comprehension
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                let mut inner = Names::default();
                walk_expr(&mut inner, expr);
                self.bound.extend(inner.named);
            }
            Expr::Named(n) => {
                self.named.extend(simple_name(&n.target));
                walk_expr(self, expr);
            }
            _ => walk_expr(self, expr),
        }
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchStar(p) => p.name.as_ref(),
            Pattern::MatchAs(p) => p.name.as_ref(),
            Pattern::MatchMapping(p) => p.rest.as_ref(),
            _ => None,
        };
        self.bound.extend(name.map(|n| n.as_str()));
        walk_pattern(self, pattern);
    }
}

fn callable_with_nothing(f: &StmtFunctionDef) -> bool {
    !f.is_async
        && f.parameters
            .iter_non_variadic_params()
            .all(|p| p.default.is_some())
}

/// Walks all statements: collects edits for imports, and the first module to refuse.
struct Scan<'a> {
    modules: &'a Modules,
    source: &'a str,
    edits: Edits,
    failure: Option<Failure>,
}

impl<'a> Visitor<'a> for Scan<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(s) => self.import(s),
            Stmt::ImportFrom(s) => self.import_from(s),
            _ => walk_stmt(self, stmt),
        }
    }

    // imports are statements: expressions need no walk
    fn visit_expr(&mut self, _: &'a Expr) {}
}

impl Scan<'_> {
    fn refuse(&mut self, feature: String) {
        self.failure.get_or_insert(Failure::unsupported(feature));
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

fn apply(source: &str, mut edits: Edits) -> String {
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
        prepare(source, &host().entry, &Modules::new(&host()).unwrap(), true)
    }

    fn rewritten(imports: &str) -> String {
        ready(&format!("{imports}\ndef make_walker(): pass"))
            .unwrap()
            .source
            .replace("\ndef make_walker(): pass", "")
    }

    #[test]
    fn entry_rules() {
        let entry = |s: &str| ready(s).map(|p| p.exact.entry);
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
        for bound in [
            "from typing import Callable\nmake_walker: Callable = max",
            "a, make_walker = 1, 2",
            "[a, (*make_walker, b)] = 1, (2, 3)",
            "for make_walker in [len]: pass",
            "import math as make_walker",
            "from math import sin as make_walker",
            "class make_walker: pass",
            "print(make_walker := len)",
            "a = [make_walker := len for b in [1]]",
        ] {
            let found = ready(bound).map(|p| p.exact.entry);
            // what the first tier does not run it has still found an entry in
            let is_gap = matches!(found, Err(Failure::Unsupported { .. }));
            assert!(
                is_gap || found == Ok("make_walker".into()),
                "{bound}: {found:?}"
            );
        }
        for free in [
            "make_walker: int",
            "def f():\n  make_walker = 1",
            "a = [make_walker for make_walker in [1]]",
            "a = lambda make_walker: 1",
            "x.make_walker = 1",
        ] {
            // CPython looks again: a function might have bound it
            assert!(
                matches!(entry(free), Err(Failure::Unsupported { .. })),
                "{free}"
            );
        }
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
        assert_eq!(rewritten("from numpy import pi"), "pi = _np.pi");
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
            "from numpy import *",
            "from numpy import sin",
            "import itertools",
            "class A:\n  def __lt__(self, o): pass",
            "x = {1, 2}",
            "x = any(k > 3 for k in [1])",
            "x = 9007199254740993",
            "for i in range(3): del i",
            "def f(x: undefined): pass",
            "x = 1 is 1",
            "caf\u{e9} = 1",
        ] {
            let failure = ready(&format!("{imports}\ndef make_walker(): pass"))
                .err()
                .unwrap();
            assert_eq!(failure.reason(), "unsupported", "{imports}");
        }
    }
}
