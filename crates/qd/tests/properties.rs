//! What must hold of a grid for any stream of solutions.

use proptest::prelude::*;
use qd::{Archive, Axis, Elite, GridArchive, Verdict};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap};

const BINS: [u32; 2] = [4, 3];

fn grid() -> GridArchive<u32> {
    GridArchive::new(vec![
        Axis::new("a", -1.0, 1.0, BINS[0]),
        Axis::new("b", 0.0, 6.0, BINS[1]),
    ])
    .unwrap()
}

/// Streams with many ties: few fitnesses, few costs, measures in and outside the ranges. Genotypes number the stream.
fn stream() -> impl Strategy<Value = Vec<Elite<u32>>> {
    let solution = (-1.5..1.5, -1.0..7.0, -3..3_i8, 0..3_u64);
    prop::collection::vec(solution, 0..120).prop_map(|solutions| {
        let numbered = (0..).zip(solutions);
        numbered
            .map(|(i, (a, b, f, cost))| Elite::new(i, vec![a, b], f64::from(f)).with_cost(cost))
            .collect()
    })
}

fn filled(stream: &[Elite<u32>]) -> GridArchive<u32> {
    let mut archive = grid();
    for elite in stream {
        archive.tell(elite.clone()).unwrap();
    }
    archive
}

fn contents(archive: &GridArchive<u32>) -> BTreeMap<usize, Elite<u32>> {
    archive
        .elites()
        .map(|(niche, elite)| (niche, elite.clone()))
        .collect()
}

fn draws(archive: &GridArchive<u32>) -> Vec<Option<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..200)
        .map(|_| archive.ask(&mut rng).map(|(_, elite)| elite.genotype))
        .collect()
}

