//! The identifiers a program may use.

use std::sync::Arc;

use super::Prefix;
use super::lexer::Lex;
use super::parser::{Call, St};
use super::token::{HARD_KEYWORDS, KEYWORDS, Tok};

/// What a program may name, and how many arguments its functions take. Each list is in order.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// May be read anywhere.
    readable: Vec<String>,
    /// May stand after a dot, whatever stands before it.
    attributes: Vec<String>,
    /// Names that attributes are asked of, each with these attributes. None: all names are, for all attributes.
    receivers: Vec<(String, Vec<String>)>,
    /// Whether attributes are asked of what ends with a bracket or a quote.
    chains: bool,
    /// May name an argument or a module.
    words: Vec<String>,
    /// What is read only to be called.
    called: Vec<String>,
    /// What is read and never called.
    uncalled: Vec<String>,
    trails: Trails,
    /// Whether lines may end within brackets.
    pub(super) wraps: bool,
    signatures: Vec<Signature>,
}

/// How many arguments a function takes, by position or by name.
#[derive(Clone, Debug)]
struct Signature {
    name: String,
    least: u8,
    most: u8,
    /// What its arguments may be called; `None`: any word.
    arguments: Option<Vec<String>>,
    /// Whether the source defines it.
    own: bool,
}

/// What calls `(` and items `[` are asked of besides names.
#[derive(Clone, Copy, Debug, Default)]
struct Trails {
    /// Calls of what ends with a bracket.
    calls: bool,
    /// Items of what ends with `)`.
    items_of_calls: bool,
    /// Items of what ends with `]` or `}`.
    items_of_items: bool,
    /// Either, and attributes, of a number, `None`, `True` or `False`.
    plain: bool,
    /// Arithmetic with `None` and with what ends with `}`.
    arithmetic: bool,
    /// `()`, if not a call's.
    empty: bool,
}

impl Names {
    /// What a program made of `source` may name, in a host that offers what `host` defines (Python too; only its names
    /// and signatures count).
    ///
    /// - To be read anywhere: the builtins that make plain values, what the two bind at module level, and what the source reads though
    ///   nothing bound it before, other builtins among it.
    ///   (What functions bind is theirs; a [`Prefix`] knows it from the text.)
    /// - After a dot: what stands after one in the two, and what they define in classes and functions. After a name of the source and
    ///   a dot only what the two ask of that name, and after a bracket and a dot nothing if they never do that.
    /// - As a module's name: any word of the two. As an argument's: a parameter's of the function, or any word of the two where that is not known.
    /// - What stands in the two nowhere but before a bracket `(`, imports and a class's header aside, is read only so; builtins that the source reads
    ///   nowhere, too. What stands there and never before one is not called.
    /// - Calls and items of what ends with a bracket, a call of the source's own functions aside, only where the two ask for such; none of numbers. No arithmetic with `None`, a dictionary or a
    ///   set, and no `()` that is no call's.
    /// - Lines end within brackets only if lines of the source do.
    /// - Functions defined in the two, and some builtins, take as many arguments as they say; one that is defined
    ///   more than once takes what any of these would, one that the source calls otherwise takes anything.
    pub fn of(source: &str, host: &str) -> Self {
        let mut names = Names::default();
        let builtins = BUILTINS.split_whitespace();
        names.readable = builtins.map(str::to_owned).collect();
        names.readable.sort_unstable();
        names.call_only(host, source);
        for text in [host, source] {
            names.trail(text);
            let found = text.split(|c: char| !is_word(c));
            names.words.extend(found.map(str::to_owned));
            for (at, _) in text.match_indices('.') {
                names.ask(&text[..at], first_word(&text[at + 1..]));
            }
        }
        for list in [&mut names.words, &mut names.attributes] {
            list.retain(|w| is_name(w));
            list.sort_unstable();
            list.dedup();
        }
        for (name, least, most) in FUNCTIONS {
            // not where it may be a method's name too
            if !has(&names.attributes, name.as_bytes()) {
                names.sign(Signature {
                    name: (*name).to_owned(),
                    least: *least,
                    most: *most,
                    arguments: None,
                    own: false,
                });
            }
        }
        names.define(host, false);
        names.define(source, true);
        names.admit(host);
        names.wraps = false;
        names.admit(source);
        names
    }

