//! Quality-diversity archives with ask and tell.
//!
//! Quality diversity looks for many good solutions that differ in how they behave, not for one best one. A
//! solution's *measures* say how it behaves and pick its *niche*; its *fitness* says how good it is; an *archive*
//! keeps the best of every niche. MAP-Elites (Mouret and Clune 2015, arXiv 1504.04909) is then a loop of four steps:
//!
//! ```
//! use qd::{Archive, Axis, Elite, GridArchive};
//! use rand::{RngExt, SeedableRng};
//!
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
//! let mut archive = GridArchive::new(vec![Axis::new("x", -1.0, 1.0, 12), Axis::new("y", -1.0, 1.0, 12)])?;
//! archive.tell(Elite::new([0.0, 0.0], vec![0.0, 0.0], 0.0))?;
//! for _ in 0..1000 {
//!     let (_niche, parent) = archive.ask(&mut rng).expect("the archive holds the seed"); // choose a parent
//!     let child = parent.genotype.map(|g| g + rng.random_range(-0.2..0.2)); //              vary it
//!     let fitness = -child.iter().map(|g| g * g).sum::<f64>(); //                           evaluate the child
//!     archive.tell(Elite::new(child, child.to_vec(), fitness))?; //                         place it
//! }
//! assert!(archive.metrics().niches > 20);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate is generic over the genotype and knows nothing of how children are made or evaluated. What an archive
//! draws and reports is a function of what it holds, never of how it came to hold it, so a run resumed from its
//! champions alone goes on bit for bit.

mod archive;
mod axis;
mod elite;
mod grid;
mod metrics;

pub use archive::{Archive, Refusal, Verdict};
pub use axis::{Axis, AxisError};
pub use elite::Elite;
pub use grid::{GridArchive, GridError};
pub use metrics::Metrics;
