//! The program in a text, whatever surrounds it. What Markdown says is a code block is looked at first, then whatever
//! else could be meant; Python's parser judges: what parses and binds the entry is the program.

use std::borrow::Cow;

use edit::source::is_same;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{Expr, Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_module, parse_unchecked};
use ruff_text_size::Ranged;

use super::{LONGEST, Parent};

/// Places in a text without fences at which a program is looked for.
const PLACES: usize = 8;
/// How the first line of a program begins.
const STARTS: [&str; 6] = ["import ", "from ", "def ", "class ", "async def ", "@"];
/// Rows of backticks or tildes in a text between which a program is looked for.
const ROWS: usize = 24;

/// The program in a text, if one is there; `cut` tells that the text ends at the limit of tokens. It should bind the entry,
/// and be another than the parent, which may be shown too.
pub(super) fn program(text: &str, cut: bool, parent: Parent<'_>) -> Option<String> {
    // Last, what is not all that a program should be but the best there is: the first found of the most worth.
    let mut best: Option<Candidate> = None;
    let mut take = |found: Option<Candidate>| match found {
        Some(found) if found.is_good() => Some(found.text),
        Some(found) => {
            let better = best
                .as_ref()
                .is_none_or(|best| found.worth() > best.worth());
            best = if better { Some(found) } else { best.take() };
            None
        }
        None => None,
    };
    let judge = |text: &str, open: bool| Candidate::judge(text, open && cut, parent);
    // The name of a fence that was lost.
    let first = text.trim_start().split_once('\n');
    let text = first
        .filter(|(line, _)| ["python", "python3", "py"].contains(&line.trim_end()))
        .map_or(text, |(_, rest)| rest);
    // A program whose docstrings hold code blocks, without a fence of its own.
    if let Some(whole) = judge(text, true).filter(|whole| whole.binds) {
        return Some(whole.text);
    }
    let (fenced, indented): (Vec<_>, Vec<_>) = blocks(text).into_iter().partition(|b| b.fenced);
    let of_most = |blocks: &[Block]| {
        let judged = blocks
            .iter()
            .filter_map(|block| judge(&block.text, !block.closed));
        // Of those that define most the last: programs are shown before they are changed.
        judged.max_by_key(Candidate::worth)
    };
    take(of_most(&fenced))
        .or_else(|| take(between_rows(text, &judge)))
        .or_else(|| take(bare(text, cut, parent)))
        .or_else(|| take(of_most(&indented)))
        .or_else(|| best.map(|best| best.text))
        .or_else(|| broken(&fenced, cut))
}

/// A text that parses and defines something.
struct Candidate {
    text: String,
    /// Whether it binds the entry.
    binds: bool,
    /// Whether it is the parent.
    same: bool,
    /// Definitions at its margin.
    defines: usize,
}

impl Candidate {
    fn is_good(&self) -> bool {
        self.binds && !self.same
    }

    fn worth(&self) -> (bool, bool, usize) {
        (self.is_good(), self.binds, self.defines)
    }

    /// A text as it stands, without the prompts of a Python session, or with the characters that HTML has names for.
    /// Of one that is cut, its whole statements.
    fn judge(text: &str, cut: bool, parent: Parent<'_>) -> Option<Self> {
        if cut {
            return Self::of(statements(text, true)?, parent);
        }
        let as_it_is = Self::of(text, parent);
        as_it_is.or_else(|| {
            let other = [session(text), unescaped(text)];
            other
                .into_iter()
                .flatten()
                .find_map(|text| Self::of(&text, parent))
        })
    }

    fn of(text: &str, parent: Parent<'_>) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let parsed = parse_module(text).ok()?;
        let tokens: Vec<_> = parsed.tokens().iter().collect();
        // `x &lt; 1` parses, and is never meant.
        let escaped = tokens.windows(3).any(|three| {
            [three[0].kind(), three[1].kind(), three[2].kind()]
                == [TokenKind::Amper, TokenKind::Name, TokenKind::Semi]
                && ["lt", "gt", "amp", "quot"].contains(&&text[three[1].range()])
        });
        if escaped {
            return None;
        }
        let body = parsed.suite();
        let defines = body.iter().filter(|stmt| is_definition(stmt)).count();
        let bound = binds(body, parent.entry);
        (defines > 0 || bound).then(|| Self {
            text: text.to_owned(),
            binds: bound || parent.entry.is_empty(),
            same: is_same(text, parent.program),
            defines,
        })
    }
}

