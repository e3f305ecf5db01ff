//! Some lines written anew in their place.

use std::sync::Arc;

use thiserror::Error;

use super::Guide;
use super::rules::{Reading, Rules, differ, is_cut, is_text};

/// Bounds of a [`LineGuide`].
#[derive(Clone)]
pub struct LineOptions {
    /// What the whole file must be.
    pub rules: Rules,
    /// The first new line begins with exactly the blanks that the first old one begins with.
    pub force_indent: bool,
    /// Bytes of the old lines that stay, as far as the rules take them; the first thing written after them (the first
    /// token, to a sampler) is not what stood there. 0 leaves open where the new lines begin to differ.
    pub keep: usize,
    /// How many lines may be written beyond the number of old ones, while the file is not valid yet.
    pub extra_lines: usize,
    /// Bytes in a line, without its line feed.
    pub max_line: usize,
}

impl Default for LineOptions {
    fn default() -> Self {
        LineOptions {
            rules: Rules::default(),
            force_indent: true,
            keep: 0,
            extra_lines: 3,
            max_line: 200,
        }
    }
}

/// Why lines cannot be written anew.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    /// Lines that the file has not.
    #[error(
        "lines {first} to {end} (from 0, the end not included) of a file of {lines}; name one to some lines inside it"
    )]
    Range {
        /// The first line.
        first: usize,
        /// The line after the last.
        end: usize,
        /// The lines of the file.
        lines: usize,
    },
    /// What stands before the lines is no beginning of a valid file.
    #[error(
        "the {lines} lines before those to write are no beginning of a valid file; choose earlier ones"
    )]
    Before {
        /// How many lines.
        lines: usize,
    },
}

/// Guides the text that stands instead of some successive lines of a file.
///
/// What is guided are the new lines, each with its line feed: as many as the old ones, and then more only as long as the
/// file is not valid without them. The text ends where the file is valid with what stands before and after it, and
/// then must end. A text that changes nothing but blanks is refused.
///
/// A line begun can turn out to have no end that suits what follows (a plain statement where an indented block comes
/// next). [`LineOptions::max_line`] bounds what is then written; at last no byte is admitted. What can be saved of it
/// [`closed`](Self::closed) says.
pub struct LineGuide {
    job: Arc<Job>,
    state: State,
}

struct Job {
    before: String,
    old: String,
    after: String,
    /// The file's last line lacks its line feed.
    open_end: bool,
    count: usize,
    /// What the new lines begin with: the blanks or more of the old ones.
    start: Vec<u8>,
    options: LineOptions,
}

#[derive(Clone)]
struct State {
    reading: Reading,
    text: Vec<u8>,
    /// Where the line begins in the text.
    line: usize,
    lines: usize,
    done: bool,
}

impl LineGuide {
    /// Guides what is written instead of `count` lines of the source, from the one with index `first` (from 0).
    ///
    /// # Errors
    /// [`LineError`]: the file has no such lines, or no valid file begins like what stands before them.
    pub fn new(
        source: &str,
        first: usize,
        count: usize,
        options: LineOptions,
    ) -> Result<Self, LineError> {
        let lines = crate::lines(source);
        let end = first.saturating_add(count);
        if count == 0 || end > lines.len() {
            return Err(LineError::Range {
                first,
                end,
                lines: lines.len(),
            });
        }
        let before = lines[..first].concat();
        let mut reading = options.rules.read();
        if !reading.push(before.as_bytes()) {
            return Err(LineError::Before { lines: first });
        }
        let old = lines[first..end].concat();
        let blanks = old.bytes().take_while(|b| matches!(b, b' ' | b'\t'));
        let indent = if options.force_indent {
            blanks.count()
        } else {
            0
        };
        let bytes = old.as_bytes();
        let refused = |at: &usize| {
            let line = bytes[..*at].iter().rposition(|b| *b == b'\n');
            let line = &bytes[line.map_or(0, |n| n + 1)..*at];
            !options.rules.takes(line, bytes[*at])
        };
        let most = options.keep.clamp(indent, old.len());
        let keep = (indent..most).find(refused).unwrap_or(most);
        let start = bytes[..keep].to_vec();
        let job = Job {
            before,
            old,
            after: lines[end..].concat(),
            open_end: !source.ends_with('\n'),
            count,
            start,
            options,
        };
        let state = State {
            reading,
            text: Vec::new(),
            line: 0,
            lines: 0,
            done: false,
        };
        Ok(LineGuide {
            job: Arc::new(job),
            state,
        })
    }

    /// The places (values for `first`) where almost any line has an end that suits what follows: where a file with
    /// `pass`, or `0,` in brackets, instead of the old lines is valid. Not among them are lines that open a block. (With
    /// rules that hold to names, neither are lines that bind one; new lines may bind it all the same.)
    ///
    /// Takes time in proportion to the file's length (with rules that hold to names, to its square): what follows new lines
    /// is read only up to where it goes on as after the old ones.
    pub fn places(source: &str, count: usize, rules: &Rules) -> Vec<usize> {
        let lines = crate::lines(source);
        // As it is after each line, as far as there is a valid file that begins so.
        let mut states = vec![rules.read()];
        for line in &lines {
            let mut next = states[states.len() - 1].clone();
            if !next.push(line.as_bytes()) {
                break;
            }
            states.push(next);
        }
        let valid = states
            .get(lines.len())
            .is_some_and(|whole| whole.is_complete());
        let fits = |first: usize, after: usize, line: &str| {
            let blanks = lines[first].len() - lines[first].trim_start_matches([' ', '\t']).len();
            let mut reading = states[first].clone();
            let line = format!("{}{line}\n", &lines[first][..blanks]);
            if !reading.push(line.as_bytes()) {
                return false;
            }
            for (at, line) in lines.iter().enumerate().skip(after) {
                if states.get(at).is_some_and(|old| reading.goes_on_as(old)) {
                    return valid;
                }
                if !reading.push(line.as_bytes()) {
                    return false;
                }
            }
            reading.is_complete()
        };
        let count = count.max(1);
        (0..states.len())
            .filter(|first| first + count <= lines.len())
            .filter(|first| {
                ["pass", "0,"]
                    .iter()
                    .any(|line| fits(*first, first + count, line))
            })
            .collect()
    }

