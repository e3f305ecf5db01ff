//! Changes of Python files out of git histories, for models to learn from.
//!
//! [`Repository::open`] opens a repository and says whether it can serve; [`read`] goes through the histories of many and hands over
//! each change that a model may learn from ([`Commit`]), with the message that asks for it. What is left out is counted ([`Why`]).
//!
//! What is kept follows what others found (CommitPackFT, Muennighoff et al. 2023; EditPackFT, Cassano et al. 2023; Lehman et al. 2022,
//! section 4): one file a commit, a subject in the imperative, both versions parse, no merges, robots, releases or vendored code, near duplicates out.

mod change;
mod licence;
mod message;
mod near;
mod read;
mod repository;
mod tree;
mod why;
mod window;

pub use read::{Progress, Settings, read};
pub use repository::{Repository, Unfit};
pub use why::{Tally, Why};

use mutate::Lesson;

/// A change of one Python file, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The change as models learn it: parent and child are the file before and after, or the part of both around the change; told is the
    /// commit's subject, file its path, source the repository's name, id its place in the corpus.
    pub lesson: Lesson,
    /// The commit's hash.
    pub commit: String,
    /// The repository's licence, by its SPDX name.
    pub licence: String,
    /// When it was committed, in seconds since 1970 (UTC).
    pub time: i64,
    /// Lines of the whole file before.
    pub lines: u64,
}

impl AsRef<Lesson> for Commit {
    fn as_ref(&self) -> &Lesson {
        &self.lesson
    }
}
