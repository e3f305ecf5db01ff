//! `samara model`: language models fetched, listed and described.

use std::io::IsTerminal;

use anyhow::Context;
use lm::{Checkpoint, pull};
use serde_json::json;

use crate::cli::{Model, ModelExportArgs, ModelInfoArgs, ModelListArgs, ModelPullArgs};
use crate::meter::{Meter, size};
use crate::{Done, Failure, say};

/// Does what a `samara model` command says.
pub fn model(what: &Model) -> Done {
    match what {
        Model::Pull(args) => fetch(args),
        Model::List(args) => list(args),
        Model::Info(args) => info(args),
        Model::Export(args) => export(args),
    }
}

/// Fetches a model and prints where it lies.
fn fetch(args: &ModelPullArgs) -> Done {
    let cache = pull::cache_folder()?;
    let mut display = Display::new();
    let path = pull::pull(&args.name, &cache, &mut |done, total| {
        display.update(done, total)
    });
    display.0.finish();
    let path = path?;
    if std::io::stdout().is_terminal() {
        say!("{}", path.display())?;
    } else {
        say!(
            "{}",
            json!({"event": "done", "name": args.name, "path": path})
        )?;
    }
    Ok(())
}

/// Prints the models of the cache, and those that can be fetched by name.
fn list(args: &ModelListArgs) -> Done {
    let cache = pull::cache_folder()?;
    let cached = pull::list(&cache)?;
    let missing = || {
        pull::KNOWN
            .iter()
            .filter(|known| cached.iter().all(|c| c.name != known.name))
    };
    let built_in = &lm::builtin::BUILTIN;
    if args.json {
        let within: Vec<_> = built_in
            .iter()
            .map(|m| json!({"name": m.name, "about": m.about, "bytes": m.bytes.len()}))
            .collect();
        let there: Vec<_> = cached
            .iter()
            .map(|m| json!({"name": m.name, "path": m.path, "bytes": m.bytes}))
            .collect();
        let others: Vec<_> = missing()
            .map(|m| json!({"name": m.name, "about": m.about}))
            .collect();
        return Ok(say!(
            "{}",
            json!({"cache": cache, "built_in": within, "models": there, "available": others})
        )?);
    }
    for model in built_in {
        let bytes = size(model.bytes.len() as u64);
        say!("{:<24} {:>9}  built in: {}", model.name, bytes, model.about)?;
    }
    for model in &cached {
        say!(
            "{:<24} {:>9}  {}",
            model.name,
            size(model.bytes),
            model.path.display()
        )?;
    }
    for known in missing() {
        say!(
            "{:<24} {:>9}  `samara model pull {}` fetches {}",
            known.name,
            "-",
            known.name,
            known.about
        )?;
    }
    Ok(())
}

/// Describes a model.
fn info(args: &ModelInfoArgs) -> Done {
    let path = pull::find(&args.model)?;
    let model = Checkpoint::open(&path)?;
    let (summary, config, adapters) = (model.summary(), &model.config, model.adapters());
    if args.json {
        let kinds: serde_json::Map<_, _> = summary
            .kinds
            .iter()
            .map(|(kind, (tensors, bytes))| {
                (kind.clone(), json!({"tensors": tensors, "bytes": bytes}))
            })
            .collect();
        let adapters: Vec<_> = adapters
            .iter()
            .map(|adapter| {
                json!({
                    "path": adapter.path(), "base": adapter.base(), "rank": adapter.rank(),
                    "matrices": adapter.matrices(), "parameters": adapter.parameters(),
                })
            })
            .collect();
        let line = json!({
            "path": model.path(), "adapters": adapters, "format": summary.format, "parameters": summary.parameters,
            "bytes": summary.bytes, "tensors": kinds, "config": config, "tokens": model.tokenizer.vocab_size(),
        });
        return Ok(say!("{line}")?);
    }
    say!("file        {}", model.path().display())?;
    // The last first, as one is opened: each names what it changes.
    for adapter in adapters.iter().rev() {
        say!(
            "adapter     LoRA of rank {} on {} matrices, {} parameters",
            adapter.rank(),
            adapter.matrices(),
            adapter.parameters()
        )?;
        say!("base        {}", adapter.base().display())?;
    }
    say!("format      {}", summary.format)?;
    say!("parameters  {}", summary.parameters)?;
    say!("size        {}", size(summary.bytes))?;
    for (kind, (tensors, bytes)) in &summary.kinds {
        say!("            {kind}: {tensors} tensors, {}", size(*bytes))?;
    }
    say!("layers      {}", config.num_hidden_layers)?;
    say!(
        "width       {}, {} inside the feed-forward layers",
        config.hidden_size,
        config.intermediate_size
    )?;
    let (heads, kv) = (config.num_attention_heads, config.num_key_value_heads);
    say!(
        "heads       {heads} of {}, {kv} for keys and values",
        config.head_dim
    )?;
    say!("context     {} tokens", config.max_position_embeddings)?;
    say!("vocabulary  {} tokens", model.tokenizer.vocab_size())?;
    let tied = if config.tie_word_embeddings {
        "the embedding"
    } else {
        "its own"
    };
    say!("output      {tied}")?;
    Ok(())
}

/// Writes a model as one GGUF file.
fn export(args: &ModelExportArgs) -> Done {
    if args.output.extension().is_none_or(|e| e != "gguf") {
        let problem = format!("{} does not end with .gguf", args.output.display());
        return Err(Failure::usage(anyhow::anyhow!(
            "{problem}: name the file so"
        )));
    }
    let model = Checkpoint::open(&pull::find(&args.model)?)?;
    model.save_gguf(&args.output).with_context(|| {
        format!(
            "-o {}: the model cannot be written; give a file in a folder that is there and writable",
            args.output.display()
        )
    })?;
    Ok(say!("{}", args.output.display())?)
}

/// Shows how far a download is.
struct Display(Meter);

impl Display {
    fn new() -> Self {
        let template =
            "{bar:30.green} {percent:>3}%  {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        Self(Meter::new(None, template))
    }

    fn update(&mut self, done: u64, total: Option<u64>) {
        if let Some(bar) = self.0.bar() {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
        } else if self.0.wants_line(false) {
            // Whoever reads may have gone; the download goes on.
            let _ = say!(
                "{}",
                json!({"event": "progress", "bytes": done, "total": total})
            );
        }
    }
}

impl From<lm::Error> for Failure {
    fn from(error: lm::Error) -> Self {
        match error {
            lm::Error::Missing(_) => Self::usage(error),
            other => anyhow::Error::from(other).into(),
        }
    }
}
