//! The first tier as it runs inside its worker: the interpreter `monty`, one fresh session a program.
//!
//! The prelude runs once; each program starts from a copy of the session as it stood after it (restored from its
//! serialised form), so no program sees what another one did.

use monty::{Dump, MontyRepl, Session, SessionRef, dump};
use monty_types::{
    AssertMessageAnnotations, CompileOptions, MontyException, MontyObject, PrintWriter,
    ResourceLimits, ResourceTracker,
};

use crate::failure::shorten;
use crate::guard::Guards;
use crate::program::{self, Modules, Program};
use crate::value::{MAX_DEPTH, Writer};
use crate::wire::{Setup, VALUE};
use crate::{Failure, meter, trust};

/// The interpreter, ready to run programs.
pub(crate) struct Interpreter {
    setup: Setup,
    modules: Modules,
    guards: Guards,
    /// The session after the prelude.
    session: Vec<u8>,
}

impl Interpreter {
    /// Runs the prelude.
    pub(crate) fn new(setup: Setup) -> Result<Interpreter, Failure> {
        let modules = Modules::new(&setup.host)?;
        let options = CompileOptions {
            assert_message_annotations: AssertMessageAnnotations::Off,
        };
        let mut limits =
            ResourceLimits::default().max_recursion_depth(setup.limits.recursion as usize);
        // refuses one absurd allocation before it is tried; the address space limit stops the rest
        limits.max_memory = Some(setup.limits.memory_bytes as usize);
        let mut repl = MontyRepl::new("prelude", ResourceTracker::new(limits), options);
        let guards = Guards::new();
        for text in [
            &bind_builtins(&setup.host.prelude),
            &modules.prelude,
            guards.always,
        ] {
            repl.feed_run(text, vec![], PrintWriter::Disabled)
                .map_err(|e| Failure::Exception {
                    kind: e.exc_type().to_string(),
                    message: shorten(e.message().unwrap_or_default()),
                    line: e.traceback().last().map_or(0, |f| f.start.line),
                })?;
        }
        let session = dump("prelude", None, SessionRef::Idle(&repl))
            .map_err(|e| Failure::crashed(format!("the prelude's session cannot be kept: {e}")))?;
        Ok(Interpreter {
            setup,
            modules,
            guards,
            session,
        })
    }

    /// Runs one program and returns the answer's bytes.
    pub(crate) fn run(&self, source: &str) -> Result<Vec<u8>, Failure> {
        let prepare =
            |whole| program::prepare(source, &self.setup.host.entry, &self.modules, whole);
        let program = prepare(true)?;
        match self.run_prepared(&program) {
            Err(Failure::Unsupported { feature })
                if program.exact.supposes && feature.starts_with(trust::NOT_WHOLE) =>
            {
                self.run_prepared(&prepare(false)?)
            }
            other => other,
        }
    }

    fn run_prepared(&self, program: &Program) -> Result<Vec<u8>, Failure> {
        let mut repl = match Dump::load(&self.session).map(|d| d.state) {
            Ok(Session::Idle(repl)) => repl,
            _ => return Err(Failure::crashed("the prelude's session cannot be restored")),
        };
        // one text: the interpreter resolves names best within it
        let guards = self.guards.text(&program.exact.guards);
        let before = guards.lines().count() as u32;
        let explain = |e: MontyException| trust::explain(&e, before, &program.exact, &self.modules);
        let source = format!(
            "{guards}{}\n{RESULT} = {}()",
            program.source, program.exact.entry
        );
        repl.feed_run(&source, vec![], PrintWriter::Disabled)
            .map_err(explain)?;
        let limit = self.setup.limits.output_bytes;
        let result = meter::within(COPY_BASE.saturating_add(limit.saturating_mul(COPY)), || {
            repl.feed_run(RESULT, vec![], PrintWriter::Disabled)
        })
        .map_err(explain)?;
        let mut out = Writer::new(&[VALUE], limit);
        encode(&result, 0, &mut out)?;
        Ok(out.bytes)
    }
}

/// Where a program's result is kept until it is copied out.
const RESULT: &str = "__result__";

/// What the copy of a result may take for each byte that its wire form may have: numbers and the nested lists
/// of a walker take about 10. What is shorter than that on the wire (a bool, an empty list) meets this bound first.
const COPY: usize = 16;
/// And this much for what is no part of the result.
const COPY_BASE: usize = 1 << 20;

/// Builtins that a prelude may use.
const BUILTINS: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "chr",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "hash",
    "int",
    "isinstance",
    "len",
    "list",
    "map",
    "max",
    "min",
    "ord",
    "pow",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "slice",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
    "zip",
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "Exception",
    "IndexError",
    "KeyError",
    "LookupError",
    "NotImplementedError",
    "OverflowError",
    "RuntimeError",
    "StopIteration",
    "TypeError",
    "ValueError",
    "ZeroDivisionError",
];

/// Statements that bind the builtins of the prelude as globals: the interpreter does not find a builtin by name from
/// inside a function of an earlier text when it is not called (`type(x) is float`).
fn bind_builtins(prelude: &str) -> String {
    let used = BUILTINS.iter().filter(|name| prelude.contains(**name));
    used.map(|name| format!("try:\n    {name} = {name}\nexcept NameError:\n    pass\n"))
        .collect()
}

fn encode(object: &MontyObject, depth: usize, out: &mut Writer) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::too_deep());
    }
    match object {
        MontyObject::None => out.put(b'N', &[]),
        MontyObject::Bool(b) => out.put(if *b { b'T' } else { b'F' }, &[]),
        MontyObject::Int(i) => out.put(b'i', &i.to_le_bytes()),
        MontyObject::Float(x) if !x.is_finite() => Err(Failure::not_finite()),
        MontyObject::Float(x) => out.put(b'd', &x.to_le_bytes()),
        MontyObject::String(s) => out.put_str(s),
        MontyObject::List(items) => {
            out.put_count(b'l', items.len())?;
            items.iter().try_for_each(|x| encode(x, depth + 1, out))
        }
        MontyObject::Tuple(items) => {
            out.put_count(b't', items.len())?;
            items.iter().try_for_each(|x| encode(x, depth + 1, out))
        }
        MontyObject::Dict(pairs) => {
            out.put_count(b'm', pairs.len())?;
            pairs.into_iter().try_for_each(|(k, v)| {
                encode(k, depth + 1, out).and_then(|()| encode(v, depth + 1, out))
            })
        }
        MontyObject::BigInt(_) => Err(Failure::bad_result("an integer outside 64 bits")),
        MontyObject::Cycle(..) => Err(Failure::bad_result("a container that contains itself")),
        MontyObject::Function { .. } | MontyObject::BuiltinFunction(_) => {
            Err(Failure::bad_result("a function"))
        }
        MontyObject::ClassInstance(i) => Err(Failure::bad_result(format!(
            "a {}",
            shorten(&i.class_type.name)
        ))),
        other => Err(Failure::bad_result(shorten(&format!(
            "no plain data: {other}"
        )))),
    }
}
