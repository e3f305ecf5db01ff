//! The tokens the lexer hands to the parser.

/// A token; what it says beyond its kind is only what the grammar needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
pub(super) enum Tok {
    /// An identifier that may be read; one that is not known and may only be bound; `__debug__`, which may not be bound.
    Name, NewName, DebugName,
    /// One that may not be read, but may name an argument, or a module or what is imported from one.
    KeywordName, ModuleName,
    Number, Str, FStr, Bytes, Ellipsis,
    Newline,
    /// `:`, `!` or `}` that ends the expression of an f-string's replacement field; its `{`.
    FieldEnd, FieldStart,
    LPar, RPar, LSqb, RSqb, LBrace, RBrace,
    /// `(` read as the parenthesis round the items of a `with` statement.
    LParWith,
    Comma, Semi, Colon, ColonEq, Dot, Arrow, Eq, Aug, At, Tilde,
    Plus, Minus, Star, DoubleStar, Slash,
    /// An arithmetic operator that is nothing else; a comparison; `|`, which patterns know too.
    Arith, Compare, Bar,
    False, None, True, And, As, Assert, Async, Await, Break, Class, Continue, Def, Del, Elif, Else, Except, Finally,
    For, From, Global, If, Import, In, Is, Lambda, Nonlocal, Not, Or, Pass, Raise, Return, Try, While, With, Yield,
    /// `match` and `case` read as keywords.
    Match, Case,
}

impl Tok {
    /// An identifier in a place where it is bound, or named without being read.
    pub(super) fn is_name(self) -> bool {
        matches!(self, Tok::Name | Tok::NewName)
    }

    pub(super) fn is_arithmetic(self) -> bool {
        use Tok::*;
        matches!(
            self,
            Plus | Minus | Star | DoubleStar | Slash | At | Tilde | Arith | Bar
        )
    }

    /// Whether an expression can start with this token.
    #[rustfmt::skip]
    pub(super) fn starts_expression(self) -> bool {
        use Tok::*;
        matches!(self, Name | NewName | DebugName | Number | Str | FStr | Bytes | Ellipsis | LPar | LSqb | LBrace
            | Plus | Minus | Tilde | Not | Lambda | Await | None | True | False)
    }
}

/// The keywords, the soft ones last; at most 64.
#[rustfmt::skip]
pub(super) const KEYWORDS: [(&str, Tok); 37] = [
    ("False", Tok::False), ("None", Tok::None), ("True", Tok::True), ("and", Tok::And), ("as", Tok::As),
    ("assert", Tok::Assert), ("async", Tok::Async), ("await", Tok::Await), ("break", Tok::Break),
    ("class", Tok::Class), ("continue", Tok::Continue), ("def", Tok::Def), ("del", Tok::Del), ("elif", Tok::Elif),
    ("else", Tok::Else), ("except", Tok::Except), ("finally", Tok::Finally), ("for", Tok::For), ("from", Tok::From),
    ("global", Tok::Global), ("if", Tok::If), ("import", Tok::Import), ("in", Tok::In), ("is", Tok::Is),
    ("lambda", Tok::Lambda), ("nonlocal", Tok::Nonlocal), ("not", Tok::Not), ("or", Tok::Or), ("pass", Tok::Pass),
    ("raise", Tok::Raise), ("return", Tok::Return), ("try", Tok::Try), ("while", Tok::While), ("with", Tok::With),
    ("yield", Tok::Yield), ("match", Tok::Match), ("case", Tok::Case),
];

/// How many of [`KEYWORDS`] are never names.
pub(super) const HARD_KEYWORDS: usize = 35;

/// The operators that another can start with, or that start with another, shortest first.
#[rustfmt::skip]
pub(super) const OPERATORS: [(&[u8], Tok); 37] = [
    (b":", Tok::Colon), (b"=", Tok::Eq), (b"+", Tok::Plus), (b"-", Tok::Minus), (b"*", Tok::Star),
    (b"/", Tok::Slash), (b"%", Tok::Arith), (b"&", Tok::Arith), (b"|", Tok::Bar), (b"^", Tok::Arith),
    (b"<", Tok::Compare), (b">", Tok::Compare), (b"@", Tok::At),
    (b":=", Tok::ColonEq), (b"==", Tok::Compare), (b"!=", Tok::Compare), (b"<=", Tok::Compare),
    (b">=", Tok::Compare), (b"->", Tok::Arrow), (b"**", Tok::DoubleStar), (b"//", Tok::Arith), (b"<<", Tok::Arith),
    (b">>", Tok::Arith), (b"+=", Tok::Aug), (b"-=", Tok::Aug), (b"*=", Tok::Aug), (b"/=", Tok::Aug),
    (b"%=", Tok::Aug), (b"&=", Tok::Aug), (b"|=", Tok::Aug), (b"^=", Tok::Aug), (b"@=", Tok::Aug),
    (b"**=", Tok::Aug), (b"//=", Tok::Aug), (b"<<=", Tok::Aug), (b">>=", Tok::Aug),
    (b"...", Tok::Ellipsis),
];
