//! What the files of a model are called.

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const GENERATION: &str = "generation_config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// A person's description of a model, and a program's.
pub(super) const CARDS: [&str; 2] = ["README.md", "card.json"];
/// Of a low-rank change of a model, as PEFT has it.
pub(super) const ADAPTER_CONFIG: &str = "adapter_config.json";
/// Its tensors.
pub(super) const ADAPTER: &str = "adapter_model.safetensors";

/// What a model's folder may have besides tensors.
pub(super) const FILES: [&str; 7] = [
    CONFIG,
    GENERATION,
    TOKENIZER,
    INDEX,
    CARDS[0],
    CARDS[1],
    ADAPTER_CONFIG,
];
