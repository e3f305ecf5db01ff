//! A tokenizer made from texts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::json;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::{Spelling, Tokenizer};
use crate::error::{Error, Fault};

/// The token that ends a text: number 0.
pub const END: &str = "<|endoftext|>";

/// Two tokens side by side.
type Pair = (u32, u32);

impl Tokenizer {
    /// Byte-pair encoding (Sennrich et al. 2016) of GPT-2's kind learned from texts: [`END`] is token 0, then all bytes, then
    /// the most frequent pairs until there are `size` tokens or no pair comes twice. Digits stand one by one.
    ///
    /// The texts' order does not count; of pairs as frequent as each other the one of the smaller numbers comes first.
    ///
    /// # Errors
    /// `Error::Tokenizer` for a size that does not hold all bytes.
    pub fn train<T: AsRef<str>>(
        texts: impl IntoIterator<Item = T>,
        size: usize,
    ) -> Result<Self, Error> {
        let file = Path::new("the new tokenizer");
        if !(257..=1 << 20).contains(&size) {
            let (problem, mend) = (format!("is {size}"), "it must be 257 to 1048576");
            let fault = Fault::new(file, "the vocabulary's size", problem, mend);
            return Err(Error::Tokenizer(fault));
        }
        let bytes = Spelling::characters();
        let mut tokens = vec![END.to_owned()];
        tokens.extend(bytes.iter().map(char::to_string));
        let bare = Self::from_json(file, &json(&tokens, &[]))?;
        let mut words = BTreeMap::<String, u64>::new();
        for text in texts {
            bare.split(text.as_ref(), |word| {
                *words.entry(word.to_owned()).or_default() += 1;
            });
        }
        let number: HashMap<char, u32> = bytes.into_iter().zip(1..).collect();
        let words = words.into_iter().map(|(word, count)| Word {
            tokens: word
                .chars()
                .filter_map(|c| number.get(&c).copied())
                .collect(),
            count,
        });
        let merges = merges(words.collect(), &mut tokens, size);
        Self::from_json(file, &json(&tokens, &merges))
    }

    /// The words of a text, as the model writes them, within which pairs are merged.
    fn split(&self, text: &str, mut each: impl FnMut(&str)) {
        let Some(splitter) = self.inner.get_pre_tokenizer() else {
            return;
        };
        let mut split = PreTokenizedString::from(text);
        // Splitting by these rules does not fail.
        if splitter.pre_tokenize(&mut split).is_ok() {
            let words = split.get_splits(OffsetReferential::Original, OffsetType::None);
            words.into_iter().for_each(|(word, ..)| each(word));
        }
    }
}

/// A word on its way, and how often it comes.
struct Word {
    tokens: Vec<u32>,
    count: u64,
}

impl Word {
    fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.tokens.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// Puts one token in place of a pair, from the left.
    fn merge(&mut self, pair: Pair, token: u32) {
        let mut merged = Vec::with_capacity(self.tokens.len());
        let mut rest = self.tokens.as_slice();
        while let [first, after @ ..] = rest {
            match after {
                [second, after @ ..] if (*first, *second) == pair => {
                    merged.push(token);
                    rest = after;
                }
                _ => {
                    merged.push(*first);
                    rest = after;
                }
            }
        }
        self.tokens = merged;
    }
}

/// The pairs to merge, in order, until there are `size` tokens; those they make are added.
fn merges(mut words: Vec<Word>, tokens: &mut Vec<String>, size: usize) -> Vec<Pair> {
    let mut numbers: HashMap<String, u32> = tokens.iter().cloned().zip(0..).collect();
    // How often each pair comes, and in which words it may be.
    let mut counts = BTreeMap::<Pair, (u64, BTreeSet<usize>)>::new();
    for (index, word) in words.iter().enumerate() {
        for pair in word.pairs() {
            let (count, places) = counts.entry(pair).or_default();
            *count += word.count;
            places.insert(index);
        }
    }
    let mut merges = Vec::new();
    while tokens.len() < size {
        let best = counts
            .iter()
            .max_by_key(|(pair, (count, _))| (*count, std::cmp::Reverse(**pair)));
        let pair = match best {
            Some((pair, (count, _))) if *count > 1 => *pair,
            _ => break,
        };
        merges.push(pair);
        // Two pairs may make the same token.
        let spelled = format!("{}{}", tokens[pair.0 as usize], tokens[pair.1 as usize]);
        let token = *numbers.entry(spelled).or_insert_with_key(|spelled| {
            tokens.push(spelled.clone());
            tokens.len() as u32 - 1
        });
        let (_, places) = counts.remove(&pair).unwrap_or_default();
        for index in places {
            let word = &mut words[index];
            for old in word.pairs() {
                if let Some((count, _)) = counts.get_mut(&old) {
                    *count -= word.count;
                    if *count == 0 {
                        counts.remove(&old);
                    }
                }
            }
            word.merge(pair, token);
            for new in word.pairs() {
                let (count, places) = counts.entry(new).or_default();
                *count += word.count;
                places.insert(index);
            }
        }
    }
    merges
}

