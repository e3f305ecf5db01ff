//! Reading unified diffs, as language models write them.

use thiserror::Error;

use super::fence::{Numbered, pieces};
use super::{ApplyError, At, Diff, Hunk, Line, Tag};

/// Why a text is no diff of one file. Lines are those of the text, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// There is no hunk.
    #[error("no hunk in the diff; begin each with a line '@@'")]
    NoHunk,
    /// The headers of a second file.
    #[error("line {line}: a second file begins; write one diff per file")]
    SecondFile {
        /// Where.
        line: usize,
    },
    /// A file that is made, or deleted.
    #[error("line {line}: the diff makes or deletes a file; write a change of the one there is")]
    WholeFile {
        /// Where its headers begin.
        line: usize,
    },
    /// A hunk's line that begins with something else.
    #[error("line {line}: {found:?} begins a line of a hunk; begin it with ' ', '-' or '+'")]
    Sign {
        /// Where.
        line: usize,
        /// The character.
        found: char,
    },
    /// A hunk with neither removed nor added lines.
    #[error(
        "line {line}: the hunk changes nothing; add a line with '-' or '+', or leave the hunk out"
    )]
    NoChange {
        /// Its header.
        line: usize,
    },
    /// A hunk whose place nothing tells.
    #[error(
        "line {line}: the hunk has neither line numbers nor lines of the file; write some context before the change"
    )]
    NoPlace {
        /// Its header.
        line: usize,
    },
    /// A hunk that has the end of the file before its own.
    #[error(
        "line {line}: only the last old and the last new line of the diff can lack a line feed; move the marker"
    )]
    Marker {
        /// The line after which there is another.
        line: usize,
    },
}

/// How far a hunk reaches where its header's counts are those of the lines that follow, and more lines stand behind that
/// may be its own too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// As far as its lines: models miscount. A list with `-` below the hunk is then taken for lines.
    Doubted,
    /// As far as its header says, as GNU patch and git have it. Lines that the header forgot are then lost.
    Trusted,
}

/// The diffs of one file in an answer, in order; each changes what the one before left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diffs(
    /// The diffs; at least one.
    pub Vec<Diff>,
);

impl Diffs {
    /// Reads all diffs of one file in an answer: each fenced block and each pair of headers begins one.
    ///
    /// - What stands before the first header or hunk is passed over; so are a mail's headers, a diffstat, `diff`, `index`
    ///   and other lines between the headers. A fenced block (three or more backticks or tildes, perhaps indented) is
    ///   read without the fence's indentation, a fence at the margin ends the hunk; so does the signature `-- ` with
    ///   git's version.
    /// - A line that begins with `@@` begins a hunk. Where it has numbers they say where the hunk stands; where it has
    ///   not (`@@`, `@@ def f():`), the hunk is looked for ([`Diff::apply`]).
    /// - Where a header's counts are those of the lines that follow, they decide where the hunk ends ([`Counts`]), and what
    ///   follows is passed over up to the next hunk. Otherwise the hunk ends where the next begins or the text ends,
    ///   without the empty lines before that.
    /// - An empty line in a hunk is an empty context line. `\ No newline at end of file` takes the line feed from the
    ///   line before it; the text's own last line needs none.
    ///
    /// # Errors
    /// [`ParseError`]; an answer is read whole or not at all.
    pub fn parse(answer: &str, counts: Counts) -> Result<Diffs, ParseError> {
        let mut diffs = Vec::new();
        let mut name = None;
        for lines in pieces(answer) {
            let reader = Reader {
                lines,
                at: 0,
                counts,
            };
            for (line, diff) in reader.diffs()? {
                if let (Some(a), Some(b)) = (&name, &diff.name)
                    && a != b
                {
                    return Err(ParseError::SecondFile { line });
                }
                name = diff.name.clone().or(name);
                diffs.push(diff);
            }
        }
        if diffs.is_empty() {
            return Err(ParseError::NoHunk);
        }
        Ok(Diffs(diffs))
    }

    /// The text with the changes of all diffs, or an error and no change at all. See [`Diff::apply`].
    ///
    /// # Errors
    /// [`ApplyError`] of the first diff that does not apply.
    pub fn apply(&self, text: &str) -> Result<String, ApplyError> {
        let mut text = text.to_owned();
        for diff in &self.0 {
            text = diff.apply(&text)?;
        }
        Ok(text)
    }

