//! Tokens a second: `speed MODEL [--rows N] [--steps N] [--prompt N] [--precision int8|f32] [--repeat N]`.
//!
//! Reads one prompt, then decodes rows side by side that share it, as the mutation operators do.

use std::time::Instant;

use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which model? give its path")?;
    let (mut rows, mut steps, mut prompt, mut repeat) = (32, 32, 398, 3);
    let mut precision = Precision::Int8;
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        match name.as_str() {
            "--rows" => rows = value.parse()?,
            "--steps" => steps = value.parse()?,
            "--prompt" => prompt = value.parse()?,
            "--repeat" => repeat = value.parse()?,
            "--precision" if value == "f32" => precision = Precision::F32,
            "--precision" if value == "int8" => {}
            _ => return Err(format!("{name} {value}: not known").into()),
        }
    }
    let began = Instant::now();
    let checkpoint = lm::Checkpoint::open(path.as_ref())?;
    let mut decoder = Decoder::load(&checkpoint, precision)?;
    eprintln!(
        "loaded in {:.1} s, {} MB",
        began.elapsed().as_secs_f64(),
        decoder.bytes() / 1_000_000
    );
    let token = |i: usize| (i * 7919 % (decoder_vocabulary(&checkpoint) - 100) + 100) as u32;
    let tokens: Vec<u32> = (0..prompt).map(token).collect();
    for _ in 0..repeat {
        let began = Instant::now();
        let mut shared = decoder.cache();
        decoder.forward(&mut [Feed {
            tokens: &tokens,
            shared: None,
            own: &mut shared,
            logits: 1,
        }]);
        let read = began.elapsed().as_secs_f64();
        let mut own: Vec<_> = (0..rows).map(|_| decoder.cache()).collect();
        let began = Instant::now();
        for step in 0..steps {
            let next: Vec<[u32; 1]> = (0..rows).map(|row| [token(step * rows + row)]).collect();
            let mut feeds: Vec<_> = own
                .iter_mut()
                .zip(&next)
                .map(|(own, tokens)| Feed {
                    tokens,
                    shared: Some((&shared, prompt)),
                    own,
                    logits: 1,
                })
                .collect();
            std::hint::black_box(decoder.forward(&mut feeds));
        }
        let decoded = began.elapsed().as_secs_f64();
        println!(
            "samara {precision:?} rows {rows}: prompt {:.0} tok/s  decode {:.0} tok/s, {:.1} ms/step",
            prompt as f64 / read,
            (rows * steps) as f64 / decoded,
            1e3 * decoded / steps as f64
        );
    }
    Ok(())
}

fn decoder_vocabulary(checkpoint: &lm::Checkpoint) -> usize {
    checkpoint.config.vocab_size
}
