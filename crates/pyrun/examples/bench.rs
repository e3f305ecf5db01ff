//! Programs per second of each tier beside plain `exec` in CPython, from one run:
//! `cargo run --release -p pyrun --example bench` (after `cargo build --release -p pyrun --examples`).
//!
//! Plain `exec` has no cage: one process, the prelude loaded once, each program compiled, run and its entry called in a
//! copy of the prelude's globals.
#[path = "../tests/common/mod.rs"]
mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::*;
use pyrun::Tier;

const ROUND: Duration = Duration::from_millis(1000);
const ROUNDS: usize = 3;

/// Programs per second of `runners` threads with a runner each.
fn rate(tier: Tier, source: &str, runners: usize) -> f64 {
    let total: f64 = std::thread::scope(|scope| {
        let work = || {
            let mut runner = runner(tier);
            runner.run(source).expect("the seed runs");
            let begin = Instant::now();
            let mut n = 0;
            while begin.elapsed() < ROUND {
                runner.run(source).expect("the seed runs");
                n += 1;
            }
            f64::from(n) / begin.elapsed().as_secs_f64()
        };
        let threads: Vec<_> = (0..runners).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|t| t.join().expect("the thread ends"))
            .sum()
    });
    total
}

/// Programs per second of plain `exec`.
fn plain(source: &str) -> f64 {
    let script = "import sys, time, types\n\
        prelude, source, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])\n\
        host = {}\nexec(prelude, host)\n\
        for name, stand_in in (('walk_creator', '_walk_creator'), ('numpy', '_numpy')):\n\
        \x20   sys.modules[name] = module = types.ModuleType(name)\n\
        \x20   module.__dict__.update(vars(host[stand_in]))\n\
        begin, n = time.perf_counter(), 0\n\
        while time.perf_counter() - begin < seconds:\n\
        \x20   names = dict(host)\n\
        \x20   exec(compile(source, 'p', 'exec'), names)\n\
        \x20   names['make_walker']()\n\
        \x20   n += 1\n\
        print(n / (time.perf_counter() - begin))";
    let seconds = ROUND.as_secs_f64().to_string();
    let output = Command::new("python3")
        .args(["-c", script, &host().prelude, source, &seconds])
        .output();
    let output = output.expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn main() {
    println!("programs per second, best of {ROUNDS} rounds taken in turn");
    println!(
        "{:<13}{:>10}{:>12}{:>12}{:>12}{:>12}",
        "seed", "exec", "monty x1", "monty x2", "cpython x1", "cpython x2"
    );
    for name in ["square", "cppn-fixed"] {
        let source = seed(name);
        let mut best = [0.0f64; 5];
        for _ in 0..ROUNDS {
            let round = [
                plain(&source),
                rate(Tier::Monty, &source, 1),
                rate(Tier::Monty, &source, 2),
                rate(Tier::CPython, &source, 1),
                rate(Tier::CPython, &source, 2),
            ];
            for (b, r) in best.iter_mut().zip(round) {
                *b = b.max(r);
            }
        }
        let [exec, m1, m2, c1, c2] = best;
        println!("{name:<13}{exec:>10.0}{m1:>12.0}{m2:>12.0}{c1:>12.0}{c2:>12.0}");
    }
}
