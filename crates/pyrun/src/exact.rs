//! Which programs the first tier answers as CPython does, and what must stand in their texts for it to do so.
//!
//! The interpreter differs from CPython in much: iterators are lists, sets keep their order, powers and quotients are
//! rounded otherwise. So nothing runs there but what is known to agree, by name: [`check`] walks the program and refuses the
//! first thing that is not on the lists of [`known`]. Operators and builtins that agree for some operands alone are rewritten
//! to functions that look at them (`guard.py`). Everything refused is the second tier's.

use std::collections::BTreeSet;

use ruff_python_ast::{
    Arguments, CmpOp, Comprehension, Expr, ExprCall, InterpolatedStringElement, Number, Stmt,
    UnaryOp,
};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::Failure;
use facts::Facts;
use shape::{brackets, is_decimal, is_join, is_truth, name_is_plain};

mod annotation;
mod facts;
mod known;
mod operators;
mod shape;
mod statements;

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
) -> Result<(Exact, Edits), Failure> {
    if source.contains(MARK) || brackets(source) > MAX_BRACKETS {
        return Err(Failure::unsupported("a text of this shape"));
    }
    let facts = Facts::gather(body, host)?;
    let mut walk = Walk {
        source,
        host,
        facts,
        whole,
        edits: Edits::new(),
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
    walk.out.edited = !walk.edits.is_empty();
    walk.out.numpy = walk.facts.numpy;
    walk.out.captured = walk.facts.captured.iter().map(|&n| n.to_owned()).collect();
    walk.out.callables = walk.facts.callables.iter().map(|&n| n.to_owned()).collect();
    Ok((walk.out, walk.edits))
}

/// Whether programs reach this member of a module that CPython may have itself.
pub(crate) fn is_member(module: &str, name: &str) -> bool {
    module != "numpy" || known::NUMPY.contains(&name)
}

/// How the names of `guard.py` begin.
pub(crate) const MARK: &str = "_pyrun";
/// Whole numbers below it are floats without rounding: 2^53.
const EXACT: i64 = 1 << 53;
/// How deep brackets and expressions may nest: CPython's parser has limits near 100.
const MAX_BRACKETS: usize = 80;
const MAX_DEPTH: u32 = 80;
/// How deep loops may nest: CPython's compiler stops at 20 blocks.
const MAX_NESTED: u32 = 15;

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
            return Err(Failure::unsupported("an expression this deep"));
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
    edits: Edits,
    out: Exact,
}

impl<'a> Walk<'a> {
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
            _ => Err(Failure::unsupported("a target of this kind")),
        }
    }

    fn expr(&mut self, e: &'a Expr, at: At) -> Checked {
        let at = at.inner()?;
        match e {
            Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) => Ok(()),
            Expr::NumberLiteral(n) => match &n.value {
                Number::Int(i) if i.as_i64().is_some_and(|i| i < EXACT) => Ok(()),
                Number::Float(x) if x.is_finite() => Ok(()),
                _ => Err(Failure::unsupported("a number of this kind")),
            },
            Expr::StringLiteral(s) if s.value.to_str().is_ascii() => Ok(()),
            Expr::Name(n) => self.name(&n.id, n.range()),
            Expr::BoolOp(b) => b.values.iter().try_for_each(|e| self.expr(e, at)),
            Expr::BinOp(b) => self.binary(b, at),
            Expr::UnaryOp(u) => {
                // the truth values of numpy have operators of their own
                let numpys = self.facts.numpy && u.op != UnaryOp::Not;
                if numpys && (u.op == UnaryOp::Invert || is_truth(&u.operand)) {
                    return Err(Failure::unsupported("an operator on a truth value"));
                }
                self.expr(&u.operand, at)
            }
            Expr::If(i) => [&i.test, &i.body, &i.orelse]
                .into_iter()
                .try_for_each(|e| self.expr(e, at)),
            Expr::Compare(c) => {
                let same = |op: &CmpOp| matches!(op, CmpOp::Is | CmpOp::IsNot);
                if c.ops.iter().any(same) && !self.is_comparable(&c.comparators) {
                    return Err(Failure::unsupported("`is`"));
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
                None => Err(Failure::unsupported("a comprehension of this kind")),
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
            _ => Err(Failure::unsupported(format!(
                "an expression like {}",
                self.shown(e)
            ))),
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
                return Err(Failure::unsupported("async"));
            }
            self.expr(&generator.iter, at)?;
            self.target(&generator.target, at)?;
            generator.ifs.iter().try_for_each(|e| self.expr(e, at))?;
        }
        elements.iter().try_for_each(|e| self.expr(e, at))
    }

    /// An expression whose value a container may keep as a key.
    fn key(&mut self, e: &'a Expr, container: Option<&str>, at: At) -> Checked {
        self.insert(e.start(), "_pyrun_key(");
        // a tuple needs brackets of its own there
        let bare = matches!(e, Expr::Tuple(t) if !t.parenthesized);
        if bare {
            self.insert(e.start(), "(");
        }
        self.expr(e, at.without_assigning())?;
        if bare {
            self.insert(e.end(), ")");
        }
        let container = container.map(|c| format!(", {c}")).unwrap_or_default();
        self.insert(e.end(), &format!("{container})"));
        Ok(())
    }

    fn name(&mut self, name: &'a str, range: TextRange) -> Checked {
        name_is_plain(name)?;
        if self.facts.modules.contains_key(name) || self.facts.typing.contains(name) {
            return Err(Failure::unsupported(format!("{name} as a value")));
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
            return Err(Failure::unsupported(name));
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
        Err(Failure::unsupported(format!("the attribute {attr}")))
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
            (Some("isinstance"), _) => return Err(Failure::unsupported("isinstance")),
            (Some("float" | "int"), [Expr::StringLiteral(s)]) if !is_decimal(s.value.to_str()) => {
                return Err(Failure::unsupported("a number read from a text"));
            }
            (Some("int" | "print"), args) if args.len() > 1 => {
                return Err(Failure::unsupported("a call of this kind"));
            }
            (Some("str"), _) if self.facts.numpy => {
                return Err(Failure::unsupported("the text of a number of numpy"));
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
                    return Err(Failure::unsupported("a text with a format"));
                }
                self.needs("_pyrun_str");
                self.insert(i.expression.start(), "_pyrun_str(");
                self.expr(&i.expression, at.without_assigning())?;
                self.insert(i.expression.end(), ")");
                Ok(())
            }
            InterpolatedStringElement::Literal(_) => {
                Err(Failure::unsupported("a text that is not ASCII"))
            }
        }
    }

    fn needs(&mut self, guard: &str) {
        self.out.guards.insert(guard.to_owned());
    }

    fn insert(&mut self, place: TextSize, text: &str) {
        self.replace(TextRange::empty(place), text);
    }

    fn replace(&mut self, range: TextRange, text: &str) {
        self.edits.push((range, text.to_owned()));
    }

    fn shown(&self, e: &Expr) -> String {
        self.source[e.range()].chars().take(40).collect()
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