    /// Notes what the texts do nothing with but define, import and call it, and what they never call.
    fn call_only(&mut self, host: &str, source: &str) {
        let (mut called, mut bare, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        // builtins are the source's: what the host does with them says nothing of it
        let builtin = |word: &str| BUILTINS.split_whitespace().any(|name| name == word);
        for (text, of_source) in [(host, false), (source, true)] {
            for line in text.lines() {
                let (mut rest, mut before) = (line.trim_start(), "");
                if matches!(first_word(rest), "from" | "import") {
                    continue;
                }
                while let Some(at) = rest.find(is_word) {
                    let word = first_word(&rest[at..]);
                    rest = &rest[at + word.len()..];
                    match rest.trim_start().starts_with('(') {
                        true => called.push(word),
                        false if before == "class" => classes.push(word),
                        false if builtin(word) && !of_source => {}
                        false => bare.push(word),
                    }
                    before = word;
                }
            }
        }
        called.extend(BUILTINS.split_whitespace());
        for list in [&mut called, &mut bare, &mut classes] {
            list.retain(|word| is_name(word) && !matches!(*word, "match" | "case"));
            list.sort_unstable();
            list.dedup();
        }
        let without = |words: &[&str], lists: &[&[&str]]| {
            let lacks = |word: &&&str| lists.iter().all(|list| list.binary_search(word).is_err());
            let kept = words.iter().filter(lacks);
            kept.map(|word| (*word).to_owned()).collect()
        };
        self.called = without(&called, &[&bare]);
        self.uncalled = without(&bare, &[&called, &classes]);
    }

    /// Notes what the text asks calls and items of.
    fn trail(&mut self, text: &str) {
        let mut last = ' ';
        for c in text.chars().filter(|c| !matches!(c, ' ' | '\t')) {
            match (last, c) {
                (')' | ']' | '}', '(') => self.trails.calls = true,
                (')', '[') => self.trails.items_of_calls = true,
                (']' | '}', '[') => self.trails.items_of_items = true,
                _ => {}
            }
            last = c;
        }
    }

    /// Notes an attribute and what it is asked of.
    fn ask(&mut self, before: &str, attribute: &str) {
        if !is_name(attribute) {
            return;
        }
        let before = before.trim_ascii_end();
        self.attributes.push(attribute.to_owned());
        self.chains |= before.ends_with([')', ']', '}', '"', '\'']);
        let start = before.rfind(|c| !is_word(c));
        let receiver = &before[start.map_or(0, |at| at + 1)..];
        if receiver.is_empty() {
            return;
        }
        let place = self
            .receivers
            .binary_search_by(|(name, _)| (**name).cmp(receiver));
        let at = place.unwrap_or_else(|at| {
            self.receivers.insert(at, (receiver.to_owned(), Vec::new()));
            at
        });
        insert(&mut self.receivers[at].1, attribute);
    }

    /// Notes the functions that a text defines; `own`: it is the source.
    fn define(&mut self, text: &str, own: bool) {
        for (at, _) in text.match_indices("def ") {
            let before = &text[..at];
            if before.ends_with(is_word) {
                continue;
            }
            let line = before.rsplit('\n').next().unwrap_or_default();
            let rest = text[at + 4..].trim_start();
            let name = first_word(rest);
            let Some((least, most, arguments)) = parameters(rest[name.len()..].trim_start()) else {
                continue;
            };
            if !line.is_empty() {
                insert(&mut self.attributes, name);
            }
            self.sign(Signature {
                name: name.to_owned(),
                least,
                most,
                arguments,
                own,
            });
        }
    }

    fn sign(&mut self, new: Signature) {
        match (self.signatures).binary_search_by(|known| known.name.cmp(&new.name)) {
            Ok(at) => {
                let known = &mut self.signatures[at];
                known.least = known.least.min(new.least);
                known.most = known.most.max(new.most);
                known.own |= new.own;
                match (&mut known.arguments, new.arguments) {
                    (Some(known), Some(more)) => known.extend(more),
                    (known, _) => *known = None,
                }
            }
            Err(at) => self.signatures.insert(at, new),
        }
    }

    /// Adds the names bound at the text's module level, and gives way wherever a [`Prefix`] would not take the text.
    fn admit(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut prefix = Prefix::with_names(Arc::new(self.clone()));
        let (mut line, mut at) = ((prefix.clone(), 0), 0);
        while at < bytes.len() {
            if prefix.lex == Lex::Indent && at > line.1 && bytes[at - 1] == b'\n' {
                line = (prefix.clone(), at);
            }
            let before = prefix.clone();
            if prefix.push(bytes[at]) {
                at += 1;
                continue;
            }
            if !self.give_way(&before, bytes, at) {
                return;
            }
            (prefix, at) = line;
            prefix.names = Some(Arc::new(self.clone()));
            line = (prefix.clone(), at);
        }
        prefix.push_all(b"\npass\n");
        for bound in Bound::iter(&prefix.bound) {
            insert(&mut self.readable, &String::from_utf8_lossy(bound));
        }
    }

    /// Allows what a prefix of a text died of at a byte, if it was a matter of names.
    fn give_way(&mut self, before: &Prefix, text: &[u8], at: usize) -> bool {
        if matches!(text[at], b'\n' | b'\r') && before.is_open() && !self.wraps {
            self.wraps = true;
            return true;
        }
        if self.let_trail(before, text, at) || before.no_argument && self.unsign(before) {
            return true;
        }
        let ends = before.lex == Lex::Word && !is_word(text[at].into());
        if ends || before.must_call {
            let place =
                (self.called).binary_search_by(|called| called.as_bytes().cmp(&before.word));
            if let Ok(place) = place {
                self.called.remove(place);
                return true;
            }
        }
        let argument = before
            .readings()
            .any(|parser| parser.top().st == St::CallKeyword);
        let word = match argument {
            true => Some(String::from_utf8_lossy(&before.word).into_owned()),
            false => before.word_to_come(&text[at..]),
        };
        let word = word.filter(|word| {
            let word = word.as_bytes();
            let mut bound = Bound::readable(&before.bound, before.statement);
            !(word.is_empty() || is_keyword(word) || bound.any(|name| name == word))
        });
        if let Some(word) = word {
            let list = match before.after_dot || before.lex == Lex::Word && before.kind.attribute {
                true => &mut self.attributes,
                false => &mut self.readable,
            };
            if insert(list, &word) {
                return true;
            }
        }
        if before.after_dot || before.lex == Lex::Word && before.kind.attribute || text[at] == b'.'
        {
            let held = !self.receivers.is_empty() || !self.chains;
            self.receivers.clear();
            self.chains = true;
            if held {
                return true;
            }
        }
        if self.unsign(before) {
            return true;
        }
        let newest = Bound::iter(&before.bound).next();
        newest.is_some_and(|name| insert(&mut self.readable, &String::from_utf8_lossy(name)))
    }

    /// Forgets what the functions whose calls are under way take; `false`: nothing was known.
    fn unsign(&mut self, before: &Prefix) -> bool {
        let known = self.signatures.len();
        let innermost = before.readings().filter_map(|parser| parser.calls.last());
        let mut called: Vec<u16> = innermost.filter_map(|call| call.function).collect();
        called.sort_unstable();
        called.dedup();
        for function in called.into_iter().rev() {
            self.signatures.remove(usize::from(function));
        }
        self.signatures.len() < known
    }

    /// Allows what trails an operand or stands beside it, if a prefix of the text died of it.
    fn let_trail(&mut self, before: &Prefix, text: &[u8], at: usize) -> bool {
        let byte = text[at];
        if byte == b')' && before.closes_nothing() {
            return !std::mem::replace(&mut self.trails.empty, true);
        }
        let word = (before.lex == Lex::Word).then_some(&before.word[..]);
        let arithmetic = match before.last {
            Last::Operator => {
                let to_come = before.word_to_come(&text[at..]);
                byte == b'{' || to_come.is_some_and(|word| word == "None")
            }
            last => {
                let none = word == Some(b"None") || matches!(last, Last::None | Last::Brace);
                none && b"+-*/%@<>&^|".contains(&byte)
            }
        };
        if arithmetic && !std::mem::replace(&mut self.trails.arithmetic, true) {
            return true;
        }
        if !matches!(byte, b'(' | b'[' | b'.') {
            return false;
        }
        let trails = &mut self.trails;
        match before.last {
            _ if matches!(word, Some(b"None" | b"True" | b"False")) => {
                !std::mem::replace(&mut trails.plain, true)
            }
            _ if word.is_some() || before.last == Last::Uncalled => {
                let known = self.uncalled.len();
                if byte == b'(' {
                    let other = |name: &String| word.is_some_and(|word| word != name.as_bytes());
                    self.uncalled.retain(other);
                }
                self.uncalled.len() < known
            }
            Last::Plain | Last::None => !std::mem::replace(&mut trails.plain, true),
            Last::Call | Last::Item | Last::Brace => {
                let held = !(trails.calls && trails.items_of_calls && trails.items_of_items);
                (trails.calls, trails.items_of_calls, trails.items_of_items) = (true, true, true);
                held
            }
            Last::Other | Last::Operator | Last::Uncalled => false,
        }
    }

    /// Whether the name stands in the texts and is never called there.
    pub(super) fn is_uncalled(&self, name: &[u8]) -> bool {
        has(&self.uncalled, name)
    }

    /// Whether a call or an item may be asked of what was read last.
    pub(super) fn may_trail(&self, last: Last, byte: u8) -> bool {
        let Trails {
            calls,
            items_of_calls,
            items_of_items,
            plain,
            ..
        } = self.trails;
        match (last, byte) {
            (Last::Other | Last::Operator, _) | (Last::Uncalled, b'[') => true,
            (Last::Uncalled, _) => false,
            (Last::Plain | Last::None, _) => plain,
            (Last::Call, b'[') => items_of_calls,
            (Last::Item | Last::Brace, b'[') => items_of_items,
            (Last::Call | Last::Item | Last::Brace, _) => calls,
        }
    }

    /// Whether `None` and `{` may stand beside an arithmetic operator.
    pub(super) fn arithmetic(&self) -> bool {
        self.trails.arithmetic
    }

    /// Whether `()` may stand where it is no call's.
    pub(super) fn empty(&self) -> bool {
        self.trails.empty
    }

    /// Whether the name may be read anywhere.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        has(&self.readable, name)
    }

