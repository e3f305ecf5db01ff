//! What an operator writes, tried on a judge; and new weights beside those before.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use mutate::{Error, Judge, Operator, Request, Shares, gather};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use edit::hash;

/// Children of one parent.
const BATCH: usize = 8;

/// What a trial of new weights came to.
pub(crate) struct Trial {
    pub before: Option<Shares>,
    pub after: Shares,
    /// Why the new weights are not kept; none where they are.
    pub why: Option<String>,
}

/// Lets the weights before and the new ones write so many children each, of the same parents with the same random streams,
/// and compares what a judge says. `None` once `stop` is set.
///
/// # Errors
/// The operator's and the judge's.
pub(crate) fn compare(
    old: Option<&mut mutate::diff::Diff>,
    new: &mut dyn Operator,
    parents: &[&str],
    children: usize,
    seed: u64,
    judge: &mut dyn Judge,
    stop: &AtomicBool,
) -> Result<Option<Trial>, Error> {
    let mut shares =
        |operator: &mut dyn Operator| of(operator, parents, children, seed, &mut *judge, stop);
    let before = match old {
        Some(old) => shares(old)?,
        None => None,
    };
    let Some(after) = shares(new)? else {
        return Ok(None);
    };
    let why = fault(before, after);
    Ok(Some(Trial { before, after, why }))
}

/// Lets an operator write so many children, of these parents in turns, and counts what a judge says of them. `None` once
/// `stop` is set.
///
/// # Errors
/// The operator's and the judge's.
pub fn of(
    operator: &mut dyn Operator,
    parents: &[&str],
    children: usize,
    seed: u64,
    judge: &mut dyn Judge,
    stop: &AtomicBool,
) -> Result<Option<Shares>, Error> {
    let mut requests: Vec<_> = (0..children)
        .step_by(BATCH)
        .zip(parents.iter().cycle())
        .map(|(first, parent)| {
            let rng = ChaCha8Rng::seed_from_u64(hash::both(seed, first as u64));
            Request::new(parent, BATCH.min(children - first), rng)
        })
        .collect();
    let written = gather(operator, &mut requests, stop)?;
    let written: Vec<_> = written.into_iter().flatten().flatten().collect();
    let programs: Vec<&str> = written
        .iter()
        .filter_map(|proposal| proposal.program.as_deref().ok())
        .collect();
    let verdicts = judge.judge(&programs, stop)?;
    let number = |n: usize| n as u64;
    let shares = Shares {
        children: number(written.len()),
        valid: number(programs.len()),
        runnable: number(verdicts.iter().filter(|verdict| verdict.runnable).count()),
        accepted: number(verdicts.iter().filter(|verdict| verdict.accepted).count()),
        unique: number(programs.iter().collect::<HashSet<_>>().len()),
    };
    Ok((!stop.load(Relaxed)).then_some(shares))
}

/// The shares in words.
pub fn told(shares: Shares) -> String {
    let [valid, runnable, accepted, unique] = shares.percent();
    format!(
        "of {} children {valid:.0} % valid, {runnable:.0} % runnable, {accepted:.0} % accepted, {unique:.0} % unique",
        shares.children
    )
}

/// Standard errors by which a share may fall: of four shares that stay the same one falls further in one round of eleven, by chance. (By
/// one error every second good round was lost.)
const ERRORS: f64 = 2.0;

/// Why new weights are worse: a share that fell by more than [`ERRORS`] standard errors; with nothing before them, that the map
/// would take none of their children.
fn fault(before: Option<Shares>, after: Shares) -> Option<String> {
    let Some(before) = before else {
        return (after.accepted == 0)
            .then(|| format!("the map would take none of its children; {}", told(after)));
    };
    let (n, m) = (before.children as f64, after.children as f64);
    let both = before.counts().into_iter().zip(after.counts());
    Shares::NAMES
        .into_iter()
        .zip(both)
        .find_map(|(name, (old, new))| {
            let (old, new) = (old as f64 / n, new as f64 / m);
            // One more of each kind on both sides (Agresti and Caffo 2000): where all are valid, one that is not is no proof.
            let mean = (old * n + new * m + 2.0) / (n + m + 4.0);
            let error = (mean * (1.0 - mean) * (1.0 / n + 1.0 / m)).max(0.0).sqrt();
            // What is no number (no children at all) is no fall either.
            (new < old - ERRORS * error).then(|| {
                format!(
                    "{name} fell from {:.1} % to {:.1} %; {}",
                    100.0 * old,
                    100.0 * new,
                    told(after)
                )
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(valid: u64, runnable: u64, accepted: u64, unique: u64) -> Shares {
        Shares {
            children: 100,
            valid,
            runnable,
            accepted,
            unique,
        }
    }

    #[test]
    fn weights_that_are_worse_in_one_thing_are_not_kept() {
        let old = Some(shares(95, 80, 20, 90));
        assert_eq!(fault(old, shares(95, 80, 20, 90)), None);
        assert_eq!(fault(old, shares(94, 76, 17, 88)), None, "within the error");
        let all = Some(shares(100, 80, 20, 90));
        assert_eq!(fault(all, shares(99, 80, 20, 90)), None, "one of a hundred");
        for (worse, word) in [
            (shares(85, 80, 20, 90), "valid fell from 95.0 % to 85.0 %"),
            (shares(95, 60, 20, 90), "runnable fell"),
            (shares(95, 80, 7, 90), "accepted fell"),
            (shares(99, 99, 40, 30), "unique fell"),
        ] {
            assert!(fault(old, worse).unwrap().contains(word));
        }
        assert!(fault(None, shares(90, 90, 0, 90)).is_some());
        assert_eq!(fault(None, shares(10, 5, 1, 10)), None);
    }
}
