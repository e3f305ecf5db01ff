//! Search/replace blocks.
//!
//! A model that rewrites parts of a file writes, for each part,
//!
//! ```text
//! <<<<<<< SEARCH
//! lines of the file
//! =======
//! lines to stand there instead
//! >>>>>>> REPLACE
//! ```
//!
//! with anything before, between and after the blocks.

use thiserror::Error;

/// A part of a file and what shall stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The whole lines to look for.
    pub search: String,
    /// The whole lines to put there; none removes them.
    pub replace: String,
}

/// The blocks of an answer, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks(
    /// The blocks; at least one.
    pub Vec<Block>,
);

/// Why an answer is no change of a file. Blocks are counted from 1, lines are those of the answer, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplaceError {
    /// There is no block.
    #[error("no block in the answer; begin each with a line '<<<<<<< SEARCH'")]
    NoBlock,
    /// A block without its middle or its end.
    #[error("block {block}, line {line}: no line '{missing}' ends what begins here; write it")]
    Unclosed {
        /// Which block.
        block: usize,
        /// Where the part begins that does not end.
        line: usize,
        /// The line that is missing.
        missing: &'static str,
    },
    /// A block that looks for nothing.
    #[error("block {block}: nothing to search for; copy the lines to change from the file")]
    EmptySearch {
        /// Which block.
        block: usize,
    },
    /// A block whose lines are not in the file.
    #[error(
        "block {block}: its search lines, the first {first:?}, are not in the file; copy them from it, each in full"
    )]
    NotFound {
        /// Which block.
        block: usize,
        /// The first line looked for.
        first: String,
    },
}

const SEARCH: &str = "<<<<<<< SEARCH";
const MIDDLE: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";

impl Blocks {
    /// Reads all blocks of an answer.
    ///
    /// The markers stand on lines of their own, with five to nine signs; blanks after them do not count. The first
    /// `=======` ends the search lines, so these cannot have such a line; the replacement can.
    pub fn parse(answer: &str) -> Result<Blocks, ReplaceError> {
        let mut blocks = Vec::new();
        let mut lines = answer.split_inclusive('\n').enumerate();
        while let Some((start, line)) = lines.next() {
            if !is_marker(line, SEARCH) {
                continue;
            }
            let block = blocks.len() + 1;
            let mut part = |start: usize, end: &'static str| {
                let mut text = String::new();
                for (at, line) in lines.by_ref() {
                    if is_marker(line, end) {
                        return Ok((text, at));
                    }
                    text.push_str(line);
                }
                Err(ReplaceError::Unclosed {
                    block,
                    line: start + 1,
                    missing: end,
                })
            };
            let (search, middle) = part(start, MIDDLE)?;
            let (replace, _) = part(middle, REPLACE)?;
            if search.trim().is_empty() {
                return Err(ReplaceError::EmptySearch { block });
            }
            blocks.push(Block { search, replace });
        }
        if blocks.is_empty() {
            Err(ReplaceError::NoBlock)
        } else {
            Ok(Blocks(blocks))
        }
    }

    /// Applies the blocks in order, each to what the one before left; on an error nothing is changed.
    ///
    /// The first place where all the search lines are lines of the text counts; if there is none, the first where they
    /// are but for blanks at the lines' ends. New lines end as the first line there did (line feed or carriage return and
    /// line feed), and the text still ends without a line feed if it did. Takes time in proportion to the lines of the
    /// text times those of the blocks, at worst.
    pub fn apply(&self, text: &str) -> Result<String, ReplaceError> {
        let mut text = text.to_owned();
        for (i, block) in self.0.iter().enumerate() {
            text = block.apply(&text, i + 1)?;
        }
        Ok(text)
    }
}

