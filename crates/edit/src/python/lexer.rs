//! The lexer: bytes in, tokens out, one byte at a time.

use super::Prefix;
use super::names::{Asked, Bound, Last, Names};
use super::number::Number;
use super::parser::{Call, Parser, St, flag, prop};
use super::text::{self, Text, prefix_flags};
use super::token::{HARD_KEYWORDS, KEYWORDS, OPERATORS, Tok};

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lex {
    /// The indentation of a line.
    Indent,
    /// Between tokens.
    Between,
    Word,
    Number(Number),
    /// An operator that may grow: its bytes so far.
    Operator([u8; 2], u8),
    /// One or two dots of `...` or of a fraction; one may also be an attribute's.
    Dots(u8),
    /// After one or two opening quotes.
    Quotes(Text),
    Text(Text),
    Comment,
    /// After a backslash; after that and the line's end.
    Backslash,
    Continued,
    /// In a replacement field: after `=`, after `!`, after its letter.
    FieldEq,
    Bang,
    Conversion,
}

/// What a word under way may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct WordKind {
    /// A name that may be read; a name that may be bound.
    pub name: bool,
    pub new: bool,
    /// A name that is not read: an argument's; a module's, or of what is imported from one.
    pub keyword_name: bool,
    pub module: bool,
    /// Whether the name is an attribute's.
    pub attribute: bool,
    /// A string's prefix.
    pub string: bool,
    /// Keywords, bits into the table.
    pub keywords: u64,
}

/// CPython refuses more brackets within each other.
const MAX_DEPTH: u8 = 200;

/// CPython refuses more columns than fit; any program does with these.
const MAX_COLUMN: u16 = 10_000;

impl Prefix {
    pub(super) fn lex(&mut self, b: u8) -> bool {
        match self.lex {
            Lex::Between => self.between(b),
            Lex::Text(text) => self.text(text, b),
            Lex::Word => {
                if b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80 {
                    self.word.push(b);
                    self.word_viable()
                } else {
                    self.end_word(b)
                }
            }
            Lex::Indent => self.indentation(b),
            Lex::Comment => !matches!(b, b'\n' | b'\r') || self.newline(b),
            Lex::Operator(bytes, n) => self.operator(bytes, n, b),
            Lex::Number(number) => self.number(number, b),
            Lex::Quotes(text) => self.after_quotes(text, b),
            Lex::Dots(n) => match b {
                b'.' if n == 1 => {
                    self.lex = Lex::Dots(2);
                    self.accepts(Tok::Ellipsis)
                }
                b'.' => {
                    self.lex = Lex::Between;
                    self.feed(Tok::Ellipsis)
                }
                b'0'..=b'9' if n == 1 => {
                    self.lex = Lex::Number(Number::Fraction);
                    self.feed(Tok::Number)
                }
                _ => {
                    self.lex = Lex::Between;
                    n == 1 && self.may_ask() && self.feed(Tok::Dot) && self.between(b)
                }
            },
            Lex::Backslash => {
                self.lex = Lex::Continued;
                self.after_cr = b == b'\r';
                matches!(b, b'\n' | b'\r')
            }
            Lex::Continued => {
                if b == b'\n' && std::mem::take(&mut self.after_cr) {
                    return true;
                }
                if self.begun {
                    self.lex = Lex::Between;
                    return self.between(b);
                }
                self.lex = Lex::Indent;
                self.indentation(b)
            }
            Lex::FieldEq => match b {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => true,
                b'!' => {
                    self.lex = Lex::Bang;
                    true
                }
                _ => self.end_field(b),
            },
            Lex::Bang => {
                self.lex = Lex::Conversion;
                matches!(b, b'r' | b's' | b'a')
            }
            Lex::Conversion => self.end_field(b),
        }
    }