    /// All names that may be used in one way or another; some more than once.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let lists = [&self.readable, &self.attributes, &self.words];
        lists.into_iter().flatten().map(String::as_str)
    }

    /// Whether a name that may be read anywhere starts so.
    pub(super) fn has_prefix(&self, prefix: &[u8]) -> bool {
        starts_one(&self.readable, prefix)
    }

    /// Whether the name may stand after a dot.
    pub(super) fn has_attribute(&self, of: Asked, name: &[u8]) -> bool {
        has(self.asked(of), name)
    }

    /// Whether a name that may stand after a dot starts so.
    pub(super) fn has_attribute_prefix(&self, of: Asked, prefix: &[u8]) -> bool {
        starts_one(self.asked(of), prefix)
    }

    fn asked(&self, of: Asked) -> &[String] {
        match of {
            Asked::Name(at) => &self.receivers[usize::from(at)].1,
            Asked::Anything => &self.attributes,
            Asked::Nothing => &[],
        }
    }

    /// Whether there is an attribute to ask.
    pub(super) fn may_ask(&self, of: Asked) -> bool {
        !self.asked(of).is_empty()
    }

    /// What may be asked of a name.
    pub(super) fn of_name(&self, name: &[u8]) -> Asked {
        let place = self
            .receivers
            .binary_search_by(|(receiver, _)| receiver.as_bytes().cmp(name));
        match place {
            Ok(at) => Asked::Name(at as u16),
            Err(_) if self.receivers.is_empty() || !self.has_word(name) => Asked::Anything,
            Err(_) => Asked::Nothing,
        }
    }

    /// What may be asked of what ends with a bracket or a quote.
    pub(super) fn of_chain(&self) -> Asked {
        match self.chains {
            true => Asked::Anything,
            false => Asked::Nothing,
        }
    }

    /// What may be asked of a number.
    pub(super) fn of_plain(&self) -> Asked {
        match self.trails.plain {
            true => Asked::Anything,
            false => Asked::Nothing,
        }
    }

    /// Whether the name is read only to be called.
    pub(super) fn is_called(&self, name: &[u8]) -> bool {
        has(&self.called, name)
    }

    /// Whether the name may be an argument's or a module's.
    pub(super) fn has_word(&self, name: &[u8]) -> bool {
        has(&self.words, name)
    }

    /// Whether one that may be an argument's or a module's starts so.
    pub(super) fn has_word_prefix(&self, prefix: &[u8]) -> bool {
        starts_one(&self.words, prefix)
    }

    /// Whether a call's argument may be called so.
    pub(super) fn has_argument(&self, call: Call, name: &[u8]) -> bool {
        match self.arguments(call) {
            Some(arguments) => arguments.iter().any(|known| known.as_bytes() == name),
            None => self.has_word(name),
        }
    }

    /// Whether one that a call's argument may be called starts so.
    pub(super) fn has_argument_prefix(&self, call: Call, prefix: &[u8]) -> bool {
        match self.arguments(call) {
            Some(arguments) => (arguments.iter()).any(|known| known.as_bytes().starts_with(prefix)),
            None => self.has_word_prefix(prefix),
        }
    }

    fn arguments(&self, call: Call) -> Option<&[String]> {
        let signature = &self.signatures[usize::from(call.function?)];
        signature.arguments.as_deref()
    }

    /// Whether the function called is one that the source defines.
    pub(super) fn is_own(&self, call: Call) -> bool {
        let signature = |at: u16| &self.signatures[usize::from(at)];
        call.function.is_some_and(|at| signature(at).own)
    }

    /// What a call of this function takes.
    pub(super) fn call(&self, name: &[u8]) -> Option<Call> {
        let at = self
            .signatures
            .binary_search_by(|s| s.name.as_bytes().cmp(name))
            .ok()?;
        let Signature { least, most, .. } = self.signatures[at];
        Some(Call {
            function: Some(at as u16),
            least,
            most,
            given: 0,
        })
    }
}

