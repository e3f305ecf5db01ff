//! Times [`edit::python::Prefix`] on the seed programs: `cargo run --release -p edit --example prefix_bench`.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use edit::python::{Names, Prefix};

/// Nanoseconds for each of `n` runs, the best of ten tries.
fn best(n: usize, mut run: impl FnMut()) -> f64 {
    let tries = (0..10).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / n as f64
    });
    tries.fold(f64::INFINITY, f64::min)
}

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../seeds");
    let mut paths: Vec<_> = std::fs::read_dir(root)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    println!(
        "{:20} {:>6} {:>10} {:>16} {:>10}",
        "program", "bytes", "ns/byte", "ns/byte (names)", "ns/clone"
    );
    for path in paths
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "py"))
    {
        let source = std::fs::read(path)?;
        let names = Arc::new(Names::of(&String::from_utf8_lossy(&source), ""));
        let free = best(100 * source.len(), || {
            for _ in 0..100 {
                assert!(black_box(Prefix::new()).push_all(black_box(&source)));
            }
        });
        let named = best(100 * source.len(), || {
            for _ in 0..100 {
                assert!(black_box(Prefix::with_names(names.clone())).push_all(black_box(&source)));
            }
        });
        // copies at every place of the program
        let mut prefix = Prefix::new();
        let states: Vec<Prefix> = source
            .iter()
            .map(|b| (prefix.push(*b), prefix.clone()).1)
            .collect();
        let clone = best(10 * states.len(), || {
            for _ in 0..10 {
                for state in &states {
                    black_box(state.clone());
                }
            }
        });
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        println!(
            "{name:20} {:>6} {free:>10.1} {named:>16.1} {clone:>10.1}",
            source.len()
        );
    }
    println!("size of a state: {} bytes", size_of::<Prefix>());
    Ok(())
}
