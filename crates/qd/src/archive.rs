use crate::{Elite, Metrics};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Why an archive will not look at a solution. The archive is as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The solution has more or fewer measures than the archive has axes.
    #[error(
        "{got} measures for an archive of {expected} axes; give one finite number an axis, in the axes' order"
    )]
    Dimensions {
        /// Axes of the archive.
        expected: usize,
        /// Measures of the solution.
        got: usize,
    },
    /// A measure is NaN or infinite.
    #[error(
        "measure `{name}` is {value}; an evaluation must give a finite number or count as failed"
    )]
    Measure {
        /// The axis's name, or its number where axes have no names.
        name: String,
        /// What it was.
        value: f64,
    },
    /// The fitness is NaN or infinite.
    #[error("fitness is {value}; an evaluation must give a finite number or count as failed")]
    Fitness {
        /// What it was.
        value: f64,
    },
}

/// What became of a solution that was told to an archive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It is the first in its niche.
    NewNiche {
        /// The niche.
        niche: usize,
    },
    /// It is fitter than the niche's champion and took its place.
    Improved {
        /// The niche.
        niche: usize,
        /// By how much it is fitter, above 0.
        by: f64,
    },
    /// It is as fit as the niche's champion at a lower cost and took its place.
    Cheaper {
        /// The niche.
        niche: usize,
        /// How much cost it saves, above 0.
        by: u64,
    },
    /// It was kept beside the niche's champion, in archives that keep several an niche.
    Joined {
        /// The niche.
        niche: usize,
    },
    /// It was not kept.
    Rejected {
        /// The niche.
        niche: usize,
    },
}

impl Verdict {
    /// The niche the solution fell into.
    pub fn niche(self) -> usize {
        match self {
            Self::NewNiche { niche }
            | Self::Improved { niche, .. }
            | Self::Cheaper { niche, .. }
            | Self::Joined { niche }
            | Self::Rejected { niche } => niche,
        }
    }

    /// Whether the archive kept the solution.
    pub fn accepted(self) -> bool {
        !matches!(self, Self::Rejected { .. })
    }

    /// The verdict on `challenger` where one elite a niche is kept: it wins an empty niche, and against a champion by
    /// [`Elite::rank`], ties going to the champion.
    pub fn of<G>(niche: usize, challenger: &Elite<G>, champion: Option<&Elite<G>>) -> Self {
        let Some(champion) = champion else {
            return Self::NewNiche { niche };
        };
        if challenger.rank(champion).is_le() {
            Self::Rejected { niche }
        } else if challenger.fitness > champion.fitness {
            Self::Improved {
                niche,
                by: challenger.fitness - champion.fitness,
            }
        } else {
            Self::Cheaper {
                niche,
                by: champion.cost - challenger.cost,
            }
        }
    }
}

/// Keeps the best solutions of every niche, chooses among them, and sums them up.
///
/// Five methods make an archive; the rest follows from them. A niche is a number in `0..niches()`, and how measures
/// become that number is the archive's own affair:
///
/// - a *grid* ([`GridArchive`](crate::GridArchive)) cuts every axis into bins; one resident a niche at most;
/// - a *centroidal Voronoi tessellation* (Vassiliades et al. 2018, arXiv 1610.05729) makes `niche_of` the index of
///   the nearest centroid; the rest is a grid's;
/// - a *deep grid* (Flageat and Cully 2020, arXiv 2006.14253) keeps several `residents` a niche, its random
///   replacement drawing from a generator of its own, and may choose among them by fitness in an `ask` of its own.
///
/// Archives are used as trait objects too: `Box<dyn Archive<G>>`.
///
/// **Reproducible.** The order of `inhabited`, and with it what `ask` draws from a given generator and the bits of
/// `metrics`, depends on the contents alone. Where one resident a niche is kept, the contents depend on the order of
/// tells only among exact ties of fitness and cost, which the first told wins.
pub trait Archive<G> {
    /// Number of niches, inhabited or not.
    fn niches(&self) -> usize;

    /// The niche of a solution with these measures. Fails if they are not one finite number an axis.
    fn niche_of(&self, measures: &[f64]) -> Result<usize, Refusal>;

    /// The inhabited niches, in ascending order.
    fn inhabited(&self) -> &[u32];

    /// The elites of one niche, its champion first; empty if nobody lives there or there is no such niche.
    fn residents(&self, niche: usize) -> &[Elite<G>];

    /// Offers a solution. Fails, changing nothing, if its measures or fitness are not finite numbers or not the right
    /// number of them.
    fn tell(&mut self, elite: Elite<G>) -> Result<Verdict, Refusal>;

    /// Offers many solutions, one after the other. The verdicts come in the same order, each against the archive as
    /// those before have left it.
    fn tell_batch(&mut self, elites: Vec<Elite<G>>) -> Vec<Result<Verdict, Refusal>> {
        elites.into_iter().map(|elite| self.tell(elite)).collect()
    }

    /// Chooses a parent: a niche uniformly among the inhabited ones, then a resident uniformly. `None` if the archive
    /// is empty. It takes constant time, and no draw from `rng` where there is no choice.
    fn ask(&self, rng: &mut dyn Rng) -> Option<(usize, &Elite<G>)> {
        let niche = *pick(self.inhabited(), rng)? as usize;
        Some((niche, pick(self.residents(niche), rng)?))
    }

    /// A niche's champion.
    fn elite(&self, niche: usize) -> Option<&Elite<G>> {
        self.residents(niche).first()
    }

    /// Every elite with its niche, niches in ascending order, champions first.
    fn elites(&self) -> Box<dyn Iterator<Item = (usize, &Elite<G>)> + '_> {
        Box::new(self.inhabited().iter().flat_map(|&niche| {
            let niche = niche as usize;
            self.residents(niche)
                .iter()
                .map(move |elite| (niche, elite))
        }))
    }

    /// Number of elites held.
    fn len(&self) -> usize {
        self.inhabited()
            .iter()
            .map(|&niche| self.residents(niche as usize).len())
            .sum()
    }

    /// Whether nothing is held.
    fn is_empty(&self) -> bool {
        self.inhabited().is_empty()
    }

    /// Niches filled, QD score and maximum fitness, of the champions, in time proportional to the inhabited niches.
    fn metrics(&self) -> Metrics {
        let champions = self
            .inhabited()
            .iter()
            .filter_map(|&niche| self.elite(niche as usize));
        Metrics::of(self.niches(), champions.map(|elite| elite.fitness))
    }
}

/// One of `items`, uniformly; no draw is spent where there is no choice.
fn pick<'a, T>(items: &'a [T], rng: &mut dyn Rng) -> Option<&'a T> {
    match items {
        [] => None,
        [only] => Some(only),
        // Drawn as u32, so that machines of any word size draw alike.
        _ => items.get(rng.random_range(0..items.len() as u32) as usize),
    }
}
