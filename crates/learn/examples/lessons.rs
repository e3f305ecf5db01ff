//! What becomes of a file of lessons: which are chosen, how many tokens they take, and why others are left out.
//!
//! `cargo run --release -p learn --example lessons -- MODEL LESSONS.jsonl...`

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use learn::Left;
use learn::select::{Selection, Settings};
use learn::text::{self, Texts, by_parent};
use mutate::Brief;
use mutate::diff::{self, Frame};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let model = lm::Checkpoint::open(Path::new(&args.next().ok_or("which model?")?))?;
    let settings = include_str!("../../domains/src/walkers/settings.toml").parse()?;
    let brief: Brief = mutate::settings::section(&settings, "brief")?;
    let diff = diff::Settings {
        max_tokens: usize::MAX,
        ..diff::Settings::trained()
    };
    let how = text::Settings {
        program_weight: 0.15,
        free_weight: 0.0,
        seed: 0,
    };
    let config = lm::Config {
        max_position_embeddings: 1 << 20,
        ..model.config
    };
    let frame = Frame::new(&diff, &brief);
    let texts = Texts::new(frame, Arc::new(model.tokenizer), &config, how)?;
    for path in args {
        let mut selection = Selection::new(Settings::default(), 0);
        for lesson in learn::record::read(Path::new(&path))? {
            selection.push(lesson);
        }
        let selected = selection.done();
        println!(
            "{path}: {} chosen; left out: {}",
            selected.lessons.len(),
            selected.left
        );
        let (began, mut left) = (Instant::now(), Left::default());
        let (mut trees, mut branches, mut tokens, mut chosen) = (0, 0, 0, 0);
        for group in by_parent(&selected.lessons) {
            if let Some((taught, _)) = texts.tree(&group, &mut left) {
                trees += 1;
                branches += taught.tree.branches.len();
                let own = taught.tree.branches.iter().map(|branch| &branch.text);
                for text in own {
                    tokens += text.tokens.len();
                    chosen += text.chosen.iter().filter(|chosen| **chosen).count();
                }
            }
        }
        println!(
            "  {trees} trees with {branches} branches of {} tokens, {} drawn; left out: {left}; {:.2} ms each",
            tokens / branches.max(1),
            chosen / branches.max(1),
            began.elapsed().as_secs_f64() * 1e3 / selected.lessons.len().max(1) as f64
        );
    }
    Ok(())
}
