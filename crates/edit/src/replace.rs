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
    /// A line much like a marker that is none, or is one where none can stand: another is missing or misspelt.
    #[error(
        "line {line}: {found:?} is no marker, or stands where none can; write each block as '<<<<<<< SEARCH', '=======', '>>>>>>> REPLACE', each alone on its line"
    )]
    Marker {
        /// Where.
        line: usize,
        /// The line, without the blanks around it.
        found: String,
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
    /// The markers stand on lines of their own, with five to nine signs; blanks after them do not count. The markers and
    /// lines of a block may be indented as its first marker is. A line that is much like a marker, or is one out of turn,
    /// is an error wherever it stands, so that no marker comes into the file.
    ///
    /// # Errors
    /// [`ReplaceError`]; an answer is read whole or not at all.
    pub fn parse(answer: &str) -> Result<Blocks, ReplaceError> {
        let mut blocks = Vec::new();
        let mut lines = answer.split_inclusive('\n').enumerate();
        let wrong = |at: usize, line: &str| ReplaceError::Marker {
            line: at + 1,
            found: line.trim().to_owned(),
        };
        while let Some((start, line)) = lines.next() {
            let margin = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
            if !is_marker(&line[margin.len()..], SEARCH) {
                // A row of equals signs underlines a heading of prose.
                if resembles(line) && !line.trim_start().starts_with('=') {
                    return Err(wrong(start, line));
                }
                continue;
            }
            let block = blocks.len() + 1;
            let mut part = |start: usize, end: &'static str| {
                let mut text = String::new();
                for (at, line) in lines.by_ref() {
                    let line = line.strip_prefix(margin).unwrap_or(line);
                    if is_marker(line, end) {
                        return Ok((text, at));
                    }
                    if resembles(line) {
                        return Err(wrong(at, line));
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

/// Whether a line is so like a marker that it can hardly be meant otherwise: a row of signs that no Python begins with, a
/// row of signs with the word of a marker behind it, or at the line's end, in any case and perhaps without a blank, or
/// five to nine equals signs at the margin and nothing else. (In a docstring a longer or indented row may underline a
/// heading.)
fn resembles(line: &str) -> bool {
    let text = line.trim();
    let glued = ["<<<<< SEARCH", ">>>>> REPLACE"];
    if glued.iter().any(|end| text.ends_with(end)) && !text.starts_with('#') {
        return true;
    }
    let Some(sign) = text.chars().next().filter(|c| "<>=+-".contains(*c)) else {
        return false;
    };
    let word = text.trim_start_matches(sign);
    let signs = text.len() - word.len();
    let word = word.trim_start_matches(['<', '>', '=', '+', '-', ' ', '\t', ':']);
    let word = word.to_ascii_lowercase();
    let named = ["search", "replace", "original", "updated", "head"]
        .iter()
        .any(|name| word.starts_with(name));
    match sign {
        '<' | '>' => signs >= 4 || signs >= 2 && named,
        '=' if named => signs >= 3,
        '=' => line.starts_with('=') && word.is_empty() && (5..=9).contains(&signs),
        _ => signs >= 3 && named,
    }
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
            apply(&block("a\n", "x\n").replace('\n', "\r\n"), "a\n").unwrap(),
            "x\n"
        );
    }

    #[test]
    fn no_marker_comes_into_the_file() {
        let good = block("a\n", "b\n");
        let shapes: [(&str, &[&str]); 3] = [
            (
                SEARCH,
                &[
                    "",
                    "<<<< SEARCH",
                    "<<<<<<<SEARCH",
                    "<<<<<<< search",
                    "<<<<<<< SEARCH:",
                    "<<<<<<<",
                    "<<<<<<< SEACH",
                    "<<<<<<< ORIGINAL",
                    "<<<<<<<<<< SEARCH",
                    "-------- SEARCH",
                    "<< SEARCH",
                    "<<<<<<< REPLACE",
                    "x <<<<<<< SEARCH",
                ],
            ),
            (
                MIDDLE,
                &[
                    "",
                    "====",
                    "==========",
                    "======= REPLACE",
                    "=======x",
                    "-------",
                    "<<<<<<< SEARCH",
                    "======= =======",
                    "a =======",
                ],
            ),
            (
                REPLACE,
                &[
                    "",
                    ">>>> REPLACE",
                    ">>>>>>>REPLACE",
                    ">>>>>>> replace",
                    ">>>>>>> REPLACE.",
                    ">>>>>>>",
                    ">>>>>>> SEARCH",
                    ">>>>>>>>>> REPLACE",
                    "+++++++ REPLACE",
                    "=======",
                    "======= REPLACE",
                    "<<<<<<< REPLACE",
                    "b>>>>>>> REPLACE",
                    ">> REPLACE",
                    "=======\n>>>>>>> REPLACE",
                ],
            ),
        ];
        for (marker, shapes) in shapes {
            for shape in shapes {
                let bad = good.replace(marker, shape);
                for answer in [bad.clone(), bad.clone() + &good, good.clone() + &bad] {
                    for end in ["\n", "\r\n", " \n"] {
                        let answer = answer.replace('\n', end);
                        let made = apply(&answer, "a\nb\na\nb\na\nb\n");
                        assert!(made.is_err(), "{answer} gives {made:?}");
                    }
                }
            }
        }
        let misses = block("a\n", "b\n") + &block("a\n", "b\n").replacen(SEARCH, "", 1);
        let error = Blocks::parse(&misses).unwrap_err().to_string();
        assert!(error.starts_with("line 10: \">>>>>>> REPLACE\""), "{error}");
    }

    #[test]
    fn what_is_no_marker_stays() {
        for text in [
            "'''Title\n    =======\n'''\n",
            "'''Title\n==========\n'''\n",
            "x = 1 << 2 >> 3\n# <<<<<<< SEARCH\n",
            "'''\n>>> f(1)\n2\n'''\n-x\n---y\n",
        ] {
            assert_eq!(apply(&block("a\n", text), "a\n").as_deref(), Ok(text));
        }
        let inner = block("a\n  b\n", "c\n  d\n").replace('\n', "\n   ");
        let listed = format!("Answer\n=======\n1. So:\n   {inner}");
        assert_eq!(apply(&listed, "a\n  b\n").as_deref(), Ok("c\n  d\n"));
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
