//! What was left out, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use edit::guide::Unwritten;
use thiserror::Error;

/// Why a lesson is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Why {
    /// The child is its parent, but for what editors change unasked.
    #[error("unchanged")]
    Unchanged,
    /// The map did not take the child, or it was not even scored.
    #[error("rejected")]
    Rejected,
    /// It removes or adds more lines than asked for.
    #[error("too many lines")]
    Lines,
    /// The same parent and child came before.
    #[error("duplicate")]
    Duplicate,
    /// Its niche, or its parent, has as many lessons as it may have.
    #[error("beyond the cap of its niche or parent")]
    Crowded,
    /// There are more than the training reads.
    #[error("beyond what is read")]
    Enough,
    /// It cannot be written as the operator's guide has it.
    #[error("not for the guide ({0})")]
    Unwritten(#[from] Unwritten),
    /// A character of it has no token, or a token no row in the model.
    #[error("without tokens")]
    Tokens,
    /// It takes more tokens than the operator lets the model write.
    #[error("longer than may be written")]
    Unfinished,
    /// With its program it is longer than the model reads.
    #[error("longer than the model reads")]
    TooLong,
}

/// How many lessons were left out, by reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left(BTreeMap<Why, u64>);

impl Left {
    /// Counts one more.
    pub fn add(&mut self, why: Why) {
        *self.0.entry(why).or_default() += 1;
    }

    /// How many there are for a reason.
    pub fn of(&self, why: Why) -> u64 {
        self.0.get(&why).copied().unwrap_or_default()
    }

    /// How many there are in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// All reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Why, u64)> {
        self.0.iter().map(|(why, count)| (*why, *count))
    }
}

impl AddAssign<&Left> for Left {
    fn add_assign(&mut self, more: &Left) {
        for (why, count) in more.iter() {
            *self.0.entry(why).or_default() += count;
        }
    }
}

/// "3 unchanged, 12 duplicate"; "none" where there are none.
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, (why, count)) in self.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {why}")?;
        }
        Ok(())
    }
}
