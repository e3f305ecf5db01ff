//! Which programs the first tier answers as CPython does, and what must stand in their texts for it to do so.
//!
//! The interpreter differs from CPython in much: iterators are lists, sets keep their order, powers and quotients are
//! rounded otherwise. So nothing runs there but what is known to agree, by name: [`check`] walks the program and refuses the
//! first thing that is not on the lists of [`known`]. Operators and builtins that agree for some operands alone are rewritten
//! to functions that look at them (`guard.py`). Everything refused is the second tier's.

use std::collections::BTreeSet;

use ruff_python_ast::{
    Arguments, CmpOp, Comprehension, ExceptHandler, Expr, ExprBinOp, ExprCall,
    InterpolatedStringElement, Number, Operator, Parameters, Stmt, StmtAugAssign, StmtClassDef,
    StmtFunctionDef, StmtTry, UnaryOp,
};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::Failure;
use facts::Facts;

mod annotation;
mod facts;
mod known;

/// Replacements of parts of a text. Of two at one place, the earlier in the list stands first.
pub(crate) type Edits = Vec<(TextRange, String)>;

/// What a program may use of the host's.
pub(crate) struct Host {
    /// The modules that it may import, and the names that it may take from each.
    pub(crate) modules: HashMap<String, HashSet<String>>,
    /// Names that it finds bound.
    pub(crate) names: HashSet<String>,
    /// Those of them that are modules.
    pub(crate) aliases: HashMap<String, String>,
    /// Attributes of what the host hands out.
    pub(crate) attributes: HashSet<String>,
}

/// What must be known of a program once it has run.
#[derive(Default)]
pub(crate) struct Exact {
    pub(crate) edits: Edits,
    /// The function that is called.
    pub(crate) entry: String,
    /// Functions and classes that it defines: the interpreter calls them as CPython does.
    pub(crate) callables: HashSet<String>,
    /// Names that functions within functions read.
    pub(crate) captured: HashSet<String>,
    /// Whether it uses numpy, whose scalars answer otherwise where Python's numbers raise.
    pub(crate) numpy: bool,
    /// Whether it uses names that nothing binds: the interpreter misses the name of a function after its arguments.
    pub(crate) unbound: bool,
    /// Whether its text supposes whole numbers: it raises a `TypeError` about `&` where there are others.
    pub(crate) supposes: bool,
    /// Whether operators in its text compare what they are given.
    pub(crate) edited: bool,
    /// The functions of `guard.py` that its text calls.
    pub(crate) guards: BTreeSet<String>,
}

/// Refuses what the interpreter is not known to do as CPython does, and says what must be rewritten.
///
/// `whole` supposes that what is raised to small powers are whole numbers; where one is not, the text raises what
/// [`Exact::supposes`] tells, and must be made again without.
pub(crate) fn check(
    source: &str,
    body: &[Stmt],
    host: &Host,
    whole: bool,
) -> Result<Exact, Failure> {
    if source.contains(MARK) || brackets(source) > MAX_BRACKETS {
        return Err(gap("a text of this shape"));
    }
    let facts = Facts::gather(body, host)?;
    let mut walk = Walk {
        source,
        host,
        facts,
        whole,
        out: Exact::default(),
    };
    let at = At {
        depth: 0,
        nested: 0,
        assigns: true,
        class: false,
        function: false,
    };
    walk.block(body, at)?;
    walk.out.edited = !walk.out.edits.is_empty();
    walk.out.numpy = walk.facts.numpy;
    walk.out.captured = walk.facts.captured.iter().map(|&n| n.to_owned()).collect();
    walk.out.callables = walk.facts.callables.iter().map(|&n| n.to_owned()).collect();
    Ok(walk.out)
}

/// Whether programs reach this member of a module that CPython may have itself.
pub(crate) fn is_member(module: &str, name: &str) -> bool {
    module != "numpy" || known::NUMPY.contains(&name)
}

