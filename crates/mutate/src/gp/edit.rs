//! Text edits by byte range: collected for one child, checked for overlap, applied at once.

use std::ops::Range;

/// Replaces `range` (bytes of the source) by `text`; an empty range inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Edit {
    pub(super) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            range,
            text: text.into(),
        }
    }

    /// Whether both claim a byte, or one inserts inside what the other replaces.
    fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (&self.range, &other.range);
        a.start.max(b.start) < a.end.min(b.end)
            || a.is_empty() && b.start < a.start && a.start < b.end
            || b.is_empty() && a.start < b.start && b.start < a.end
    }

    /// Edits of two mutations clash also when one inserts right after what the other replaces: a
    /// line added to a block belongs to the statement that ends there.
    fn clashes(&self, other: &Self) -> bool {
        let (a, b) = (&self.range, &other.range);
        self.overlaps(other) || a.is_empty() != b.is_empty() && a.end == b.end
    }
}

/// The edits of one child.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

impl Edits {
    /// Adds the edits of one mutation, all or none; `false` if they overlap or one clashes with an
    /// earlier mutation.
    pub(super) fn add(&mut self, edits: Vec<Edit>) -> bool {
        let mut rest = edits.as_slice();
        while let [e, others @ ..] = rest {
            if others.iter().any(|f| e.overlaps(f)) || self.0.iter().any(|f| e.clashes(f)) {
                return false;
            }
            rest = others;
        }
        self.0.extend(edits);
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of `within` (bytes of `source`) with all edits applied; they must lie inside it.
    ///
    /// Insertions at one place keep the order in which they were added and come before a
    /// replacement that starts there.
    pub(super) fn apply(mut self, source: &str, within: Range<usize>) -> String {
        self.0.sort_by_key(|e| (e.range.start, !e.range.is_empty()));
        let mut out = String::with_capacity(within.len() + 64);
        let mut at = within.start;
        for edit in &self.0 {
            out.push_str(&source[at..edit.range.start]);
            // A name or number must not melt into its neighbours, as in `1if x else y`.
            let glued = |a: Option<char>, b: Option<char>| match (a, b) {
                (Some(a), Some(b)) => is_word(a) && (is_word(b) || b == '"' || b == '\''),
                _ => false,
            };
            if glued(out.chars().next_back(), edit.text.chars().next()) {
                out.push(' ');
            }
            out.push_str(&edit.text);
            at = edit.range.end;
            if glued(edit.text.chars().next_back(), source[at..].chars().next()) {
                out.push(' ');
            }
        }
        out.push_str(&source[at..within.end]);
        out
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_in_order_and_refuses_clashes() {
        let mut edits = Edits::default();
        assert!(edits.add(vec![Edit::new(4..5, "b")]));
        assert!(edits.add(vec![Edit::new(0..1, "aa")]));
        assert!(!edits.add(vec![Edit::new(0..3, "z")]));
        assert!(!edits.add(vec![Edit::new(1..1, "z")]));
        assert!(!edits.add(vec![Edit::new(2..4, ""), Edit::new(3..3, "z")]));
        assert_eq!(edits.apply("x = y", 0..5), "aa = b");
    }

    #[test]
    fn words_stay_apart() {
        let mut edits = Edits::default();
        edits.add(vec![Edit::new(4..5, "a")]);
        assert_eq!(edits.apply("x = 1if y else 2", 0..16), "x = a if y else 2");
    }
}
