//! Strings, byte by byte, and the replacement fields of f-strings.

use super::Prefix;
use super::lexer::Lex;
use super::token::Tok;

pub(super) const RAW: u8 = 1;
pub(super) const FORMAT: u8 = 1 << 1;
pub(super) const BYTES: u8 = 1 << 2;
pub(super) const TRIPLE: u8 = 1 << 3;

/// What inside a string is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Escape {
    No,
    Backslash,
    /// A backslash and a carriage return, which a line feed may follow.
    CarriageReturn,
    /// So many hexadecimal digits to come.
    Hex(u8),
    /// The same of `\U`, at most 10ffff: what came before is zero; or is `001`.
    Long(u8),
    Plane16(u8),
    /// `\N`; its brace; a letter of the name.
    NameOpen,
    NameFirst,
    Name,
    /// `{` or `}` in an f-string, perhaps the first of two.
    Open,
    Close,
}

/// A string under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Text {
    pub quote: u8,
    pub flags: u8,
    /// How many quotes were just read.
    pub run: u8,
    pub escape: Escape,
    /// In how many nested format specifications this is.
    pub spec: u8,
}

/// A replacement field under way: the string around it, and how many brackets were open at its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Field {
    pub text: Text,
    pub depth: u8,
}

/// What a string's prefix says; `None` if it is none.
pub(super) fn prefix_flags(word: &[u8]) -> Option<u8> {
    let mut flags = 0;
    let one = |b: u8| match b.to_ascii_lowercase() {
        b'r' => Some(RAW),
        b'f' => Some(FORMAT),
        b'b' => Some(BYTES),
        _ => None,
    };
    match word {
        [] | [b'u' | b'U'] => {}
        [a] => flags = one(*a)?,
        [a, b] => {
            flags = one(*a)? | one(*b)?;
            if flags != RAW | FORMAT && flags != RAW | BYTES {
                return None;
            }
        }
        _ => return None,
    }
    Some(flags)
}

impl Prefix {
    /// A quote that starts a string with the prefix given.
    pub(super) fn open_string(&mut self, quote: u8, flags: u8) -> bool {
        let tok = match flags {
            _ if flags & FORMAT != 0 => Tok::FStr,
            _ if flags & BYTES != 0 => Tok::Bytes,
            _ => Tok::Str,
        };
        self.lex = Lex::Quotes(Text {
            quote,
            flags,
            run: 1,
            escape: Escape::No,
            spec: 0,
        });
        self.feed(tok)
    }

    /// A byte after one or two opening quotes.
    pub(super) fn after_quotes(&mut self, mut text: Text, b: u8) -> bool {
        match (b == text.quote, text.run) {
            (true, 1) => {
                text.run = 2;
                self.lex = Lex::Quotes(text);
                true
            }
            (true, _) => {
                (text.run, text.flags) = (0, text.flags | TRIPLE);
                self.lex = Lex::Text(text);
                true
            }
            (false, 1) => {
                text.run = 0;
                self.text(text, b)
            }
            (false, _) => {
                self.lex = Lex::Between;
                self.between(b)
            }
        }
    }

