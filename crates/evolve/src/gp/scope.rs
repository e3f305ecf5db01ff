//! Names: which scope binds them, where they are visible, what kind of value they hold.

use std::cell::RefCell;
use std::collections::HashMap;

use ruff_python_ast::{self as ast, Expr, Number, Operator, UnaryOp};

use super::outline::{Node, Outline, Sink};
use super::signature::Signature;

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

/// The rough kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base<'a> {
    Unknown,
    Bool,
    Int,
    Float,
    Text,
    Function,
    Module,
    /// What calls of this name return.
    Result(&'a str),
}

/// A rough kind within so many lists, tuples or dictionaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type<'a> {
    pub(super) base: Base<'a>,
    pub(super) depth: u8,
}

impl<'a> Type<'a> {
    pub(super) const UNKNOWN: Self = Self::of(Base::Unknown);

    const fn of(base: Base<'a>) -> Self {
        Self { base, depth: 0 }
    }

    fn listed(self) -> Self {
        Self {
            depth: self.depth.saturating_add(1),
            ..self
        }
    }

    fn element(self) -> Self {
        match self.depth {
            0 => Self::UNKNOWN,
            depth => Self {
                depth: depth - 1,
                ..self
            },
        }
    }

    pub(super) fn is_known(self) -> bool {
        self.base != Base::Unknown
    }

    pub(super) fn is_number(self) -> bool {
        self.depth == 0 && matches!(self.base, Base::Int | Base::Float)
    }

    /// What both can pass for; the more general of two numbers, the known of two.
    fn join(self, other: Self) -> Self {
        if !self.is_known() && self.depth <= other.depth {
            return other;
        }
        if self.is_number() && other.is_number() && self != other {
            return Self::of(Base::Float);
        }
        self
    }

    /// Whether a value of this kind may stand where one of kind `slot` stood.
    pub(super) fn fits(self, slot: Self, whole: bool) -> bool {
        if self.is_number() && slot.is_number() {
            return !whole || self.base == Base::Int;
        }
        self == slot && self.is_known()
    }
}