/// The naive model: bins by comparison with every edge, champions in a map.
fn cell(elite: &Elite<u32>) -> [usize; 2] {
    let bin = |value: f64, low: f64, width: f64, bins: u32| {
        (1..bins)
            .filter(|&i| value >= low + width * f64::from(i))
            .count()
    };
    [
        bin(elite.measures[0], -1.0, 0.5, BINS[0]),
        bin(elite.measures[1], 0.0, 2.0, BINS[1]),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_map_of_champions(stream in stream()) {
        let mut archive = grid();
        let mut model: HashMap<[usize; 2], Elite<u32>> = HashMap::new();
        for elite in &stream {
            let cell = cell(elite);
            let niche = cell[0] * BINS[1] as usize + cell[1];
            let expected = match model.get(&cell) {
                None => Verdict::NewNiche { niche },
                Some(old) if elite.fitness > old.fitness => Verdict::Improved { niche, by: elite.fitness - old.fitness },
                Some(old) if elite.fitness == old.fitness && elite.cost < old.cost => {
                    Verdict::Cheaper { niche, by: old.cost - elite.cost }
                }
                Some(_) => Verdict::Rejected { niche },
            };
            if !matches!(expected, Verdict::Rejected { .. }) {
                model.insert(cell, elite.clone());
            }
            prop_assert_eq!(archive.tell(elite.clone()), Ok(expected));
        }
        prop_assert_eq!(archive.len(), model.len());
        for (cell, elite) in &model {
            prop_assert_eq!(archive.elite(cell[0] * BINS[1] as usize + cell[1]), Some(elite));
        }
        let metrics = archive.metrics();
        prop_assert_eq!(metrics.niches, model.len());
        prop_assert_eq!(metrics.niches_percent, 100.0 * model.len() as f64 / 12.0);
        prop_assert_eq!(metrics.qd_score, model.values().map(|elite| elite.fitness).sum::<f64>());
        prop_assert_eq!(metrics.max_fitness, model.values().map(|elite| elite.fitness).reduce(f64::max));
    }

    #[test]
    fn batches_are_tells_in_order(stream in stream(), size in 1_usize..40) {
        let (mut batched, mut verdicts) = (grid(), vec![]);
        for batch in stream.chunks(size) {
            verdicts.extend(batched.tell_batch(batch.to_vec()));
        }
        let mut single = grid();
        let expected: Vec<_> = stream.iter().map(|elite| single.tell(elite.clone())).collect();
        prop_assert_eq!(verdicts, expected);
        prop_assert_eq!(contents(&batched), contents(&single));
    }

    #[test]
    fn order_matters_only_among_exact_ties(stream in stream(), seed in any::<u64>()) {
        let mut shuffled = stream.clone();
        rand::seq::SliceRandom::shuffle(&mut shuffled[..], &mut ChaCha8Rng::seed_from_u64(seed));
        let worth = |archive: &GridArchive<u32>| -> Vec<(usize, f64, u64)> {
            archive.elites().map(|(niche, elite)| (niche, elite.fitness, elite.cost)).collect()
        };
        let (one, other) = (filled(&stream), filled(&shuffled));
        prop_assert_eq!(worth(&one), worth(&other));
        prop_assert_eq!(one.metrics(), other.metrics());
    }

    #[test]
    fn rebuilt_from_its_champions_it_is_the_same_archive(stream in stream(), more in stream(), seed in any::<u64>()) {
        let mut archive = filled(&stream);
        let mut champions: Vec<_> = archive.elites().map(|(_, elite)| elite.clone()).collect();
        rand::seq::SliceRandom::shuffle(&mut champions[..], &mut ChaCha8Rng::seed_from_u64(seed));
        let mut rebuilt = filled(&champions);
        prop_assert_eq!(draws(&archive), draws(&rebuilt));
        prop_assert_eq!(archive.metrics().qd_score.to_bits(), rebuilt.metrics().qd_score.to_bits());
        // And it stays the same from there on.
        prop_assert_eq!(archive.tell_batch(more.clone()), rebuilt.tell_batch(more));
        prop_assert_eq!(contents(&archive), contents(&rebuilt));
        prop_assert_eq!(draws(&archive), draws(&rebuilt));
    }

    #[test]
    fn serialised_and_read_back_it_is_the_same_archive(stream in stream()) {
        let archive = filled(&stream);
        let text = serde_json::to_string(&archive).unwrap();
        let read: GridArchive<u32> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(archive.axes(), read.axes());
        prop_assert_eq!(contents(&archive), contents(&read));
        prop_assert_eq!(draws(&archive), draws(&read));
        let taken: BTreeMap<_, _> = read.into_elites().collect();
        prop_assert_eq!(contents(&archive), taken);
    }
}

#[test]
fn qd_score_has_the_same_bits_whatever_came_before() {
    // Sums of these depend on their order: one archive is filled upwards at once, the other downwards by small steps.
    let axis = || vec![Axis::new("a", 0.0, 1000.0, 1000)];
    let solution = |niche: u32, fitness| Elite::new(niche, vec![f64::from(niche) + 0.5], fitness);
    let final_fitness = |niche: u32| 1.0 / f64::from(niche + 1);
    let (mut direct, mut stepwise) = (
        GridArchive::new(axis()).unwrap(),
        GridArchive::new(axis()).unwrap(),
    );
    for niche in 0..1000 {
        direct.tell(solution(niche, final_fitness(niche))).unwrap();
    }
    for step in (0..10).rev() {
        for niche in (0..1000).rev() {
            stepwise
                .tell(solution(
                    niche,
                    final_fitness(niche) - 0.3 * f64::from(step),
                ))
                .unwrap();
        }
    }
    assert_eq!(
        direct.metrics().qd_score.to_bits(),
        stepwise.metrics().qd_score.to_bits()
    );
    let downwards: f64 = (0..1000).rev().map(final_fitness).sum();
    assert_ne!(
        direct.metrics().qd_score,
        downwards,
        "the order is to matter in this test"
    );
}

#[test]
fn every_inhabited_niche_is_asked_equally_often() {
    let mut archive = grid();
    let spots = [[-0.9, 1.0], [-0.1, 3.0], [0.3, 5.0], [0.9, 1.0], [0.9, 5.0]];
    for (i, spot) in (0..).zip(spots) {
        archive
            .tell(Elite::new(i, spot.to_vec(), f64::from(i)))
            .unwrap();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut counts = [0_i32; 5];
    for _ in 0..50_000 {
        let (niche, elite) = archive.ask(&mut rng).unwrap();
        assert_eq!(archive.elite(niche), Some(elite));
        counts[elite.genotype as usize] += 1;
    }
    // Five standard deviations of a binomial of 50,000 draws at 1 in 5 are 447.
    assert!(
        counts.iter().all(|count| (count - 10_000).abs() < 447),
        "{counts:?}"
    );
    assert!(grid().ask(&mut rng).is_none());
}
