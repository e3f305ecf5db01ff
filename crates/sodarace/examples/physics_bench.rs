//! Times the simulator on one core:
//! `cargo run --release -p sodarace --example physics_bench [WALKERS.json [TERRAIN [REPEATS]]]`
//!
//! `WALKERS.json` holds a list of walkers in their JSON form, all of which are
//! simulated for 10 s in one call. Without it, the walkers of the agreement with
//! Box2D are taken, set by set. Prints milliseconds a walk, the median and the
//! least of the repeats.

#[path = "../tests/reference/mod.rs"]
mod reference;

use std::sync::LazyLock;
use std::time::Instant;

use sodarace::{Terrain, Walker, simulate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let terrain = args.get(1).map_or("flat", String::as_str);
    let repeats = args.get(2).map_or(Ok(7), |r| r.parse())?;
    let terrain = Terrain::by_name(terrain)?;
    if let Some(path) = args.first() {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
        let walkers: Vec<Walker> =
            serde_json::from_str(&text).map_err(|e| format!("{path}: {e}"))?;
        time(path, &walkers, &terrain, repeats);
        return Ok(());
    }
    for seed in ["square", "radial", "cppn-fixed"] {
        let walks = reference::walks();
        let walk = walks.iter().find(|w| w.name == seed).ok_or(seed)?;
        time(&format!("one {seed}"), &[walk.walker()], &terrain, repeats);
        time(
            &format!("64 x {seed}"),
            &vec![walk.walker(); 64],
            &terrain,
            repeats,
        );
    }
    let walks = reference::walks();
    let random = walks.iter().filter(|w| w.name.starts_with("random"));
    let random: Vec<Walker> = random.map(reference::Walk::walker).collect();
    time("80 different", &random, &terrain, repeats);
    Ok(())
}

fn time(name: &str, walkers: &[Walker], terrain: &Terrain, repeats: u32) {
    let walkers: Vec<&Walker> = walkers.iter().collect();
    let mut times: Vec<f64> = (0..repeats.max(1))
        .map(|_| {
            // The clock is coarse: time at least a tenth of a second.
            let (start, begin) = (cpu_seconds(), Instant::now());
            let mut walks = 0;
            while walks == 0 || begin.elapsed().as_secs_f64() < 0.1 {
                std::hint::black_box(simulate(&walkers, terrain, 600));
                walks += walkers.len().max(1);
            }
            1e3 * (cpu_seconds() - start) / walks as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("{name}: {median:.4} ms a walk (least {:.4})", times[0]);
}

/// Time that this thread has spent on a core, which other processes do not
/// disturb; wall-clock time where the system does not tell.
fn cpu_seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let wall = START.elapsed().as_secs_f64();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_core = stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    on_core.map_or(wall, |ns| ns / 1e9)
}