    /// The new lines so far.
    pub fn text(&self) -> &[u8] {
        &self.state.text
    }

    /// The whole new file, once the new lines are all there.
    pub fn result(&self) -> Option<String> {
        self.state.done.then(|| self.job.file(&self.state.text))
    }

    /// The whole new file where the new lines have no end yet: they are cut back, as little as need be, to where closing
    /// the open brackets ends the line; the old lines that they do not replace follow, or else all of them. `None`:
    /// nowhere does that make a valid file that is another.
    pub fn closed(&self) -> Option<String> {
        let job = &self.job;
        let mut reading = job.options.rules.read();
        reading.push(job.before.as_bytes());
        let mut cuts = Vec::new();
        for (at, byte) in self.state.text.iter().enumerate() {
            reading.push(&[*byte]);
            if at >= job.start.len() && is_cut(&self.state.text, at + 1) {
                cuts.push((at + 1, reading.clone()));
            }
        }
        let old: Vec<&str> = crate::lines(&job.old);
        cuts.into_iter().rev().find_map(|(cut, mut reading)| {
            let mut text = self.state.text[..cut].to_vec();
            if text.last() != Some(&b'\n') {
                let closing = reading.closing()?;
                reading.push(&closing).then_some(())?;
                text.extend(closing);
            }
            let lines = text.iter().filter(|b| **b == b'\n').count();
            let mut replaced = [lines.min(old.len()), 0].into_iter();
            replaced.find_map(|replaced| {
                let rest = old[replaced..].concat();
                let new = [&text, rest.as_bytes()].concat();
                let valid = std::str::from_utf8(&new).is_ok_and(|new| differ(new, &job.old))
                    && reading.ends_with(format!("{rest}{}", job.after).as_bytes());
                let file = valid.then(|| job.file(&new))?;
                job.options.rules.accepts(&file).then_some(file)
            })
        })
    }
}

impl Job {
    fn file(&self, text: &[u8]) -> String {
        let mut file = format!(
            "{}{}{}",
            self.before,
            String::from_utf8_lossy(text),
            self.after
        );
        if self.open_end && file.ends_with('\n') {
            file.pop();
        }
        file
    }

    /// Takes a byte; `false`: it is not admitted, and the state is of no use any more.
    fn step(&self, state: &mut State, byte: u8) -> bool {
        if state.done {
            // Tokens reach over the end of a line, into the indentation of the next; nothing is made of it.
            return byte.is_ascii_whitespace();
        }
        if !self.options.rules.takes(&state.text[state.line..], byte) {
            return false;
        }
        match self.start.get(state.text.len()) {
            Some(b) if *b != byte => return false,
            None if self.options.force_indent && matches!(byte, b' ' | b'\t') => {
                let blank = |b: &u8| matches!(b, b' ' | b'\t');
                if state.text.len() == self.start.len() && self.start.iter().all(blank) {
                    return false;
                }
            }
            _ => {}
        }
        state.text.push(byte);
        if !is_text(&state.text[state.line..]) || !state.reading.push(&[byte]) {
            return false;
        }
        if byte != b'\n' {
            return state.text.len() - state.line <= self.options.max_line;
        }
        state.line = state.text.len();
        state.lines += 1;
        state.done = state.lines >= self.count && self.is_valid(state);
        state.done || state.lines < self.count + self.options.extra_lines
    }

    /// Whether bytes that come after `written` others go on beyond what is to stay with what stood there.
    fn repeats(&self, written: usize, bytes: &[u8]) -> bool {
        let keep = self.start.len();
        if self.options.keep == 0 || written > keep || written + bytes.len() <= keep {
            return false;
        }
        let (stood, new) = (&self.old.as_bytes()[keep..], &bytes[keep - written..]);
        stood.starts_with(new) || new.starts_with(stood)
    }

    fn is_valid(&self, state: &State) -> bool {
        std::str::from_utf8(&state.text).is_ok_and(|new| differ(new, &self.old))
            && state.reading.ends_with(self.after.as_bytes())
            && self.options.rules.accepts(&self.file(&state.text))
    }
}

impl Guide for LineGuide {
    fn admits(&self, bytes: &[u8]) -> bool {
        if self.job.repeats(self.state.text.len(), bytes) {
            return false;
        }
        let mut state = self.state.clone();
        bytes.iter().all(|b| self.job.step(&mut state, *b))
    }

    fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.job.step(&mut self.state, *byte);
        }
    }

    fn forced(&self) -> Vec<u8> {
        self.job
            .start
            .get(self.state.text.len()..)
            .unwrap_or_default()
            .to_vec()
    }

    fn may_end(&self) -> bool {
        self.state.done
    }

    fn must_end(&self) -> bool {
        self.state.done
    }
}
