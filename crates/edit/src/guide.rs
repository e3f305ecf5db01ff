//! What may be written next.

mod diff;
mod file;
mod line;
mod rules;

pub use diff::{DiffGuide, DiffOptions, Unwritten};
pub use file::FileGuide;
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

    /// Whether something begins here that could turn out to be no change at all. A sampler marks the place, and takes
    /// what was written since back where [`undoes`](Guide::undoes) says so.
    fn may_mark(&self) -> bool {
        false
    }

    /// Remembers this place, in place of the one before.
    fn mark(&mut self) {}

    /// Whether these bytes, which are not admitted, would end what was begun at the last mark as no change. To go on without
    /// them would be to spoil what was meant to be whole.
    fn undoes(&self, bytes: &[u8]) -> bool {
        let _ = bytes;
        false
    }

    /// Takes back what was taken since the last mark.
    fn undo(&mut self) {}
}
