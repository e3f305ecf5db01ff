//! What changed from one program to the next, line by line.

use edit::diff::Diff;

/// Lines of context around a change.
const CONTEXT: usize = 2;
/// Longer programs are not compared.
const MOST_BYTES: usize = 200_000;

/// A line of a diff.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// `+` added, `-` removed, ` ` unchanged, `@` where unchanged lines are left out.
    pub sign: char,
    /// The line without its end.
    pub text: String,
}

/// The changed lines with two lines of context; empty if nothing changed.
pub fn lines(old: &str, new: &str) -> Vec<Line> {
    if old.len().max(new.len()) > MOST_BYTES {
        return vec![Line {
            sign: '@',
            text: "too long to compare".into(),
        }];
    }
    let mut lines = Vec::new();
    for (i, hunk) in Diff::between(old, new, CONTEXT).hunks.iter().enumerate() {
        if i > 0 {
            lines.push(Line {
                sign: '@',
                text: "\u{2026}".into(),
            });
        }
        lines.extend(hunk.lines.iter().map(|line| Line {
            sign: line.tag.sign(),
            text: line.text.trim_end_matches(['\n', '\r']).into(),
        }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_with_context() {
        let old: String = (0..20).map(|i| format!("line {i}\n")).collect();
        let new = old
            .replace("line 3\n", "line three\n")
            .replace("line 15\n", "");
        let lines = lines(&old, &new);
        let of = |sign| {
            lines
                .iter()
                .filter(|l| l.sign == sign)
                .map(|l| l.text.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(of('-'), ["line 3", "line 15"]);
        assert_eq!(of('+'), ["line three"]);
        assert_eq!(of('@').len(), 1);
        assert_eq!(of(' ').len(), 8);
    }

    #[test]
    fn same_and_empty_texts() {
        assert_eq!(lines("a\n", "a\n"), []);
        assert_eq!(lines("", ""), []);
        assert_eq!(lines("", "a").len(), 1);
        assert_eq!(lines("", &"a".repeat(MOST_BYTES + 1))[0].sign, '@');
    }
}
