//! Which texts can become valid Python.
//!
//! [`Prefix`] reads Python 3.11 source byte by byte and knows after each byte whether some valid file starts so.

mod bracket;
mod expression;
mod lexer;
mod names;
mod number;
mod parameter;
mod parser;
mod pattern;
mod statement;
mod text;
mod token;
mod utf8;

use std::sync::Arc;

use smallvec::SmallVec;

pub use names::Names;

use lexer::{Lex, WordKind};
use names::Bound;
use parser::Parser;
use text::Field;
use utf8::Utf8;

/// The start of a Python file, and whether it can become one.
///
/// Cheap to copy: a caller that tries what may come next tries it on a clone.
#[derive(Debug)]
pub struct Prefix {
    lex: Lex,
    dead: bool,
    /// Within how many brackets.
    depth: u8,
    /// The line's first token was read.
    begun: bool,
    /// The indentation was cut off by a backslash.
    continued_indent: bool,
    /// The last byte was a carriage return, after a backslash.
    after_cr: bool,
    /// The line's indentation so far: with tabs to multiples of eight, and with tabs of one column.
    indent: (u16, u16),
    utf8: Utf8,
    kind: WordKind,
    word: SmallVec<[u8; 16]>,
    fields: SmallVec<[Field; 1]>,
    /// The readings still possible: one, but for `match (` and `with (`.
    parsers: SmallVec<[Parser; 1]>,
    names: Option<Arc<Names>>,
    bound: Option<Arc<Bound>>,
}

impl Clone for Prefix {
    fn clone(&self) -> Self {
        Prefix {
            word: SmallVec::from_slice(&self.word),
            fields: SmallVec::from_slice(&self.fields),
            parsers: self.parsers.clone(),
            names: self.names.clone(),
            bound: self.bound.clone(),
            ..*self
        }
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self::new()
    }
}

impl Prefix {
    /// The start of a file.
    pub fn new() -> Self {
        let mut parsers = SmallVec::new();
        parsers.push(Parser::new());
        Prefix {
            lex: Lex::Indent,
            dead: false,
            depth: 0,
            begun: false,
            continued_indent: false,
            after_cr: false,
            indent: (0, 0),
            utf8: Utf8::default(),
            kind: WordKind::default(),
            word: SmallVec::new(),
            fields: SmallVec::new(),
            parsers,
            names: None,
            bound: None,
        }
    }

    /// The start of a file that reads no names but these and those it binds itself.
    pub fn with_names(names: Arc<Names>) -> Self {
        Prefix {
            names: Some(names),
            ..Self::new()
        }
    }

    /// Takes a byte. `false`: no valid file starts like this, and the state is dead from then on.
    pub fn push(&mut self, byte: u8) -> bool {
        if self.dead {
            return false;
        }
        let in_fields = self.fields.is_empty() || self.in_fields(byte);
        self.dead = !(in_fields && self.utf8.push(byte) && self.lex(byte));
        !self.dead
    }

    /// Takes bytes, until one cannot be.
    pub fn push_all(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|b| self.push(*b))
    }

    /// Whether what was taken is a valid file as it stands.
    pub fn is_complete(&self) -> bool {
        let mut end = self.clone();
        self.lex != Lex::Continued
            && end.push(b'\n')
            && end.lex == Lex::Indent
            && end.parsers.iter().any(Parser::may_end)
    }
}
