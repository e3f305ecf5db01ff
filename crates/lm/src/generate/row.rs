//! A text while it is written.

use std::path::Path;
use std::sync::Arc;

use edit::guide::Guide;

use super::follow::Forced;
use super::{End, Task, Written};
use crate::config::Config;
use crate::draw::{NotFinite, Sampling, draw};
use crate::error::{Error, Fault};
use crate::tokenizer::Tokenizer;

/// A text being written.
pub(super) struct Row<G, C> {
    pub(super) index: usize,
    /// Vectors in front of its beginning.
    pub(super) prefixed: usize,
    pub(super) task: Task<G>,
    pub(super) beginning: Arc<C>,
    pub(super) own: C,
    /// Tokens not yet read.
    pub(super) pending: Vec<u32>,
    pub(super) text: Vec<u8>,
    /// Tokens of the text.
    pub(super) tokens: Vec<u32>,
    /// Tokens of the lead.
    pub(super) led: usize,
    pub(super) read: usize,
    pub(super) drawn: usize,
    pub(super) forced: usize,
    /// Where writing may go back to.
    pub(super) mark: Option<Mark>,
    /// How often it did.
    pub(super) undone: usize,
    /// Tokens that were taken back.
    pub(super) lost: usize,
    /// Tokens that its own cache holds.
    pub(super) held: usize,
    /// Tokens that it is to be cut to.
    pub(super) cut: Option<usize>,
}

/// A place in a text.
pub(super) struct Mark {
    /// Tokens in the cache before the last, and the last.
    held: usize,
    last: u32,
    /// Tokens drawn and forced, bytes of the text.
    written: usize,
    bytes: usize,
}

/// How often a text may go back to a mark: what a model knows only to repeat, it does not change.
const UNDONE: usize = 32;

impl<G: Guide, C> Row<G, C> {
    /// Tokens of the text.
    fn written(&self) -> usize {
        self.drawn + self.forced - self.lost
    }

    /// Why nothing more is written, if that is so.
    pub(super) fn over(&self, config: &Config) -> Option<End> {
        let written = self.written();
        if self.task.guide.must_end() {
            Some(End::Done)
        } else if written >= self.task.most
            || self.prefixed + self.task.seen + self.led + written >= config.max_position_embeddings
        {
            Some(End::Length)
        } else {
            None
        }
    }

    /// Draws the next token and takes whatever must follow it; says why the text ends, if it does.
    ///
    /// # Errors
    /// `Error::Numbers` for logits that are no distribution, and as `force`.
    pub(super) fn step(
        &mut self,
        logits: &mut [f32],
        sampling: Sampling,
        tokenizer: &Tokenizer,
        config: &Config,
    ) -> Result<Option<End>, Error> {
        self.held += self.pending.len();
        if self.task.guide.may_mark()
            && let Some(last) = self.pending.last()
        {
            self.task.guide.mark();
            self.mark = Some(Mark {
                held: self.held - 1,
                last: *last,
                written: self.written(),
                bytes: self.text.len(),
            });
        }
        self.pending.clear();
        let guide = &self.task.guide;
        let may_undo = self.mark.is_some() && self.undone < UNDONE && sampling.temperature > 0.0;
        let ends = |token: u32| config.eos_token_ids.contains(&token);
        let may_end = guide.may_end();
        let token = draw(logits, sampling, &mut self.task.rng, |token| {
            let bytes = tokenizer.bytes(token);
            if ends(token) {
                may_end
            } else {
                let undoes = || may_undo && guide.undoes(bytes);
                !bytes.is_empty() && (guide.admits(bytes) || undoes())
            }
        });
        let token = token.map_err(|NotFinite| {
            let read = self.task.seen + self.led + self.drawn + self.forced;
            Error::Numbers(Fault::new(
                Path::new("the model"),
                "the logits",
                format!("after {read} tokens some are infinite or no numbers"),
                "its weights are damaged or too large for 32-bit floats: choose another model",
            ))
        })?;
        let Some(token) = token else {
            return Ok(Some(End::Stuck));
        };
        if ends(token) {
            return Ok(Some(End::Done));
        }
        self.drawn += 1;
        if let Some(mark) = self.mark.as_ref().filter(|_| may_undo)
            && self.task.guide.undoes(tokenizer.bytes(token))
        {
            self.undone += 1;
            self.lost = self.drawn + self.forced - mark.written;
            self.task.guide.undo();
            self.text.truncate(mark.bytes);
            self.tokens.truncate(mark.written);
            self.pending.push(mark.last);
            self.held = mark.held;
            self.cut = Some(mark.held);
            return Ok(None);
        }
        self.pending.push(token);
        self.tokens.push(token);
        self.take(tokenizer.bytes(token));
        self.force(tokenizer, config, &[])?;
        Ok(self.over(config))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.task.guide.advance(bytes);
        self.text.extend_from_slice(bytes);
    }

    /// Takes what must come next, after `lead`.
    ///
    /// # Errors
    /// `Error::Tokenizer` for a token that the model has no row for.
    pub(super) fn force(
        &mut self,
        tokenizer: &Tokenizer,
        config: &Config,
        lead: &[u8],
    ) -> Result<(), Error> {
        let Forced { tokens, led, bytes } = Forced::of(&self.task.guide, tokenizer, lead);
        known(&tokens, tokenizer, config)?;
        self.led += led;
        self.tokens.extend(&tokens[led..]);
        self.forced += tokens.len() - led;
        self.pending.extend(tokens);
        self.take(&bytes);
        Ok(())
    }

    pub(super) fn end(self, end: End) -> (usize, Written<G>) {
        let Self {
            index,
            task,
            text,
            tokens,
            read,
            drawn,
            forced,
            ..
        } = self;
        (
            index,
            Written {
                guide: task.guide,
                text,
                tokens,
                end,
                read,
                drawn,
                forced,
            },
        )
    }
}

/// Refuses tokens that the model has no row for: a tokenizer may have more tokens than its model.
pub(super) fn known(tokens: &[u32], tokenizer: &Tokenizer, config: &Config) -> Result<(), Error> {
    let rows = config.vocab_size;
    let Some(token) = tokens.iter().find(|token| **token as usize >= rows) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(tokenizer.bytes(*token));
    Err(Error::Tokenizer(Fault::new(
        Path::new("the model"),
        "the text to go on from",
        format!("has the token {token} ({text:?}), and the model only {rows} rows"),
        "take that out of the text, or choose a model whose tokenizer is its own",
    )))
}
