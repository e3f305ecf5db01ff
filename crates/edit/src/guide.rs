//! What may be written next.

mod diff;
mod line;
mod rules;

pub use diff::{DiffGuide, DiffOptions, Unwritten};
pub use line::{LineError, LineGuide, LineOptions};
pub use rules::{Accept, Rules};

/// A language, read from left to right: which bytes may follow those taken so far.
///
/// A sampler asks [`admits`](Guide::admits) of the tokens it draws and puts those refused back, which draws from the
/// model's distribution over what is possible.
pub trait Guide: Send {
    /// Whether these bytes may come next, and something can follow them or the text may end there. Takes nothing.
    fn admits(&self, bytes: &[u8]) -> bool;

    /// Takes bytes that are admitted.
    fn advance(&mut self, bytes: &[u8]);

    /// The bytes that must come next whatever is drawn; empty where there is a choice.
    fn forced(&self) -> Vec<u8>;

    /// Whether the text may end here.
    fn may_end(&self) -> bool;

    /// Whether the text must end here: nothing may follow.
    fn must_end(&self) -> bool;
}