/// The text of a `tokenizer.json` with such tokens and merges.
fn json(tokens: &[String], merges: &[Pair]) -> String {
    let spelled = |&(left, right): &Pair| json!([tokens[left as usize], tokens[right as usize]]);
    let spelled: Vec<_> = merges.iter().map(spelled).collect();
    let vocab: serde_json::Map<_, _> = (tokens.iter().zip(0u32..))
        .map(|(token, id)| (token.clone(), json!(id)))
        .collect();
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
    });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": 0, "content": END, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        }],
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true},
            byte_level,
        ]},
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": spelled,
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "def make_walker():\n    wc = walker_creator()\n    wc.add_joint(12, 345.5)\n    return wc.get_walker()\n";

    #[test]
    fn texts_come_back_and_digits_stand_alone() {
        let tokenizer = Tokenizer::train([TEXT, TEXT], 300).unwrap();
        assert_eq!(tokenizer.special(END), Some(0));
        assert_eq!(tokenizer.ends(), [0]);
        assert!(tokenizer.start().is_empty());
        for text in [TEXT, "ünïcode 🎉\t<|endoftext|> 2024", ""] {
            let ids = tokenizer.encode(text);
            assert_eq!(tokenizer.decode(&ids), text);
            assert!(!ids.contains(&0));
        }
        assert_eq!(tokenizer.encode("12345").len(), 5);
        // " walker" or "walker" is one token.
        assert!((0..300).any(|id| tokenizer.bytes(id) == b"walker"));
        assert!(tokenizer.encode(TEXT).len() < TEXT.len() / 2);
    }

    #[test]
    fn merges_are_those_worked_by_hand() {
        let word = |tokens: &[u32], count| Word {
            tokens: tokens.to_vec(),
            count,
        };
        let learned = |words: Vec<Word>, most: usize| {
            let mut tokens: Vec<String> = "-abcd".chars().map(String::from).collect();
            let pairs = merges(words, &mut tokens, 5 + most);
            (pairs, tokens[5..].join(" "))
        };
        // "aaab" three times, "ab" twice: aa 6, ab 5; then (aa)a 3, ab 5.
        let words = || vec![word(&[1, 1, 1, 2], 3), word(&[1, 2], 2)];
        assert_eq!(learned(words(), 1), (vec![(1, 1)], "aa".to_owned()));
        let (pairs, tokens) = learned(words(), 9);
        assert_eq!(pairs, [(1, 1), (1, 2), (5, 6)]);
        assert_eq!(tokens, "aa ab aaab");
        // Of equals the smaller; what comes once is left.
        let words = vec![word(&[3, 4], 2), word(&[1, 4], 2), word(&[4, 2], 1)];
        assert_eq!(learned(words, 9).0, [(1, 4), (3, 4)]);
        // "abc" as a(bc) and as (ab)c is one token.
        let words = vec![word(&[1, 2, 3], 5), word(&[1, 2], 4), word(&[4, 2, 3], 9)];
        let (pairs, tokens) = learned(words, 9);
        assert_eq!(tokens, "bc dbc abc ab");
        assert_eq!(pairs, [(2, 3), (4, 5), (1, 5), (1, 2)]);
    }

    #[test]
    fn neither_order_nor_threads_count() {
        let texts: Vec<String> = (0..40)
            .map(|i| format!("{TEXT}x{i} = {}\n", i * i))
            .collect();
        let there = Tokenizer::train(&texts, 400).unwrap().to_json();
        let back = Tokenizer::train(texts.iter().rev(), 400).unwrap().to_json();
        assert_eq!(there, back);
        let again = std::thread::spawn(move || Tokenizer::train(&texts, 400).unwrap().to_json());
        assert_eq!(there, again.join().unwrap());
    }

    #[test]
    fn few_texts_make_few_tokens_and_too_small_is_refused() {
        assert_eq!(Tokenizer::train(["ab"], 2048).unwrap().vocab_size(), 257);
        let none: [&str; 0] = [];
        assert_eq!(Tokenizer::train(none, 2048).unwrap().vocab_size(), 257);
        let error = Tokenizer::train(["a"], 256).unwrap_err().to_string();
        assert!(error.contains("257"), "{error}");
    }
}
