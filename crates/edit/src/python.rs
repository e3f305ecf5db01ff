//! Which texts can become valid Python.
//!
//! [`Prefix`] reads Python 3.11 source byte by byte and knows after each byte whether some valid file starts so. It is
//! made for constrained decoding: what may come next is tried on a clone, so clones and bytes must be cheap.
//!
//! # Design
//! A lexer (`lexer`, `text` for strings, `number`) turns bytes into tokens as soon as they are certain. A word or an
//! operator under way lives as long as some token it may become is one the parser would take.
//!
//! A deterministic pushdown automaton (`parser`) takes the tokens: a stack of frames, each a place in a construct
//! (`statement`, `expression`, `bracket` for displays, arguments and comprehensions, `parameter`, `pattern`), above a
//! stack of indented blocks that know what surrounds them (a function, a loop) and what their last statement asks of the
//! next (`try` an `except`, a decorator a `def`). Precedence is not tracked: it does not matter to what is valid. What a
//! finished expression may serve as (a bare name, a single target, any target) goes with it to the frame below, so
//! `f(x) = 1` dies at its `=`.
//!
//! Two places are ambiguous until later: `match (` may call a function of that name or start a statement, and `with (`
//! may start an expression or parenthesise its items. Both readings are followed until one dies or they meet.
//!
//! The replacement fields of f-strings are read by the same machine, with Python 3.11's rules: no backslash, no comment
//! and no quote of the strings around them.
//!
//! # What is admitted though CPython refuses it
//! Syntax: unknown names in `\N{…}`; identifiers of any characters beyond ASCII; a lambda right after `yield` in a
//! replacement field, which cannot end there; more than 20 nested loops, `try` and `with`; integers of more than 4,300
//! digits; `from __future__ import` late or of unknown features; assignment to an attribute `__debug__`.
//!
//! Names and scopes, which the automaton does not track: two keyword arguments or captures of one name;
//! `global` and `nonlocal` of names used before, of parameters, or unbound; `:=` that rebinds a comprehension's variable
//! or stands in one in a class; patterns that others make unreachable or that bind different names; `yield` in
//! comprehensions; `return` with a value in an asynchronous generator; some asynchronous comprehensions nested in others;
//! annotations and defaults that await or yield.
//!
//! # What is refused though CPython admits it
//! `await` outside an `async` function in the element of a generator expression; a byte order mark; an encoding other
//! than UTF-8; more than 10,000 columns of indentation.
//!
//! # Names
//! With [`Prefix::with_names`] an identifier that is *read* must be one that may be read anywhere by [`Names`], or one that was bound
//! by an earlier statement in the same function or class or one around it. One that names an argument, a module or what is imported, or stands after a
//! dot must be known to the [`Names`] as such. New names may stand where they are bound: assignment, `for`, `with`, `except`, `as`,
//! `def`, `class`, parameters, comprehensions and patterns. At the start of a statement a new name is admitted as long as what follows
//! makes it a target: not before a dot, a bracket, an operator or the line's end. New names right of the first `=` of a
//! chain, left of `:=`, and read in a comprehension before its `for` are refused. A call of a function by its name, or by an
//! attribute's, has as many arguments as [`Names`] says, and what [`Names`] knows as only called is followed by its call.

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
use names::{Asked, Bound, Last};
use parser::{Call, Parser};
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
    /// Statements so far, from 1.
    statement: u32,
    /// The last token was `def` or `class`.
    defining: bool,
    /// The indentation was cut off by a backslash.
    continued_indent: bool,
    /// The last byte was a carriage return, after a backslash.
    after_cr: bool,
    /// The last token was a dot: an attribute follows.
    after_dot: bool,
    /// The line's indentation so far: with tabs to multiples of eight, and with tabs of one column.
    indent: (u16, u16),
    utf8: Utf8,
    kind: WordKind,
    word: SmallVec<[u8; 16]>,
    fields: SmallVec<[Field; 1]>,
    parser: Parser,
    /// Other readings still possible: after `match (` and `with (`, to the end of the line at most.
    others: Vec<Parser>,
    names: Option<Arc<Names>>,
    bound: Option<Arc<Bound>>,
    /// The parameters of the functions and lambdas under way.
    parameters: Option<Arc<Bound>>,
    /// For each function or class around, how many blocks were open where it was defined.
    scopes: SmallVec<[u8; 4]>,
    /// Which attributes may be asked of what was read last, or of what stands before the dot.
    asked: Asked,
    /// The last token names a function whose signature is known.
    callee: Option<Call>,
    /// The last token is a name that is read only to be called.
    must_call: bool,
    /// What was read last.
    last: Last,
    /// The last token is a name that no argument of the call around may have.
    no_argument: bool,
}

