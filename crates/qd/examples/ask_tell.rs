//! MAP-Elites from the outside: `cargo run --release -p qd --example ask_tell [sphere|rastrigin] [iterations]`.
//!
//! The linear projection benchmark of Fontaine et al. 2020 (arXiv 1912.02400, section 5): find vectors whose halves
//! have every possible pair of sums, each with the highest objective. Its trouble is that sums of many coordinates
//! crowd in the middle. Batches of 36 Gaussian mutations, uniform grid of 100 x 100.

use qd::{Archive, Axis, Elite, GridArchive};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

const DIMENSIONS: usize = 20;
const BATCH: usize = 36;
const SIGMA: f64 = 0.5;
/// Coordinates within this of 0 count in full towards a measure, and as `LIMIT^2 / x` beyond.
const LIMIT: f64 = 5.12;
/// Where the objective has its best point, in every coordinate.
const BEST: f64 = 0.4 * LIMIT;

fn sphere(x: f64) -> f64 {
    (x - BEST) * (x - BEST)
}

fn rastrigin(x: f64) -> f64 {
    let d = x - BEST;
    d * d - 10.0 * libm::cos(2.0 * PI * d) + 10.0
}

/// The sum of `term` over the coordinates, on a scale where the best sum is 100 and that of all coordinates at -LIMIT 0.
fn objective(genotype: &[f64], term: fn(f64) -> f64) -> f64 {
    let worst = term(-LIMIT) * DIMENSIONS as f64;
    let sum: f64 = genotype.iter().map(|&x| term(x)).sum();
    100.0 * (1.0 - sum / worst)
}

fn measures(genotype: &[f64]) -> Vec<f64> {
    let project = |x: f64| {
        if x.abs() <= LIMIT {
            x
        } else {
            LIMIT * LIMIT / x
        }
    };
    genotype
        .chunks(DIMENSIONS / 2)
        .map(|half| half.iter().map(|&x| project(x)).sum())
        .collect()
}

/// One normal deviate by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - rng.random::<f64>()));
    radius * libm::cos(2.0 * PI * rng.random::<f64>())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let term = match arguments.next().as_deref() {
        None | Some("sphere") => sphere,
        Some("rastrigin") => rastrigin,
        Some(other) => {
            return Err(format!("no objective `{other}`; give sphere or rastrigin").into());
        }
    };
    let iterations: usize = arguments.next().map_or(Ok(5_000), |text| text.parse())?;

    let reach = LIMIT * DIMENSIONS as f64 / 2.0;
    let axes = ["first half", "second half"].map(|name| Axis::new(name, -reach, reach, 100));
    let mut archive: GridArchive<Vec<f64>> = GridArchive::new(axes.to_vec())?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);

    println!(
        "{:>10}  {:>6}  {:>5}  {:>9}  {:>6}",
        "iteration", "niches", "%", "QD score", "max"
    );
    for iteration in 0..=iterations {
        let children = (0..BATCH).map(|_| {
            let parent = archive
                .ask(&mut rng)
                .map_or(vec![0.0; DIMENSIONS], |(_, parent)| parent.genotype.clone());
            let child: Vec<f64> = parent
                .iter()
                .map(|x| x + SIGMA * normal(&mut rng))
                .collect();
            let (measures, fitness) = (measures(&child), objective(&child, term));
            Elite::new(child, measures, fitness)
        });
        for verdict in archive.tell_batch(children.collect()) {
            verdict?;
        }
        if iteration % (iterations / 10).max(1) == 0 {
            let m = archive.metrics();
            let max = m.max_fitness.unwrap_or(f64::NAN);
            println!(
                "{iteration:10}  {:6}  {:5.1}  {:9.0}  {max:6.2}",
                m.niches, m.niches_percent, m.qd_score
            );
        }
    }
    Ok(())
}
