//! What an exception of the first tier's interpreter means: the program's own fault, a limit, or nothing, since the
//! interpreter also raises where CPython has an answer. Only what is known to be the first two is believed.

use monty_types::{ExcType, MontyException, StackFrame};

use crate::exact::{Exact, MARK};
use crate::failure::shorten;
use crate::program::Modules;
use crate::{Failure, modules};

/// How the interpreter calls the texts that it is fed: what binds the prelude's builtins, the prelude, what every program
/// finds of `guard.py`, and the program, before which stands what it needs of `guard.py` besides.
const PRELUDE: &str = "<python-input-1>";
const PROGRAM: &str = "<python-input-3>";

/// How the feature begins that a program lacks whose text supposes whole numbers where there are others.
pub(crate) const NOT_WHOLE: &str = "TypeError: unsupported operand type(s) for &";

/// The failure that an exception stands for; [`Failure::Unsupported`] where CPython must say.
///
/// `before` is the number of lines before the program's own.
pub(crate) fn explain(
    error: &MontyException,
    before: u32,
    program: &Exact,
    modules: &Modules,
) -> Failure {
    let message = error.message().unwrap_or_default();
    let line = error
        .traceback()
        .iter()
        .rev()
        .find(|f| f.filename == PROGRAM && f.start.line > before)
        .map_or(0, |f| f.start.line - before);
    match error.exc_type() {
        ExcType::MemoryError => return Failure::Memory,
        ExcType::ImportError if message.starts_with(modules::REFUSAL) => {
            return Failure::Forbidden {
                what: format!("import of {}", shorten(&message[modules::REFUSAL.len()..])),
            };
        }
        _ => {}
    }
    // what the prelude raises itself, it raises in CPython too
    let of_prelude = error
        .traceback()
        .last()
        .is_some_and(|f| f.filename == PRELUDE && f.hide_caret && !modules.stands_in(f.start.line));
    // what the guards raise is about what they compare
    let guarded = |f: &StackFrame| f.filename == PROGRAM && f.start.line <= before;
    let of_guard = error.traceback().last().is_some_and(guarded)
        || (program.edited && message.contains("' not supported between instances of '"));
    let divides = matches!(error.exc_type(), ExcType::ZeroDivisionError);
    let misses = matches!(
        error.exc_type(),
        ExcType::NameError | ExcType::UnboundLocalError
    );
    let believed = (!of_guard || divides) && (!program.unbound || misses);
    if of_prelude || (believed && is_own(error.exc_type(), message, program)) {
        return Failure::Exception {
            kind: error.exc_type().to_string(),
            message: shorten(message),
            line,
        };
    }
    if message.contains("_pyrun_gap") {
        return Failure::unsupported("an operation on these values");
    }
    Failure::unsupported(shorten(&format!("{}: {message}", error.exc_type())))
}

/// Types that have the same operators in the interpreter.
const PLAIN: &[&str] = &[
    "NoneType", "int", "float", "str", "list", "tuple", "function",
];

/// Whether CPython raises the same exception.
fn is_own(kind: ExcType, message: &str, program: &Exact) -> bool {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    let name = quoted.first().copied().unwrap_or_default();
    match kind {
        // a name that CPython has was refused before
        ExcType::UnboundLocalError => !program.captured.contains(name),
        // the entry may be bound where nothing ever runs, which CPython knows
        ExcType::NameError => !name.starts_with(MARK) && name != program.entry,
        ExcType::KeyError => true,
        ExcType::IndexError => message.ends_with("index out of range"),
        // where numpy's numbers are, there is infinity
        ExcType::ZeroDivisionError => !program.numpy,
        ExcType::TypeError if program.numpy => false,
        ExcType::TypeError => {
            let types = quoted;
            let plain = |types: &[&str]| types.iter().all(|t| PLAIN.contains(t));
            let all_plain = !types.is_empty() && plain(&types);
            if message.starts_with("unsupported operand type(s) for ") {
                // numbers have them all, a list is extended by whatever can be walked, a text has a format
                let has = |name: &str| types.contains(&name);
                let numbers = types.iter().all(|t| ["int", "float"].contains(t));
                let other = numbers
                    || (program.supposes && message.contains(" &"))
                    || (message.contains(" +") && has("list"))
                    || (message.contains(" %") && has("str"));
                return all_plain && !other;
            }
            if message.contains("' not supported between instances of '") {
                return types.len() == 3 && plain(&types[1..]) && types[1] != types[2];
            }
            let about = ["is not subscriptable", "is not callable", "is not iterable"];
            if about.iter().any(|end| message.ends_with(end)) {
                return all_plain && types != ["function"];
            }
            if message.ends_with("cannot be interpreted as an integer") {
                return types == ["float"];
            }
            // wrong arguments of a function of the program's own
            message.split_once("() ").is_some_and(|(name, _)| {
                let name = name.rsplit('.').next().unwrap_or(name);
                program.callables.contains(name)
            })
        }
        _ => false,
    }
}
