//! Reading a unified diff.

use thiserror::Error;

use super::{At, Diff, Hunk, Line, Tag};

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

impl Diff {
    /// Reads a diff of one file, as a language model writes it.
    ///
    /// - What stands before the first header or hunk is passed over; so are `diff`, `index` and other lines between the
    ///   headers. A line of three backticks ends the diff.
    /// - A line that begins with `@@` begins a hunk. Where it has numbers they say where the hunk stands; where it has
    ///   not (`@@`, `@@ def f():`), the hunk is looked for ([`Diff::apply`]).
    /// - Where a header's counts are those of the lines that follow, they decide where the hunk ends, and what follows
    ///   is passed over up to the next hunk. Otherwise the hunk ends where the next begins or the text ends, without the
    ///   empty lines before that.
    /// - An empty line in a hunk is an empty context line. `\ No newline at end of file` takes the line feed from the
    ///   line before it; the text's own last line needs none.
    pub fn parse(text: &str) -> Result<Diff, ParseError> {
        Reader {
            lines: crate::lines(text),
            at: 0,
        }
        .diff()
    }
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

/// The numbers of a hunk's header.
struct Numbers {
    line: usize,
    old: usize,
    new: usize,
}

impl Reader<'_> {
    fn diff(mut self) -> Result<Diff, ParseError> {
        let mut diff = Diff::default();
        let (mut git, mut named) = (false, false);
        while self.at < self.lines.len() {
            let line = self.lines[self.at];
            if self.names_at(self.at) {
                if named || !diff.hunks.is_empty() {
                    return Err(ParseError::SecondFile { line: self.at + 1 });
                }
                named = true;
                diff.name =
                    name(&line[4..], "a/").or_else(|| name(&self.lines[self.at + 1][4..], "b/"));
                self.at += 2;
            } else if line.starts_with("diff ") {
                if git || named || !diff.hunks.is_empty() {
                    return Err(ParseError::SecondFile { line: self.at + 1 });
                }
                git = true;
                self.at += 1;
            } else if line.starts_with("@@") {
                diff.hunks.push(self.hunk()?);
            } else if line.starts_with("```") && !diff.hunks.is_empty() {
                break;
            } else {
                self.at += 1;
            }
        }
        if diff.hunks.is_empty() {
            return Err(ParseError::NoHunk);
        }
        Ok(diff)
    }

    fn names_at(&self, at: usize) -> bool {
        self.lines[at].starts_with("--- ")
            && self
                .lines
                .get(at + 1)
                .is_some_and(|l| l.starts_with("+++ "))
    }

    /// Whether a hunk cannot go on here.
    fn ends_at(&self, at: usize) -> bool {
        self.lines.get(at).is_none_or(|l| {
            l.starts_with("@@")
                || l.starts_with("diff ")
                || l.starts_with("```")
                || self.names_at(at)
        })
    }

    fn hunk(&mut self) -> Result<Hunk, ParseError> {
        let header = self.at;
        self.at += 1;
        let numbers = numbers(self.lines[header]);
        let counted = numbers.as_ref().and_then(|n| self.counted(n));
        let end = counted.unwrap_or_else(|| {
            let mut end = self.at;
            while !self.ends_at(end) {
                end += 1;
            }
            while end > self.at && is_empty(self.lines[end - 1]) {
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
        let line = header + 1;
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
            let line = self.lines.get(end)?;
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
        if self.lines.get(end).is_some_and(|l| l.starts_with('\\')) {
            end += 1;
        }
        let more = self
            .lines
            .get(end)
            .is_some_and(|l| l.starts_with([' ', '-', '+']));
        (!more || self.ends_at(end)).then_some(end)
    }

    /// The lines up to `end`, which becomes where to read on.
    fn body(&mut self, end: usize) -> Result<Vec<Line>, ParseError> {
        let mut lines: Vec<Line> = Vec::new();
        for at in self.at..end {
            let text = self.lines[at];
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
                    line: at + 1,
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
        self.check_marker(&lines)?;
        Ok(lines)
    }

    /// Errors where a line that lacks its line feed is followed by another on the same side.
    fn check_marker(&self, lines: &[Line]) -> Result<(), ParseError> {
        for side in [Tag::Added, Tag::Removed] {
            let mut on_side = lines.iter().filter(|l| l.tag != side).peekable();
            while let Some(line) = on_side.next() {
                if !line.text.ends_with('\n') && on_side.peek().is_some() {
                    return Err(ParseError::Marker { line: self.at });
                }
            }
        }
        Ok(())
    }
}

fn is_empty(line: &str) -> bool {
    matches!(line, "\n" | "\r\n")
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