/// Whether a program binds a name at its top level.
pub(super) fn binds_entry(program: &str, entry: &str) -> bool {
    program.len() <= LONGEST
        && parse_module(program).is_ok_and(|parsed| binds(parsed.suite(), entry))
}

fn is_definition(stmt: &Stmt) -> bool {
    matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_))
}

fn binds(body: &[Stmt], name: &str) -> bool {
    fn target(expr: &Expr, name: &str) -> bool {
        match expr {
            Expr::Name(x) => x.id.as_str() == name,
            Expr::Tuple(x) => x.elts.iter().any(|x| target(x, name)),
            Expr::List(x) => x.elts.iter().any(|x| target(x, name)),
            Expr::Starred(x) => target(&x.value, name),
            _ => false,
        }
    }
    body.iter().any(|stmt| match stmt {
        Stmt::FunctionDef(x) => x.name.as_str() == name,
        Stmt::ClassDef(x) => x.name.as_str() == name,
        Stmt::Assign(x) => x.targets.iter().any(|x| target(x, name)),
        Stmt::AnnAssign(x) => x.value.is_some() && target(&x.target, name),
        Stmt::Import(x) => x
            .names
            .iter()
            .any(|x| x.asname.as_ref().unwrap_or(&x.name).as_str() == name),
        Stmt::ImportFrom(x) => x
            .names
            .iter()
            .any(|x| x.asname.as_ref().unwrap_or(&x.name).as_str() == name),
        Stmt::If(x) => {
            binds(&x.body, name) || x.elif_else_clauses.iter().any(|x| binds(&x.body, name))
        }
        Stmt::Try(x) => [&x.body, &x.orelse, &x.finalbody]
            .iter()
            .any(|x| binds(x, name)),
        Stmt::With(x) => binds(&x.body, name),
        Stmt::For(x) => target(&x.target, name) || binds(&x.body, name),
        _ => false,
    })
}

/// A code block of Markdown.
struct Block {
    text: String,
    fenced: bool,
    /// Whether it ends before the text does.
    closed: bool,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut within = false;
    for (event, range) in Parser::new_ext(text, Options::empty()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                within = true;
                let fenced = matches!(kind, CodeBlockKind::Fenced(_));
                let info = match &kind {
                    CodeBlockKind::Fenced(info) => without_info(info),
                    CodeBlockKind::Indented => "",
                };
                // The program's first line, glued to the fence.
                let first = match STARTS.iter().any(|word| info.starts_with(word)) {
                    true => format!("{info}\n"),
                    false => String::new(),
                };
                let source = text[range].trim_end();
                let last = source.rsplit('\n').next().unwrap_or_default();
                let ends = last.ends_with("```") || last.ends_with("~~~");
                blocks.push(Block {
                    text: first,
                    fenced,
                    closed: !fenced || ends && source.contains('\n'),
                });
            }
            Event::Text(piece) if within => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(&piece);
                }
            }
            Event::End(TagEnd::CodeBlock) => within = false,
            _ => {}
        }
    }
    blocks
}

/// The best program between two rows of backticks or tildes, or behind one: where a fence within a docstring would end
/// the block, or one is glued to another line. From each row as far as it parses.
fn between_rows(text: &str, judge: &dyn Fn(&str, bool) -> Option<Candidate>) -> Option<Candidate> {
    let rows = rows(text);
    let spans = rows.iter().enumerate().filter_map(|(i, &(_, after))| {
        let line = text[after..]
            .find('\n')
            .map_or(text.len(), |feed| after + feed + 1);
        let inline = rows.get(i + 1).is_some_and(|(next, _)| *next < line);
        let start = if inline { after } else { line };
        let closed = rows[i + 1..].iter().rev().map(|(end, _)| (*end, false));
        std::iter::once((text.len(), true))
            .chain(closed)
            .find_map(|(end, open)| {
                let mut span = text.get(start..end)?;
                if inline {
                    span = without_info(span).trim_start();
                }
                judge(&dedented(span), open)
            })
    });
    spans.max_by_key(Candidate::worth)
}

/// A text without the name of the language before it.
fn without_info(text: &str) -> &str {
    let name = ["python3", "python", "py"]
        .iter()
        .find_map(|name| text.strip_prefix(name));
    let rest = name.filter(|rest| rest.starts_with(char::is_whitespace));
    rest.map_or(text, str::trim_start)
}