    /// A byte of a string.
    pub(super) fn text(&mut self, mut text: Text, b: u8) -> bool {
        let format = text.flags & FORMAT != 0;
        let triple = text.flags & TRIPLE != 0;
        if b >= 0x80 && text.flags & BYTES != 0 {
            return false;
        }
        let hex = b.is_ascii_hexdigit();
        let then =
            |n: u8, escape: fn(u8) -> Escape| if n == 1 { Escape::No } else { escape(n - 1) };
        let escape = match text.escape {
            Escape::Backslash if !(format && matches!(b, b'{' | b'}')) => {
                let escapes = text.flags & RAW == 0;
                let unicode = escapes && text.flags & BYTES == 0;
                match b {
                    b'x' if escapes => Escape::Hex(2),
                    b'u' if unicode => Escape::Hex(4),
                    b'U' if unicode => Escape::Long(8),
                    b'N' if unicode => Escape::NameOpen,
                    b'\r' => Escape::CarriageReturn,
                    _ => Escape::No,
                }
            }
            Escape::CarriageReturn if b == b'\n' => Escape::No,
            Escape::Hex(n) if hex => then(n, Escape::Hex),
            Escape::Long(6) if b == b'1' => Escape::Plane16(5),
            Escape::Long(n) if b == b'0' || n < 6 && hex => then(n, Escape::Long),
            Escape::Plane16(n) if b == b'0' || n < 5 && hex => then(n, Escape::Plane16),
            Escape::NameOpen if b == b'{' => Escape::NameFirst,
            Escape::NameFirst | Escape::Name
                if b.is_ascii_alphanumeric() || b == b' ' || b == b'-' =>
            {
                Escape::Name
            }
            Escape::Name if b == b'}' => Escape::No,
            Escape::Hex(_)
            | Escape::Long(_)
            | Escape::Plane16(_)
            | Escape::NameOpen
            | Escape::NameFirst
            | Escape::Name => return false,
            Escape::Open if b == b'{' => Escape::No,
            Escape::Open => return self.open_field(text, b),
            Escape::Close if b == b'}' => Escape::No,
            Escape::Close => return false,
            Escape::No | Escape::Backslash | Escape::CarriageReturn => {
                text.run = if b == text.quote { text.run + 1 } else { 0 };
                match b {
                    _ if b == text.quote && (!triple || text.run == 3) => {
                        self.lex = Lex::Between;
                        return text.spec == 0;
                    }
                    b'\n' | b'\r' if !triple => return false,
                    b'\\' => Escape::Backslash,
                    b'{' if format && text.spec == 0 => Escape::Open,
                    b'{' if format => {
                        // CPython nests specifications no deeper
                        text.escape = Escape::No;
                        self.lex = Lex::Between;
                        return text.spec < 2 && self.start_field(text);
                    }
                    b'}' if format && text.spec > 0 => {
                        text.spec -= 1;
                        Escape::No
                    }
                    b'}' if format => Escape::Close,
                    _ => Escape::No,
                }
            }
        };
        text.escape = escape;
        self.lex = Lex::Text(text);
        true
    }

    fn open_field(&mut self, mut text: Text, b: u8) -> bool {
        text.escape = Escape::No;
        // the brace was no quote, but this byte may be one
        self.start_field(text) && self.in_fields(b) && self.between(b)
    }

    fn start_field(&mut self, mut text: Text) -> bool {
        text.run = 0;
        self.fields.push(Field {
            text,
            depth: self.depth,
        });
        self.lex = Lex::Between;
        self.feed(Tok::FieldStart)
    }

    /// Whether the innermost replacement field is read outside its brackets.
    pub(super) fn at_field(&self) -> bool {
        self.fields.last().is_some_and(|f| f.depth == self.depth)
    }

    /// Whether the byte may stand in the replacement fields under way: not if it ends a string around them.
    pub(super) fn in_fields(&mut self, b: u8) -> bool {
        self.fields.iter_mut().all(|field| {
            let text = &mut field.text;
            let triple = text.flags & TRIPLE != 0;
            text.run = if b == text.quote { text.run + 1 } else { 0 };
            match b {
                b'\\' => false,
                b'\n' | b'\r' => triple,
                _ if b == text.quote => triple && text.run < 3,
                _ => true,
            }
        })
    }

    /// `}` or `:` after the expression of the innermost replacement field.
    pub(super) fn end_field(&mut self, b: u8) -> bool {
        let Some(Field { mut text, .. }) = self.fields.pop() else {
            return false;
        };
        text.run = 0;
        text.spec += u8::from(b == b':');
        self.lex = Lex::Text(text);
        matches!(b, b'}' | b':')
    }
}
