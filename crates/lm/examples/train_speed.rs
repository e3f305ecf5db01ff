//! Seconds an update: `train_speed [--model FOLDER | --shape LxHxIxQxKxDxV] [--lora RANK] [--batch TxPxCxN] [--updates N]
//! [--threads N] [--precision bf16|f32] [--wait yes] [--save FILE]`, or `train_speed --peak bf16|f32` for what the machine could do.
//!
//! A shape is layers, hidden and intermediate size, query heads, key heads, a head's width and tokens known; its weights are
//! random. A batch is so many trees of a program of P tokens and C changes of N tokens, which are all learnt; with C = 0 the
//! program is. Every update prints a line of JSON; where it is to wait, after it has read a line. `--save` writes where training
//! begins as safetensors: all weights, the adapter, and the batch's `tokens`, `[trees, tokens]`.

use std::borrow::Cow;
use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use lm::train::cpu::Trainer;
use lm::train::{Branch, Climbed, Learns, Lora, Options, Scores, Step, Text, Trainer as _, Tree};
use lm::{Checkpoint, Config, Error, Llama, Tensor, Weight};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

#[path = "train_speed/peak.rs"]
mod peak;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut model, mut shape, mut batch) =
        (None, numbers("8x256x768x4x2x64x2048")?, [3, 500, 4, 60]);
    let (mut updates, mut threads, mut wait, mut file) = (3, 2, false, None);
    let mut options = Options {
        bf16: true,
        ..Options::default()
    };
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        match name.as_str() {
            "--peak" => {
                println!("{}", json!({"peak": peak::flops(value == "bf16", threads)}));
                return Ok(());
            }
            "--model" => model = Some(value),
            "--shape" => shape = numbers(&value)?,
            "--batch" => batch = numbers(&value)?,
            "--lora" => {
                options.learns = Learns::Lora(Lora {
                    rank: value.parse()?,
                    ..Lora::default()
                });
            }
            "--updates" => updates = value.parse()?,
            "--threads" => threads = value.parse()?,
            "--precision" if value == "f32" => options.bf16 = false,
            "--precision" if value == "bf16" => {}
            "--wait" => wait = value == "yes",
            "--save" => file = Some(value),
            _ => return Err(format!("{name} {value}: not known").into()),
        }
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let mut trainer = match model {
        Some(path) => {
            let checkpoint = Checkpoint::open(path.as_ref())?;
            Trainer::new(&checkpoint.config, &checkpoint.weights()?, options.clone())?
        }
        None => {
            let config = config(shape);
            config.check()?;
            Trainer::new(&config, &drawn(&config), options.clone())?
        }
    };
    let trees = trees(batch, trainer.config().vocab_size);
    if let Some(file) = file {
        save(&trainer, &trees, file.as_ref())?;
    }
    let tokens = trees.iter().map(Tree::len).sum();
    println!(
        "{}",
        json!({
            "arithmetic": trainer.arithmetic(),
            "trained": trainer.parameters(),
            "tokens": tokens,
            "estimate": Trainer::bytes(trainer.config(), &options, tokens),
            "memory": memory()?,
        })
    );
    let chosen: usize = trees.iter().map(Tree::chosen).sum();
    let step = Step {
        rate: 1e-4,
        decay: 0.1,
        clip: 1.0,
    };
    for _ in 0..updates {
        if wait && std::io::stdin().read_line(&mut String::new())? == 0 {
            break;
        }
        let began = Instant::now();
        let climbed = trainer.gradient(&trees, &mut |_, scores| Scores {
            log_probs: vec![1.0 / chosen as f32; scores.log_probs.len()],
            values: Vec::new(),
        })?;
        trainer.update(step)?;
        let seconds = began.elapsed().as_secs_f64();
        let of = |climbed: &Climbed| climbed.scores.log_probs.iter().sum::<f32>();
        let loss = -climbed.iter().map(of).sum::<f32>() / chosen as f32;
        println!(
            "{}",
            json!({"seconds": seconds, "loss": loss, "memory": memory()?})
        );
    }
    Ok(())
}

/// Numbers with an x between them.
fn numbers<const N: usize>(text: &str) -> Fallible<[usize; N]> {
    let all: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    all.ok()
        .and_then(|all| all.try_into().ok())
        .ok_or_else(|| format!("{text}: give {N} numbers with an x between them").into())
}

fn config([layers, hidden, inner, heads, keys, head, vocabulary]: [usize; 7]) -> Config {
    Config {
        vocab_size: vocabulary,
        hidden_size: hidden,
        intermediate_size: inner,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        num_key_value_heads: keys,
        head_dim: head,
        ..Config::preset("0.1m").expect("a preset")
    }
}

/// A random weight, which is made when it is read.
struct Drawn {
    shape: Vec<usize>,
    seed: u64,
}

impl Weight for Drawn {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn values(&self) -> Result<Cow<'_, [f32]>, Error> {
        let count = self.shape.iter().product();
        let [_, columns] = *self.shape else {
            return Ok(vec![1.0; count].into());
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let most = (3.0 / columns as f32).sqrt();
        Ok((0..count).map(|_| rng.random_range(-most..most)).collect())
    }
}

fn drawn(config: &Config) -> Llama<Drawn> {
    let seeds = Cell::new(0);
    Llama::shapes(config).map(|_, shape| {
        seeds.set(seeds.get() + 1);
        Drawn {
            shape,
            seed: seeds.get(),
        }
    })
}

fn trees([trees, program, changes, change]: [usize; 4], vocabulary: usize) -> Vec<Tree> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut tokens = |n| {
        (0..n)
            .map(|_| rng.random_range(0..vocabulary as u32))
            .collect()
    };
    let tree = |_| {
        let mut trunk = Text::context(tokens(program));
        if changes == 0 {
            trunk.chosen[1..].fill(true);
        }
        let branch = |_| Branch {
            seen: program,
            text: Text::target(tokens(change)),
        };
        Tree {
            trunk,
            branches: (0..changes).map(branch).collect(),
            ..Tree::default()
        }
    };
    (0..trees).map(tree).collect()
}

/// Writes what another trainer needs to begin here.
fn save(trainer: &Trainer, trees: &[Tree], file: &Path) -> Fallible<()> {
    let mut all = trainer.adapter();
    trainer
        .weights()?
        .map(|name, tensor| all.push((name.to_owned(), tensor)));
    let texts = trees.iter().flat_map(Tree::texts);
    let tokens = Tensor {
        shape: vec![trees.len(), trees.first().map_or(0, Tree::len)],
        // Whole numbers are exact up to 2^24.
        data: texts
            .flat_map(|text| &text.tokens)
            .map(|token| *token as f32)
            .collect(),
    };
    all.push(("tokens".to_owned(), tokens));
    let bytes = |tensor: &Tensor| -> Vec<u8> {
        tensor
            .data
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    let all: Vec<_> = all
        .iter()
        .map(|(name, tensor)| (name, &tensor.shape, bytes(tensor)))
        .collect();
    let mut views = Vec::with_capacity(all.len());
    for (name, shape, bytes) in &all {
        views.push((name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?));
    }
    Ok(safetensors::serialize_to_file(views, None, file)?)
}

/// The most bytes that were in memory so far; 0 where the system does not say.
fn memory() -> Fallible<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.map_or(Ok(0), str::parse::<u64>)? * 1024)
}