/// Answers questions on the names of an outline; remembers the kinds it has found.
pub(super) struct Names<'o, 'a> {
    pub(super) outline: &'o Outline<'a>,
    host: &'o HashMap<String, Signature>,
    known: RefCell<HashMap<(usize, &'a str), Type<'a>>>,
    whole: RefCell<Option<Vec<(usize, &'a str)>>>,
}

impl<'o, 'a> Names<'o, 'a> {
    pub(super) fn new(outline: &'o Outline<'a>, host: &'o HashMap<String, Signature>) -> Self {
        Self {
            outline,
            host,
            known: RefCell::default(),
            whole: RefCell::default(),
        }
    }

    fn scope(&self, id: usize) -> &'o Scope<'a> {
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

    /// The kind of what `name` holds, where scope `home` binds it.
    pub(super) fn type_of_name(&self, home: usize, name: &'a str) -> Type<'a> {
        if let Some(known) = self.known.borrow().get(&(home, name)) {
            return *known;
        }
        self.known.borrow_mut().insert((home, name), Type::UNKNOWN); // ends cycles
        let scope = self.scope(home);
        let mut found = Type::UNKNOWN;
        for b in scope.bindings.iter().filter(|b| b.name == name) {
            found = found.join(match b.source {
                Source::Value(e) => self.type_of(e, home),
                Source::Element(e) => self.type_of(e, home).element(),
                Source::Function(_) => Type::of(Base::Function),
                Source::Module => Type::of(Base::Module),
                Source::Parameter(function, index, default) => {
                    self.type_of_parameter(scope, function, index, default)
                }
                Source::Opaque => Type::UNKNOWN,
            });
        }
        if found.base == Base::Unknown && found.depth > 0 {
            for (_, item) in scope.items.iter().filter(|(n, _)| *n == name) {
                found = found.join(self.type_of(item, home).listed());
            }
        }
        if found == Type::UNKNOWN {
            let used = |uses: &[(usize, &'a str)]| {
                uses.iter()
                    .any(|(s, n)| *n == name && self.resolve(*s, n) == Some(home))
            };
            if used(&self.outline.whole) {
                found = Type::of(Base::Int);
            } else if used(&self.outline.numeric) {
                found = Type::of(Base::Float);
            }
        }
        self.known.borrow_mut().insert((home, name), found);
        found
    }

    fn type_of_parameter(
        &self,
        scope: &Scope<'a>,
        function: Option<&str>,
        index: Option<usize>,
        default: Option<&'a Expr>,
    ) -> Type<'a> {
        let outer = scope.parent.unwrap_or(0);
        let mut found = default.map_or(Type::UNKNOWN, |e| self.type_of(e, outer));
        let (Some(function), Some(index)) = (function, index) else {
            return found;
        };
        let calls = self.outline.calls.iter().filter_map(|(call, s)| {
            let named = matches!(&*call.func, Expr::Name(n) if n.id.as_str() == function);
            Some((call.arguments.args.get(index).filter(|_| named)?, *s))
        });
        for (argument, s) in calls.take(4) {
            found = found.join(self.type_of(argument, s));
        }
        found
    }

    /// The kind of an expression's value.
    pub(super) fn type_of(&self, expr: &'a Expr, scope: usize) -> Type<'a> {
        match expr {
            Expr::NumberLiteral(n) => Type::of(match n.value {
                Number::Int(_) => Base::Int,
                Number::Float(_) => Base::Float,
                Number::Complex { .. } => Base::Unknown,
            }),
            Expr::BooleanLiteral(_) | Expr::Compare(_) => Type::of(Base::Bool),
            Expr::StringLiteral(_) | Expr::FString(_) => Type::of(Base::Text),
            Expr::Name(name) => match self.resolve(scope, &name.id) {
                Some(home) => self.type_of_name(home, &name.id),
                None => Type::UNKNOWN,
            },
            Expr::BinOp(e) => self.type_of_binary(e, scope),
            Expr::UnaryOp(e) if e.op == UnaryOp::Not => Type::of(Base::Bool),
            Expr::UnaryOp(e) => self.type_of(&e.operand, scope),
            Expr::BoolOp(e) => self.type_of(&e.values[0], scope),
            Expr::If(e) => self
                .type_of(&e.body, scope)
                .join(self.type_of(&e.orelse, scope)),
            Expr::Named(e) => self.type_of(&e.value, scope),
            Expr::Lambda(_) => Type::of(Base::Function),
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => {
                let parts = elts.iter().take(4).map(|e| self.type_of(e, scope));
                parts.fold(Type::UNKNOWN, Type::join).listed()
            }
            Expr::Dict(e) => {
                let values = e.items.iter().take(4);
                let parts = values.map(|item| self.type_of(&item.value, scope));
                parts.fold(Type::UNKNOWN, Type::join).listed()
            }
            Expr::ListComp(e) => self.type_of(&e.elt, scope).listed(),
            Expr::Subscript(e) if matches!(*e.slice, Expr::Slice(_)) => {
                self.type_of(&e.value, scope)
            }
            Expr::Subscript(e) => self.type_of(&e.value, scope).element(),
            Expr::Call(call) => self.type_of_call(call, scope),
            _ => Type::UNKNOWN,
        }
    }

    fn type_of_binary(&self, e: &'a ast::ExprBinOp, scope: usize) -> Type<'a> {
        let left = self.type_of(&e.left, scope);
        let right = self.type_of(&e.right, scope);
        if left.depth > 0 || right.depth > 0 {
            return if left.depth > 0 { left } else { right }; // lists joined or repeated
        }
        let text = Type::of(Base::Text);
        if left == text || right == text {
            return text;
        }
        let bit = matches!(
            e.op,
            Operator::BitAnd
                | Operator::BitOr
                | Operator::BitXor
                | Operator::LShift
                | Operator::RShift
        );
        match (left.base, right.base) {
            _ if bit => Type::of(Base::Int),
            (Base::Int | Base::Bool, Base::Int | Base::Bool) if e.op != Operator::Div => {
                Type::of(Base::Int)
            }
            (Base::Result(_), _) => left,
            _ => Type::of(Base::Float),
        }
    }

    fn type_of_call(&self, call: &'a ast::ExprCall, scope: usize) -> Type<'a> {
        let first = || {
            call.arguments
                .args
                .first()
                .map_or(Type::UNKNOWN, |e| self.type_of(e, scope))
        };
        match &*call.func {
            Expr::Name(name) => match self.resolve(scope, &name.id) {
                Some(home) => {
                    let inner = self
                        .scope(home)
                        .bindings
                        .iter()
                        .find_map(|b| match b.source {
                            Source::Function(inner) if b.name == name.id.as_str() => Some(inner),
                            _ => None,
                        });
                    inner.map_or(Type::of(Base::Result(&name.id)), |f| self.type_of_result(f))
                }
                None => match name.id.as_str() {
                    "int" | "len" | "round" | "ord" => Type::of(Base::Int),
                    "float" => Type::of(Base::Float),
                    "abs" => first(),
                    "min" | "max" => call
                        .arguments
                        .args
                        .iter()
                        .map(|e| self.type_of(e, scope))
                        .reduce(Type::join)
                        .unwrap_or(Type::UNKNOWN),
                    "sum" => first().element(),
                    "bool" | "any" | "all" | "isinstance" => Type::of(Base::Bool),
                    "str" | "repr" => Type::of(Base::Text),
                    "range" => Type::of(Base::Int).listed(),
                    "list" | "sorted" | "tuple" | "set" | "reversed" | "dict" => match first() {
                        Type { depth: 0, .. } => Type::UNKNOWN.listed(),
                        inner => inner,
                    },
                    other => Type::of(Base::Result(other)),
                },
            },
            Expr::Attribute(a) => {
                let module = self.type_of(&a.value, scope).base == Base::Module;
                match a.attr.as_str() {
                    "floor" | "ceil" if module => Type::of(Base::Int),
                    _ if module => Type::of(Base::Float),
                    "append" | "extend" | "insert" | "pop" => Type::UNKNOWN,
                    other => Type::of(Base::Result(other)),
                }
            }
            _ => Type::UNKNOWN,
        }
    }

    /// The kind of what a function returns, by the scope of its body.
    fn type_of_result(&self, function: usize) -> Type<'a> {
        let key = (function, "return"); // no name: a keyword
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        self.known.borrow_mut().insert(key, Type::UNKNOWN);
        let returns = self.scope(function).returns.iter();
        let found = returns
            .map(|e| self.type_of(e, function))
            .fold(Type::UNKNOWN, Type::join);
        self.known.borrow_mut().insert(key, found);
        found
    }
}
