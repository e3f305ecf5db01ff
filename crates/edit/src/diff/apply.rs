//! Finding a diff's place in a text.

use std::collections::HashMap;

use thiserror::Error;

use super::{Diff, Hunk, Line, Tag};

/// Up to so many context lines are dropped at each end of a hunk, as GNU patch does.
const MAX_FUZZ: usize = 2;

/// Why a diff does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The lines of a hunk are nowhere in what is left of the text.
    #[error(
        "hunk {hunk}: its context and removed lines, the first {first:?}, are not in the file; copy them from it"
    )]
    NotFound {
        /// Which hunk, from 1.
        hunk: usize,
        /// The first old line.
        first: String,
    },
    /// A hunk stands before the changes of the one before it.
    #[error(
        "hunk {hunk}: it stands before the end of the hunk before it; write hunks in the file's order"
    )]
    Order {
        /// Which hunk, from 1.
        hunk: usize,
    },
}

/// A new text, and where the hunks were placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The text with all changes.
    pub text: String,
    /// One for each hunk.
    pub places: Vec<Place>,
}

/// Where a hunk was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The old text's line, from 1, at which the hunk begins.
    pub line: usize,
    /// How far that is from where its header said; 0 for a bare header.
    pub offset: isize,
    /// How many context lines were dropped at most at each end: 0, 1 or 2.
    pub fuzz: usize,
}

impl Diff {
    /// The text with all changes, or an error and no change at all. See [`Diff::place`] for the rule. Where that finds no
    /// place, blanks at the ends of lines, which editors and models drop, do not count.
    ///
    /// # Errors
    /// [`ApplyError`] of the first hunk that has no place.
    pub fn apply(&self, text: &str) -> Result<String, ApplyError> {
        let placed = self.place(text);
        let placed = placed.or_else(|e| self.place_by(text, str::trim_end).map_err(|_| e))?;
        Ok(placed.text)
    }

    /// Applies the diff to a text by the rule of GNU patch 2.7, with its default greatest fuzz of two.
    ///
    /// - Hunks are placed in order. A hunk is expected at its header's line, moved by as much as the hunk before it was
    ///   moved from its own.
    /// - It may stand where its context and removed lines are the text's, line by line and byte by byte; not before
    ///   the line after the last one that an earlier hunk removed or added behind. (Context may be shared.)
    /// - The place nearest to the expected line is taken; of two equally near, the later.
    /// - If there is none, it is looked for again with fuzz 1 and then 2: the lesser of its leading and trailing context
    ///   *c1* and *c2* lines loses *fuzz - |c1 - c2|*, the greater *fuzz*, and no more than all.
    /// - While fuzz is less than *c2 - c1*, a hunk whose header says line 1 (or 0) stands at the beginning of the text
    ///   only; while it is less than *c1 - c2*, any hunk stands at its end only. This holds where the header's counts
    ///   are right; else lines were left out, and the missing context says nothing.
    /// - A hunk without old lines adds at the expected line.
    /// - Context keeps the text's own lines, also those that fuzz dropped.
    ///
    /// Ours: where the expected line lies before the lines allowed, patch may give up, and here the first place allowed is
    /// the nearest; a last line without line feed gets one where something is added behind it. And a hunk with a bare `@@`, which patch does not know, stands at the first place after all lines of the hunk
    /// before, with the least fuzz that gives one.
    ///
    /// Takes time in proportion to the lines of the diff times those of the text, at worst.
    ///
    /// # Errors
    /// [`ApplyError`] of the first hunk that has no place.
    pub fn place(&self, text: &str) -> Result<Applied, ApplyError> {
        self.place_by(text, |line| line)
    }

    /// As [`Diff::place`], with lines equal whose keys are.
    fn place_by(&self, text: &str, key: fn(&str) -> &str) -> Result<Applied, ApplyError> {
        let mut ids: HashMap<&str, u32> = HashMap::new();
        let lines = crate::lines(text);
        let file: Vec<u32> = lines
            .iter()
            .map(|l| {
                let next = ids.len() as u32;
                *ids.entry(key(l)).or_insert(next)
            })
            .collect();
        let mut state = State {
            file: &file,
            frozen: 0,
            end: 0,
            offset: 0,
        };
        let mut out = String::with_capacity(text.len());
        let mut places = Vec::with_capacity(self.hunks.len());
        for (i, hunk) in self.hunks.iter().enumerate() {
            let pattern = Pattern::of(hunk, &ids, key);
            let found = (0..=pattern.max_fuzz()).find_map(|fuzz| {
                state
                    .locate(hunk, &pattern, fuzz as i64)
                    .map(|at| (at, fuzz))
            });
            let Some((at, fuzz)) = found else {
                let first = hunk.old_lines().next().map_or("", |l| l.text.trim_end());
                return Err(ApplyError::NotFound {
                    hunk: i + 1,
                    first: first.to_owned(),
                });
            };
            let frozen = write(hunk, &lines, at, state.frozen, &mut out)
                .ok_or(ApplyError::Order { hunk: i + 1 })?;
            state.frozen = frozen;
            state.end = at - 1 + pattern.ids.len() as i64;
            let offset = if hunk.at.is_some() {
                state.offset as isize
            } else {
                0
            };
            places.push(Place {
                line: at as usize,
                offset,
                fuzz,
            });
        }
        out.extend(
            lines[(state.frozen as usize).min(lines.len())..]
                .iter()
                .copied(),
        );
        Ok(Applied { text: out, places })
    }
}