/// Which attributes may be asked of what was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Asked {
    /// Those of a name, by its index.
    Name(u16),
    /// All that are known.
    #[default]
    Anything,
    Nothing,
}

/// What was read last, where that says what may trail it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Last {
    /// A name that is never called.
    Uncalled,
    /// What ends with `)`.
    Call,
    /// What ends with `]`; with `}`.
    Item,
    Brace,
    /// A number, `True` or `False`; `None`.
    Plain,
    None,
    /// An arithmetic operator.
    Operator,
    #[default]
    Other,
}

impl Last {
    pub(super) fn of(tok: Tok) -> Self {
        match tok {
            Tok::RPar => Last::Call,
            Tok::RSqb => Last::Item,
            Tok::RBrace => Last::Brace,
            Tok::Number | Tok::True | Tok::False => Last::Plain,
            Tok::None => Last::None,
            _ if tok.is_arithmetic() => Last::Operator,
            _ => Last::Other,
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || !c.is_ascii()
}

fn is_name(word: &str) -> bool {
    let starts = word.chars().next().is_some_and(|c| !c.is_ascii_digit());
    starts && !is_keyword(word.as_bytes())
}

fn first_word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

/// Puts a word into a list in order; `false`: it was there.
fn insert(words: &mut Vec<String>, word: &str) -> bool {
    let place = words.binary_search_by(|w| (**w).cmp(word));
    if let Err(at) = place {
        words.insert(at, word.to_owned());
    }
    place.is_err()
}

fn has(words: &[String], word: &[u8]) -> bool {
    words.binary_search_by(|w| w.as_bytes().cmp(word)).is_ok()
}

/// Whether one of the words, which are in order, starts so.
fn starts_one(words: &[String], prefix: &[u8]) -> bool {
    let at = words.partition_point(|n| n.as_bytes() < prefix);
    words
        .get(at)
        .is_some_and(|n| n.as_bytes().starts_with(prefix))
}

/// The least and most arguments that parameters `(…)` at the start of a text ask for, and what these may be called (`None`:
/// anything); `self` and `cls` in front do not count. `None` too where strings, comments or lambdas would have to be understood.
fn parameters(text: &str) -> Option<(u8, u8, Option<Vec<String>>)> {
    let (mut least, mut most, mut open) = (0u8, 0u8, false);
    let mut names = Some(Vec::new());
    let mut parameter = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '#' | '"' | '\'' => return None,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        match (depth, c) {
            (1, '(') if parameter.is_empty() && !open => open = true,
            _ if !open => return None,
            (0, _) | (1, ',') => {
                let written = parameter.trim();
                let method = most == 0 && matches!(written, "self" | "cls");
                match written {
                    "" | "*" | "/" => {}
                    _ if written.contains("lambda") => return None,
                    _ if method => {}
                    _ if written.starts_with('*') => {
                        most = u8::MAX;
                        names = names.filter(|_| !written.starts_with("**"));
                    }
                    _ => {
                        if let Some(names) = &mut names {
                            names.push(first_word(written).to_owned());
                        }
                        most = most.saturating_add(1);
                        least = least.saturating_add(u8::from(!written.contains('=')));
                    }
                }
                if depth == 0 {
                    return Some((least, most, names));
                }
                parameter.clear();
            }
            _ => parameter.push(c),
        }
    }
    None
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
    /// Of a name: how many blocks were open where the function or class around was defined; 0: none. Of a parameter:
    /// how many frames.
    scope: u16,
    /// The statement that assigns to it, which cannot read it; 0: none.
    unread_in: u32,
    older: Option<Arc<Bound>>,
}

/// One by one: dropped by recursion, the names of a long file would use up the stack.
impl Drop for Bound {
    fn drop(&mut self) {
        let mut next = self.older.take();
        while let Some(mut bound) = next.and_then(Arc::into_inner) {
            next = bound.older.take();
        }
    }
}

impl Bound {
    pub(super) fn add(list: &mut Option<Arc<Bound>>, name: &[u8], scope: u16, unread_in: u32) {
        *list = Some(Arc::new(Bound {
            name: name.into(),
            scope,
            unread_in,
            older: list.take(),
        }));
    }

