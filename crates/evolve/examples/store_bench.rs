//! A run of a million children: how fast the store takes them, and how long people wait for it then.
//!
//!     cargo run --release -p evolve --example store_bench [CHILDREN] [FOLDER]

use std::path::PathBuf;
use std::time::Instant;

use evolve::settings::Settings;
use evolve::store::{Child, IterationMetrics, Status, Store};
use mutate::gp::{self, Gp};
use mutate::{Brief, Cost};
use qd::Axis;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SEED: &str = include_str!("../../../seeds/square.py");
/// Children in one transaction, as the loop appends them.
const BATCH: u64 = 128;
/// Children of one parent, one after the other.
const BROOD: usize = 32;
/// Different children; the run repeats them, far from each other.
const POOL: usize = 1 << 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: u64 = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = args.next().map_or_else(
        || std::env::temp_dir().join(format!("store-bench-{}", std::process::id())),
        PathBuf::from,
    );
    let pool = pool()?;
    let axes = ["height", "width", "mass"].map(|name| Axis {
        name: name.to_owned(),
        low: 0.0,
        high: 20.0,
        bins: 12,
    });
    let mut store = Store::create(&folder, &Settings::default(), &axes, "{}")?;

    let began = Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let children: Vec<Child> = (first..(first + BATCH).min(count))
            .map(|id| child(id, &pool))
            .collect();
        store.append(&children, &[metrics(first)])?;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "append     {:>9.0} children/s in transactions of {BATCH}",
        count as f64 / seconds
    );
    drop(store);
    let size = std::fs::metadata(folder.join(evolve::store::DATABASE))?.len();
    println!(
        "size       {:>9.0} MB, {} bytes a child",
        size as f64 / 1e6,
        size / count
    );

    timed("resume", || {
        Store::resume(&folder).and_then(|store| store.champions(u64::MAX))
    })?;
    let store = Store::open(&folder)?;
    timed("map", || store.metrics())?;
    timed("tallies", || store.tallies())?;
    timed("iterations", || store.iterations())?;
    timed("champions", || store.champions(u64::MAX))?;
    timed("lineage", || store.lineage(count - 1, 400))?;
    let mut any = ChaCha8Rng::seed_from_u64(1);
    timed("1000 of it", || {
        (0..1000).try_for_each(|_| store.child(any.random_range(0..count)).map(drop))
    })?;
    timed("all", || store.each_child(0, count, |_| Ok(())))?;
    drop(store);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn timed<T, E>(name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let began = Instant::now();
    let result = work()?;
    println!("{name:<10} {:>9.3} s", began.elapsed().as_secs_f64());
    Ok(result)
}

/// Programs and walkers as runs have them: broods of genetic programming, each from one of the last 1000 that were good.
fn pool() -> Result<Vec<(String, String)>, Box<dyn std::error::Error>> {
    let gp = Gp::new(gp::Settings::default(), &Brief::default())?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut pool: Vec<(String, String)> = Vec::with_capacity(POOL);
    let mut good = vec![SEED.to_owned()];
    while pool.len() < POOL {
        let parent = good[rng.random_range(good.len().saturating_sub(1000)..good.len())].clone();
        let streams: Vec<_> = (0..BROOD)
            .map(|number| (number, ChaCha8Rng::seed_from_u64(rng.random())))
            .collect();
        gp.brood(&parent, streams, |_, child| {
            let program = child.map_or_else(|_| parent.clone(), |child| child.source);
            if pool.len().is_multiple_of(16) && program.len() < 1600 {
                good.push(program.clone());
            }
            pool.push((program, walker(&mut rng)));
        })?;
    }
    Ok(pool)
}

/// Ten joints and some muscles; all numbers are new, where real walkers share most with their neighbours.
fn walker(rng: &mut ChaCha8Rng) -> String {
    let joints: Vec<[f32; 2]> = (0..10)
        .map(|_| [0, 1].map(|_| rng.random_range(0..80) as f32 / 4.0))
        .collect();
    let muscles: Vec<(u32, u32, f32)> = (0..12)
        .map(|i| {
            (
                i % 10,
                rng.random_range(0..10),
                rng.random_range(0..60) as f32 / 10.0,
            )
        })
        .collect();
    serde_json::json!({ "joints": joints, "muscles": muscles }).to_string()
}

/// One in sixteen is accepted.
fn child(id: u64, pool: &[(String, String)]) -> Child {
    let (program, artifact) = &pool[id as usize % pool.len()];
    let noise = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Child {
        id,
        iteration: id / 512,
        replica: (id % 512 / 32) as u32,
        operator: "gp".to_owned(),
        parent: id.checked_sub(1 + noise % 5000).or(id.checked_sub(1)),
        partner: None,
        status: Status::Scored,
        reason: None,
        measures: vec![
            (noise % 20) as f64,
            (noise % 19) as f64,
            (noise % 239) as f64,
        ],
        fitness: Some((noise >> 40) as f64 / 1e5),
        niche: Some((noise >> 32) as u32 % 1728),
        accepted: id.is_multiple_of(16),
        seconds: 1e-3,
        at: id as f64,
        cost: Cost {
            seconds: 1e-4,
            ..Cost::default()
        },
        told: None,
        weights: None,
        program: program.clone(),
        artifact: Some(artifact.clone()),
    }
}

fn metrics(first: u64) -> IterationMetrics {
    IterationMetrics {
        iteration: first / 512,
        evaluations: first,
        proposed: 512,
        valid: 512,
        runnable: 400,
        accepted: 32,
        niches: 1000,
        qd_score: first as f64,
        max_fitness: 300.0,
    }
}
