//! The identifiers a program may read.

use std::sync::Arc;

use super::token::{HARD_KEYWORDS, KEYWORDS};

/// A set of identifiers, in order.
#[derive(Debug, Default)]
pub struct Names {
    sorted: Vec<String>,
    attributes: Vec<String>,
}

impl Names {
    /// The identifiers that occur anywhere in the source, in its comments and strings too; Python's builtins; and `extra`.
    /// After a dot may stand those that do so in the source, and `extra`.
    pub fn of(source: &str, extra: &[&str]) -> Self {
        let words = source.split(|c: char| !(c.is_alphanumeric() || c == '_' || !c.is_ascii()));
        let names = words.filter(|w| !w.is_empty() && !w.as_bytes()[0].is_ascii_digit());
        let all = names
            .chain(BUILTINS.split_whitespace())
            .chain(extra.iter().copied());
        let mut sorted: Vec<String> = all
            .filter(|w| !is_keyword(w.as_bytes()))
            .map(str::to_owned)
            .collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut attributes: Vec<String> = source
            .split('.')
            .skip(1)
            .map(|rest| {
                let end = |c: char| !(c.is_alphanumeric() || c == '_' || !c.is_ascii());
                rest.split(end).next().unwrap_or_default()
            })
            .chain(extra.iter().copied())
            .filter(|w| !w.is_empty() && !w.as_bytes()[0].is_ascii_digit())
            .map(str::to_owned)
            .collect();
        attributes.sort_unstable();
        attributes.dedup();
        Names { sorted, attributes }
    }

    /// Whether the name is in the set.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.sorted
            .binary_search_by(|n| n.as_bytes().cmp(name))
            .is_ok()
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.sorted.iter().map(String::as_str)
    }

    /// Whether a name in the set starts so.
    pub fn has_prefix(&self, prefix: &[u8]) -> bool {
        starts_one(&self.sorted, prefix)
    }

    /// Whether the name may stand after a dot.
    pub fn has_attribute(&self, name: &[u8]) -> bool {
        self.attributes
            .binary_search_by(|n| n.as_bytes().cmp(name))
            .is_ok()
    }

    /// Whether a name that may stand after a dot starts so.
    pub fn has_attribute_prefix(&self, prefix: &[u8]) -> bool {
        starts_one(&self.attributes, prefix)
    }
}

/// Whether one of the words, which are in order, starts so.
fn starts_one(words: &[String], prefix: &[u8]) -> bool {
    let at = words.partition_point(|n| n.as_bytes() < prefix);
    words
        .get(at)
        .is_some_and(|n| n.as_bytes().starts_with(prefix))
}

pub(super) fn is_keyword(word: &[u8]) -> bool {
    KEYWORDS[..HARD_KEYWORDS]
        .iter()
        .any(|(k, _)| k.as_bytes() == word)
}

/// Names bound by what was read, newest first; shared between copies.
#[derive(Debug)]
pub(super) struct Bound {
    name: Box<[u8]>,
    older: Option<Arc<Bound>>,
}

impl Bound {
    pub(super) fn add(list: &mut Option<Arc<Bound>>, name: &[u8]) {
        *list = Some(Arc::new(Bound {
            name: name.into(),
            older: list.take(),
        }));
    }

    /// The names in the list.
    pub(super) fn iter(list: &Option<Arc<Bound>>) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(list.as_deref(), |b| b.older.as_deref()).map(|b| &*b.name)
    }
}

const BUILTINS: &str = "\
    ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError \
    BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError \
    ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning EnvironmentError Exception ExceptionGroup \
    FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError ImportWarning \
    IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError \
    ModuleNotFoundError NameError NotADirectoryError NotImplemented NotImplementedError OSError OverflowError \
    PendingDeprecationWarning PermissionError ProcessLookupError RecursionError ReferenceError ResourceWarning \
    RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError SyntaxWarning SystemError SystemExit \
    TabError TimeoutError TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError \
    UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning ZeroDivisionError __build_class__ __debug__ \
    __doc__ __file__ __import__ __init__ __loader__ __name__ __package__ __spec__ _ abs aiter all anext any ascii bin \
    bool breakpoint bytearray bytes callable chr classmethod compile complex copyright credits delattr dict dir divmod \
    enumerate eval exec exit filter float format frozenset getattr globals hasattr hash help hex id input int \
    isinstance issubclass iter len license list locals map max memoryview min next object oct open ord pow print \
    property quit range repr reversed round self set setattr slice sorted staticmethod str sum super tuple type vars zip";