    /// The same diffs for a text whose lines all end: a line without a line feed gets one.
    pub fn with_ends(mut self) -> Diffs {
        let lines = self.0.iter_mut().flat_map(|diff| &mut diff.hunks);
        for line in lines.flat_map(|hunk| &mut hunk.lines) {
            if !line.text.ends_with('\n') {
                line.text.push('\n');
            }
        }
        self
    }
}

impl Diff {
    /// Reads the one diff in a text, as [`Diffs::parse`] with [`Counts::Doubted`].
    ///
    /// # Errors
    /// As there, and [`ParseError::SecondFile`] where there is more than one.
    pub fn parse(text: &str) -> Result<Diff, ParseError> {
        let mut found = Vec::new();
        for lines in pieces(text) {
            let reader = Reader {
                lines,
                at: 0,
                counts: Counts::Doubted,
            };
            found.extend(reader.diffs()?);
        }
        if let Some((line, _)) = found.get(1) {
            return Err(ParseError::SecondFile { line: *line });
        }
        found.pop().map(|(_, diff)| diff).ok_or(ParseError::NoHunk)
    }
}

struct Reader<'a> {
    lines: Vec<Numbered<'a>>,
    at: usize,
    counts: Counts,
}

/// The numbers of a hunk's header.
struct Numbers {
    line: usize,
    old: usize,
    new: usize,
}

impl<'a> Reader<'a> {
    /// The diffs, each with the line at which it begins.
    fn diffs(mut self) -> Result<Vec<(usize, Diff)>, ParseError> {
        let mut diffs: Vec<(usize, Diff)> = Vec::new();
        // Whether what is read now belongs to the headers of the last diff, which has no hunk yet.
        let (mut git, mut named) = (false, false);
        let open = |diffs: &[(usize, Diff)]| diffs.last().is_some_and(|(_, d)| d.hunks.is_empty());
        while let Some(&(number, line)) = self.lines.get(self.at) {
            if self.names_at(self.at) {
                if named && open(&diffs) {
                    return Err(ParseError::SecondFile { line: number });
                }
                let [old, new] = [self.at, self.at + 1].map(|at| &self.text(at)[4..]);
                let (old, new) = (name(old, "a/"), name(new, "b/"));
                if old.is_none() || new.is_none() {
                    return Err(ParseError::WholeFile { line: number });
                }
                if !open(&diffs) {
                    diffs.push((number, Diff::default()));
                }
                if let Some((_, diff)) = diffs.last_mut() {
                    diff.name = old;
                }
                named = true;
                self.at += 2;
            } else if self.git_at(self.at) {
                if git && open(&diffs) {
                    return Err(ParseError::SecondFile { line: number });
                }
                diffs.push((number, Diff::default()));
                (git, named) = (true, false);
                self.at += 1;
            } else if line.starts_with("@@") {
                if diffs.is_empty() {
                    diffs.push((number, Diff::default()));
                }
                let hunk = self.hunk()?;
                if let Some((_, diff)) = diffs.last_mut() {
                    diff.hunks.push(hunk);
                }
                (git, named) = (false, false);
            } else {
                self.at += 1;
            }
        }
        match diffs.last() {
            // A file that is renamed only, beside one that is changed, is a second file.
            Some((line, diff)) if diff.hunks.is_empty() && diffs.len() > 1 => {
                Err(ParseError::SecondFile { line: *line })
            }
            Some((_, diff)) if diff.hunks.is_empty() => Ok(Vec::new()),
            _ => Ok(diffs),
        }
    }

