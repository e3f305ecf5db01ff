//! A unified diff that applies.

mod short;
mod state;

use std::sync::Arc;

use super::Guide;
use super::rules::{Rules, is_cut};
use crate::diff::Diff;
pub use short::Unwritten;
use state::State;

/// Bounds of a [`DiffGuide`].
#[derive(Clone)]
pub struct DiffOptions {
    /// What the whole new file must be.
    pub rules: Rules,
    /// The line, from 0, that the first hunk begins with, as context or removed; `None`: any, or an added one.
    pub first: Option<usize>,
    /// Hunks, at least one.
    pub max_hunks: usize,
    /// Context lines before a hunk's first change; twice as many may stand after it, between changes or at the end.
    pub max_context: usize,
    /// Lines added, in all hunks; at least one.
    pub max_added: usize,
    /// Lines removed, in all hunks.
    pub max_removed: usize,
    /// Bytes in an added line, without its line feed.
    pub max_line: usize,
    /// Lines with one of these in them are not removed.
    pub kept: Vec<String>,
}

impl Default for DiffOptions {
    fn default() -> Self {
        DiffOptions {
            rules: Rules::default(),
            first: None,
            max_hunks: 8,
            max_context: 3,
            max_added: 40,
            max_removed: 40,
            max_line: 200,
            kept: Vec::new(),
        }
    }
}

/// Guides a unified diff of a file.
///
/// The text is `--- a/NAME`, `+++ b/NAME` and hunks, each a line `@@` and then lines that begin with a blank (context),
/// `-` or `+`; line numbers are not written, [`result`](Self::result) knows them.
///
/// - Context and removed lines are the file's own, successive, and after those of the hunk before. The first may be any
///   line of the rest; of equal lines all are followed until they differ or an added line suits only some. In the end
///   the earliest place counts. A hunk begins with an added line only at the beginning of the file.
/// - Added lines, and context after a change, keep the new file a beginning of a valid one.
/// - An added line that begins a statement of Python does not begin with a sign.
/// - Removed lines stand before added ones, and the first of those is not the first removed line again. Where a model ends it so, it
///   may take it back to after what it removed ([`Guide::undo`]).
/// - Lines that are [kept](DiffOptions::kept) are not removed; a new hunk begins only before others.
/// - The text may end, and a new hunk may begin, where the new file is valid and the hunk changed more than blanks.
/// - The last line that may be added must leave a valid file; after it only context, hunks and the end follow.
///
/// A line begun can turn out to have no end. [`DiffOptions::max_line`] bounds what is then written; at last no byte is
/// admitted. What can be saved of it [`closed`](Self::closed) says.
#[derive(Clone)]
pub struct DiffGuide {
    job: Arc<Job>,
    state: State,
    text: Vec<u8>,
    /// The state where it was marked, and the bytes of the text there.
    mark: Option<(Box<State>, usize)>,
}

struct Job {
    name: String,
    source: String,
    /// The file's lines, each with a line feed, the last too.
    lines: Vec<String>,
    /// Of each line, whether it is not to be removed.
    kept: Vec<bool>,
    header: String,
    options: DiffOptions,
}

impl Job {
    /// A new file, which ends as the old one does.
    fn file(&self, mut file: String) -> String {
        if !self.source.is_empty() && !self.source.ends_with('\n') && file.ends_with('\n') {
            file.pop();
        }
        file
    }
}

impl DiffGuide {
    /// Guides a diff of a file with this name (without `a/`; only its first line counts) and contents.
    pub fn new(name: &str, source: &str, options: DiffOptions) -> Self {
        let name = name.lines().next().unwrap_or_default().to_owned();
        let mut lines: Vec<String> = source.split_inclusive('\n').map(str::to_owned).collect();
        if let Some(last) = lines.last_mut()
            && !last.ends_with('\n')
        {
            last.push('\n');
        }
        let header = format!("--- a/{name}\n+++ b/{name}\n");
        let is_kept = |line: &String| options.kept.iter().any(|part| line.contains(part));
        let job = Arc::new(Job {
            name,
            source: source.to_owned(),
            kept: lines.iter().map(is_kept).collect(),
            lines,
            header,
            options,
        });
        DiffGuide {
            state: State::new(&job),
            job,
            text: Vec::new(),
            mark: None,
        }
    }

    /// What was written so far.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The change as a diff with the right numbers and three lines of context, and the new file; `None` where the text
    /// may not end.
    pub fn result(&self) -> Option<(String, String)> {
        self.state
            .complete(&self.job)
            .map(|file| self.finish(&file))
    }

    /// The same where the text has no end yet: it is cut back, as little as need be, to where it may end, or may once the
    /// open brackets of an added line are closed.
    pub fn closed(&self) -> Option<(String, String)> {
        let mut state = State::new(&self.job);
        let mut cuts = Vec::new();
        for (at, byte) in self.text.iter().enumerate() {
            state.step(&self.job, *byte);
            if is_cut(&self.text, at + 1) {
                cuts.push(state.clone());
            }
        }
        let file = cuts.into_iter().rev().find_map(|mut state| {
            let closing = state.closing().unwrap_or_default();
            let takes = closing.iter().all(|byte| state.step(&self.job, *byte));
            takes.then(|| state.complete(&self.job)).flatten()
        })?;
        Some(self.finish(&file))
    }

    fn finish(&self, file: &str) -> (String, String) {
        let diff = Diff::between(&self.job.source, file, 3).named(&self.job.name);
        (diff.to_string(), file.to_owned())
    }
}

impl Guide for DiffGuide {
    fn admits(&self, bytes: &[u8]) -> bool {
        let mut state = self.state.clone();
        bytes.iter().all(|b| state.step(&self.job, *b))
    }

    fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.state.step(&self.job, *byte);
        }
        self.text.extend_from_slice(bytes);
    }

    fn forced(&self) -> Vec<u8> {
        let mut state = self.state.clone();
        let mut forced = Vec::new();
        loop {
            let next = state.only(&self.job);
            if next.is_empty() || !next.iter().all(|b| state.step(&self.job, *b)) {
                return forced;
            }
            forced.extend(next);
        }
    }

    fn may_end(&self) -> bool {
        self.state.complete(&self.job).is_some()
    }

    fn must_end(&self) -> bool {
        self.may_end() && self.state.signs(&self.job).is_empty()
    }

    fn may_mark(&self) -> bool {
        self.state.has_removed()
    }

    fn mark(&mut self) {
        self.mark = Some((Box::new(self.state.clone()), self.text.len()));
    }

    fn undoes(&self, bytes: &[u8]) -> bool {
        if self.mark.is_none() || !bytes.contains(&b'\n') {
            return false;
        }
        let mut state = self.state.clone();
        let is_refused = bytes.iter().any(|byte| !state.step(&self.job, *byte));
        is_refused && state.is_unchanged()
    }

    fn undo(&mut self) {
        if let Some((state, bytes)) = &self.mark {
            self.state = State::clone(state);
            self.text.truncate(*bytes);
        }
    }
}
