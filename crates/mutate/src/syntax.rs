//! Syntax trees, with room for those who walk them.
//!
//! Trees are parsed, walked, compared and dropped by recursion. What the parser itself recurses for (brackets, blocks,
//! prefixes, `**`) it bounds as CPython does. Chains (`a + b + c`, `a.b.c`, `f()()`, `a[0][1]`) it reads in a loop, so
//! that their trees may be as deep as the text is long: those are measured before a tree is made.

use ruff_python_ast::ModModule;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::lexer::lex;
use ruff_python_parser::{Mode, Parsed, parse_module};

/// Links of chains that may lie within each other.
pub const DEEPEST: usize = 10_000;

/// Bytes of stack that any walk of such a tree fits in; of these only what is used takes memory.
const ROOM: usize = 192 << 20;

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {offset}")]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes from the start.
    pub offset: usize,
}

/// Parses a program and hands its tree to `work`, on a stack with room for it: a text of any kind and a thread of any
/// stack will do.
///
/// # Errors
/// It is not Python, or chains within it are longer than [`DEEPEST`].
pub fn with<T>(source: &str, work: impl FnOnce(&Parsed<ModModule>) -> T) -> Result<T, Fault> {
    // Every link takes two bytes.
    if source.len() / 2 > DEEPEST && deepest(source) > DEEPEST {
        return Err(Fault {
            message: format!(
                "operators, attributes, calls or subscripts are chained more than {DEEPEST} deep"
            ),
            offset: 0,
        });
    }
    roomy(|| match parse_module(source) {
        Ok(parsed) => Ok(work(&parsed)),
        Err(e) => Err(Fault {
            message: e.error.to_string(),
            offset: e.location.start().to_usize(),
        }),
    })
}

/// Works on a stack with room for trees. Who makes many puts all of the work in here: within it a tree finds the room
/// that it needs, and no stack is made for each.
pub fn roomy<T>(work: impl FnOnce() -> T) -> T {
    // Twice the room, so that `work` may parse another.
    stacker::maybe_grow(ROOM, 2 * ROOM, work)
}

/// How chains lie within each other between two brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Of the part that is being read.
    here: usize,
    /// The most of the parts before it.
    before: usize,
}

/// An upper bound of how many links of chains lie within each other.
fn deepest(source: &str) -> usize {
    let mut lexer = lex(source, Mode::Module);
    let (mut open, mut level) = (Vec::new(), Level::default());
    loop {
        use TokenKind as T;
        let kind = lexer.next_token();
        match kind {
            T::Lpar | T::Lsqb | T::Lbrace | T::FStringStart | T::TStringStart => {
                open.push(std::mem::take(&mut level));
            }
            T::Rpar | T::Rsqb | T::Rbrace | T::FStringEnd | T::TStringEnd => {
                if let Some(outer) = open.pop() {
                    let inner = level.here.max(level.before);
                    level = outer;
                    // A call or a subscript is a link of the chain around it.
                    level.here = level.here.max(inner) + 1;
                }
            }
            T::Plus
            | T::Minus
            | T::Star
            | T::Slash
            | T::DoubleSlash
            | T::Percent
            | T::At
            | T::Dot => level.here += 1,
            T::LeftShift | T::RightShift | T::Amper | T::Vbar | T::CircumFlex => level.here += 1,
            // What stands on either side of these is no part of the other.
            T::Comma | T::Semi | T::Colon | T::Equal | T::And | T::Or | T::Newline => {
                level.before = level.before.max(level.here);
                level.here = 0;
            }
            T::EndOfFile => {
                let all = open.iter().chain([&level]);
                return all.map(|level| level.here.max(level.before)).sum();
            }
            _ => {}
        }
    }
}
