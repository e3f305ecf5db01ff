//! The trait must fit archives unlike the grid: here several elites a niche, and niches by nearest centroid.

use qd::{Archive, Elite, Refusal, Verdict};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Niches around centroids on a line, the two best of each kept.
struct TwoDeepLine<G> {
    centroids: Vec<f64>,
    niches: Vec<Vec<Elite<G>>>,
    inhabited: Vec<u32>,
}

impl<G> TwoDeepLine<G> {
    fn new(centroids: &[f64]) -> Self {
        Self {
            centroids: centroids.to_vec(),
            niches: centroids.iter().map(|_| Vec::new()).collect(),
            inhabited: Vec::new(),
        }
    }
}

impl<G> Archive<G> for TwoDeepLine<G> {
    fn niches(&self) -> usize {
        self.centroids.len()
    }

    fn niche_of(&self, measures: &[f64]) -> Result<usize, Refusal> {
        let &[measure] = measures else {
            return Err(Refusal::Dimensions {
                expected: 1,
                got: measures.len(),
            });
        };
        if !measure.is_finite() {
            return Err(Refusal::Measure {
                name: "0".into(),
                value: measure,
            });
        }
        let distance = |niche: &usize| (self.centroids[*niche] - measure).abs();
        Ok((0..self.niches())
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap())
    }

    fn inhabited(&self) -> &[u32] {
        &self.inhabited
    }

    fn residents(&self, niche: usize) -> &[Elite<G>] {
        self.niches.get(niche).map_or(&[], Vec::as_slice)
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
        }
        let residents = &mut self.niches[niche];
        let place = residents.partition_point(|other| elite.rank(other).is_le());
        residents.insert(place, elite);
        residents.truncate(2);
        Ok(match (verdict, place) {
            (Verdict::Rejected { niche }, 0..2) => Verdict::Joined { niche },
            (verdict, _) => verdict,
        })
    }
}

#[test]
fn several_residents_a_niche() {
    let mut archive: Box<dyn Archive<&str>> = Box::new(TwoDeepLine::new(&[0.0, 10.0, 20.0]));
    let mut tell = |name, measure, fitness| {
        archive
            .tell(Elite::new(name, vec![measure], fitness))
            .unwrap()
    };
    assert_eq!(tell("a", 12.0, 1.0), Verdict::NewNiche { niche: 1 });
    assert_eq!(tell("b", 8.0, 0.5), Verdict::Joined { niche: 1 });
    assert_eq!(tell("c", 9.0, 0.25), Verdict::Rejected { niche: 1 });
    assert_eq!(
        tell("d", 11.0, 3.0),
        Verdict::Improved { niche: 1, by: 2.0 }
    );
    assert_eq!(tell("e", -50.0, -1.0), Verdict::NewNiche { niche: 0 });

    let names: Vec<_> = archive
        .elites()
        .map(|(niche, elite)| (niche, elite.genotype))
        .collect();
    assert_eq!(names, [(0, "e"), (1, "d"), (1, "a")]);
    assert_eq!(archive.len(), 3);
    assert_eq!(archive.elite(1).unwrap().genotype, "d");
    assert!(archive.elite(2).is_none());

    // Metrics are of champions, one a niche.
    let metrics = archive.metrics();
    assert_eq!(
        (metrics.niches, metrics.qd_score, metrics.max_fitness),
        (2, 2.0, Some(3.0))
    );

    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let asked: BTreeSet<_> = (0..100)
        .map(|_| archive.ask(&mut rng).unwrap().1.genotype)
        .collect();
    assert_eq!(asked, BTreeSet::from(["a", "d", "e"]));
}