impl Clone for Prefix {
    fn clone(&self) -> Self {
        Prefix {
            word: SmallVec::from_slice(&self.word),
            fields: SmallVec::from_slice(&self.fields),
            parser: self.parser.clone(),
            others: self.others.clone(),
            scopes: SmallVec::from_slice(&self.scopes),
            names: self.names.clone(),
            bound: self.bound.clone(),
            parameters: self.parameters.clone(),
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
        Prefix {
            lex: Lex::Indent,
            dead: false,
            depth: 0,
            begun: false,
            statement: 1,
            defining: false,
            continued_indent: false,
            after_cr: false,
            after_dot: false,
            indent: (0, 0),
            utf8: Utf8::default(),
            kind: WordKind::default(),
            word: SmallVec::new(),
            fields: SmallVec::new(),
            parser: Parser::new(),
            others: Vec::new(),
            names: None,
            bound: None,
            parameters: None,
            scopes: SmallVec::new(),
            asked: Asked::Anything,
            callee: None,
            must_call: false,
            last: Last::Other,
            no_argument: false,
        }
    }

    /// The start of a file that uses no names but these and those it binds itself.
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

    /// Whether brackets or a string are open, so that the line does not end with its line feed.
    pub fn is_open(&self) -> bool {
        self.depth > 0
            || !self.fields.is_empty()
            || matches!(self.lex, Lex::Text(_) | Lex::Quotes(_))
    }

    /// The brackets that close those open, innermost first; `None` where one cannot be closed yet, or within a string.
    pub fn closers(&self) -> Option<Vec<u8>> {
        if matches!(self.lex, Lex::Text(_)) || !self.fields.is_empty() {
            return None;
        }
        let mut end = self.clone();
        let mut closers = Vec::new();
        while end.depth > 0 {
            let mut closed = b")]}".iter().map(|b| {
                let mut closed = end.clone();
                (closed.push(*b) && closed.depth < end.depth).then_some((*b, closed))
            });
            let (byte, closed) = closed.find_map(|closed| closed)?;
            closers.push(byte);
            end = closed;
        }
        Some(closers)
    }

    /// The whole word that the text to come goes on with or starts.
    fn word_to_come(&self, text: &[u8]) -> Option<String> {
        let is_word = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_' || !b.is_ascii();
        let rest = text.iter().take_while(is_word);
        let begun: &[u8] = if self.lex == Lex::Word {
            &self.word
        } else {
            &[]
        };
        let word: Vec<u8> = begun.iter().chain(rest).copied().collect();
        let starts = word.first().is_some_and(|b| !b.is_ascii_digit());
        starts.then(|| String::from_utf8_lossy(&word).into_owned())
    }

    /// The readings still possible.
    fn readings(&self) -> impl Iterator<Item = &Parser> {
        std::iter::once(&self.parser).chain(&self.others)
    }

    /// Whether the same may follow as after `other`. May say no though it is so: of prefixes held to names always.
    pub(crate) fn goes_on_as(&self, other: &Self) -> bool {
        let state = |x: &Self| {
            (
                (
                    x.lex,
                    x.dead,
                    x.depth,
                    x.begun,
                    x.defining,
                    x.continued_indent,
                ),
                (x.after_cr, x.after_dot, x.indent, x.utf8, x.kind),
                (x.asked, x.callee),
            )
        };
        self.names.is_none()
            && other.names.is_none()
            && state(self) == state(other)
            && self.word == other.word
            && self.fields == other.fields
            && self.scopes == other.scopes
            && self.parser == other.parser
            && self.others == other.others
    }

    /// Whether what was taken is a valid file as it stands.
    pub fn is_complete(&self) -> bool {
        let mut end = self.clone();
        self.lex != Lex::Continued
            && end.push(b'\n')
            && end.lex == Lex::Indent
            && end.parser.may_end()
    }
}
