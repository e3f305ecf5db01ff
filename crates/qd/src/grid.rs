use crate::{Archive, Axis, AxisError, Elite, Refusal, Verdict};
use serde::{Deserialize, Serialize};
use std::slice;

/// Marks a niche where nobody lives.
const EMPTY: u32 = u32::MAX;

/// The archive of MAP-Elites (Mouret and Clune 2015, arXiv 1504.04909): every axis is cut into bins of equal width,
/// a niche is one bin of each, and a niche keeps one elite, its champion.
///
/// A solution is placed if its niche is empty or it beats the champion: by higher fitness, or at equal fitness by
/// lower cost; a tie keeps the champion. Measures past an axis's end count as that end's bin. Niches are numbered
/// with the last axis running fastest, as pyribs and NumPy do.
///
/// A tell that finds a new niche moves the list of inhabited niches up to make room (4 bytes a niche, once a niche);
/// every other tell, and every ask, takes constant time. The grid itself takes 4 bytes a niche.
///
/// Serialises as its axes and elites, and is rebuilt from them exactly. With `serde_json`, whose reading of floats
/// may be off in the last bit, turn on its feature `float_roundtrip`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    try_from = "Contents<Vec<Axis>, Vec<Elite<G>>>",
    bound(deserialize = "G: Deserialize<'de>")
)]
pub struct GridArchive<G> {
    axes: Vec<Axis>,
    /// For each niche, where its champion lies in `champions`, or `EMPTY`.
    slots: Vec<u32>,
    /// In the order in which their niches were found, which nothing outside sees.
    champions: Vec<Elite<G>>,
    /// Ascending.
    inhabited: Vec<u32>,
}

/// Why a grid cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    /// No axes.
    #[error("axes: a grid needs at least one")]
    NoAxes,
    /// An axis that cannot be used.
    #[error(transparent)]
    Axis(#[from] AxisError),
    /// More niches than [`GridArchive::MAX_NICHES`].
    #[error("axes: their bins multiply to more than {max} niches; give some axes fewer bins", max = GridArchive::<()>::MAX_NICHES)]
    TooManyNiches,
    /// A saved elite that the archive refuses.
    #[error("elites[{index}]: {refusal}")]
    Elite {
        /// Its place in the list.
        index: usize,
        /// Why it is refused.
        refusal: Refusal,
    },
}

impl<G> GridArchive<G> {
    /// The most niches a grid may have: 2^26, a table of 256 MiB.
    pub const MAX_NICHES: usize = 1 << 26;

    /// An empty grid. Fails if there is no axis, an axis cannot be used, or there are too many niches.
    pub fn new(axes: Vec<Axis>) -> Result<Self, GridError> {
        if axes.is_empty() {
            return Err(GridError::NoAxes);
        }
        let mut niches = 1_usize;
        for axis in &axes {
            axis.check()?;
            niches = niches
                .checked_mul(axis.bins as usize)
                .filter(|&niches| niches <= Self::MAX_NICHES)
                .ok_or(GridError::TooManyNiches)?;
        }
        Ok(Self {
            axes,
            slots: vec![EMPTY; niches],
            champions: Vec::new(),
            inhabited: Vec::new(),
        })
    }

    /// The axes, in the measures' order.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// A niche's bin on each axis, or `None` if there is no such niche.
    pub fn bins_of(&self, niche: usize) -> Option<Vec<u32>> {
        if niche >= self.slots.len() {
            return None;
        }
        let mut rest = niche;
        let mut bins: Vec<u32> = (self.axes.iter().rev())
            .map(|axis| {
                let bin = rest % axis.bins as usize;
                rest /= axis.bins as usize;
                bin as u32
            })
            .collect();
        bins.reverse();
        Some(bins)
    }

    /// Takes the champions out, niches in ascending order.
    pub fn into_elites(self) -> impl Iterator<Item = (usize, Elite<G>)> {
        let mut champions: Vec<_> = self.champions.into_iter().map(Some).collect();
        self.inhabited.into_iter().filter_map(move |niche| {
            let niche = niche as usize;
            Some((niche, champions[self.slots[niche] as usize].take()?))
        })
    }
}

impl<G> Archive<G> for GridArchive<G> {
    fn niches(&self) -> usize {
        self.slots.len()
    }

    fn niche_of(&self, measures: &[f64]) -> Result<usize, Refusal> {
        if measures.len() != self.axes.len() {
            return Err(Refusal::Dimensions {
                expected: self.axes.len(),
                got: measures.len(),
            });
        }
        let mut niche = 0;
        for (axis, &value) in self.axes.iter().zip(measures) {
            if !value.is_finite() {
                return Err(Refusal::Measure {
                    name: axis.name.clone(),
                    value,
                });
            }
            niche = niche * axis.bins as usize + axis.bin(value) as usize;
        }
        Ok(niche)
    }

    fn inhabited(&self) -> &[u32] {
        &self.inhabited
    }

    fn residents(&self, niche: usize) -> &[Elite<G>] {
        match self.slots.get(niche) {
            None | Some(&EMPTY) => &[],
            Some(&slot) => slice::from_ref(&self.champions[slot as usize]),
        }
    }

    fn tell(&mut self, elite: Elite<G>) -> Result<Verdict, Refusal> {
        let niche = self.niche_of(&elite.measures)?;
        if !elite.fitness.is_finite() {
            return Err(Refusal::Fitness {
                value: elite.fitness,
            });
        }
        let verdict = Verdict::of(niche, &elite, self.elite(niche));
        if let Verdict::NewNiche { .. } = verdict {
            let place = self
                .inhabited
                .partition_point(|&other| (other as usize) < niche);
            self.inhabited.insert(place, niche as u32);
            self.slots[niche] = self.champions.len() as u32;
            self.champions.push(elite);
        } else if verdict.accepted() {
            self.champions[self.slots[niche] as usize] = elite;
        }
        Ok(verdict)
    }
}