/// Where rows of three or more backticks or tildes begin and end.
fn rows(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < bytes.len() && rows.len() < ROWS {
        let same = bytes[at..].iter().take_while(|b| **b == bytes[at]).count();
        if matches!(bytes[at], b'`' | b'~') && same >= 3 {
            rows.push((at, at + same));
        }
        at += same;
    }
    rows
}

/// A text without the blanks that all its lines begin with.
fn dedented(text: &str) -> Cow<'_, str> {
    let lines = || text.split_inclusive('\n');
    let full = || lines().filter(|line| !line.trim().is_empty());
    let blanks = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let first = full().next().map_or("", |line| &line[..blanks(line)]);
    let common = |line: &str| {
        first
            .bytes()
            .zip(line.bytes())
            .take_while(|(a, b)| a == b)
            .count()
    };
    match full().map(common).min() {
        None | Some(0) => Cow::Borrowed(text),
        Some(margin) => lines()
            .map(|line| &line[margin.min(blanks(line))..])
            .collect(),
    }
}

/// What was typed in a Python session: the lines behind its prompts.
fn session(text: &str) -> Option<String> {
    let typed = |line: &str| {
        let line = line.trim_start();
        let rest = line
            .strip_prefix(">>>")
            .or_else(|| line.strip_prefix("..."))?;
        Some(format!(
            "{}\n",
            rest.strip_prefix(' ').unwrap_or(rest).trim_end()
        ))
    };
    text.contains(">>>")
        .then(|| text.lines().filter_map(typed).collect())
}

/// A text with the characters that HTML has names for.
fn unescaped(text: &str) -> Option<String> {
    let names = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ];
    let there = names.iter().any(|(name, _)| text.contains(name));
    there.then(|| {
        names
            .iter()
            .fold(text.to_owned(), |text, (name, is)| text.replace(name, is))
    })
}

/// A fenced block that defines something and is not Python: its run will say so.
fn broken(blocks: &[Block], cut: bool) -> Option<String> {
    let is_definition = |line: &str| {
        ["def ", "class ", "async def "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    let defines = |block: &&Block| {
        block
            .text
            .lines()
            .filter(|line| is_definition(line))
            .count()
    };
    let whole = |block: &&Block| block.closed || !cut;
    let block = blocks
        .iter()
        .filter(whole)
        .filter(|block| defines(block) > 0)
        .max_by_key(defines)?;
    // With a fence in it, it is not known where the program ends.
    rows(&block.text).is_empty().then(|| block.text.clone())
}

/// The program in a text without fences: all of it, or from the first line from which there is one.
fn bare(text: &str, cut: bool, parent: Parent<'_>) -> Option<Candidate> {
    let mut at = 0;
    let starts = text.split_inclusive('\n').filter_map(|line| {
        let start = at;
        at += line.len();
        STARTS
            .iter()
            .any(|word| line.starts_with(word))
            .then_some(start)
    });
    let found = std::iter::once(0)
        .chain(starts)
        .take(PLACES)
        .filter_map(|start| Candidate::of(statements(&text[start..], cut)?, parent));
    let mut first = None;
    for found in found {
        if found.binds {
            return Some(found);
        }
        first = first.or(Some(found));
    }
    first
}

/// The whole statements at a text's beginning, if one of them defines something.
/// Of a cut text the last is left out where the text ends in it, since more was to come.
pub(super) fn statements(text: &str, cut: bool) -> Option<&str> {
    if text.len() > LONGEST {
        return None;
    }
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let sound = parsed
        .errors()
        .iter()
        .map(|e| e.location.start().to_usize())
        .min()
        // Prose after the program often begins with a word that is a good statement: leave out the whole line.
        .map_or(text.len(), |error| {
            text[..error].rfind('\n').map_or(0, |feed| feed + 1)
        });
    let Mod::Module(module) = parsed.syntax() else {
        return None;
    };
    let close = if cut {
        text.trim_end().len()
    } else {
        usize::MAX
    };
    let mut defines = false;
    // Of each whole statement its end, and whether anything is defined up to there.
    let ends: Vec<(usize, bool)> = module
        .body
        .iter()
        .map_while(|stmt| {
            let end = stmt.range().end().to_usize();
            defines |= is_definition(stmt);
            (end <= sound && end < close).then_some((end, defines))
        })
        .collect();
    // The parser may place an error after the statement that it is in; then that one goes too.
    let good = |end| parsed.errors().is_empty() || parse_module(&text[..end]).is_ok();
    let &(end, defines) = ends.iter().rev().take(2).find(|(end, _)| good(*end))?;
    defines.then(|| &text[..end])
}