/// How the names of `guard.py` begin.
const MARK: &str = "_pyrun";
/// Whole numbers below it are floats without rounding: 2^53.
const EXACT: i64 = 1 << 53;
/// How deep brackets and expressions may nest: CPython's parser has limits near 100.
const MAX_BRACKETS: usize = 80;
const MAX_DEPTH: u32 = 80;
/// How deep loops may nest: CPython's compiler stops at 20 blocks.
const MAX_NESTED: u32 = 15;

fn gap(what: impl Into<String>) -> Failure {
    Failure::Unsupported {
        feature: what.into(),
    }
}

type Checked = Result<(), Failure>;

/// Where a statement or an expression stands.
#[derive(Clone, Copy)]
struct At {
    depth: u32,
    nested: u32,
    /// Whether `:=` may stand here.
    assigns: bool,
    class: bool,
    function: bool,
}

impl At {
    fn inner(self) -> Result<At, Failure> {
        if self.depth == MAX_DEPTH {
            return Err(gap("an expression this deep"));
        }
        Ok(At {
            depth: self.depth + 1,
            ..self
        })
    }

    fn without_assigning(self) -> At {
        At {
            assigns: false,
            ..self
        }
    }
}

struct Walk<'a> {
    source: &'a str,
    host: &'a Host,
    facts: Facts<'a>,
    whole: bool,
    out: Exact,
}

impl<'a> Walk<'a> {
    fn block(&mut self, body: &'a [Stmt], at: At) -> Checked {
        body.iter().try_for_each(|s| self.statement(s, at))
    }

    fn nested(&mut self, body: &'a [Stmt], at: At) -> Checked {
        let nested = at.nested + 1;
        if nested > MAX_NESTED {
            return Err(gap("blocks this deep"));
        }
        self.block(body, At { nested, ..at })
    }