    /// A byte where no token is under way.
    pub(super) fn between(&mut self, b: u8) -> bool {
        if self.must_call && !matches!(b, b' ' | b'\t' | 0x0c) {
            self.must_call = false;
            if b != b'(' {
                return false;
            }
        }
        match b {
            b' ' | b'\t' | 0x0c => true,
            b'\n' | b'\r' => self.newline(b),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.start_word(b),
            b'0'..=b'9' => {
                self.lex = Lex::Number(Number::start(b));
                self.feed(Tok::Number)
            }
            b'"' | b'\'' => self.open_string(b, 0),
            b'(' | b'[' if !self.may_trail(b) => false,
            b'{' if self.after_arithmetic() => false,
            b')' if self.closes_nothing() => false,
            b'(' | b'[' | b'{' => {
                self.depth += 1;
                if b == b'(' {
                    let call = self.callee.take().unwrap_or(Call::ANY);
                    self.parser.callee = call;
                    self.others.iter_mut().for_each(|p| p.callee = call);
                }
                let ambiguous = if b == b'(' { Some(Tok::LParWith) } else { None };
                let tok = match b {
                    b'(' => Tok::LPar,
                    b'[' => Tok::LSqb,
                    _ => Tok::LBrace,
                };
                self.depth <= MAX_DEPTH && self.feed_either(tok, ambiguous)
            }
            b'}' | b':' if self.at_field() => self.feed(Tok::FieldEnd) && self.end_field(b),
            b')' | b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                let (calls, call) = (self.parser.calls.len(), self.parser.calls.last().copied());
                let fed = self.feed(match b {
                    b')' => Tok::RPar,
                    b']' => Tok::RSqb,
                    _ => Tok::RBrace,
                });
                let ended = call.filter(|_| self.parser.calls.len() < calls);
                let names = self.names.as_ref();
                if (ended.zip(names)).is_some_and(|(call, names)| names.is_own(call)) {
                    self.last = Last::Other; // it may give anything
                }
                fed
            }
            b',' => self.feed(Tok::Comma),
            b';' => self.feed(Tok::Semi),
            b'~' => self.feed(Tok::Tilde),
            // more than one reading: after `match`, it may be an attribute's or start an operand
            b'.' if self.others.is_empty() && self.accepts(Tok::Dot) => {
                (self.parser.top().st == St::FromDots || self.may_ask()) && self.feed(Tok::Dot)
            }
            b'.' => {
                self.lex = Lex::Dots(1);
                self.accepts(Tok::Number)
                    || self.accepts(Tok::Ellipsis)
                    || self.may_ask() && self.accepts(Tok::Dot)
            }
            b'#' => {
                // its end ends the line, unless in brackets
                self.lex = Lex::Comment;
                self.fields.is_empty() && (self.depth > 0 || self.accepts(Tok::Newline))
            }
            b'\\' => {
                self.lex = Lex::Backslash;
                true
            }
            _ => {
                self.lex = Lex::Operator([b, 0], 1);
                self.operator_viable(&[b])
            }
        }
    }

    /// The end of a line outside strings.
    fn newline(&mut self, _: u8) -> bool {
        if self.depth > 0 || !self.fields.is_empty() {
            self.lex = Lex::Between;
            return self.names.as_ref().is_none_or(|names| names.wraps);
        }
        self.lex = Lex::Indent;
        self.indent = (0, 0);
        !std::mem::take(&mut self.begun) || self.feed(Tok::Newline)
    }

    /// A byte before the first token of a line.
    fn indentation(&mut self, b: u8) -> bool {
        let (col, alt) = self.indent;
        match b {
            b' ' | b'\t' if self.continued_indent => true,
            b' ' => {
                self.indent = (col + 1, alt + 1);
                col < MAX_COLUMN
            }
            b'\t' => {
                self.indent = (col / 8 * 8 + 8, alt + 1);
                col < MAX_COLUMN
            }
            0x0c => {
                self.indent = (0, 0);
                true
            }
            b'\n' | b'\r' => {
                self.continued_indent = false;
                self.newline(b)
            }
            b'#' => {
                self.lex = Lex::Comment;
                self.continued_indent = false;
                true
            }
            b'\\' => {
                // the columns before the first backslash count, if there are any; those on the next line do not
                if col > 0 {
                    self.indent.1 = col;
                    self.continued_indent = true;
                }
                self.lex = Lex::Backslash;
                true
            }
            _ => {
                self.continued_indent = false;
                self.begun = true;
                self.lex = Lex::Between;
                if !self.parser.start_line(col, alt) {
                    return false;
                }
                self.leave_scopes();
                self.between(b)
            }
        }
    }

    fn number(&mut self, number: Number, b: u8) -> bool {
        if let Some(next) = number.next(b) {
            self.lex = Lex::Number(next);
            return true;
        }
        self.lex = Lex::Between;
        let word = b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
        // `1else`: the `e` was no exponent
        if number == Number::Exponent && b == b'l' {
            return self.start_word(b'e') && self.lex(b);
        }
        if word {
            // a few keywords may follow a number at once
            return number.may_end() && self.start_word(b) && {
                self.kind.name = false;
                self.kind.keywords &= AFTER_NUMBER;
                self.kind.keywords != 0
            };
        }
        number.may_end() && self.between(b)
    }

    fn start_word(&mut self, b: u8) -> bool {
        self.lex = Lex::Word;
        self.word.clear();
        self.word.push(b);
        let named = self.names.is_some();
        let name = self.accepts(Tok::Name);
        let mut kind = WordKind {
            name,
            new: named && self.accepts(Tok::NewName),
            keyword_name: named && self.accepts(Tok::KeywordName),
            module: named && self.accepts(Tok::ModuleName),
            attribute: std::mem::take(&mut self.after_dot),
            string: false,
            keywords: 0,
        };
        if !name || named && !kind.new {
            for (i, (keyword, tok)) in KEYWORDS.iter().enumerate() {
                let refused = *tok == Tok::None && self.after_arithmetic();
                if keyword.as_bytes()[0] == b && !refused && self.accepts(*tok) {
                    kind.keywords |= 1 << i;
                }
            }
            if let Some(flags) = prefix_flags(&[b]) {
                let bytes = self.accepts(Tok::Bytes);
                // `r` may still become `rb`
                kind.string = self.accepts(Tok::Str) && flags & text::BYTES == 0
                    || bytes && flags & !text::RAW & !text::BYTES == 0;
            }
        }
        self.kind = kind;
        self.word_viable()
    }

    /// Whether the word under way can become something that may stand here.
    fn word_viable(&mut self) -> bool {
        let kind = &mut self.kind;
        let Some(names) = &self.names else {
            return kind.name || self.keyword_viable();
        };
        let known = match kind.attribute {
            true => names.has_attribute_prefix(self.asked, &self.word),
            false => {
                names.has_prefix(&self.word)
                    || Bound::readable(&self.bound, self.statement)
                        .any(|n| n.starts_with(&self.word))
            }
        };
        let argument = |call: &Call| names.has_argument_prefix(*call, &self.word);
        let unread = kind.keyword_name && self.parser.calls.last().is_some_and(argument)
            || kind.module && names.has_word_prefix(&self.word);
        kind.new || kind.name && known && !kind.module || unread || self.keyword_viable()
    }

    fn keyword_viable(&mut self) -> bool {
        let at = self.word.len() - 1;
        let last = self.word[at];
        let mut rest = self.kind.keywords;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            if KEYWORDS[i].0.as_bytes().get(at) != Some(&last) {
                self.kind.keywords &= !(1 << i);
            }
        }
        self.kind.string &= prefix_flags(&self.word).is_some();
        self.kind.keywords != 0 || self.kind.string
    }

    /// The word is complete, as the byte after it says.
    fn end_word(&mut self, b: u8) -> bool {
        self.lex = Lex::Between;
        if matches!(b, b'"' | b'\'')
            && let Some(flags) = prefix_flags(&self.word)
        {
            return self.open_string(b, flags);
        }
        let word = std::mem::take(&mut self.word);
        let fed = if let Some((_, tok)) = KEYWORDS[..HARD_KEYWORDS]
            .iter()
            .find(|(k, _)| k.as_bytes() == &word[..])
        {
            self.defining = matches!(tok, Tok::Def | Tok::Class);
            let fed = self.feed(*tok);
            if matches!(tok, Tok::Def | Tok::Lambda) {
                let frames = self.readings().map(|p| p.stack.len()).min();
                Bound::leave(&mut self.parameters, frames.unwrap_or(0) as u16);
            }
            fed
        } else {
            let soft = match &word[..] {
                b"match" => Some(Tok::Match),
                b"case" => Some(Tok::Case),
                _ => None,
            };
            let known = match &self.names {
                Some(names) if self.kind.attribute => names.has_attribute(self.asked, &word),
                Some(names) => {
                    names.contains(&word)
                        || Bound::readable(&self.bound, self.statement).any(|n| n == &word[..])
                }
                None => true,
            };
            let named = self.names.as_ref().filter(|names| names.has_word(&word));
            let call = self.parser.calls.last().copied();
            let argument = |names: &Names| call.is_none_or(|call| names.has_argument(call, &word));
            let argument = self.names.as_deref().is_none_or(argument);
            let tok = match known {
                _ if &word[..] == b"__debug__" => Tok::DebugName,
                _ if self.kind.module && named.is_some() => Tok::ModuleName,
                _ if self.kind.module => Tok::NewName,
                true => Tok::Name,
                false if self.kind.keyword_name && argument => Tok::KeywordName,
                false => Tok::NewName,
            };
            let scope = self.scopes.last().map_or(0, |blocks| u16::from(*blocks));
            if std::mem::take(&mut self.defining) {
                self.scopes.push(self.parser.blocks.len() as u8);
            }
            let callee = self.names.as_ref().and_then(|names| names.call(&word));
            let fed = self.is_new_parameter(&word) && self.feed_either(tok, soft);
            // The module that names are imported from is not bound.
            let bound = !self.kind.attribute && self.parser.top().st != St::FromPath;
            if bound && matches!(tok, Tok::NewName | Tok::ModuleName) {
                let unread_in = if self.parser.in_targets() {
                    self.statement
                } else {
                    0
                };
                Bound::add(&mut self.bound, &word, scope, unread_in);
            }
            self.callee = callee.filter(|_| tok == Tok::Name);
            if let Some(names) = &self.names {
                self.asked = names.of_name(&word);
                let read = tok == Tok::Name && !self.kind.new && !self.parser.in_annotation();
                self.must_call = read && names.is_called(&word);
                if tok == Tok::Name && names.is_uncalled(&word) {
                    self.last = Last::Uncalled;
                }
            }
            self.no_argument = tok == Tok::Name && !argument && self.names_argument();
            if tok == Tok::KeywordName || self.must_call || self.no_argument {
                self.word = word; // what a call may die of shows only behind it
            }
            fed
        };
        fed && self.between(b)
    }

    /// Notes a word if it is a parameter; `false`: its list has one of that name.
    fn is_new_parameter(&mut self, word: &[u8]) -> bool {
        let place = self.parser.top().st;
        let parameter = matches!(place, St::ParamNext | St::ParamStar | St::ParamKwargs);
        if !parameter || !self.others.is_empty() {
            return true;
        }
        let frames = self.parser.stack.len() as u16;
        Bound::leave(&mut self.parameters, frames + 1); // those of lambdas within
        if Bound::within(&self.parameters, frames, word) {
            return false;
        }
        Bound::add(&mut self.parameters, word, frames, 0);
        true
    }

    fn operator(&mut self, bytes: [u8; 2], n: u8, b: u8) -> bool {
        let n = usize::from(n);
        let longer = [bytes[0], if n == 1 { b } else { bytes[1] }, b];
        let longer = &longer[..n + 1];
        let field = self.at_field();
        if OPERATORS.iter().any(|(op, _)| op.starts_with(longer)) {
            if n == 2 {
                self.lex = Lex::Between;
                return self.feed_operator(longer);
            }
            self.lex = Lex::Operator([longer[0], longer[1]], 2);
            return self.operator_viable(longer);
        }
        self.lex = Lex::Between;
        match (&bytes[..n], field) {
            (b"!", true) => {
                self.lex = Lex::Bang;
                self.feed(Tok::FieldEnd) && self.lex(b)
            }
            (b"=", true) => {
                self.lex = Lex::FieldEq;
                self.feed(Tok::FieldEnd) && self.lex(b)
            }
            (op, _) => self.feed_operator(op) && self.between(b),
        }
    }

    fn feed_operator(&mut self, op: &[u8]) -> bool {
        if op == b"=" && self.no_argument {
            return false;
        }
        OPERATORS
            .iter()
            .find(|(o, _)| *o == op)
            .is_some_and(|(_, tok)| !self.computes(*tok) && self.feed(*tok))
    }

    /// Whether the operator under way can become one that may stand here.
    fn operator_viable(&self, so_far: &[u8]) -> bool {
        (self.at_field() && matches!(so_far, b"!" | b"=") && self.accepts(Tok::FieldEnd))
            || OPERATORS.iter().any(|(op, tok)| {
                op.starts_with(so_far) && !self.computes(*tok) && self.accepts(*tok)
            })
    }

    /// At the start of a line: forgets the names bound in functions and classes that have ended.
    fn leave_scopes(&mut self) {
        let blocks = self.parser.blocks.len() as u8;
        while self.scopes.last().is_some_and(|scope| *scope >= blocks) {
            self.scopes.pop();
            Bound::leave(&mut self.bound, u16::from(blocks));
        }
    }

    /// Gives the parser a token.
    pub(super) fn feed(&mut self, tok: Tok) -> bool {
        self.after_dot = tok == Tok::Dot;
        self.callee = None;
        self.statement += u32::from(matches!(tok, Tok::Newline | Tok::Semi));
        if !self.after_dot {
            self.asked = self.asked_of(tok);
        }
        self.last = Last::of(tok);
        self.no_argument = false;
        self.others.retain_mut(|p| p.feed(tok));
        let fed = self.parser.feed(tok);
        let fed = fed && self.others.is_empty() || self.settle(fed);
        if self.last == Last::Operator && self.parser.top().st != St::AfterOperator {
            self.last = Last::Other; // a star's
        }
        // What a header binds is there from its colon on.
        self.statement += u32::from(tok == Tok::Colon && self.parser.top().st == St::Suite);
        fed
    }

    /// Whether some attribute may be asked of what was read last.
    fn may_ask(&self) -> bool {
        let names = self.names.as_ref();
        names.is_none_or(|names| names.may_ask(self.asked))
    }

    /// What may be asked of what ends with this token.
    fn asked_of(&self, tok: Tok) -> Asked {
        let chain = matches!(
            tok,
            Tok::RPar | Tok::RSqb | Tok::RBrace | Tok::Str | Tok::FStr | Tok::Bytes
        );
        match &self.names {
            Some(names) if chain => names.of_chain(),
            Some(names) if matches!(Last::of(tok), Last::Plain | Last::None) => names.of_plain(),
            _ => Asked::Anything,
        }
    }

    /// Whether a call or an item may follow here, where the bracket would be one's.
    fn may_trail(&self, b: u8) -> bool {
        let names = self.names.as_ref();
        let trails = self.others.is_empty() && self.parser.top().st == St::After;
        !trails || names.is_none_or(|names| names.may_trail(self.last, b))
    }

    /// Whether an arithmetic operator was read, and what it is not for may not follow.
    fn after_arithmetic(&self) -> bool {
        let names = self.names.as_ref();
        self.last == Last::Operator && names.is_some_and(|names| !names.arithmetic())
    }

    /// Whether this operator would compute with what was read last, which is not for that.
    fn computes(&self, tok: Tok) -> bool {
        let names = self.names.as_ref();
        let none = matches!(self.last, Last::None | Last::Brace);
        none && tok.is_arithmetic() && names.is_some_and(|names| !names.arithmetic())
    }

    /// Whether a bracket `)` would end `()` that is no call's.
    pub(super) fn closes_nothing(&self) -> bool {
        let names = self.names.as_ref();
        let top = self.parser.top();
        let list = flag::LIST | flag::FIELD;
        let open = top.st == St::SeqOpen && top.flags & list == 0 && self.others.is_empty();
        open && names.is_some_and(|names| !names.empty())
    }

    /// Whether the name just read may turn out to be an argument's.
    fn names_argument(&self) -> bool {
        let stack = &self.parser.stack;
        let [.., outer, top] = stack.as_slice() else {
            return false;
        };
        outer.st == St::CallElement
            && top.st == St::After
            && top.flags & (prop::NAME | flag::COMPOSITE) == prop::NAME
    }

    /// Gives the parser a token that may be read in two ways: where both are possible, both are followed.
    fn feed_either(&mut self, tok: Tok, second: Option<Tok>) -> bool {
        let Some(second) = second else {
            return self.feed(tok);
        };
        self.callee = None;
        self.last = Last::Other;
        self.no_argument = false;
        let mut also: Vec<Parser> = self
            .readings()
            .filter(|p| p.accepts(second))
            .cloned()
            .collect();
        also.retain_mut(|p| p.feed(second));
        self.others.retain_mut(|p| p.feed(tok));
        self.others.append(&mut also);
        let fed = self.parser.feed(tok);
        self.settle(fed)
    }

    /// After a token: where the first reading died another takes its place; those that have come to the same are one.
    fn settle(&mut self, first_lives: bool) -> bool {
        if !first_lives {
            let Some(other) = self.others.pop() else {
                return false;
            };
            self.parser = other;
        }
        self.others.dedup();
        self.others.retain(|p| *p != self.parser);
        true
    }

    pub(super) fn accepts(&self, tok: Tok) -> bool {
        self.readings().any(|p| p.accepts(tok))
    }
}

/// `and`, `else`, `for`, `if`, `in`, `is`, `not`, `or`: their bits in the table.
const AFTER_NUMBER: u64 =
    1 << 3 | 1 << 14 | 1 << 17 | 1 << 20 | 1 << 22 | 1 << 23 | 1 << 26 | 1 << 27;
