//! How fast the genetic operator makes children of each seed, on one core.
//!
//! `cargo run --release -p mutate --example gp_bench -- [CHILDREN] [SETTINGS OF THE SECTION gp AS TOML]`

use std::time::Instant;

use mutate::Brief;
use mutate::gp::{Gp, KIND};
use mutate::settings::{overlay, section};
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
    let mut settings: toml::Table = toml::from_str(KIND.settings)?;
    if let Some(own) = args.next() {
        overlay(&mut settings, toml::from_str(&format!("[gp]\n{own}"))?)?;
    }
    let gp = Gp::new(section(&settings, "gp")?, &Brief::default())?;
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
            let streams = (0..16).map(|i| (i, ChaCha8Rng::seed_from_u64(16 * brood + i as u64)));
            gp.brood(source, streams, |_, _| ())?;
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
