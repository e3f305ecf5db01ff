//! How byte-level tokenizers split a text into words, by the names of `tokenizer.ggml.pre`.

use serde_json::{Value as Json, json};

/// A way to split.
pub(super) struct Words {
    /// Each splits what those before it left whole.
    steps: Vec<Step>,
    /// Whether a word that is a token is not built by merges.
    pub(super) ignores_merges: bool,
    /// Whether a text begins with a token of its own where the file does not say.
    pub(super) starts: bool,
}

enum Step {
    /// Each match becomes a word, and what is between.
    Match(String),
    /// Each digit becomes a word.
    Digits,
    /// GPT-2's words.
    Gpt2,
}

/// Names that split alike, the usual one first.
const NAMES: [&[&str]; 10] = [
    &["gpt-2", "gpt2", "mellum", "gigachat", "granite-docling"],
    &[
        "smollm",
        "starcoder",
        "refact",
        "command-r",
        "codeshell",
        "minerva-7b",
    ],
    &[
        "qwen2",
        "deepseek-r1-qwen",
        "megrez",
        "stablelm2",
        "hunyuan",
    ],
    &["llama-bpe", "llama3", "llama-v3", "falcon3"],
    &["smaug-bpe", "dbrx"],
    &["tekken"],
    &["deepseek-llm"],
    &["deepseek-coder"],
    &["deepseek-v3"],
    &["default"],
];

/// How Qwen2 and Llama 3 split: contractions, words with what stands before them, digits, other signs, lines, spaces.
fn words(contractions: &str, letters: &str, digits: &str, signs: &str) -> Step {
    let spaces = r"\s*[\r\n]+|\s+(?!\S)|\s+";
    let all = [contractions, letters, digits, signs, spaces];
    let all = all.into_iter().filter(|part| !part.is_empty());
    Step::Match(all.collect::<Vec<_>>().join("|"))
}

impl Words {
    /// `None` for a name that is not known.
    pub(super) fn of(name: &str) -> Option<Self> {
        let kind = NAMES.iter().find(|names| names.contains(&name))?[0];
        let matches = |regex: &str| Step::Match(regex.to_owned());
        let cased = |digits: &str| {
            let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
            let letters = r"[^\r\n\p{L}\p{N}]?\p{L}+";
            words(contractions, letters, digits, r" ?[^\s\p{L}\p{N}]+[\r\n]*")
        };
        // Han, and what lies between the blocks that are named beside it; Korean syllables.
        let asian = r"[\x{0800}-\x{9FA5}\x{AC00}-\x{D7FF}]+";
        let steps = match kind {
            "gpt-2" => vec![Step::Gpt2],
            "smollm" => vec![Step::Digits, Step::Gpt2],
            "qwen2" => vec![cased(r"\p{N}")],
            "llama-bpe" | "smaug-bpe" => vec![cased(r"\p{N}{1,3}")],
            "tekken" => {
                let (upper, lower) = (r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}");
                let before = r"[^\r\n\p{L}\p{N}]?";
                let letters = format!("{before}[{upper}]*[{lower}]+|{before}[{upper}]+[{lower}]*");
                vec![words("", &letters, r"\p{N}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*")]
            }
            "deepseek-llm" => vec![
                matches(r"[\r\n]"),
                matches(r"\s?[\p{Lu}\p{Ll}\p{Lt}]+"),
                // Punctuation of ASCII, its full-width twins, and some of the general one.
                matches(
                    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+",
                ),
                matches(r"\s+$"),
                matches(asian),
                matches(r"\p{N}+"),
            ],
            "deepseek-coder" => vec![
                matches(r"[\r\n]"),
                matches(r"\s?\p{L}+"),
                matches(r"\s?\p{P}+"),
                matches(asian),
                matches(r"\p{N}"),
            ],
            "deepseek-v3" => vec![
                matches(r"\p{N}{1,3}"),
                matches(r"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+"),
                words(
                    r"[!-/:-@\[-`{-~][A-Za-z]+",
                    r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
                    "",
                    r" ?[\p{P}\p{S}]+[\r\n]*",
                ),
            ],
            _ => vec![
                matches(r"[\p{P}$+<=>^~|]+"),
                Step::Gpt2,
                matches(r"\p{N}+"),
                matches("[0-9][0-9][0-9]"),
            ],
        };
        Some(Self {
            steps,
            ignores_merges: matches!(kind, "llama-bpe" | "tekken"),
            starts: matches!(kind, "llama-bpe" | "tekken"),
        })
    }

    /// The usual name of the way that a `tokenizer.json` splits in; `None` where there is none, or where the name says more.
    pub(super) fn name_of(pre_tokenizer: &Json) -> Option<&'static str> {
        let names = NAMES.iter().map(|names| names[0]);
        let mut plain = names.filter_map(|name| Some((name, Self::of(name)?)));
        let found = plain.find(|(_, words)| words.pre_tokenizer() == *pre_tokenizer)?;
        (!found.1.ignores_merges).then_some(found.0)
    }

    /// All names.
    pub(super) fn names() -> String {
        NAMES.concat().join(", ")
    }

    /// As in a `tokenizer.json`.
    pub(super) fn pre_tokenizer(&self) -> Json {
        let bytes = |words: bool| {
            json!({
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": words,
            })
        };
        let isolated = |pattern: Json| {
            json!({
                "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false,
            })
        };
        let mut steps: Vec<Json> = (self.steps.iter())
            .map(|step| match step {
                Step::Match(regex) => isolated(json!({ "Regex": regex })),
                Step::Digits => json!({"type": "Digits", "individual_digits": true}),
                Step::Gpt2 => isolated(json!({ "Regex": GPT2 })),
            })
            .collect();
        match self.steps.last() {
            Some(Step::Gpt2) => {
                steps.pop();
                steps.push(bytes(true));
            }
            _ => steps.push(bytes(false)),
        }
        match &mut *steps {
            [one] => one.take(),
            _ => json!({"type": "Sequence", "pretokenizers": steps}),
        }
    }
}

/// GPT-2's words: contractions, letters, digits, other signs, spaces.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_none_twice() {
        let mut names = NAMES.concat();
        for name in &names {
            assert!(Words::of(name).is_some(), "{name}");
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(Words::of("none-of-these").is_none());
    }
}
