//! The rotary frequencies of a head, and how they are scaled for a longer context than a model was first trained on.

use std::f64::consts::TAU;

use serde_json::{Value, json};

use super::Config;

/// How rotary frequencies are changed.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Every frequency is divided by a factor (arXiv:2306.15595).
    Linear(f64),
    /// Llama 3.1: frequencies that turn seldom within the original context are divided by a factor, those that turn often
    /// stay, and between the two it passes from one to the other.
    Llama3 {
        /// What the low frequencies are divided by.
        factor: f64,
        /// Turns within the original context below which a frequency is low.
        low_freq_factor: f64,
        /// Turns within the original context above which a frequency is high.
        high_freq_factor: f64,
        /// The original context, in tokens.
        original_max_position_embeddings: usize,
    },
    /// Each pair's frequency is divided by a factor of its own: `rope_freqs.weight` of GGUF files.
    Factors(Vec<f32>),
}

impl Config {
    /// The angle by which each pair of a head turns from one position to the next, in radians.
    pub fn rope_frequencies(&self) -> Vec<f64> {
        let plain = |pair| libm::pow(self.rope_theta, -2.0 * pair as f64 / self.head_dim as f64);
        let frequencies = (0..self.head_dim / 2).map(plain);
        match &self.rope_scaling {
            RopeScaling::None => frequencies.collect(),
            RopeScaling::Linear(factor) => frequencies.map(|f| f / factor).collect(),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: original,
            } => frequencies
                .map(|f| {
                    let turns = *original as f64 * f / TAU;
                    let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    f * (kept + (1.0 - kept) / factor)
                })
                .collect(),
            RopeScaling::Factors(factors) => frequencies
                .zip(factors)
                .map(|(f, factor)| f / f64::from(*factor))
                .collect(),
        }
    }
}

impl RopeScaling {
    /// What is wrong with the numbers for heads of this width: the field, its value and what it must be.
    pub(super) fn fault(&self, head_dim: usize) -> Option<(&'static str, String, String)> {
        let above = |x: f64, least: f64| x > least && x.is_finite();
        let (field, value, must) = match self {
            Self::Linear(factor) if !above(*factor, 0.0) => {
                ("factor", factor.to_string(), "above 0")
            }
            Self::Llama3 { factor, .. } if !above(*factor, 0.0) => {
                ("factor", factor.to_string(), "above 0")
            }
            Self::Llama3 {
                low_freq_factor: low,
                ..
            } if !above(*low, 0.0) => ("low_freq_factor", low.to_string(), "above 0"),
            Self::Llama3 {
                low_freq_factor: low,
                high_freq_factor: high,
                ..
            } if !above(*high, *low) => (
                "high_freq_factor",
                high.to_string(),
                "above low_freq_factor",
            ),
            Self::Llama3 {
                original_max_position_embeddings: 0,
                ..
            } => (
                "original_max_position_embeddings",
                "0".to_owned(),
                "above 0",
            ),
            Self::Factors(factors) if factors.len() != head_dim / 2 => {
                let must = format!("{}, one for each pair of a head", head_dim / 2);
                return Some(("the number of factors", factors.len().to_string(), must));
            }
            Self::Factors(factors) => {
                let bad = factors.iter().find(|f| !above(f64::from(**f), 0.0))?;
                ("a factor", bad.to_string(), "above 0")
            }
            _ => return None,
        };
        Some((field, value, must.to_owned()))
    }

    /// As `rope_scaling` of a `config.json`, if it is any.
    ///
    /// Factors for each pair are what is called "longrope" there, with the same ones for short and long texts.
    pub(super) fn to_json(&self, context: usize) -> Option<Value> {
        Some(match self {
            Self::None => return None,
            Self::Linear(factor) => json!({"rope_type": "linear", "factor": factor}),
            Self::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_max_position_embeddings,
            }),
            Self::Factors(factors) => json!({
                "rope_type": "longrope",
                "short_factor": factors,
                "long_factor": factors,
                "attention_factor": 1.0,
                "original_max_position_embeddings": context,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(rope_scaling: RopeScaling) -> Vec<f64> {
        let config = Config {
            head_dim: 16,
            rope_scaling,
            ..Config::preset("0.1m").unwrap()
        };
        config.rope_frequencies()
    }

    #[test]
    fn low_frequencies_are_divided_high_ones_stay() {
        let plain = frequencies(RopeScaling::None);
        assert_eq!((plain[0], plain[4]), (1.0, 0.01));
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        for (linear, plain) in frequencies(RopeScaling::Linear(4.0)).iter().zip(&plain) {
            near(*linear, plain / 4.0);
        }
        let llama3 = frequencies(RopeScaling::Llama3 {
            factor: 4.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 64,
        });
        // 64 tokens are 10.2 turns of the first pair, 3.2 of the second and 0.3 of the fourth.
        near(llama3[0], plain[0]);
        let turns = 64.0 * plain[1] / TAU;
        let smooth = (turns - 1.0) / 3.0;
        near(
            llama3[1],
            (1.0 - smooth) * plain[1] / 4.0 + smooth * plain[1],
        );
        for pair in 3..8 {
            near(llama3[pair], plain[pair] / 4.0);
        }
        let factors: Vec<f32> = (1..=8).map(|f| f as f32).collect();
        near(
            frequencies(RopeScaling::Factors(factors))[7],
            plain[7] / 8.0,
        );
    }
}
