//! Lessons of the genetic operator.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::path::Path;
use std::sync::Arc;

use lm::{Checkpoint, Config, Tokenizer};
use mutate::diff::{Frame, Settings};
use mutate::gp::Gp;
use mutate::{Brief, Lesson};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use toml::Table;

pub const SEEDS: [&str; 4] = [
    include_str!("../../../../seeds/square.py"),
    include_str!("../../../../seeds/radial.py"),
    include_str!("../../../../seeds/cppn-fixed.py"),
    include_str!("../../../../seeds/cppn-mutable.py"),
];

/// What the walkers' domain tells, as its settings have it.
pub fn brief() -> Brief {
    let settings = include_str!("../../../domains/src/walkers/settings.toml");
    let settings: Table = toml::from_str(settings).unwrap();
    mutate::settings::section(&settings, "brief").unwrap()
}

/// The frame of an operator that was trained.
pub fn frame() -> Frame {
    Frame::new(&Settings::trained(), &brief())
}

/// A tiny model's tokenizer and configuration.
pub fn tiny() -> (Arc<Tokenizer>, Config) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lm/tests/tiny/llama");
    let model = Checkpoint::open(&folder).unwrap();
    let config = Config {
        max_position_embeddings: 4096,
        ..model.config
    };
    (Arc::new(model.tokenizer), config)
}

/// A walk of accepted changes from a seed: each program is changed so many times, and one of the children goes on.
pub fn lessons(seed: &str, programs: usize, children: usize) -> Vec<Lesson> {
    let settings: Table = toml::from_str(mutate::gp::KIND.settings).unwrap();
    let settings = mutate::settings::section(&settings, "gp").unwrap();
    let gp = Gp::new(settings, &brief()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut parent = seed.to_owned();
    let mut lessons = Vec::new();
    for _ in 0..programs {
        let brood: Vec<String> = (0..children)
            .map(|_| gp.mutate_traced(&parent, &mut rng).unwrap().source)
            .collect();
        let next = brood[rng.random_range(0..brood.len())].clone();
        for child in brood {
            let id = lessons.len() as u64;
            lessons.push(lesson(id, &parent, &child));
        }
        // Not so long that it is no longer like a champion.
        parent = match next.lines().count() < 2 * seed.lines().count() {
            true => next,
            false => seed.to_owned(),
        };
    }
    lessons
}

pub fn lesson(id: u64, parent: &str, child: &str) -> Lesson {
    Lesson {
        source: "run".to_owned(),
        id,
        operator: "gp".to_owned(),
        told: None,
        file: None,
        parent: parent.to_owned(),
        child: child.to_owned(),
        accepted: true,
        niche: Some((id % 7) as u32),
        fitness: Some(id as f64),
        parent_fitness: Some(1.0),
    }
}