impl Block {
    fn apply(&self, text: &str, block: usize) -> Result<String, ReplaceError> {
        let lines = crate::lines(text);
        let search: Vec<&str> = self.search.lines().collect();
        if self.search.trim().is_empty() {
            return Err(ReplaceError::EmptySearch { block });
        }
        let content = |l: &str| l.strip_suffix('\n').unwrap_or(l).to_owned();
        let exact: Vec<String> = lines.iter().map(|l| content(l)).collect();
        let found = find(&exact, &search, |l| l).or_else(|| find(&exact, &search, str::trim_end));
        let Some(at) = found else {
            let first = search[0].to_owned();
            return Err(ReplaceError::NotFound { block, first });
        };
        let end = if lines[at].ends_with("\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        let mut new = lines[..at].concat();
        for line in self.replace.lines() {
            new.push_str(line);
            new.push_str(end);
        }
        let after = at + search.len();
        if after == lines.len() && !text.ends_with('\n') {
            let kept = new
                .strip_suffix('\n')
                .map(|n| n.strip_suffix('\r').unwrap_or(n).len());
            new.truncate(kept.unwrap_or(new.len()));
        }
        new.extend(lines[after..].iter().copied());
        Ok(new)
    }
}

fn find(lines: &[String], search: &[&str], key: impl Fn(&str) -> &str) -> Option<usize> {
    lines
        .windows(search.len())
        .position(|w| w.iter().zip(search).all(|(a, b)| key(a) == key(b)))
}

/// Whether a line is a marker: five to nine signs, and the same word.
fn is_marker(line: &str, marker: &str) -> bool {
    let sign = |c: char| marker.starts_with(c);
    let word = line.trim_start_matches(sign);
    let signs = line.len() - word.len();
    (5..=9).contains(&signs) && word.trim_end() == marker.trim_start_matches(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(search: &str, replace: &str) -> String {
        format!("{SEARCH}\n{search}{MIDDLE}\n{replace}{REPLACE}\n")
    }

    fn apply(answer: &str, text: &str) -> Result<String, ReplaceError> {
        Blocks::parse(answer)?.apply(text)
    }

    #[test]
    fn blocks_in_prose_apply_in_order() {
        let answer = format!(
            "Twice:\n```python\n{}```\nand\n{}.",
            block("b\n", "c\nd\n"),
            block("d\ne\n", "")
        );
        assert_eq!(Blocks::parse(&answer).unwrap().0.len(), 2);
        assert_eq!(apply(&answer, "a\nb\ne\nf\n").unwrap(), "a\nc\nf\n");
    }

    #[test]
    fn an_exact_place_goes_before_a_nearly_equal_one() {
        assert_eq!(apply(&block("a\n", "x\n"), "a  \na\n").unwrap(), "a  \nx\n");
        assert_eq!(apply(&block("a \nb\n", "x\n"), "a\nb\t\n").unwrap(), "x\n");
        // Blanks before a line are Python: they count.
        assert!(apply(&block("a\n", "x\n"), " a\n").is_err());
    }

    #[test]
    fn ends_of_lines_and_of_the_file_stay() {
        assert_eq!(
            apply(&block("b\n", "x\ny\n"), "a\r\nb\r\nc").unwrap(),
            "a\r\nx\r\ny\r\nc"
        );
        assert_eq!(apply(&block("c\n", "x\n"), "a\nc").unwrap(), "a\nx");
        assert_eq!(
            apply(&block("a\n", "x\n=======\n"), "a\n").unwrap(),
            "x\n=======\n"
        );
        assert_eq!(
            apply(&block("a\n", "x\n").replace('\n', "\r\n"), "a\n").unwrap(),
            "x\n"
        );
    }

    #[test]
    fn errors_name_the_block() {
        assert_eq!(apply("no", "a"), Err(ReplaceError::NoBlock));
        assert_eq!(
            apply(&block(" \n", "x\n"), "a"),
            Err(ReplaceError::EmptySearch { block: 1 })
        );
        let two = block("a\n", "b\n") + &block("a\n", "b\n");
        assert_eq!(
            apply(&two, "a\n"),
            Err(ReplaceError::NotFound {
                block: 2,
                first: "a".into()
            })
        );
        let open = format!("x\n{SEARCH}\na\n");
        assert_eq!(
            apply(&open, "a"),
            Err(ReplaceError::Unclosed {
                block: 1,
                line: 2,
                missing: MIDDLE
            })
        );
        let open = format!("{SEARCH}\na\n{MIDDLE}\nb\n");
        assert_eq!(
            apply(&open, "a"),
            Err(ReplaceError::Unclosed {
                block: 1,
                line: 3,
                missing: REPLACE
            })
        );
    }
}
