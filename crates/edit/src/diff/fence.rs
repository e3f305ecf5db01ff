//! An answer cut at the fences of its code blocks.

use super::parse::is_empty;

/// A line of the answer, numbered from 1.
pub(super) type Numbered<'a> = (usize, &'a str);

/// The answer cut at its fences: what stands in each, without the fence's indentation, and what stands between.
pub(super) fn pieces(answer: &str) -> Vec<Vec<Numbered<'_>>> {
    let mut pieces = vec![Vec::new()];
    let mut fence: Option<Fence> = None;
    // Within a hunk, a line with a fence behind its sign is a line of the file.
    let mut in_hunk = false;
    for (at, line) in crate::lines(answer).into_iter().enumerate() {
        let edge = match &fence {
            Some(open) => open.ends_at(line),
            None if in_hunk && line.starts_with([' ', '-', '+']) => false,
            None => Fence::of(line).is_some(),
        };
        if edge {
            fence = match fence {
                Some(_) => None,
                None => Fence::of(line),
            };
            in_hunk = false;
            pieces.push(Vec::new());
            continue;
        }
        let line = fence.as_ref().map_or(line, |open| open.within(line));
        in_hunk = line.starts_with("@@")
            || in_hunk && (is_empty(line) || line.starts_with([' ', '-', '+', '\\']));
        if let Some(piece) = pieces.last_mut() {
            piece.push((at + 1, line));
        }
    }
    pieces
}

/// A fence that is open.
struct Fence {
    sign: char,
    length: usize,
    /// Columns before it, a list's mark among them.
    margin: usize,
}

impl Fence {
    fn of(line: &str) -> Option<Fence> {
        let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
        let mut margin = blanks(line);
        let digits = line[margin..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let mark = match line.as_bytes().get(margin + digits) {
            Some(b'.' | b')') if digits > 0 => digits + 1,
            Some(b'-' | b'*' | b'+') if digits == 0 => 1,
            _ => 0,
        };
        if mark > 0 && line[margin + mark..].starts_with(' ') {
            margin += mark + blanks(&line[margin + mark..]);
        }
        let text = &line[margin..];
        let sign = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = text.trim_start_matches(sign);
        let length = text.len() - info.len();
        (length >= 3 && !info.contains(sign)).then_some(Fence {
            sign,
            length,
            margin,
        })
    }

    /// A line without the fence's indentation, as far as it has that.
    fn within<'a>(&self, line: &'a str) -> &'a str {
        let blanks = line.len() - line.trim_start_matches(' ').len();
        &line[blanks.min(self.margin)..]
    }

    fn ends_at(&self, line: &str) -> bool {
        let line = self.within(line);
        let rest = line.trim_start_matches(self.sign);
        line.len() - rest.len() >= self.length && rest.trim().is_empty()
    }
}
