//! A known change, as a guide has it written.

use std::ops::Range;

use thiserror::Error;

use super::state::State;
use super::{DiffGuide, Job};
use crate::diff;

/// Why a change cannot be written as a guide has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Unwritten {
    /// The texts are equal.
    #[error("nothing changes")]
    Unchanged,
    /// More lines are added or removed than the guide's bounds allow.
    #[error("more lines change than may")]
    Bounds,
    /// A line, or the file that some hunks leave, is not what the guide's rules allow.
    #[error("the guide's rules refuse it")]
    Refused,
    /// With as much context as there may be, the first place where the lines stand is another.
    #[error("the same lines stand in the file before")]
    Elsewhere,
}

/// Hunks tried at most; a change that needs more is taken for one that cannot be written.
const MOST_TRIES: usize = 500;

impl DiffGuide {
    /// The change from the guide's file to another as a short diff that the guide takes from its beginning, byte by byte,
    /// and whose [`result`](Self::result) is that file; whether its last line has a line feed counts for nothing, the old
    /// file's says that.
    ///
    /// A hunk begins with the line that it removes where that places it, and else with one line of context, more where
    /// one does not place it either; context after it only helps where that does not. Changes with a line or less between
    /// them share a hunk.
    ///
    /// # Errors
    /// [`Unwritten`]: why there is no such diff.
    pub fn short(&self, new: &str) -> Result<String, Unwritten> {
        let job = &*self.job;
        let mut new: Vec<String> = new.split_inclusive('\n').map(str::to_owned).collect();
        if let Some(last) = new.last_mut()
            && !last.ends_with('\n')
        {
            last.push('\n');
        }
        let changes = diff::changes(&job.lines, &new);
        if changes.is_empty() {
            return Err(Unwritten::Unchanged);
        }
        let (removed, added) = changes
            .iter()
            .fold((0, 0), |(o, n), (old, new)| (o + old.len(), n + new.len()));
        if removed > job.options.max_removed || added > job.options.max_added {
            return Err(Unwritten::Bounds);
        }
        let mut way = Way {
            job,
            new: &new,
            changes: &changes,
            trailing: 0,
            tries: 0,
            why: Unwritten::Refused,
        };
        let mut begin = Draft {
            state: State::new(job),
            text: String::new(),
        };
        begin.write(job, &job.header);
        begin.write(job, "@@\n");
        for trailing in 0..=2 * job.options.max_context {
            way.trailing = trailing;
            if let Some(text) = way.begin(0, begin.clone(), 0) {
                return Ok(text);
            }
        }
        Err(way.why)
    }
}

/// A diff so far.
#[derive(Clone)]
struct Draft {
    state: State,
    text: String,
}

impl Draft {
    /// Whether the guide takes a text.
    fn write(&mut self, job: &Job, text: &str) -> bool {
        self.text.push_str(text);
        text.bytes().all(|byte| self.state.step(job, byte))
    }

    fn lines(&mut self, job: &Job, sign: char, lines: &[String]) -> bool {
        lines
            .iter()
            .all(|line| self.write(job, &format!("{sign}{line}")))
    }
}

/// A search for the first diff that will do, from short to long.
struct Way<'a> {
    job: &'a Job,
    new: &'a [String],
    changes: &'a [(Range<usize>, Range<usize>)],
    /// Context lines after a hunk's last change, at most.
    trailing: usize,
    tries: usize,
    /// What was wrong with the one that came furthest.
    why: Unwritten,
}

impl Way<'_> {
    /// Writes change `at` and those after it in a new hunk, whose context may begin at line `from` of the old file.
    fn begin(&mut self, at: usize, draft: Draft, from: usize) -> Option<String> {
        let (old, _) = &self.changes[at];
        let room = self.job.options.max_context.min(old.start - from);
        for context in 0..=room {
            // Only at the file's beginning an added line needs no line before it.
            if context == 0 && old.is_empty() && old.start > 0 {
                continue;
            }
            let found = self.change(at, draft.clone(), old.start - context);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Writes context from line `from` of the old file to change `at`, the change, and what comes after it.
    fn change(&mut self, at: usize, mut draft: Draft, from: usize) -> Option<String> {
        self.tries += 1;
        let (old, new) = &self.changes[at];
        let taken = self.tries <= MOST_TRIES
            && draft.lines(self.job, ' ', &self.job.lines[from..old.start])
            && draft.lines(self.job, '-', &self.job.lines[old.clone()])
            && draft.lines(self.job, '+', &self.new[new.clone()]);
        if !taken {
            return None;
        }
        let file = self.file(at);
        let next = self.changes.get(at + 1).map(|(old, _)| old.start);
        let gap = next.unwrap_or(self.job.lines.len()) - old.end;
        let joined = |way: &mut Self, draft: &Draft| {
            next.and_then(|_| way.change(at + 1, draft.clone(), old.end))
        };
        if gap <= 1
            && let Some(text) = joined(self, &draft)
        {
            return Some(text);
        }
        let mut end = draft.clone();
        for line in 0..=gap.min(self.trailing) {
            if line > 0 && !end.lines(self.job, ' ', &self.job.lines[old.end + line - 1..][..1]) {
                break;
            }
            match end.state.complete(self.job) {
                Some(made) if *made == *file => match next {
                    None => return Some(end.text),
                    Some(_) => {
                        let mut hunk = end.clone();
                        if hunk.write(self.job, "@@\n")
                            && let Some(text) = self.begin(at + 1, hunk, old.end + line)
                        {
                            return Some(text);
                        }
                    }
                },
                Some(_) => self.why = Unwritten::Elsewhere,
                None => {}
            }
        }
        match gap > 1 && gap <= 2 * self.job.options.max_context {
            true => joined(self, &draft),
            false => None,
        }
    }

    /// The file that the changes up to `at` make.
    fn file(&self, at: usize) -> String {
        let (old, new) = &self.changes[at];
        let file = self.new[..new.end].concat() + &self.job.lines[old.end..].concat();
        self.job.file(file)
    }
}
