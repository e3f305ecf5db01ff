//! The part of a file around a change: what changes, the functions and classes around it, and their first lines.

use std::ops::Range;

use ruff_python_ast::{ExceptHandler, ModModule, Stmt};
use ruff_text_size::Ranged;

/// The text before and after, or the part of both.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    pub before: String,
    pub after: String,
}

/// Lines of the old file and of the new one that replace each other.
pub type Changes = [(Range<usize>, Range<usize>)];

/// The part of at most `most` lines of the old file in which all changes lie; the whole file where it is no longer. None where there
/// is none.
///
/// A statement that the change touches stays whole where it is short enough. Of a longer one its head stays, the statements
/// in it that the change touches, and the first one of each other block, so that the part parses where the file does.
pub fn window(
    old: &str,
    new: &str,
    tree: &ModModule,
    changes: &Changes,
    most: usize,
) -> Option<Window> {
    let (old_lines, new_lines) = (edit::lines(old), edit::lines(new));
    let mut part = Part {
        starts: starts(old),
        kept: vec![false; old_lines.len()],
        touched: changes
            .iter()
            .map(|(old, _)| around(old, old_lines.len()))
            .collect(),
        most,
    };
    if old_lines.len() <= most {
        part.kept.fill(true);
    } else {
        for touched in part.touched.clone() {
            part.keep(touched);
        }
        part.block(&tree.body);
    }
    if part.kept.iter().filter(|kept| **kept).count() > most {
        return None;
    }
    let mut window = Window {
        before: String::new(),
        after: String::new(),
    };
    let mut at = 0;
    for (old, new) in changes
        .iter()
        .chain([&(old_lines.len()..old_lines.len(), 0..0)])
    {
        let same = old_lines[at..old.start]
            .iter()
            .zip(&part.kept[at..old.start]);
        for (line, _) in same.filter(|(_, kept)| **kept) {
            window.before += line;
            window.after += line;
        }
        window.before.extend(old_lines[old.clone()].iter().copied());
        window.after.extend(new_lines[new.clone()].iter().copied());
        at = old.end;
    }
    Some(window)
}

/// The lines, or for added ones those on both sides.
fn around(lines: &Range<usize>, count: usize) -> Range<usize> {
    match lines.is_empty() {
        true => lines.start.saturating_sub(1)..(lines.end + 1).min(count),
        false => lines.clone(),
    }
}

/// Where lines begin, in bytes.
fn starts(text: &str) -> Vec<usize> {
    let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(after.map(|(at, _)| at + 1))
        .collect()
}

struct Part {
    starts: Vec<usize>,
    kept: Vec<bool>,
    touched: Vec<Range<usize>>,
    most: usize,
}

impl Part {
    fn keep(&mut self, lines: Range<usize>) {
        let end = lines.end.min(self.kept.len());
        if lines.start < end {
            self.kept[lines.start..end].fill(true);
        }
    }

    fn lines(&self, node: &impl Ranged) -> Range<usize> {
        let line = |at: usize| self.starts.partition_point(|start| *start <= at) - 1;
        let range = node.range();
        let last = range.end().to_usize().saturating_sub(1);
        line(range.start().to_usize())..line(last.max(range.start().to_usize())) + 1
    }

    fn is_touched(&self, lines: &Range<usize>) -> bool {
        self.touched
            .iter()
            .any(|touched| touched.start < lines.end && lines.start < touched.end)
    }

    fn block(&mut self, body: &[Stmt]) {
        for statement in body {
            let lines = self.lines(statement);
            if self.is_touched(&lines) {
                self.statement(statement, lines);
            }
        }
    }

    fn statement(&mut self, statement: &Stmt, lines: Range<usize>) {
        let blocks = blocks(statement);
        // A little room is left for the heads around it.
        if blocks.is_empty() || lines.len() * 5 <= self.most * 4 {
            return self.keep(lines);
        }
        let mut at = lines.start;
        for block in blocks {
            let (Some(first), Some(last)) = (block.first(), block.last()) else {
                continue;
            };
            let (first, last) = (self.lines(first), self.lines(last));
            self.keep(at..first.start);
            match self.is_touched(&(first.start..last.end)) {
                true => self.block(block),
                false => self.keep(first),
            }
            at = last.end;
        }
    }
}

/// The blocks within a statement, in the order in which they stand.
fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::FunctionDef(def) => vec![&def.body],
        Stmt::ClassDef(class) => vec![&class.body],
        Stmt::For(each) => vec![&each.body, &each.orelse],
        Stmt::While(each) => vec![&each.body, &each.orelse],
        Stmt::With(with) => vec![&with.body],
        Stmt::If(test) => {
            let others = test.elif_else_clauses.iter().map(|clause| &*clause.body);
            std::iter::once(&*test.body).chain(others).collect()
        }
        Stmt::Try(attempt) => {
            let handlers = attempt
                .handlers
                .iter()
                .map(|ExceptHandler::ExceptHandler(handler)| &*handler.body);
            let mut blocks: Vec<&[Stmt]> = vec![&attempt.body];
            blocks.extend(handlers);
            blocks.extend([&*attempt.orelse, &*attempt.finalbody]);
            blocks
        }
        _ => Vec::new(),
    }
}
