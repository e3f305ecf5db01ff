//! What was left out, and why.

use std::collections::BTreeMap;

use thiserror::Error;

/// Why a commit is left out; the first reason that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Why {
    /// It has no parent, or several.
    #[error("first of all, or a merge")]
    Parents,
    /// Its author is a program.
    #[error("made by a robot")]
    Robot,
    /// It releases, reverts, merges or bumps something.
    #[error("a release, a revert or the like")]
    Chore,
    /// Its subject does not say in the imperative what to do, in three to twenty words.
    #[error("no subject in the imperative")]
    Subject,
    /// It changes none, or several, or adds, removes or renames one.
    #[error("not exactly one file changed")]
    Files,
    /// The file is no Python file.
    #[error("not a Python file")]
    Python,
    /// The file was copied from elsewhere, or a program wrote it.
    #[error("vendored or generated")]
    Foreign,
    /// An object of it is not in the repository.
    #[error("not in the repository")]
    Missing,
    /// The file is larger than what people write.
    #[error("too large a file")]
    Large,
    /// The file is no text.
    #[error("not a text")]
    Text,
    /// It removes or adds more lines than asked for.
    #[error("too many lines")]
    Lines,
    /// It is too small a change to learn from.
    #[error("too small a change")]
    Small,
    /// One of the versions is not Python of today.
    #[error("does not parse")]
    Syntax,
    /// Only comments or the layout change.
    #[error("the same program")]
    Same,
    /// What it adds looks like a key or a password.
    #[error("perhaps a secret")]
    Secret,
    /// No part of the file around the change is short enough and parses.
    #[error("no window")]
    Window,
    /// Much the same change came before.
    #[error("near duplicate")]
    Duplicate,
    /// Its repository has given as many as it may.
    #[error("beyond the cap of its repository")]
    Crowded,
}

/// How many commits were read, kept and left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Commits read.
    pub read: u64,
    /// Of these, changes handed over.
    pub kept: u64,
    left: BTreeMap<Why, u64>,
}

impl Tally {
    pub(crate) fn left(&mut self, why: Why) {
        *self.left.entry(why).or_default() += 1;
    }

    /// How many were left out, by reason.
    pub fn each(&self) -> impl Iterator<Item = (Why, u64)> {
        self.left.iter().map(|(why, count)| (*why, *count))
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.kept += other.kept;
        for (why, count) in other.each() {
            *self.left.entry(why).or_default() += count;
        }
    }
}
