//! A whole file.

use std::borrow::Cow;

use super::Guide;
use super::rules::{Reading, Rules, is_text};

/// Guides the text of a file, from its first byte or after a beginning: what is written is the start of a valid file, and ends where it is one.
///
/// The last bytes of a beginning may be written anew, exactly as they are: a model's tokens need not end where the beginning does, and a token that
/// reaches over its end is the one that the model knows.
#[derive(Clone)]
pub struct FileGuide {
    rules: Rules,
    /// Of all but what is to be written anew.
    reading: Reading,
    text: Vec<u8>,
    /// What is to be written anew.
    given: Vec<u8>,
    /// Where the line begins in the text.
    line: usize,
    /// Bytes of a line at most, without its line feed.
    most: usize,
}

impl FileGuide {
    /// Guides what follows a beginning, of which the bytes from `seen` on are to be written anew; lines have `max_line` bytes at most. `None` where no valid file
    /// starts so.
    pub fn new(beginning: &str, seen: usize, rules: Rules, max_line: usize) -> Option<Self> {
        let (seen, given) = beginning.as_bytes().split_at_checked(seen)?;
        let mut reading = rules.read();
        if !reading.clone().push(beginning.as_bytes()) {
            return None;
        }
        reading.push(seen);
        Some(Self {
            line: seen
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1),
            reading,
            text: seen.to_vec(),
            given: given.to_vec(),
            rules,
            most: max_line,
        })
    }

    /// The file so far.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }
}

impl Guide for FileGuide {
    fn admits(&self, bytes: &[u8]) -> bool {
        let given = self.given.len().min(bytes.len());
        if bytes.is_empty() || bytes[..given] != self.given[..given] {
            return false;
        }
        if !self.reading.clone().push(bytes) {
            return false;
        }
        // What was given is not ours to refuse.
        let mut line = self.text[self.line..].to_vec();
        for (at, byte) in bytes.iter().enumerate() {
            let is_given = at < given;
            if *byte == b'\n' {
                line.clear();
                continue;
            }
            if !is_given && (line.len() >= self.most || !self.rules.takes(&line, *byte)) {
                return false;
            }
            line.push(*byte);
        }
        is_text(&line)
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.given.drain(..self.given.len().min(bytes.len()));
        self.reading.push(bytes);
        if let Some(at) = bytes.iter().rposition(|b| *b == b'\n') {
            self.line = self.text.len() + at + 1;
        }
        self.text.extend_from_slice(bytes);
    }

    fn forced(&self) -> Vec<u8> {
        Vec::new()
    }

    fn may_end(&self) -> bool {
        self.given.is_empty()
            && (self.text.ends_with(b"\n") || !self.rules.is_python())
            && self.reading.is_complete()
            && std::str::from_utf8(&self.text).is_ok_and(|text| self.rules.accepts(text))
    }

    fn must_end(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::Names;
    use crate::python::Prefix;
    use std::sync::Arc;

    fn guide(beginning: &str, seen: usize) -> FileGuide {
        FileGuide::new(beginning, seen, Rules::default(), 40).unwrap()
    }

    #[test]
    fn a_file_ends_where_it_is_whole() {
        let mut guide = guide("", 0);
        assert!(!guide.may_end(), "an empty file is no program");
        assert!(!guide.admits(b"x = )") && guide.admits(b"def f(x"));
        guide.advance(b"def f(x):\n");
        assert!(!guide.may_end() && !guide.admits(b"return x"));
        guide.advance(b"    return x");
        assert!(!guide.may_end());
        guide.advance(b"\n");
        assert!(guide.may_end() && !guide.must_end());
        assert_eq!(guide.text(), "def f(x):\n    return x\n");
    }

    #[test]
    fn tokens_may_reach_over_the_end_of_the_beginning() {
        let mut guide = guide("def f():\n    ret", "def f():".len());
        assert!(guide.admits(b"\n   ") && !guide.admits(b"\n  x"));
        guide.advance(b"\n   ");
        assert!(guide.admits(b" return"), "as it is, and on");
        assert!(!guide.admits(b" pass") && !guide.admits(b""));
        guide.advance(b" return");
        guide.advance(b" 1\n");
        assert!(guide.may_end());
        assert_eq!(guide.text(), "def f():\n    return 1\n");
    }

    #[test]
    fn lines_have_an_end() {
        let mut guide = guide("", 0);
        guide.advance(&[b'a'; 40]);
        assert!(!guide.admits(b"a") && guide.admits(b"\n"));
        // A longer one that was given stays.
        let long = format!("{} = 1", "b".repeat(60));
        let guide = FileGuide::new(&long, 0, Rules::default(), 40).unwrap();
        assert!(guide.admits(long.as_bytes()) && !guide.admits(format!("{long}2").as_bytes()));
    }

    #[test]
    fn beginnings_that_cannot_be() {
        assert!(FileGuide::new("x = )", 0, Rules::default(), 40).is_none());
        assert!(FileGuide::new("ab", 3, Rules::default(), 40).is_none());
        let free = FileGuide::new("def def", 0, Rules::any(), 40).unwrap();
        assert!(!free.may_end(), "what was given comes first");
        assert!(
            FileGuide::new("def def", 7, Rules::any(), 40)
                .unwrap()
                .may_end()
        );
        let known = Rules {
            start: Some(Prefix::with_names(Arc::new(Names::of(
                "",
                "def host(): ...",
            )))),
            ..Rules::default()
        };
        assert!(FileGuide::new("host()\n", 0, known.clone(), 40).is_some());
        assert!(FileGuide::new("other()\n", 0, known, 40).is_none());
    }
}
