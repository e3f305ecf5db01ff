//! A known text, token by token as it would be written.

use std::collections::VecDeque;

use edit::guide::Guide;

use crate::tokenizer::Tokenizer;
use crate::train::Text;

/// What must come next.
pub(super) struct Forced {
    /// Its tokens, and those of the lead before it.
    pub tokens: Vec<u32>,
    /// How many of them are the lead's.
    pub led: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Forced {
    /// What must come after `lead` and what the guide has taken. A last space is left to be drawn with the word after it,
    /// as tokenizers have it.
    pub fn of<G: Guide>(guide: &G, tokenizer: &Tokenizer, lead: &[u8]) -> Self {
        let mut bytes = guide.forced();
        if bytes.last() == Some(&b' ') {
            bytes.pop();
        }
        let whole = [lead, &bytes].concat();
        // What ends within a character is left to be drawn from there.
        let text = match std::str::from_utf8(&whole) {
            Ok(text) => text,
            Err(e) => std::str::from_utf8(&whole[..e.valid_up_to()]).unwrap_or_default(),
        };
        bytes.truncate(text.len().saturating_sub(lead.len()));
        let tokens = tokenizer.encode_within(text);
        let mut end = 0;
        let of_lead = |token: &&u32| {
            end += tokenizer.bytes(**token).len();
            end <= lead.len()
        };
        let led = tokens.iter().take_while(of_lead).count();
        Self { tokens, led, bytes }
    }
}

/// A text as a [`Generator`](super::Generator) would have written it.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// The lead, the text and the token that ends it. Chosen are the tokens that the model would have drawn: not the lead's,
    /// nor those that had to come, nor an end that did.
    pub text: Text,
    /// The least [`Task::most`](super::Task::most) with which it is finished: its tokens but for the lead's.
    pub steps: usize,
}

/// The first line of a text with its end, and lines after it that begin with a blank: tokenizers split before others.
fn line(text: &[u8]) -> &[u8] {
    let mut pairs = text.windows(2);
    let end = pairs.position(|pair| pair[0] == b'\n' && !pair[1].is_ascii_whitespace());
    &text[..end.map_or(text.len(), |end| end + 1)]
}

/// Takes a known text as a generator would have written it after `lead` under a guide: what the guide forces comes in its
/// own tokens, and of the rest each token is the first that the tokenizer makes of what is left of the line. `end` is the token that
/// ends a text.
///
/// `None` where the guide does not take the text or may not end after it, or where it has a character without a token.
pub fn follow<G: Guide>(
    mut guide: G,
    tokenizer: &Tokenizer,
    lead: &[u8],
    text: &[u8],
    end: u32,
) -> Option<Followed> {
    let (mut all, mut led, mut lead, mut rest) = (Text::default(), 0, lead, text);
    let mut next = VecDeque::new();
    loop {
        let forced = Forced::of(&guide, tokenizer, std::mem::take(&mut lead));
        rest = rest.strip_prefix(&*forced.bytes)?;
        guide.advance(&forced.bytes);
        led += forced.led;
        all.chosen.extend(forced.tokens.iter().map(|_| false));
        if !forced.tokens.is_empty() {
            next.clear();
        }
        all.tokens.extend(forced.tokens);
        if rest.is_empty() {
            break;
        }
        if next.is_empty() {
            let line = std::str::from_utf8(line(rest)).ok()?;
            next.extend(tokenizer.encode_within(line));
        }
        let token = next.pop_front()?;
        let bytes = tokenizer.bytes(token);
        if bytes.is_empty() || !guide.admits(bytes) {
            return None;
        }
        rest = rest.strip_prefix(bytes)?;
        guide.advance(bytes);
        all.tokens.push(token);
        all.chosen.push(true);
    }
    if !guide.may_end() {
        return None;
    }
    if !guide.must_end() {
        all.tokens.push(end);
        all.chosen.push(true);
    }
    let steps = all.tokens.len() - led;
    Some(Followed { text: all, steps })
}
