//! What a program binds, in any of its scopes.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_parameter, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, Parameter, Stmt};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::{Host, known};
use crate::Failure;

/// The names of a program.
#[derive(Default)]
pub(super) struct Facts<'a> {
    /// Bound otherwise than by an import of a module.
    pub(super) bound: HashSet<&'a str>,
    /// Of modules: `math`, and the host's.
    pub(super) modules: HashMap<&'a str, &'a str>,
    /// Imported from `typing`, for annotations alone.
    pub(super) typing: HashSet<&'a str>,
    /// Attributes that it sets.
    pub(super) attributes: HashSet<&'a str>,
    pub(super) callables: HashSet<&'a str>,
    pub(super) classes: HashSet<&'a str>,
    pub(super) numpy: bool,
    /// Read in functions within functions, and in comprehensions: where they are missing CPython says so otherwise.
    pub(super) captured: HashSet<&'a str>,
    /// Annotations are texts.
    pub(super) postponed: bool,
}

/// Gathers them in one walk.
struct Gather<'a> {
    host: &'a Host,
    facts: Facts<'a>,
    /// How deep in functions a place is.
    depth: u32,
    refused: Option<Failure>,
}

impl<'a> Facts<'a> {
    pub(super) fn gather(body: &'a [Stmt], host: &'a Host) -> Result<Facts<'a>, Failure> {
        let mut gather = Gather {
            host,
            facts: Facts::default(),
            depth: 0,
            refused: None,
        };
        gather.visit_body(body);
        if let Some(refused) = gather.refused {
            return Err(refused);
        }
        let mut facts = gather.facts;
        let builtins = || known::BUILTINS.iter().chain(known::GUARDED);
        let bound =
            |name: &&&str| facts.bound.contains(**name) || facts.modules.contains_key(**name);
        if let Some(name) = builtins().chain(&["type"]).find(bound) {
            return Err(Failure::unsupported(format!(
                "{name} as a name of the program's own"
            )));
        }
        if let Some(name) = facts.modules.keys().find(|n| facts.bound.contains(**n)) {
            return Err(Failure::unsupported(format!("{name} as two things")));
        }
        for (name, module) in &host.aliases {
            if !facts.bound.contains(name.as_str()) {
                facts.modules.entry(name).or_insert(module);
            }
        }
        Ok(facts)
    }
}

impl<'a> Gather<'a> {
    fn refuse(&mut self, what: String) {
        self.refused.get_or_insert(Failure::unsupported(what));
    }

    fn module(&mut self, name: &'a str, module: &'a str) {
        self.facts.numpy |= module == "numpy";
        if self
            .facts
            .modules
            .insert(name, module)
            .is_some_and(|m| m != module)
        {
            self.refuse(format!("{name} as two things"));
        }
    }
}

/// Whether a member of a module is known to agree.
pub(super) fn member(module: &str, name: &str, host: &Host) -> Result<(), Failure> {
    let knows = match module {
        "math" => known::MATH.contains(&name),
        "numpy" => known::NUMPY.contains(&name),
        _ => host.modules.get(module).is_some_and(|m| m.contains(name)),
    };
    if knows {
        return Ok(());
    }
    Err(Failure::unsupported(format!("{module}.{name}")))
}

impl<'a> Visitor<'a> for Gather<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(f) => {
                self.facts.bound.insert(&f.name);
                self.facts.callables.insert(&f.name);
            }
            Stmt::ClassDef(c) => {
                self.facts.bound.insert(&c.name);
                self.facts.callables.insert(&c.name);
                self.facts.classes.insert(&c.name);
                for stmt in &c.body {
                    match stmt {
                        Stmt::FunctionDef(f) => {
                            self.facts.attributes.insert(&f.name);
                        }
                        Stmt::Assign(a) => self.facts.attributes.extend(
                            a.targets
                                .iter()
                                .filter_map(Expr::as_name_expr)
                                .map(|n| n.id.as_str()),
                        ),
                        _ => {}
                    }
                }
            }
            Stmt::Import(i) => {
                for alias in &i.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    let module = alias.name.as_str();
                    let host = self.host;
                    if module == "typing" {
                        self.facts.typing.insert(name);
                    } else if module == "math" || host.modules.contains_key(module) {
                        self.module(name, module);
                    } else {
                        self.facts.bound.insert(name);
                    }
                }
            }
            Stmt::ImportFrom(i) => {
                let module = i.module.as_ref().map_or("", |m| m.as_str());
                self.facts.numpy |= module == "numpy";
                self.facts.postponed |= module == "__future__";
                for alias in &i.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    match module {
                        "typing" => _ = self.facts.typing.insert(name),
                        "__future__" => {}
                        _ => {
                            let host = self.host;
                            let all = name == "*" && module != "numpy";
                            if !all
                                && (module == "math" || host.modules.contains_key(module))
                                && let Err(refused) = member(module, &alias.name, host)
                            {
                                self.refused.get_or_insert(refused);
                            }
                            if all {
                                // what the star binds is the host's
                                continue;
                            }
                            self.facts.bound.insert(name);
                        }
                    }
                }
            }
            Stmt::Try(t) => {
                for handler in &t.handlers {
                    let name = handler.as_except_handler().and_then(|h| h.name.as_ref());
                    self.facts.bound.extend(name.map(|n| n.as_str()));
                }
            }
            _ => {}
        }
        let inner = u32::from(stmt.is_function_def_stmt());
        self.depth += inner;
        walk_stmt(self, stmt);
        self.depth -= inner;
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(n) if n.ctx == ExprContext::Store => {
                self.facts.bound.insert(&n.id);
            }
            Expr::Name(n) => {
                let alias = self.host.aliases.get(n.id.as_str());
                self.facts.numpy |= alias.is_some_and(|m| m == "numpy");
                if self.depth > 1 {
                    self.facts.captured.insert(&n.id);
                }
            }
            Expr::Attribute(a) if a.ctx == ExprContext::Store => {
                self.facts.attributes.insert(&a.attr);
            }
            _ => {}
        }
        let inner = u32::from(matches!(
            expr,
            Expr::Lambda(_) | Expr::ListComp(_) | Expr::DictComp(_) | Expr::Generator(_)
        ));
        self.depth += inner;
        walk_expr(self, expr);
        self.depth -= inner;
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.facts.bound.insert(&parameter.name);
        walk_parameter(self, parameter);
    }
}
