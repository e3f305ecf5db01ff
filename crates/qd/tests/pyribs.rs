//! The same solutions make the same archive as in pyribs 0.12 (`benches/archive/golden.py` writes the expectation).

use qd::{Archive, Axis, Elite, GridArchive, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    axes: Vec<Axis>,
    measures: Vec<Vec<f64>>,
    fitness: Vec<f64>,
    /// The niche of every solution.
    niches: Vec<usize>,
    /// What became of every solution: 0 not added, 1 improved a niche, 2 found a new one.
    statuses: Vec<u8>,
    /// Niche, number in the stream and fitness.
    champions: Vec<(usize, usize, f64)>,
    coverage: f64,
    qd_score: f64,
    max_fitness: f64,
}

#[test]
fn same_solutions_same_archive() {
    let golden: Golden = serde_json::from_str(include_str!("data/pyribs.json")).unwrap();
    assert!(golden.fitness.len() >= 500 && golden.champions.len() > 50);
    let mut archive = GridArchive::new(golden.axes).unwrap();
    for (number, measures) in golden.measures.into_iter().enumerate() {
        assert_eq!(
            archive.niche_of(&measures),
            Ok(golden.niches[number]),
            "{number}: {measures:?}"
        );
        let verdict = archive
            .tell(Elite::new(number, measures, golden.fitness[number]))
            .unwrap();
        let status = match verdict {
            Verdict::NewNiche { .. } => 2,
            Verdict::Improved { .. } => 1,
            _ => 0,
        };
        assert_eq!(status, golden.statuses[number], "{number}: {verdict:?}");
    }
    let champions: Vec<_> = archive
        .elites()
        .map(|(niche, elite)| (niche, elite.genotype, elite.fitness))
        .collect();
    assert_eq!(champions, golden.champions);

    let metrics = archive.metrics();
    assert!((metrics.niches_percent - 100.0 * golden.coverage).abs() < 1e-9);
    assert!(
        (metrics.qd_score - golden.qd_score).abs() < 1e-9,
        "pyribs sums in another order"
    );
    assert_eq!(metrics.max_fitness, Some(golden.max_fitness));
}