/// How an archive is written down.
#[derive(Serialize, Deserialize)]
#[serde(rename = "GridArchive")]
struct Contents<A, E> {
    axes: A,
    elites: E,
}

impl<G: Serialize> Serialize for GridArchive<G> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let elites: Vec<_> = self.elites().map(|(_, elite)| elite).collect();
        Contents {
            axes: &self.axes,
            elites,
        }
        .serialize(serializer)
    }
}

impl<G> TryFrom<Contents<Vec<Axis>, Vec<Elite<G>>>> for GridArchive<G> {
    type Error = GridError;

    fn try_from(contents: Contents<Vec<Axis>, Vec<Elite<G>>>) -> Result<Self, GridError> {
        let mut archive = Self::new(contents.axes)?;
        for (index, elite) in contents.elites.into_iter().enumerate() {
            archive
                .tell(elite)
                .map_err(|refusal| GridError::Elite { index, refusal })?;
        }
        Ok(archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> GridArchive<&'static str> {
        GridArchive::new(vec![
            Axis::new("height", 0.0, 4.0, 4),
            Axis::new("width", 0.0, 3.0, 3),
        ])
        .unwrap()
    }

    fn tell(
        archive: &mut GridArchive<&'static str>,
        name: &'static str,
        fitness: f64,
        cost: u64,
    ) -> Verdict {
        archive
            .tell(Elite::new(name, vec![1.5, 2.5], fitness).with_cost(cost))
            .unwrap()
    }

    #[test]
    fn a_niche_is_taken_by_fitness_then_by_cost_and_ties_keep_the_champion() {
        let mut archive = grid();
        assert_eq!(
            tell(&mut archive, "first", 1.0, 10),
            Verdict::NewNiche { niche: 5 }
        );
        assert_eq!(
            tell(&mut archive, "tie", 1.0, 10),
            Verdict::Rejected { niche: 5 }
        );
        assert_eq!(
            tell(&mut archive, "longer", 1.0, 11),
            Verdict::Rejected { niche: 5 }
        );
        assert_eq!(archive.elite(5).unwrap().genotype, "first");
        assert_eq!(
            tell(&mut archive, "shorter", 1.0, 7),
            Verdict::Cheaper { niche: 5, by: 3 }
        );
        assert_eq!(
            tell(&mut archive, "fitter", 1.5, 90),
            Verdict::Improved { niche: 5, by: 0.5 }
        );
        assert_eq!(
            tell(&mut archive, "worse", 1.25, 0),
            Verdict::Rejected { niche: 5 }
        );
        assert_eq!(archive.elite(5).unwrap().genotype, "fitter");
        assert_eq!((archive.len(), archive.inhabited()), (1, &[5][..]));
    }

    #[test]
    fn what_is_not_finite_is_refused_and_changes_nothing() {
        let mut archive = grid();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refusal = archive
                .tell(Elite::new("", vec![1.0, value], 0.0))
                .unwrap_err();
            assert!(
                matches!(&refusal, Refusal::Measure { name, .. } if name == "width"),
                "{refusal}"
            );
            let refusal = archive
                .tell(Elite::new("", vec![1.0, 1.0], value))
                .unwrap_err();
            assert!(matches!(refusal, Refusal::Fitness { .. }), "{refusal}");
        }
        let refusal = archive.tell(Elite::new("", vec![1.0], 0.0)).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::Dimensions {
                expected: 2,
                got: 1
            }
        );
        assert!(archive.is_empty());
    }

    #[test]
    fn unusable_grids_are_refused() {
        let new = |axes| GridArchive::<()>::new(axes).unwrap_err();
        assert_eq!(new(vec![]), GridError::NoAxes);
        assert!(matches!(
            new(vec![Axis::new("a", 1.0, 0.0, 3)]),
            GridError::Axis(_)
        ));
        let wide = |n| (0..n).map(|_| Axis::new("a", 0.0, 1.0, u32::MAX)).collect();
        assert_eq!(new(wide(1)), GridError::TooManyNiches);
        assert_eq!(new(wide(3)), GridError::TooManyNiches);
    }

    #[test]
    fn niches_are_numbered_with_the_last_axis_fastest() {
        let archive = grid();
        for niche in 0..12 {
            let bins = archive.bins_of(niche).unwrap();
            assert_eq!(bins, [niche as u32 / 3, niche as u32 % 3]);
            assert_eq!(
                archive.niche_of(&[f64::from(bins[0]), f64::from(bins[1])]),
                Ok(niche)
            );
        }
        assert_eq!(archive.bins_of(12), None);
        assert!(archive.residents(12).is_empty());
    }

    #[test]
    fn a_saved_archive_with_a_bad_elite_names_it() {
        let saved = r#"{"axes": [{"name": "a", "low": 0, "high": 1, "bins": 2}], "elites": [
            {"genotype": 1, "measures": [0.1], "fitness": 1.0},
            {"genotype": 2, "measures": [0.1, 0.2], "fitness": 1.0}]}"#;
        let error = serde_json::from_str::<GridArchive<u8>>(saved)
            .unwrap_err()
            .to_string();
        assert!(error.contains("elites[1]: 2 measures"), "{error}");
    }
}
