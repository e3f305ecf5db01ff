//! Lets walkers walk and prints how far they came, as JSON:
//! `cargo run --release -p sodarace --example walk WALKERS.json TERRAIN [STEPS]`
//!
//! `WALKERS.json` holds a list of walkers in their JSON form; `TERRAIN` is a
//! built-in terrain or a JSON file of one. The answer holds the terrain, so that
//! other programs can rebuild it, and the distances in world units (null where
//! the simulation broke down).

use sodarace::{Terrain, Walker, simulate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(walkers), Some(terrain)) = (args.first(), args.get(1)) else {
        return Err("usage: walk WALKERS.json TERRAIN [STEPS]".into());
    };
    let steps = args.get(2).map_or(Ok(600), |steps| steps.parse())?;
    let read = |path: &str| std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"));
    let terrain: Terrain = if terrain.ends_with(".json") {
        serde_json::from_str(&read(terrain)?).map_err(|e| format!("{terrain}: {e}"))?
    } else {
        Terrain::by_name(terrain)?
    };
    let walkers: Vec<Walker> =
        serde_json::from_str(&read(walkers)?).map_err(|e| format!("{walkers}: {e}"))?;
    let walkers: Vec<&Walker> = walkers.iter().collect();
    let distances = simulate(&walkers, &terrain, steps);
    let distances: Vec<Option<f64>> = distances.into_iter().map(Result::ok).collect();
    let answer = serde_json::json!({ "terrain": terrain, "distances": distances });
    println!("{answer}");
    Ok(())
}
