//! Programs per second of each tier. See the crate's README.
#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::*;
use pyrun::Tier;

fn rate(tier: Tier, source: &str, runners: usize, seconds: f64) -> f64 {
    let total: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..runners)
            .map(|_| {
                scope.spawn(|| {
                    let mut runner = runner(tier);
                    runner.run(source).unwrap();
                    let begin = Instant::now();
                    let mut n = 0;
                    while begin.elapsed().as_secs_f64() < seconds {
                        runner.run(source).unwrap();
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    total as f64 / seconds
}

fn main() {
    for name in ["square", "cppn-fixed"] {
        let source = seed(name);
        for runners in [1, 2] {
            println!(
                "{name} monty {runners}: {:.0}/s",
                rate(Tier::Monty, &source, runners, 2.0)
            );
        }
    }
}
