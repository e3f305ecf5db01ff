//! Language models of the Llama family.

pub use checkpoint::{Checkpoint, Tensor, save};
pub use config::Config;
pub use error::Error;
pub use tokenizer::Tokenizer;

pub mod checkpoint;
pub mod config;
pub mod error;
mod gguf;
mod safetensors;
pub mod tokenizer;
