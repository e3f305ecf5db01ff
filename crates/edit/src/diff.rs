//! Unified diffs of one file.
//!
//! [`Diff::between`] makes one, `Display` writes it as GNU patch and git take it ([`unified`] does both at once),
//! [`Diffs::parse`] reads what a language model writes, and [`Diff::apply`] finds its place as GNU patch does.

mod apply;
mod fence;
mod parse;

use std::fmt;
use std::hash::Hash;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

pub use apply::{Applied, ApplyError, Place};
pub use parse::{Counts, Diffs, ParseError};

/// The unified diff from one text to another as people read it: three lines of context, no headers of a file; empty where
/// the texts are equal.
pub fn unified(old: &str, new: &str) -> String {
    Diff::between(old, new, 3).to_string()
}

/// The ranges of lines that change, (old, new), in order and with something unchanged between them.
pub fn changes<T: Hash + Ord>(old: &[T], new: &[T]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut changes: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (o, n) = (op.old_range(), op.new_range());
        match changes.last_mut() {
            Some((a, b)) if a.end == o.start && b.end == n.start => (a.end, b.end) = (o.end, n.end),
            _ => changes.push((o, n)),
        }
    }
    changes
}

/// A change of one file: its hunks, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// The file's name in the headers, without `a/` or `b/`; `None` writes no headers. Control characters and quotes,
    /// which would need git's quoting, are written as `?`.
    pub name: Option<String>,
    /// The hunks, none of them without a change.
    pub hunks: Vec<Hunk>,
}

/// A run of lines of which some are removed or added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Where the header said that the hunk stands.
    pub at: Option<At>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// Where a hunk stands in the old file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The first of its old lines, from 1; of a hunk that has none, the line after which it adds (0: the beginning).
    pub line: usize,
    /// The header's counts were those of the body, so that less context on one side means an end of the file there.
    pub exact: bool,
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happens to it.
    pub tag: Tag,
    /// The line with its line feed, or without one where the file ends without.
    pub text: String,
}

/// What a hunk does with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// It stays.
    Context,
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

impl Tag {
    /// The byte that stands before the line.
    pub fn sign(self) -> char {
        match self {
            Tag::Context => ' ',
            Tag::Removed => '-',
            Tag::Added => '+',
        }
    }

    pub(crate) fn of(byte: u8) -> Option<Tag> {
        match byte {
            b' ' => Some(Tag::Context),
            b'-' => Some(Tag::Removed),
            b'+' => Some(Tag::Added),
            _ => None,
        }
    }
}

impl Hunk {
    /// The lines that the old file must have.
    pub fn old_lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|l| l.tag != Tag::Added)
    }

    /// The lines that the new file gets.
    pub fn new_lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|l| l.tag != Tag::Removed)
    }
}

impl Diff {
    /// The change from one text to another, with up to `context` unchanged lines around each hunk (3 is usual).
    ///
    /// Lines end at line feeds alone, so a carriage return belongs to its line. Equal texts give a diff with no hunks.
    pub fn between(old: &str, new: &str, context: usize) -> Diff {
        let (old, new) = (crate::lines(old), crate::lines(new));
        let line = |tag, text: &str| Line {
            tag,
            text: text.to_owned(),
        };
        let changes = changes(&old, &new);
        let mut hunks: Vec<Hunk> = Vec::new();
        let mut end = 0; // of the last hunk's changes, in the old file
        for (i, (o, n)) in changes.iter().enumerate() {
            let begin = match hunks.last() {
                Some(_) if o.start - end <= 2 * context => end,
                _ => {
                    let begin = o.start.saturating_sub(context).max(end);
                    hunks.push(Hunk {
                        at: Some(At {
                            line: begin + 1,
                            exact: true,
                        }),
                        lines: Vec::new(),
                    });
                    begin
                }
            };
            let stop = match changes.get(i + 1) {
                Some((next, _)) if next.start - o.end <= 2 * context => o.end,
                _ => (o.end + context).min(old.len()),
            };
            end = o.end;
            let Some(hunk) = hunks.last_mut() else {
                continue;
            };
            hunk.lines
                .extend(old[begin..o.start].iter().map(|l| line(Tag::Context, l)));
            hunk.lines
                .extend(old[o.clone()].iter().map(|l| line(Tag::Removed, l)));
            hunk.lines
                .extend(new[n.clone()].iter().map(|l| line(Tag::Added, l)));
            hunk.lines
                .extend(old[o.end..stop].iter().map(|l| line(Tag::Context, l)));
        }
        for hunk in &mut hunks {
            if hunk.old_lines().next().is_none()
                && let Some(at) = &mut hunk.at
            {
                at.line -= 1; // the line after which it adds
            }
        }
        Diff { name: None, hunks }
    }

    /// The same diff with a file's name in its headers.
    pub fn named(self, name: &str) -> Diff {
        Diff {
            name: Some(name.to_owned()),
            ..self
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.hunks.is_empty()
    }
}

/// A unified diff; the header of a hunk has its right counts, or is a bare `@@` where no place is known.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            let name: String = name
                .chars()
                .map(|c| {
                    if c.is_control() || c == '"' || c == '\\' {
                        '?'
                    } else {
                        c
                    }
                })
                .collect();
            // A tab ends a name that has blanks in it.
            let tab = if name.contains(' ') { "\t" } else { "" };
            write!(f, "--- a/{name}{tab}\n+++ b/{name}{tab}\n")?;
        }
        let mut grown = 0isize;
        for hunk in &self.hunks {
            let (old, new) = (hunk.old_lines().count(), hunk.new_lines().count());
            match hunk.at {
                None => writeln!(f, "@@")?,
                Some(At { line, .. }) => {
                    let before = line
                        .saturating_sub(usize::from(old > 0))
                        .saturating_add_signed(grown);
                    let new_line = before + usize::from(new > 0);
                    writeln!(f, "@@ -{} +{} @@", Span(line, old), Span(new_line, new))?;
                }
            }
            grown += new as isize - old as isize;
            for line in &hunk.lines {
                write!(f, "{}{}", line.tag.sign(), line.text)?;
                if !line.text.ends_with('\n') {
                    write!(f, "\n\\ No newline at end of file\n")?;
                }
            }
        }
        Ok(())
    }
}

struct Span(usize, usize);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            1 => write!(f, "{}", self.0),
            count => write!(f, "{},{count}", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
