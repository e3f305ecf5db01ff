//! The trainer on the processor: against PyTorch (`golden.py`), against differences, against the decoder, and against
//! itself on other threads, in other batches and after a restore.

use std::path::{Path, PathBuf};

use golden::{CASES, Case, Golden, Way};

mod bits;
mod differences;
mod errors;
mod golden;
mod pytorch;
mod weights;

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}
