//! What a whole file must be.

use std::sync::Arc;

use crate::python::Prefix;

/// A last check of a whole file.
pub type Accept = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What the file that an edit leaves must be.
#[derive(Clone)]
pub struct Rules {
    /// How a file starts: [`Prefix::new`] for Python, or one that allows certain names only; `None`: any text will do.
    pub start: Option<Prefix>,
    /// Whether new lines may have comments. If not, neither a `#` is admitted nor two blanks in a row after the
    /// indentation, with which a comment begins; both are refused within strings too.
    pub comments: bool,
    /// Asked of every file that an edit would leave, after the prefix found it valid; a real parser, for instance.
    pub accept: Option<Accept>,
}

impl Default for Rules {
    /// Python, with no further check.
    fn default() -> Self {
        Rules {
            start: Some(Prefix::new()),
            comments: true,
            accept: None,
        }
    }
}

impl Rules {
    /// Any text.
    pub fn any() -> Self {
        Rules {
            start: None,
            comments: true,
            accept: None,
        }
    }

    /// The same with a last check of the whole file.
    pub fn with(self, accept: Accept) -> Self {
        Rules {
            accept: Some(accept),
            ..self
        }
    }

    pub(super) fn read(&self) -> Reading {
        Reading(self.start.clone())
    }

    /// Whether the file is Python.
    pub(super) fn is_python(&self) -> bool {
        self.start.is_some()
    }

    /// Whether a new line may go on with this byte.
    pub(super) fn takes(&self, line: &[u8], byte: u8) -> bool {
        let trailing = line.last() == Some(&b' ') && line.iter().any(|b| *b != b' ');
        self.comments || !(byte == b'#' || byte == b' ' && trailing)
    }

    pub(super) fn accepts(&self, file: &str) -> bool {
        self.accept.as_ref().is_none_or(|accept| accept(file))
    }
}

/// A file read up to some byte.
#[derive(Clone)]
pub(super) struct Reading(Option<Prefix>);

impl Reading {
    /// Takes bytes; `false`: no valid file goes on so.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        self.0.as_mut().is_none_or(|p| p.push_all(bytes))
    }

    /// Whether brackets or a string are open.
    pub(super) fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(Prefix::is_open)
    }

    /// What closes the brackets that are open, and then the line; `None` where they cannot be closed yet.
    pub(super) fn closing(&self) -> Option<Vec<u8>> {
        let closers = self.0.as_ref().map_or(Some(Vec::new()), Prefix::closers)?;
        Some([&closers[..], b"\n"].concat())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.0.as_ref().is_none_or(Prefix::is_complete)
    }

    /// Whether the same may follow as after `other`; may say no though it is so.
    pub(super) fn goes_on_as(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => a.goes_on_as(b),
            _ => false,
        }
    }

    /// Whether the file is valid if this is the rest of it.
    pub(super) fn ends_with(&self, rest: &[u8]) -> bool {
        let mut end = self.clone();
        end.push(rest) && end.is_complete()
    }
}

/// Whether a line so far can be text: no character is cut but the last.
pub(super) fn is_text(line: &[u8]) -> bool {
    !line.contains(&0)
        && std::str::from_utf8(line).map_or_else(|e| e.error_len().is_none(), |_| true)
}

/// Whether a text cut here ends with a whole word, and not with a blank.
pub(super) fn is_cut(text: &[u8], at: usize) -> bool {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.') || !b.is_ascii();
    let last = at.checked_sub(1).map_or(b' ', |last| text[last]);
    let splits = is_word(&last) && text.get(at).is_some_and(is_word);
    !(splits || matches!(last, b' ' | b'\t'))
}

/// Whether two texts differ in more than blank lines and blanks at lines' ends.
pub(super) fn differ(a: &str, b: &str) -> bool {
    fn lines(text: &str) -> impl Iterator<Item = &str> {
        text.lines().map(str::trim_end).filter(|l| !l.is_empty())
    }
    !lines(a).eq(lines(b))
}
