//! What the decoder computes for given tokens, for comparison: `reference MODEL int8|f32 < REQUEST > ANSWER`.
//!
//! The request is JSON: `{"text": [token, ...], "prompts": [[token, ...], ...], "tokens": N}`. The answer holds the
//! logits after every token of the text, and for each prompt N tokens written greedily.

use lm::cpu::{Decoder, Precision};
use lm::engine::{Engine, Feed};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which model? give its path")?;
    let precision = match arguments.next().as_deref() {
        Some("int8") => Precision::Int8,
        Some("f32") => Precision::F32,
        other => return Err(format!("{other:?}: give int8 or f32").into()),
    };
    let request: Value = serde_json::from_reader(std::io::stdin())?;
    let tokens = |value: &Value| -> Result<Vec<u32>, serde_json::Error> {
        serde_json::from_value(value.clone())
    };
    let checkpoint = lm::Checkpoint::open(path.as_ref())?;
    let mut decoder = Decoder::load(&checkpoint, precision)?;

    let text = tokens(&request["text"])?;
    let mut cache = decoder.cache();
    let feed = Feed {
        vectors: &[],
        tokens: &text,
        shared: None,
        own: &mut cache,
        logits: text.len(),
    };
    let logits = decoder.forward(&mut [feed]);

    let count = request["tokens"].as_u64().ok_or("no number of tokens")?;
    let mut greedy = Vec::new();
    for prompt in request["prompts"].as_array().ok_or("no prompts")? {
        let mut next = tokens(prompt)?;
        let mut cache = decoder.cache();
        let mut written = Vec::new();
        for _ in 0..count {
            let feed = Feed {
                vectors: &[],
                tokens: &next,
                shared: None,
                own: &mut cache,
                logits: 1,
            };
            let logits = decoder.forward(&mut [feed]).remove(0);
            let best = logits
                .iter()
                .enumerate()
                .fold((0, f32::MIN), |best, (token, logit)| {
                    if *logit > best.1 {
                        (token as u32, *logit)
                    } else {
                        best
                    }
                });
            written.push(best.0);
            next = vec![best.0];
        }
        greedy.push(written);
    }
    println!("{}", json!({ "logits": logits, "greedy": greedy }));
    Ok(())
}
