//! A run of a million children: how fast the store takes them, and how long people wait for it then.
//!
//!     cargo run --release -p evolve --example store_bench [CHILDREN] [FOLDER]

use std::path::PathBuf;
use std::time::Instant;

use evolve::settings::Settings;
use evolve::store::{Child, IterationMetrics, Status, Store};
use mutate::Cost;
use qd::Axis;

const SEED: &str = include_str!("../../../seeds/square.py");

/// Children in one transaction, as the loop appends them.
const BATCH: u64 = 128;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: u64 = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = args.next().map_or_else(
        || std::env::temp_dir().join(format!("store-bench-{}", std::process::id())),
        PathBuf::from,
    );
    let artifact = r#"{"joints": [[0.0, 0.0], [10.0, 0.0], [5.0, 8.0]], "muscles": []}"#.repeat(8);
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
            .map(|id| child(id, SEED, &artifact))
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

/// A child as runs have them: 1.8 kB of program, 0.5 kB of walker, one in sixteen accepted; its parent may be any champion
/// of the last 5000 children.
fn child(id: u64, seed: &str, artifact: &str) -> Child {
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
        program: format!("{seed}# {noise}\n{}", &seed[..500]),
        artifact: Some(format!("{artifact} {noise}")),
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