/// A hunk's old lines as numbers, and how many lines of context are at its ends.
struct Pattern {
    ids: Vec<u32>,
    prefix: i64,
    suffix: i64,
}

impl Pattern {
    fn of(hunk: &Hunk, ids: &HashMap<&str, u32>, key: fn(&str) -> &str) -> Pattern {
        let context = |l: &&Line| l.tag == Tag::Context;
        Pattern {
            ids: hunk
                .old_lines()
                .map(|l| *ids.get(key(&l.text)).unwrap_or(&u32::MAX))
                .collect(),
            prefix: hunk.lines.iter().take_while(context).count() as i64,
            suffix: hunk.lines.iter().rev().take_while(context).count() as i64,
        }
    }

    fn context(&self) -> i64 {
        self.prefix.max(self.suffix)
    }

    fn max_fuzz(&self) -> usize {
        MAX_FUZZ.min(self.context() as usize)
    }
}

/// Lines are counted from 1 here, as in headers.
struct State<'a> {
    file: &'a [u32],
    /// Lines up to here are written: those up to the last change.
    frozen: i64,
    /// The last line of the last hunk.
    end: i64,
    /// By how much the last hunk was moved.
    offset: i64,
}

impl State<'_> {
    fn locate(&mut self, hunk: &Hunk, pattern: &Pattern, fuzz: i64) -> Option<i64> {
        let all = pattern.ids.len() as i64;
        let lines = self.file.len() as i64;
        // Negative: the hunk lacks context on this side that it has on the other.
        let (prefix, suffix) = (
            fuzz + pattern.prefix - pattern.context(),
            fuzz + pattern.suffix - pattern.context(),
        );
        let (drop_prefix, drop_suffix) = (prefix.max(0), suffix.max(0));
        let ids = &pattern.ids[drop_prefix as usize..(all - drop_suffix).max(drop_prefix) as usize];
        let fits = |at: i64| {
            let first = (at - 1 + drop_prefix) as usize;
            self.file.get(first..first + ids.len()) == Some(ids)
        };
        let last = lines - (all - drop_suffix) + 1;
        let Some(header) = hunk.at else {
            return (self.end + 1..=last).find(|at| fits(*at));
        };
        let line = header.line as i64 + i64::from(all == 0); // adds after the line
        let expected = line + self.offset;
        if all == 0 {
            return (expected > 0).then_some(expected);
        }
        let first = (self.frozen + 1).max(1);
        let at = if header.exact && prefix < 0 && line <= 1 {
            let whole = suffix < 0 && (all != lines || pattern.prefix < self.frozen);
            (!whole && self.frozen <= pattern.prefix && 1 <= last && fits(1)).then_some(1)
        } else if header.exact && suffix < 0 {
            let at = lines - all + 1;
            (at >= first && fits(at)).then_some(at)
        } else {
            let near = (first - expected).max(expected - last).max(0);
            let far = (last - expected).max(expected - first);
            (near..=far).find_map(|by| {
                let inside = |at: &i64| (first..=last).contains(at) && fits(*at);
                Some(expected + by)
                    .filter(inside)
                    .or_else(|| Some(expected - by).filter(inside))
            })
        };
        if let Some(at) = at {
            self.offset = at - line;
        }
        at
    }
}

/// Writes the text from after line `frozen` to the hunk's last change, and says which line that is; `None` if it lies
/// before.
fn write(hunk: &Hunk, lines: &[&str], at: i64, mut frozen: i64, out: &mut String) -> Option<i64> {
    let mut old = at - 1;
    for line in &hunk.lines {
        if line.tag == Tag::Context {
            old += 1;
            continue;
        }
        if old < frozen {
            return None;
        }
        let range = (frozen as usize).min(lines.len())..(old as usize).min(lines.len());
        for line in &lines[range] {
            put(out, line);
        }
        frozen = old;
        if line.tag == Tag::Removed {
            old += 1;
            frozen = old;
        } else {
            put(out, &line.text);
        }
    }
    Some(frozen)
}

/// Writes a line; the one before it was not the last after all, if it lacked its line feed.
fn put(out: &mut String, line: &str) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(line);
}