    fn text(&self, at: usize) -> &'a str {
        self.lines.get(at).map_or("", |(_, line)| line)
    }

    /// The header of a diff: git's, or that of another program above the files' names.
    fn git_at(&self, at: usize) -> bool {
        let line = self.text(at);
        line.starts_with("diff -") || line.starts_with("diff ") && self.names_at(at + 1)
    }

    /// The end of a mail: the signature that git writes, its version.
    fn signed_at(&self, at: usize) -> bool {
        self.text(at).trim_end() == "--"
            && self.text(at + 1).starts_with(|c: char| c.is_ascii_digit())
    }

    fn names_at(&self, at: usize) -> bool {
        self.text(at).starts_with("--- ") && self.text(at + 1).starts_with("+++ ")
    }

    /// Whether a hunk cannot go on here.
    fn ends_at(&self, at: usize) -> bool {
        at >= self.lines.len()
            || self.text(at).starts_with("@@")
            || self.git_at(at)
            || self.names_at(at)
            || self.signed_at(at)
    }

    fn hunk(&mut self) -> Result<Hunk, ParseError> {
        let (line, header) = self.lines[self.at];
        self.at += 1;
        let numbers = numbers(header);
        let counted = numbers.as_ref().and_then(|n| self.counted(n));
        let end = counted.unwrap_or_else(|| {
            let mut end = self.at;
            while !self.ends_at(end) {
                end += 1;
            }
            while end > self.at && is_empty(self.text(end - 1)) {
                end -= 1;
            }
            end
        });
        let hunk = Hunk {
            at: numbers.map(|n| At {
                line: n.line,
                exact: counted.is_some(),
            }),
            lines: self.body(end)?,
        };
        if hunk.lines.iter().all(|l| l.tag == Tag::Context) {
            return Err(ParseError::NoChange { line });
        }
        if hunk.at.is_none() && hunk.old_lines().next().is_none() {
            return Err(ParseError::NoPlace { line });
        }
        Ok(hunk)
    }

    /// Where the hunk ends if its counts are right.
    fn counted(&self, numbers: &Numbers) -> Option<usize> {
        let (mut old, mut new, mut end) = (numbers.old, numbers.new, self.at);
        while old > 0 || new > 0 {
            let (_, line) = self.lines.get(end)?;
            match if is_empty(line) {
                b' '
            } else {
                line.as_bytes()[0]
            } {
                b' ' => (old, new) = (old.checked_sub(1)?, new.checked_sub(1)?),
                b'-' => old = old.checked_sub(1)?,
                b'+' => new = new.checked_sub(1)?,
                b'\\' if end > self.at => {}
                _ => return None,
            }
            end += 1;
        }
        if self.text(end).starts_with('\\') {
            end += 1;
        }
        let more = self.counts == Counts::Doubted && self.text(end).starts_with([' ', '-', '+']);
        (!more || self.ends_at(end)).then_some(end)
    }

    /// The lines up to `end`, which becomes where to read on.
    fn body(&mut self, end: usize) -> Result<Vec<Line>, ParseError> {
        let mut lines: Vec<Line> = Vec::new();
        for &(number, text) in &self.lines[self.at..end] {
            let first = if is_empty(text) {
                ' '
            } else {
                text.chars().next().unwrap_or(' ')
            };
            if first == '\\' {
                if let Some(last) = lines.last_mut()
                    && last.text.ends_with('\n')
                {
                    last.text.pop();
                }
                continue;
            }
            let Some(tag) = u8::try_from(first).ok().and_then(Tag::of) else {
                return Err(ParseError::Sign {
                    line: number,
                    found: first,
                });
            };
            let mut text = if is_empty(text) {
                text.to_owned()
            } else {
                text[1..].to_owned()
            };
            if !text.ends_with('\n') {
                text.push('\n');
            }
            lines.push(Line { tag, text });
        }
        self.at = end;
        check_marker(&lines, self.lines[end.max(1) - 1].0)?;
        Ok(lines)
    }
}

/// Errors where a line that lacks its line feed is followed by another on the same side; `last` is the hunk's last line.
fn check_marker(lines: &[Line], last: usize) -> Result<(), ParseError> {
    for side in [Tag::Added, Tag::Removed] {
        let mut on_side = lines.iter().filter(|l| l.tag != side).peekable();
        while let Some(line) = on_side.next() {
            if !line.text.ends_with('\n') && on_side.peek().is_some() {
                return Err(ParseError::Marker { line: last });
            }
        }
    }
    Ok(())
}

/// Whether nothing stands in the line; the last one of an answer that is cut off in an indented fence has no line feed either.
pub(super) fn is_empty(line: &str) -> bool {
    matches!(line, "" | "\n" | "\r\n")
}

/// The file's name in a header, `None` for /dev/null.
fn name(header: &str, prefix: &str) -> Option<String> {
    let name = header
        .split('\t')
        .next()
        .unwrap_or("")
        .trim_end_matches(['\n', '\r']);
    (name != "/dev/null").then(|| name.strip_prefix(prefix).unwrap_or(name).to_owned())
}

/// `@@ -line,old +line,new @@`, and anything after it.
fn numbers(header: &str) -> Option<Numbers> {
    let mut words = header.strip_prefix("@@")?.split_whitespace();
    let (line, old) = span(words.next()?.strip_prefix('-')?)?;
    let (_, new) = span(words.next()?.strip_prefix('+')?)?;
    Some(Numbers { line, old, new })
}

fn span(text: &str) -> Option<(usize, usize)> {
    let (line, count) = text.split_once(',').unwrap_or((text, "1"));
    // Numbers past any file would only overflow.
    let number = |t: &str| t.parse::<u32>().ok().map(|n| n as usize);
    Some((number(line)?, number(count)?))
}
