//! What an operator is that learns from the run it works in.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Error, Lesson};

/// An operator that learns in rounds. Before its first round that is kept it is asked for nothing.
///
/// What it proposes is a function of the requests of a call and of the last round that was kept; what a round comes to is a
/// function of its number, its lessons, its random stream, its judge, and of the last round that was kept before. So a run
/// can be resumed: round by round it comes to the same.
pub trait Learner {
    /// Learns one round; proposals after it are written by the round's weights if these are kept, by the weights before
    /// if not. Of a round that was found good before ([`Round::was_kept`]) only the weights are wanted back.
    ///
    /// Once `stop` is set it returns `None` within half a second, and leaves whatever helps it to go on in the folder.
    ///
    /// # Errors
    /// What keeps it from learning; it ends the run, which can be resumed.
    fn learn(&mut self, round: Round<'_>, stop: &AtomicBool) -> Result<Option<Learned>, Error>;
}

/// A round of learning.
pub struct Round<'a> {
    /// Counted from 1; also the generation of the weights it makes.
    pub number: u32,
    /// Whether this very round was learned and kept before the run was interrupted: its weights are used whatever their
    /// judge would say now.
    pub was_kept: bool,
    /// What there is to learn.
    pub lessons: &'a dyn Lessons,
    /// Says what programs are worth.
    pub judge: &'a mut dyn Judge,
    /// The folder of all generations' weights; the first who writes makes it.
    pub folder: &'a Path,
    /// This round's own random stream; the only source of chance there is.
    pub rng: ChaCha8Rng,
    /// Tells people how far it is.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// The beginning of a run, as lessons.
pub trait Lessons {
    /// Hands over all lessons of the round in order, only the accepted or also the others, until `take` is `false`.
    ///
    /// # Errors
    /// They cannot be read.
    fn each(&self, accepted_only: bool, take: &mut dyn FnMut(Lesson) -> bool) -> Result<(), Error>;
}

/// Says what programs are worth, by the domain and by the map as it stood when the round began.
pub trait Judge {
    /// A verdict for each program, in order; each is judged as if it were the only one. Once `stop` is set, no more.
    ///
    /// # Errors
    /// They cannot be evaluated at all.
    fn judge(&mut self, programs: &[&str], stop: &AtomicBool) -> Result<Vec<Verdict>, Error>;
}

/// What a program is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Whether it runs and yields an artifact.
    pub runnable: bool,
    /// Its niche, where it was scored.
    pub niche: Option<u32>,
    /// Its fitness, where it was scored.
    pub fitness: Option<f64>,
    /// Whether the map would take it.
    pub accepted: bool,
}

/// What came of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Whether its weights write from now on.
    pub kept: bool,
    /// Why, in words.
    pub why: String,
    /// Lessons learned from, after selection.
    pub lessons: u64,
    /// Tokens read while learning.
    pub tokens: u64,
    /// Mean loss of a target token on lessons held out, after learning.
    pub loss: Option<f64>,
    /// What the weights before wrote for parents held out, where there were any.
    pub before: Option<Shares>,
    /// What the new weights wrote for them.
    pub after: Option<Shares>,
}

/// Counts of children of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// Children in all.
    pub children: u64,
    /// Of these, changes that apply.
    pub valid: u64,
    /// Of these, programs that run and yield an artifact.
    pub runnable: u64,
    /// Of these, programs that the map would take.
    pub accepted: u64,
    /// Programs that are valid and differ from all others of the trial.
    pub unique: u64,
}

impl Shares {
    /// What is counted of the children: valid, runnable, accepted, unique.
    pub const NAMES: [&str; 4] = ["valid", "runnable", "accepted", "unique"];

    /// The counts, in the order of [`Self::NAMES`].
    pub fn counts(self) -> [u64; 4] {
        [self.valid, self.runnable, self.accepted, self.unique]
    }

    /// Each count in percent of the children; 0 where there are none.
    pub fn percent(self) -> [f64; 4] {
        let all = self.children.max(1) as f64;
        self.counts().map(|count| 100.0 * count as f64 / all)
    }
}
