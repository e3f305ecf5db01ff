//! Our side of `benches/archive/compare.py`: `archive_bench FOLDER floats|programs single|batch`.
//!
//! Tells the folder's solutions to a fresh 12 x 12 x 12 grid, several times over, and prints the median seconds of a
//! pass with the archive's metrics as one line of JSON. A pass includes making every solution's owned elite.

use qd::{Archive, Axis, Elite, GridArchive, Metrics};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs};

const BATCH: usize = 512;
const PASSES: usize = 5;
const SOLUTION: usize = 10;
const MEASURES: usize = 3;

type Failure = Box<dyn std::error::Error>;

/// Reads little-endian doubles.
fn numbers(path: &Path) -> Result<Vec<f64>, Failure> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(bytes
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f64::from_le_bytes(bytes))
        .collect())
}

/// Tells every solution; `make` builds the i-th, as a program that evaluates solutions would hand it over.
fn pass<G>(
    count: usize,
    batched: bool,
    make: impl Fn(usize) -> Elite<G>,
) -> Result<(f64, Metrics), Failure> {
    let axes =
        ["height", "width", "mass"].map(|name| Axis::new(name, 0.0, 1.0, Axis::DEFAULT_BINS));
    let mut archive = GridArchive::new(axes.to_vec())?;
    let start = Instant::now();
    if batched {
        for first in (0..count).step_by(BATCH) {
            let batch = (first..count.min(first + BATCH)).map(&make).collect();
            for verdict in archive.tell_batch(batch) {
                verdict?;
            }
        }
    } else {
        for i in 0..count {
            archive.tell(make(i))?;
        }
    }
    Ok((start.elapsed().as_secs_f64(), archive.metrics()))
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, kind, size] = arguments.as_slice() else {
        return Err("give a folder, `floats` or `programs`, and `single` or `batch`".into());
    };
    let folder = Path::new(folder);
    let batched = match size.as_str() {
        "single" => false,
        "batch" => true,
        other => return Err(format!("`{other}`: give `single` or `batch`").into()),
    };
    let solutions = numbers(&folder.join("solutions.f64"))?;
    let measures = numbers(&folder.join("measures.f64"))?;
    let fitness = numbers(&folder.join("fitness.f64"))?;
    let programs = fs::read_to_string(folder.join("programs.json"))?;
    let programs: Vec<Arc<str>> = serde_json::from_str::<Vec<String>>(&programs)?
        .into_iter()
        .map(Into::into)
        .collect();
    let count = fitness.len();
    if (solutions.len(), measures.len(), programs.len())
        != (count * SOLUTION, count * MEASURES, count)
    {
        return Err(format!("{}: its files are not of one length", folder.display()).into());
    }
    let place = |i: usize| measures[i * MEASURES..][..MEASURES].to_vec();

    let mut passes = Vec::new();
    for _ in 0..PASSES {
        passes.push(match kind.as_str() {
            "floats" => pass(count, batched, |i| {
                Elite::new(
                    solutions[i * SOLUTION..][..SOLUTION].to_vec(),
                    place(i),
                    fitness[i],
                )
            })?,
            "programs" => pass(count, batched, |i| {
                Elite::new(Arc::clone(&programs[i]), place(i), fitness[i])
            })?,
            other => return Err(format!("`{other}`: give `floats` or `programs`").into()),
        });
    }
    passes.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (seconds, metrics) = passes[PASSES / 2];
    println!(
        "{}",
        serde_json::json!({"seconds": seconds, "metrics": metrics})
    );
    Ok(())
}
