//! Language models of the Llama family: weights in and out, tokenizers, a decoder that writes many short texts
//! side by side, and drawing held to a [`Guide`](edit::guide::Guide).

pub use checkpoint::{Adapter, Checkpoint, check_folder, save, save_adapter, write_card};
pub use config::{Config, RopeScaling};
pub use device::Device;
pub use draw::Sampling;
pub use error::Error;
pub use generate::{End, Followed, Free, Generator, Limits, Task, Written, follow};
pub use llama::Llama;
pub use tensor::{Tensor, Weight};
pub use tokenizer::Tokenizer;
pub use writer::Writer;

pub mod builtin;
mod bytes;
pub mod checkpoint;
pub mod config;
pub mod cpu;
pub mod device;
mod draw;
pub mod engine;
pub mod error;
pub mod generate;
mod gguf;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod llama;
pub mod pull;
mod safetensors;
mod sha256;
pub mod snapshot;
pub mod tensor;
pub mod tokenizer;
pub mod train;
mod whole;
pub mod writer;