    fn statement(&mut self, stmt: &'a Stmt, at: At) -> Checked {
        if at.class && !matches!(stmt, Stmt::FunctionDef(_) | Stmt::Assign(_) | Stmt::Pass(_)) {
            let text = matches!(stmt, Stmt::Expr(s) if s.value.is_string_literal_expr());
            return if text {
                Ok(())
            } else {
                Err(gap("a statement in a class"))
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
                    return Err(gap("a computed value in a class"));
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
            _ => Err(gap(format!("a statement of the kind {}", kind(stmt)))),
        }
    }

    fn function(&mut self, f: &'a StmtFunctionDef, at: At) -> Checked {
        if f.is_async || !f.decorator_list.is_empty() || f.type_params.is_some() {
            return Err(gap("a function of this kind"));
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

    fn parameters(&mut self, parameters: &'a Parameters, at: At) -> Checked {
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
            return Err(gap("a class of this kind"));
        }
        for stmt in &c.body {
            if let Stmt::FunctionDef(f) = stmt
                && f.name.starts_with("__")
                && f.name.as_str() != "__init__"
            {
                return Err(gap(format!("the special method {}", f.name)));
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
            return Err(gap("a try of this kind"));
        }
        self.nested(&s.body, at)?;
        for handler in &s.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            match &handler.type_ {
                Some(kinds) => {
                    self.needs("_pyrun_caught");
                    self.open(kinds.start(), "_pyrun_caught(");
                    self.expr(kinds, at.inner()?.without_assigning())?;
                    self.close(kinds.end(), ")");
                }
                None => self.open(handler.start() + TextSize::of("except"), " _pyrun_gap()"),
            }
            self.nested(&handler.body, at)?;
        }
        self.block(&s.orelse, at)
    }

    fn aug_assign(&mut self, s: &'a StmtAugAssign, at: At) -> Checked {
        self.target(&s.target, at)?;
        let function = match s.op {
            Operator::Add | Operator::Sub | Operator::Mod => return self.expr(&s.value, at),
            Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::RShift
                if !self.facts.numpy =>
            {
                return self.expr(&s.value, at);
            }
            Operator::Mult => "_pyrun_mul",
            Operator::Div => "_pyrun_div",
            Operator::FloorDiv => "_pyrun_floordiv",
            Operator::Pow => self.power(),
            _ => return Err(gap("an operator of this kind")),
        };
        let Expr::Name(target) = &*s.target else {
            return Err(gap("an operator of this kind on a part"));
        };
        let token = format!("{}=", s.op.as_str());
        let op = self.token(s.target.end(), &token)?;
        self.needs(function);
        self.replace(op, &format!("= {function}({}, ", target.id));
        self.expr(&s.value, at)?;
        self.close(s.range().end(), ")");
        Ok(())
    }

    fn target(&mut self, e: &'a Expr, at: At) -> Checked {
        match e {
            Expr::Name(n) => name_is_plain(&n.id),
            Expr::Tuple(t) => t.elts.iter().try_for_each(|e| self.target(e, at)),
            Expr::List(l) => l.elts.iter().try_for_each(|e| self.target(e, at)),
            Expr::Starred(s) => self.target(&s.value, at),
            Expr::Attribute(a) => {
                name_is_plain(&a.attr)?;
                self.expr(&a.value, at.inner()?)
            }
            Expr::Subscript(s) if !s.slice.is_slice_expr() => {
                let at = at.inner()?;
                self.expr(&s.value, at)?;
                let container = s.value.as_name_expr().map(|n| n.id.as_str());
                self.key(&s.slice, container, at)
            }
            _ => Err(gap("a target of this kind")),
        }
    }

    fn expr(&mut self, e: &'a Expr, at: At) -> Checked {
        let at = at.inner()?;
        match e {
            Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) => Ok(()),
            Expr::NumberLiteral(n) => match &n.value {
                Number::Int(i) if i.as_i64().is_some_and(|i| i < EXACT) => Ok(()),
                Number::Float(x) if x.is_finite() => Ok(()),
                _ => Err(gap("a number of this kind")),
            },
            Expr::StringLiteral(s) if s.value.to_str().is_ascii() => Ok(()),
            Expr::Name(n) => self.name(&n.id, n.range()),
            Expr::BoolOp(b) => b.values.iter().try_for_each(|e| self.expr(e, at)),
            Expr::BinOp(b) => self.binary(b, at),
            Expr::UnaryOp(u) => {
                // the truth values of numpy have operators of their own
                let numpys = self.facts.numpy && u.op != UnaryOp::Not;
                if numpys && (u.op == UnaryOp::Invert || is_truth(&u.operand)) {
                    return Err(gap("an operator on a truth value"));
                }
                self.expr(&u.operand, at)
            }
            Expr::If(i) => [&i.test, &i.body, &i.orelse]
                .into_iter()
                .try_for_each(|e| self.expr(e, at)),
            Expr::Compare(c) => {
                let same = |op: &CmpOp| matches!(op, CmpOp::Is | CmpOp::IsNot);
                if c.ops.iter().any(same) && !self.is_comparable(&c.comparators) {
                    return Err(gap("`is`"));
                }
                self.expr(&c.left, at)?;
                c.comparators.iter().try_for_each(|e| self.expr(e, at))
            }
            Expr::Lambda(l) => {
                let parameters = l.parameters.iter();
                parameters
                    .into_iter()
                    .try_for_each(|p| self.parameters(p, at.without_assigning()))?;
                self.expr(&l.body, at.without_assigning())
            }
            Expr::Dict(d) => d.items.iter().try_for_each(|item| {
                item.key.iter().try_for_each(|k| self.key(k, None, at))?;
                self.expr(&item.value, at)
            }),
            Expr::List(l) => l.elts.iter().try_for_each(|e| self.expr(e, at)),
            Expr::Tuple(t) => t.elts.iter().try_for_each(|e| self.expr(e, at)),
            Expr::Starred(s) => self.expr(&s.value, at),
            Expr::ListComp(l) => self.comprehension(&[&l.elt], &l.generators, at),
            Expr::DictComp(d) => match &d.key {
                Some(key) => {
                    self.comprehension(&[&d.value], &d.generators, at)?;
                    self.key(key, None, at.without_assigning())
                }
                None => Err(gap("a comprehension of this kind")),
            },
            Expr::Call(c) => self.call(c, at),
            Expr::FString(f) => f
                .value
                .elements()
                .try_for_each(|element| self.interpolation(element, at)),
            Expr::Attribute(a) => self.attribute(&a.value, &a.attr, at),
            Expr::Subscript(s) => {
                self.expr(&s.value, at)?;
                match &*s.slice {
                    Expr::Slice(slice) => [&slice.lower, &slice.upper, &slice.step]
                        .into_iter()
                        .flatten()
                        .try_for_each(|e| self.expr(e, at)),
                    index => self.expr(index, at),
                }
            }
            Expr::Named(n) if at.assigns => {
                self.expr(&n.value, at)?;
                self.target(&n.target, at)
            }
            _ => Err(gap(format!("an expression like {}", self.shown(e)))),
        }
    }

    fn comprehension(
        &mut self,
        elements: &[&'a Expr],
        generators: &'a [Comprehension],
        at: At,
    ) -> Checked {
        let at = at.without_assigning();
        for generator in generators {
            if generator.is_async {
                return Err(gap("async"));
            }
            self.expr(&generator.iter, at)?;
            self.target(&generator.target, at)?;
            generator.ifs.iter().try_for_each(|e| self.expr(e, at))?;
        }
        elements.iter().try_for_each(|e| self.expr(e, at))
    }

    /// An expression whose value a container may keep as a key.
    fn key(&mut self, e: &'a Expr, container: Option<&str>, at: At) -> Checked {
        self.open(e.start(), "_pyrun_key(");
        // a tuple needs brackets of its own there
        let bare = matches!(e, Expr::Tuple(t) if !t.parenthesized);
        if bare {
            self.open(e.start(), "(");
        }
        self.expr(e, at.without_assigning())?;
        if bare {
            self.close(e.end(), ")");
        }
        let container = container.map(|c| format!(", {c}")).unwrap_or_default();
        self.close(e.end(), &format!("{container})"));
        Ok(())
    }

    fn name(&mut self, name: &'a str, range: TextRange) -> Checked {
        name_is_plain(name)?;
        if self.facts.modules.contains_key(name) || self.facts.typing.contains(name) {
            return Err(gap(format!("{name} as a value")));
        }
        if self.facts.bound.contains(name) {
            return Ok(());
        }
        if known::GUARDED.contains(&name) {
            let guard = format!("_pyrun_{name}");
            self.replace(range, &guard);
            self.needs(&guard);
            return Ok(());
        }
        if known::BUILTINS.contains(&name) || self.host.names.contains(name) {
            return Ok(());
        }
        if known::IN_CPYTHON.contains(&name) {
            return Err(gap(name));
        }
        self.out.unbound = true;
        Ok(())
    }

    fn attribute(&mut self, value: &'a Expr, attr: &'a str, at: At) -> Checked {
        name_is_plain(attr)?;
        if let Expr::Name(n) = value
            && let Some(module) = self.facts.modules.get(n.id.as_str()).copied()
        {
            return facts::member(module, attr, self.host);
        }
        let knows = |known: &HashSet<String>| known.contains(attr);
        if known::METHODS.contains(&attr)
            || knows(&self.host.attributes)
            || self.facts.attributes.contains(attr)
        {
            return self.expr(value, at);
        }
        Err(gap(format!("the attribute {attr}")))
    }

    fn call(&mut self, call: &'a ExprCall, at: At) -> Checked {
        let Arguments { args, keywords, .. } = &call.arguments;
        self.expr(&call.func, at)?;
        let builtin = match &*call.func {
            Expr::Name(n) if !self.facts.bound.contains(n.id.as_str()) => Some(n.id.as_str()),
            _ => None,
        };
        match (builtin, &**args) {
            // what takes all elements at once may have them from a list
            (Some(name), [Expr::Generator(g)])
                if known::CONSUMERS.contains(&name) && keywords.is_empty() =>
            {
                return self.comprehension(&[&g.elt], &g.generators, at);
            }
            (None, [Expr::Generator(g)]) if is_join(&call.func) => {
                return self.comprehension(&[&g.elt], &g.generators, at);
            }
            (Some("isinstance"), [value, kinds])
                if !self.facts.numpy && self.is_kind(kinds) && keywords.is_empty() =>
            {
                return self.expr(value, at);
            }
            (Some("isinstance"), _) => return Err(gap("isinstance")),
            (Some("float" | "int"), [Expr::StringLiteral(s)]) if !is_decimal(s.value.to_str()) => {
                return Err(gap("a number read from a text"));
            }
            (Some("int" | "print"), args) if args.len() > 1 => {
                return Err(gap("a call of this kind"));
            }
            (Some("str"), _) if self.facts.numpy => {
                return Err(gap("the text of a number of numpy"));
            }
            _ => {}
        }
        args.iter().try_for_each(|e| self.expr(e, at))?;
        keywords.iter().try_for_each(|k| self.expr(&k.value, at))
    }

    fn interpolation(&mut self, element: &'a InterpolatedStringElement, at: At) -> Checked {
        match element {
            InterpolatedStringElement::Literal(l) if l.value.is_ascii() => Ok(()),
            InterpolatedStringElement::Interpolation(i) => {
                let text = &self.source[i.range];
                let plain = i.debug_text.is_none()
                    && i.format_spec.is_none()
                    && i.conversion.is_none()
                    // before 3.12 they may not stand there
                    && !text.contains(['"', '\'', '\\', '\n', '#']);
                if self.facts.numpy || !plain {
                    return Err(gap("a text with a format"));
                }
                self.needs("_pyrun_str");
                self.open(i.expression.start(), "_pyrun_str(");
                self.expr(&i.expression, at.without_assigning())?;
                self.close(i.expression.end(), ")");
                Ok(())
            }
            InterpolatedStringElement::Literal(_) => Err(gap("a text that is not ASCII")),
        }
    }

    fn binary(&mut self, b: &'a ExprBinOp, at: At) -> Checked {
        let text = |e: &Expr| e.is_string_literal_expr() || e.is_f_string_expr();
        let float = self.is_float(&b.left) || self.is_float(&b.right);
        let numbers = number(&b.left).is_some() && number(&b.right).is_some();
        match b.op {
            Operator::Add | Operator::Sub => self.both(b, at),
            Operator::Mod if !text(&b.left) => self.both(b, at),
            Operator::BitAnd | Operator::BitOr | Operator::BitXor | Operator::RShift
                if !self.facts.numpy =>
            {
                self.both(b, at)
            }
            Operator::Mult if is_sequence(&b.left) || is_sequence(&b.right) => {
                if self.facts.numpy {
                    return Err(gap("a sequence times a number"));
                }
                self.both(b, at)
            }
            Operator::Mult | Operator::Div if float => self.both(b, at),
            Operator::Mult if numbers => self.both(b, at),
            Operator::Mult if at.assigns => {
                self.open(b.start(), &format!("(_pyrun_t if -{EXACT} < (_pyrun_t := "));
                self.both(b, at)?;
                self.close(b.end(), &format!(") < {EXACT} else _pyrun_gap())"));
                Ok(())
            }
            Operator::Mult => self.replaced(b, "_pyrun_mul", at),
            Operator::Div => match number(&b.right) {
                Some(n) if n > 0 && at.assigns => {
                    let most = EXACT / n;
                    self.open(b.start(), &format!("(_pyrun_t if -{most} < (_pyrun_t := "));
                    self.both(b, at)?;
                    self.close(b.end(), &format!(") < {most} else _pyrun_gap())"));
                    Ok(())
                }
                _ => self.replaced(b, "_pyrun_div", at),
            },
            Operator::FloorDiv => self.replaced(b, "_pyrun_floordiv", at),
            Operator::Pow => match number(&b.right) {
                Some(_) if self.is_float(&b.left) => self.replaced(b, "_pyrun_cpow", at),
                // whole numbers are the common case; of a float there is no `&`
                Some(n @ 2..=8) if self.whole => {
                    self.out.supposes = true;
                    self.open(b.start(), "((");
                    self.expr(&b.left, at)?;
                    let op = self.token(b.left.end(), "**")?;
                    let rest = TextRange::new(op.start(), b.end());
                    self.replace(rest, &format!(" & -1) ** {n})"));
                    Ok(())
                }
                Some(n @ 2..=8) if at.assigns => {
                    // a power of a float is the C library's, whose last bit may differ from the product's
                    self.open(b.start(), &format!("(_pyrun_t ** {n} if (_pyrun_t := "));
                    self.expr(&b.left, at)?;
                    let op = self.token(b.left.end(), "**")?;
                    let rest = TextRange::new(op.start(), b.end());
                    let most = (EXACT as f64).powf(1.0 / n as f64) as i64 - 1;
                    let text = format!(
                        ") in _pyrun_small else _pyrun_cpow(_pyrun_t, {n}) if type(_pyrun_t) is float \
                         else _pyrun_t ** {n} if type(_pyrun_t) is int and -{most} < _pyrun_t < {most} \
                         else _pyrun_gap())"
                    );
                    self.replace(rest, &text);
                    Ok(())
                }
                _ => self.replaced(b, self.power(), at),
            },
            _ => Err(gap(format!("the operator {}", b.op.as_str()))),
        }
    }

    fn power(&self) -> &'static str {
        match self.facts.numpy {
            true => "_pyrun_pow_numpy",
            false => "_pyrun_pow",
        }
    }

    fn both(&mut self, b: &'a ExprBinOp, at: At) -> Checked {
        self.expr(&b.left, at)?;
        self.expr(&b.right, at)
    }

    /// `left op right` becomes `function(left, right)`.
    fn replaced(&mut self, b: &'a ExprBinOp, function: &str, at: At) -> Checked {
        self.needs(function);
        self.open(b.start(), &format!("{function}("));
        self.expr(&b.left, at)?;
        let op = self.token(b.left.end(), b.op.as_str())?;
        self.replace(op, ",");
        self.expr(&b.right, at)?;
        self.close(b.end(), ")");
        Ok(())
    }

    /// Where the operator `text` stands: after `from`, white space, closing brackets and comments.
    fn token(&self, from: TextSize, text: &str) -> Result<TextRange, Failure> {
        let mut at = usize::from(from);
        let bytes = self.source.as_bytes();
        while let Some(byte) = bytes.get(at) {
            if self.source[at..].starts_with(text) {
                let start = TextSize::new(at as u32);
                return Ok(TextRange::at(start, TextSize::of(text)));
            }
            match byte {
                b'#' => {
                    at += self.source[at..]
                        .find('\n')
                        .unwrap_or(self.source.len() - at)
                }
                b')' | b' ' | b'\t' | b'\n' | b'\r' | b'\\' | b'\x0c' => at += 1,
                _ => break,
            }
        }
        Err(gap("an operator written so"))
    }

    fn needs(&mut self, guard: &str) {
        self.out.guards.insert(guard.to_owned());
    }

    fn open(&mut self, place: TextSize, text: &str) {
        self.replace(TextRange::empty(place), text);
    }

    fn close(&mut self, place: TextSize, text: &str) {
        self.replace(TextRange::empty(place), text);
    }

    fn replace(&mut self, range: TextRange, text: &str) {
        self.out.edits.push((range, text.to_owned()));
    }

    fn shown(&self, e: &Expr) -> String {
        self.source[e.range()].chars().take(40).collect()
    }

    /// Whether the value is a float wherever the expression has one.
    fn is_float(&self, e: &Expr) -> bool {
        match e {
            Expr::NumberLiteral(n) => matches!(n.value, Number::Float(_)),
            Expr::UnaryOp(u) => u.op != UnaryOp::Not && self.is_float(&u.operand),
            Expr::BinOp(b) => match b.op {
                Operator::Add | Operator::Sub | Operator::Mult | Operator::Div => {
                    self.is_float(&b.left) || self.is_float(&b.right)
                }
                _ => false,
            },
            Expr::Attribute(a) => {
                self.is_math(&a.value) && known::CONSTANTS.contains(&a.attr.as_str())
            }
            Expr::Call(c) => match &*c.func {
                Expr::Name(n) => n.id.as_str() == "float" && !self.facts.bound.contains("float"),
                Expr::Attribute(a) => {
                    self.is_math(&a.value) && known::OF_FLOATS.contains(&a.attr.as_str())
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn is_math(&self, e: &Expr) -> bool {
        matches!(e, Expr::Name(n) if self.facts.modules.get(n.id.as_str()) == Some(&"math"))
    }

    /// Whether `is` means the same everywhere.
    fn is_comparable(&self, with: &[Expr]) -> bool {
        with.iter()
            .all(|e| e.is_none_literal_expr() || (e.is_boolean_literal_expr() && !self.facts.numpy))
    }

    /// Whether an expression names types that both know.
    fn is_kind(&self, e: &Expr) -> bool {
        match e {
            Expr::Name(n) => {
                let name = n.id.as_str();
                self.facts.classes.contains(name)
                    || (known::KINDS.contains(&name) && !self.facts.bound.contains(name))
            }
            Expr::Tuple(t) => t.elts.iter().all(|e| self.is_kind(e)),
            _ => false,
        }
    }
}

fn number(e: &Expr) -> Option<i64> {
    match e {
        Expr::NumberLiteral(n) => match &n.value {
            Number::Int(i) => i.as_i64(),
            _ => None,
        },
        _ => None,
    }
}

fn is_sequence(e: &Expr) -> bool {
    e.is_list_expr()
        || e.is_tuple_expr()
        || e.is_string_literal_expr()
        || e.is_list_comp_expr()
        || e.is_f_string_expr()
}

fn is_truth(e: &Expr) -> bool {
    e.is_compare_expr()
        || e.is_bool_op_expr()
        || matches!(e, Expr::UnaryOp(u) if u.op == UnaryOp::Not)
}

/// Whether a class may bind this value: neither a scope of its own nor a name.
fn is_simple(e: &Expr) -> bool {
    match e {
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::UnaryOp(u) => is_simple(&u.operand),
        Expr::List(l) => l.elts.iter().all(is_simple),
        Expr::Tuple(t) => t.elts.iter().all(is_simple),
        _ => false,
    }
}

fn is_join(e: &Expr) -> bool {
    matches!(e, Expr::Attribute(a) if a.attr.as_str() == "join" && a.value.is_string_literal_expr())
}

fn is_decimal(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    !text.is_empty() && text.len() < 16 && text.chars().all(plain)
}

/// Names that are compared by their letters alone, and that neither CPython nor `guard.py` treats as its own.
fn name_is_plain(name: &str) -> Checked {
    if name.is_ascii() && !name.starts_with("__") {
        return Ok(());
    }
    Err(gap(format!("the name {name}")))
}

fn kind(stmt: &Stmt) -> &'static str {
    match stmt {
        Stmt::With(_) => "with",
        Stmt::Match(_) => "match",
        Stmt::Delete(_) => "del",
        Stmt::Raise(_) => "raise from",
        Stmt::For(_) => "async for",
        _ => "other",
    }
}

/// How deep brackets nest at most; what stands in texts and comments counts too.
fn brackets(source: &str) -> usize {
    let (mut depth, mut most) = (0usize, 0);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                most = most.max(depth);
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}
