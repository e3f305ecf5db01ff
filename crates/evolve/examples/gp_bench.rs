//! How fast the genetic operator makes children of each seed, on one core.
//!
//! `cargo run --release -p evolve --example gp_bench -- [CHILDREN] [SETTINGS AS JSON]`

use std::time::Instant;

use evolve::gp::{Gp, Settings};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const SEEDS: [(&str, &str); 4] = [
    ("square", include_str!("../../../seeds/square.py")),
    ("radial", include_str!("../../../seeds/radial.py")),
    ("cppn-fixed", include_str!("../../../seeds/cppn-fixed.py")),
    (
        "cppn-mutable",
        include_str!("../../../seeds/cppn-mutable.py"),
    ),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let n: u64 = args.next().map_or(Ok(20_000), |n| n.parse())?;
    let settings: Settings = match args.next() {
        Some(json) => serde_json::from_str(&json)?,
        None => Settings::default(),
    };
    let gp = Gp::new(settings)?;
    println!(
        "seed            bytes  children/s  in broods of 16/s  mutations/child  bytes grown  unparsable"
    );
    for (name, source) in SEEDS {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut mutations, mut grown, mut unparsable) = (0, 0, 0);
        let start = Instant::now();
        for _ in 0..n {
            let child = gp.mutate_traced(source, &mut rng)?;
            mutations += child.kinds.len();
            grown += child.source.len() as i64 - source.len() as i64;
            unparsable += child.unparsable;
        }
        let rate = n as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        for brood in 0..n / 16 {
            let rngs = (0..16).map(|i| ChaCha8Rng::seed_from_u64(16 * brood + i));
            gp.brood(source, rngs)?;
        }
        let brood = (n / 16 * 16) as f64 / start.elapsed().as_secs_f64();
        println!(
            "{name:14} {:6} {rate:11.0} {brood:18.0} {:16.2} {:12.2} {unparsable:11}",
            source.len(),
            mutations as f64 / n as f64,
            grown as f64 / n as f64,
        );
    }
    Ok(())
}