    /// Forgets what was bound in this scope and those within.
    pub(super) fn leave(list: &mut Option<Arc<Bound>>, scope: u16) {
        while let Some(bound) = list
            && bound.scope >= scope
        {
            *list = bound.older.clone();
        }
    }

    /// Whether the name was bound in just this scope, the innermost of the list.
    pub(super) fn within(list: &Option<Arc<Bound>>, scope: u16, name: &[u8]) -> bool {
        std::iter::successors(list.as_deref(), |b| b.older.as_deref())
            .take_while(|b| b.scope == scope)
            .any(|b| &*b.name == name)
    }

    /// The names in the list.
    pub(super) fn iter(list: &Option<Arc<Bound>>) -> impl Iterator<Item = &[u8]> {
        Self::readable(list, 0)
    }

    /// Those that a statement may read.
    pub(super) fn readable(
        list: &Option<Arc<Bound>>,
        statement: u32,
    ) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(list.as_deref(), |b| b.older.as_deref())
            .filter(move |b| statement == 0 || b.unread_in != statement)
            .map(|b| &*b.name)
    }
}

/// Builtin functions, with the least and most arguments they take.
const FUNCTIONS: &[(&str, u8, u8)] = &[
    ("abs", 1, 1),
    ("bool", 0, 1),
    ("enumerate", 1, 2),
    ("float", 0, 1),
    ("int", 0, 1),
    ("len", 1, 1),
    ("list", 0, 1),
    ("max", 1, u8::MAX),
    ("min", 1, u8::MAX),
    ("range", 1, 3),
    ("reversed", 1, 1),
    ("round", 1, 2),
    ("sorted", 1, 3),
    ("sum", 1, 2),
    ("tuple", 0, 1),
    ("zip", 1, u8::MAX),
];

/// Builtins that make numbers, and lists to go through, of such.
const BUILTINS: &str = "\
    abs enumerate float int len list max min range reversed round sorted sum tuple zip";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_long_file_go_without_deep_recursion() {
        let mut list = None;
        for i in 0..300_000 {
            Bound::add(&mut list, format!("x{i}").as_bytes(), 0, 0);
        }
        let newest = list.clone();
        drop(list);
        assert_eq!(Bound::iter(&newest).count(), 300_000);
    }
}
